"""The market of a run: how much wider a day was than those of its last month, on average over all tickers.

Volatility moves in all shares at once, and an average over many tells it with less noise than the one day of one
ticker can (Bollerslev, Hood, Huss & Pedersen 2018, Review of Financial Studies 31: a global risk factor in HAR
models). Of each date it takes the bars of that date, and of each ticker bars up to it. Nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.features import Array, day_variance
from lstm_stock.har import MONTH


@dataclass(frozen=True)
class Market:
    """What all tickers together did on each date; every array has one entry a date.

    Attributes:
        dates: Every date on which a ticker has a bar, sorted, shape `(n_dates,)`.
        surprise: `mean_i(log v_i,t - mean of log v_i over the 22 bars up to t)`, v the `day_variance`, over the
            tickers i with a bar; where those are few, the newest value before. NaN until there is one.
        known: Whether at least half as many tickers have a bar as on the best date of the last 22.
    """

    dates: NDArray[np.datetime64]
    surprise: Array
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, tables: Iterable[pd.DataFrame]) -> Market:
        """Take the average over some tickers.

        Args:
            tables: The adjusted bars of each, columns `open high low close`, indexed by date; one at a time, so
                that those of many tickers need not be in memory together.

        Raises:
            ValueError: No table has a bar.
        """
        days, values = zip(*((_days(table), day_surprise(table)) for table in tables), strict=True)
        dates, rows = np.unique(np.concatenate(days), return_inverse=True)
        flat = np.concatenate(values)
        there = np.isfinite(flat)
        count = np.bincount(rows[there], minlength=len(dates))
        total = np.bincount(rows[there], weights=flat[there], minlength=len(dates))
        best = pd.Series(count).rolling(MONTH, min_periods=1).max().to_numpy(np.float64)
        known = (count > 0) & (2 * count >= best)
        mean = np.divide(total, count, out=np.full(len(dates), np.nan), where=known)
        return cls(dates, pd.Series(mean).ffill().to_numpy(np.float64), known)

    def beside(self, adjusted: pd.DataFrame) -> pd.DataFrame:
        """Lay the newest known surprise beside each bar of a ticker, as the column `market`."""
        rows = np.searchsorted(self.dates, _days(adjusted), side="right") - 1
        return adjusted.assign(market=np.where(rows >= 0, self.surprise[rows], np.nan))

    def newest_known(self, until: np.datetime64) -> np.datetime64 | None:
        """Return the last date up to `until` on which enough tickers have a bar, if there is one."""
        dates = self.dates[self.known & (self.dates <= until)]
        return dates[-1] if len(dates) else None


def day_surprise(adjusted: pd.DataFrame) -> Array:
    """Return the log of each day's variance less its mean over the last 22 bars; NaN while that warms up."""
    open_, high, low, close = (
        adjusted[name].to_numpy(np.float64) for name in ("open", "high", "low", "close")
    )
    if len(close) == 0:
        return np.empty(0)
    logs = pd.Series(np.log(day_variance(open_, high, low, close)))
    return (logs - logs.rolling(MONTH).mean()).to_numpy(np.float64)


def _days(table: pd.DataFrame) -> NDArray[np.datetime64]:
    return table.index.to_numpy().astype("datetime64[D]")
