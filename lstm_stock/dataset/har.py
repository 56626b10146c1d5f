"""HAR on the day's range: a regression of the variance of the next bars on that of the last day, week and month.

It is fitted on the first bars of a ticker and then forecasts at every bar. Baselines and target scales use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.volatility import MIN_VOLATILITY, MONTH, Array, day_variance, log_returns
from lstm_stock.distributions.student_t_fit import student_t_variance
from lstm_stock.errors import ShortHistoryError

WEEK = 5
"""Bars of the shorter of the two means of past log variances, over a week and a month (Corsi 2009)."""

HALF_LIVES = 2, 10
"""Bars after which a return counts half in the two trends of past returns: days and weeks."""

MIN_ROWS = 100
"""Least in-sample bars of a regression on six to eight columns."""

MIN_STD_SHARE = 0.5
"""Least `robust_std`, as a share of the standard deviation. For a ticker that rarely trades most returns are 0, so
the maximum-likelihood scale is 0 and cannot be a divisor."""

JSON_KEYS = {
    "usual": "mean_variance",
    "lowest": "min_log_variance",
    "highest": "max_log_variance",
    "spread": "return_scale",
}
"""Keys of a saved `HarModel` besides `weights`, and the attribute that each holds."""


@dataclass(frozen=True)
class Regressors:
    """Which columns a `HarModel` has besides those that every one has.

    Every one has a constant, the log of the last day's variance, the means of this log over 5 and 22 days, the log
    of the EWMA of squared returns, and the last return if it is negative (Corsi 2009, Journal of Financial
    Econometrics 7).

    Attributes:
        leverage: Whether the EWMAs of signed returns with half-lives of 2 and 10 days are columns. A fall raises
            volatility for weeks (Corsi & Reno 2012, Journal of Business & Economic Statistics 30), and a trend of
            past returns explains volatility beside its own past (Guyon & Lekeufack 2023, Quantitative Finance 23).
        market: Whether `lstm_stock.dataset.market.Market.volatility_surprise` is a column.
    """

    leverage: bool = False
    market: bool = False

    def columns(self, bars: Bars, unit: float) -> Array:
        """Return the columns known at each bar, shape `(n_bars, n_columns)`, NaN during warm-up.

        Args:
            bars: The bars of one ticker.
            unit: In-sample volatility; returns are divided by it.

        Raises:
            ValueError: The market is a column and the bars have none.
        """
        logs = pd.Series(np.log(day_variance(bars.open, bars.high, bars.low, bars.close)))
        week, month = (logs.rolling(n).mean() for n in (WEEK, MONTH))
        returns = pd.Series(log_returns(bars.close) / unit)
        columns = [np.ones(len(logs)), logs, week, month, 2 * np.log(bars.volatility), np.minimum(returns, 0)]
        if self.leverage:
            columns += [returns.ewm(halflife=bars_to_half).mean() for bars_to_half in HALF_LIVES]
        if self.market:
            if bars.market is None:
                raise ValueError("the bars have no column `market`")
            columns.append(bars.market)
        return np.column_stack(columns)


OWN = Regressors()
"""The regressors of HAR-range-t and of `target_scale: har`."""


@dataclass(frozen=True)
class HarModel:
    """The regression of the log variance of the next bars on values known at a close.

    The day's variance is `lstm_stock.dataset.volatility.day_variance`. The log of its mean over the next `step`
    bars is regressed by least squares on the columns of `Regressors`.

    Attributes:
        regressors: Which columns there are.
        weights: Their coefficients, shape `(n_columns,)`; that of the constant is the first.
        mean_variance: Mean variance of the in-sample bars; returns are divided by its square root.
        min_log_variance: Least in-sample value of the regressand. Forecasts are clipped to the in-sample range, as
            a linear forecast is unreliable outside it (Swanson & White 1997, Int. J. of Forecasting 13).
        max_log_variance: Greatest in-sample value of the regressand.
        return_scale: `robust_std` of the in-sample one-bar returns divided by their forecast volatility. A few
            extreme days, such as those after earnings, would make the plain standard deviation too large for the
            others.
    """

    regressors: Regressors
    weights: Array
    mean_variance: float
    min_log_variance: float
    max_log_variance: float
    return_scale: float

    @classmethod
    def fit(cls, bars: Bars, n_insample: int, step: int = 1, regressors: Regressors = OWN) -> HarModel:
        """Fit on the first `n_insample` bars.

        Args:
            bars: The bars of one ticker.
            n_insample: Number of bars to fit on.
            step: Number of next bars whose mean variance is forecast.
            regressors: Which columns to regress on.

        Raises:
            ShortHistoryError: There are too few in-sample bars.
            ValueError: The market is a column and the bars have none.
        """
        day = day_variance(bars.open, bars.high, bars.low, bars.close)
        mean_variance = float(np.nanmean(day[1:n_insample])) if n_insample > 1 else np.nan
        inputs = regressors.columns(bars, np.sqrt(mean_variance))
        finite = np.asarray(np.isfinite(inputs).all(axis=1))
        rows = np.flatnonzero(finite[: max(n_insample - step, 0)])
        if len(rows) < MIN_ROWS:
            raise ShortHistoryError(
                f"{len(rows)} in-sample bars are too few for the HAR regression, which needs {MIN_ROWS}",
                "fetch an earlier `start`",
            )
        ahead = np.log(_mean_ahead(day, step))[rows]
        weights = np.asarray(np.linalg.lstsq(inputs[rows], ahead, rcond=None)[0], np.float64)
        min_log_variance, max_log_variance = float(ahead.min()), float(ahead.max())
        logs = np.clip(inputs[rows] @ weights, min_log_variance, max_log_variance)
        return_scale = robust_std(log_returns(bars.close)[rows + 1] / np.exp(logs / 2))
        return cls(regressors, weights, mean_variance, min_log_variance, max_log_variance, return_scale)

    def variance(self, bars: Bars) -> Array:
        """Return the variance per bar forecast at each close, shape `(n_bars,)`, NaN during warm-up.

        It is that of the next `step` bars, with the `step` of `fit`, and the exponential of an expected log
        variance, which is at most the expected variance (Jensen): a Student-t fitted to the returns divided by its
        root makes up for the difference.
        """
        inputs = self.regressors.columns(bars, np.sqrt(self.mean_variance))
        finite = np.isfinite(inputs).all(axis=1)
        variance = np.full(len(inputs), np.nan)
        variance[finite] = np.exp(
            np.clip(inputs[finite] @ self.weights, self.min_log_variance, self.max_log_variance)
        )
        return variance

    def volatility(self, bars: Bars) -> Array:
        """Return the volatility of the next one-bar log return forecast at each close, shape `(n_bars,)`."""
        return np.maximum(np.sqrt(self.variance(bars)) * self.return_scale, MIN_VOLATILITY)

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary of the fitted numbers, without `regressors`."""
        numbers = {key: getattr(self, name) for key, name in JSON_KEYS.items()}
        return {"weights": self.weights.tolist(), **numbers}

    @classmethod
    def from_json(cls, data: dict[str, Any], regressors: Regressors = OWN) -> HarModel:
        """Rebuild a model with these regressors from what `to_json` returned."""
        numbers = {name: float(data[key]) for key, name in JSON_KEYS.items()}
        return cls(regressors, np.asarray(data["weights"], np.float64), **numbers)


def robust_std(sample: Array) -> float:
    """Return the standard deviation of the Student-t that fits best, at least half of the sample's.

    Args:
        sample: Shape `(n,)`, n at least 1, all finite.
    """
    return float(max(np.sqrt(student_t_variance(sample)), MIN_STD_SHARE * np.std(sample)))


def _mean_ahead(day: Array, step: int) -> Array:
    """Return the mean of the `step` values after each bar, shape `(n_bars - step,)`."""
    return np.asarray(np.mean([day[i : len(day) - step + i] for i in range(1, step + 1)], axis=0))
