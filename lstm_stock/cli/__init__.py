"""The command line: parse, load the config, call, print.

Data goes to stdout, everything else to stderr. What computes is imported inside the commands, so that `--help`
and a mistyped option answer at once.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from lstm_stock.cli import backtest, config, data, fetch, models, runs, train  # noqa: F401 - they add commands
from lstm_stock.cli.app import INTERRUPTED, app, config_app, data_app, tell
from lstm_stock.errors import LstmStockError

COMMANDS = ("fetch", "train", "predict", "plot", "runs", "demo", "backtest", "leakcheck", "models")
"""The order in which `--help` lists the commands; `data` and `config`, which have subcommands, come last."""

READER_GONE = 141
"""Exit code when whoever read the output has enough, as `head` does: 128 + SIGPIPE."""

app.registered_commands.sort(
    key=lambda command: COMMANDS.index(str(getattr(command.callback, "__name__", "")))
)
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")


def main() -> NoReturn:
    """Run the command line; this is what `lstm-stock` calls.

    Ends with 0 when done, 2 for the user's input, config or data, 3 for a source, 130 when interrupted. A bug
    of ours keeps its traceback and ends with 1.
    """
    try:
        code = app(prog_name="lstm-stock", standalone_mode=False)
        sys.stdout.flush()
    except LstmStockError as error:
        _fail(error.message, error.hint, error.exit_code)
    except (BrokenPipeError, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != 1:
            raise
        # Typer ends a broken pipe with `sys.exit(1)`, and nothing else so; but 1 is for bugs of ours. What is
        # still buffered has no reader either: without this Python would complain while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)
    except typer.TyperException as error:
        _fail(error.format_message().rstrip("."), "`lstm-stock --help` lists the commands and options", 2)
    if code == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, hint: str, code: int) -> NoReturn:
    tell(message, hint)
    sys.exit(code)
