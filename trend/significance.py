"""How improbable a count is: upper tails of the negative binomial, and the false-discovery rate.

A signal's authors in a window are judged against NB(r, mean): a Poisson whose rate is itself
uncertain with r pseudo-counts of evidence. Few counts behind the expectation give a small r and a
heavy tail; much evidence gives a tail that nears Poisson's.

    P(X >= x) = I_rho(x, r),   rho = mean / (mean + r)

with I the regularised incomplete beta function, by Lentz's continued fraction in the logarithm, so
that tails far below the smallest float keep their order.

Sources: Abramowitz & Stegun 26.5.8 and 26.5.26; Press et al., Numerical Recipes, 6.4; Benjamini &
Hochberg (1995) for `q_values`.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

_TINY: Final = 1e-300
_PRECISION: Final = 1e-14
_LOG10: Final = math.log(10.0)


@njit(cache=True)
def log10_upper_tail(count: float, mean: float, r: float) -> float:
    """Return log10 of P(X >= count) for X ~ NB with the given mean and `r` pseudo-counts.

    Args:
        count: observed, >= 0.
        mean: expected, > 0.
        r: evidence behind the mean, > 0; the variance is mean + mean**2 / r.

    Example:
        >>> round(log10_upper_tail(1, 1.0, 1.0), 6)  # P(X >= 1) = 1/2 for a geometric of mean 1
        -0.30103
    """
    if count <= 0:
        return 0.0
    rho = mean / (mean + r)
    return min(0.0, _log_incomplete_beta(rho, count, r) / _LOG10)


@njit(cache=True)
def _log_incomplete_beta(x: float, a: float, b: float) -> float:
    """Return ln I_x(a, b) for 0 < x < 1."""
    front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return front + math.log(_beta_fraction(x, a, b) / a)
    other = math.exp(front) * _beta_fraction(1.0 - x, b, a) / b
    return math.log1p(-min(other, 1.0 - 1e-16))


@njit(cache=True)
def _beta_fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function by Lentz's method."""
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, 10_000):
        for step in range(2):
            if step == 0:
                factor = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
            else:
                factor = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
            d = 1.0 + factor * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + factor / c
            c = c if abs(c) > _TINY else _TINY
            value *= d * c
        if abs(d * c - 1.0) < _PRECISION:
            break
    return value


def q_values(log10_p: npt.NDArray[np.float64], tests: int) -> npt.NDArray[np.float64]:
    """Benjamini-Hochberg q-values of the smallest p-values among `tests` of them.

    Args:
        log10_p: log10 of p-values, float64[n]; those not given are taken to be larger.
        tests: number of all tests, >= n.

    Returns:
        For each the smallest false-discovery rate at which it is a discovery, float64[n].

    Example:
        >>> q_values(np.array([-6.0, -3.0, -2.0]), tests=100).round(6).tolist()
        [0.0001, 0.05, 0.333333]
    """
    order = np.argsort(log10_p, kind="stable")
    ranks = np.arange(1, order.size + 1)
    q = np.minimum(10.0 ** log10_p[order] * max(tests, order.size) / ranks, 1.0)
    q = np.minimum.accumulate(q[::-1])[::-1]
    result = np.empty(order.size)
    result[order] = q
    return result
