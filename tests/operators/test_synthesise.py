"""The one step for all shards: the same trends whatever comes first, and what a trend says."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from msgspec import structs

from operators.blocks import SHARDS, shard_name
from operators.catalogue import Names, ReelIds
from operators.detect import ShardReport, detect
from operators.feedback import Word
from operators.links import Linked
from operators.strings import Strings
from operators.synthesise import Synthesise, SynthesiseSettings, Synthesising
from schemas.trends import Trend, decode, encode
from tests.operators.reels import hashes
from trend.budget import ShardSettings
from trend.engagement import UNKNOWN
from trend.homes import home
from trend.kinds import HASHTAG, PHRASE, SOUND
from trend.records import USE, VOLUME
from trend.shard import Shard
from trend.synthesis import SynthesisSettings

HOUR, DAY = 6, 144
DAYS = 4
START = 2_945_520
WINDOWS = (1, 3, 6, 12, 24)
SETTINGS = SynthesiseSettings(
    SynthesisSettings(tick_seconds=600, windows_h=WINDOWS, fdr=0.01, overlap=0.3),
    catalogue_hours=48,
    catalogue_reels=10**6,
    max_examples=10,
)
SHARD = ShardSettings(600, WINDOWS, 8, 2.0, 4_000_000)
SIGNALS = [
    (SOUND, "s-cat\x1fCat Song – Me", 0, 1.0),
    (HASHTAG, "catdrop", 0, 0.7),
    (PHRASE, "cat drop", 0, 0.4),
    (HASHTAG, "heatwave", 1, 1.0),
]
Uses = npt.NDArray[np.void]


def world() -> tuple[pl.DataFrame, dict[int, tuple[Uses, bytes]], Uses]:
    """Reels of two trends of a day each, their uses by shard, and the platform's volume."""
    rng = np.random.default_rng(1)
    frames, by_shard = [], {}
    for number in (0, 1):
        t = (np.arange(DAYS * DAY) - DAY - 40 * number) / HOUR
        rate = 6 / (1 + np.exp(-t)) / (1 + np.exp((t - 20) / 2))
        tick = np.repeat(np.arange(rate.size), rng.poisson(rate))
        names = pl.Series("reel_id", [f"r{number}-{i}" for i in range(tick.size)])
        frames.append(
            pl.DataFrame(
                [hashes(names), pl.Series("apply", START + tick, pl.Int32), names],
                schema=["reel", "apply", "reel_id"],
            )
        )
    for kind, label, number, share in SIGNALS:
        reels = frames[number].filter(pl.Series(rng.random(frames[number].height) < share))
        rows = np.zeros(reels.height, USE)
        rows["signal"] = hashes([label.split("\x1f")[0]], kind)[0]
        rows["reel"], rows["author"] = reels["reel"], hashes(reels["reel_id"], 9)
        rows["tick"] = rows["apply"] = reels["apply"]
        rows["kind"], rows["label_len"] = kind, len(label.encode())
        shard = int(rows["signal"][0] >> np.uint64(58))
        assert shard not in by_shard
        by_shard[shard] = rows, label.encode()
    volume = np.zeros(DAYS * DAY, VOLUME)
    volume["apply"] = volume["tick"] = START + np.arange(volume.size)
    volume["reels"] = 100
    return pl.concat(frames).sort("apply", maintain_order=True), by_shard, volume


REELS, USES, PLATFORM = world()


def named(reels: pl.DataFrame) -> Names:
    reel = reels["reel"].to_numpy()
    texts = np.zeros(reel.size, np.uint64)
    ids = Strings.of(reels["reel_id"])
    engaged = np.full((reel.size, 2), UNKNOWN, np.int8)
    homes = np.stack([np.where(reel % 16, home("BR"), 0), np.full(reel.size, home("pt"))], axis=1)
    columns = (ids, reel, texts, engaged, homes.astype(np.uint32))
    return Names(reel, reels["apply"].to_numpy(), *columns)


def items(step: int) -> Iterator[list[ShardReport | ReelIds]]:
    """What comes to the step, so many ticks at a time."""
    shards = [Shard(SHARD) for _ in range(SHARDS)]
    for number, shard in enumerate(shards):
        rows, label = USES.get(number, (np.zeros(0, USE), b""))
        shard.add(rows, label, PLATFORM)
    for first in range(START, START + DAYS * DAY, step):
        last = min(first + step, START + DAYS * DAY) - 1
        end = last == START + DAYS * DAY - 1
        ids = REELS.filter(pl.col("apply").is_between(first, last))
        batch: list[ShardReport | ReelIds] = [ReelIds("p", named(ids), last + 1, end)]
        for number, shard in enumerate(shards):
            batch += detect(shard_name(number), shard, last)
        yield batch


def run(step: int = DAYS * DAY, settings: SynthesiseSettings = SETTINGS) -> list[Trend]:
    synthesise = Synthesise(settings, ["p"])
    return [one.trend for batch in items(step) for one in synthesise(batch)]


WHOLE = [encode(trend) for trend in run()]


def test_two_trends_are_found_each_with_its_signals() -> None:
    told = [decode(line) for line in WHOLE]
    last = {trend.trend_id: trend for trend in told}
    assert sorted(trend.kind for trend in last.values()) == ["challenge", "hashtag"]
    cat, heat = sorted(last.values(), key=lambda trend: trend.kind)
    assert {(m.kind, m.id, m.label) for m in cat.members} == {
        ("sound", "s-cat", "Cat Song – Me"),
        ("hashtag", "catdrop", "#catdrop"),
        ("phrase", "cat drop", "cat drop"),
    }
    assert heat.name == "#heatwave"


def test_a_revision_holds_together() -> None:
    numbers: dict[str, int] = {}
    for line in WHOLE:
        trend = decode(line)
        assert trend.revision == numbers.get(trend.trend_id, 0) + 1
        numbers[trend.trend_id] = trend.revision
        assert trend.started_at < trend.event_time
        assert sum(member.weight for member in trend.members) == pytest.approx(1, abs=1e-3)
        assert trend.authors <= trend.reels
        assert trend.growth == pytest.approx(trend.reels / trend.expected, rel=1e-3)
        assert len(trend.series) <= 48
        assert all(point.t < trend.event_time for point in trend.series)
        assert [point.t for point in trend.series] == sorted(point.t for point in trend.series)
        assert "people used it in" in trend.why
        hours = [point.t for point in trend.forecast]
        assert len(hours) == 24
        assert timedelta(0) <= hours[0] - trend.event_time < timedelta(hours=1)
        assert {later - hour for hour, later in pairwise(hours)} == {timedelta(hours=1)}
        assert all(point.low <= point.reels <= point.high for point in trend.forecast)
    events = [decode(line).event_time for line in WHOLE]
    assert events == sorted(events)


def test_how_fast_it_doubles_is_told_while_it_emerges() -> None:
    told = [decode(line) for line in WHOLE]
    doubling = [trend for trend in told if "; doubling every" in trend.why]
    assert doubling
    assert {trend.stage for trend in doubling} == {"emerging"}


def test_the_reason_tells_of_the_height_only_where_it_is_over() -> None:
    over = 0
    for line in WHOLE:
        trend = decode(line)
        reason, _, now = trend.why.partition("; that was at ")
        if now:
            over += 1
            then, today = reason.split()[0], now.split()[-2]
            assert then != today
        elif trend.revision == 1:
            assert reason.startswith(f"{trend.authors} people")
    assert over


def test_a_revision_knows_nothing_of_what_comes_after_it() -> None:
    applied = dict(zip(REELS["reel_id"], REELS["apply"], strict=True))
    for line in WHOLE:
        trend = decode(line)
        tick = int(trend.event_time.timestamp()) // 600
        assert trend.examples
        assert len(set(trend.examples)) == len(trend.examples) <= 10
        assert all(applied[reel] < tick for reel in trend.examples)
        hours = {point.t: point.reels for point in trend.series}
        shared = [m for m in trend.members if m.reels == max(x.reels for x in trend.members)]
        for at, reels in hours.items():
            here = [a for a in applied.values() if a // HOUR == at.timestamp() // 3600 and a < tick]
            assert reels <= len(here), shared


@pytest.mark.parametrize("step", [5, 100])
def test_the_cut_into_batches_changes_nothing(step: int) -> None:
    assert [encode(trend) for trend in run(step)] == WHOLE


@pytest.mark.parametrize("crash", [False, True])
def test_what_comes_first_changes_nothing(crash: bool) -> None:
    rng = np.random.default_rng(1)
    waiting: list[Any] = []
    synthesise = Synthesise(SETTINGS, ["p"])
    told = []
    for batch in items(50):
        # Each shard's own reports stay in order, as they do in the dataflow.
        keys = [getattr(item, "shard", "ids") for item in waiting + batch]
        waiting += batch
        first = set(rng.permutation(sorted(set(keys)))[: rng.integers(0, 66)].tolist())
        now = [item for item, key in zip(waiting, keys, strict=True) if key in first]
        waiting = [item for item, key in zip(waiting, keys, strict=True) if key not in first]
        now.sort(key=lambda item: hash((getattr(item, "shard", "ids"), 5)) % 97)
        told += synthesise(now)
        synthesise = pickle.loads(pickle.dumps(synthesise)) if crash else synthesise
    told += synthesise(waiting)
    assert [encode(one.trend) for one in told] == WHOLE


def test_a_tick_waits_for_every_shard_and_every_partition() -> None:
    synthesise = Synthesise(SETTINGS, ["p", "q"])
    [batch] = items(DAYS * DAY)
    ids, reports = batch[:1], batch[1:]
    assert synthesise(reports[:-1]) == []
    assert synthesise(ids) == []
    assert synthesise(reports[-1:]) == []
    last = START + DAYS * DAY
    nothing = ReelIds("q", named(REELS.clear()), last, True)
    assert [encode(one.trend) for one in synthesise([nothing])] == WHOLE


def test_words_count_from_their_time_on_however_they_come() -> None:
    """As one batch or many, known from the beginning or heard when a run goes on."""
    alerts = [trend for trend in map(decode, WHOLE) if trend.revision == 1]
    first = alerts[0]
    said = int(first.event_time.timestamp())
    words = [Word(said, first.trend_id, 0, 1), Word(10**10, first.trend_id, 1, -1)]
    steps = {step: Synthesise(SETTINGS, ["p"], words) for step in (DAYS * DAY, 50)}
    told = {
        step: [one.trend for batch in items(step) for one in synthesise(batch)]
        for step, synthesise in steps.items()
    }
    later = Synthesise(SETTINGS, ["p"])
    heard: list[Trend] = []
    for number, batch in enumerate(items(50)):
        decided = (START + 50 * number) * 600
        if decided <= said < decided + 50 * 600:
            later = pickle.loads(pickle.dumps(later))
            assert later.hear(words)
            assert not later.hear(words)
        heard += [one.trend for one in later(batch)]
    assert told[50] == told[DAYS * DAY] == heard
    feedback = later._synthesis.candidates.feedback
    assert feedback._said == {first.trend_id: [0, 1]}
    assert feedback._judged  # the signals of that trend


def test_without_input_there_are_no_trends() -> None:
    synthesise = Synthesise(SETTINGS, ["p"])
    end = -(2**31)
    shards = [detect(shard_name(n), Shard(SHARD), end - 1)[0] for n in range(SHARDS)]
    assert synthesise([ReelIds("p", named(REELS.clear()), end, True), *shards]) == []


def test_examples_are_as_many_as_set() -> None:
    settings = replace(SETTINGS, max_examples=3)
    assert {len(trend.examples) for trend in run(settings=settings)} == {3}


def test_the_step_goes_on_from_its_snapshot() -> None:
    step = Synthesising(SETTINGS, ["p"])
    told: list[Linked] = []
    for number, batch in enumerate(items(90)):
        inside, *outside = map(
            bytearray, step.base()
        )  # as written: what they view goes on changing
        trends, entry = step.journaled(batch)
        told += trends
        if number % 2:
            step = pickle.loads(inside, buffers=outside)
            step.redo(iter([memoryview(entry)]), memoryview(step.rest()))
    assert [encode(one.trend) for one in told] == WHOLE


def test_times_are_utc_and_those_of_the_ticks() -> None:
    first = decode(WHOLE[0])
    assert first.started_at >= datetime.fromtimestamp(START * 600, UTC)
    assert first.event_time.timestamp() % 600 == 0


def test_a_trend_says_which_of_the_scopes_asked_for_it_holds_in() -> None:
    asked = replace(SETTINGS, scopes=("region:US", "region:BR", "language:pt"), min_authors=8)
    told = run(settings=asked)
    assert {trend.scopes for trend in told} == {("global", "region:BR", "language:pt")}
    unasked = [structs.replace(trend, scopes=("global",)) for trend in told]
    assert unasked == [decode(line) for line in WHOLE]
