"""Time of `lstm-stock fetch` for many tickers, with a local Yahoo that responds at once.

python benchmarks/fetch_speed.py [N_TICKERS]

Fetches ten years of N tickers (500), then one more day, from a loopback server over real HTTPS with prepared
responses. It measures wall time and the processor time of the command, with and without pauses between tickers.
"""

from __future__ import annotations

import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.loopback import Answer, Loopback, environment
from tests.simulated_yahoo import Instrument, SimulatedYahoo, sessions

COMMAND = Path(sys.executable).with_name("lstm-stock")


def processor_seconds() -> float:
    """Return the processor time of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class PreparedYahoo(SimulatedYahoo):
    """Prepares the responses with all bars beforehand, as they take time."""

    def __init__(self, instruments: dict[str, Instrument], today: dt.date) -> None:
        super().__init__(instruments, today)
        whole = {"period1": "0", "period2": str(2**40)}
        self._prepared = {name: one.chart(name, whole, today) for name, one in instruments.items()}
        self._days = {name: one.stamp(one.days[0]) for name, one in instruments.items()}
        self._today = today

    def __call__(self, path: str, query: dict[str, str]) -> Answer | str | None:
        symbol = path.rpartition("/")[2]
        begin = self._days.get(symbol)
        if begin is not None and self.today == self._today and int(query.get("period1", 0)) <= begin:
            return self._prepared[symbol]
        return super().__call__(path, query)


def main() -> None:
    """Measure and print."""
    n_tickers = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    days = sessions(dt.date(2014, 1, 1), dt.date(2023, 12, 29))
    names = [f"T{i:04}" for i in range(n_tickers)]
    yahoo = PreparedYahoo({name: Instrument(days, seed=i) for i, name in enumerate(names)}, days[-2])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "list.txt").write_text("\n".join(names))
        with Loopback(yahoo, folder / "ca.pem") as server:

            def fetch(*options: str) -> str:
                started, used = time.perf_counter(), processor_seconds()
                done = subprocess.run(
                    [COMMAND, "fetch", "--tickers-file", "list.txt", "--start", "2014-01-01", *options],
                    cwd=folder,
                    env=environment(server.address, folder),
                    capture_output=True,
                    text=True,
                    timeout=540,
                    check=False,
                )
                if done.returncode != 0:
                    sys.exit(done.stderr[-2000:])
                wall = time.perf_counter() - started
                return (
                    f"{wall:.1f} s, {processor_seconds() - used:.1f} s of them processor time of the command"
                )

            for what, options in (
                ("full fetch, without pauses", ("--pause", "0", "--refresh")),
                ("full fetch", ("--refresh",)),
            ):
                print(
                    f"{n_tickers} tickers of {len(days) - 1} bars, {what}: {fetch(*options)}",
                    flush=True,
                )
            yahoo.today = days[-1]
            print(f"one day more of each, without pauses: {fetch('--pause', '0')}")
            print(f"nothing new, a closed range: {fetch('--pause', '0', '--end', '2023-06-30')}")


if __name__ == "__main__":
    main()
