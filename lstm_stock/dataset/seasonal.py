"""Features of the calendar that a ticker's own bars contain: how wide the same weekday was some quarters ago.

Companies report on nearly the same weekday of every quarter, and the bar after a report is wide. So a wide bar 13,
26, 39 or 52 weeks before a session announces another, from the bars alone. Everything looks from the session that
is forecast, whose date the exchange's calendar gives at the cutoff. Nothing here is fitted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.dataset.features import N_NEAR, Bars
from lstm_stock.dataset.volatility import Array

Steps = NDArray[np.int64]

MAX_DAYS_LATER = 3
"""Days after the date that is looked for within which the next bar still counts: a weekend or a holiday."""


def seasonal_vol(bars: Bars, weeks: int, steps: Steps) -> Array:
    """`w_i`, w the variance surprise, i the first bar on or after the date `weeks` before the session forecast.

    The session is the k-th after each bar, k each of `steps`. The value is 0, that of an average bar, where there
    is no such bar within `MAX_DAYS_LATER` days.

    Args:
        bars: The bars of one ticker, with `days` and `sessions`.
        weeks: Weeks before the session forecast.
        steps: Steps of the forecast, from 1 on.

    Returns:
        Shape `(n_bars, n_steps)`.
    """
    return _at(bars, bars.variance_surprise, weeks, steps, n_after=0)


def seasonal_max(bars: Bars, weeks: int, steps: Steps) -> Array:
    """`max(w_{i-4}, ..., w_{i+4})`, with w and i as in `seasonal_vol`; 0 where bar i + 4 is after the cutoff."""
    return _at(bars, bars.widest_near, weeks, steps, N_NEAR)


def max_vol(bars: Bars, n_bars: int) -> Array:
    """`max(w_{t-n+1}, ..., w_t)`, w the variance surprise, of the last `n_bars` bars; NaN during its warm-up."""
    surprise = pd.Series(bars.variance_surprise)
    return surprise.rolling(n_bars, min_periods=1).max().ffill().to_numpy(np.float64)


def _at(bars: Bars, values: Array, weeks: int, steps: Steps, n_after: int) -> Array:
    """Return `values` of the bar `weeks` before the k-th session after each bar; 0 where there is none.

    The bar is looked for once for each date, which is the first session after one bar, the second after another.

    Args:
        bars: The bars.
        values: One value per bar, computed from bars up to `n_after` later, shape `(n_bars,)`.
        weeks: Weeks before the session.
        steps: Steps of the forecast, each k.
        n_after: A bar with fewer bars than this between it and the cutoff does not count.

    Returns:
        Shape `(n_bars, n_steps)`.
    """
    if bars.days is None:
        raise ValueError("the bars have no dates")
    sessions, places = bars.distinct_sessions
    places = places[:, steps - 1]
    wanted = sessions - np.timedelta64(7 * weeks, "D")
    rows = np.searchsorted(bars.days, wanted)
    known = np.minimum(rows, len(bars.days) - 1)
    late = bars.days[known] - wanted
    found = values[known]
    # Before the first bar the search finds the first one, however much later it is.
    is_there = (late >= np.timedelta64(0, "D")) & (late <= np.timedelta64(MAX_DAYS_LATER, "D"))
    found = np.where(is_there & np.isfinite(found), found, 0.0)
    is_past = (rows + n_after)[places] <= np.arange(len(places))[:, None]
    return np.where(is_past, found[places], 0.0)
