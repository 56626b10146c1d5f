"""Features of a series of values that is no price: moves, and where the series stands in its season.

A feature of a value depends only on values up to it. Moves are differences of `Bars.path`: log ratios of a series
above zero, differences of one of any sign. Nothing here is fitted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.volatility import Array, volatility_of_moves
from lstm_stock.errors import UnusableTickerError
from lstm_stock.prices.interval import find_interval
from lstm_stock.prices.table import days_of
from lstm_stock.prices.values import positions, times_of

LEAST_MEAN = 30
"""Values that the mean of `deviation` has at least, if the season is shorter than a third of it."""


def value_bars(values: pd.DataFrame, is_log: bool, season_length: int) -> Bars:
    """Return a series of values as bars: each value is the close, and the other prices are those of no one.

    Args:
        values: Column `close`, the values, indexed by date.
        is_log: Whether a move is the log of a ratio.
        season_length: Values per season; 1 is none.

    Raises:
        UnusableTickerError: A value is zero or less, which has no log.
    """
    close = values["close"].to_numpy(np.float64)
    if is_log and not close.min(initial=1.0) > 0:
        day = str(times_of(values)[int(np.argmax(~(close > 0)))])[:10]
        raise UnusableTickerError(
            f"the value of {day} is {close[~(close > 0)][0]:g}, and a log ratio needs values above zero",
            "`--set target=difference` forecasts differences, of values of any sign",
        )
    nothing = np.full(len(close), np.nan)
    moves = np.diff(np.log(close) if is_log else close, prepend=np.nan)
    times = times_of(values)
    return Bars(
        open=nothing,
        high=nothing,
        low=nothing,
        close=close,
        volume=nothing,
        volatility=volatility_of_moves(moves),
        range_volatility=nothing,
        days=days_of(values),
        is_log=is_log,
        season_length=season_length,
        positions=positions(times, find_interval(times)),
    )


def season_rows(bars: Bars, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of the value one season before each of some steps after each value, or the last before.

    A step beyond one season is that many seasons before, as in a seasonal naive forecast. By date, so that a
    missing value moves no later one out of its season.

    Args:
        bars: A series of values.
        steps: Shape `(n_steps,)`; 0 is the value itself.

    Returns:
        Shape `(n_values, n_steps)`; -1 where the series has not begun.
    """
    if bars.positions is None:
        raise ValueError("the bars are no series of values")
    seasons = np.maximum(-(-steps // bars.season_length), 1)
    wanted = bars.positions[:, None] + steps - seasons * bars.season_length
    return np.asarray(np.searchsorted(bars.positions, wanted, side="right") - 1, np.int64)


def change(bars: Bars) -> Array:
    """`p_t - p_{t-1}`, p the path."""
    return np.diff(bars.path, prepend=np.nan)


def seasonal_change(bars: Bars, steps: NDArray[np.int64]) -> Array:
    """`p_{t+k-m} - p_t`, m the season length: what the seasonal naive forecast of step k adds to the last value.

    Returns:
        Shape `(n_values, n_steps)`.
    """
    rows = season_rows(bars, steps)
    return np.where(rows >= 0, bars.path[rows] - bars.path[:, None], np.nan)


def seasonal_difference(bars: Bars) -> Array:
    """`p_t - p_{t-m}`, m the season length: how far the series is from where it was a season ago."""
    rows = season_rows(bars, np.array([0]))[:, 0]
    return np.where(rows >= 0, bars.path - bars.path[rows], np.nan)


def deviation(bars: Bars) -> Array:
    """`p_t` less the mean of the last three seasons up to it, or of 30 values if that is more; from a third on."""
    n = max(3 * bars.season_length, LEAST_MEAN)
    mean = pd.Series(bars.path).rolling(n, min_periods=n // 3).mean().to_numpy(np.float64)
    return np.asarray(bars.path - mean, np.float64)
