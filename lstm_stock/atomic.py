"""A hidden folder beside the runs that holds unfinished work until its results are saved.

It is named by a key of everything that decides the results, so that the same work finds it again and other work
does not. Files in it are whole or absent.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from lstm_stock.errors import RunError

TEMP_PREFIX = ".building-"
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


def write_dir_atomically(runs_dir: Path, name: str, what: str, write: Callable[[Path], None]) -> Path:
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
        building = Path(tempfile.mkdtemp(prefix=TEMP_PREFIX, dir=runs_dir))
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
    for folder in runs_dir.glob(f"{TEMP_PREFIX}*"):
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


def _replace(path: Path, content: bytes) -> None:
    """Put `content` in place of a file, or leave all as it was; the lock must be held.

    The temporary file has one fixed name, so that what a killed process left is written over by the next.
    Tickers have no `~`, and the suffix is not Parquet's: it is never taken for data.
    """
    temporary = path.with_name(f".{path.stem}~.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # The rename itself is on the disk only once the folder is.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


LOCK = ".lock"

FORGOTTEN_SECONDS = 30 * 24 * 3600
"""Work that nobody went on with for so long is given up."""


class WorkDir:
    """The folder; used as a context, it keeps another process from working on the same at the same time.

    Args:
        runs_dir: Where the results will be.
        kind: What is kept: `backtest` or `training`.
        key: `fingerprint` everything that decides the results.
    """

    def __init__(self, runs_dir: Path, kind: str, key: str) -> None:
        self.path = runs_dir / f".{kind}-{key}"
        self._kind = kind
        self._lock = FileLock(self.path / LOCK, timeout=0)

    def __enter__(self) -> WorkDir:
        """Make the folder and lock it.

        Raises:
            RunError: Another process holds it.
            OSError: It cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        _remove_forgotten(self.path.parent)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process is working on this very {self._kind}", "wait until it is done, or end it"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock the folder, and remove it if nothing is in it."""
        self._lock.release()
        if self.path.is_dir() and not any(file for file in self.path.iterdir() if file.name != LOCK):
            self.remove()

    def write(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Keep a file: written beside its place, flushed to the disk and renamed.

        Raises:
            OSError: The disk refuses.
        """
        temporary = self.path / f".{name}.tmp"
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget what is kept, but stay locked."""
        for file in self.path.iterdir():
            if file.name != LOCK:
                with contextlib.suppress(OSError):
                    file.unlink()

    def remove(self) -> None:
        """Forget what is kept: the results are saved."""
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_forgotten(runs_dir: Path) -> None:
    for kind in ("backtest", "training"):
        for folder in runs_dir.glob(f".{kind}-*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > FORGOTTEN_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
