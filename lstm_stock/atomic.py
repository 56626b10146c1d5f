"""Files and folders on disk that are whole or absent, and hidden folders of unfinished work.

Nothing here knows what they hold.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lstm_stock.errors import RunError

if TYPE_CHECKING:
    from filelock import BaseFileLock

TEMP_PREFIX = ".building-"
"""Start of the name of a temporary folder."""

LOCK = ".lock"
"""File in a hidden folder; the process that uses the folder holds its lock."""

TEMP_DAYS = 1
"""A temporary folder that no process holds is removed after this time."""

WORK_DAYS = 30
"""A `WorkDir` that no process holds is removed after this time."""


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


def _lock_of(folder: Path) -> BaseFileLock:
    """Return the lock of a hidden folder, not acquired yet."""
    # Imported here, since it loads asyncio and ssl, and most commands lock nothing.
    from filelock import FileLock

    return FileLock(folder / LOCK, timeout=0)


@contextmanager
def temporary_dir(parent: Path) -> Iterator[Path]:
    """Make a hidden folder in `parent` and remove it at the end.

    It is locked meanwhile, so that other processes leave it alone however long that takes. A folder that a killed
    process left is removed by a call `TEMP_DAYS` later.

    Raises:
        OSError: The disk refuses.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _remove_unused(parent, f"{TEMP_PREFIX}*", TEMP_DAYS)
    folder = Path(tempfile.mkdtemp(prefix=TEMP_PREFIX, dir=parent))
    try:
        with _lock_of(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_unused(parent: Path, pattern: str, days: float) -> None:
    """Remove the folders that were not touched for some days, and that no process holds."""
    for folder in parent.glob(pattern):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > days * 24 * 3600:
                lock = _lock_of(folder)
                lock.acquire()
                _remove_locked(folder, lock)


def _remove_locked(folder: Path, lock: BaseFileLock) -> None:
    """Delete a folder and release its lock, which this process holds."""
    if os.name == "posix":  # once the lock is released, the folder may be another process's
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
    else:  # Windows deletes no open file
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def write_dir_atomically(parent: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Make a folder whole or not at all.

    Args:
        parent: Where it will be.
        name: Its name; `-02`, `-03`, ... is appended when there is one of that name.
        write: Puts files and folders into the folder that it is called with.

    Returns:
        Its path.

    Raises:
        OSError: The disk refuses.
    """
    with temporary_dir(parent) as temporary:
        building = temporary / name
        building.mkdir()
        write(building)
        for path in building.rglob("*"):
            if path.is_dir():
                _fsync_folder(path)
                continue
            with path.open("r+b") as opened:  # Windows flushes no file that is opened to read
                os.fsync(opened.fileno())
        _fsync_folder(building)
        path = _move_into_place(building, parent / name)
        _fsync_folder(parent)
    return path


def _move_into_place(building: Path, wanted: Path) -> Path:
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


class WorkDir:
    """A hidden folder of unfinished work, beside the results to come.

    Its name contains a hash of all inputs, so that only the same work uses it. As a context manager, it locks the
    folder. A folder unused for `WORK_DAYS` is removed.

    Args:
        runs_dir: Where the results will be.
        kind: What is unfinished: `backtest` or `training`.
        key: `lstm_stock.runs.provenance.fingerprint` of what decides the results.
    """

    def __init__(self, runs_dir: Path, kind: str, key: str) -> None:
        self.path = runs_dir / f".{kind}-{key}"
        self._kind = kind
        self._lock = _lock_of(self.path)

    def __enter__(self) -> WorkDir:
        """Make the folder and lock it.

        Raises:
            RunError: Another process holds it.
            OSError: It cannot be made.
        """
        from filelock import Timeout

        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process is working on the same {self._kind}", "wait until it is done, or end it"
            ) from error
        for kind in ("backtest", "training"):
            _remove_unused(self.path.parent, f".{kind}-*", WORK_DAYS)
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock the folder, and remove it if it is empty; nothing after `remove`."""
        if not self._lock.is_locked:
            return
        if self.path.is_dir() and not any(file for file in self.path.iterdir() if file.name != LOCK):
            self.remove()
        self._lock.release()

    def write(self, name: str, write: Callable[[BinaryIO], None] | bytes) -> None:
        """Write a file of the folder whole, as `write_file` does.

        Raises:
            OSError: The disk refuses.
        """
        write_file(self.path / name, write)

    def clear(self) -> None:
        """Delete the files; the folder stays locked."""
        for file in self.path.iterdir():
            if file.name != LOCK:
                with suppress(OSError):
                    file.unlink()

    def remove(self) -> None:
        """Delete the folder and unlock it: the results are saved."""
        _remove_locked(self.path, self._lock)
