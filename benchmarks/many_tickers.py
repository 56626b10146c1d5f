"""Peak memory and speed of `lstm-stock train` on many tickers: one epoch of a small network, all of the scoring.

    python benchmarks/many_tickers.py [N_TICKERS] [N_BARS]

The command runs on simulated prices in a temporary store: training, forecasts and scores of the network and of
every baseline, verdict, saving. 88 tickers x 1,258 bars take some minutes; 500 x 3,500 take an hour of one core,
most of it to fit the baselines.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from price_reading import simulated_store

SETTINGS = (
    "target_scale=har_market",
    "model.units=[32]",
    "training.epochs=1",
    "training.batch_size=1024",
    "data.start=null",
    "data.end=null",
)


def main() -> None:
    """Simulate, train, measure and print."""
    n_tickers, n_bars = (
        int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 88), (2, 1258))
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = simulated_store(root, n_tickers, n_bars)
        (root / "names.txt").write_text("\n".join(names), encoding="utf-8")
        settings = [word for one in SETTINGS for word in ("--set", one)]
        words = ["train", "--data-dir", folder, "--runs-dir", f"{folder}/runs", *settings]
        started = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "lstm_stock", *words, "--set", f"data.tickers={root / 'names.txt'}"],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - started
        run = next((root / "runs").glob("*-lstm"))
        size = (run / "forecasts.parquet").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    speed = re.search(r"\(([\d,]+ windows/s)\)", ended.stderr)
    print(
        f"{n_tickers} tickers x {n_bars} bars: {seconds:.0f} s, {speed.group(1) if speed else '-'} in training"
    )
    print(f"peak memory of the process  {peak / 2**20:6.2f} GiB")
    print(f"forecasts.parquet           {size / 2**30:6.2f} GiB")


if __name__ == "__main__":
    main()
