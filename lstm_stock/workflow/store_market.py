"""The market of a price store: that of all its shares of one exchange, kept in a file beside the prices.

To read hundreds of tickers takes seconds, so the result is kept until a price file changes. Its value of a date
depends only on bars up to that date, so one file serves every cutoff.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from zipfile import BadZipFile

import numpy as np

from lstm_stock.atomic import write_file
from lstm_stock.dataset.market import Market
from lstm_stock.errors import DataError
from lstm_stock.prices import table as price_table
from lstm_stock.prices.store import Store
from lstm_stock.readback import open_file

MIN_SHARES = 10
"""Least shares of a market: with fewer, its noise is that of single days of single shares."""

FOLDER = "market"
"""Folder of the files, in that of the store."""

VERSION = 1
"""Version of the computation; a file of another one is made again."""


@dataclass(frozen=True)
class StoreMarket:
    """The market of the shares of one exchange.

    Attributes:
        market: Their market.
        n_shares: How many they are.
    """

    market: Market
    n_shares: int


def is_share(ticker: str) -> bool:
    """Return whether a ticker may be a share: no index (`^GSPC`), currency (`EURUSD=X`) or future (`CL=F`).

    >>> [is_share(ticker) for ticker in ("AAPL", "^VIX", "EURUSD=X")]
    [True, False, False]
    """
    return not ticker.startswith("^") and "=" not in ticker


def store_market(store: Store, exchange: str | None) -> StoreMarket | None:
    """Return the market of all shares of an exchange in a store; None if they are fewer than `MIN_SHARES`.

    A ticker whose file cannot be read is not part of it.

    Args:
        store: The store.
        exchange: Code of the exchange; None, of an unknown one, has no market.

    Raises:
        DataError: The folder of the store cannot be read.
    """
    if exchange is None:
        return None
    candidates = [ticker for ticker in store.tickers() if is_share(ticker)]
    if len(candidates) < MIN_SHARES:
        return None
    state = _state(store, candidates)
    file = store.root / FOLDER / f"{quote(exchange, safe='')}.npz"
    kept = _read(file, state)
    if kept is None:
        kept = _computed(store, candidates, exchange)
        with suppress(OSError):  # a store that may not be written to is read each time
            file.parent.mkdir(exist_ok=True)
            write_file(file, _encoded(kept, state))
    return kept if kept.n_shares >= MIN_SHARES else None


def _state(store: Store, tickers: list[str]) -> str:
    """Return a hash that changes with every price file."""
    files = [(ticker, store.path(ticker).stat()) for ticker in tickers]
    listed = [[ticker, status.st_mtime_ns, status.st_size] for ticker, status in files]
    return hashlib.sha256(json.dumps([VERSION, listed]).encode()).hexdigest()


def _computed(store: Store, tickers: list[str], exchange: str) -> StoreMarket:
    tables = []
    for ticker in tickers:
        with suppress(DataError):
            history = store.read(ticker)
            if history.provenance.exchange == exchange:
                tables.append(price_table.adjusted(history.table))
    return StoreMarket(Market.of(tables), len(tables))


def _encoded(found: StoreMarket, state: str) -> bytes:
    market, content = found.market, io.BytesIO()
    np.savez(
        content,
        state=np.array(state),
        n_shares=np.array(found.n_shares),
        dates=market.dates.astype("datetime64[D]").astype(np.int64),
        **{name: getattr(market, name) for name in _COLUMNS},
        is_complete=market.is_complete,
    )
    return content.getvalue()


_COLUMNS = ("volatility_surprise", "level", "trend_2", "trend_10")


def _read(file: Path, state: str) -> StoreMarket | None:
    """Return the kept market; None if there is none of this state, or the file is damaged."""
    try:
        with open_file(file) as raw, np.load(raw, allow_pickle=False) as found:
            if str(found["state"]) != state:
                return None
            dates = found["dates"].astype("datetime64[D]")
            columns = {name: found[name].astype(np.float64) for name in _COLUMNS}
            complete, n_shares = found["is_complete"].astype(bool), int(found["n_shares"])
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, EOFError, MemoryError),
        *(BadZipFile, zlib.error),
    ):
        return None  # a damaged file is only a copy, and is made again
    if any(values.shape != dates.shape or not np.isfinite(values).all() for values in columns.values()):
        return None
    if complete.shape != dates.shape:
        return None
    return StoreMarket(Market(dates=dates, is_complete=complete, **columns), n_shares)
