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
from trend.kinds import HASHTAG, PHRASE, SOUND
from trend.records import USE, VOLUME
from trend.shard import Shard, ShardReports
from trend.synthesis import Synthesis, SynthesisSettings
from trend.trends import MAX_MEMBERS, trend_id

HOUR, DAY = 6, 144
START = 2_950_000 // DAY * DAY
WINDOWS = (1, 3, 6, 12, 24)
SETTINGS = SynthesisSettings(tick_seconds=600, windows_h=WINDOWS, fdr=0.01, overlap=0.3)
SHARD = ShardSettings(600, WINDOWS, 8, 2.0, 16_000_000)
Rows = npt.NDArray[np.void]
Curve = npt.NDArray[np.float64]
Reports = dict[int, list[tuple[ShardReports, slice]]]


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
        for revision in synthesis.tick(tick, [reports[tick][i] for i in order], tests=1000):
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
    synthesis = Synthesis(replace(SETTINGS, fdr=1e-300))
    assert [synthesis.tick(tick, reports[tick], tests=1000) for tick in sorted(reports)] == [
        [] for _ in reports
    ]


def test_what_is_no_longer_followed_is_forgotten() -> None:
    later = reels(logistic(20, 18 * DAY, 5.0), seed=5)
    reports = reported(used(ONE, SOUND, "s-cat"), used(later, SOUND, "s-dog"), ticks=20 * DAY)
    synthesis = Synthesis(SETTINGS)
    for tick in sorted(reports):
        synthesis.tick(tick, reports[tick], tests=1000)
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
        synthesis.tick(tick, reports[tick], tests=1000)
        assert len(synthesis._owner) <= limit
        assert len(synthesis._signals) <= limit + len(reports[tick])
        assert set(synthesis._owner) <= set(synthesis._signals)
        assert len(synthesis._followed) == len(synthesis._signals)


def test_what_is_known_of_a_signal_holds_no_reports() -> None:
    """A view into the arrays of a report would keep all of it for days."""
    synthesis = Synthesis(SETTINGS)
    reports = reported(used(ONE, SOUND, "s-cat"), used(ONE, HASHTAG, "catdrop"), ticks=5 * DAY)
    for tick in sorted(reports):
        synthesis.tick(tick, reports[tick], tests=1000)
    parts = [part for tick in reports for part, _ in reports[tick]]
    for signal in synthesis._signals.values():
        assert len(synthesis._followed.series(signal.row)) <= 48
        assert not any(np.shares_memory(signal.sample.reels, part.samples) for part in parts)


def test_the_series_of_a_signal_in_no_trend_misses_no_hour() -> None:
    """It is reported each hour, though without a burst and mostly without details."""
    reports = reported(used(ONE, SOUND, "s-cat"), ticks=5 * DAY)
    synthesis = Synthesis(replace(SETTINGS, fdr=1e-300))
    for tick in sorted(reports):
        for part, at in reports[tick] if synthesis._signals else []:
            part.numbers[at, bursts.BURST] = 0
        synthesis.tick(tick, reports[tick], tests=1000)
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
