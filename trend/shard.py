"""One shard: takes uses of signals as they come, closes ticks in order, and reports its bursts.

Uses wait until their tick is closed; then everything happens in the order of the data: by tick of
effect, signal and reel. Tables grow by doubling up to the memory budget; a full table of signals
lets go of those that were not used for longest.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trend import closing, tables
from trend import layout as k
from trend.budget import ShardSettings
from trend.bursts import NUMBERS, SAMPLE, SERIES_HOURS, Reports
from trend.expectation import VOLUMES
from trend.layout import U8, Records
from trend.records import USE, VOLUME

_MAX_WAITING: Final = 256  # pieces of volume that wait for a use to come
_REPORT_ROOM: Final = 4096


@dataclass(frozen=True, slots=True)
class ShardReports:
    """Reports of one shard up to and including tick `through`, each array by report (`Reports`)."""

    through: int
    signal: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int64]
    log10_p: npt.NDArray[np.float64]
    authors: npt.NDArray[np.int64]
    reels: npt.NDArray[np.int64]
    expected: npt.NDArray[np.float64]
    before: npt.NDArray[np.float64]
    volume: npt.NDArray[np.int64]
    samples: npt.NDArray[np.uint64]
    series: npt.NDArray[np.float64]
    labels: bytes
    live: npt.NDArray[np.int64]


class Shard:
    """The state of one shard. All of it is arrays; it can be pickled between two calls."""

    def __init__(self, settings: ShardSettings) -> None:
        self.settings = settings
        self.counts = tables.empty(settings)
        self._waiting: list[tuple[Records, bytes, int]] = []
        """Uses, their labels, and the first tick among them."""
        self._volume: list[Records] = []

    def add(self, rows: Records, labels: bytes, volume: Records) -> None:
        """Take uses and volume that wait for their ticks.

        Args:
            rows: records with the fields signal, author, reel (uint64), tick, apply, label_at,
                label_len (int32), kind, again (uint8).
            labels: bytes that `label_at` and `label_len` speak of.
            volume: records with the fields apply, tick (int32), reels (int64).
        """
        if rows.size:
            self._waiting.append((rows, labels, int(rows["apply"].min())))
        if volume.size:
            self._volume.append(volume)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the room that is not used."""
        c = self.counts
        rows = int(c.n[k.ROWS])
        used = {name: getattr(c, name)[:rows] for name in (*tables.PER_ROW, "tracked_rows")}
        labels = c.labels[: c.n[k.LABEL_BYTES]]
        return {**self.__dict__, "counts": c._replace(**used, labels=labels, slots=c.slots[:0])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the room again, so that the state is what it was."""
        self.__dict__.update(state)
        c = self.counts
        labels = np.zeros(c.labels.size + 4 * k.MAX_LABEL, np.uint8)
        labels[: c.labels.size] = c.labels
        rows = min(max(c.signals.size, tables.FIRST_ROWS), self.settings.max_rows)
        self.counts = tables.with_rows(c._replace(labels=labels), rows)

    def close(self, through: int) -> list[ShardReports]:
        """Close all ticks up to and including `through`, in order, and return what is to report.

        The last of the list is through `through`; it may be tables.empty of reports.
        """
        if self._is_idle(through):
            return [_nothing(through, len(self.settings.windows_h))]
        rows, labels = self._take_rows(through)
        order = closing.order_of(rows)
        volume = self._take_volume(through)
        out = _REPORTS.get(len(self.settings.windows_h))
        touched = np.empty(rows.size, np.int32)
        windows = np.array(self.settings.windows_h, np.int64)
        sums = np.zeros((windows.size, VOLUMES), np.int64)
        cursor = np.zeros(closing.CURSOR, np.int64)
        out.used[:] = 0
        reports = []
        while True:
            status = closing.close(
                self.counts,
                out,
                rows,
                labels,
                order,
                touched,
                volume,
                cursor,
                through,
                windows,
                sums,
                self.settings.min_authors,
                self.settings.min_growth,
                self.settings.ticks_per_hour,
                self.settings.max_rows,
                self.settings.max_uses,
            )
            if status == closing.FINISHED:
                reports.append(_copy(out, through))
                return reports
            if status == closing.NEED_REPORTS:
                if out.used.any():
                    reports.append(_copy(out, int(self.counts.n[k.NOW])))
                    out.used[:] = 0
                else:
                    out = _REPORTS.grow(windows.size)
                    out.used[:] = 0
            else:
                due = rows["apply"][order[cursor[closing.TICK_START] :]]
                self._make_room(status, int(due[0]), int(np.searchsorted(due, due[0], "right")))

    def _is_idle(self, through: int) -> bool:
        """Whether no tick until `through` has anything to do; the volume can wait for its turn."""
        if len(self._volume) > _MAX_WAITING:
            return False
        hour = self.settings.ticks_per_hour
        next_hour = ((int(self.counts.n[k.NOW]) + 1) // hour + 1) * hour - 1
        if self.counts.n[k.TRACKED] and next_hour <= through:
            return False
        return all(earliest > through for _, _, earliest in self._waiting)

    def _take_rows(self, through: int) -> tuple[Records, U8]:
        """Take the waiting rows of the ticks to close."""
        taken: list[Records] = []
        blobs: list[bytes] = []
        left: list[tuple[Records, bytes, int]] = []
        at = 0
        for rows, labels, earliest in self._waiting:
            if earliest > through:
                left.append((rows, labels, earliest))
                continue
            due = rows["apply"] <= through
            if due.all():
                chosen = rows.copy()
            else:
                left.append((rows[~due], labels, int(rows["apply"][~due].min())))
                chosen = rows[due]
            chosen["label_at"] += at
            taken.append(chosen)
            blobs.append(labels)
            at += len(labels)
        self._waiting = left
        if not taken:
            return np.zeros(0, USE), np.zeros(0, np.uint8)
        return np.concatenate(taken), np.frombuffer(b"".join(blobs), np.uint8)

    def _take_volume(self, through: int) -> Records:
        if not self._volume:
            return np.zeros(0, VOLUME)
        volume = np.concatenate(self._volume)
        due = volume["apply"] <= through
        self._volume = [volume[~due]] if not due.all() else []
        volume = volume[due]
        return volume[np.argsort(volume["apply"], kind="stable")]

    def _make_room(self, status: int, tick: int, uses: int) -> None:
        c, settings = self.counts, self.settings
        if status == closing.NEED_ROWS:
            self.counts = tables.with_rows(c, min(c.signals.size * 2, settings.max_rows))
        elif status == closing.NEED_LOG:
            self.counts = tables.with_log(c, c.uses.size * 2)
        elif status == closing.NEED_PAIRS:
            self.counts = tables.with_pairs(c, tick, 2 * uses, settings)
        elif status == closing.NEED_LABELS:
            labels = np.zeros(max(c.labels.size * 2, 4 * k.MAX_LABEL), np.uint8)
            labels[: c.labels.size] = c.labels
            self.counts = c._replace(labels=labels)
        else:
            self.counts = tables.cleaned(c, tick, settings)


class _ReportRoom:
    """The arrays that reports are written to: one set for all shards of a process, copied out."""

    def __init__(self) -> None:
        self._room: dict[int, Reports] = {}

    def get(self, windows: int) -> Reports:
        if windows not in self._room:
            self._room[windows] = _room(_REPORT_ROOM, windows)
        return self._room[windows]

    def grow(self, windows: int) -> Reports:
        self._room[windows] = _room(self.get(windows).signal.size * 2, windows)
        return self._room[windows]


_REPORTS: Final = _ReportRoom()


def _room(size: int, windows: int) -> Reports:
    return Reports(
        used=np.zeros(5, np.int64),
        signal=np.zeros(size, np.uint64),
        numbers=np.zeros((size, NUMBERS), np.int64),
        log10_p=np.zeros(size, np.float64),
        authors=np.zeros((size, windows), np.int64),
        reels=np.zeros((size, windows), np.int64),
        expected=np.zeros((size, windows), np.float64),
        before=np.zeros((size, windows), np.float64),
        volume=np.zeros((size, windows), np.int64),
        samples=np.zeros(size * SAMPLE, np.uint64),
        series=np.zeros((size, SERIES_HOURS, 2), np.float64),
        labels=np.zeros(size * k.MAX_LABEL, np.uint8),
        live=np.zeros((size, 2), np.int64),
    )


def _nothing(through: int, windows: int) -> ShardReports:
    room = _REPORTS.get(windows)
    room.used[:] = 0
    return _copy(room, through)


def _copy(out: Reports, through: int) -> ShardReports:
    reports, samples, series, labels, live = (int(used) for used in out.used)
    return ShardReports(
        through=through,
        signal=out.signal[:reports].copy(),
        numbers=out.numbers[:reports].copy(),
        log10_p=out.log10_p[:reports].copy(),
        authors=out.authors[:reports].copy(),
        reels=out.reels[:reports].copy(),
        expected=out.expected[:reports].copy(),
        before=out.before[:reports].copy(),
        volume=out.volume[:reports].copy(),
        samples=out.samples[:samples].copy(),
        series=out.series[:series].copy(),
        labels=out.labels[:labels].tobytes(),
        live=out.live[:live].copy(),
    )
