"""Whether a point forecast is an old price, shifted: arrays in, numbers out.

A curve that is late by a day looks perfect beside three years of prices. What it hides shows in its changes:
they follow the price's changes of the days before, and not those they should forecast. Nothing here judges a
distribution, and the one test here asks whether they follow the right ones after all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_stock.scoring.significance import MIN_OBSERVATIONS, mean_test

Array = NDArray[np.float64]

MAX_LAG = 10
"""Bars back at which the forecast's changes are compared with the price's: two weeks."""

MAX_RELATIVE_MOVE = 0.25
"""A forecast whose move is less than this share of the price's usual move stays at the last close.

A forecast that explained a share R2 of the moves that come would move by sqrt(R2) of them. Nobody has shown
an R2 of 6 % for the next day's return of a stock, so an honest forecast stays below 0.25, knowing or not."""

MIN_SHARE = 0.8
"""Least share of a copy's variance that the last close explains."""

MIN_CORRELATION = 0.2
"""Least correlation of a copy's changes with those of the price some bars ago."""

Kind = Literal["stays", "copy", "other"]


@dataclass(frozen=True)
class LagCopy:
    """How a point forecast follows the price.

    Attributes:
        kind: `stays`: it hardly leaves the last close, as it should where the next move is not known. `copy`:
            it leaves it by as much as the price moves, follows the price's past changes and knows nothing of
            the next one.
            `other`: neither.
        peak_lag: Bars ago of the price's changes that the forecast's changes follow best; 0 would be the
            change that it forecasts.
        peak: Correlation there.
        at_zero: Correlation with the changes it forecasts.
        share: Share of the forecast's variance that the last close explains (R squared).
        stray: Root mean square of the move forecast, relative to that of the move that came.
        p: One-sided p-value of `at_zero` being no more than luck.
        n: Forecasts looked at.
    """

    kind: Kind
    peak_lag: int
    peak: float
    at_zero: float
    share: float
    relative_move: float
    p: float
    n: int


def lag_copy(y_true: ArrayLike, y_pred: ArrayLike, last_close: ArrayLike, alpha: float) -> LagCopy | None:
    """Look at the one-step forecasts of one ticker for the signs of a shifted price.

    Args:
        y_true: What came, in order of date, shape `(n,)`.
        y_pred: What was forecast for it.
        last_close: The price known when it was forecast: what came one bar before.
        alpha: Below this `p`, the forecast knows something of the next move and is no copy.

    Returns:
        None where there is nothing to look at: too few rows, no point forecast, or one that never changes.

    Raises:
        ValueError: The shapes differ.
    """
    came, said, known = (np.asarray(part, np.float64) for part in (y_true, y_pred, last_close))
    if not came.shape == said.shape == known.shape or came.ndim != 1:
        raise ValueError(
            f"arrays must have one axis and one shape, got {came.shape}, {said.shape}, {known.shape}"
        )
    n = len(came)
    if (
        n < MIN_OBSERVATIONS + MAX_LAG
        or not np.isfinite(said).all()
        or np.ptp(said) == 0
        or np.ptp(came) == 0
    ):
        return None
    step_said, step_came = np.diff(said), np.diff(came)
    follows = [_correlation(step_said[lag:], step_came[: len(step_came) - lag]) for lag in range(MAX_LAG + 1)]
    peak_lag = int(np.argmax(follows))
    share = _correlation(said, known) ** 2
    move, forecast = came - known, said - known
    relative_move = math.sqrt(float(np.mean(forecast**2) / np.mean(move**2)))
    together = (step_came - step_came.mean()) * (step_said - step_said.mean())
    p = mean_test(together, alternative="greater").p
    kind: Kind = "other"
    if relative_move < MAX_RELATIVE_MOVE:
        kind = "stays"
    elif peak_lag > 0 and follows[peak_lag] >= MIN_CORRELATION and share >= MIN_SHARE and not p < alpha:
        kind = "copy"
    return LagCopy(kind, peak_lag, follows[peak_lag], follows[0], share, relative_move, p, n)


def _correlation(a: Array, b: Array) -> float:
    """Return Pearson's correlation; 0 where one of the two does not vary."""
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0 else 0.0
