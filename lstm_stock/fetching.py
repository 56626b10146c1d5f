"""Fill the store from a source: what `fetch` does for one ticker.

A source is asked for the range wanted and whatever the store has already, so that a narrower request never
shrinks the store. Prices of two sources are never mixed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lstm_stock.errors import DataError
from lstm_stock.prices import PriceHistory, Provenance, table_hash
from lstm_stock.sources import FetchRequest, fetch_prices
from lstm_stock.store import Store


@dataclass(frozen=True)
class FetchOptions:
    """What the user asked for.

    Attributes:
        source: A key of `lstm_stock.sources.SOURCES`.
        start: First date wanted, or None for the earliest there is.
        end: Last date wanted, inclusive, or None for the newest there is.
        csv_path: The file, for the source `csv`.
        day_first: How the file writes dates, where that is ambiguous.
        exchange: ISO code of the exchange, where the source does not know it.
        refresh: Whether to replace what the store has, whatever it is.
    """

    source: str
    start: dt.date | None = None
    end: dt.date | None = None
    csv_path: Path | None = None
    day_first: bool | None = None
    exchange: str | None = None
    refresh: bool = False


@dataclass(frozen=True)
class FetchResult:
    """What is in the store now, and what was noticed on the way."""

    history: PriceHistory
    notes: tuple[str, ...]


def fetch_into(store: Store, ticker: str, options: FetchOptions) -> FetchResult:
    """Fetch one ticker and write it to the store.

    Raises:
        DataError: The prices are unusable, or the store has others that this fetch would lose.
        SourceError: The source did not deliver.
    """
    stored = None if options.refresh or ticker not in store.tickers() else store.read(ticker)
    if stored is not None and stored.provenance.source != options.source:
        raise DataError(
            f"the store has {ticker} from the source {stored.provenance.source}, not {options.source}",
            "`--refresh` replaces it; `--data-dir` or LSTM_STOCK_DATA chooses another store",
        )
    start, end = options.start, options.end
    if stored is not None:
        first, last = stored.table.index[0].date(), stored.table.index[-1].date()
        start = None if start is None else min(start, first)
        end = None if end is None else max(end, last)
    request = FetchRequest(ticker, start, end, options.csv_path, options.day_first, options.exchange)
    fetched = fetch_prices(options.source, request)
    if stored is not None:
        _require_no_loss(stored, fetched.table)
    provenance = Provenance(
        source=options.source,
        fetched_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        requested_start=None if start is None else start.isoformat(),
        requested_end=None if end is None else end.isoformat(),
        currency=fetched.currency,
        exchange=fetched.exchange,
        hash=table_hash(fetched.table),
    )
    history = PriceHistory(ticker, fetched.table, provenance)
    store.write(history)
    return FetchResult(history, tuple(fetched.notes))


def _require_no_loss(stored: PriceHistory, table: pd.DataFrame) -> None:
    lost = pd.DatetimeIndex(stored.table.index.difference(table.index))
    if len(lost):
        raise DataError(
            f"the store has {len(lost)} bars of {stored.ticker} that this fetch lacks, the first of {lost[0]:%F}",
            "`--refresh` replaces the store's bars with the fetched ones",
        )
