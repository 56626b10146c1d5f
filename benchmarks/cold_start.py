"""How long `lstm-stock predict` takes from an empty process to the answer, and what it imports in that time.

python benchmarks/cold_start.py

It fetches the packaged sample and trains a tiny network, so that it needs nothing else. Each command runs in a
process of its own, ten times after one that fills the caches: bytecode, files, the exchange's calendar. The ratio
to `import pandas`, which takes turns with it, depends little on the machine and on what else it does.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

RUNS = 10
TINY = ("model.units=[8]", "model.dense=[]", "training.epochs=1", "training.early_stopping=null")
SHOWN = (
    "pandas",
    "pyarrow",
    "numpy",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "onnxruntime",
    "typer",
    "rich",
)
UNUSED = (
    "tensorflow",
    "keras",
    "sklearn",
    "scipy",
    "exchange_calendars",
    "matplotlib",
    "statsmodels",
    "arch",
    "yfinance",
)


def seconds(commands: dict[str, list[str]], environment: dict[str, str]) -> dict[str, float]:
    """Return the median wall time of each command; the commands take turns."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for i in range(RUNS + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, env=environment, capture_output=True, check=True)
            if i:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def import_seconds(command: list[str], environment: dict[str, str]) -> Counter[str]:
    """Return the time that the imports of a command take, by top-level package; the least of three runs."""
    least: dict[str, int] = {}
    for _ in range(3):
        python = [command[0], "-X", "importtime", *command[1:]]
        done = subprocess.run(python, env=environment, capture_output=True, text=True, check=True)
        for own, name in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)$", done.stderr, re.MULTILINE):
            least[name] = min(least.get(name, int(own)), int(own))
    total: Counter[str] = Counter()
    for name, own in least.items():
        total[name.partition(".")[0]] += own
    return Counter({name: own / 1e6 for name, own in total.items()})


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "LSTM_STOCK_DATA": str(folder / "data")}
        program = [sys.executable, "-m", "lstm_stock"]
        runs = ["--runs-dir", str(folder / "runs")]
        settings = [part for value in TINY for part in ("--set", value)]
        for command in (["fetch", "AAPL", "--source", "sample"], ["train", *settings, *runs]):
            subprocess.run([*program, *command], env=environment, capture_output=True, check=True)
        predict = [*program, "predict", "AAPL", "--run", "newest", *runs]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import numpy": [sys.executable, "-c", "import numpy"],
            "import pandas": [sys.executable, "-c", "import pandas"],
            "lstm-stock --help": [*program, "--help"],
            "predict AAPL --run newest": predict,
            "the same, --format json": [*predict, "--format", "json"],
        }
        measured = seconds(commands, environment)
        imported = import_seconds(predict, environment)
    base = measured["import pandas"]
    for label, value in measured.items():
        print(f"{label:28} {value:6.3f} s   {value / base:5.2f} x import pandas")
    print(f"\nimports of predict: {imported.total():.3f} s")
    for package in SHOWN:
        print(f"  {package:26} {imported.pop(package, 0):6.3f} s")
    print(f"  {'lstm_stock':26} {imported.pop('lstm_stock', 0):6.3f} s")
    print(f"  {'others, standard library':26} {imported.total():6.3f} s")
    print(f"\nnot needed and imported: {', '.join(name for name in UNUSED if name in imported) or 'nothing'}")


if __name__ == "__main__":
    main()
