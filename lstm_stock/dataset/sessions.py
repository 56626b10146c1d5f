"""Check that the sessions of a market's tickers end together.

A bar has a date but no time. New York's bar of a date is not known when Tokyo's session of that date ends, so a
market of both would look ahead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from lstm_stock.config.scales import SCALES
from lstm_stock.errors import ConfigError
from lstm_stock.prices import calendars

SAME_CLOSE = dt.timedelta(minutes=30)
"""Greatest time between the ends of sessions that end together."""

MAX_SHARE_APART = 0.02
"""Greatest share of the common dates on which sessions may end at different times: half holidays are fewer, the
weeks between the clock changes of two countries are more."""


def require_one_close(
    target_scale: str, exchanges: Mapping[str, str | None], first: dt.date, last: dt.date
) -> list[str]:
    """Raise an error if the sessions of two tickers end at different times.

    All common dates of the years from `first` to `last` are compared, since not every exchange changes its clocks:
    sessions may end together only in winter. An early close is no look-ahead, as the exchange does not trade again
    before the others close.

    Args:
        target_scale: The scale that needs the market, named in the error.
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
            raise _ends_apart(target_scale, exchanges, one, other, apart)
    return [ticker for ticker, code in exchanges.items() if code not in comparable]


def _ends_apart(
    target_scale: str, exchanges: Mapping[str, str | None], one: str, other: str, apart: pd.Series
) -> ConfigError:
    """Return the error with two tickers as examples, and the last date of the median time `apart`."""
    median = apart[apart == apart.quantile(interpolation="lower")]
    gap, day = median.iloc[-1], median.index[-1]
    early, late = (one, other) if gap < pd.Timedelta(0) else (other, one)
    first = min(ticker for ticker, code in exchanges.items() if code == early)
    second = max(ticker for ticker, code in exchanges.items() if code == late)
    minutes = abs(gap.total_seconds()) / 60
    return ConfigError(
        f"`target_scale: {target_scale}` needs tickers whose sessions end together: {first} trades at {early}, "
        f"{second} at {late}, and on {day:%F} their sessions ended {minutes:.0f} minutes apart",
        f"train them separately, or set `target_scale: {SCALES[target_scale].alternative}`, which uses each "
        "ticker alone",
    )
