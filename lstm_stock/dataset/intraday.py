"""Features of intraday bars: the gap overnight, which is wider than those within a day, and the time of day."""

from __future__ import annotations

import numpy as np

from lstm_stock.dataset.features import Bars, open_gap
from lstm_stock.dataset.volatility import Array
from lstm_stock.prices.table import Days

SECONDS_OF_DAY = 86_400


def overnight_gap(bars: Bars) -> Array:
    """`log(open_t / close_{t-1})` where bar t is the first of its day, else 0; NaN at the first bar."""
    days = _days(bars).astype("datetime64[D]")
    is_first = np.append(True, days[1:] != days[:-1])
    return np.where(is_first, open_gap(bars), 0.0)


def time_of_day(bars: Bars) -> Array:
    """`seconds_since_midnight_t / 86400`, the time of a bar as a share of the day; 0 of daily bars."""
    dates = _days(bars)
    since = (dates.astype("datetime64[s]") - dates.astype("datetime64[D]")).astype(np.float64)
    return np.asarray(since / SECONDS_OF_DAY, np.float64)


def _days(bars: Bars) -> Days:
    if bars.days is None:
        raise ValueError("the bars have no dates")
    return bars.days
