"""Where prices come from: Yahoo, a CSV file of the user's, or the sample that comes with the package.

A source is one function from a request to a price table, and one entry in `SOURCES`. Nothing here keeps what it
fetched: that is for the store.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from lstm_stock.errors import DataError, SourceError
from lstm_stock.prices.calendars import check_exchange, guess_exchange
from lstm_stock.prices.csv.reader import read_csv
from lstm_stock.prices.retry import Retry, ignore_retry, retrying
from lstm_stock.prices.table import validate
from lstm_stock.prices.yahoo.client import YahooRequest, fetch_bars

SAMPLE_TICKER: Final = "AAPL"
"""The ticker that the source `sample` has."""

_SAMPLE_FILE = "AAPL_2010_2023.csv"


@dataclass(frozen=True)
class FetchRequest:
    """What is wanted of a source.

    Attributes:
        ticker: In upper case.
        start: First date wanted, or None for the earliest there is.
        end: Last date wanted, inclusive, or None for the newest there is.
        csv_path: The file, for the source `csv`.
        day_first: How the file writes dates such as 03/04/2020, where no row decides.
        exchange: ISO code of the exchange, where the source does not know it; otherwise it goes before.
        include_partial: Whether a bar whose session is not over is wanted too.
        timeout: Seconds that one HTTP request may take.
        max_wait: Seconds that may be spent on trying again; 0 for one try alone.
        on_retry: Called before each wait for another try.
        now: The present time, with its zone.
    """

    ticker: str
    start: dt.date | None = None
    end: dt.date | None = None
    csv_path: Path | None = None
    day_first: bool | None = None
    exchange: str | None = None
    include_partial: bool = False
    timeout: float = 30.0
    max_wait: float = 0.0
    on_retry: Callable[[Retry], None] = ignore_retry
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


@dataclass(frozen=True)
class Fetched:
    """What a source delivered.

    Attributes:
        table: A valid price table.
        currency: What the prices are in, if known.
        exchange: A code of `lstm_stock.prices.calendars`, or None where unknown.
        notes: What was understood, left out or not known, in lines for the user.
        partial: The date of the last bar, if its session is not over.
    """

    table: pd.DataFrame
    currency: str | None = None
    exchange: str | None = None
    notes: tuple[str, ...] = ()
    partial: dt.date | None = None


@dataclass(frozen=True)
class Source:
    """A place that prices come from.

    Attributes:
        fetch: Brings what it has of a request, or more.
        has_parts: Whether a part of what it has can be asked for, and is worth it: bars are then added to those
            that the store has. Otherwise all of them are fetched each time.
    """

    fetch: Callable[[FetchRequest], Fetched]
    has_parts: bool = False


def fetch_prices(source: str, request: FetchRequest) -> Fetched:
    """Fetch one ticker's prices from a source.

    Args:
        source: A key of `SOURCES`.
        request: Which ticker, from when to when.

    Returns:
        At least two bars, all within the dates wanted.

    Raises:
        DataError: The request or the prices are not usable.
        SourceError: The source did not deliver.
    """
    if source not in SOURCES:
        raise DataError(f"there is no source `{source}`", f"choose one of {', '.join(SOURCES)}")
    if request.start is not None and request.end is not None and request.start > request.end:
        raise DataError(f"start {request.start} is after end {request.end}", "swap them, or leave one out")
    if request.exchange is not None:
        request = replace(request, exchange=check_exchange(request.exchange))
    fetched = SOURCES[source].fetch(request)
    fetched = replace(fetched, table=_within(fetched.table, request, source))
    validate(fetched.table, request.ticker)
    if len(fetched.table) < 2:
        raise DataError(
            f"the source {source} has one bar of {request.ticker} alone, of {fetched.table.index[0]:%F}; "
            "a return needs two",
            "ask for more dates: `--start`, `--end`, or another file",
        )
    return fetched


def _within(table: pd.DataFrame, request: FetchRequest, source: str) -> pd.DataFrame:
    """Cut a table to the dates wanted, which must leave something."""
    dates = table.index.to_numpy().astype("datetime64[D]")
    wanted = np.ones(len(dates), dtype=bool)
    if request.start is not None:
        wanted &= dates >= np.datetime64(request.start, "D")
    if request.end is not None:
        wanted &= dates <= np.datetime64(request.end, "D")
    if not wanted.any():
        raise DataError(
            f"the source {source} has no bar of {request.ticker} from {request.start or 'its first'} to "
            f"{request.end or 'its last'}: it has {dates[0]} to {dates[-1]}",
            "change `--start` and `--end`",
        )
    return table[wanted]


def _fetch_sample(request: FetchRequest) -> Fetched:
    """Give the prices that come with the package: AAPL, 2010-01-04 to 2023-12-29."""
    if request.ticker != SAMPLE_TICKER:
        raise SourceError(
            f"the source sample has no {request.ticker}, only {SAMPLE_TICKER}",
            "`--source yahoo` or `--from-csv FILE` bring others",
        )
    with as_file(files("lstm_stock.prices").joinpath("sample", _SAMPLE_FILE)) as path:
        prices = read_csv(path)
    return Fetched(prices.table, "USD", "XNYS")


def _fetch_csv(request: FetchRequest) -> Fetched:
    """Read a file of the user's."""
    if request.csv_path is None:
        raise DataError("the source csv needs a file", "name it: `--from-csv FILE`")
    prices = read_csv(request.csv_path, request.day_first, request.ticker)
    notes = list(prices.understood)
    exchange = request.exchange
    if exchange is None:
        exchange = guess_exchange(pd.DatetimeIndex(prices.table.index))
        notes.append(
            "exchange: unknown, taken as open from Monday to Friday (`--exchange XNYS` would say which)"
            if exchange is None
            else f"exchange: {exchange}, since Saturdays and Sundays have bars"
        )
    return Fetched(prices.table, None, exchange, tuple(notes))


def _fetch_yahoo(request: FetchRequest) -> Fetched:
    """Ask Yahoo Finance, more than once where that may help."""
    wanted = YahooRequest(
        request.ticker,
        request.start,
        request.end,
        request.exchange,
        request.include_partial,
        request.timeout,
        request.now,
    )
    bars = retrying(lambda: fetch_bars(wanted), request.max_wait, request.on_retry)
    notes = list(bars.notes)
    if bars.exchange is None:
        notes.append(
            f"exchange: Yahoo calls it {bars.exchange_name}, for which no calendar is known; taken as open from "
            "Monday to Friday, and not checked for missing sessions (`--exchange XNYS` would say which)"
        )
    return Fetched(bars.table, bars.currency, bars.exchange, tuple(notes), bars.partial)


SOURCES: Final[Mapping[str, Source]] = {
    "yahoo": Source(_fetch_yahoo, has_parts=True),
    "csv": Source(_fetch_csv),
    "sample": Source(_fetch_sample),
}
"""Every source by its name."""
