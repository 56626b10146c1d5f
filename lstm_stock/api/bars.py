"""Daily bars: `fetch`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_stock.api.arguments import date_of
from lstm_stock.api.notes import note

if TYPE_CHECKING:
    import pandas as pd

MAX_WAIT = 90.0
"""Seconds of the retries of a fetch."""


def fetch(
    ticker: str,
    *,
    source: str | Path | None = None,
    start: str | dt.date | None = None,
    end: str | dt.date | None = None,
    exchange: str | None = None,
    refresh: bool = False,
    data_dir: str | Path | None = None,
) -> pd.DataFrame:
    """Fetch the daily bars of a ticker into the store: new bars, or all where past ones have changed.

    Args:
        ticker: Its name as Yahoo spells it, such as `AAPL` or `^GSPC`.
        source: `yahoo`, `sample` (AAPL, which comes with the package), or the path of a CSV file; None is `yahoo`.
        start: First date; None is the first in the store, or else the earliest that the source has.
        end: Last date, inclusive; None is the newest.
        exchange: Its code (`XNYS`, `24/7`), where the source does not know it; it dates the forecasts.
        refresh: Whether to fetch everything again and replace what the store has, from another source only if
            `source` names this one.
        data_dir: Folder of the store; None is the environment variable `LSTM_STOCK_DATA`, or `data`.

    Returns:
        All stored bars of the ticker, as `prices` returns them.

    Raises:
        ConfigError: A date is none.
        DataError: The prices cannot be used, or the store has bars that this fetch would lose.
        SourceError: The source failed.
    """
    from lstm_stock.config import normalise_ticker
    from lstm_stock.prices.sources import SOURCES, FetchOptions
    from lstm_stock.prices.store import Store, data_folder
    from lstm_stock.prices.update import fetch_into

    names_source, source = source is not None, "yahoo" if source is None else source
    named = isinstance(source, str) and source in SOURCES
    options = FetchOptions(
        source=str(source) if named else "csv",
        start=date_of(start, "start"),
        end=date_of(end, "end"),
        csv_path=None if named else Path(source),
        exchange=exchange,
        refresh=refresh,
        names_source=names_source,
        max_wait=MAX_WAIT,
    )
    done = fetch_into(Store(data_folder(data_dir)), normalise_ticker(ticker), options)
    for text in done.notes:
        note(f"{done.history.ticker}: {text}")
    return done.history.table
