"""Tests of whether forecast signs predict the realised ones."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lstm_stock.distributions.base import Array
from lstm_stock.scoring.significance.base import MIN_OBSERVATIONS, HypothesisTest

MIN_EXPECTED = 5
"""Least expected number of each combination of signs for a normal approximation."""


def pesaran_timmermann(
    moves: ArrayLike, signs: ArrayLike, alternative: Literal["less", "greater"] = "greater"
) -> HypothesisTest:
    """Test whether right signs are more frequent than if forecast and outcome were independent.

    Pesaran & Timmermann 1992 (Journal of Business & Economic Statistics 10, eq. 6): with P the share of right
    signs, p and q the shares of realised and of forecast rises, and `P* = p q + (1 - p)(1 - q)`,

        S = (P - P*) / sqrt(v - w),   v = P* (1 - P*) / n,
        w = ((2p - 1)^2 q (1 - q) + (2q - 1)^2 p (1 - p)) / n + 4 p q (1 - p) (1 - q) / n^2

    is standard normal, if no combination of signs is rare (`has_few_signs`). A forecast that is always up has
    P = P*, however often the market rises.

    Args:
        moves: Realised moves, shape `(n,)`; rows where one is 0 are left out.
        signs: Forecast moves, of which only the sign is used, shape `(n,)`; rows where one is 0 are left out.
        alternative: `greater`: right more often; `less`: wrong more often.

    Returns:
        S, its p-value, n. NaN with fewer than 20 rows, or if either never changes sign: the denominator is 0.

    Raises:
        ValueError: The shapes differ or something is not finite.
    """
    up, forecast_up = _ups(moves, signs)
    n = len(up)
    if n < MIN_OBSERVATIONS or up.min() == up.max() or forecast_up.min() == forecast_up.max():
        return HypothesisTest(math.nan, math.nan, n)
    right, p, q = float(np.mean(up == forecast_up)), float(up.mean()), float(forecast_up.mean())
    expected = p * q + (1 - p) * (1 - q)
    v = expected * (1 - expected) / n
    w = ((2 * p - 1) ** 2 * q * (1 - q) + (2 * q - 1) ** 2 * p * (1 - p)) / n
    w += 4 * p * q * (1 - p) * (1 - q) / n**2
    statistic = (right - expected) / math.sqrt(v - w)
    tail = statistic if alternative == "greater" else -statistic
    return HypothesisTest(statistic, float(stats.norm.sf(tail)), n)


def fisher_exact(
    moves: ArrayLike, signs: ArrayLike, alternative: Literal["less", "greater"] = "greater"
) -> HypothesisTest:
    """Test the question of `pesaran_timmermann` with the exact distribution of right signs.

    Fisher's exact test of the table of realised and forecast signs, one-sided: given how many moves and how many
    forecasts are up, the number of both up is hypergeometric if the two are independent. Its size is never above
    the significance level, and often far below it. For the few signs of `has_few_signs`, where the normal
    distribution of `pesaran_timmermann` is wrong.

    Args:
        moves: Realised moves, shape `(n,)`; rows where one is 0 are left out.
        signs: Forecast moves, of which only the sign is used, shape `(n,)`; rows where one is 0 are left out.
        alternative: `greater`: right more often; `less`: wrong more often.

    Returns:
        The share of rises after forecasts of a rise less that after forecasts of a fall, its p-value, n. NaN with
        fewer than 20 rows, or if either never changes sign.

    Raises:
        ValueError: The shapes differ or something is not finite.
    """
    table = _table(*_ups(moves, signs))
    n = int(table.sum())
    if n < MIN_OBSERVATIONS or not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        return HypothesisTest(math.nan, math.nan, n)
    rises = table[1] / table.sum(axis=0)
    found = stats.fisher_exact(table, alternative)
    return HypothesisTest(float(rises[1] - rises[0]), float(found.pvalue), n)


def has_few_signs(moves: ArrayLike, signs: ArrayLike) -> bool:
    """Return whether a combination of signs is expected fewer than five times if the two are independent.

    Below five, the usual limit (Cochran 1954, Biometrics 10), a normal approximation is not to be relied on: with
    three forecasts of a fall, `pesaran_timmermann` rejects 10 % of true nulls at 5 %.

    Args:
        moves: Realised moves, shape `(n,)`; rows where one is 0 are left out.
        signs: Forecast moves, shape `(n,)`; rows where one is 0 are left out.

    Raises:
        ValueError: The shapes differ or something is not finite.

    >>> has_few_signs([1, -1] * 50, [-1] * 3 + [1] * 97)  # 1.5 of each expected where the forecast is a fall
    True
    """
    table = _table(*_ups(moves, signs))
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(table.sum(), 1)
    return bool(expected.min() < MIN_EXPECTED)


def direction_products(moves: ArrayLike, signs: ArrayLike) -> Array:
    """Return `2 (a - mean a)(b - mean b)`, where a is 1 for a realised rise and b for a forecast one, else 0.

    The mean is `P - P*` of `pesaran_timmermann`. The series can be averaged over the tickers of a date and tested
    with a variance that allows for overlapping steps, unlike the original test (compare Pesaran & Timmermann 2009,
    Journal of the American Statistical Association 104).

    Args:
        moves: Realised moves, shape `(n,)`.
        signs: Forecast moves, shape `(n,)`. Where one of the two is 0, so is the product.

    Returns:
        Shape `(n,)`.

    Raises:
        ValueError: The shapes differ or something is not finite.
    """
    moves, signs = _checked(moves, signs)
    moved = (moves != 0) & (signs != 0)
    products = np.zeros(len(moves))
    if moved.any():
        up, forecast_up = (moves[moved] > 0).astype(float), (signs[moved] > 0).astype(float)
        products[moved] = 2 * (up - up.mean()) * (forecast_up - forecast_up.mean())
    return products


def _ups(moves: ArrayLike, signs: ArrayLike) -> tuple[Array, Array]:
    moves, signs = _checked(moves, signs)
    moved = (moves != 0) & (signs != 0)
    return (moves[moved] > 0).astype(np.float64), (signs[moved] > 0).astype(np.float64)


def _table(up: Array, forecast_up: Array) -> NDArray[np.intp]:
    """Count the combinations: rows realised fall and rise, columns forecast fall and rise."""
    return np.bincount(2 * up.astype(int) + forecast_up.astype(int), minlength=4).reshape(2, 2)


def _checked(moves: ArrayLike, signs: ArrayLike) -> tuple[Array, Array]:
    moves, signs = np.asarray(moves, np.float64), np.asarray(signs, np.float64)
    if moves.ndim != 1 or moves.shape != signs.shape:
        raise ValueError(
            f"`moves` and `signs` must have one axis and one shape, got {moves.shape}, {signs.shape}"
        )
    if not (np.isfinite(moves).all() and np.isfinite(signs).all()):
        raise ValueError("`moves` and `signs` must be finite")
    return moves, signs
