"""Arguments as users give them: dates as text, tickers one or many."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from lstm_stock.config import normalise_ticker
from lstm_stock.config.tickers import distinct
from lstm_stock.errors import ConfigError


def date_of(value: str | dt.date | None, name: str) -> dt.date | None:
    """Return a date; ConfigError if a text is none.

    >>> date_of("2020-03-04", "start")
    datetime.date(2020, 3, 4)

    Args:
        value: `YYYY-MM-DD`, a date, a time of which the date counts, such as a `pandas.Timestamp`, or None.
        name: Name of the argument, for the message.
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{name}: got {value!r}, expected a date", "write it as YYYY-MM-DD: 2020-03-04"
        ) from error


def tickers_of(value: str | Sequence[str]) -> list[str]:
    """Return tickers as the store spells them, each once; DataError if one of them is no ticker.

    >>> tickers_of("aapl"), tickers_of(["MSFT", "BRK-B", "msft"])
    (['AAPL'], ['MSFT', 'BRK-B'])

    Args:
        value: One or several.
    """
    names = [value] if isinstance(value, str) else list(value)
    return distinct([normalise_ticker(name) for name in names])
