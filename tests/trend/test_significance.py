"""Tail probabilities against scipy's, and the false-discovery rate against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from trend.significance import log10_upper_tail, q_values

COUNTS = [1, 2, 3, 5, 8, 13, 30, 100, 365, 1000, 10_000, 60_000]
MEANS = [0.01, 0.1, 0.4, 1, 2.5, 7, 20, 99.5, 365, 1000, 20_000]


@pytest.mark.parametrize("r", [0.3, 0.8, 1.0, 1.8, 5.0, 12.3, 30.0, 200.0])
def test_tails_are_scipys(r: float) -> None:
    checked = 0
    for mean in MEANS:
        for count in COUNTS:
            ours = log10_upper_tail(float(count), mean, r)
            theirs = nbinom.logsf(count - 1, r, r / (mean + r)) / np.log(10)
            if theirs < -290:  # scipy has no logarithm of its own there
                assert ours < -280
                continue
            assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-10)
            checked += 1
    assert checked > 60


def test_far_tails_keep_their_order() -> None:
    tails = [log10_upper_tail(float(count), 0.5, 30.0) for count in range(1, 3000, 7)]
    assert (np.diff(tails) < 0).all()
    assert tails[-1] < -1000


def test_nothing_seen_is_no_surprise() -> None:
    assert log10_upper_tail(0.0, 3.0, 1.0) == 0.0


def test_much_evidence_makes_a_poisson() -> None:
    ours = log10_upper_tail(20.0, 5.0, 1e7)
    assert ours == pytest.approx(poisson.logsf(19, 5.0) / np.log(10), rel=1e-4)


def test_little_evidence_makes_a_heavy_tail() -> None:
    tails = [log10_upper_tail(20.0, 5.0, r) for r in (0.5, 1.0, 5.0, 30.0, 1000.0)]
    assert tails == sorted(tails, reverse=True)


def naive(p: list[float], tests: int) -> list[float]:
    """For each p the least rate at which Benjamini and Hochberg reject it."""
    ranked = sorted(p)
    rates = [min(1.0, value * max(tests, len(p)) / (i + 1)) for i, value in enumerate(ranked)]
    return [min(rates[max(i for i, v in enumerate(ranked) if v <= value) :]) for value in p]


P = st.lists(st.floats(-12, 0) | st.sampled_from([-3.0, -5.0, -400.0]), max_size=15)


@given(P, st.integers(0, 400))
def test_q_values_are_benjamini_and_hochbergs(log10_p: list[float], tests: int) -> None:
    ours = q_values(np.array(log10_p), tests)
    assert ours.tolist() == pytest.approx(naive([10.0**p for p in log10_p], tests), rel=1e-12)


@given(P, st.integers(15, 400), st.randoms())
def test_q_values_do_not_depend_on_the_order(
    log10_p: list[float], tests: int, random: np.random.Generator
) -> None:
    order = list(range(len(log10_p)))
    random.shuffle(order)
    p = np.array(log10_p)
    assert np.array_equal(q_values(p[order], tests), q_values(p, tests)[order])


def test_noise_makes_few_discoveries() -> None:
    rng = np.random.default_rng(1)
    found = sum(bool((q_values(np.log10(rng.random(500)), 500) <= 0.05).any()) for _ in range(400))
    assert found <= 0.08 * 400
