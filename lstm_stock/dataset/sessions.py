"""The sessions after each bar, and a check that those of a market's tickers end together.

A bar has a date but no time. New York's bar of a date is not known when Tokyo's session of that date ends, so a
market of both would look ahead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from lstm_stock.config import Config
from lstm_stock.dataset.features import SESSION_COLUMN
from lstm_stock.errors import ConfigError
from lstm_stock.prices import calendars
from lstm_stock.prices.table import days_of, with_columns

SAME_CLOSE = dt.timedelta(minutes=30)
"""Greatest time between the ends of sessions that end together."""

MAX_SHARE_APART = 0.02
"""Greatest share of the common dates on which sessions may end at different times: half holidays are fewer, the
weeks between the clock changes of two countries are more."""


def with_session_columns(adjusted: pd.DataFrame, exchange: str | None, horizon: int) -> pd.DataFrame:
    """Add the dates of the sessions after each bar, columns `session_1` to `session_<horizon>`.

    They follow the calendar, never the next row: that a session will be missing is not known before.

    Args:
        adjusted: Bars, indexed by date.
        exchange: The exchange, None if unknown: Monday to Friday.
        horizon: Number of sessions.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    if adjusted.empty:
        return adjusted
    days = days_of(adjusted)
    last = calendars.next_sessions(exchange, adjusted.index[-1], horizon)
    known = calendars.sessions_between(exchange, adjusted.index[0], adjusted.index[-1])
    sessions = np.concatenate([known, last]).astype("datetime64[D]")
    next_rows = np.searchsorted(sessions, days, side="right")
    steps = np.arange(horizon)
    names = [f"{SESSION_COLUMN}{k + 1}" for k in steps]
    return with_columns(adjusted, names, sessions[next_rows[:, None] + steps].astype("datetime64[s]"))


def require_one_close(
    config: Config, exchanges: Mapping[str, str | None], first: dt.date, last: dt.date
) -> list[str]:
    """Raise an error if the sessions of two tickers end at different times.

    All common dates of the years from `first` to `last` are compared, since not every exchange changes its clocks:
    sessions may end together only in winter. An early close is no look-ahead, as the exchange does not trade again
    before the others close.

    Args:
        config: A config that needs the market, which the error names.
        exchanges: Exchange code of each ticker, None if unknown.
        first: Date of the first bar.
        last: Date of the last bar.

    Returns:
        The tickers whose sessions end at an unknown time, or have no date in common with those of another.

    Raises:
        ConfigError: Sessions of two exchanges end at different times on more than `MAX_SHARE_APART` of their
            common dates.
    """
    codes = sorted({code for code in exchanges.values() if code is not None})
    ends = {code: calendars.session_ends(code, first.year, last.year) for code in codes}
    ends = {code: times for code, times in ends.items() if len(times)}
    comparable = set(ends)
    for one, other in combinations(ends, 2):
        gaps = (ends[one] - ends[other]).dropna()  # on common dates
        if gaps.empty:
            comparable -= {one, other}
        apart = gaps[gaps.abs() > SAME_CLOSE]
        if len(apart) > MAX_SHARE_APART * len(gaps):
            raise _ends_apart(config, exchanges, one, other, apart)
    return [ticker for ticker, code in exchanges.items() if code not in comparable]


def _ends_apart(
    config: Config, exchanges: Mapping[str, str | None], one: str, other: str, apart: pd.Series
) -> ConfigError:
    """Return the error with two tickers as examples, and the last date of the median time `apart`."""
    median = apart[apart == apart.quantile(interpolation="lower")]
    gap, day = median.iloc[-1], median.index[-1]
    early, late = (one, other) if gap < pd.Timedelta(0) else (other, one)
    first = min(ticker for ticker, code in exchanges.items() if code == early)
    second = max(ticker for ticker, code in exchanges.items() if code == late)
    minutes = abs(gap.total_seconds()) / 60
    return ConfigError(
        f"`{config.market_user}` needs tickers whose sessions end together: {first} trades at {early}, "
        f"{second} at {late}, and on {day:%F} their sessions ended {minutes:.0f} minutes apart",
        f"train them separately, or {config.without_market}, which uses each ticker alone",
    )
