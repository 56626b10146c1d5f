"""Sessions that end together: what a market of several exchanges requires.

A bar is dated by its exchange, not timed. The bar that New York has of a date is not known when Tokyo's session
of that date ends, so a market of both would look ahead.
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
"""Sessions that end within this of one another end together."""

MAX_SHARE_APART = 0.02
"""Share of the common dates on which sessions may end apart. Half holidays are fewer; the weeks between the
clock changes of two countries are more."""


def require_one_close(
    target_scale: str, exchanges: Mapping[str, str | None], first: dt.date, last: dt.date
) -> list[str]:
    """Refuse a market of tickers whose sessions end at different times.

    All dates that two exchanges have in common are compared, of the years from `first` to `last`: not every
    exchange changes its clocks, so that sessions may end together in winter alone. An early close is no
    look-ahead, as the exchange does not trade again before the others have closed.

    Args:
        target_scale: The scale that needs the market, for the message.
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
            raise _ends_apart(target_scale, exchanges, one, other, apart)
    return [ticker for ticker, code in exchanges.items() if code not in known]


def _ends_apart(
    target_scale: str, exchanges: Mapping[str, str | None], one: str, other: str, apart: pd.Series
) -> ConfigError:
    """Name two tickers and a usual day among the dates on which their sessions end `apart`."""
    usual = apart[apart == apart.quantile(interpolation="lower")]
    gap, day = usual.iloc[-1], usual.index[-1]
    early, late = (one, other) if gap < pd.Timedelta(0) else (other, one)
    first = min(ticker for ticker, code in exchanges.items() if code == early)
    second = max(ticker for ticker, code in exchanges.items() if code == late)
    minutes = abs(gap.total_seconds()) / 60
    return ConfigError(
        f"`target_scale: {target_scale}` needs tickers whose sessions end together: {first} trades at {early}, "
        f"{second} at {late}, and on {day:%F} their sessions ended {minutes:.0f} minutes apart",
        f"train them apart, or set `target_scale: {SCALES[target_scale].alternative}`, which looks at each alone",
    )
