"""One line of a journal, and the file that names its newest line.

A line is a JSON object without spaces, with sorted keys, in ASCII:

    {"about":{...},"chain":{"previous":"...","sequence":7,"written":"..."},"forecast":{...},"hash":"..."}

`hash` is the SHA-256 of the same JSON without `hash`, in hex. `previous` is the hash of the line before; that of
the first line is `GENESIS`. So a line states, through `previous`, every byte of all lines before it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_stock.readback import parse_json, read_file

GENESIS = hashlib.sha256(b"lstm-stock journal 1").hexdigest()
"""What the first line of every journal follows."""

FILE_NAME = re.compile(r"[0-9]{4}-[0-9]{2}\.jsonl")
"""Files of a journal, one per month of UTC: `2024-01.jsonl`."""

HEAD = "head.json"
"""The file with sequence number, time and hash of the newest line: without it, lines could be cut off the end."""

MAX_HEAD = 4096
"""Greatest size of the file `HEAD` in bytes."""

START = b'{"about":{'
"""The first bytes of every line."""

_LINE = re.compile(
    rb'(\{"about":\{.*?\},"chain":\{.*?\}),"forecast":(.*),"hash":"([0-9a-f]{64})"\}\n', re.DOTALL
)
"""Quotes inside of JSON strings are escaped, so that no content can look like the keys here."""

_HASH = re.compile(r"[0-9a-f]{64}")


def canonical(value: Any) -> bytes:
    r"""Return JSON without spaces, with sorted keys, in ASCII; ValueError for NaN and infinity.

    >>> canonical({"b": 0.1, "a": "é"})
    b'{"a":"\\u00e9","b":0.1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def time_text(time: dt.datetime) -> str:
    """Format a time with a zone as UTC, to the second.

    >>> time_text(dt.datetime(2024, 1, 2, 1, 0, 5, tzinfo=dt.timezone(dt.timedelta(hours=2))))
    '2024-01-01T23:00:05Z'
    """
    return f"{time.astimezone(dt.UTC).replace(tzinfo=None, microsecond=0).isoformat()}Z"


def parse_time(text: str) -> dt.datetime:
    """Parse `time_text`; ValueError for anything else."""
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None or time_text(time) != text:
        raise ValueError(f"{text!r} is no time")
    return time


@dataclass(frozen=True)
class About:
    """What a forecast is of. The second forecast of one ticker, cutoff and network does not count.

    Attributes:
        ticker: The ticker.
        cutoff: Date (ISO) of the last bar.
        network: Name of the network: that of a run, or of a network of the package.
        fingerprint: SHA-256, in hex, of the hashes of the network's files.
    """

    ticker: str
    cutoff: str
    network: str
    fingerprint: str


@dataclass(frozen=True)
class Line:
    """A line of a journal without its forecast.

    Attributes:
        about: What the forecast is of.
        sequence: Its number, from 1.
        written: When it was written, UTC.
        previous: Hash of the line before.
        hash: The hash that it states.
        is_intact: Whether that is the hash of its content.
    """

    about: About
    sequence: int
    written: dt.datetime
    previous: str
    hash: str
    is_intact: bool

    @property
    def head(self) -> Head:
        """The head of the journal if this is its newest line."""
        return Head(self.sequence, self.hash, time_text(self.written))


def encode_line(
    about: About, forecast: dict[str, Any], head: Head, written: dt.datetime
) -> tuple[bytes, Head]:
    """Return the line that follows `head`, with its newline, and the head after it.

    Raises:
        ValueError: The forecast holds NaN or infinity.
    """
    sequence, time = head.sequence + 1, time_text(written)
    chain = {"previous": head.hash, "sequence": sequence, "written": time}
    content = canonical({"about": vars(about), "chain": chain, "forecast": forecast})
    digest = hashlib.sha256(content).hexdigest()
    return content[:-1] + b',"hash":"' + digest.encode() + b'"}\n', Head(sequence, digest, time)


def parse_line(raw: bytes) -> Line:
    """Parse a line with its newline; ValueError, which states why, if it is none."""
    match = _LINE.fullmatch(raw)
    if match is None:
        if raw.endswith(b"\r\n"):
            raise ValueError("it ends with CR LF: a program has converted the line ends")
        raise ValueError("it is no line of a journal")
    start, _, stated = match.groups()
    try:
        header = parse_json(dict[str, Any], start + b"}")
        about, chain = About(**header["about"]), header["chain"]
        sequence, previous, written = chain["sequence"], chain["previous"], parse_time(chain["written"])
        texts = [*vars(about).values(), previous]
        if (
            type(sequence) is not int
            or not _HASH.fullmatch(previous)
            or any(type(one) is not str for one in texts)
        ):
            raise ValueError
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError("its header cannot be read") from error
    content = raw[: match.end(2)] + b"}"
    is_intact = hashlib.sha256(content).hexdigest().encode() == stated
    return Line(about, sequence, written, previous, stated.decode(), is_intact)


def read_forecast(raw: bytes) -> dict[str, Any]:
    """Return the forecast of a line that `parse_line` reads; ValueError if it is none."""
    match = _LINE.fullmatch(raw)
    if match is None:
        raise ValueError("it is no line of a journal")
    return parse_json(dict[str, Any], match.group(2))


@dataclass(frozen=True)
class Head:
    """The newest line of a journal.

    Attributes:
        sequence: Its number; 0 before the first line.
        hash: Its hash; `GENESIS` before the first line.
        written: When it was written, as `time_text`; empty before the first line.
    """

    sequence: int
    hash: str
    written: str

    def to_bytes(self) -> bytes:
        """Return the content of the file `HEAD`."""
        return canonical(vars(self)) + b"\n"


FIRST_HEAD = Head(0, GENESIS, "")
"""The head of a journal without lines."""


def read_head(folder: Path) -> Head:
    """Read the file `HEAD` of a journal.

    Raises:
        OSError: It cannot be read.
        ValueError: It is damaged.
    """
    raw = read_file(folder / HEAD, MAX_HEAD)
    try:
        head = Head(**parse_json(dict[str, Any], raw))
        same = type(head.sequence) is int and head.to_bytes() == raw
    except (TypeError, ValueError):
        same = False
    if not same:
        raise ValueError("it is damaged")
    return head
