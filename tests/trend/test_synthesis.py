"""From bursts to trends: what joins, what stays one trend, and how it is revised."""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from trend import bursts
from trend.budget import ShardSettings
from trend.engagement import UNKNOWN
from trend.homes import BUCKETS
from trend.kinds import COMMUNITY, HASHTAG, PHRASE, SOUND
from trend.known import Seen, Usual
from trend.parts import Part, packed
from trend.records import USE, VOLUME
from trend.shard import Shard, ShardReports
from trend.synthesis import BURST_FDR, Synthesis, SynthesisSettings
from trend.takeoff import CERTAIN
from trend.trends import MAX_MEMBERS, trend_id

HOUR, DAY = 6, 144
START = 2_950_000 // DAY * DAY
WINDOWS = (1, 3, 6, 12, 24)
SETTINGS = SynthesisSettings(tick_seconds=600, windows_h=WINDOWS, fdr=1.0, overlap=0.3)
SHARD = ShardSettings(600, WINDOWS, 8, 2.0, 16_000_000)
Rows = npt.NDArray[np.void]
Reels = npt.NDArray[np.uint64]
Curve = npt.NDArray[np.float64]
Reports = dict[int, list[tuple[ShardReports, slice]]]


def looked_at(authors: Sequence[int], texts: Sequence[int], ticks: Sequence[int]) -> Seen:
    """Reels of which neither numbers nor homes are known."""
    engaged = np.full((len(authors), 2), UNKNOWN, np.int8)
    homes = np.zeros((len(authors), 2), np.uint32)
    columns = (np.array(authors, np.uint64), np.array(texts, np.uint64), np.array(ticks, np.int64))
    return Seen(*columns, engaged, homes)


UNUSUAL = Usual(np.zeros((2, 3), np.int64), np.zeros((2, BUCKETS), np.int64))


class Nobody:
    """A platform of whose reels nothing is known."""

    def reels(self, hashes: Reels) -> Seen:
        return looked_at((), (), ())

    def usual(self, ticks: int) -> Usual:
        return UNUSUAL

    def volume(self, ticks: int) -> npt.NDArray[np.int64]:
        return np.zeros(ticks, np.int64)


NOBODY = Nobody()


@dataclass(frozen=True)
class Told:
    """A revision, as it was when it was told."""

    tick: int
    id: str
    revision: int
    stage: str
    members: tuple[str, ...]
    log10_p: float
    q_value: float


def reels(rate: Curve, seed: int) -> Rows:
    """Reels at `rate` a tick, each by another author."""
    rng = np.random.default_rng(seed)
    tick = np.repeat(np.arange(rate.size), rng.poisson(rate))
    rows = np.zeros(tick.size, USE)
    rows["tick"] = rows["apply"] = START + tick
    rows["reel"] = rng.integers(1, 2**64, tick.size, np.uint64)
    rows["author"] = rng.integers(1, 2**63, tick.size)
    return rows


def used(rows: Rows, kind: int, name: str, share: float = 1.0) -> tuple[Rows, bytes]:
    """The uses of a signal by a share of reels."""
    rows = rows[rows["reel"] < share * 2.0**64].copy()
    label = name.encode()
    rows["signal"] = int.from_bytes(hashlib.blake2b(label, digest_size=8).digest(), "big")
    rows["kind"], rows["label_len"] = kind, len(label)
    return rows, label


def reported(*signals: tuple[Rows, bytes], ticks: int, volume: int = 100) -> Reports:
    """All reports of one shard, by tick."""
    shard = Shard(SHARD)
    seen = np.zeros(ticks, VOLUME)
    seen["apply"] = seen["tick"] = START + np.arange(ticks)
    seen["reels"] = volume
    for rows, label in signals:
        shard.add(rows, label, seen[:0])
    shard.add(signals[0][0][:0], b"", seen)
    by_tick: Reports = {}
    for part in shard.close(START + ticks - 1):
        for i, tick in enumerate(part.numbers[:, bursts.TICK].tolist()):
            by_tick.setdefault(tick, []).append((part, slice(i, i + 1)))
    return by_tick


def synthesised(reports: Reports, seed: int = 0, crash: bool = False) -> list[Told]:
    rng = np.random.default_rng(seed)
    synthesis = Synthesis(SETTINGS)
    told = []
    for tick in sorted(reports):
        if crash:
            synthesis = pickle.loads(pickle.dumps(synthesis))
        order = rng.permutation(len(reports[tick])) if seed else range(len(reports[tick]))
        for revision in synthesis.tick(
            tick, [reports[tick][i] for i in order], tests=1000, known=NOBODY
        ):
            trend = revision.trend
            members = tuple(signal.id for signal, _ in revision.members)
            told.append(
                Told(
                    tick - START,
                    trend.id,
                    trend.revision,
                    revision.stage,
                    members,
                    trend.log10_p,
                    trend.q_value,
                )
            )
    assert len({(one.id, one.revision) for one in told}) == len(told)
    return told


def ids(told: Sequence[Told]) -> list[str]:
    return list(dict.fromkeys(one.id for one in told))


def logistic(days: int, at: int, height: float, rise_h: float = 2, lasts_h: float = 14) -> Curve:
    """Uses a tick of a trend that rises about tick `at` and falls after `lasts_h` hours."""
    t = (np.arange(days * DAY) - at) / HOUR
    curve: Curve = height / (1 + np.exp(-t / rise_h)) / (1 + np.exp((t - lasts_h) / rise_h / 1.5))
    return curve


ONE = reels(logistic(5, 2 * DAY, 5.0), seed=1)
OTHER = reels(logistic(5, 2 * DAY + 20, 5.0), seed=2)


def test_sound_and_tag_in_the_same_reels_are_one_trend() -> None:
    told = synthesised(
        reported(
            used(ONE, SOUND, "s-cat\x1fCat"), used(ONE, HASHTAG, "catdrop", 0.7), ticks=5 * DAY
        )
    )
    assert len(ids(told)) == 1
    assert set(told[-1].members) == {"s-cat", "catdrop"}


def test_unrelated_signals_that_rise_at_once_are_two_trends() -> None:
    told = synthesised(
        reported(used(ONE, SOUND, "s-cat"), used(OTHER, HASHTAG, "heatwave"), ticks=5 * DAY)
    )
    assert len(ids(told)) == 2
    assert {one.members for one in told} == {("s-cat",), ("heatwave",)}


def test_spellings_of_one_tag_are_one_trend_though_no_reel_has_both() -> None:
    tags = [used(ONE, HASHTAG, "catdrop"), used(OTHER, HASHTAG, "the_cat_drops")]
    told = synthesised(reported(*tags, ticks=5 * DAY))
    assert len(ids(told)) == 1
    assert set(told[-1].members) == {"catdrop", "the_cat_drops"}


def test_a_spelling_is_forgotten_with_its_trend() -> None:
    days = 12
    first, second = (reels(logistic(days, at * DAY, 5.0), seed) for seed, at in ((1, 2), (2, 9)))
    tags = [used(first, HASHTAG, "catdrop"), used(second, HASHTAG, "catdrops")]
    assert len(ids(synthesised(reported(*tags, ticks=days * DAY)))) == 2


def test_a_signal_in_few_of_its_reels_does_not_join() -> None:
    """The tag stands in every reel of its own trend, and in a tenth of the sound's."""
    before = reels(logistic(5, 2 * DAY - 40, 5.0), seed=2)
    rows = np.concatenate([before, ONE[ONE["reel"] < 0.1 * 2.0**64]])
    rows = rows[np.argsort(rows["tick"], kind="stable")]
    told = synthesised(
        reported(used(ONE, SOUND, "s-cat"), used(rows, HASHTAG, "heatwave"), ticks=5 * DAY)
    )
    assert len(ids(told)) == 2


def test_a_trend_walks_from_emerging_to_peaking_to_fading() -> None:
    told = synthesised(reported(used(ONE, SOUND, "s-cat"), ticks=5 * DAY))
    stages = [one.stage for one in told]
    assert list(dict.fromkeys(stages)) == ["emerging", "peaking", "fading"]
    assert stages == sorted(stages, key=["emerging", "peaking", "fading"].index)
    assert told[0].tick < 2 * DAY


@pytest.mark.parametrize("lasts_h", [24, 36, 48])
def test_a_trend_is_told_to_peak_while_it_does(lasts_h: int) -> None:
    rate = logistic(6, 2 * DAY, 5.0, lasts_h=lasts_h)
    told = synthesised(reported(used(reels(rate, 1), SOUND, "s-cat"), ticks=6 * DAY))
    peaking = [one.tick for one in told if one.stage == "peaking"]
    assert 2 * DAY < peaking[0] < 2 * DAY + lasts_h * HOUR


def test_revisions_count_up_from_one() -> None:
    told = synthesised(
        reported(
            used(ONE, SOUND, "s-cat"), used(OTHER, HASHTAG, "a"), used(ONE, PHRASE, "b c"),
            ticks=5 * DAY,
        )
    )  # fmt: skip
    for name in ids(told):
        numbers = [one.revision for one in told if one.id == name]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) < 20  # one alert and its news, not one an hour


@pytest.mark.parametrize("gap_h", [30, 60])
def test_a_second_wave_within_days_is_a_revision_and_no_second_alert(gap_h: int) -> None:
    days = 7
    rate = logistic(days, 2 * DAY, 5.0) + logistic(days, 2 * DAY + gap_h * HOUR, 12.0)
    told = synthesised(reported(used(reels(rate, 3), SOUND, "s-cat"), ticks=days * DAY))
    assert len(ids(told)) == 1
    assert any(one.tick > 2 * DAY + (gap_h - 8) * HOUR for one in told)


def test_after_weeks_it_is_a_new_trend() -> None:
    days = 24
    rate = logistic(days, 2 * DAY, 5.0) + logistic(days, 20 * DAY, 9.0)
    told = synthesised(reported(used(reels(rate, 3), SOUND, "s-cat"), ticks=days * DAY))
    assert len(ids(told)) == 2


def test_what_was_first_asked_about_teaches_nothing_for_a_day() -> None:
    """Nothing has a past then, and what is used every day seems to take off."""
    days = 9
    taught = []
    for second in (2 * DAY + 40, 4 * DAY):
        rates = [logistic(days, at, 5.0) for at in (2 * DAY, second)]
        tags = [used(reels(rate, i), HASHTAG, f"tag{i}x") for i, rate in enumerate(rates)]
        synthesis = Synthesis(SETTINGS)
        for tick, reports in sorted(reported(*tags, ticks=days * DAY).items()):
            synthesis.tick(tick, reports, tests=1000, known=NOBODY)
        learner = synthesis.candidates.learner
        assert not len(synthesis.candidates)
        taught.append(learner.probability(learner.regressors(0.0, 3.0)) != 0.5)
    assert taught == [False, True]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_reports_and_crashes_change_nothing(seed: int, crash: bool) -> None:
    reports = reported(
        used(ONE, SOUND, "s-cat"), used(ONE, HASHTAG, "catdrop", 0.7), used(OTHER, HASHTAG, "x"),
        used(OTHER, PHRASE, "so hot"), used(OTHER, PHRASE, "so hot today", 0.9), ticks=5 * DAY,
    )  # fmt: skip
    assert synthesised(reports, seed, crash) == synthesised(reports)


def test_a_phrase_within_a_phrase_is_not_named() -> None:
    told = synthesised(
        reported(
            used(ONE, PHRASE, "cat drop"), used(ONE, PHRASE, "the cat drop", 0.95),
            used(ONE, PHRASE, "other words", 0.9), ticks=5 * DAY,
        )
    )  # fmt: skip
    assert len(ids(told)) == 1
    assert len(told[-1].members) == 2
    assert "other words" in told[-1].members


@pytest.mark.parametrize("per_tick", [2, 8])
def test_a_smaller_signal_joins_the_larger_one_around_it(per_tick: int) -> None:
    """From some size on the larger one's reels are known from a sample only."""
    rate = np.full(4 * DAY, float(per_tick))
    rate[3 * DAY + 1] = 600
    larger = reels(rate, 1)
    smaller = larger[larger["tick"] == START + 3 * DAY + 1][::2]
    told = synthesised(
        reported(used(larger, HASHTAG, "fun"), used(smaller, SOUND, "s-cat"), ticks=4 * DAY)
    )
    assert len(ids(told)) == 1


def test_only_so_many_members_are_named() -> None:
    tags = [used(ONE, HASHTAG, f"tag{i:02}", 0.8) for i in range(MAX_MEMBERS + 4)]
    told = synthesised(reported(*tags, ticks=5 * DAY))
    assert len(ids(told)) == 1
    assert max(len(one.members) for one in told) == MAX_MEMBERS


def test_a_trend_keeps_the_least_p_and_q_value_of_its_signals_so_far() -> None:
    reports = reported(used(ONE, SOUND, "s-cat"), ticks=5 * DAY)
    told = synthesised(reports)
    for one in told:
        so_far = [
            part.log10_p[at.start]
            for t in reports
            for part, at in reports[t]
            if t <= START + one.tick
        ]
        assert one.q_value == pytest.approx(1000 * 10.0 ** min(so_far))
        assert one.log10_p == min(so_far)


def test_nothing_improbable_enough_is_a_trend() -> None:
    reports = reported(used(ONE, SOUND, "s-cat"), ticks=5 * DAY)
    synthesis = Synthesis(replace(SETTINGS, burst_fdr=1e-300))
    assert [
        synthesis.tick(tick, reports[tick], tests=1000, known=NOBODY) for tick in sorted(reports)
    ] == [[] for _ in reports]


def test_a_community_that_bursts_is_a_discovery_however_many_signals_are_alive() -> None:
    """It was held against what the graph watches, and not against all signals."""
    label = packed([Part(1, SOUND, b"song", 9), Part(2, HASHTAG, b"dance", 9)])
    rows, _ = used(reels(np.r_[np.zeros(20), np.ones(40)], 1), COMMUNITY, "couple")
    rows["label_len"] = len(label)
    found = {
        tests: [
            revision
            for tick, parts in reported((rows, label), ticks=60).items()
            for revision in synthesis.tick(tick, parts, tests=tests, known=NOBODY)
        ]
        for tests, synthesis in ((one, Synthesis(SETTINGS)) for one in (1, 10**60))
    }
    assert [one.trend.id for one in found[1]] == [one.trend.id for one in found[10**60]] != []
    assert max(one.trend.q_value for one in found[10**60]) <= CERTAIN
    assert {s.id for s, _ in found[10**60][0].members} == {"song", "dance"}


def test_what_is_no_longer_followed_is_forgotten() -> None:
    later = reels(logistic(20, 18 * DAY, 5.0), seed=5)
    reports = reported(used(ONE, SOUND, "s-cat"), used(later, SOUND, "s-dog"), ticks=20 * DAY)
    synthesis = Synthesis(SETTINGS)
    for tick in sorted(reports):
        synthesis.tick(tick, reports[tick], tests=1000, known=NOBODY)
    assert [sorted(s.id for s in t.signals.values()) for t in synthesis.trends.values()] == [
        ["s-dog"]
    ]
    assert len(synthesis._signals) == len(synthesis._owner) == len(synthesis._followed) == 1
    assert [*synthesis._by_number.values()] == [*synthesis.trends.values()]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_only_so_many_signals_are_known(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that do not fit are told when there is room again, if they still burst."""
    tags = [
        used(reels(logistic(7, 2 * DAY + 4 * HOUR * i, 5.0), seed=i), HASHTAG, f"tag{i}")
        for i in range(4)
    ]
    reports = reported(*tags, ticks=7 * DAY)
    assert {one.members for one in synthesised(reports)} == {(f"tag{i}",) for i in range(4)}
    monkeypatch.setattr("trend.synthesis.MAX_SIGNALS", limit)
    told = synthesised(reports)
    assert told == synthesised(reports, seed=1, crash=True)
    assert {one.members for one in told} >= {(f"tag{i}",) for i in range(limit)}
    synthesis = Synthesis(SETTINGS)
    for tick in sorted(reports):
        synthesis.tick(tick, reports[tick], tests=1000, known=NOBODY)
        assert len(synthesis._owner) <= limit
        assert len(synthesis._signals) <= limit + len(reports[tick])
        assert set(synthesis._owner) <= set(synthesis._signals)
        assert len(synthesis._followed) == len(synthesis._signals)


def test_what_is_known_of_a_signal_holds_no_reports() -> None:
    """A view into the arrays of a report would keep all of it for days."""
    synthesis = Synthesis(SETTINGS)
    reports = reported(used(ONE, SOUND, "s-cat"), used(ONE, HASHTAG, "catdrop"), ticks=5 * DAY)
    for tick in sorted(reports):
        synthesis.tick(tick, reports[tick], tests=1000, known=NOBODY)
    parts = [part for tick in reports for part, _ in reports[tick]]
    for signal in synthesis._signals.values():
        assert len(synthesis._followed.series(signal.row)) <= 48
        assert not any(np.shares_memory(signal.sample.reels, part.samples) for part in parts)


def test_the_series_of_a_signal_in_no_trend_misses_no_hour() -> None:
    """It is reported each hour, though without a burst and mostly without details."""
    reports = reported(used(ONE, SOUND, "s-cat"), ticks=5 * DAY)
    synthesis = Synthesis(replace(SETTINGS, burst_fdr=1e-300))
    for tick in sorted(reports):
        for part, at in reports[tick] if synthesis._signals else []:
            part.numbers[at, bursts.BURST] = 0
        synthesis.tick(tick, reports[tick], tests=1000, known=NOBODY)
        for signal in synthesis._signals.values():
            hours = [hour for hour, _, _ in synthesis._followed.series(signal.row)]
            assert hours == list(range(tick // HOUR - len(hours) + 1, tick // HOUR + 1))


def test_an_id_is_a_ulid_that_sorts_by_time() -> None:
    names = [trend_id(signal=9, onset=onset, tick_seconds=600) for onset in range(0, 10**7, 9973)]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {26}
    assert len({trend_id(signal, 5, 600) for signal in range(1000)}) == 1000
    assert trend_id(2**64 - 1, 0, 600).startswith("0000000000")


class Platform:
    """A platform with so many reels a tick, of whose reels all is known."""

    def __init__(self, rows: Rows, per_tick: int) -> None:
        self._of = {int(row["reel"]): row for row in rows}
        self._per_tick = per_tick

    def reels(self, hashes: Reels) -> Seen:
        rows = [self._of[reel] for reel in hashes.tolist()]
        columns = [(int(row["author"]), 0, int(row["apply"])) for row in rows]
        author, text, tick = zip(*columns, strict=True) if columns else ((), (), ())
        return looked_at(author, text, tick)

    def usual(self, ticks: int) -> Usual:
        return UNUSUAL

    def volume(self, ticks: int) -> npt.NDArray[np.int64]:
        return np.full(ticks, self._per_tick)


def first_told(
    rows: Rows, fdr: float, per_tick: int = 600, burst_fdr: float = BURST_FDR
) -> int | None:
    """The authors so far when a signal is first told of."""
    reports = reported(used(rows, SOUND, "s-cat"), ticks=5 * DAY, volume=per_tick)
    synthesis = Synthesis(replace(SETTINGS, fdr=fdr, burst_fdr=burst_fdr))
    known = Platform(rows, per_tick)
    for tick in sorted(reports):
        if synthesis.tick(tick, reports[tick], tests=1000, known=known):
            return int(np.count_nonzero(rows["apply"] <= tick))
    return None


def fizzle(seed: int) -> Rows:
    """Some 25 authors within six hours, and then nobody."""
    return reels(logistic(5, 2 * DAY, 1.0, rise_h=0.7, lasts_h=4), seed)


def test_what_fizzles_is_not_told_and_what_takes_off_is_while_it_is_small() -> None:
    fizzles = [first_told(fizzle(seed), fdr=0.1) for seed in range(8)]
    trends = [
        first_told(reels(logistic(5, 2 * DAY, 9.0, rise_h=5), seed), 0.1) for seed in range(8)
    ]
    assert sum(told is not None for told in fizzles) <= 1
    assert all(told is not None and told < 150 for told in trends)
    assert [first_told(fizzle(seed), fdr=1.0) is not None for seed in range(8)] == [True] * 8


def test_the_more_false_alerts_are_accepted_the_sooner_it_is_told() -> None:
    rows = reels(logistic(5, 2 * DAY, 9.0, rise_h=5), seed=1)
    told = [first_told(rows, fdr) or 10**9 for fdr in (0.02, 0.1, 0.3, 1.0)]
    assert told == sorted(told, reverse=True)
    assert told[0] > told[-1]


def test_what_many_do_at_once_is_told_at_once() -> None:
    """Hundreds within an hour, as after an earthquake, whatever the size of the platform."""
    rows = reels(np.where(np.arange(5 * DAY) >= 2 * DAY, 60.0, 0.0), seed=1)
    told = [first_told(rows, 0.1, per_tick) for per_tick in (100, 600, 5_000)]
    assert all(one is not None and one <= 240 for one in told)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_a_small_platform_a_hundredth_of_it_is_told_once_it_surely_bursts(seed: int) -> None:
    rows = fizzle(seed)
    sure = first_told(rows, fdr=1.0, per_tick=6, burst_fdr=CERTAIN)
    assert first_told(rows, fdr=0.1, per_tick=6) == sure


def test_it_learns_how_cascades_end() -> None:
    """After many that fizzled, the next is less likely to take off."""
    starts = range(DAY, 17 * DAY, 12 * HOUR)
    curve = sum(
        (np.roll(logistic(20, 2 * DAY, 1.0, rise_h=0.7, lasts_h=4), s - 2 * DAY) for s in starts),
        np.zeros(20 * DAY),
    )
    rows = reels(curve, seed=4)
    number = (rows["tick"] - START) // (12 * HOUR)
    signals = [used(rows[number == n], HASHTAG, f"tag{n}") for n in np.unique(number)]
    reports = reported(*signals, ticks=20 * DAY, volume=600)
    synthesis = Synthesis(replace(SETTINGS, fdr=0.1))
    learner = synthesis.candidates.learner
    z = learner.regressors(0.0, np.log(20.0))
    before = learner.probability(z)
    for tick in sorted(reports):
        known = Platform(rows, 600)
        synthesis.tick(tick, reports[tick], tests=1000, known=known)
    assert learner.probability(z) < before - 0.02
    assert len(synthesis.candidates) <= 8
