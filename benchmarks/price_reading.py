"""Time to read the prices of many tickers, and from the start of a training to its first batch.

    python benchmarks/price_reading.py [N_TICKERS] [N_BARS] [CONFIG]

Prices are simulated in a temporary store. What `train` does with prices is timed, without training and scoring:
the windows, the first batch, the windows of the refit, the bars that scoring takes. TensorFlow is imported before.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from dataset_memory import simulated

from lstm_stock.config import load_config
from lstm_stock.dataset.build import build_dataset, refit_windows
from lstm_stock.network.batches import WindowBatches
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import COLUMNS, PriceHistory, PriceProvenance, price_table, table_hash

T = TypeVar("T")

SETTINGS = ("target_scale=har_market", "data.start=null", "data.end=null")


def simulated_store(root: Path, n_tickers: int, n_bars: int) -> list[str]:
    """Write the simulated prices of some tickers to a store and return the tickers."""
    names = [f"T{i:03}" for i in range(n_tickers)]
    for i, name in enumerate(names):
        bars = simulated(n_bars, i)
        zeros = np.zeros(n_bars)
        columns = {column: bars.get(column, zeros) for column in COLUMNS}
        table = price_table(bars.index, columns | {"adj_close": bars["close"]})
        write_prices(root, name, table)
    return names


def write_prices(root: Path, ticker: str, table: pd.DataFrame) -> None:
    """Write a price table to a store."""
    origin = PriceProvenance("csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table))
    Store(root).write(PriceHistory(ticker, table, origin))


def timed(what: str, n_tickers: int, call: Callable[[], T]) -> T:
    """Call, print the time in all and per ticker, and return the result."""
    started = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - started
    print(f"{what:38} {seconds:6.2f} s  {1000 * seconds / n_tickers:6.2f} ms a ticker")
    return result


def main() -> None:
    """Simulate, measure and print."""
    n_tickers, n_bars = (
        int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 500), (2, 3500))
    )
    with tempfile.TemporaryDirectory() as folder:
        names, store = simulated_store(Path(folder), n_tickers, n_bars), Store(Path(folder))
        path = Path(sys.argv[3]) if len(sys.argv) > 3 else None
        settings = SETTINGS if path is None else SETTINGS[1:]
        config = load_config(path, [f"data.tickers=[{','.join(names)}]", *settings])
        print(f"{n_tickers} tickers x {n_bars} bars")

        timed("read, validate and hash", n_tickers, lambda: [store.read(name) for name in names])

        def start() -> None:
            reader = PriceReader(config.data, store)
            dataset = timed("  windows", n_tickers, lambda: build_dataset(config, reader, lambda _: None))
            train = dataset.windows.train
            timed("  first batch", n_tickers, lambda: WindowBatches(train, batch_size=256, seed=0)[0])
            split, loader = dataset.windows.split, dataset.loader
            timed("  windows of the refit", n_tickers, lambda: refit_windows(config, loader, split))
            timed("  bars of the scoring", n_tickers, lambda: [loader.adjusted(name) for name in names])

        timed("all of a training", n_tickers, start)
        tracemalloc.start()
        reader = PriceReader(config.data, store)
        reader.dates(names)
        print(f"prices kept in memory {tracemalloc.get_traced_memory()[0] / 2**20:14.1f} MiB")


if __name__ == "__main__":
    main()
