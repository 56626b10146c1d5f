"""The command line: parse, load the config, call, print.

Data goes to stdout, everything else to stderr. What computes is imported inside the commands, so that `--help`
and a mistyped option answer at once.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

# Importing a module adds its commands, and `--help` lists them in this order.
from lstm_stock.cli import prices, runs, scrutiny, settings  # noqa: F401
from lstm_stock.cli.app import app, config_app
from lstm_stock.cli.options import INTERRUPTED, tell
from lstm_stock.errors import LstmStockError

app.add_typer(config_app, name="config")


def main() -> NoReturn:
    """Run the command line; this is what `lstm-stock` calls.

    Ends with 0 when done, 2 for the user's input, config or data, 3 for a source, 130 when interrupted. A bug
    of ours keeps its traceback and ends with 1.
    """
    try:
        code = app(prog_name="lstm-stock", standalone_mode=False)
    except LstmStockError as error:
        _fail(error.message, error.hint, error.exit_code)
    except typer.TyperException as error:
        _fail(error.format_message().rstrip("."), "`lstm-stock --help` lists the commands and options", 2)
    if code == INTERRUPTED:
        print("interrupted: nothing was saved", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, hint: str, code: int) -> NoReturn:
    tell(message, hint)
    sys.exit(code)
