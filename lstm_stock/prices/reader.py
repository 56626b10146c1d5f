"""Read the bars of a config's tickers in its range of dates from the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lstm_stock.config import DataConfig
from lstm_stock.errors import DataError, ShortHistoryError
from lstm_stock.prices import table as price_table
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import Days, PriceHistory, between, days_of


class PriceReader:
    """Read the bars of a config's tickers between its `start` and `end`, from the store at each call.

    No table is kept: those of many tickers would need more memory than their features. Repeated reads of a ticker
    give the same bars: newer ones are left out, and a changed past is an error.

    Args:
        data: The `data` section.
        store: The price store.

    Attributes:
        origins: Origin of the bars of each ticker read so far.
        exchanges: Exchange of each ticker read so far, None if unknown.
    """

    def __init__(self, data: DataConfig, store: Store) -> None:
        self.origins: dict[str, TickerOrigin] = {}
        self.exchanges: dict[str, str | None] = {}
        self._data = data
        self._store = store

    def table(self, ticker: str) -> pd.DataFrame:
        """Return a ticker's price table.

        Raises:
            ShortHistoryError: There are no bars in range.
            DataError: There are no prices, or they have changed since the first read.
        """
        history = self._in_range(ticker)
        if ticker in self.origins:  # leave out bars that were fetched since
            last = dt.date.fromisoformat(self.origins[ticker].last)
            history = replace(history, table=between(history.table, None, last))
        self.exchanges[ticker] = history.provenance.exchange
        origin = _origin(history)
        if self.origins.setdefault(ticker, origin).hash != origin.hash:
            raise DataError(
                f"the stored prices of {ticker} changed while they were in use: another fetch has replaced them",
                "run the same command again",
            )
        return history.table

    def adjusted(self, ticker: str) -> pd.DataFrame:
        """Return a ticker's bars, adjusted for dividends; DataError as `table`."""
        return price_table.adjusted(self.table(ticker))

    def dates(self, tickers: Sequence[str]) -> Days:
        """Return every date on which one of the tickers has a bar, sorted; DataError as `table`."""
        return all_dates([days_of(self.table(ticker)) for ticker in tickers])

    def _in_range(self, ticker: str) -> PriceHistory:
        history, data = self._store.read(ticker), self._data
        table = between(history.table, data.start, data.end)
        if table.empty:
            first, last = history.table.index[[0, -1]]
            raise ShortHistoryError(
                f"{ticker} has no bar between {data.start} and {data.end}: "
                f"the store has {first:%F} to {last:%F}",
                f"change `data.start` and `data.end`, or fetch more: `lstm-stock fetch {ticker}`",
            )
        return replace(history, table=table)


def all_dates(dates: Sequence[Days]) -> Days:
    """Return the distinct dates of several tickers, sorted."""
    return np.unique(np.concatenate(dates))


def _origin(history: PriceHistory) -> TickerOrigin:
    table = history.table
    return TickerOrigin(
        hash=price_table.table_hash(table),
        first=f"{table.index[0]:%F}",
        last=f"{table.index[-1]:%F}",
        n_bars=len(table),
        source=history.provenance.source,
        first_close=float(price_table.adjusted(table)["close"].iloc[0]),
    )


@dataclass(frozen=True)
class TickerOrigin:
    """The bars of a ticker that a run was made from.

    Attributes:
        hash: `lstm_stock.prices.table.table_hash` of the bars.
        first: Date (ISO) of the first bar.
        last: Date (ISO) of the last bar.
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
