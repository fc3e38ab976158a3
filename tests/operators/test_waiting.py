"""Reels that wait to be identified: in which order, how long, and as what they go on."""

import pickle
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from operators.blocks import Fresh
from operators.metrics import Sizes
from operators.reels import AUDIO_ID
from operators.waiting import Asked, Waiting, part
from tests.operators.reels import reels_of
from trend.records import VOLUME

PARTITIONS = ("a", "b", "c")
TICK_US = 600_000_000


@dataclass(frozen=True)
class Marks:
    """A number for each reel."""

    marks: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[Any]) -> "Marks":
        return Marks(self.marks[rows])

    @classmethod
    def joined(cls, parts: Sequence["Marks"]) -> "Marks":
        return Marks(np.concatenate([part.marks for part in parts]))


@dataclass
class Numbered:
    """Gives each reel as its sound how many came before it, and its mark."""

    seen: int = 0
    ticks: list[int] = field(default_factory=list)

    def identify(self, tick: int, fresh: Fresh, features: Marks) -> Fresh:
        self.ticks.append(tick)
        ids = [f"{self.seen + i}:{mark}".encode() for i, mark in enumerate(features.marks.tolist())]
        self.seen += len(ids)
        return replace(fresh, reels=fresh.reels.with_texts(AUDIO_ID, ids))

    def sizes(self) -> Sizes:
        return {}


def fresh(partition: str, rows: Sequence[tuple[int, int]], closed: int, end: bool) -> Fresh:
    """Reels of (number, tick) with the time and the hash of their numbers."""
    numbers = np.array([number for number, _ in rows], np.int64)
    ticks = np.array([tick for _, tick in rows], np.int32)
    times = ticks.astype(np.int64) * TICK_US + numbers % 7
    reels = reels_of(
        [
            {"reel_id": f"r{number}", "caption": f"of {partition}", "time": time}
            for number, time in zip(numbers.tolist(), times.tolist(), strict=True)
        ]
    )
    hashes = numbers.astype(np.uint64)
    columns = (reels, hashes, hashes, ticks, ticks, np.zeros(numbers.size, np.bool_))
    return Fresh(partition, *columns, closed, end, np.zeros(1, VOLUME), announce=True)


def stream() -> dict[str, list[tuple[int, int]]]:
    """Reels of each partition, in order; ticks go backward now and then."""
    draw = random.Random(3)
    made: dict[str, list[tuple[int, int]]] = {name: [] for name in PARTITIONS}
    for number in range(300):
        made[draw.choice(PARTITIONS)].append(
            (number, 100 + max(0, number // 20 - draw.randrange(3)))
        )
    return made


def polls(of: Sequence[tuple[int, int]], name: str, size: int) -> list[Asked[Marks]]:
    """Those reels, all waiting, in polls; what follows a poll is at its first tick or later."""
    made = []
    for at in range(0, len(of), size):
        later = [tick for _, tick in of[at + size :]]
        end = not later
        closed = max(tick for _, tick in of) + 1 if end else min(later)
        one = fresh(name, of[at : at + size], closed, end)
        marks = Marks(one.reel.astype(np.int64))
        made.append(part(one, np.ones(len(one.reels), np.bool_), marks)[1])
    return made


def run(sizes: dict[str, int], draw: random.Random, at_once: int) -> tuple[list[Fresh], list[int]]:
    """Send all partitions' polls in a drawn order, some at once; what came of it."""
    queues = {name: polls(of, name, sizes[name]) for name, of in stream().items()}
    identifier = Numbered()
    machine = Waiting("\0marked", "key", identifier, PARTITIONS)
    out: list[Fresh] = []
    while any(queues.values()):
        batch = [
            queues[draw.choice([name for name, queue in queues.items() if queue])].pop(0)
            for _ in range(min(at_once, sum(map(len, queues.values()))))
            if any(queues.values())
        ]
        machine = pickle.loads(pickle.dumps(machine))
        out += machine.apply(batch)
    assert isinstance(machine._identifier, Numbered)
    return out, machine._identifier.ticks


def told(out: Sequence[Fresh]) -> list[tuple[str | None, str | None, int]]:
    return [
        row
        for one in out
        for row in zip(
            one.reels.texts("reel_id"), one.reels.texts("audio_id"), one.apply.tolist(), strict=True
        )
    ]


def test_ids_depend_on_neither_polls_nor_the_order_in_which_partitions_come() -> None:
    first, ticks = run(dict.fromkeys(PARTITIONS, 1000), random.Random(0), 1)
    assert len(told(first)) == 300
    assert ticks == sorted(set(ticks))
    for seed in range(6):
        draw = random.Random(seed)
        sizes = {name: draw.choice([1, 3, 40]) for name in PARTITIONS}
        out, in_order = run(sizes, draw, draw.choice([1, 5]))
        assert told(out) == told(first)
        assert in_order == ticks


def test_a_ticks_reels_come_by_time_then_by_hash() -> None:
    out, _ = run(dict.fromkeys(PARTITIONS, 10), random.Random(0), 2)
    numbers = np.concatenate([one.reel for one in out]).astype(np.int64)
    ticks = np.concatenate([one.apply for one in out])
    keys = list(zip(ticks.tolist(), (numbers % 7).tolist(), numbers.tolist(), strict=True))
    assert keys == sorted(keys)


def test_they_go_on_as_a_partition_that_ends() -> None:
    out, _ = run(dict.fromkeys(PARTITIONS, 10), random.Random(0), 2)
    assert {one.partition for one in out} == {"\0marked"}
    assert all(one.announce and not one.volume.size for one in out)
    closed = [one.closed for one in out]
    assert closed == sorted(set(closed))
    for one in out:
        assert (one.apply < one.closed).all()
    assert [one.end for one in out] == [False] * (len(out) - 1) + [True]


def test_nothing_goes_on_before_all_partitions_have_completed_the_tick() -> None:
    machine = Waiting("\0marked", "key", Numbered(), ["a", "b"])
    nobody = np.zeros(0, np.bool_)
    first = fresh("a", [(1, 10), (2, 11)], 12, False)
    asked = part(first, np.array([True, True]), Marks(np.array([1, 2])))[1]
    assert machine.apply([asked]) == []
    assert machine.apply([part(fresh("b", [], 10, False), nobody, None)[1]])[0].closed == 10
    (one,) = machine.apply([part(fresh("b", [], 11, False), nobody, None)[1]])
    assert (one.reels.texts("reel_id"), one.closed) == (["r1"], 11)
    assert machine.apply([part(fresh("b", [], 11, False), nobody, None)[1]]) == []


@pytest.mark.parametrize("waiting", [[], [0, 2], [0, 1, 2]])
def test_what_passes_by_takes_the_volume_along(waiting: list[int]) -> None:
    one = fresh("a", [(1, 10), (2, 11), (3, 11)], 12, True)
    waits = np.isin(np.arange(3), waiting)
    rest, asked = part(one, waits, Marks(np.array(waiting)) if waiting else None)
    assert rest.reels.texts("reel_id") == [f"r{i + 1}" for i in range(3) if i not in waiting]
    assert asked.fresh.reels.texts("reel_id") == [f"r{i + 1}" for i in waiting]
    assert (rest.volume.size, asked.fresh.volume.size) == (1, 0)
    for two in (rest, asked.fresh):
        assert (two.partition, two.closed, two.end, two.announce) == ("a", 12, True, True)


def test_steps_follow_one_another() -> None:
    """What the first has identified waits in the second with what passed by the first."""
    first = Waiting("\0first", "key", Numbered(), ["a"])
    second = Waiting("\0second", "key", Numbered(), ["a", "\0first"])
    one = fresh("a", [(1, 10), (2, 10), (3, 10)], 11, True)
    rest, asked = part(one, np.array([True, False, True]), Marks(np.array([1, 3])))
    (found,) = first.apply([asked])

    def again(items: Fresh) -> Asked[Marks]:
        marks = Marks(items.reel.astype(np.int64))
        return part(items, np.ones(len(items.reels), np.bool_), marks)[1]

    assert second.apply([again(rest)]) == []
    (both,) = second.apply([again(found)])
    assert both.reels.texts("reel_id") == ["r1", "r2", "r3"]
    assert both.reels.texts("audio_id") == ["0:1", "1:2", "2:3"]
    assert both.end
