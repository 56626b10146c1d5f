"""stdout and stderr of a command: work goes on when nobody reads the notes on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def lenient_streams() -> Iterator[None]:
    """Drop what is written to stderr once its reader has left, and to streams that were closed from the start.

    Without stderr, `print(..., file=sys.stderr)` would print to stdout.
    """
    with ExitStack() as stack:
        if sys.stderr is None:
            stack.enter_context(redirect_stderr(stack.enter_context(Path(os.devnull).open("w"))))
        else:
            stack.enter_context(redirect_stderr(_LenientStream(sys.stderr)))
        if sys.stdout is None:
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        yield


class _LenientStream:
    """A text stream that drops everything after its first failed write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`; return its length."""
        try:
            return self._stream.write(text)
        except OSError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream, such as `isatty` or `encoding`."""
        return getattr(self._stream, name)


def discard(stream: TextIO) -> None:
    """Send all further output of a stream to nowhere, also what it has buffered and what C code writes."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
