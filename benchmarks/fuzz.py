"""Damage what the commands read, at random, and count what they do with it.

python benchmarks/fuzz.py [--cases 50000] [--seed 0] [--kind NAME] [--case N] [--world FOLDER] [--show]

Each case is a file of a run, a backtest, a journal or the store with changed bytes or values, a CSV, a config, or
a command line. Commands run in this process, hundreds to a child. A command may answer, or say `error:` with exit
code 2 (3 for a source). Counted are tracebacks (a warning of NumPy is one), deaths of the process, commands that
take over 2 s of processor time or do not end, and misreads: forecasts that are not finite or in order, bars other
than those in the file, a good run that is not listed beside a broken one, a changed journal called whole.

A case depends on seed, kind and number alone: `--kind "file of a run" --case 17` repeats one and prints it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from fuzzing.kinds import KINDS, Case  # noqa: E402
from fuzzing.world import NOW, World, make_world  # noqa: E402

SLOW, HUNG = 2.0, 30.0
"""Seconds of processor time, and of time, after which a command counts as hung."""

N_SLOW_KIND = 300.0
"""The same for commands that take seconds on whole input."""

MEMORY = 24 * 2**30
"""Address space of the process, so that a command that allocates without bound fails."""

BATCH = 250
"""Cases of one child process."""

OUTCOMES = ("answered", "refused", "traceback", "death", "over 2 s", "misread")


class HungError(BaseException):
    """Raised into a command that does not end."""


def main() -> None:
    """Run the cases, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, help="only this kind")
    parser.add_argument("--case", type=int, help="only this case of the kind, and print it")
    parser.add_argument(
        "--world", type=Path, help="folder of the undamaged files, kept [default: a temporary one]"
    )
    parser.add_argument("--show", action="store_true", help="print every case that fails")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        os.environ["XDG_CACHE_HOME"] = str(Path(place) / "cache")
        root = options.world or Path(place) / "world"
        made = subprocess.run(
            [sys.executable, __file__, "--make-world", root], check=False, capture_output=True, text=True
        )
        if made.returncode:
            sys.exit(made.stderr)
        world = World(root.resolve())
        _warm(world)
        if options.case is not None:
            print(
                json.dumps(
                    _one(world, options.kind, options.seed, options.case, Path(place) / "case"), indent=2
                )
            )
            return
        started = time.monotonic()
        counts: dict[str, Counter[str]] = {}
        for kind, (_, share) in KINDS.items():
            if options.kind in (None, kind):
                n = options.cases if options.kind else round(options.cases * share)
                counts[kind] = _run_kind(world, kind, options.seed, n, Path(place), options.show)
                print(_row(kind, counts[kind]), flush=True)
        whole = Counter()
        for one in counts.values():
            whole.update(one)
        print(_row("all", whole))
        print(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
        sys.exit(any(whole[name] for name in OUTCOMES[2:]))


def _row(kind: str, counts: Counter[str]) -> str:
    cells = [f"{counts[name]:,}" for name in ("cases", *OUTCOMES)]
    return f"| {kind} | {' | '.join(cells)} |"


def _warm(world: World) -> None:
    """Import what commands import, and run some once, so that each child starts with it."""
    from lstm_stock.cli import journal

    # A forecast for the journal must be before the fact: its clock stands where that of the world does.
    journal.write_journal.__defaults__ = (lambda: NOW,)
    for arguments in (
        [
            "predict",
            "--run",
            "two",
            "--data-dir",
            str(world.data),
            "--runs-dir",
            str(world.runs),
            "--format",
            "json",
        ],
        ["runs", "--runs-dir", str(world.runs)],
        ["data", "check", "--data-dir", str(world.data)],
        ["journal", "--journal-dir", str(world.journal), "--data-dir", str(world.data)],
        ["config", "show"],
    ):
        code, out, err = _call(arguments)
        if code:
            sys.exit(f"the undamaged world fails: {arguments}: {code}\n{out}\n{err}")


def _run_kind(world: World, kind: str, seed: int, n_cases: int, place: Path, show: bool) -> Counter[str]:
    """Run the cases of one kind in children, and count the outcomes; a child that dies costs one case."""
    counts: Counter[str] = Counter()
    next_case = 0
    while next_case < n_cases:
        last = min(next_case + BATCH, n_cases)
        log = place / "log.jsonl"
        log.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            _child(world, kind, seed, range(next_case, last), place / "case", log)
        _, status = os.waitpid(pid, 0)
        results = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        for one in results:
            counts["cases"] += 1
            counts[one["outcome"]] += 1
            if show and one["outcome"] not in ("answered", "refused"):
                print(f"{kind} {one['case']}: {one['outcome']}: {one['about']}", flush=True)
        next_case += len(results)
        if status and next_case < last:
            counts["cases"] += 1
            counts["death"] += 1
            if show:
                print(f"{kind} {next_case}: death: status {status}", flush=True)
            next_case += 1
    return counts


def _child(world: World, kind: str, seed: int, cases: range, work: Path, log: Path) -> None:
    """Run some cases in this process, a child, and end it."""
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with log.open("w") as file:
            for number in cases:
                found = _one(world, kind, seed, number, work)
                file.write(json.dumps({name: found[name] for name in ("case", "outcome", "about")}) + "\n")
                file.flush()
    finally:
        os._exit(0 if log.exists() and len(log.read_text().splitlines()) == len(cases) else 1)


def _one(world: World, kind: str, seed: int, number: int, work: Path) -> dict[str, object]:
    """Run one case in an empty folder."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "runs").mkdir(parents=True) if kind != "command line" else work.mkdir(parents=True)
    chance = random.Random(f"{seed}/{kind}/{number}")
    case = KINDS[kind][0](world, work, chance)
    cpu = time.process_time()
    is_slow_kind = "slow" in kind
    try:
        code, out, err = _call(case.arguments, N_SLOW_KIND if is_slow_kind else HUNG)
    except HungError:
        return {"case": number, "outcome": "over 2 s", "about": f"{case.arguments}: it did not end"}
    except BaseException:  # whatever it is, it is a traceback for the user
        return {
            "case": number,
            "outcome": "traceback",
            "about": f"{case.arguments}:\n{traceback.format_exc(limit=-6)}",
        }
    cpu = time.process_time() - cpu
    outcome, about = _judge(case, code, out, err)
    if cpu > (N_SLOW_KIND if is_slow_kind else SLOW):
        outcome, about = "over 2 s", f"{case.arguments}: {cpu:.1f} s"
    return {
        "case": number,
        "outcome": outcome,
        "about": about,
        "arguments": case.arguments,
        "out": out,
        "err": err,
    }


def _judge(case: Case, code: int, out: str, err: str) -> tuple[str, str]:
    if code == 0:
        wrong = case.check(out)
        return ("misread", f"{case.arguments}: {wrong}") if wrong else ("answered", "")
    if code in (2, 3) and "error: " in err and "Traceback" not in err:
        return "refused", ""
    return "traceback", f"{case.arguments}: exit code {code}: {err[-300:]}"


def _call(arguments: list[str], seconds: float = 120.0) -> tuple[int, str, str]:
    """Call `lstm-stock` in this process; every warning of a library is an error."""
    from lstm_stock.cli import main as command

    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    argv, sys.argv = sys.argv, ["lstm-stock", *arguments]
    code = 0
    try:
        with (
            contextlib.redirect_stdout(streams[0]),
            contextlib.redirect_stderr(streams[1]),
            _limit(seconds),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error", RuntimeWarning)
            command()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = argv
    out, err = (stream.buffer.getvalue().decode("utf-8", errors="replace") for stream in streams)
    return code, out, err


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HungError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make-world"]:
        make_world(Path(sys.argv[2]))
    else:
        main()
