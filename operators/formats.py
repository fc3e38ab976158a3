"""The step that finds visual formats among the looks of all reels, and says which reel has which.

Looks wait under one key until all partitions have completed their tick; then `trend.formats` takes
them. What it tells goes to the shards as uses of one more partition, which they wait for like any
other. A reel itself need not wait: its sound, hashtags and phrases are counted beside. Where a
format is found among reels that had waited, their uses come later, for the ticks that they are of.

Where a format becomes another its uses of the last day count for that one too, so that there is one
count of what looks the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from operators.blocks import ShardRows
from operators.durable.machine import Machine
from operators.likeness import Shown, label_of, shown
from operators.looks import Looks, joined, matrix
from operators.metrics import EMBEDDINGS_REFUSED, LIMIT, USED, Sizes
from operators.reels import Reels
from operators.routing import key_at
from operators.strings import Strings
from operators.uses import I32, NO_USES, U64, Uses, as_one, name_of, rows_of
from operators.watermarks import Watermarks
from trend.formats.formats import Change, Event, Formats, Found, Tuning
from trend.hashing import hash_slices

FORMATS: Final = key_at("formats", 6)
"""Key of the step."""
MEDOIDS: Final = 9
"""Reels that a change names at most."""
FIRST: Final = 1000
"""Embeddings that decide of which model and size they are to be."""
COMPARED: Final = 500
"""Reels that wait with which those of a new format are compared at least, to name it."""
DAY_S: Final = 86_400

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FormatSettings:
    """What the step may use."""

    tick_seconds: int
    most: int
    """Formats that do not rest, and as many that do."""
    reels_per_tick: int
    """Reels of a tick that are looked at; of more, those with the smallest hashes."""
    model: str = ""
    """Of the embeddings; empty: the one that most of the first `FIRST` have."""


class FormatChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to a format."""

    format: str
    change: str
    """A value of `trend.formats.formats.Change`."""
    event_time: datetime
    """End of the tick, UTC."""
    label: str
    other: str | None = None
    """Of what it was split, or into what it was merged."""
    reels: tuple[str, ...] = ()
    """Ids of reels that show what it looks like, the nearest to its middle first."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of reels of one tick that wait."""

    author: U64
    tick: I32
    again: npt.NDArray[np.bool_]
    names: Reels

    def shown(self, row: int) -> Shown:
        """One of them as people know it."""
        return shown(self.names.take(np.array([row])))[0]


Told = ShardRows | FormatChange


class FindingFormats(Machine[Looks, Told]):
    """The formats of the stream, under one key.

    Args:
        partitions: all partitions that looks come from.
    """

    def __init__(self, settings: FormatSettings, partitions: Sequence[str]) -> None:
        self.settings = settings
        self._marks = Watermarks(partitions)
        self._looks: dict[int, list[Looks]] = {}
        """Tick of effect -> looks that wait for it to be complete."""
        self._said: tuple[int, bool] | None = None
        """What was complete as of the last output, and whether that was all."""
        self._model: tuple[int, int] | None = None
        """Hash of the model's name, and bytes of a vector."""
        self._early: list[tuple[int, Looks]] = []
        """Ticks and their looks before that is known."""
        self._formats: Formats | None = None
        self._seen: dict[int, tuple[_Seen, int]] = {}
        """The reels that wait in `_formats`, by hash: where they are."""
        self._labels: dict[int, str] = {}
        self._day: list[Uses] = []
        """Uses of the last day, those of each tick on their own."""
        self._other_models = 0
        self._too_many = 0

    def key_of(self, value: Looks) -> str:
        """The one key."""
        return FORMATS

    def know(self, partitions: Sequence[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        return self._marks.know(partitions)

    def sizes(self) -> Sizes:
        """How full it is."""
        settings, formats = self.settings, self._formats
        return {
            (USED, ("formats",)): 0 if formats is None else formats.ids.size,
            (LIMIT, ("formats",)): settings.most,
            (USED, ("looks",)): sum(len(some) for parts in self._looks.values() for some in parts),
            (LIMIT, ("looks",)): 2 * settings.reels_per_tick * max(len(self._looks), 1),
            (EMBEDDINGS_REFUSED, ("other_model",)): self._other_models,
            (EMBEDDINGS_REFUSED, ("too_many",)): self._too_many,
        }

    def apply(self, values: list[Looks]) -> list[Told]:
        """Take the looks of some polls, then look at the ticks that they completed."""
        for value in values:
            self._take(value)
            self._marks.take(value.partition, value.closed, value.end)
        through = self._marks.through()
        if through is None:
            return []
        said = (through, self._marks.ended())
        if self._said is not None and said <= self._said:
            return []
        self._said = said
        uses: list[Uses] = []
        changes: list[FormatChange] = []
        for tick in sorted(tick for tick in self._looks if tick <= through):
            for at, looks in self._known(tick, self._first(self._looks.pop(tick))):
                used, changed = self._tick(at, looks)
                uses += used
                changes += changed
        rows = rows_of(as_one(uses), self._labels, through + 1, said[1])
        self._forget_labels()
        return [*rows, *changes]

    def _take(self, value: Looks) -> None:
        """Keep looks until their ticks are complete; of each not many more than it may have."""
        ticks = np.unique(value.apply).tolist()
        for tick in ticks:
            some = value if len(ticks) == 1 else value.take(np.flatnonzero(value.apply == tick))
            parts = self._looks.setdefault(tick, [])
            parts.append(some)
            if sum(map(len, parts)) > 2 * self.settings.reels_per_tick:
                self._looks[tick] = [self._first(parts)]

    def _first(self, parts: Sequence[Looks]) -> Looks:
        """The reels with the smallest hashes, each once, as many as a tick may have.

        They are the same whatever came first.
        """
        looks = joined(parts)
        order = np.lexsort((looks.again, looks.author, looks.tick, looks.digest, looks.reel))
        reels = looks.reel[order]
        once = order[np.flatnonzero(np.diff(reels, prepend=~reels[:1]) != 0)]
        self._too_many += max(0, once.size - self.settings.reels_per_tick)
        return looks.take(once[: self.settings.reels_per_tick])

    def _known(self, tick: int, looks: Looks) -> list[tuple[int, Looks]]:
        """The ticks that can be looked at, with their reels that have an embedding of the model.

        None until the first embeddings have decided which that is; then those ticks too.
        """
        if self._model is None:
            named = self.settings.model
            if named:
                looks = self._only(looks, looks.model == _hash_of(named))
            self._early.append((tick, looks))
            if sum(len(some) for _, some in self._early) < FIRST:
                return []
            first = joined([some for _, some in self._early])
            kinds = np.rec.fromarrays([first.model, first.vectors.lengths])
            models, counts = np.unique(kinds, return_counts=True)
            most = models[counts.argmax()]
            self._model = int(most[0]), int(most[1])
            self._formats = Formats(self._model[1] // 2, Tuning(most=self.settings.most))
            ticks, self._early = self._early, []
        else:
            ticks = [(tick, looks)]
        name, size = self._model
        return [
            (at, self._only(some, (some.model == np.uint64(name)) & (some.vectors.lengths == size)))
            for at, some in ticks
        ]

    def _only(self, looks: Looks, good: npt.NDArray[np.bool_]) -> Looks:
        """Those of the model; the others are counted."""
        self._other_models += int(np.count_nonzero(~good))
        return looks if good.all() else looks.take(good)

    def _tick(self, tick: int, looks: Looks) -> tuple[list[Uses], list[FormatChange]]:
        """Look at the reels of a tick, each there once, by ascending hash.

        A reel that comes again and waits already is left out: it would be like itself.
        """
        waits = [
            again and reel in self._seen
            for again, reel in zip(looks.again.tolist(), looks.reel.tolist(), strict=True)
        ]
        if any(waits):
            looks = looks.take(~np.array(waits))
        if self._formats is None or not len(looks):
            return [], []
        size = self._formats.dimensions
        found = self._formats.advance(tick, looks.reel, matrix(looks.vectors, size))
        others = cache(self._waiting)
        changes = [self._changed(tick, event, looks, others) for event in found.events]
        uses = self._uses(tick, looks, found)
        self._remember(looks)
        ticks_per_day = DAY_S // self.settings.tick_seconds
        self._day = [one for one in self._day if one.apply[0] > tick - ticks_per_day]
        if uses.format.size:
            self._day.append(uses)
        more = [self._merge(tick, one) for one in found.events if one.change is Change.MERGED]
        return [uses, *more], changes

    def _waiting(self) -> list[Shown]:
        """The newest reels that wait, and others of their ticks."""
        found: list[Shown] = []
        last = None
        for seen, _ in reversed(self._seen.values()):
            if seen is not last:
                last = seen
                found += shown(seen.names)
            if len(found) >= COMPARED:
                break
        return found

    def _changed(
        self, tick: int, event: Event, looks: Looks, others: Callable[[], list[Shown]]
    ) -> FormatChange:
        """Say what happened to a format, and name it where it is new."""
        named = self._shown(event.reels, looks)
        if event.format not in self._labels:
            self._labels[event.format] = label_of(name_of(event.format), named, others())
        return FormatChange(
            format=name_of(event.format),
            change=event.change.value,
            event_time=datetime.fromtimestamp((tick + 1) * self.settings.tick_seconds, UTC),
            label=self._labels[event.format],
            other=name_of(event.other) if event.other else None,
            reels=tuple(one.reel_id for one in named[:MEDOIDS]),
        )

    def _shown(self, reels: Sequence[int], looks: Looks) -> list[Shown]:
        """What is known of reels of this tick or of such that waited."""
        at = np.searchsorted(looks.reel, np.array(reels, np.uint64))
        here = [reel for reel in reels if reel not in self._seen]
        rows = [int(row) for row, reel in zip(at, reels, strict=True) if reel not in self._seen]
        new = dict(zip(here, shown(looks.names.take(np.array(rows, np.int64))), strict=True))
        waited = {reel: self._seen[reel] for reel in reels if reel in self._seen}
        old = {reel: seen.shown(row) for reel, (seen, row) in waited.items()}
        return [old[reel] if reel in old else new[reel] for reel in reels]

    def _uses(self, tick: int, looks: Looks, found: Found) -> Uses:
        """The formats that a tick told, of its own reels and of such that waited."""
        n = found.keys.size
        if not n:
            return NO_USES
        row = np.minimum(np.searchsorted(looks.reel, found.keys), len(looks) - 1)
        author, own, again = looks.author[row], looks.tick[row], looks.again[row]
        for at in np.flatnonzero(looks.reel[row] != found.keys).tolist():
            seen, there = self._seen[int(found.keys[at])]
            author[at], own[at], again[at] = seen.author[there], seen.tick[there], seen.again[there]
        return Uses(found.formats, found.keys, author, own, np.full(n, tick, np.int32), again)

    def _remember(self, looks: Looks) -> None:
        """Keep what is needed of the reels that wait; let go of those that wait no more."""
        assert self._formats is not None
        waiting = self._formats.waiting
        at = np.minimum(np.searchsorted(looks.reel, waiting), len(looks) - 1)
        rows = np.unique(at[looks.reel[at] == waiting])
        names = looks.names.take(rows).packed()
        seen = _Seen(looks.author[rows], looks.tick[rows], looks.again[rows], names)
        self._seen |= {reel: (seen, row) for row, reel in enumerate(looks.reel[rows].tolist())}
        if len(self._seen) > waiting.size:
            there = set(waiting.tolist())
            self._seen = {reel: one for reel, one in self._seen.items() if reel in there}

    def _forget_labels(self) -> None:
        """Let go of what formats were called that are gone."""
        formats = self._formats
        if formats and len(self._labels) > 2 * (formats.ids.size + formats.resting.size) + 64:
            ids = {*formats.ids.tolist(), *formats.resting.tolist()}
            self._labels = {one: label for one, label in self._labels.items() if one in ids}

    def _merge(self, tick: int, event: Event) -> Uses:
        """The day's uses of a format that ended, as uses of the one that it is from now on."""
        ended, stays = np.uint64(event.format), np.uint64(event.other)
        moved: list[Uses] = []
        for at, uses in enumerate(self._day):
            rows = uses.format == ended
            if rows.any():
                self._day[at] = replace(uses, format=np.where(rows, stays, uses.format))
                moved.append(
                    Uses(
                        np.full(np.count_nonzero(rows), stays),
                        uses.reel[rows],
                        uses.author[rows],
                        uses.tick[rows],
                        np.full(np.count_nonzero(rows), tick, np.int32),
                        uses.again[rows],
                    )
                )
        return as_one(moved)


def _hash_of(text: str) -> np.uint64:
    one = Strings.of([text])
    return np.uint64(hash_slices(one.data, one.starts, one.lengths, np.uint64(0))[0])
