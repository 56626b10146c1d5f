"""Files and folders on disk that are whole or absent, and the hidden folder of unfinished work.

Nothing here knows what they hold.
"""

from __future__ import annotations

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


def write_file(path: Path, write: Callable[[BinaryIO], None] | bytes, fsync: bool = True) -> None:
    """Write a file in place of an earlier one; a failure leaves the earlier one as it was.

    The temporary file beside it has one fixed name, so that the next write overwrites what a killed process left.
    Where two processes may write the same file, the caller holds a lock.

    Args:
        path: The file; its folder exists.
        write: The content, or a function that writes it to a binary file.
        fsync: Return only once the file is on the disk.

    Raises:
        OSError: The disk refuses.
    """
    temporary = path.with_name(f".{path.name}~.tmp")
    try:
        with temporary.open("wb") as file:
            if isinstance(write, bytes):
                file.write(write)
            else:
                write(file)
            if fsync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if fsync:
        _fsync_folder(path.parent)


def _fsync_folder(folder: Path) -> None:
    """Flush the names in a folder; Windows cannot open a folder, and flushes renames itself."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_dir_atomically(folder: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Make a folder whole or not at all.

    Args:
        folder: Where it will be.
        name: Its name.
        write: Puts the files, and no folders, into the folder that it is called with.

    Returns:
        Its path; `name` gets a number behind it when there is one of that name.

    Raises:
        OSError: The disk refuses.
    """
    building = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        building = Path(tempfile.mkdtemp(prefix=TEMP_PREFIX, dir=folder))
        write(building)
        for file in building.iterdir():
            with file.open("r+b") as opened:  # Windows flushes no file that is opened to read
                os.fsync(opened.fileno())
        building.chmod(0o755)  # mkdtemp makes folders that only their owner can read
        _fsync_folder(building)
        moved = _move_into_place(building, folder / name)
        _fsync_folder(folder)
        return moved
    finally:
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed process was building; nothing takes a day to be saved."""
    for building in folder.glob(f"{TEMP_PREFIX}*"):
        with suppress(OSError):
            if time.time() - building.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(building, ignore_errors=True)


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
        """Write a file of the folder whole, as `write_file` does.

        Raises:
            OSError: The disk refuses.
        """
        write_file(self.path / name, write)

    def clear(self) -> None:
        """Forget what is kept, but stay locked."""
        for file in self.path.iterdir():
            if file.name != LOCK:
                with suppress(OSError):
                    file.unlink()

    def remove(self) -> None:
        """Forget what is kept: the results are saved."""
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_forgotten(runs_dir: Path) -> None:
    for kind in ("backtest", "training"):
        for folder in runs_dir.glob(f".{kind}-*"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > FORGOTTEN_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
