"""stdout and stderr of a command: work goes on when nobody reads the notes on stderr; a full disk is an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from lstm_stock.errors import OutputError


@contextmanager
def lenient_streams() -> Iterator[None]:
    """Drop what is written to stderr once its reader has left, and to streams that were closed from the start.

    Without stderr, `print(..., file=sys.stderr)` would print to stdout. What stdout cannot take raises an
    OutputError. A character that a stream cannot encode, as in the name of a file that is no UTF-8, is escaped.
    """
    with ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        if sys.stderr is None:
            stack.enter_context(redirect_stderr(stack.enter_context(Path(os.devnull).open("w"))))
        else:
            stack.enter_context(redirect_stderr(_LenientStream(sys.stderr)))
        if sys.stdout is None:
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        else:
            stack.enter_context(redirect_stdout(_DataStream(sys.stdout)))
        yield


class _Stream:
    """A text stream with the attributes of another one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream, such as `isatty` or `encoding`."""
        return getattr(self._stream, name)


class _DataStream(_Stream):
    """A text stream whose failures are errors of the user's, but for a reader that has left."""

    def write(self, text: str) -> int:
        """Write `text`; return its length. Raises OutputError."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _output_error(error) from error

    def flush(self) -> None:
        """Flush the stream. Raises OutputError."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _output_error(error) from error


def _output_error(error: OSError) -> OutputError:
    return OutputError(
        f"the output cannot be written: {error.strerror or error}", "make room, or send it somewhere else"
    )


class _LenientStream(_Stream):
    """A text stream that drops everything after its first failed write."""

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


def discard(stream: TextIO) -> None:
    """Send all further output of a stream to nowhere, also what it has buffered and what C code writes."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
