"""Boosted trees: they find what tells, also where only two columns together tell."""

import numpy as np
import pytest

from trend.trees import Trees, fit, log_odds, parsed

RNG = np.random.default_rng(1)
X = RNG.normal(size=(3000, 5))
EITHER = ((X[:, 1] > 0) != (X[:, 3] > 0.5)).astype(float)


def share_right(trees: Trees, x: np.ndarray, y: np.ndarray) -> float:
    said = np.array([log_odds(trees, row) > 0 for row in x])
    return float(np.mean(said == (y > 0)))


def test_they_learn_what_two_columns_say_together() -> None:
    half = len(X) // 2
    trees = fit(X[:half], EITHER[:half], np.ones(half), trees=60)
    assert share_right(trees, X[half:], EITHER[half:]) > 0.9


def test_their_log_odds_are_those_of_what_chance_does() -> None:
    """Where a column makes an outcome nine times as likely, P is near 0.9 and 0.1."""
    y = (RNG.random(len(X)) < np.where(X[:, 0] > 0, 0.9, 0.1)).astype(float)
    trees = fit(X, y, np.ones(len(X)), trees=80, depth=2)
    p = 1 / (1 + np.exp(-np.array([log_odds(trees, row) for row in X])))
    for side, share in ((X[:, 0] > 0, 0.9), (X[:, 0] <= 0, 0.1)):
        assert p[side].mean() == pytest.approx(share, abs=0.03)


def test_weight_counts_as_rows_do() -> None:
    y = np.zeros(len(X))
    y[:300] = 1.0
    heavy = fit(X, y, np.where(y > 0, 9.0, 1.0), trees=1)
    assert heavy.base == pytest.approx(0.0, abs=1e-9)


def test_the_same_rows_give_the_same_trees() -> None:
    one, two = (fit(X, EITHER, np.ones(len(X)), trees=5) for _ in range(2))
    assert [np.array_equal(a, b) for a, b in zip(one, two, strict=True)] == [True] * 4


def test_written_and_read_they_say_the_same() -> None:
    trees = fit(X, EITHER, np.ones(len(X)), trees=7)
    lines = "\n".join(
        " ".join(f"{f}>{t!r}" for f, t in zip(fs, ts, strict=True))
        + " : "
        + " ".join(map(repr, vs))
        for fs, ts, vs in zip(*(part.tolist() for part in trees[1:]), strict=True)
    )
    again = parsed(trees.base, lines)
    assert [log_odds(again, x) for x in X[:50]] == [log_odds(trees, x) for x in X[:50]]
