"""Forecasts: how often what comes is within the interval, and how far off they are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trend.forecast import AHEAD_H, BUSIEST, COVERAGE, RHYTHM_H, _quantiles, forecast, rhythm
from trend.stages import STAGE, STAGES, hour

F64 = npt.NDArray[np.float64]
TPH = 6
PAST_H = 48
SERIES = [(hour, 2 * hour, 0.5) for hour in range(100, 110)]
FLAT = np.ones(RHYTHM_H)


@dataclass(frozen=True, slots=True)
class Burst:
    """Reels of each hour, the first `PAST_H` known."""

    reels: npt.NDArray[np.int64]
    stage: str
    beat: F64


def burst(seed: int) -> Burst | None:
    """A logistic rise and an exponential fall at any moment of it; None while it is too small."""
    rng = np.random.default_rng(seed)
    doubling = 2.0 * 24.0 ** rng.random()
    halving = doubling * rng.uniform(0.7, 2.5)
    from_peak = rng.uniform(-3, 3) * doubling
    at = np.arange(PAST_H + AHEAD_H) - PAST_H + 0.5
    shift = np.log2(halving / doubling) / (1 / doubling + 1 / halving)
    x = at + from_peak + shift
    shape = 1 / (np.exp2(-x / doubling) + np.exp2(x / halving))
    top = 1 / (np.exp2(-shift / doubling) + np.exp2(shift / halving))
    wave = 1 + 0.5 * np.cos(2 * np.pi * (at + rng.uniform(0, 24)) / 24)
    rate = shape / top * wave * 3.0 * 100.0 ** rng.random()
    reels = rng.poisson(rate * rng.gamma(20, 1 / 20, rate.size))
    if reels[PAST_H - 24 : PAST_H].sum() < 20:
        return None
    volume = rng.poisson(100 * wave[:PAST_H])
    beat = rhythm(np.repeat(volume, TPH)[::-1][: RHYTHM_H * TPH], TPH, TPH)
    return Burst(reels, told(reels[:PAST_H], volume), beat)


def told(reels: npt.NDArray[np.int64], volume: npt.NDArray[np.int64]) -> str:
    """Return the stage that is told at the end of the hours, by windows of six."""
    trends = np.zeros(1, STAGE)
    for end in range(12, reels.size + 1):
        now, before = reels[end - 6 : end].sum(), reels[end - 12 : end - 6].sum()
        busy, busy_before = volume[end - 6 : end].sum(), volume[end - 12 : end - 6].sum()
        if now >= 20:
            hour(trends, 0, now / busy, before / busy_before, int(now), True, False, False)
    return STAGES[trends["stage"][0]]


BURSTS = [one for one in map(burst, range(1500)) if one is not None]
CAME = np.array([one.reels[PAST_H:] for one in BURSTS])
FORECASTS = np.array(
    [
        forecast(
            [*zip(range(PAST_H), one.reels[:PAST_H].tolist(), [0.1] * PAST_H, strict=True)],
            one.stage,
            one.beat,
            PAST_H * TPH - 1,
            TPH,
        ).reels
        for one in BURSTS
    ]
)


@pytest.mark.parametrize("hours", [slice(0, 6), slice(6, 12), slice(12, 24)])
def test_about_as_many_hours_are_within_the_interval_as_are_said_to_be(hours: slice) -> None:
    middle, low, high = np.moveaxis(FORECASTS[:, hours], -1, 0)
    came = CAME[:, hours]
    within = ((low <= came) & (came <= high))[middle >= 5]
    assert within.size > 1000
    assert COVERAGE - 0.1 <= within.mean() <= COVERAGE + 0.1


@pytest.mark.parametrize("stage", STAGES[:3])
def test_it_is_nearer_than_the_last_hour_and_than_yesterday(stage: str) -> None:
    of = np.array([one.stage == stage for one in BURSTS])
    last = np.array([one.reels[PAST_H - 1 : PAST_H] for one in BURSTS])
    yesterday = np.array([one.reels[PAST_H - 24 : PAST_H] for one in BURSTS])
    own, *others = (
        np.abs(CAME - guess)[of].mean(axis=1) for guess in (FORECASTS[..., 0], last, yesterday)
    )
    for other in others:
        assert np.median(own) < np.median(other)
        assert own.mean() < other.mean()


def test_it_is_of_the_24_hours_that_begin_after_the_tick() -> None:
    for tick in (110 * TPH - 1, 110 * TPH, 111 * TPH - 2):
        found = forecast(SERIES, "emerging", FLAT, tick, TPH)
        assert found.first_hour == tick // TPH + 1
        assert found.reels.shape == (AHEAD_H, 3)


def test_a_part_of_an_hour_counts_as_a_part() -> None:
    steady = [(hour, 60, 0.5) for hour in range(100, 110)]
    whole = forecast(steady, "peaking", FLAT, 110 * TPH - 1, TPH).reels
    part = forecast([*steady, (110, 20, 0.5)], "peaking", FLAT, 110 * TPH + 1, TPH).reels
    assert part[:20, 0] == pytest.approx(whole[1:21, 0], rel=0.1)


def test_busy_hours_get_more_and_the_half_of_a_wave_repeats() -> None:
    beat = np.ones(RHYTHM_H)
    beat[10:14] = 2.0  # as many hours before the current one
    steady = [(hour, 60, 0.5) for hour in range(100, 110)]
    flat, waved = (
        forecast(steady, "peaking", one, 110 * TPH - 1, TPH).reels for one in (FLAT, beat)
    )
    assert (waved[24 - 13 : 24 - 11, 0] > 1.2 * flat[24 - 13 : 24 - 11, 0]).all()


def test_the_interval_widens_with_the_hours() -> None:
    steady = [(hour, 200, 0.5) for hour in range(62, 110)]
    _, low, high = forecast(steady, "peaking", FLAT, 110 * TPH - 1, TPH).reels.T
    width = np.log(high / low)
    assert (np.diff(width) > -0.02).all()
    assert width[-1] > 1.2 * width[0]


def test_what_falls_goes_on_to_fall_down_to_what_is_expected() -> None:
    falling = [(hour, round(500 * 0.8 ** (hour - 90)), 6.0) for hour in range(90, 110)]
    reels = forecast(falling, "fading", FLAT, 110 * TPH - 1, TPH).reels[:, 0]
    assert (np.diff(reels) <= 0).all()
    assert 3 < reels[-1] <= 6


@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.floats(0, 1e6)), min_size=1, max_size=48),
    st.sampled_from(STAGES),
    st.integers(0, TPH - 1),
    st.lists(st.integers(0, 10**7), min_size=TPH * RHYTHM_H, max_size=TPH * RHYTHM_H),
)
def test_of_any_past_it_is_finite_and_in_order(
    past: list[tuple[int, float]], stage: str, late: int, volume: list[int]
) -> None:
    beat = rhythm(np.array(volume)[: late + 1 + 24 * TPH], late + 1, TPH)
    assert ((beat >= 1 / BUSIEST) & (beat <= BUSIEST)).all()
    series = [(hour, reels, expected) for hour, (reels, expected) in enumerate(past, 200)]
    tick = (200 + len(past) - 1) * TPH + late
    found = forecast(series, stage, beat, tick, TPH).reels
    assert np.isfinite(found).all()
    middle, low, high = found.T
    assert ((low >= 0) & (low <= middle) & (middle <= high)).all()
    assert (found == forecast(series, stage, beat, tick, TPH).reels).all()


@pytest.mark.parametrize("mean", [0.5, 3.0, 20.0, 500.0])
@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_the_quantiles_are_nearly_those_of_the_negative_binomial(
    mean: float, spread: float
) -> None:
    found = np.zeros((1, 3))
    _quantiles(mean, spread, found, 0)
    counts = stats.nbinom(1 / spread, 1 / (1 + mean * spread))
    assert found[0, 1:] == pytest.approx(counts.ppf([0.1, 0.9]), abs=1, rel=0.06)
    assert found[0, 0] == pytest.approx(counts.median(), abs=1, rel=0.06)


def test_a_platform_that_nothing_is_known_of_has_no_rhythm() -> None:
    assert rhythm(np.zeros(RHYTHM_H * TPH, np.int64), TPH, TPH).tolist() == [1.0] * RHYTHM_H
