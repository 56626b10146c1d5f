"""Read prices from the store, each ticker's file once per command.

So a command works on one state of the prices, whatever another process fetches meanwhile.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from lstm_stock.config import DataConfig
from lstm_stock.errors import ShortHistoryError
from lstm_stock.prices import table as price_table
from lstm_stock.prices.quality import n_dead_bars
from lstm_stock.prices.sources import fetch_command
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import Days, PriceHistory, between, days_of, iso_date


class PriceSource(Protocol):
    """Anything that has the prices of tickers: a `Store`, a `Snapshot`."""

    def read(self, ticker: str) -> PriceHistory:
        """Return one ticker's prices; DataError if there are none."""


class Snapshot:
    """The prices of a store; those of a ticker are kept from its first read on.

    Args:
        store: The price store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._histories: dict[str, PriceHistory] = {}

    def read(self, ticker: str) -> PriceHistory:
        """Return one ticker's prices; DataError as `Store.read`."""
        if ticker not in self._histories:
            self._histories[ticker] = self._store.read(ticker)
        return self._histories[ticker]


class PriceReader:
    """Read the bars of a config's tickers between its `start` and `end`.

    Bars at the end on which nothing is traded any more are left out: see `n_dead_bars`.

    The bars of a ticker are kept from its first read on, 72 bytes each: 126 MB for 500 tickers of 3,500 bars.

    Args:
        data: The `data` section.
        store: The price store.

    Attributes:
        origins: Origin of the bars of each ticker read so far.
        exchanges: Exchange of each ticker read so far, None if unknown.
    """

    def __init__(self, data: DataConfig, store: PriceSource) -> None:
        self.origins: dict[str, TickerOrigin] = {}
        self.exchanges: dict[str, str | None] = {}
        self._tables: dict[str, pd.DataFrame] = {}
        self._data = data
        self._store = store

    def table(self, ticker: str) -> pd.DataFrame:
        """Return a ticker's price table; do not change it.

        Raises:
            ShortHistoryError: There are no bars in range.
            DataError: There are no prices.
        """
        if ticker not in self._tables:
            history = self._store.read(ticker)
            table = self._in_range(history)
            self._tables[ticker] = table
            self.origins[ticker] = _origin(history, table)
            self.exchanges[ticker] = history.provenance.exchange
        return self._tables[ticker]

    def adjusted(self, ticker: str) -> pd.DataFrame:
        """Return a ticker's bars, adjusted for dividends; DataError as `table`."""
        return price_table.adjusted(self.table(ticker))

    def exchange_of(self, ticker: str) -> str | None:
        """Return the exchange of a ticker, None if unknown; DataError as `table`."""
        self.table(ticker)
        return self.exchanges[ticker]

    def origins_of(self, tickers: Sequence[str]) -> dict[str, TickerOrigin]:
        """Return the origin of the bars of each ticker, all of which were read."""
        return {ticker: self.origins[ticker] for ticker in tickers}

    def dates(self, tickers: Sequence[str]) -> Days:
        """Return every date on which one of the tickers has a bar, sorted; DataError as `table`."""
        return all_dates([days_of(self.table(ticker)) for ticker in tickers])

    def _in_range(self, history: PriceHistory) -> pd.DataFrame:
        data, ticker = self._data, history.ticker
        table = between(history.table, data.start, data.end)
        if table.empty:
            first, last = history.table.index[[0, -1]]
            fetch = fetch_command(ticker, history.provenance.source)
            raise ShortHistoryError(
                f"{ticker} has no bar between {data.start} and {data.end}: "
                f"the store has {first:%F} to {last:%F}",
                f"change `data.start` and `data.end`, or fetch more: {fetch}",
            )
        table = table.iloc[: len(table) - n_dead_bars(table)]
        # A copy of a part: a view would keep the whole table in memory.
        return table.copy() if len(table) < len(history.table) else table


def all_dates(dates: Sequence[Days]) -> Days:
    """Return the distinct dates of several tickers, sorted."""
    return np.unique(np.concatenate(dates))


def _origin(history: PriceHistory, table: pd.DataFrame) -> TickerOrigin:
    """Return the origin of `table`, some or all bars of a history."""
    is_whole = len(table) == len(history.table)  # its hash was checked when it was read
    return TickerOrigin(
        hash=history.provenance.hash if is_whole else price_table.table_hash(table),
        first=iso_date(table.index[0]),
        last=iso_date(table.index[-1]),
        n_bars=len(table),
        source=history.provenance.source,
        first_close=float(price_table.adjusted(table.iloc[:1])["close"].iloc[0]),
    )


@dataclass(frozen=True)
class TickerOrigin:
    """The bars of a ticker that a run was made from.

    Attributes:
        hash: `lstm_stock.prices.table.table_hash` of the bars.
        first: Date (ISO) of the first bar, with the time of day of an intraday one.
        last: Date (ISO) of the last bar, likewise.
        n_bars: Number of bars.
        source: Their source, such as `yahoo`.
        first_close: Adjusted close of the first bar; a later fetch that re-adjusts the past changes it.
    """

    hash: str
    first: str
    last: str
    n_bars: int
    source: str
    first_close: float

    @property
    def dates(self) -> tuple[dt.date, dt.date]:
        """Dates of the first and of the last bar, as `between` takes them."""
        first, last = (
            dt.datetime.fromisoformat(text) if "T" in text else dt.date.fromisoformat(text)
            for text in (self.first, self.last)
        )
        return first, last
