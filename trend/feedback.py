"""What people say of alerts, real or noise: a Bayesian logistic regression beside the learner's.

A trend that people judged was told at a probability P of taking off, with what was seen of it, x:

    P(people call it real) = 1 / (1 + exp(-(ln(P / (1 - P)) + w . x)))     w ~ N(mean, deviation^2)

w is the most likely one given all that was said, found anew whenever something is said, so that a
word can be taken back and the order of words does not matter. To the log-odds of what is asked
about later is added, at most `BOUND` either way,

    w . x - max(0, mean of w . x over the alerts that were judged)

As long as nothing was said it is nothing. Where people call nearly all alerts real it is little:
they judge what was told, which was likely, and that says nothing of what was not.

One of x is how earlier trends with the same signals were judged; that is what w counts on before
anything else is known.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.kinds import COMMUNITY
from trend.takeoff import FEATURES

F64 = npt.NDArray[np.float64]

SEEN: Final = (
    "expected", "most_of_one", "reels_an_author", "day_before", "together", "reach", "passed_on",
    "region", "language",
)  # fmt: skip
"""Of `trend.takeoff.FEATURES`, what tells kinds of trends apart rather than their growth."""
_PLACES: Final = [FEATURES.index(name) for name in SEEN]
_CENTRE: Final = np.array([0.0, 0.0, 1.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0])
_SCALE: Final = np.array([2.0, 0.25, 0.5, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0])
_FARTHEST: Final = 2.0
_MEAN: Final = np.array([0.0] * (1 + COMMUNITY) + [0.0] * len(SEEN) + [2.0])
_DEVIATION: Final = np.array([0.3] + [0.7] * COMMUNITY + [0.5] * len(SEEN) + [1.0])
BOUND: Final = 2.5
"""Log-odds that people add or take at most."""
SUREST: Final = 3.0
"""Log-odds that an alert counts for at most: nothing is so sure that people could not doubt it."""
MAX_TOLD: Final = 4096
"""Alerts that can still be judged, those told last."""
MAX_SAID: Final = 2 * MAX_TOLD
"""Trends of which it is kept what people say."""
_DOUBT: Final = 1.0
"""People who say neither, added to those who judge a trend: one alone may be mistaken."""
_STEPS: Final = 50
_LONGEST: Final = 2.0
"""Log-odds of any alert that a step changes at most: where all are sure a full one goes too far."""
_NEAR: Final = 1e-6


class _Alert(NamedTuple):
    """What is kept of a trend that was told."""

    x: F64
    log_odds: float
    """Of P."""
    signals: tuple[int, ...]


class Feedback:
    """What was told, what people say of it, and what follows for what is asked about next."""

    def __init__(self) -> None:
        self._told: dict[str, _Alert] = {}
        """By trend, in the order they were told."""
        self._said: dict[str, list[int]] = {}
        """By trend, told or not: how many say real, how many noise."""
        self._weights = np.zeros(_MEAN.size)
        self._usual = 0.0
        """What people add to the alerts that they judge, on average; not below 0."""
        self._judged: dict[int, float] = {}
        """Signal -> how trends with it were judged, from -1 (noise) to 1."""

    def seen(self, features: F64, signals: Sequence[int], kinds: Sequence[int]) -> F64:
        """Return x, float64[15].

        Args:
            features: `trend.takeoff.FEATURES`, float64[21].
            signals: that rise together, by their hashes.
            kinds: of each of them.
        """
        shares = np.bincount(kinds, minlength=COMMUNITY + 1)[:COMMUNITY] / max(len(kinds), 1)
        there = (features[_PLACES] - _CENTRE) / _SCALE
        known = [self._judged[one] for one in signals if one in self._judged]
        before = sum(known) / len(known) if known else 0.0
        return np.array([1.0, *shares, *np.clip(there, -_FARTHEST, _FARTHEST), before])

    def adds(self, x: F64) -> float:
        """Return the log-odds that people add to what is like this."""
        if not self._judged:
            return 0.0
        return min(max(float((self._weights * x).sum()) - self._usual, -BOUND), BOUND)

    def told(self, trend: str, x: F64, log_odds: float, signals: Sequence[int]) -> None:
        """Note an alert: what was seen of it, and the log-odds of P without what people say."""
        bounded = min(max(log_odds, -SUREST), SUREST)
        self._told[trend] = _Alert(x, bounded, tuple(signals))
        if len(self._told) > MAX_TOLD:
            oldest = next(iter(self._told))
            del self._told[oldest]
            self._said.pop(oldest, None)
        if trend in self._said:
            self._fit()

    def hear(self, words: Sequence[tuple[str, int, int]]) -> None:
        """Take what people said since: of which trend, how many more call it real, and noise.

        What is said of a trend that is not told yet counts when it is.
        """
        for trend, real, noise in words:
            said = self._said.setdefault(trend, [0, 0])
            said[0] += real
            said[1] += noise
            if said == [0, 0]:
                del self._said[trend]
        while len(self._said) > MAX_SAID:
            del self._said[next(iter(self._said))]
        if any(trend in self._told for trend, *_ in words):
            self._fit()

    def _fit(self) -> None:
        """Find the weights and how signals are judged, of all that is said now."""
        # Where what was said first is forgotten, less may be left than is taken back.
        known = {name: self._said[name] for name in self._told if name in self._said}
        told = [self._told[name] for name, said in known.items() if max(said) > 0]
        said = [
            (max(real, 0), max(noise, 0)) for real, noise in known.values() if real > 0 or noise > 0
        ]
        sums: dict[int, list[float]] = {}
        for alert, (real, noise) in zip(told, said, strict=True):
            for signal in alert.signals:
                sums.setdefault(signal, []).append((real - noise) / (real + noise + _DOUBT))
        self._judged = {signal: sum(of) / len(of) for signal, of in sums.items()}
        self._weights, self._usual = _MEAN.copy(), 0.0
        if not told:
            return
        x = np.stack([alert.x for alert in told])
        offset = np.array([alert.log_odds for alert in told])
        share = np.array([real / (real + noise) for real, noise in said])
        precision = _DEVIATION**-2.0
        for _ in range(_STEPS):  # Newton's
            p = 1.0 / (1.0 + np.exp(-(offset + (x * self._weights).sum(axis=1))))
            slope = (x * (share - p)[:, None]).sum(axis=0) - precision * (self._weights - _MEAN)
            # Not by matrix products: their sums may depend on how many threads there are.
            curve = np.einsum("ni,n,nj->ij", x, p * (1.0 - p), x) + np.diag(precision)
            step = np.linalg.solve(curve, slope)
            farthest = np.abs((x * step).sum(axis=1)).max()
            self._weights = self._weights + step * min(1.0, _LONGEST / max(farthest, _NEAR))
            if farthest < _NEAR:
                break
        self._usual = max(float((x * self._weights).sum(axis=1).mean()), 0.0)
