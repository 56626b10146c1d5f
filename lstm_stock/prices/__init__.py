"""Daily bars: sources, store, calendars of exchanges.

- `table`: what a price table is. `store`: one Parquet file per ticker. `parquet`: the file format.
- `sources`: the registry of sources. `fetch`: bars from a source: `yahoo/`, `csv/`, the sample. `retry`: retries.
- `update`: fetch into the store. `incremental`: which dates to fetch, and how to append them.
- `calendars`: sessions of exchanges. `built_calendars`: builds them once. `quality`: warnings.
- `reader`: bars in a config's range. `values`: series that are no prices. `interval`: the spacing of dates.

This module can be called: `lstm_stock.prices("AAPL")` returns the stored bars of a ticker.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class _Prices(ModuleType):
    """The class of this module.

    As soon as this room is imported, Python makes it the attribute `prices` of the package `lstm_stock`, in place
    of a function of that name.
    """

    def __call__(self, ticker: str, *, data_dir: str | Path | None = None) -> pd.DataFrame:
        """Return the stored daily bars of a ticker; see `lstm_stock.prices.store.read_bars`."""
        from lstm_stock.prices.store import read_bars

        return read_bars(ticker, data_dir=data_dir)


sys.modules[__name__].__class__ = _Prices
