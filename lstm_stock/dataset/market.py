"""The market of a run: how wide each date was, and which way it went, averaged over all tickers.

Volatility is common to many shares, and a mean over tickers measures it with less noise than one ticker's day
(Bollerslev, Hood, Huss & Pedersen 2018, Review of Financial Studies 31: a global risk factor in HAR models). The
value of a date depends only on bars up to that date. Nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.dataset.features import MARKET_COLUMNS
from lstm_stock.dataset.volatility import (
    MIN_VARIANCE,
    MONTH,
    Array,
    day_variance,
    log_returns,
    trailing_volatility,
)
from lstm_stock.prices.table import arrays_of, days_of, with_columns

YEAR, MIN_YEAR = 250, 60
"""Bars of the mean that `Market.level` is compared with, and the fewest."""

MIN_TICKERS = 2
"""Least tickers with a value on a date."""


@dataclass(frozen=True)
class Market:
    """Means over all tickers on each date; every array has one entry per date.

    The trends are EWMAs of the mean return, each ticker's in units of its trailing volatility of the bar before
    (half-lives as in Corsi & Reno 2012, Journal of Business & Economic Statistics 30; Guyon & Lekeufack 2023,
    Quantitative Finance 23, find that such trends explain volatility).

    Attributes:
        dates: Every date on which a ticker has a bar, sorted, shape `(n_dates,)`.
        volatility_surprise: Mean of `volatility_surprise` over the tickers that have one, shape `(n_dates,)`;
            0, the value of an average day, where `is_complete` is false.
        is_complete: Whether at least two tickers have a value, and at least half of those with a value on this or
            an earlier date, shape `(n_dates,)`. So a few tickers with newer bars than the others make no market.
        level: Mean over the tickers of the mean log variance of the last 22 bars less that of the last 250; 0 as
            above.
        trend_2: EWMA, half-life 2 dates, of the mean return; the return is 0 where `is_complete` is false.
        trend_10: The same, half-life 10 dates.
    """

    dates: NDArray[np.datetime64]
    volatility_surprise: Array
    is_complete: NDArray[np.bool_]
    level: Array
    trend_2: Array
    trend_10: Array

    @classmethod
    def of(cls, tables: Iterable[pd.DataFrame]) -> Market:
        """Average over some tickers.

        Args:
            tables: The adjusted bars of each ticker, columns `open high low close`, indexed by date; read one at
                a time.
        """
        days: list[NDArray[np.datetime64]] = [np.empty(0, "datetime64[D]")]
        surprises, levels, returns = [np.empty(0)], [np.empty(0)], [np.empty(0)]
        for table in tables:
            days.append(days_of(table))
            logs, month = _log_variances(table)
            surprises.append((logs - month).to_numpy(np.float64))
            year = logs.rolling(YEAR, min_periods=MIN_YEAR).mean()
            levels.append((month - year).to_numpy(np.float64))
            returns.append(_scaled_returns(table))
        dates, rows = np.unique(np.concatenate(days), return_inverse=True)
        surprise, count = _mean_by_date(surprises, rows, len(dates))
        first = [
            day[np.isfinite(value)][0]
            for day, value in zip(days, surprises, strict=True)
            if np.isfinite(value).any()
        ]
        listed = np.searchsorted(np.sort(np.array(first, dates.dtype)), dates, side="right")
        complete = (count >= MIN_TICKERS) & (2 * count >= listed)
        level, mean_return = (
            np.where(complete, _mean_by_date(values, rows, len(dates))[0], 0.0)
            for values in (levels, returns)
        )
        trend_2, trend_10 = (
            pd.Series(mean_return).ewm(halflife=n, adjust=False).mean().to_numpy(np.float64) for n in (2, 10)
        )
        return cls(dates, np.where(complete, surprise, 0.0), complete, level, trend_2, trend_10)

    def with_market_columns(self, adjusted: pd.DataFrame) -> pd.DataFrame:
        """Add the columns `MARKET_COLUMNS`: the market of each bar's date, 0 for an unknown date."""
        days = days_of(adjusted)
        rows = np.searchsorted(self.dates, days)
        is_known = np.append(self.dates, np.datetime64("NaT"))[rows] == days
        columns = (self.volatility_surprise, self.level, self.trend_2, self.trend_10)
        values = [np.where(is_known, np.append(column, 0.0)[rows], 0.0) for column in columns]
        return with_columns(adjusted, MARKET_COLUMNS, np.column_stack(values))

    def is_complete_on(self, day: pd.Timestamp) -> bool:
        """Whether enough tickers have a value on a date."""
        return bool(self.is_complete[self.dates == day.to_datetime64()].any())

    @property
    def n_incomplete(self) -> int:
        """The number of incomplete dates after the first complete one; all dates if none is complete."""
        complete = self.is_complete
        return int((~complete[int(np.argmax(complete)) :]).sum()) if complete.any() else len(complete)


def _mean_by_date(
    values: list[Array], rows: NDArray[np.int64], n_dates: int
) -> tuple[Array, NDArray[np.int64]]:
    """Return the mean of the finite values of each date, 0 where there is none, and their number."""
    flat = np.concatenate(values)
    finite = np.isfinite(flat)
    count = np.bincount(rows[finite], minlength=n_dates)
    total = np.bincount(rows[finite], weights=flat[finite], minlength=n_dates)
    return np.divide(total, count, out=np.zeros(n_dates), where=count > 0), count


def _log_variances(adjusted: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the log variance of each day, NaN on days without movement, and its mean over the last 22 bars."""
    if len(adjusted) == 0:
        return pd.Series([], dtype=np.float64), pd.Series([], dtype=np.float64)
    columns = arrays_of(adjusted)
    variance = day_variance(*(columns[name] for name in ("open", "high", "low", "close")))
    logs = pd.Series(np.where(variance > MIN_VARIANCE, np.log(variance), np.nan))
    return logs, logs.rolling(MONTH, min_periods=MONTH // 2).mean()


def _scaled_returns(adjusted: pd.DataFrame) -> Array:
    if len(adjusted) == 0:
        return np.empty(0)
    close = adjusted["close"].to_numpy(np.float64)
    return log_returns(close) / np.concatenate(([np.nan], trailing_volatility(close)[:-1]))


def volatility_surprise(adjusted: pd.DataFrame) -> Array:
    """Return the log variance of each day less its mean over the last 22 bars, shape `(n_bars,)`.

    Days without movement are not averaged: the value is NaN on them, and where fewer than 11 of the 22 bars moved.

    Args:
        adjusted: Columns `open high low close`, adjusted.
    """
    logs, month = _log_variances(adjusted)
    return (logs - month).to_numpy(np.float64)
