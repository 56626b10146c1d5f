"""A hidden folder beside the runs that holds unfinished work until its results are saved.

It is named by a key of everything that decides the results, so that the same work finds it again and other work
does not. Files in it are whole or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from lstm_stock.errors import RunError

LOCK = ".lock"

FORGOTTEN_SECONDS = 30 * 24 * 3600
"""Work that nobody went on with for so long is given up."""


def key_of(decides: Mapping[str, Any]) -> str:
    """Return the hash of what decides some results, this package's code included.

    Args:
        decides: Plain values that JSON can hold.
    """
    package = Path(__file__).parent
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class KeptFolder:
    """The folder; used as a context, it keeps another process from working on the same at the same time.

    Args:
        runs_dir: Where the results will be.
        kind: What is kept: `backtest` or `training`.
        key: `key_of` everything that decides the results.
    """

    def __init__(self, runs_dir: Path, kind: str, key: str) -> None:
        self.path = runs_dir / f".{kind}-{key}"
        self._kind = kind
        self._lock = FileLock(self.path / LOCK, timeout=0)

    def __enter__(self) -> KeptFolder:
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
