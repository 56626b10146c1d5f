"""Wall time of the same backtest with one worker, with two, and in one process with all threads.

    python benchmarks/backtest_jobs.py [REPEATS]

`--jobs 1`, `--jobs 2` (each worker with one TensorFlow thread), and one process with as many TensorFlow threads
as cores are timed in turn, so that other load on the machine affects all. Printed are medians and ratios to
`--jobs 1`.
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
from lstm_stock.config import load_config
from lstm_stock.network.tensorflow_setup import load_tensorflow
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.workflow import backtest, backtest_worker
from lstm_stock.workflow.parallel import Engine

backtest_worker.load_single_threaded_tensorflow = load_tensorflow
config = load_config(None, sys.argv[3:])
reader = PriceReader(config.data, Store(Path(sys.argv[1])))
plan = backtest.Plan(int(sys.argv[2]), "expanding", Engine("loky", 1))
config, folds, _ = backtest.plan_backtest(config, reader, plan, print)
for fold in folds:
    bars = {"AAPL": backtest._loader(config, reader, fold).adjusted("AAPL")}
    for ticker in (None, "AAPL"):
        name = backtest_worker.PartName(fold.number, ticker)
        backtest_worker.run_job(backtest_worker.FoldJob(name, config, fold, bars))
"""


def seconds(command: list[str]) -> float:
    """Return the wall time of a command; CalledProcessError if it fails."""
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
        commands = {
            "--jobs 1": [*backtest, "--jobs", "1"],
            "--jobs 2": [*backtest, "--jobs", "2"],
            "one process, all threads": [sys.executable, "-c", ALL_THREADS, data, str(FOLDS), *SETTINGS],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, command in commands.items():
                taken[name].append(seconds(command))
    base = statistics.median(taken["--jobs 1"])
    for name, times in taken.items():
        all_times = ", ".join(f"{each:.1f}" for each in times)
        median = statistics.median(times)
        print(f"{name:26} {median:6.1f} s   {median / base:5.2f} x --jobs 1   ({all_times})")


if __name__ == "__main__":
    main()
