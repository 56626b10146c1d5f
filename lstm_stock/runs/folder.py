"""The folder of the runs: whether it can be written to, and a new folder in it, whole or absent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from lstm_stock.atomic import write_dir_atomically
from lstm_stock.errors import RunError


def require_writable(runs_dir: Path) -> None:
    """Check that a run can be saved, before hours are spent on training it.

    Nothing is left behind: a folder that does not exist is not made, its nearest parent is tried.

    Raises:
        RunError: Nothing can be written there.
    """
    try:
        nearest = next(path for path in (runs_dir, *runs_dir.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise cannot_save(runs_dir, error) from error


def cannot_save(runs_dir: Path, error: OSError, what: str = "run") -> RunError:
    """Return the error that says why a run, or a backtest, cannot be saved."""
    return RunError(
        f"the {what} cannot be saved in {runs_dir}: {error.strerror or error}",
        "make room or choose another folder with `--runs-dir`",
    )


def save_folder(runs_dir: Path, name: str, what: str, write: Callable[[Path], None]) -> Path:
    """Make the folder of a run, or of a backtest: see `write_dir_atomically`.

    Args:
        runs_dir: Where it will be.
        name: Its name; a number is appended when there is one of that name.
        what: `run` or `backtest`, for the message.
        write: Puts the files into the folder that it is called with.

    Returns:
        Its path.

    Raises:
        RunError: The disk refuses.
    """
    try:
        return write_dir_atomically(runs_dir, name, write)
    except OSError as error:
        raise cannot_save(runs_dir, error, what) from error
