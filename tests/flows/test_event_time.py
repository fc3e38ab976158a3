"""Disturbed arrivals make no trends and stop nothing: outages, disorder, silent partitions."""

from collections import Counter

import pytest

from benchmarks.event_time import ARRIVALS, Stream, marked, simulated
from trend.simulator import SimulatorSettings

MARGIN = 2
"""Signals of the background at the threshold that a disturbance may push over it."""


@pytest.fixture(scope="module")
def stream() -> Stream:
    """Seven days, of which the fourth is to be disturbed."""
    return simulated(SimulatorSettings(seed=5, days=7, reels_per_day=3000, late=0, malformed=0))


@pytest.fixture(scope="module")
def orderly(stream: Stream) -> Counter[str]:
    """What is found in the undisturbed stream."""
    return marked(stream, ARRIVALS["in order"](stream))


@pytest.mark.parametrize("name", [name for name in ARRIVALS if name != "in order"])
def test_a_disturbance_makes_no_trends(stream: Stream, orderly: Counter[str], name: str) -> None:
    parts = ARRIVALS[name](stream)
    assert parts != [stream.lines]
    found = marked(stream, parts)
    assert found["unplanned"] <= orderly["unplanned"] + MARGIN
    assert found["alerts"] <= orderly["alerts"] + MARGIN


@pytest.mark.parametrize("name", ["outage of a day with catch-up", "4 h out of order"])
def test_what_comes_late_is_still_found(stream: Stream, orderly: Counter[str], name: str) -> None:
    found = marked(stream, ARRIVALS[name](stream))
    assert orderly["detected"] >= 5
    assert found["detected"] >= orderly["detected"] - 1
