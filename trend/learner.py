"""What a stream teaches: a Bayesian logistic regression, and the threshold of alerts.

The log-odds s that the fitted trees give, and e that they add for engagement, are corrected by what
became of the cascades of this stream, z = (1, s, ln(authors / 20), e):

    P = 1 / (1 + exp(-m . z))       with m ~ N(mean, precision^-1), at first (0, 1, 0, 1)

So where engagement tells less than it did on the streams fitted on, it soon counts for less.

An ended cascade moves m by a Newton step on its log-loss (an extended Kalman filter); what is old
counts ever less. An alert moves the threshold, so that the mean of 1 - P over the alerts becomes
`fdr`: it rises when 1 - P is above, and falls when it is below.

Sources: Spiegelhalter & Lauritzen (1990) for the regression; Robbins & Monro (1951) for the
threshold.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

_TYPICAL: Final = math.log(20.0)
_PRIOR_MEAN: Final = np.array([0.0, 1.0, 0.0, 1.0])
_PRIOR_DEVIATION: Final = np.array([0.5, 0.15, 0.15, 1.0])
_KEPT: Final = 0.998
"""Share of what was learned that the next cascade leaves."""
_RATE: Final = 0.1
_STEP: Final = 0.3
"""The threshold's log-odds move so far at most at an alert."""
_FROM: Final = 2.2
"""The first threshold is at 1 - P of so many times `fdr`: alerts are surer than it on average."""
_LEAST: Final = 0.02


class Learner:
    """Probabilities of taking off, and which of them are told.

    Args:
        fdr: share of false alerts that is accepted, above 0; from 1 on everything is told.
    """

    def __init__(self, fdr: float) -> None:
        self.fdr = fdr
        self.threshold = log_odds_of(1.0 - min(_FROM * fdr, 0.75))
        self._mean = _PRIOR_MEAN.copy()
        self._prior = np.diag(_PRIOR_DEVIATION**-2.0)
        self._precision = self._prior.copy()

    def regressors(self, log_odds: float, log_authors: float, engaged: float = 0.0) -> F64:
        """Return z, float64[4]; `engaged` is what the trees add for engagement."""
        return np.array([1.0, log_odds, log_authors - _TYPICAL, engaged])

    def probability(self, z: F64) -> float:
        """Return P."""
        return 1.0 / (1.0 + math.exp(-min(max(float(self._mean @ z), -30.0), 30.0)))

    def tells(self, probability: float) -> bool:
        """Say whether that is enough for an alert, and if so move the threshold."""
        if self.fdr >= 1.0:
            return True
        if log_odds_of(probability) < self.threshold:
            return False
        step = _RATE * (1.0 - probability - self.fdr) / self.fdr
        self.threshold += min(max(step, -_STEP), _STEP)
        return True

    def learn(self, asked: list[F64], took_off: bool) -> None:
        """Take the end of one cascade.

        Args:
            asked: its z each time it was asked about, float64[4] each.
        """
        self._precision = self._prior + _KEPT * (self._precision - self._prior)
        for z in asked:
            p = self.probability(z)
            weight = 1.0 / len(asked)
            self._precision += weight * max(p * (1.0 - p), _LEAST) * np.outer(z, z)
            self._mean += np.linalg.solve(self._precision, weight * (float(took_off) - p) * z)


def more_likely(p: float, log_odds: float) -> float:
    """Return a probability to whose log-odds something is added; 0 leaves it as it is.

    Example:
        >>> more_likely(0.7, 0.0), round(more_likely(0.5, -1.0), 3)
        (0.7, 0.269)
    """
    if log_odds == 0.0:
        return p
    return 1.0 / (1.0 + math.exp(-(log_odds_of(p) + log_odds)))


def log_odds_of(p: float) -> float:
    """Return the log-odds of a probability, finite."""
    p = min(max(p, 1e-12), 1.0 - 1e-12)
    return math.log(p / (1.0 - p))
