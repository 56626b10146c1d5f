"""The market of a run: each date's log variance less that of the last month, averaged over all tickers.

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

from lstm_stock.dataset.har import MONTH
from lstm_stock.dataset.volatility import MIN_VARIANCE, Array, day_variance
from lstm_stock.prices.table import days_of

MIN_TICKERS = 2
"""Least tickers with a value on a date."""


@dataclass(frozen=True)
class Market:
    """The mean volatility surprise of all tickers on each date; every array has one entry per date.

    Attributes:
        dates: Every date on which a ticker has a bar, sorted, shape `(n_dates,)`.
        volatility_surprise: Mean of `volatility_surprise` over the tickers that have one, shape `(n_dates,)`;
            0, the value of an average day, where `is_complete` is false.
        is_complete: Whether at least two tickers have a value, and at least half of those with a value on this or
            an earlier date, shape `(n_dates,)`. So a few tickers with newer bars than the others make no market.
    """

    dates: NDArray[np.datetime64]
    volatility_surprise: Array
    is_complete: NDArray[np.bool_]

    @classmethod
    def of(cls, tables: Iterable[pd.DataFrame]) -> Market:
        """Average over some tickers.

        Args:
            tables: The adjusted bars of each ticker, columns `open high low close`, indexed by date; read one at
                a time.
        """
        days, values = [np.empty(0, "datetime64[D]")], [np.empty(0)]
        for table in tables:
            days.append(days_of(table))
            values.append(volatility_surprise(table))
        dates, rows = np.unique(np.concatenate(days), return_inverse=True)
        flat = np.concatenate(values)
        finite = np.isfinite(flat)
        count = np.bincount(rows[finite], minlength=len(dates))
        total = np.bincount(rows[finite], weights=flat[finite], minlength=len(dates))
        first = [
            day[np.isfinite(value)][0]
            for day, value in zip(days, values, strict=True)
            if np.isfinite(value).any()
        ]
        listed = np.searchsorted(np.sort(np.array(first, "datetime64[D]")), dates, side="right")
        complete = (count >= MIN_TICKERS) & (2 * count >= listed)
        return cls(dates, np.divide(total, count, out=np.zeros(len(dates)), where=complete), complete)

    def with_market_column(self, adjusted: pd.DataFrame) -> pd.DataFrame:
        """Add the column `market`: the volatility surprise of each bar's date, 0 for an unknown date."""
        days = days_of(adjusted)
        rows = np.searchsorted(self.dates, days)
        is_known = np.append(self.dates, np.datetime64("NaT"))[rows] == days
        return adjusted.assign(market=np.where(is_known, np.append(self.volatility_surprise, 0.0)[rows], 0.0))

    def is_complete_on(self, day: pd.Timestamp) -> bool:
        """Whether enough tickers have a value on a date."""
        return bool(self.is_complete[self.dates == np.datetime64(day, "D")].any())

    @property
    def n_incomplete(self) -> int:
        """The number of incomplete dates after the first complete one; all dates if none is complete."""
        complete = self.is_complete
        return int((~complete[int(np.argmax(complete)) :]).sum()) if complete.any() else len(complete)


def volatility_surprise(adjusted: pd.DataFrame) -> Array:
    """Return the log variance of each day less its mean over the last 22 bars, shape `(n_bars,)`.

    Days without movement are not averaged: the value is NaN on them, and where fewer than 11 of the 22 bars moved.

    Args:
        adjusted: Columns `open high low close`, adjusted.
    """
    if len(adjusted) == 0:
        return np.empty(0)
    names = ("open", "high", "low", "close")
    variance = day_variance(*(adjusted[name].to_numpy(np.float64) for name in names))
    moved = variance > MIN_VARIANCE
    logs = pd.Series(np.where(moved, np.log(variance), np.nan))
    return (logs - logs.rolling(MONTH, min_periods=MONTH // 2).mean()).to_numpy(np.float64)
