"""Bars of a ticker and the features of each bar.

A feature's value at bar t depends only on bars up to t. Nothing here is fitted, scaled or cut into windows. To add
a feature, write one function and one entry in `lstm_stock.config.features.FEATURES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import itemgetter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config.covariates import is_covariate_feature
from lstm_stock.config.features import FEATURES, feature_of
from lstm_stock.config.registry import resolve
from lstm_stock.dataset.volatility import (
    MONTH,
    Array,
    day_variance,
    log_returns,
    range_volatility,
    trailing_volatility,
    variance_surprise,
)
from lstm_stock.errors import ConfigError
from lstm_stock.prices.table import Days, arrays_of, days_of

MARKET_COLUMNS = ("market", "market_level", "market_trend_2", "market_trend_10")
"""Columns of the market in a table of adjusted bars."""

N_NEAR = 4
"""Sessions on each side in which `seasonal_max` looks for the widest: a report moves by some days."""

SESSION_COLUMN = "session_"
"""Columns of a table of adjusted bars with the date of the k-th session after each bar: this name and k."""

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
        close: Last price of the day, the price that is forecast; of a series of values the value.
        volume: Shares traded.
        volatility: `trailing_volatility`, NaN during warm-up.
        range_volatility: `range_volatility`, NaN during warm-up.
        market: `lstm_stock.dataset.market.Market.volatility_surprise` of each bar's date; None without a market.
        market_level: `Market.level` of each bar's date, likewise.
        market_trend_2: `Market.trend_2`, likewise.
        market_trend_10: `Market.trend_10`, likewise.
        days: Date of each bar; None if unknown.
        sessions: Dates of the sessions after each bar, by the calendar of its exchange, shape `(n_bars, horizon)`;
            None where no feature needs them.
        covariates: The covariate features known at each bar's close, by name.
        is_log: Whether a move is the log of a ratio; otherwise it is a difference.
        season_length: Values per season of a series of values.
        positions: Number of intervals from the first value to each, of a series of values; None for prices.
    """

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    volatility: Array
    range_volatility: Array
    market: Array | None = None
    market_level: Array | None = None
    market_trend_2: Array | None = None
    market_trend_10: Array | None = None
    days: Days | None = None
    sessions: Days | None = None
    covariates: Mapping[str, Array] = field(default_factory=dict)
    is_log: bool = True
    season_length: int = 1
    positions: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, adjusted: pd.DataFrame) -> Bars:
        """Take the columns `open high low close volume` of an adjusted price table.

        Those of market, sessions and covariates are taken if they exist, see `lstm_stock.dataset.loader`.
        """
        names = [str(name) for name in adjusted.columns]
        steps = [name for name in names if name.startswith(SESSION_COLUMN)]
        numbers = arrays_of(adjusted[[name for name in names if name not in steps]] if steps else adjusted)
        open_, high, low, close, volume = (
            numbers[name] for name in ("open", "high", "low", "close", "volume")
        )
        by_range = range_volatility(day_variance(open_, high, low, close))
        market, level, trend_2, trend_10 = (numbers.get(name) for name in MARKET_COLUMNS)
        covariates = {name: values for name, values in numbers.items() if is_covariate_feature(name)}
        return cls(
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            volatility=trailing_volatility(close),
            range_volatility=by_range,
            market=market,
            market_level=level,
            market_trend_2=trend_2,
            market_trend_10=trend_10,
            days=days_of(adjusted),
            sessions=adjusted[steps].to_numpy("datetime64[D]") if steps else None,
            covariates=covariates,
        )

    @cached_property
    def distinct_sessions(self) -> tuple[Days, NDArray[np.int64]]:
        """Every date of `sessions` once, increasing, and where each of `sessions` is among them."""
        sessions = require_sessions(self.sessions)
        first = sessions.min()
        days = (sessions - first).astype(np.int64)
        is_session = np.zeros(days.max() + 1, np.bool_)
        is_session[days] = True
        return first + np.flatnonzero(is_session), (np.cumsum(is_session) - 1)[days]

    @cached_property
    def path(self) -> Array:
        """What moves are differences of, shape `(n_bars,)`: the log of the close, or the value itself."""
        return np.log(self.close) if self.is_log else self.close

    @cached_property
    def day_variance(self) -> Array:
        """`lstm_stock.dataset.volatility.day_variance`, shape `(n_bars,)`."""
        return day_variance(self.open, self.high, self.low, self.close)

    @cached_property
    def log_variance(self) -> Array:
        """The log of `day_variance`, shape `(n_bars,)`."""
        return np.log(self.day_variance)

    @cached_property
    def variance_surprise(self) -> Array:
        """`lstm_stock.dataset.volatility.variance_surprise`, shape `(n_bars,)`."""
        return variance_surprise(self.day_variance)

    @cached_property
    def widest_near(self) -> Array:
        """The greatest `variance_surprise` within `N_NEAR` bars of each, before and after, shape `(n_bars,)`."""
        surprise = pd.Series(self.variance_surprise)
        widest = surprise.rolling(2 * N_NEAR + 1, center=True, min_periods=1).max()
        return widest.to_numpy(np.float64)


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


def mean_log_vol(bars: Bars, n_bars: int) -> Array:
    """`mean(log v_{t-n+1}, ..., log v_t) / 2`, v the `day_variance`, from the first 22 bars on or the first n."""
    half_logs = pd.Series(bars.log_variance) / 2
    return half_logs.rolling(n_bars, min_periods=min(n_bars, MONTH)).mean().to_numpy(np.float64)


def fall(bars: Bars) -> Array:
    """`min(r_t, 0)`, r the log return: a fall raises volatility more than a rise does."""
    return np.minimum(log_returns(bars.close), 0)


def trend(bars: Bars, half_life: int) -> Array:
    """`sum_i w^i z_{t-i} / sum_i w^i`, `w = 0.5^(1/half_life)`, z the return in units of the trailing volatility.

    That is the volatility of the bar before; NaN during its warm-up. Trends of days and weeks explain volatility
    beside its own past (Corsi & Reno 2012, Journal of Business & Economic Statistics 30).
    """
    scaled = pd.Series(log_returns(bars.close) / _previous(bars.volatility))
    return scaled.ewm(halflife=half_life).mean().to_numpy(np.float64)


def market_vol(bars: Bars) -> Array:
    """`m_t`, the mean volatility surprise of all tickers, `Market.volatility_surprise`."""
    return of_market(bars.market)


def market_level(bars: Bars) -> Array:
    """`l_t`, the mean log variance of all tickers over a month less that over a year, `Market.level`."""
    return of_market(bars.market_level)


def market_trend_2(bars: Bars) -> Array:
    """`e_t`, the EWMA with half-life 2 of the mean return of all tickers, `Market.trend_2`."""
    return of_market(bars.market_trend_2)


def market_trend_10(bars: Bars) -> Array:
    """`e_t`, the EWMA with half-life 10 of the mean return of all tickers, `Market.trend_10`."""
    return of_market(bars.market_trend_10)


def of_market(values: Array | None) -> Array:
    """Return a column of the market; raise ValueError if the bars have none."""
    if values is None:
        raise ValueError("the bars have no columns of the market")
    return values


def require_sessions(sessions: Days | None) -> Days:
    """Return the sessions after each bar; raise ValueError if the bars have none."""
    if sessions is None:
        raise ValueError("the bars have no columns of sessions")
    return sessions


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


def feature_table(bars: Bars, columns: Sequence[str], volatility: Array | None, from_row: int = 0) -> Array:
    """Compute the columns of features of every bar, or of the last ones.

    Args:
        bars: The bars of one ticker.
        columns: Of `lstm_stock.config.features.feature_columns`, in this order; covariate features are those of
            `bars.covariates`.
        volatility: Known at each bar, shape `(n_bars,)`. Returns and ranges are divided by that of the bar before,
            volatilities by that of the same bar, so that quiet and volatile times and tickers look alike to the
            network. None leaves them as they are.
        from_row: The first bar whose features are returned; they are computed from all.

    Returns:
        Unscaled features, shape `(n_bars - from_row, n_features)`; the first rows are NaN during warm-up.

    Raises:
        ConfigError: A feature is neither in `FEATURES` nor in `bars.covariates`.
    """
    unknown = [
        name for name, _ in map(feature_of, columns) if name not in FEATURES and name not in bars.covariates
    ]
    if unknown:
        raise ConfigError(f"unknown features: {', '.join(unknown)}", f"known features: {', '.join(FEATURES)}")
    table = np.empty((len(bars.close) - from_row, len(columns)))
    previous_volatility = None if volatility is None else _previous(volatility)
    end = 0
    for name, group in groupby(map(feature_of, columns), key=itemgetter(0)):
        steps = [step for _, step in group]
        start, end = end, end + len(steps)
        if name in bars.covariates:
            table[:, start] = bars.covariates[name][from_row:]
            continue
        feature = FEATURES[name]
        compute = resolve(feature.compute)
        if feature.by_step:
            table[:, start:end] = compute(bars, *feature.arguments, np.array(steps))[from_row:]
            continue
        values = compute(bars, *feature.arguments)
        if previous_volatility is not None and feature.kind == "return":
            values = values / previous_volatility
        elif previous_volatility is not None and feature.kind == "log_range":
            values = values - np.log(previous_volatility)
        elif volatility is not None and feature.kind == "log_vol":
            values = values - np.log(volatility)
        table[:, start] = values[from_row:]
    return table
