"""Functions of `scipy.special`, imported when one is first called: that takes as long as half of a forecast.

Each takes arrays or numbers, which broadcast, and returns float64.
"""

from __future__ import annotations

import numpy as np

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.student_t_quantile import (
    GREATEST_TAIL,
    LEAST_DF,
    LEAST_TAIL,
    upper_quantile,
)

Numbers = Array | float


def betaln(a: Numbers, b: Numbers) -> Array:
    """Return the log of the beta function."""
    from scipy import special

    return np.asarray(special.betaln(a, b), np.float64)


def ndtr(x: Numbers) -> Array:
    """Return the cdf of the standard normal."""
    from scipy import special

    return np.asarray(special.ndtr(x), np.float64)


def normal_quantile(p: float) -> float:
    """Return the quantile of the standard normal at the probability `p`."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def stdtr(df: Numbers, t: Numbers) -> Array:
    """Return the cdf of the Student-t with `df` degrees of freedom."""
    from scipy import special

    return np.asarray(special.stdtr(df, t), np.float64)


def stdtrit(df: Numbers, p: Numbers) -> Array:
    """Return the quantiles of the Student-t with `df` degrees of freedom at probabilities `p`.

    Those of intervals are computed without SciPy, see `student_t_quantile`.
    """
    if isinstance(p, float) and p == 0.5:
        return np.zeros(np.shape(df))
    if isinstance(p, float) and LEAST_TAIL <= min(p, 1 - p) <= GREATEST_TAIL:
        degrees = np.asarray(df, np.float64)
        if degrees.size and degrees.min() >= LEAST_DF and degrees.max() < np.inf:
            return np.copysign(upper_quantile(degrees, min(p, 1 - p)), p - 0.5)
    from scipy import special

    return np.asarray(special.stdtrit(df, p), np.float64)
