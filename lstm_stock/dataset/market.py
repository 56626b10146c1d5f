"""The market of a run: how much wider a day was than those of its last month, on average over all tickers.

Volatility moves in all shares at once, and a mean over many measures it with less noise than the one day of one
ticker (Bollerslev, Hood, Huss & Pedersen 2018, Review of Financial Studies 31: a global risk factor in HAR
models). The value of a date depends on bars up to that date. Nothing is fitted.
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
"""One ticker is no market."""


@dataclass(frozen=True)
class Market:
    """What all tickers of a run did on each date; every array has one entry per date.

    Attributes:
        dates: Every date on which a ticker has a bar, sorted, shape `(n_dates,)`.
        volatility_surprise: Mean of `volatility_surprise` over the tickers that have one, shape `(n_dates,)`;
            0, that of a usual day, where `known` is false.
        known: Whether at least two tickers have one, and at least half of those listed by then, shape
            `(n_dates,)`. A ticker whose bars have ended still counts as listed, so that prices fetched for a
            few tickers alone make no market.
    """

    dates: NDArray[np.datetime64]
    volatility_surprise: Array
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, tables: Iterable[pd.DataFrame]) -> Market:
        """Average over some tickers.

        Args:
            tables: The adjusted bars of each ticker, columns `open high low close`, indexed by date. They are
                read one at a time, and need not be in memory together.
        """
        days, values = [np.empty(0, "datetime64[D]")], [np.empty(0)]
        for table in tables:
            days.append(days_of(table))
            values.append(volatility_surprise(table))
        dates, rows = np.unique(np.concatenate(days), return_inverse=True)
        flat = np.concatenate(values)
        there = np.isfinite(flat)
        count = np.bincount(rows[there], minlength=len(dates))
        total = np.bincount(rows[there], weights=flat[there], minlength=len(dates))
        first = [
            day[np.isfinite(value)][0]
            for day, value in zip(days, values, strict=True)
            if np.isfinite(value).any()
        ]
        listed = np.searchsorted(np.sort(np.array(first, "datetime64[D]")), dates, side="right")
        known = (count >= MIN_TICKERS) & (2 * count >= listed)
        return cls(dates, np.divide(total, count, out=np.zeros(len(dates)), where=known), known)

    def with_market_column(self, adjusted: pd.DataFrame) -> pd.DataFrame:
        """Add the column `market`, the volatility surprise of each bar's date; 0 for a date without one."""
        by_date = pd.Series(self.volatility_surprise, index=pd.DatetimeIndex(self.dates))
        return adjusted.assign(market=by_date.reindex(adjusted.index, fill_value=0.0).to_numpy(np.float64))

    def is_known(self, day: pd.Timestamp) -> bool:
        """Whether enough tickers have a bar of a date."""
        return bool(self.known[self.dates == np.datetime64(day, "D")].any())

    @property
    def n_unknown(self) -> int:
        """How many dates are not known, of those from the first known one on."""
        return int((~self.known[int(np.argmax(self.known)) :]).sum()) if self.known.any() else len(self.known)


def volatility_surprise(adjusted: pd.DataFrame) -> Array:
    """Return the log of each day's variance less its mean over the last 22 bars, shape `(n_bars,)`.

    Days without any movement are left out: NaN on such a day, and where fewer than half of the 22 are left.

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
