"""Kill `lstm-stock fetch` at random moments and check that the store still loads.

python benchmarks/fetch_kill.py [N_KILLS] [SEED]

A loopback server serves twelve tickers with years of bars; each fetch rewrites all of them, one day later. After
every kill -9, each file must hold one of the served tables completely. A fetch that ended before its kill does not
count.
"""

from __future__ import annotations

import datetime as dt
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lstm_stock.prices.store import Store
from lstm_stock.prices.table import table_hash
from tests.loopback import Loopback, environment
from tests.simulated_yahoo import Instrument, SimulatedYahoo, sessions

COMMAND = Path(sys.executable).with_name("lstm-stock")
TICKERS = tuple(f"T{i:02}" for i in range(12))
LONGEST_SECONDS = 540


def main() -> None:
    """Kill, check, and print the counts."""
    n_kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    days = sessions(dt.date(2014, 1, 1), dt.date(2023, 12, 29))
    first = len(days) - 2 * n_kills - 1
    yahoo = SimulatedYahoo({name: Instrument(days, seed=i) for i, name in enumerate(TICKERS)}, days[first])
    served: dict[str, set[str]] = {name: set() for name in TICKERS}
    deadline = time.monotonic() + LONGEST_SECONDS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store = Store(folder / "data")
        with Loopback(yahoo, folder / "ca.pem") as server:

            def start() -> subprocess.Popen[bytes]:
                for name, instrument in yahoo.instruments.items():
                    served[name].add(table_hash(instrument.visible(yahoo.today)))
                return subprocess.Popen(
                    [COMMAND, "fetch", *TICKERS, "--refresh", "--pause", "0", "--quiet"],
                    cwd=folder,
                    env=environment(server.address, folder),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )

            started = time.monotonic()
            if start().wait(timeout=120) != 0:
                sys.exit("the first fetch failed")
            took = time.monotonic() - started
            n_done = n_early = n_writing = n_renewed = 0
            before = {name: store.read(name).provenance.hash for name in TICKERS}
            while n_done < n_kills and n_done + n_early < 2 * n_kills:
                if time.monotonic() > deadline:
                    print(f"out of time after {n_done} kills")
                    break
                yahoo.today = days[first + n_done + n_early + 1]
                process = start()
                # Mostly while it fetches and writes, sometimes while it starts.
                time.sleep(
                    took * (chance.uniform(0, 0.5) if chance.random() < 0.15 else chance.uniform(0.5, 1))
                )
                if process.poll() is not None:
                    n_early += 1
                    took *= 0.9
                    continue
                took *= 1.01
                process.send_signal(signal.SIGKILL)
                process.wait(timeout=60)
                n_done += 1
                n_writing += any(path.suffix == ".tmp" for path in store.unknown_files())
                if store.tickers() != sorted(TICKERS):
                    sys.exit(f"kill {n_done}: the store lists {store.tickers()}")
                now = {name: store.read(name).provenance.hash for name in TICKERS}
                n_renewed += sum(now[name] != before[name] for name in TICKERS)
                before = now
                for name in TICKERS:
                    if now[name] not in served[name]:
                        sys.exit(f"kill {n_done}: {name} holds what was never served")
            if start().wait(timeout=120) != 0:
                sys.exit("the last fetch failed")
            left = [path.name for path in store.unknown_files()]
    print(
        f"{n_done} kills ({n_writing} with a half-written file left, {n_renewed} files renewed in between; "
        f"{n_early} fetches had ended before): every file loaded and held a table that was served; "
        f"after one more fetch {left or 'nothing'} is left over"
    )


if __name__ == "__main__":
    main()
