"""Whether the signs forecast know anything of the signs that came."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from lstm_stock.scoring.significance.base import MIN_OBSERVATIONS, Alternative, Array, HypothesisTest


def pesaran_timmermann(
    moves: ArrayLike, signs: ArrayLike, alternative: Alternative = "greater"
) -> HypothesisTest:
    """Test whether right signs are more frequent than independence would make them.

    Pesaran & Timmermann 1992 (Journal of Business & Economic Statistics 10, eq. 6): with P the share of right
    signs, p and q the shares of rises that came and that were forecast, and `P* = p q + (1 - p)(1 - q)`,

        S = (P - P*) / sqrt(v - w),   v = P* (1 - P*) / n,
        w = ((2p - 1)^2 q (1 - q) + (2q - 1)^2 p (1 - p)) / n + 4 p q (1 - p) (1 - q) / n^2

    is standard normal. Who always says up is right on every rise, and P = P*: a rising market alone proves
    nothing.

    Args:
        moves: What came, shape `(n,)`; rows where it is 0 are left out.
        signs: What was forecast, only its sign is read; rows where it is 0 are left out.
        alternative: `greater`: right more often; `less`: wrong more often.

    Returns:
        S, its p-value, n. NaN where either never changes sign, and with fewer than 20 rows: there P = P* and
        the denominator is 0, so that nothing can be said, which is not the same as nothing being there.

    Raises:
        ValueError: The shapes differ or something is not finite.
    """
    up, said = _ups(moves, signs)
    n = len(up)
    if n < MIN_OBSERVATIONS or up.min() == up.max() or said.min() == said.max():
        return HypothesisTest(math.nan, math.nan, n)
    right, p, q = float(np.mean(up == said)), float(up.mean()), float(said.mean())
    expected = p * q + (1 - p) * (1 - q)
    v = expected * (1 - expected) / n
    w = ((2 * p - 1) ** 2 * q * (1 - q) + (2 * q - 1) ** 2 * p * (1 - p)) / n
    w += 4 * p * q * (1 - p) * (1 - q) / n**2
    statistic = (right - expected) / math.sqrt(v - w)
    tail = {"greater": statistic, "less": -statistic, "two-sided": abs(statistic)}[alternative]
    sides = 2 if alternative == "two-sided" else 1
    return HypothesisTest(statistic, float(sides * stats.norm.sf(tail)), n)


def direction_products(moves: ArrayLike, signs: ArrayLike) -> Array:
    """Return `2 (a - mean a)(b - mean b)`, a and b saying 1 for a rise that came and one that was forecast.

    Their mean is the `P - P*` of `pesaran_timmermann`. As a series it can be averaged over the tickers of a
    date and tested with a variance that allows for overlapping steps, which the original one does not
    (compare Pesaran & Timmermann 2009, Journal of the American Statistical Association 104).

    Args:
        moves: What came, shape `(n,)`.
        signs: What was forecast. Rows where one of the two is 0 count as nothing said: their product is 0.

    Raises:
        ValueError: The shapes differ or something is not finite.
    """
    moves, signs = _checked(moves, signs)
    said = (moves != 0) & (signs != 0)
    products = np.zeros(len(moves))
    if said.any():
        up, forecast = (moves[said] > 0).astype(float), (signs[said] > 0).astype(float)
        products[said] = 2 * (up - up.mean()) * (forecast - forecast.mean())
    return products


def _ups(moves: ArrayLike, signs: ArrayLike) -> tuple[Array, Array]:
    moves, signs = _checked(moves, signs)
    said = (moves != 0) & (signs != 0)
    return (moves[said] > 0).astype(np.float64), (signs[said] > 0).astype(np.float64)


def _checked(moves: ArrayLike, signs: ArrayLike) -> tuple[Array, Array]:
    moves, signs = np.asarray(moves, np.float64), np.asarray(signs, np.float64)
    if moves.ndim != 1 or moves.shape != signs.shape:
        raise ValueError(
            f"`moves` and `signs` must have one axis and one shape, got {moves.shape}, {signs.shape}"
        )
    if not (np.isfinite(moves).all() and np.isfinite(signs).all()):
        raise ValueError("`moves` and `signs` must be finite")
    return moves, signs
