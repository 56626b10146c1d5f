"""Join daily bars to bars of weeks, months, quarters or years, dated by the first day of each, weeks by Monday."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_stock.config.interval import Interval
from lstm_stock.prices.table import arrays_of, days_of, price_table


def first_days(days: pd.DatetimeIndex, interval: Interval) -> pd.DatetimeIndex:
    """Return the first day of the week, month, quarter or year of each day.

    Args:
        days: Days, shape `(n,)`.
        interval: Of a week or longer.
    """
    if not interval.months:
        return days - pd.to_timedelta(days.day_of_week, unit="D")
    months = days.year * 12 + days.month - 1
    months -= months % interval.months
    return pd.DatetimeIndex((np.asarray(months) - 1970 * 12).astype("datetime64[M]").astype("datetime64[s]"))


def join_bars(table: pd.DataFrame, interval: Interval) -> pd.DataFrame:
    """Join daily bars: first open, highest high, lowest low, last close, sums of volume and dividends.

    Splits are multiplied. The open is the first that is not 0, if there is any.

    Args:
        table: A price table of daily bars.
        interval: Of a week or longer.
    """
    firsts = first_days(pd.DatetimeIndex(days_of(table)), interval).to_numpy()
    starts = np.flatnonzero(np.append(True, firsts[1:] != firsts[:-1]))
    ends = np.append(starts[1:], len(table)) - 1
    columns = arrays_of(table)
    opens = pd.Series(np.where(columns["open"] > 0, columns["open"], np.nan))
    group = np.cumsum(np.append(False, firsts[1:] != firsts[:-1]))
    splits = np.multiply.reduceat(np.where(columns["splits"] > 0, columns["splits"], 1.0), starts)
    joined = {
        "open": opens.groupby(group).first().fillna(0.0).to_numpy(),
        "high": np.maximum.reduceat(columns["high"], starts),
        "low": np.minimum.reduceat(columns["low"], starts),
        "close": columns["close"][ends],
        "adj_close": columns["adj_close"][ends],
        "volume": np.add.reduceat(columns["volume"], starts),
        "dividends": np.add.reduceat(columns["dividends"], starts),
        "splits": np.where(splits == 1, 0.0, splits),
    }
    return price_table(firsts[starts], joined)
