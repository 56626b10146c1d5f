"""The command line: parse, load the config, call, print.

Data goes to stdout, everything else to stderr. Heavy modules are imported inside the commands, so that `--help`
and a mistyped option answer at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib import import_module
from typing import NoReturn

import typer

from lstm_stock.cli.app import COMMANDS, INTERRUPTED, app, print_error
from lstm_stock.cli.streams import discard, lenient_streams
from lstm_stock.errors import LstmStockError, OutputError

OUT_OF_MEMORY = (
    "failed to map segment",
    "annot allocate memory",
    "bad_alloc",
    "DLL load failed: The paging file",
)
"""Parts of the message of an ImportError of a library that does not fit into memory."""

READER_GONE = 141
"""Exit code when the reader of stdout has left, as `head` does: 128 + SIGPIPE."""


def main() -> NoReturn:
    """Run the command line; the entry point of `lstm-stock`.

    Exit codes: 0 done; 2 the user's input, config or data; 3 a source; 130 interrupted; 141 no reader of stdout.
    A bug of ours keeps its traceback and ends with 1.
    """
    _collect_rarely()
    os.environ.setdefault(
        "PYDANTIC_DISABLE_PLUGINS", "__all__"
    )  # to look for some takes longer than a config
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    # The module of a command adds it to `app`; the modules of all are needed for help, and for a mistyped one.
    import_module(f"lstm_stock.cli.{named if named in COMMANDS else 'commands'}")
    with lenient_streams():
        sys.exit(_run())


def _collect_rarely() -> None:
    """Look for cyclic garbage after 200,000 new objects, not 700, and not at all when the process ends.

    What a module defines stays, and looking for garbage in it takes a third of the time of a process that imports
    pandas.
    """
    first, *others = gc.get_threshold()
    gc.set_threshold(max(first, 200_000), *others)
    atexit.unregister(gc.freeze)  # `main` may be called again
    atexit.register(gc.freeze)


def _run() -> int:
    """Run one command and return its exit code."""
    try:
        code = app(prog_name="lstm-stock", standalone_mode=False)
        sys.stdout.flush()
    except OutputError as error:
        discard(sys.stdout)  # Python flushes it when it ends, which would fail again
        print_error(error.message, error.hint)
        return error.exit_code
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
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and not any(text in str(error) for text in OUT_OF_MEMORY):
            raise
        print_error(
            f"there is not enough memory: {str(error) or 'it cannot be allocated'}",
            "give the process more; training needs about 6 GB of address space (`ulimit -v`), a forecast 3 GB",
        )
        return OutputError.exit_code
    except typer.TyperException as error:
        print_error(error.format_message().rstrip("."), "`lstm-stock --help` lists the commands and options")
        return 2
    if code == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0
