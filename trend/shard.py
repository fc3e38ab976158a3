"""One shard: takes uses of signals as they come, closes ticks in order, and reports its bursts.

Uses wait until their tick is closed; then everything happens in the order of the data: by tick of
effect, signal and reel. Tables grow up to the memory budget; then the least useful signals go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pickle import PickleBuffer
from typing import Any, Final, SupportsIndex

import numpy as np
import numpy.typing as npt

from trend import closing, tables
from trend import layout as k
from trend.budget import ShardSettings
from trend.bursts import NUMBERS, SAMPLE, SERIES_HOURS, Reports
from trend.expectation import VOLUMES
from trend.layout import I64, U8, Records
from trend.packing import Shapes, packed, unpacked
from trend.records import USE, VOLUME

_MAX_WAITING: Final = 256  # pieces of volume that wait for a use to come
_REPORT_ROOM: Final = 4096
_NEVER: Final = int(np.iinfo(np.int32).min)
"""A tick before all others."""


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

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Go to other processes as two pieces of bytes."""
        shapes, data = packed([getattr(self, name) for name in _DTYPES])
        if protocol.__index__() < _WITH_BUFFERS:
            return _received, (self.through, self.labels, shapes, bytes(data))
        return _received, (self.through, self.labels, shapes, PickleBuffer(data))


_DTYPES: Final[dict[str, type[np.generic]]] = {
    "signal": np.uint64,
    "numbers": np.int64,
    "log10_p": np.float64,
    "authors": np.int64,
    "reels": np.int64,
    "expected": np.float64,
    "before": np.float64,
    "volume": np.int64,
    "samples": np.uint64,
    "series": np.float64,
    "live": np.int64,
}


_WITH_BUFFERS: Final = 5
"""The protocol of pickle from which on buffers need not be copied."""


def _received(
    through: int, labels: bytes, shapes: Shapes, data: bytes | bytearray | memoryview
) -> ShardReports:
    arrays = dict(zip(_DTYPES, unpacked([*_DTYPES.values()], shapes, data), strict=True))
    return ShardReports(through=through, labels=labels, **arrays)


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
            self._waiting.append((rows, labels, int(closing.earliest(rows))))
        if volume.size:
            self._volume.append(volume)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the room that is not used, and what follows from the rest."""
        c = self.counts
        rows, pages, tracked = (int(c.n[i]) for i in (k.ROWS, k.FRESH_PAGE, k.TRACKED))
        sequence = np.arange(c.n[k.FIRST_USE], c.n[k.NEXT_USE])
        used = c._replace(
            slots=c.slots[:0],
            signals=c.signals[:rows],
            chains=c.chains[:rows],
            pages=c.pages[:pages],
            links=c.links[:pages],
            tracked_rows=c.tracked_rows[:tracked],
            labels=c.labels[: c.n[k.LABEL_BYTES]],
            uses=c.uses[sequence & (c.uses.size - 1)],
            buckets=c.buckets[:0],
            pairs=c.pairs[c.pairs["key"] != 0],
        )
        return {**self.__dict__, "counts": used, "sizes": (c.uses.size, c.pairs.size)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the room again."""
        uses, pairs = state.pop("sizes")
        self.__dict__.update(state)
        self.counts = tables.restored(self.counts, uses, pairs, self.settings.max_rows)

    def close(self, through: int) -> list[ShardReports]:
        """Close all ticks up to and including `through`, in order, and return what is to report.

        The last of the list is through `through`; it may be empty of reports.
        """
        settings = self.settings
        windows = np.array(settings.windows_h, np.int64)
        if self._is_idle(through):
            return [_nothing(through, windows.size)]
        first = min((earliest for _, _, earliest in self._waiting), default=through)
        rows, labels = self._joined()
        order, later = closing.order_of(rows, first, through)
        volume = self._take_volume(through)
        touched = np.empty(order.size, np.int32)
        sums = np.zeros((windows.size, VOLUMES), np.int64)
        cursor = np.zeros(closing.CURSOR, np.int64)
        out = _REPORTS.get(windows.size)
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
                settings.min_authors,
                settings.min_growth,
                settings.ticks_per_hour,
                settings.max_rows,
                settings.max_uses,
                settings.max_bytes,
            )
            if status == closing.FINISHED:
                reports.append(_copy(out, through))
                self._waiting = _left(rows, labels, later)
                return reports
            if status == closing.NEED_REPORTS:
                if out.used.any():
                    reports.append(_copy(out, int(self.counts.n[k.NOW])))
                else:
                    out = _REPORTS.grow(windows.size)
                out.used[:] = 0
            else:
                self._make_room(status, cursor)

    def _is_idle(self, through: int) -> bool:
        """Whether no tick until `through` has anything to do; the volume can wait for its turn."""
        if len(self._volume) > _MAX_WAITING:
            return False
        hour = self.settings.ticks_per_hour
        next_hour = ((int(self.counts.n[k.NOW]) + 1) // hour + 1) * hour - 1
        if self.counts.n[k.TRACKED] and next_hour <= through:
            return False
        return all(earliest > through for _, _, earliest in self._waiting)

    def _joined(self) -> tuple[Records, U8]:
        """Return all waiting rows in one piece, and the labels that they speak of."""
        joined = np.empty(sum(rows.size for rows, _, _ in self._waiting), USE)
        at = label_at = 0
        for rows, labels, _ in self._waiting:
            closing.join(rows, joined[at : at + rows.size], label_at)
            at += rows.size
            label_at += len(labels)
        return joined, np.frombuffer(b"".join(labels for _, labels, _ in self._waiting), np.uint8)

    def _take_volume(self, through: int) -> Records:
        if not self._volume:
            return np.zeros(0, VOLUME)
        volume = np.empty(sum(piece.size for piece in self._volume), VOLUME)
        at = 0
        for piece in self._volume:
            volume[at : at + piece.size] = piece
            at += piece.size
        apply = volume["apply"]
        if (apply[1:] < apply[:-1]).any():
            volume = volume[np.argsort(apply, kind="stable")]
        due = int(np.searchsorted(volume["apply"], through, "right"))
        self._volume = [volume[due:]] if due < volume.size else []
        return volume[:due]

    def _make_room(self, status: int, cursor: I64) -> None:
        c, settings = self.counts, self.settings
        tick, uses = int(cursor[closing.TICK]), int(cursor[closing.STOP] - cursor[closing.START])
        if status == closing.NEED_ROOM:
            self.counts = tables.with_room(c, uses, int(cursor[closing.LABEL_BYTES]), settings)
        elif status == closing.NEED_LOG:
            self.counts = tables.with_log(c, 4 * uses, settings)
        elif status == closing.NEED_PAIRS:
            self.counts = tables.with_pairs(c, tick, 2 * uses, settings)
        else:
            tables.clean(c, tick, settings)


def _left(rows: Records, labels: U8, later: I64) -> list[tuple[Records, bytes, int]]:
    """Return the rows that take effect later, of which the last is first, with their labels."""
    if not later.size:
        return []
    left = np.empty(later.size, USE)
    left_labels = np.empty(closing.label_bytes(rows, later), np.uint8)
    closing.leave(rows, labels, later, left, left_labels)
    return [(left, left_labels.tobytes(), int(closing.earliest(left)))]


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
        near=np.zeros(windows, np.int64),
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
