"""Walk the lines of a journal, and find what was changed: each fault names its file and line.

The walk does not find a journal whose last lines were all replaced, together with `head.json`: only a hash that
somebody else keeps shows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lstm_stock.errors import JournalError
from lstm_stock.runs.journal import MAX_LINE, is_unfinished, journal_files, require_plain
from lstm_stock.runs.journal_line import FIRST_HEAD, HEAD, Head, Line, parse_line, read_head


@dataclass(frozen=True)
class Fault:
    """Something in a journal that is not as it was written.

    Attributes:
        place: File and line, `2024-01.jsonl:7`, or a file.
        text: What is wrong.
        is_unfinished: Whether it is an unfinished last line, which the next append removes: a process was killed
            while it wrote, or is writing now.
    """

    place: str
    text: str
    is_unfinished: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass(frozen=True)
class Placed:
    """A line of a journal that is as it was written.

    Attributes:
        line: The line.
        path: Its file.
        offset: Its first byte in the file.
        size: Number of its bytes.
    """

    line: Line
    path: Path
    offset: int
    size: int


def walk(folder: Path) -> Iterator[Placed | Fault]:
    """Yield the lines of a journal in order, and a fault wherever they are not as they were written.

    One line is in memory at a time. A line after a fault is still compared with the one before it, so that each
    place is named once.

    Raises:
        JournalError: There is no such folder, or it cannot be read.
    """
    try:
        if not folder.is_dir():
            raise JournalError(
                f"there is no journal {folder}",
                "`lstm-stock predict --journal` makes one with its first forecast",
            )
        yield from _walk(folder)
    except OSError as error:
        raise JournalError(
            f"the journal {folder} cannot be read: {error.strerror or error}",
            "get read access there, or choose another folder with `--journal-dir`",
        ) from error


def _walk(folder: Path) -> Iterator[Placed | Fault]:
    # Before the lines: a process that appends meanwhile makes them longer than the head says, never shorter.
    head: Head | None = None
    try:
        head = read_head(folder)
    except FileNotFoundError:
        yield Fault(HEAD, "it is missing: whether lines were removed from the end is unknown")
    except ValueError as error:
        yield Fault(HEAD, f"{error}: whether lines were removed from the end is unknown")
    files, before = journal_files(folder), FIRST_HEAD
    for path in files:
        for number, offset, raw in _raw_lines(require_plain(path)):
            place = f"{path.name}:{number}"
            if not raw.endswith(b"\n"):
                yield _without_end(place, raw, path == files[-1])
                continue
            try:
                line = parse_line(raw)
            except ValueError as error:
                yield Fault(place, str(error))
                before = Head(before.sequence + 1, "", before.written)
                continue
            if not line.is_intact:
                yield Fault(place, "it was changed after it was written: its hash is not that of its content")
                before = Head(before.sequence + 1, line.hash, before.written)
                continue
            faults = list(_faults(line, before, path, head))
            yield from (Fault(place, text) for text in faults)
            if not faults:
                yield Placed(line, path, offset, len(raw))
            if line.sequence > before.sequence:
                before = line.head
    if head is not None and before.sequence < head.sequence:
        yield Fault(
            HEAD,
            f"it names line {head.sequence} of {head.written}, but the last line is line {before.sequence}: lines "
            "were removed from the end",
        )


def _raw_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, offset and bytes of each line of a file; one that is too long is cut into several."""
    offset = 0
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(MAX_LINE):
            number += 1
            yield number, offset, raw
            offset += len(raw)


def _without_end(place: str, raw: bytes, is_last: bool) -> Fault:
    if is_last and is_unfinished(raw):
        return Fault(
            place,
            "it is unfinished: a process was killed while it wrote, or is writing it now",
            is_unfinished=True,
        )
    return Fault(place, "it does not end with a newline")


def _faults(line: Line, before: Head, path: Path, head: Head | None) -> Iterator[str]:
    """Yield what is wrong with a line whose hash is that of its content.

    Args:
        line: The line.
        before: The line before it; without hash where that could not be read.
        path: Its file.
        head: What `head.json` says.
    """
    expected = before.sequence + 1
    if line.sequence > expected:
        which = (
            f"line {expected} is"
            if line.sequence == expected + 1
            else f"lines {expected} to {line.sequence - 1} are"
        )
        yield f"{which} missing before it: it is line {line.sequence}"
    elif line.sequence < expected:
        yield f"it is line {line.sequence}, after line {before.sequence}: it was moved or inserted"
    elif before.hash and line.previous != before.hash:
        yield (
            f"it does not follow the line before it, line {before.sequence}: that one was changed after this was "
            "written, or this one was inserted"
        )
    if before.written and line.head.written < before.written:
        yield f"its time, {line.head.written}, is before that of the line before, {before.written}"
    if path.stem != f"{line.written:%Y-%m}":
        yield f"its time, {line.head.written}, is not in the month of its file"
    if head is not None and line.sequence == head.sequence and line.head != head:
        yield f"it is not the line that {HEAD} names: the lines were replaced"
