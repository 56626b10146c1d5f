"""Make a folder of results whole or not at all: built under a hidden name beside its place, flushed, renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lstm_stock.errors import RunError

BUILDING = ".building-"
"""How the name of a folder begins while it is being filled."""

ABANDONED_SECONDS = 24 * 3600
"""A folder that was not touched for so long is nobody's work any more."""


def require_writable(runs_dir: Path) -> None:
    """Try to write where the run will be, so that a training need not end before that is known to fail.

    Nothing is left behind: a folder that does not exist yet is not made, its nearest parent is tried.

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
    """Return the error that tells why a run, or a backtest, cannot be saved."""
    return RunError(
        f"the {what} cannot be saved in {runs_dir}: {error.strerror or error}",
        "make room or choose another folder with `--runs-dir`",
    )


def build_folder(runs_dir: Path, name: str, what: str, write: Callable[[Path], None]) -> Path:
    """Make a folder whole or not at all.

    Args:
        runs_dir: Where it will be.
        name: Its name.
        what: What it is, for messages: a run or a backtest.
        write: Puts the files into the folder that it is called with.

    Returns:
        Its path; `name` gets a number behind it when there is one of that name.

    Raises:
        RunError: The folder cannot be written.
    """
    building = None
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(runs_dir)
        building = Path(tempfile.mkdtemp(prefix=BUILDING, dir=runs_dir))
        write(building)
        for file in building.iterdir():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        building.chmod(0o755)  # mkdtemp makes folders that only their owner can read
        return _move_into_place(building, runs_dir / name)
    except OSError as error:
        raise cannot_save(runs_dir, error, what) from error
    finally:
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)


def _remove_abandoned(runs_dir: Path) -> None:
    """Remove what a killed process was building; nothing takes a day to be saved."""
    for folder in runs_dir.glob(f"{BUILDING}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(building: Path, wanted: Path) -> Path:
    """Rename to `wanted`, or to `wanted-02`, ... when another run of the same second has that name."""
    n = 1
    while True:
        target = wanted if n == 1 else wanted.with_name(f"{wanted.name}-{n:02}")
        try:
            # Renaming onto an existing folder fails unless that folder is empty, which no run is.
            if not target.exists():
                building.rename(target)
                return target
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        n += 1
