"""Peak memory of building the dataset of many tickers, as a ratio to its float32 feature table.

    python benchmarks/dataset_memory.py [N_TICKERS] [N_BARS] [CONFIG]

Prices are simulated one ticker at a time, as a store returns them: the peak is that of the dataset, with features,
targets and every window of all tickers, and one pass over all batches of an epoch.
"""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from lstm_stock.config import load_config
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.series import WindowSpec, fit_ticker, pool_scalers, window_spec
from lstm_stock.dataset.sessions import with_session_columns
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import windows_of
from lstm_stock.network.batches import WindowBatches
from lstm_stock.prices.table import days_of

FEATURES = (
    *("log_return", "open_gap", "high_gap", "low_gap"),
    *("log_range", "log_volume_ratio", "log_trailing_vol"),
)


def simulated(n_bars: int, seed: int) -> pd.DataFrame:
    """Return a random walk with open, high, low and volume."""
    random = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(random.normal(0, 0.01, n_bars)))
    open_ = close * np.exp(random.normal(0, 0.003, n_bars))
    spread = np.exp(np.abs(random.normal(0, 0.005, n_bars)))
    columns = {
        "open": open_,
        "high": np.maximum(open_, close) * spread,
        "low": np.minimum(open_, close) / spread,
        "close": close,
        "volume": random.lognormal(12, 0.3, n_bars),
    }
    return pd.DataFrame(columns, index=pd.bdate_range("2005-01-03", periods=n_bars, name="date"))


def main() -> None:
    """Measure and print."""
    n_tickers, n_bars = (
        int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 500), (2, 3500))
    )
    spec = WindowSpec(FEATURES, "log_return", "trailing_vol", 60, 5, "minmax")
    if len(sys.argv) > 3:
        spec = window_spec(load_config(Path(sys.argv[3])))
    dates = days_of(simulated(n_bars, 0))
    split = Split.by_share(dates, 0.16, 0.20)
    market = Market.of(simulated(n_bars, i) for i in range(3))

    def bars(i: int) -> pd.DataFrame:
        return with_session_columns(market.with_market_columns(simulated(n_bars, i)), "XNYS", spec.horizon)

    fit_ticker("warm-up", bars(0), spec, split)  # imports happen before the measurement

    tracemalloc.start()
    series = [fit_ticker(f"T{i}", bars(i), spec, split) for i in range(n_tickers)]
    if spec.scaler == "pooled":
        series = pool_scalers(series, split)
    windows = [windows_of(one, spec, split, "train") for one in series]
    batches = WindowBatches(windows, batch_size=256, seed=0)
    n_seen = sum(len(batches[i][0]) for i in range(len(batches)))
    peak = tracemalloc.get_traced_memory()[1]

    table = 4 * n_tickers * n_bars * len(spec.features)
    copied = 4 * n_seen * spec.look_back * len(spec.features)
    print(f"{n_tickers} tickers x {n_bars} bars x {len(spec.features)} features, {n_seen} train windows")
    print(f"float32 feature table  {table / 2**20:8.1f} MiB")
    print(f"peak while building    {peak / 2**20:8.1f} MiB   {peak / table:.2f} x the table")
    print(f"train windows, copied  {copied / 2**20:8.1f} MiB   {copied / table:.2f} x the table (never held)")


if __name__ == "__main__":
    main()
