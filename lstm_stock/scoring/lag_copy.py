"""Whether a point forecast is an old price, shifted: arrays in, numbers out.

A curve that is one day late looks perfect beside three years of prices. Its changes show the delay: they follow
the price's past changes instead of those they forecast. Nothing here scores a distribution.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import Array
from lstm_stock.scoring.significance import MIN_OBSERVATIONS, mean_test

MAX_LAG = 10
"""Largest lag, in bars, at which the forecast's changes are compared with the price's: two weeks."""

MAX_RELATIVE_MOVE = 0.25
"""A forecast whose moves are less than this share of the price's moves is near the last close.

A forecast that explains a share R2 of the variance of the moves has moves of sqrt(R2) times their size, so 0.25 is
an R2 of 6 %. The best networks of Gu, Kelly & Xiu (2020, Review of Financial Studies 33) reach 0.4 % out of sample
for monthly returns of US stocks, which is 0.06."""

MAX_PRICE = 1e100
"""A larger forecast is no price: its square may overflow."""

MIN_SHARE = 0.8
"""Least share of a shifted price's variance that the last close explains."""

MIN_CORRELATION = 0.2
"""Least correlation of a shifted price's changes with those of the price some bars earlier."""

Kind = Literal["near_last_close", "shifted", "other"]


@dataclass(frozen=True)
class LagCopy:
    """How a point forecast follows the price.

    Attributes:
        kind: `near_last_close`: it hardly leaves the last close, as it should if the next move cannot be
            predicted. `shifted`: it leaves the last close by as much as the price moves, follows the price's past
            changes, and does not predict the next one. `other`: neither.
        peak_lag: Lag, in bars, at which the forecast's changes correlate most with the price's changes; 0 is the
            change that it forecasts.
        peak: Correlation there.
        at_zero: Correlation with the changes that it forecasts.
        share: Share of the forecast's variance that the last close explains (R squared).
        relative_move: Root mean square of the forecast move, relative to that of the realised move.
        p: One-sided p-value of the test that `at_zero` is above 0.
        n: Number of forecasts.
    """

    kind: Kind
    peak_lag: int
    peak: float
    at_zero: float
    share: float
    relative_move: float
    p: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary, under the names of `scores.json`."""
        data = asdict(self)
        data["stray"] = data.pop("relative_move")
        return data | {"p": self.p if math.isfinite(self.p) else None}


def lag_copy(y_true: ArrayLike, y_pred: ArrayLike, last_close: ArrayLike, alpha: float) -> LagCopy | None:
    """Look for the signs of a shifted price in the one-step forecasts of one ticker.

    Args:
        y_true: Realised prices in order of date, shape `(n,)`.
        y_pred: Their forecasts, shape `(n,)`.
        last_close: Price at each cutoff, one bar before `y_true`, shape `(n,)`.
        alpha: Below this `p` the forecast predicts the next move and is not a shifted price.

    Returns:
        None if nothing can be compared: there are too few rows, or no point forecast, or one that never changes.

    Raises:
        ValueError: The shapes differ.
    """
    y_true, y_pred, last_close = (np.asarray(one, np.float64) for one in (y_true, y_pred, last_close))
    if not y_true.shape == y_pred.shape == last_close.shape or y_true.ndim != 1:
        raise ValueError(
            f"arrays must have one axis and one shape, got {y_true.shape}, {y_pred.shape}, {last_close.shape}"
        )
    n = len(y_true)
    if n < MIN_OBSERVATIONS + MAX_LAG or not np.abs(y_pred).max() < MAX_PRICE:  # NaN and infinity are not
        return None
    if np.ptp(y_pred) == 0 or np.ptp(y_true) == 0:
        return None
    changes_pred, changes_true = np.diff(y_pred), np.diff(y_true)
    correlations = [
        _correlation(changes_pred[lag:], changes_true[: len(changes_true) - lag])
        for lag in range(MAX_LAG + 1)
    ]
    peak_lag = int(np.argmax(correlations))
    peak = correlations[peak_lag]
    share = _correlation(y_pred, last_close) ** 2
    move, forecast_move = y_true - last_close, y_pred - last_close
    relative_move = math.sqrt(float(np.mean(forecast_move**2) / np.mean(move**2)))
    products = (changes_true - changes_true.mean()) * (changes_pred - changes_pred.mean())
    p = mean_test(products, alternative="greater").p
    kind: Kind = "other"
    if relative_move < MAX_RELATIVE_MOVE:
        kind = "near_last_close"
    elif peak_lag > 0 and peak >= MIN_CORRELATION and share >= MIN_SHARE and not p < alpha:
        kind = "shifted"
    return LagCopy(kind, peak_lag, peak, correlations[0], share, relative_move, p, n)


def _correlation(a: Array, b: Array) -> float:
    """Return Pearson's correlation; 0 where one of them does not vary."""
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0 else 0.0
