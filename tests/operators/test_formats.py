"""The step that finds formats: uses of what looks alike, told once, whatever came first."""

import pickle
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest

from operators.blocks import SHARDS, ShardRows
from operators.formats import FindingFormats, FormatChange, FormatSettings
from operators.looks import Looks
from operators.reels import Reels
from operators.strings import Strings
from operators.uses import PARTITION, name_of
from tests.operators.reels import hashes, reels_of
from trend.formats.formats import Tuning
from trend.kinds import FORMAT

SIZE = 32
SETTINGS = FormatSettings(tick_seconds=600, most=100, reels_per_tick=2000)
TUNING = Tuning(warm=200, every=60, waiting=400, least=8, rest_ticks=500)

F64 = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have formats begin with fewer reels than a platform has."""
    monkeypatch.setattr("operators.formats.Tuning", lambda most: replace(TUNING, most=most))
    monkeypatch.setattr("operators.formats.FIRST", 100)


@dataclass(frozen=True)
class One:
    """A reel of a test."""

    name: str
    tick: int
    vector: npt.NDArray[np.float16]
    tags: tuple[str, ...] = ()
    model: str = "clip"
    partition: str = "p"


class Scene:
    """Looks, and reels that have one or none."""

    def __init__(self, seed: int, looks: int = 3) -> None:
        self.draw = np.random.default_rng(seed)
        self.axis = np.eye(SIZE)[0] * 2
        self.looks = unit(self.draw.standard_normal((looks, SIZE)))
        self.next = 0

    def reels(self, tick: int, n: int, look: F64 | None = None, tags: str = "") -> list[One]:
        off = unit(self.draw.standard_normal((n, SIZE)))
        seen = off if look is None else unit(look + 0.3 * off)
        vectors = unit(self.axis + seen).astype(np.float16)
        self.next += n
        names = range(self.next - n, self.next)
        return [
            One(f"r{name}", tick, vector, tuple(tags.split()))
            for name, vector in zip(names, vectors, strict=True)
        ]


def unit(vectors: F64) -> F64:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def poll(reels: Sequence[One], closed: int, end: bool = False, partition: str = "p") -> Looks:
    """Reels as the looks of one poll; three in four authors are their own."""
    rows = [{"reel_id": one.name, "hashtags": list(one.tags)} for one in reels]
    data = b"".join(one.vector.astype("<f2").tobytes() for one in reels)
    sizes = np.array([2 * one.vector.size for one in reels], np.int32)
    ends = np.cumsum(sizes, dtype=np.int32)
    ticks = np.array([one.tick for one in reels], np.int32)
    return Looks(
        partition,
        hashes(one.name for one in reels),
        hashes("a" + one.name.replace("0", "1") for one in reels),
        ticks,
        ticks,
        np.zeros(len(reels), np.bool_),
        hashes(one.model for one in reels),
        hashes(one.name + repr(one.vector.tobytes()) for one in reels),
        Strings(np.frombuffer(data, np.uint8), ends - sizes, sizes),
        reels_of(rows) if rows else Reels.none(),
        closed,
        end,
    )


Use = tuple[str, int, int, int, int]
"""Label, reel, author, tick, tick of effect."""


def told(items: Sequence[ShardRows | FormatChange]) -> list[Use]:
    found = []
    for item in items:
        if isinstance(item, ShardRows):
            for row in item.rows:
                assert row["kind"] == FORMAT
                assert int(row["signal"]) >> 58 == int(item.shard)
                label = item.labels[row["label_at"] : row["label_at"] + row["label_len"]].decode()
                name = label.partition("\x1f")[0]
                assert row["signal"] == hashes([name], FORMAT)[0]
                numbers = (int(row[column]) for column in ("reel", "author", "tick", "apply"))
                found.append((label, *numbers))
    return sorted(found)


def changes(items: Sequence[ShardRows | FormatChange]) -> list[FormatChange]:
    return [item for item in items if isinstance(item, FormatChange)]


def begun(scene: Scene, settings: FormatSettings = SETTINGS) -> FindingFormats:
    """The step, with the middle of all reels known."""
    step = FindingFormats(settings, ["p"])
    assert not told(step.apply([poll(scene.reels(0, 250, tags="fyp"), 1)]))
    return step


def test_what_looks_alike_is_a_format_that_is_called_by_its_hashtags() -> None:
    scene = Scene(1)
    step = begun(scene)
    alike = scene.reels(1, 40, scene.looks[0], "fyp catdrop")
    items = step.apply([poll([*alike, *scene.reels(1, 60, tags="fyp")], 2)])
    rows = [item for item in items if isinstance(item, ShardRows)]
    assert [item.shard for item in rows] == [f"{shard:02d}" for shard in range(SHARDS)]
    assert {(item.partition, item.closed, item.end) for item in rows} == {(PARTITION, 2, False)}
    uses = told(items)
    assert {use[1] for use in uses} == set(hashes(one.name for one in alike).tolist())
    assert {use[3:] for use in uses} == {(1, 1)}
    (label,) = {use[0] for use in uses}
    (born,) = changes(items)
    assert label == f"{born.format}\x1flook of #catdrop"
    assert (born.change, born.label, born.event_time) == (
        "born",
        "look of #catdrop",
        datetime.fromtimestamp(1200, UTC),
    )
    assert len(born.reels) == 9
    assert set(born.reels) <= {one.name for one in alike}
    later = scene.reels(2, 5, scene.looks[0], "dog")
    assert {use[0] for use in told(step.apply([poll(later, 3)]))} == {label}


def test_reels_that_had_waited_are_told_for_the_ticks_they_are_of() -> None:
    scene = Scene(2)
    step = begun(scene)
    first = scene.reels(3, 6, scene.looks[0])
    assert not told(step.apply([poll(first, 4)]))
    uses = told(step.apply([poll([*scene.reels(9, 6, scene.looks[0]), *scene.reels(9, 60)], 10)]))
    assert {(use[3], use[4]) for use in uses} == {(3, 9), (9, 9)}
    early = {use[1] for use in uses if use[3] == 3}
    assert early == set(hashes(one.name for one in first).tolist())
    assert {use[2] for use in uses if use[3] == 3} == set(
        hashes("a" + one.name.replace("0", "1") for one in first).tolist()
    )


def test_uses_of_a_format_that_becomes_another_count_for_that_one_too() -> None:
    scene = Scene(3)
    step = begun(scene)
    (elder,) = changes(step.apply([poll(scene.reels(1, 80, scene.looks[0]), 2)]))
    (younger,) = changes(step.apply([poll(scene.reels(2, 80, scene.looks[1]), 3)]))
    own: set[int] = set()
    merged: list[FormatChange] = []
    for number in range(1, 41):
        tick = 2 + number
        drawn = unit(scene.looks[0] * (40 - number) + scene.looks[1] * number)
        reels = [*scene.reels(tick, 40, drawn), *scene.reels(tick, 40, scene.looks[1])]
        items = step.apply([poll([*reels, *scene.reels(tick, 40)], tick + 1)])
        uses = told(items)
        merged += [one for one in changes(items) if one.change == "merged"]
        own |= {use[1] for use in uses if use[0].startswith(younger.format)}
        if merged:
            break
    assert [(one.format, one.other) for one in merged] == [(younger.format, elder.format)]
    again = [use for use in uses if use[0].startswith(elder.format) and use[1] in own]
    assert {use[1] for use in again} == own
    assert {use[4] for use in again} == {tick}
    assert len({use[3] for use in again}) > 5


def test_ids_are_the_same_whatever_came_first_and_after_a_snapshot() -> None:
    scene = Scene(4)
    reels = []
    for tick in range(12):
        reels += scene.reels(tick, 80, tags="fyp")
        for look in scene.looks:
            reels += scene.reels(tick, 12, look, "one two")
    spread = [replace(one, partition="pqr"[int(one.name[1:]) % 3]) for one in reels]
    twice = [replace(one, partition="q") for one in reels if int(one.name[1:]) % 50 == 0]

    def run(seed: int) -> tuple[list[Use], list[FormatChange]]:
        draw = random.Random(seed)
        step = FindingFormats(SETTINGS, "pqr")
        ahead = dict.fromkeys("pqr", 0)
        items: list[ShardRows | FormatChange] = []
        while min(ahead.values()) < 12:
            name = draw.choice([name for name in "pqr" if ahead[name] < 12])
            tick = ahead[name]
            some = [one for one in (*spread, *twice) if (one.partition, one.tick) == (name, tick)]
            cut = draw.randrange(len(some) + 1)
            ahead[name] = draw.randint(tick + 1, tick + 1)
            end = tick == 11
            polls = [poll(some[:cut], tick, partition=name)]
            items += step.apply([*polls, poll(some[cut:], tick + 1, end, name)])
            if draw.random() < 0.2:
                step = pickle.loads(pickle.dumps(step))
        last = [item for item in items if isinstance(item, ShardRows)][-1]
        assert (last.closed, last.end) == (12, True)
        return told(items), changes(items)

    uses, changed = run(0)
    assert len({use[0] for use in uses}) == 3
    assert len(uses) == len({(use[0], use[1]) for use in uses})
    for seed in range(1, 4):
        assert run(seed) == (uses, changed)


def test_a_step_that_goes_on_from_its_journal_says_what_it_would_have_said() -> None:
    scene = Scene(5)
    polls = [
        poll([*scene.reels(tick, 100), *scene.reels(tick, 20, scene.looks[tick % 2])], tick + 1)
        for tick in range(9)
    ]
    straight = FindingFormats(SETTINGS, ["p"])
    wanted = [told(straight.apply([one])) for one in polls]
    step = FindingFormats(SETTINGS, ["p"])
    for one in polls[:3]:
        step.apply([one])
    base = pickle.dumps(step)
    entries = [step.journaled([one])[1] for one in polls[3:6]]
    again: FindingFormats = pickle.loads(base)
    again.redo(iter(map(memoryview, entries)), memoryview(b""))
    assert [told(again.apply([one])) for one in polls[6:]] == wanted[6:]
    assert any(wanted[6:])


def test_of_too_many_reels_in_a_tick_the_same_are_looked_at_in_any_order() -> None:
    scene = Scene(6)
    settings = replace(SETTINGS, reels_per_tick=150)
    crowd = [*scene.reels(1, 300, scene.looks[0]), *scene.reels(1, 300)]
    first = scene.reels(0, 150)
    more = scene.reels(1, 100)
    found = []
    for seed in (1, 2):
        step = FindingFormats(settings, ["p"])
        step.apply([poll(first, 1)])
        random.Random(seed).shuffle(crowd)
        parts = [poll(crowd[at : at + 70], 1) for at in range(0, len(crowd), 70)]
        items = step.apply([*parts, poll(more, 2)])
        found.append(told(items))
        assert len(found[0]) > 20
        refused = [value for (_, labels), value in step.sizes().items() if labels == ("too_many",)]
        assert refused == [550]
    assert found[0] == found[1]
    smallest = sorted(hashes(one.name for one in (*crowd, *more)).tolist())[:150]
    assert {use[1] for use in found[0]} <= set(smallest)


def test_embeddings_of_another_model_are_left_out_and_counted() -> None:
    scene = Scene(7)
    for asked, used in (("", "clip"), ("other", "other")):
        step = FindingFormats(replace(SETTINGS, model=asked), ["p"])
        noise = [replace(one, model=used) for one in scene.reels(0, 250)]
        mine = [replace(one, model="clip") for one in scene.reels(0, 300, scene.looks[0])]
        others = [replace(one, model="other") for one in scene.reels(0, 260, scene.looks[1])]
        short = [replace(one, vector=one.vector[:8]) for one in scene.reels(0, 30)]
        uses = told(step.apply([poll([*noise, *mine, *others, *short], 1)]))
        expected = mine if used == "clip" else others
        seen = {use[1] for use in uses}
        assert len(seen) > 100
        assert seen <= set(hashes(one.name for one in (*noise, *expected)).tolist())
        counted = [value for (_, labels), value in step.sizes().items() if "other_model" in labels]
        assert counted == [840 - 250 - len(expected)]


def test_a_reel_that_comes_again_and_again_is_like_nothing_but_itself() -> None:
    scene = Scene(10)
    step = begun(scene)
    (lone,) = scene.reels(1, 1, scene.looks[0])
    for tick in range(1, 21):
        looks = poll([lone, *scene.reels(tick, 10)], tick + 1)
        again = np.full(len(looks), False)
        again[0] = tick > 1
        assert not changes(step.apply([replace(looks, again=again)]))


def test_one_odd_embedding_at_the_beginning_decides_nothing() -> None:
    scene = Scene(9)
    step = FindingFormats(SETTINGS, ["p"])
    (odd,) = scene.reels(0, 1)
    assert not told(step.apply([poll([replace(odd, model="odd", vector=odd.vector[:4])], 1)]))
    step.apply([poll(scene.reels(1, 60), 2)])
    step = pickle.loads(pickle.dumps(step))
    step.apply([poll(scene.reels(2, 200), 3)])
    alike = scene.reels(3, 80, scene.looks[0])
    assert len(told(step.apply([poll(alike, 4)]))) == 80


def test_a_stream_without_looks_only_passes_on_how_far_it_is() -> None:
    step = FindingFormats(SETTINGS, ["p", "q"])
    assert step.apply([poll([], 5)]) == []
    items = step.apply([poll([], 7, partition="q")])
    assert {item.closed for item in items if isinstance(item, ShardRows)} == {5}
    assert len(items) == SHARDS
    assert step.apply([poll([], 9, partition="q")]) == []
    assert step.know(["p", "q", "r"])
    assert step.apply([poll([], 9)]) == []
    assert len(step.apply([poll([], 9, partition="r")])) == SHARDS


def test_a_hostile_name_is_no_label() -> None:
    scene = Scene(8)
    for name, label in (("\x1b[2J", None), ("\u202egnp", None), ("x" * 200, None), ("r-1", "r-1")):
        step = begun(scene)
        alike = [replace(one, name=f"{name}{at}") for at, one in
                 enumerate(scene.reels(1, 80, scene.looks[0], "<b> ok;--"))]  # fmt: skip
        (born,) = changes(step.apply([poll(alike, 2)]))
        assert born.label == (born.format if label is None else f"look of reel {born.reels[0]}")
    assert name_of(1) == "f-0000000000000001"
