"""The registry of price sources, what a fetch may ask of one, and what it returns.

A source is one function from a ticker and `FetchOptions` to `Fetched`, and one entry in `SOURCES`. This module
imports neither pandas nor pydantic, so that the command line can list the names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from lstm_stock.prices.retry import Retry, ignore_retry

if TYPE_CHECKING:
    import pandas as pd

    from lstm_stock.config.registry import Target
    from lstm_stock.prices.csv.reader import CsvFile

DateOrder = Literal["day", "month", "year"]
"""What comes first in a date."""

DecimalMark = Literal[".", ","]
"""The mark before the decimals of a number."""

Quote = Literal["bid", "ask", "middle"]
"""Which of two sets of prices; `middle` is their mean."""

SAMPLE_TICKER: Final = "AAPL"
"""The one ticker of the source `sample`."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class CsvOptions:
    """What the user says about a file, where the file itself leaves it open.

    Attributes:
        date_order: Order in dates such as 03/04/05: `day`, `month` or `year` first; None: the rows decide.
        value: The column that is a series of values, no prices; None for prices.
        decimal: The decimal mark, `.` or `,`; None: the cells decide.
        columns: Pairs of a field and the label or the number (from 1) of its column; the header tells the others.
        quote: Which prices to take of a file with bids and asks.
    """

    date_order: DateOrder | None = None
    value: str | None = None
    decimal: DecimalMark | None = None
    columns: tuple[tuple[str, str], ...] = ()
    quote: Quote | None = None


NOTHING_SAID: Final = CsvOptions()
"""The user has said nothing: the file decides."""


@dataclass(frozen=True)
class FetchOptions:
    """How to fetch prices.

    Attributes:
        source: A key of `SOURCES`.
        start: First date wanted, or None for where the store begins, or else the earliest that the source has.
        end: Last date wanted, inclusive, or None for the newest that the source has.
        csv_path: The file, for the source `csv`.
        csv_file: The same file, if it was read already.
        csv: How to read it.
        exchange: ISO code of the exchange; it overrides the source's.
        interval: Name of the interval of the bars; None is a day, or of a file that of its dates.
        refresh: Whether to fetch everything again and to replace what the store has.
        names_source: Whether the user named the source; only then does `refresh` replace bars of another one.
        include_partial: Whether to keep a bar whose session is not over.
        timeout: Seconds that one HTTP request may take.
        max_wait: Seconds for retries after the first failure; 0 for a single attempt.
        on_retry: Called before each wait.
        now: The present time, with its zone.
    """

    source: str
    start: dt.date | None = None
    end: dt.date | None = None
    csv_path: Path | None = None
    csv_file: CsvFile | None = None
    csv: CsvOptions = NOTHING_SAID
    exchange: str | None = None
    interval: str | None = None
    refresh: bool = False
    names_source: bool = True
    include_partial: bool = False
    timeout: float = 30.0
    max_wait: float = 0.0
    on_retry: Callable[[Retry], None] = ignore_retry
    now: dt.datetime = field(default_factory=_now)


@dataclass(frozen=True)
class Fetched:
    """What a source returns.

    Attributes:
        table: A valid price table, or value table.
        currency: Currency of the prices (`USD`; `GBp` is pence), if known.
        exchange: A code of `lstm_stock.prices.calendars`, or None if unknown.
        notes: How the source's data was read and what was left out, in lines for the user.
        partial: Date of the last bar, if its session is not over.
        column: The column of the file that a series of values was read from; None for prices.
        interval: Name of the interval of the bars.
    """

    table: pd.DataFrame
    currency: str | None = None
    exchange: str | None = None
    notes: tuple[str, ...] = ()
    partial: dt.date | None = None
    column: str | None = None
    interval: str = "1d"


@dataclass(frozen=True)
class SourceSpec:
    """Facts about a source.

    Attributes:
        purpose: Where its prices come from.
        fetch: Target of a function from a ticker and `FetchOptions` to `Fetched`. It returns the dates wanted or
            more, and raises `DataError` or `SourceError`.
        is_incremental: Whether it can return a range of dates: new bars are then added to stored ones.
            Otherwise each fetch reads everything.
    """

    purpose: str
    fetch: Target
    is_incremental: bool = False


SOURCES: Final[dict[str, SourceSpec]] = {
    "yahoo": SourceSpec("Yahoo Finance", "lstm_stock.prices.fetch:fetch_yahoo", is_incremental=True),
    "csv": SourceSpec("a CSV file", "lstm_stock.prices.fetch:fetch_csv"),
    "sample": SourceSpec(f"the packaged {SAMPLE_TICKER} sample", "lstm_stock.prices.fetch:fetch_sample"),
}
"""Every source by its name."""


def fetch_command(ticker: str, source: str, options: str = "") -> str:
    """Return the command that fetches newer bars of a ticker from where its stored ones come from.

    >>> fetch_command("ACME", "csv")
    '`lstm-stock fetch ACME --from-csv FILE`'

    Args:
        ticker: Its name.
        source: The source of the stored bars. The sample never has newer bars; Yahoo has them of the same share.
        options: Further options, each after a space.
    """
    own = {"csv": " --from-csv FILE", "sample": " --source yahoo --refresh"}.get(source, "")
    return f"`lstm-stock fetch {ticker}{own}{options}`"
