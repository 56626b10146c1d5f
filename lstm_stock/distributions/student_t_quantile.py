"""Quantiles of the Student-t in NumPy: importing `scipy.special` takes longer than all that `predict` computes.

They agree with those of SciPy to 1e-10. At a given probability they are a smooth function of the reciprocal
degrees of freedom, which is solved for a few and interpolated between them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from lstm_stock.distributions.base import Array

LEAST_TAIL, GREATEST_TAIL = 1e-5, 0.45
"""The probabilities of the tail beyond the quantile, for which `upper_quantile` is precise."""

LEAST_DF = 2.0
"""The degrees of freedom from which on it is."""

_NODES = 24
"""Chebyshev nodes of the interpolation: more do not agree better with SciPy."""

_SHIFT = 32
_MAX_TERMS, _MAX_ROUNDS = 200, 10


def upper_quantile(df: Array, tail: float) -> Array:
    """Return the value that a Student-t exceeds with probability `tail`, of the shape of `df`.

    It is a polynomial in `4 / df - 1`, which is within [-1, 1]. It has the same bits whatever else is in `df`.

    Args:
        df: Degrees of freedom, at least `LEAST_DF`.
        tail: From `LEAST_TAIL` to `GREATEST_TAIL`.
    """
    highest, *others = _coefficients(tail)
    x = 2 * LEAST_DF / df - 1
    value = np.full(np.shape(df), highest)
    for coefficient in others:
        value *= x
        value += coefficient
    return value


@lru_cache(maxsize=256)
def _coefficients(tail: float) -> tuple[float, ...]:
    """Return the coefficients of the polynomial of `upper_quantile`, that of the highest power first.

    Those of its Chebyshev series (Press et al. 2007, Numerical Recipes, section 5.8) fall so fast that powers
    lose no precision.
    """
    angles = np.pi * (np.arange(_NODES) + 0.5) / _NODES
    values = _solve(2 * LEAST_DF / (np.cos(angles) + 1), tail)
    series = 2 / _NODES * (np.cos(np.arange(_NODES)[:, None] * angles) * values).sum(axis=1)
    series[0] /= 2
    powers = np.eye(_NODES)  # row k: the coefficients of T_k
    for k in range(2, _NODES):
        powers[k] = 2 * np.roll(powers[k - 1], 1) - powers[k - 2]
    return tuple((series @ powers)[::-1].tolist())


def _solve(df: Array, tail: float) -> Array:
    """Return what `upper_quantile` interpolates.

    Halley's method finds the root of `log P(T > t) - log tail` in `log t`, in which it is almost a line where
    tails are heavy. Three rounds are enough.
    """
    t = _start(df, tail)
    peak = _gamma_ratio(df / 2) / math.sqrt(math.pi)
    for _ in range(_MAX_ROUNDS):
        share = t * t / (df + t * t)
        beyond = _beyond(df, t, peak)
        # Minus the slope, then the second derivative divided by the slope.
        slope = t * peak / np.sqrt(df) * np.exp(-(df + 1) / 2 * np.log1p(t * t / df)) / beyond
        bend = 1 - (df + 1) * share + slope
        newton = np.log(beyond / tail) / slope
        step = newton / (1 + newton * bend / 2)
        t = t * np.exp(step)
        if np.all(np.abs(step) < 1e-5):  # the error left is of the order of the cube of this step
            break
    return np.asarray(t, np.float64)


def _start(df: Array, tail: float) -> Array:
    """Approximate the quantile from that of a normal.

    The transformation is Wallace's (1959, Annals of Mathematical Statistics 30), the quantile of the normal
    formula 26.2.23 of Abramowitz & Stegun (1964).
    """
    u = math.sqrt(-2 * math.log(tail))
    z = u - (2.515517 + u * (0.802853 + u * 0.010328)) / (1 + u * (1.432788 + u * (0.189269 + u * 0.001308)))
    return np.asarray(np.sqrt(df * np.expm1((z * (8 * df + 3) / (8 * df + 1)) ** 2 / df)), np.float64)


def _beyond(df: Array, t: Array, peak: Array) -> Array:
    """Return `P(T > t)` for t above 0, from the series of the incomplete beta function that converges faster.

    `P(|T| < t) = I_x(1/2, df/2)` and `P(|T| > t) = I_y(df/2, 1/2)` with `x = t^2 / (df + t^2)` and `y = 1 - x`
    (Abramowitz & Stegun 1964, 26.7.1), and `a B(a, b) I_x(a, b) = x^a y^b sum_k (a + b)_k / (a + 1)_k x^k`
    (26.5.4).
    """
    x, y = t * t / (df + t * t), df / (df + t * t)
    inside = x < 0.4
    z, a = np.where(inside, x, y), np.where(inside, 0.5, df / 2)
    term, total = np.ones_like(z), np.ones_like(z)
    for k in range(_MAX_TERMS):
        term *= z * ((df + 1) / 2 + k) / (a + 1 + k)
        total += term
        if k % 8 == 7 and np.all(term < 1e-16 * total):
            break
    half = peak * np.sqrt(x) * np.exp(-df / 2 * np.log1p(t * t / df)) / a * total / 2
    return np.where(inside, 0.5 - half, half)


def _gamma_ratio(b: Array) -> Array:
    """Return `Gamma(b + 1/2) / Gamma(b)`, b at least 1, without the cancellation of two log-gammas.

    The asymptotic series is used at `b + _SHIFT`, where its terms fall below rounding (Abramowitz & Stegun 1964,
    6.1.47), and the recurrence from there down.
    """
    r = 1 / (b + _SHIFT)
    series = 1 + r * (
        -1 / 8 + r * (1 / 128 + r * (5 / 1024 + r * (-21 / 32768 + r * (-399 / 262144 + r * 869 / 4194304))))
    )
    ratio = np.sqrt(b + _SHIFT) * series
    for j in range(_SHIFT):
        ratio = ratio * ((b + j) / (b + j + 0.5))
    return np.asarray(ratio, np.float64)
