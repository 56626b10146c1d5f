"""Commands in processes that need not import anything: each is forked from a server that has imported it all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PRELOADED = (
    *("lstm_stock.cli.fetch", "lstm_stock.prices.update", "lstm_stock.prices.parquet"),
    *("exchange_calendars", "pandas", "pyarrow.parquet", "rich.table"),
    *("bs4", "curl_cffi.requests", "peewee", "requests", "websockets.sync.client"),  # of yfinance
)
"""What a fetch imports, without yfinance, which reads its cache folder from the environment on import."""


def _context() -> multiprocessing.context.BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


class ForkedCommand:
    """`lstm-stock` with arguments in a process of its own, like a `subprocess.Popen` whose output goes to files.

    Args:
        arguments: Those of the command.
        folder: The working directory.
        environment: All environment variables.
    """

    def __init__(
        self, arguments: Sequence[object], folder: Path, environment: Mapping[str, str] = os.environ
    ) -> None:
        arguments = [*map(str, arguments)]
        self.args = arguments
        self._out, self._err = (folder / f".{id(self)}.{name}" for name in ("out", "err"))
        outputs = (self._out, self._err)
        self._process = _context().Process(target=_call, args=(arguments, folder, dict(environment), outputs))
        self._process.start()

    @property
    def pid(self) -> int:
        """The id of the process, and of its process group."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """What the command has written to stderr until now."""
        return self._err.read_text(encoding="utf-8") if self._err.exists() else ""

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.exitcode is None:
            os.kill(self._process.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for the end, and return what the command wrote to stdout and stderr."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            raise subprocess.TimeoutExpired(self.args, timeout)
        texts = [path.read_text(encoding="utf-8") if path.exists() else "" for path in (self._out, self._err)]
        for path in (self._out, self._err):
            path.unlink(missing_ok=True)
        return texts[0], texts[1]


def _call(
    arguments: list[str], folder: Path, environment: dict[str, str], outputs: tuple[Path, Path]
) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in zip((1, 2), outputs, strict=True):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["lstm-stock", *arguments]
    from lstm_stock.cli import main

    main()
