"""How long the command line takes to answer, as a ratio to starting Python and to importing TensorFlow.

python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7


def seconds(arguments: list[str]) -> float:
    """Return the median wall time of a command, its output thrown away."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    command = str(Path(sys.executable).parent / "lstm-stock")
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "bad.yaml"
        bad.write_text("window: {lookback: 60}\n")
        cases = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "lstm-stock --help": [command, "--help"],
            "lstm-stock train --help": [command, "train", "--help"],
            "a config error": [command, "train", "--config", str(bad)],
            "import tensorflow": [sys.executable, "-c", "import tensorflow"],
        }
        measured = {name: seconds(arguments) for name, arguments in cases.items()}
    base = measured["python -c pass"]
    for name, value in measured.items():
        print(f"{name:24} {value:6.3f} s   {value / base:6.1f} x python -c pass")


if __name__ == "__main__":
    main()
