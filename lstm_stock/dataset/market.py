"""The market of a run: how much wider a day was than those of its last month, on average over all tickers.

Volatility moves in all shares at once, and an average over many tells it with less noise than the one day of one
ticker can (Bollerslev, Hood, Huss & Pedersen 2018, Review of Financial Studies 31: a global risk factor in HAR
models). Of each date it takes the bars of that date, and of each ticker bars up to it. Nothing is fitted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config import Config
from lstm_stock.config.schema import MARKET_SCALE, require_market
from lstm_stock.dataset.har import MONTH
from lstm_stock.dataset.volatility import MIN_VARIANCE, Array, day_variance
from lstm_stock.errors import ConfigError
from lstm_stock.prices import calendars
from lstm_stock.prices.table import days_of

SAME_CLOSE = dt.timedelta(minutes=30)
"""Sessions that end within this of one another end together."""

MAX_SHARE_APART = 0.02
"""Share of the common dates on which sessions may end apart. Half holidays are fewer; the weeks between the clock
changes of two countries are more."""


def market_of(config: Config, adjusted: Callable[[str], pd.DataFrame]) -> Market | None:
    """Find what all tickers of a config did on each date, where its `target_scale` looks at that.

    Args:
        config: The whole config.
        adjusted: Gives the adjusted bars of a ticker; called once for each.

    Raises:
        ConfigError: One ticker is no market.
    """
    if config.target_scale != MARKET_SCALE:
        return None
    require_market(config)
    return Market.of(map(adjusted, config.data.tickers))


def beside(market: Market | None, adjusted: Callable[[str], pd.DataFrame]) -> Callable[[str], pd.DataFrame]:
    """Give the bars of a ticker with the market beside them, if there is one."""
    return adjusted if market is None else lambda ticker: market.with_market_column(adjusted(ticker))


def with_market(config: Config, adjusted: Callable[[str], pd.DataFrame]) -> Callable[[str], pd.DataFrame]:
    """Give the bars of a ticker with the market beside them, where the config needs it.

    Raises:
        ConfigError: As `market_of`.
    """
    return beside(market_of(config, adjusted), adjusted)


def require_one_close(exchanges: Mapping[str, str | None], first: dt.date, last: dt.date) -> list[str]:
    """Refuse a market of tickers whose sessions end at different times.

    The bar that New York has of a date is not known when Tokyo's session of that date ends. Winter and summer
    differ, as not every exchange changes its clocks: all dates that two exchanges have in common are compared, of
    the years from `first` to `last`.

    Args:
        exchanges: Of each ticker; None where it is unknown.
        first: Date of the first bar.
        last: Date of the last bar.

    Returns:
        The tickers whose sessions end at an unknown time.

    Raises:
        ConfigError: Two exchanges end apart on more than `MAX_SHARE_APART` of their common dates.
    """
    codes = sorted({code for code in exchanges.values() if code is not None})
    ends = {code: calendars.session_ends(code, first.year, last.year) for code in codes}
    known = {code: times for code, times in ends.items() if len(times)}
    for one, other in combinations(known, 2):
        gaps = (known[one] - known[other]).dropna()  # on common dates
        apart = gaps[gaps.abs() > SAME_CLOSE]
        if len(apart) > MAX_SHARE_APART * len(gaps):
            raise _ends_apart(exchanges, one, other, apart)
    return [ticker for ticker, code in exchanges.items() if code not in known]


def _ends_apart(exchanges: Mapping[str, str | None], one: str, other: str, apart: pd.Series) -> ConfigError:
    """Name two tickers and a usual day among the dates on which their sessions end `apart`."""
    usual = apart[apart == apart.quantile(interpolation="lower")]
    gap, day = usual.iloc[-1], usual.index[-1]
    early, late = (one, other) if gap < pd.Timedelta(0) else (other, one)
    first = min(ticker for ticker, code in exchanges.items() if code == early)
    second = max(ticker for ticker, code in exchanges.items() if code == late)
    minutes = abs(gap.total_seconds()) / 60
    return ConfigError(
        f"`target_scale: {MARKET_SCALE}` needs tickers whose sessions end together: {first} trades at {early}, "
        f"{second} at {late}, and on {day:%F} their sessions ended {minutes:.0f} minutes apart",
        "train them apart, or set `target_scale: har`, which looks at each alone",
    )


MIN_TICKERS = 2
"""One ticker is no market."""


@dataclass(frozen=True)
class Market:
    """What all tickers together did on each date; every array has one entry a date.

    Attributes:
        dates: Every date on which a ticker has a bar, sorted, shape `(n_dates,)`.
        volatility_surprise: The mean of `volatility_surprise` over the tickers that have one; 0, that of a usual
            day, where `known` is false.
        known: Whether at least two tickers have one, and at least half of those that were listed by then. A ticker
            whose bars have ended counts as listed: of prices that were fetched for a few alone, no market is made.
    """

    dates: NDArray[np.datetime64]
    volatility_surprise: Array
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, tables: Iterable[pd.DataFrame]) -> Market:
        """Take the average over some tickers.

        Args:
            tables: The adjusted bars of each, columns `open high low close`, indexed by date; one at a time, so
                that those of many tickers need not be in memory together.
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
        """Lay the surprise of its date beside each bar of a ticker, as the column `market`."""
        by_date = pd.Series(self.volatility_surprise, index=pd.DatetimeIndex(self.dates))
        return adjusted.assign(market=by_date.reindex(adjusted.index, fill_value=0.0).to_numpy(np.float64))

    def is_known(self, day: pd.Timestamp) -> bool:
        """Whether enough tickers have a bar of a date."""
        return bool(self.known[self.dates == np.datetime64(day, "D")].any())

    @property
    def n_unknown(self) -> int:
        """Dates that are not known, of those after the first one that is."""
        return int((~self.known[int(np.argmax(self.known)) :]).sum()) if self.known.any() else len(self.known)


def volatility_surprise(adjusted: pd.DataFrame) -> Array:
    """Return the log of each day's variance less its mean over the last 22 bars, shape `(n_bars,)`.

    A day without any movement says nothing, and is left out; NaN on such a day, and where fewer than half of the
    22 are left.
    """
    if len(adjusted) == 0:
        return np.empty(0)
    names = ("open", "high", "low", "close")
    variance = day_variance(*(adjusted[name].to_numpy(np.float64) for name in names))
    moved = variance > MIN_VARIANCE
    logs = pd.Series(np.where(moved, np.log(variance), np.nan))
    return (logs - logs.rolling(MONTH, min_periods=MONTH // 2).mean()).to_numpy(np.float64)
