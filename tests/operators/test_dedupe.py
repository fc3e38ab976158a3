"""Dedupe: each reel once, in its place in time, whatever the cut and the crashes."""

import pickle
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.blocks import Decoded, Fresh
from operators.dedupe import NO_TICK, Dedupe, DedupeLogic, Deduping, EventTime
from operators.durable.handles import Handle
from operators.reels import Reels
from operators.sources.board import Board
from tests.operators.reels import reels_of, rows_of

TICK, HOUR, DAY = 600, 3600, 86_400
NOW = 1_767_600_000
TIME = EventTime(TICK, lateness_seconds=600, future_seconds=300, look_ahead=8)
Rows = Sequence[dict[str, Any]]


def columns(reels: Rows) -> Reels:
    """Reels given by their time in seconds and what is unusual of them."""
    return reels_of(
        [
            {"reel_id": f"r{i}", "author_id": "a", **reel, "time": reel["at"] * 1_000_000}
            for i, reel in enumerate(reels)
        ]
    )


def run(
    reels: Rows, cuts: Sequence[int] = (), crash: bool = False, remember: int = 1000
) -> tuple[list[Fresh], Dedupe]:
    dedupe = Dedupe(TIME, remember)
    everything = columns(reels)
    out = []
    stops = [*sorted(cut for cut in cuts if cut <= len(reels)), len(reels)]
    for i, (start, stop) in enumerate(zip([0, *stops], stops, strict=False)):
        end = i == len(stops) - 1
        fresh = dedupe(Decoded("p", everything.take(slice(start, stop)), (), end))
        out += [fresh] if fresh is not None else []
        if crash:
            dedupe = pickle.loads(pickle.dumps(dedupe))
    return out, dedupe


def placed(out: list[Fresh]) -> list[dict[str, Any]]:
    """Every reel that went on, with its place."""
    names = ("reel", "author", "tick", "apply", "again")
    return [
        row | {name: getattr(fresh, name)[i].item() for name in names}
        for fresh in out
        for i, row in enumerate(rows_of(fresh.reels))
    ]


def each(out: list[Fresh], name: str) -> list[Any]:
    return [row[name] for row in placed(out)]


def volume(out: list[Fresh]) -> Counter[tuple[int, int]]:
    counted: Counter[tuple[int, int]] = Counter()
    for fresh in out:
        for apply, tick, reels in fresh.volume.tolist():
            counted[apply, tick] += reels
    return counted


def steady(count: int, start: int = 0, step: int = 60) -> list[dict[str, Any]]:
    return [{"at": NOW + start + i * step} for i in range(count)]


def test_an_exact_repeat_is_dropped_and_counted() -> None:
    reels = [*steady(30), {"at": NOW, "reel_id": "r0"}, {"at": NOW + 60, "reel_id": "r1"}]
    out, dedupe = run(reels)
    assert each(out, "reel_id") == [f"r{i}" for i in range(30)]
    assert dedupe.counts.duplicates == 2
    assert volume(out).total() == 30


def test_newer_metrics_alone_are_a_repeat() -> None:
    """What is not a signal, such as the audio's title, changes nothing."""
    reels = [*steady(30), {"at": NOW, "reel_id": "r0", "title": "Song", "artist": "Me"}]
    assert not any(each(run(reels)[0], "again"))


@pytest.mark.parametrize(
    "field", ["caption", "audio_id", "transcript", "ocr_text", "hashtags", "embedding"]
)
def test_a_reel_that_changed_goes_on_as_again(field: str) -> None:
    value = ["cat"] if field == "hashtags" else "cat"
    reels = [*steady(30), {"at": NOW, "reel_id": "r0", field: value}]
    out, dedupe = run([*reels, reels[-1]])
    last = placed(out)[-1]
    assert (last["reel_id"], last[field], last["again"]) == ("r0", value, True)
    assert len(placed(out)) == 31
    assert sum(each(out, "again")) == 1
    assert dedupe.counts.duplicates == 2
    assert volume(out).total() == 30


def test_what_moves_from_one_field_to_another_is_a_change() -> None:
    reels = [*steady(20), {"at": NOW, "caption": "cat"}]
    again = {"at": NOW, "reel_id": "r20", "transcript": "cat"}
    assert each(run([*reels, again])[0], "again")[-1] is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"caption": ""}, {}),
        ({"hashtags": ["ab", "c"]}, {"hashtags": ["a", "bc"]}),
        ({"hashtags": ["a", "b"]}, {"hashtags": ["b", "a"]}),
        ({"hashtags": ["a", "a"]}, {}),
        ({"hashtags": [""]}, {"hashtags": []}),
        ({"caption": "x", "transcript": "y"}, {"caption": "y", "transcript": "x"}),
    ],
)
def test_contents_that_differ_a_little_are_a_change(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    reels = [*steady(20), {"at": NOW, **one}, {"at": NOW, "reel_id": "r20", **other}]
    assert each(run(reels)[0], "again") == [False] * 21 + [True]


def test_what_waits_does_not_keep_its_poll() -> None:
    dedupe = Dedupe(TIME, 100)
    many = [{**reel, "caption": "x" * 1000} for reel in steady(1000)]
    dedupe(Decoded("p", columns(many), (), False))
    assert len(pickle.dumps(dedupe)) < 300_000
    assert dedupe._waiting.data.size < 10_000


def test_input_is_left_as_it_was() -> None:
    reels = columns(messy(1))
    before = pickle.dumps(reels)
    Dedupe(TIME, 100)(Decoded("p", reels, (), False))
    assert pickle.dumps(reels) == before


def test_only_the_last_reels_are_remembered() -> None:
    reels = [*steady(50), {"at": NOW, "reel_id": "r0"}]
    assert len(placed(run(reels, remember=20)[0])) == 51
    assert len(placed(run(reels, remember=60)[0])) == 50


def test_a_late_reel_takes_effect_in_the_open_tick() -> None:
    reels = [*steady(200), {"at": NOW}, {"at": NOW + 199 * 60 - TICK}, *steady(20, 200 * 60)]
    out, dedupe = run(reels)
    late, punctual = placed(out)[200:202]
    assert late["tick"] == NOW // TICK
    assert late["apply"] == (NOW + 199 * 60 - 600) // TICK
    assert punctual["tick"] == punctual["apply"]
    assert dedupe.counts.late == 1


def test_one_reel_of_next_year_closes_nothing_and_is_counted_as_clamped() -> None:
    reels = [*steady(30), {"at": NOW + 365 * DAY}, *steady(30, 1800)]
    out, dedupe = run(reels)
    assert dedupe.counts.clamped >= 1
    assert out[-1].closed == (NOW + 59 * 60) // TICK + 1
    assert max(each(out, "tick")) == (NOW + 59 * 60) // TICK


def test_a_gap_of_days_closes_the_ticks_in_between() -> None:
    reels = [*steady(30), *steady(30, 9 * DAY)]
    out, _ = run(reels, cuts=[55])
    assert out[0].closed == (NOW + 9 * DAY + 16 * 60 - 600) // TICK


def test_the_end_closes_everything() -> None:
    out, _ = run(steady(30))
    assert out[-1].end
    assert out[-1].announce
    assert out[-1].closed == max(each(out, "apply")) + 1
    assert len(placed(out)) == 30


def test_a_partition_without_reels_ends() -> None:
    [out], _ = run([])
    assert (out.closed, out.end, out.announce, len(out.reels)) == (NO_TICK, True, True, 0)
    assert [column.size for column in (out.reel, out.author, out.tick, out.apply)] == [0] * 4


def test_there_is_nothing_to_tell_until_enough_was_looked_ahead_at() -> None:
    dedupe = Dedupe(TIME, 100)
    assert dedupe(Decoded("p", columns(steady(8)), (), False)) is None
    assert dedupe(Decoded("p", columns([]), (), False)) is None


def test_volume_goes_with_announcements_alone() -> None:
    out, _ = run(steady(300), cuts=range(0, 300, 3))
    assert {fresh.announce for fresh in out} == {True, False}
    assert all(fresh.volume.size == 0 for fresh in out if not fresh.announce)
    assert volume(out).total() == 300


def messy(seed: int) -> list[dict[str, Any]]:
    """Disorder, wrong times, gaps, repeats and changes."""
    rng = np.random.default_rng(seed)
    reels: list[dict[str, Any]] = []
    at = NOW
    for i in range(400):
        at += int(rng.integers(0, 200)) + (2 * DAY if i in (130, 300) else 0)
        reel: dict[str, Any] = {"at": at - int(rng.integers(0, 2 * HOUR) * (rng.random() < 0.2))}
        if rng.random() < 0.03:
            reel["at"] = at + int(rng.integers(1, 400)) * DAY
        if i and rng.random() < 0.1:
            old = int(rng.integers(0, i))
            reel = {"reel_id": f"r{old}", **reels[old]}
            reel |= {"caption": f"c{rng.integers(3)}"} if rng.random() < 0.5 else {}
        reels.append(reel)
    return reels


@pytest.mark.parametrize("crash", [False, True], ids=["going", "crashing"])
@pytest.mark.parametrize("seed", range(4))
def test_cuts_and_crashes_change_nothing(seed: int, crash: bool) -> None:
    reels = messy(seed)
    whole, dedupe = run(reels, remember=50)
    rng = np.random.default_rng(seed)
    for cuts in ([1, 2, 3], list(range(0, 400, 7)), rng.integers(0, 401, 20).tolist()):
        parts, other = run(reels, cuts, crash, remember=50)
        assert placed(parts) == placed(whole)
        assert volume(parts) == volume(whole)
        assert other.counts == dedupe.counts
        assert parts[-1].closed == whole[-1].closed
    assert dedupe.counts.clamped > 0
    assert dedupe.counts.duplicates > 0
    assert dedupe.counts.late > 0


@given(st.integers(0, 9), st.lists(st.integers(0, 400), max_size=30))
def test_what_is_closed_stays_closed(seed: int, cuts: list[int]) -> None:
    closed = int(NO_TICK)
    for fresh in run(messy(seed), cuts)[0]:
        assert fresh.closed >= closed
        assert (fresh.apply >= closed).all()
        assert all(apply >= closed for apply in fresh.volume["apply"]) or not fresh.announce
        assert (fresh.apply >= fresh.tick).all()
        closed = fresh.closed


def test_the_step_goes_on_from_a_base_and_a_delta() -> None:
    step = Deduping(Dedupe(TIME, 100))
    polls = [
        Decoded("p", columns(steady(30)).take(slice(at, at + 10)), (), at == 20)
        for at in (0, 10, 20)
    ]
    first = step.apply(polls[:1])
    inside, *outside = map(bytearray, step.base())
    more, entry = step.journaled(polls[1:2])
    resumed = pickle.loads(inside, buffers=outside)
    resumed.redo(iter([memoryview(entry)]), memoryview(step.rest()))
    first += more
    rest = resumed.apply(polls[2:])
    assert placed([*first, *rest]) == placed(run(steady(30))[0])


def test_a_partition_that_goes_on_says_where_it_is_before_it_reads(tmp_path: Path) -> None:
    """Others that came to the topic meanwhile wait to hear it."""
    _, dedupe = run([{"at": NOW + i} for i in range(20)])
    board = Board.create(tmp_path / "board", ["p"])
    DedupeLogic(board, Deduping(dedupe), None, Handle("dedupe", "p", ()))
    assert board.get("p", "reached_us") == dedupe.reached_us() > 0
