"""Bars of a ticker and the features of each bar.

A feature's value at bar t depends only on bars up to t. Nothing here is fitted, scaled or cut into windows. To add
a feature, write one function and one entry in `lstm_stock.config.features.FEATURES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_stock.config.features import FEATURES
from lstm_stock.config.registry import resolve
from lstm_stock.dataset.volatility import (
    Array,
    day_variance,
    log_returns,
    range_volatility,
    trailing_volatility,
)
from lstm_stock.errors import ConfigError

VOLUME_WINDOW = 60
"""Bars of past volume that a bar's volume is compared with; about one quarter."""

MIN_RANGE = 1e-4
"""One basis point, added to the daily range before its log, since high equals low on some bars."""


@dataclass(frozen=True)
class Bars:
    """The adjusted bars of one ticker, each array of shape `(n_bars,)`, oldest first.

    Attributes:
        open: First price of the day; 0 on some bars.
        high: Highest price of the day.
        low: Lowest price of the day.
        close: Last price of the day, the price that is forecast.
        volume: Shares traded.
        volatility: `trailing_volatility`, NaN during warm-up.
        range_volatility: `range_volatility`, NaN during warm-up.
        market: `lstm_stock.dataset.market.Market.volatility_surprise` of each bar's date; None without a market.
    """

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    volatility: Array
    range_volatility: Array
    market: Array | None = None

    @classmethod
    def of(cls, adjusted: pd.DataFrame) -> Bars:
        """Take the columns `open high low close volume` of an adjusted price table, and `market` if it exists."""
        names = ("open", "high", "low", "close", "volume")
        open_, high, low, close, volume = (adjusted[name].to_numpy(np.float64) for name in names)
        by_range = range_volatility(day_variance(open_, high, low, close))
        market = adjusted["market"].to_numpy(np.float64) if "market" in adjusted else None
        return cls(open_, high, low, close, volume, trailing_volatility(close), by_range, market)


def _previous(values: Array) -> Array:
    return np.concatenate(([np.nan], values[:-1]))


def log_return(bars: Bars) -> Array:
    """`log(close_t / close_{t-1})`."""
    return log_returns(bars.close)


def open_gap(bars: Bars) -> Array:
    """`log(open_t / close_{t-1})`."""
    return np.log(bars.open / _previous(bars.close))


def high_gap(bars: Bars) -> Array:
    """`log(high_t / close_{t-1})`."""
    return np.log(bars.high / _previous(bars.close))


def low_gap(bars: Bars) -> Array:
    """`log(low_t / close_{t-1})`."""
    return np.log(bars.low / _previous(bars.close))


def log_range(bars: Bars) -> Array:
    """`log(log(high_t / low_t) + 0.0001)`, the log of the daily range."""
    return np.log(np.log(bars.high / bars.low) + MIN_RANGE)


def log_volume_ratio(bars: Bars) -> Array:
    """`log((volume_t + 1) / (mean of the 60 volumes before t + 1))`."""
    mean = pd.Series(_previous(bars.volume)).rolling(VOLUME_WINDOW, min_periods=1).mean().to_numpy(np.float64)
    return np.asarray(np.log((bars.volume + 1) / (mean + 1)), np.float64)


def log_trailing_vol(bars: Bars) -> Array:
    """`log(sigma_t)`, where sigma is the trailing volatility."""
    return np.log(bars.volatility)


def log_range_vol(bars: Bars) -> Array:
    """`log(rho_t)`, rho the range volatility, which reacts to a change faster than sigma does."""
    return np.log(bars.range_volatility)


def open_level(bars: Bars) -> Array:
    """`open_t`."""
    return bars.open


def high_level(bars: Bars) -> Array:
    """`high_t`."""
    return bars.high


def low_level(bars: Bars) -> Array:
    """`low_t`."""
    return bars.low


def close_level(bars: Bars) -> Array:
    """`close_t`."""
    return bars.close


def volume_level(bars: Bars) -> Array:
    """`volume_t`."""
    return bars.volume


def feature_table(bars: Bars, names: Sequence[str], volatility: Array | None) -> Array:
    """Compute the named features of every bar.

    Args:
        bars: The bars of one ticker.
        names: Keys of `FEATURES`; they become the columns, in this order.
        volatility: Known at each bar, shape `(n_bars,)`. Returns and ranges are divided by that of the bar before,
            so that quiet and volatile times and tickers look alike to the network. None leaves them as they are.

    Returns:
        Unscaled features, shape `(n_bars, n_features)`; the first rows are NaN during warm-up.

    Raises:
        ConfigError: A name is not in `FEATURES`.
    """
    unknown = [name for name in names if name not in FEATURES]
    if unknown:
        raise ConfigError(f"unknown features: {', '.join(unknown)}", f"known features: {', '.join(FEATURES)}")
    previous_volatility = None if volatility is None else _previous(volatility)
    columns = []
    for name in names:
        feature = FEATURES[name]
        values = resolve(feature.compute)(bars)
        if previous_volatility is not None and feature.kind == "return":
            values = values / previous_volatility
        elif previous_volatility is not None and feature.kind == "log_range":
            values = values - np.log(previous_volatility)
        columns.append(values)
    return np.column_stack(columns)
