"""Reels that wait for what identifies them: held until their tick is complete, then sent on.

Which sound or format a reel has depends on the reels before it, of all partitions. So those with
something to be known by leave their partitions' ways, wait under one key until all partitions have
completed their tick, and get their ids in the order of event time. Then they go on as the reels of
one more partition, which all later steps wait for. Those without pass by.

    dedupe -> part -> all others ---------------------------------> explode
                   -> Asked -> Waiting (one key, one state) -> Fresh ->

Several such steps can follow one another: each waits for the partitions before it, those of steps
included.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from operators.durable.machine import Machine
from operators.metrics import Sizes
from operators.reels import Reels, joined
from operators.watermarks import Watermarks
from trend.records import VOLUME


class Features(Protocol):
    """What n reels are known by."""

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """Return those of some reels, by indices or a mask."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return those of all parts, in this order."""


F = TypeVar("F", bound=Features)
Out = TypeVar("Out")
F_contra = TypeVar("F_contra", bound=Features, contravariant=True)


Tick = tuple[int, Fresh, F]
"""A tick, its reels by event time (those of one time by their hashes), and their features."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[F]):
    """Reels of one poll that wait, and how far their partition is."""

    fresh: Fresh
    features: F | None
    """None where it has no reels."""

    @property
    def matters(self) -> bool:
        """Whether there is anything to tell."""
        return self.features is not None or self.fresh.announce


class Identifier(Protocol[F_contra]):
    """Gives reels their ids; everything in it can be pickled."""

    def identify(self, tick: int, fresh: Fresh, features: F_contra) -> Fresh:
        """Return reels of a tick with their ids, and others that are to count again.

        They are all there are in the tick, by event time; of one time by their hashes. It is called
        for each tick that has some, in order.
        """

    def sizes(self) -> Sizes:
        """How full it is."""


def part(
    fresh: Fresh, waits: npt.NDArray[np.bool_], features: F | None, spent: Sequence[int] = ()
) -> tuple[Fresh, Asked[F]]:
    """Return what passes by and what waits, of one poll; the volume passes by.

    Args:
        waits: bool[n], which of the reels wait.
        features: what those that wait are known by, or None where none waits.
        spent: columns of their texts that are not needed any more.
    """
    if features is None:
        nothing = as_one([], fresh.partition, fresh.closed, fresh.end)
        return fresh, Asked(replace(nothing, announce=fresh.announce), None)
    rest = fresh.take(np.flatnonzero(~waits))
    own = fresh.take(np.flatnonzero(waits))
    reels = own.reels.without(*spent).packed()
    return rest, Asked(replace(own, reels=reels, volume=np.zeros(0, VOLUME)), features)


class Holding(Machine[Asked[F], Out]):
    """Reels that are held under one key until their tick is complete in all partitions.

    Args:
        key: the one key.
        partitions: all that there are before it.
    """

    def __init__(self, key: str, partitions: Sequence[str]) -> None:
        self._key = key
        self._marks = Watermarks(partitions)
        self._held: dict[int, list[Asked[F]]] = {}
        """Tick of effect -> reels of it."""
        self._said: tuple[int, bool] | None = None
        """What was complete as of the last item, and whether that was all."""

    def key_of(self, value: Asked[F]) -> str:
        """The one key."""
        return self._key

    def know(self, partitions: Sequence[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        return self._marks.know(partitions)

    @abstractmethod
    def complete(self, held: Iterator[Tick[F]], through: int, end: bool) -> Out:
        """Return what is to be said of ticks that are complete, up to and including `through`.

        `held` are those that have reels, in order; `end`: there will be no more.
        """

    def apply(self, values: list[Asked[F]]) -> list[Out]:
        """Take reels, then say what there is to say of the ticks that are complete."""
        for value in values:
            for tick, asked in _by_tick(value):
                self._held.setdefault(tick, []).append(asked)
            self._marks.take(value.fresh.partition, value.fresh.closed, value.fresh.end)
        through = self._marks.through()
        if through is None:
            return []
        said = (through, self._marks.ended())
        if self._said is not None and said <= self._said:
            return []
        self._said = said
        return [self.complete(self._taken(through), *said)]

    def _taken(self, through: int) -> Iterator[Tick[F]]:
        for tick in sorted(tick for tick in self._held if tick <= through):
            parts = sorted(self._held.pop(tick), key=lambda asked: asked.fresh.partition)
            fresh, features = _joined(parts)
            order = np.lexsort((fresh.reel, fresh.reels.time))
            yield tick, fresh.take(order), features.take(order)


class Waiting(Holding[F, Fresh]):
    """The reels that wait, and what identifies them.

    Args:
        name: of the partition that they go on as.
        key: the one key.
        partitions: all that there are before it.
    """

    def __init__(
        self, name: str, key: str, identifier: Identifier[F], partitions: Sequence[str]
    ) -> None:
        super().__init__(key, partitions)
        self._name = name
        self._identifier = identifier

    def sizes(self) -> Sizes:
        """How full it is."""
        return self._identifier.sizes()

    def complete(self, held: Iterator[Tick[F]], through: int, end: bool) -> Fresh:
        """Return the reels with their ids."""
        found = [self._identifier.identify(*tick) for tick in held]
        return as_one(found, self._name, through + 1, end)


def _by_tick(value: Asked[F]) -> list[tuple[int, Asked[F]]]:
    if value.features is None:
        return []
    ticks = value.fresh.apply
    every = np.unique(ticks).tolist()
    if len(every) == 1:
        return [(every[0], value)]
    parts = []
    for tick in every:
        rows = np.flatnonzero(ticks == tick)
        fresh = value.fresh.take(rows)
        own = replace(fresh, reels=fresh.reels.packed())
        parts.append((tick, Asked(own, value.features.take(rows))))
    return parts


def _joined(parts: Sequence[Asked[F]]) -> tuple[Fresh, F]:
    """Return the reels of a tick; of several partitions, in the order of these."""
    features = [part.features for part in parts if part.features is not None]
    one = parts[0].fresh
    if len(parts) == 1:
        return one, features[0]
    fresh = as_one([part.fresh for part in parts], one.partition, one.closed, one.end)
    return fresh, type(features[0]).joined(features)


def as_one(parts: Sequence[Fresh], name: str, closed: int, end: bool) -> Fresh:
    """Return the reels of all parts as those of one partition, and how far this is."""
    if not parts:
        none = np.zeros(0, np.int32)
        hashes = np.zeros(0, np.uint64)
        columns = (Reels.none(), hashes, hashes, none, none, np.zeros(0, np.bool_))
        return Fresh(name, *columns, closed, end, announce=True)
    return Fresh(
        name,
        joined(*(part.reels for part in parts)),
        np.concatenate([part.reel for part in parts]),
        np.concatenate([part.author for part in parts]),
        np.concatenate([part.tick for part in parts]),
        np.concatenate([part.apply for part in parts]),
        np.concatenate([part.again for part in parts]),
        closed,
        end,
        announce=True,
    )
