"""The command line: parse, load the config, call, print.

Data goes to stdout, everything else to stderr. Heavy modules are imported inside the commands, so that `--help`
and a mistyped option answer at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from lstm_stock.cli import (  # noqa: F401 - each adds its command
    backtest,
    config,
    data,
    demo,
    evaluate,
    export,
    fetch,
    journal,
    leakcheck,
    models,
    plot,
    predict,
    pretrain,
    runs,
    scan,
    train,
)
from lstm_stock.cli.app import INTERRUPTED, app, config_app, data_app, journal_app, print_error
from lstm_stock.cli.streams import discard, lenient_streams
from lstm_stock.errors import LstmStockError

COMMANDS = (
    "fetch",
    "train",
    "predict",
    "scan",
    "evaluate",
    "plot",
    "runs",
    "demo",
    "backtest",
    "leakcheck",
    "pretrain",
    "export",
    "models",
)
"""The order in which `--help` lists the commands; those with subcommands come last."""

READER_GONE = 141
"""Exit code when the reader of stdout has left, as `head` does: 128 + SIGPIPE."""

app.registered_commands.sort(
    key=lambda command: COMMANDS.index(str(getattr(command.callback, "__name__", "")))
)
app.add_typer(journal_app, name="journal")
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")


def main() -> NoReturn:
    """Run the command line; the entry point of `lstm-stock`.

    Exit codes: 0 done; 2 the user's input, config or data; 3 a source; 130 interrupted; 141 no reader of stdout.
    A bug of ours keeps its traceback and ends with 1.
    """
    with lenient_streams(), _rare_collections():
        sys.exit(_run())


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cyclic garbage after 200,000 new objects, not 700.

    What a module defines stays, and looking for garbage in it takes a tenth of the time of importing pandas.
    """
    first, *others = gc.get_threshold()
    gc.set_threshold(max(first, 200_000), *others)
    try:
        yield
    finally:
        gc.set_threshold(first, *others)


def _run() -> int:
    """Run one command and return its exit code."""
    try:
        code = app(prog_name="lstm-stock", standalone_mode=False)
        sys.stdout.flush()
    except LstmStockError as error:
        print_error(error.message, error.hint)
        return error.exit_code
    except (BrokenPipeError, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != 1:
            raise
        # Typer turns a broken pipe into `sys.exit(1)`, and nothing else. Python flushes stdout when it ends, which
        # would fail again.
        discard(sys.stdout)
        return READER_GONE
    except typer.TyperException as error:
        print_error(error.format_message().rstrip("."), "`lstm-stock --help` lists the commands and options")
        return 2
    if code == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0
