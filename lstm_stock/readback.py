"""Read back what this program has written: a regular file of bounded size, and JSON that pydantic has checked.

What is on disk may have been changed since, by anyone. Numbers must be finite and of a size that a price, a volume
or a score can have; times are ISO dates; texts hold no control characters, which a terminal would obey.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

MAX_JSON = 2**28
"""Greatest size of a JSON file in bytes: scores and verdicts of thousands of tickers have a tenth of it."""

LARGEST = 1e30
"""No price, volume, score or coefficient is as large."""

T = TypeVar("T")


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to be read; a pipe or a device, which may never end, is refused.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    # Without O_NONBLOCK, opening a pipe waits for its other end.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
        yield file


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file.

    Args:
        path: The file.
        max_bytes: Its greatest size; a larger one is not read.

    Raises:
        OSError: It cannot be read, is no regular file, or is larger.
    """
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise OSError(errno.EFBIG, f"it has {size} bytes, more than {max_bytes}")
            return file.read(max_bytes) or b""
    except ValueError as error:  # a path with a NUL in it
        raise OSError(errno.EINVAL, str(error)) from error


class Saved(BaseModel):
    """A JSON object as it is written: no key more, no value of another type, no number that is not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def parse_json(kind: type[T], content: bytes) -> T:
    """Parse JSON, and check it.

    Args:
        kind: What it holds: a subclass of `Saved`, or a collection of them.
        content: The JSON.

    Raises:
        ValueError: It is no JSON, or something else. The message names the first place.
    """
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        raise ValueError(_first_fault(error)) from None


def parse(kind: type[T], value: object) -> T:
    """Check a value of plain types; ValueError, which names the first place, if it is something else."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ValueError(_first_fault(error)) from None


def _first_fault(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    where = ".".join(str(one)[:60] for one in first["loc"][:8])
    more = f" (and {len(others)} more)" if others else ""
    return (f"`{where}`: {first['msg']}" if where else str(first["msg"])) + more


def _printable(text: str) -> str:
    if any(not one.isprintable() for one in text):
        raise ValueError("it has control characters")
    return text


def _date(text: str) -> str:
    if len(text) != 10:
        raise ValueError("it is no date")
    dt.date.fromisoformat(text)
    return text


def _time(text: str) -> str:
    dt.datetime.fromisoformat(text)
    return text


def _zoned(text: str) -> str:
    if dt.datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("it has no time zone")
    return text


Number: TypeAlias = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
"""A finite number."""

Positive: TypeAlias = Annotated[float, Field(gt=0, le=LARGEST)]
"""A finite number above 0."""

NotNegative: TypeAlias = Annotated[float, Field(ge=0, le=LARGEST)]
"""A finite number of 0 or more."""

Count: TypeAlias = Annotated[int, Field(ge=0, le=2**62)]
"""A number of things."""

Text: TypeAlias = Annotated[str, Field(max_length=10_000), AfterValidator(_printable)]
"""A line of text."""

Date: TypeAlias = Annotated[str, AfterValidator(_date)]
"""A date, ISO."""

Time: TypeAlias = Annotated[str, Field(max_length=40), AfterValidator(_time)]
"""A time, ISO."""

ZonedTime: TypeAlias = Annotated[str, Field(max_length=40), AfterValidator(_zoned)]
"""A time with its zone, ISO."""

Hash: TypeAlias = Annotated[str, Field(pattern="^[0-9a-f]{4,64}$")]
"""A hash, hexadecimal."""
