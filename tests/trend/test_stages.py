"""A trend's stage: one sentence a rule."""

import numpy as np
import pytest

from trend.stages import EMERGING, EVERGREEN, FADING, PEAKING, STAGE, hour


class StageMachine:
    """The stage of one trend, hour by hour."""

    def __init__(self) -> None:
        self.trends = np.zeros(1, STAGE)

    @property
    def stage(self) -> int:
        return int(self.trends["stage"][0])

    def hour(
        self,
        intensity: float,
        before: float,
        authors: int,
        bursting: bool,
        quiet: bool,
        old: bool,
    ) -> bool:
        now, then = float(intensity), float(before)
        return bool(hour(self.trends, 0, now, then, int(authors), bursting, quiet, old))


def walk(intensities: list[float], window: int = 6, bursting: bool = True) -> list[int]:
    """Stages after each hour; `before` is the intensity a window ago."""
    machine = StageMachine()
    stages = []
    for number, now in enumerate(intensities):
        before = intensities[number - window] if number >= window else 0.0
        machine.hour(now, before, int(now), bursting, quiet=False, old=False)
        stages.append(machine.stage)
    return stages


def changes(stages: list[int]) -> list[int]:
    return [stage for i, stage in enumerate(stages) if i == 0 or stages[i - 1] != stage]


@pytest.mark.parametrize("height", [0.001, 1.0, 1e6])
def test_a_logistic_rise_and_fall_emerges_peaks_and_fades(height: float) -> None:
    t = np.arange(120)
    curve = height / (1 + np.exp(-(t - 30) / 5)) / (1 + np.exp((t - 70) / 6))
    stages = walk(curve.tolist())
    assert changes(stages) == [EMERGING, PEAKING, FADING]
    assert 30 < stages.index(PEAKING) < 55
    assert 70 < stages.index(FADING) < 80


@pytest.mark.parametrize(("hourly", "stages"), [(1.06, [EMERGING, PEAKING]), (1.08, [EMERGING])])
def test_it_peaks_when_it_grows_by_less_than_half_in_a_window(
    hourly: float, stages: list[int]
) -> None:
    assert changes(walk([100 * hourly**i for i in range(40)])) == stages


def test_one_odd_hour_changes_nothing() -> None:
    rise = [2.0**i for i in range(20)]
    rise[12] = 1.0
    assert set(walk(rise)) == {EMERGING}


def test_it_fades_below_half_of_its_height() -> None:
    assert changes(walk([*range(1, 40), *[20.0] * 10], window=40)) == [EMERGING]
    assert changes(walk([*range(1, 40), *[19.0] * 10], window=40)) == [EMERGING, FADING]


def test_a_second_wave_brings_it_back() -> None:
    t = np.arange(60)
    wave = np.exp(-(((t - 20) / 8) ** 2))
    stages = changes(walk([*wave, *wave]))
    assert stages == [EMERGING, PEAKING, FADING, PEAKING, FADING]


def test_a_higher_second_rise_emerges_again() -> None:
    flat = [*np.linspace(1, 100, 10), *[100.0] * 10]
    stages = walk([*flat, *[100 * 1.3**i for i in range(1, 12)]])
    assert changes(stages) == [EMERGING, PEAKING, EMERGING]


def test_a_rise_that_does_not_burst_is_no_emergence() -> None:
    flat = [*np.linspace(1, 100, 10), *[100.0] * 10]
    stages = walk([*flat, *[100 * 1.3**i for i in range(1, 12)]], bursting=False)
    assert changes(stages) == [EMERGING, PEAKING]


def test_what_stays_high_when_it_is_no_longer_news_is_evergreen() -> None:
    machine = StageMachine()
    for _ in range(20):
        machine.hour(10.0, 10.0, 10, bursting=False, quiet=False, old=False)
    assert machine.stage == PEAKING
    assert [machine.hour(9.0, 10.0, 9, False, quiet=True, old=True) for _ in range(2)] == [
        False,
        True,
    ]
    assert machine.stage == EVERGREEN
    for _ in range(3):
        machine.hour(1.0, 10.0, 1, bursting=False, quiet=True, old=True)
    assert machine.stage == FADING


def test_a_high_share_of_a_dying_platform_is_not_evergreen() -> None:
    machine = StageMachine()
    for _ in range(20):
        machine.hour(10.0, 10.0, 100, bursting=False, quiet=False, old=False)
    for _ in range(20):
        machine.hour(10.0, 10.0, 49, bursting=False, quiet=True, old=True)
    assert machine.stage == FADING


def test_a_young_trend_that_is_no_longer_news_fades() -> None:
    machine = StageMachine()
    for _ in range(20):
        machine.hour(10.0, 10.0, 100, bursting=False, quiet=False, old=False)
    for _ in range(2):
        machine.hour(10.0, 10.0, 100, bursting=False, quiet=True, old=False)
    assert machine.stage == FADING


def test_a_value_between_two_rules_keeps_the_stage() -> None:
    rng = np.random.default_rng(1)
    machine = StageMachine()
    for now in (10, 100, 100, 100, 40, 40):
        machine.hour(now, 100 if now == 100 else 0, now, bursting=True, quiet=False, old=False)
    assert machine.stage == FADING
    for now in rng.uniform(51, 79, 50):
        assert not machine.hour(now, 60, 60, bursting=True, quiet=False, old=False)
