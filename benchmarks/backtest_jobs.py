"""How much faster two workers are than one: wall time of the same backtest, as a ratio.

    python benchmarks/backtest_jobs.py [REPEATS]

Three ways to do the same parts are timed in turn, so that a busy machine is busy for all: `--jobs 1`, `--jobs 2`
(each worker with one TensorFlow thread), and one process that has TensorFlow use as many threads as there are
cores. The median of each is told, and its ratio to `--jobs 1`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = (
    *("model.units=[64]", "model.dense=[16]", "window.look_back=30"),
    *("training.epochs=6", "training.early_stopping=null"),
)
FOLDS = 4

ALL_THREADS = """
import sys
from pathlib import Path
from lstm_stock.workflow import backtest, backtest_worker as backtest_jobs
from lstm_stock.config import load_config
from lstm_stock.dataset.split import plan_folds
from lstm_stock.prices.reader import PriceReader
from lstm_stock.dataset.split import split_of
from lstm_stock.prices.store import Store
from lstm_stock.network.tensorflow_setup import load_tensorflow

backtest_jobs.load_single_threaded_tensorflow = load_tensorflow
config = load_config(None, sys.argv[3:])
reader = PriceReader(config.data, Store(Path(sys.argv[1])))
dates = reader.dates()
horizon = config.window.horizon
for fold in plan_folds(dates, split_of(config.split, dates), int(sys.argv[2]), "expanding", horizon):
    for ticker in (None, "AAPL"):
        bars = backtest._bars(config, reader, fold, ["AAPL"])
        name = backtest_jobs.PartName(fold.number, ticker)
        backtest_jobs.run_job(backtest_jobs.Job(name, config, fold, bars))
"""


def seconds(command: list[str]) -> float:
    """Return the wall time of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    program = str(Path(sys.executable).parent / "lstm-stock")
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data")
        subprocess.run([program, "fetch", "AAPL", "--source", "sample", "--data-dir", data, "-q"], check=True)
        backtest = [program, "backtest", "--folds", str(FOLDS), "--data-dir", data, "--runs-dir", folder]
        backtest += [word for setting in SETTINGS for word in ("--set", setting)]
        ways = {
            "--jobs 1": [*backtest, "--jobs", "1"],
            "--jobs 2": [*backtest, "--jobs", "2"],
            "one process, all threads": [sys.executable, "-c", ALL_THREADS, data, str(FOLDS), *SETTINGS],
        }
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way, command in ways.items():
                taken[way].append(seconds(command))
    base = statistics.median(taken["--jobs 1"])
    for way, times in taken.items():
        spread = ", ".join(f"{each:.1f}" for each in times)
        median = statistics.median(times)
        print(f"{way:26} {median:6.1f} s   {median / base:5.2f} x --jobs 1   ({spread})")


if __name__ == "__main__":
    main()
