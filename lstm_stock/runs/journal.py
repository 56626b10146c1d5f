"""Append forecasts to a journal: one writer at a time, all lines or none, and no line lost to a killed process.

A journal is a folder with a file of lines per month (`lstm_stock.runs.journal_line`) and `head.json`. Nothing here
knows what a forecast is. Only the newest lines are read: `lstm_stock.runs.journal_chain` checks all.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_stock.atomic import LOCK, write_file
from lstm_stock.errors import JournalError
from lstm_stock.runs.journal_line import (
    FILE_NAME,
    FIRST_HEAD,
    HEAD,
    START,
    About,
    Head,
    Line,
    encode_line,
    parse_line,
    parse_time,
    read_head,
    time_text,
)

LOCK_SECONDS = 30.0
"""Time to wait for another process that appends."""

MAX_LINE = 2**24
"""Greatest length of a line in bytes. Lines have some 20 thousand."""

_BLOCK = 2**20


@dataclass(frozen=True)
class Record:
    """A forecast to append.

    Attributes:
        about: What it is of.
        forecast: Its content, which JSON can hold.
        deadline: From this time on it would be a forecast after the fact.
    """

    about: About
    forecast: dict[str, Any]
    deadline: dt.datetime


@dataclass(frozen=True)
class Appended:
    """What an append did.

    Attributes:
        written: The forecasts written, in order.
        known: Forecasts of a ticker, cutoff and network that the journal has already; not written.
        late: Forecasts after the fact; not written.
        head: The newest line of the journal.
        mended: A sentence on what a killed process had left; empty if nothing.
    """

    written: tuple[About, ...]
    known: tuple[About, ...]
    late: tuple[About, ...]
    head: Head
    mended: str


def append(folder: Path, records: Sequence[Record], clock: Callable[[], dt.datetime]) -> Appended:
    """Append forecasts to a journal, which is made if there is none; all of them are written or none.

    A forecast after its deadline, or already in the journal, is left out. When this returns, the lines are on the
    disk.

    Args:
        folder: The journal.
        records: The forecasts.
        clock: Returns the present time, with its zone.

    Raises:
        JournalError: The folder cannot be written to, another process holds it, its newest line is not the one
            that `head.json` names, or the clock is behind the newest line.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=LOCK_SECONDS):
            return _append(folder, records, clock)
    except Timeout as error:
        raise JournalError(
            f"another process has been writing to the journal {folder} for over {LOCK_SECONDS:.0f} s",
            "wait until it is done, or end it",
        ) from error
    except OSError as error:
        raise JournalError(
            f"nothing was written to the journal {folder}: {error.strerror or error}",
            "free space or get write access there, or choose another folder with `--journal-dir`",
        ) from error


def journal_files(folder: Path) -> list[Path]:
    """Return the files with the lines of a journal, oldest first; none if there is no such folder.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if FILE_NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []


def require_plain(path: Path) -> Path:
    """Return the path of a file; JournalError if it is a link, which may lead to another's file, or no file."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise JournalError(
            f"{path} is no plain file, but a link or something else", "put the file itself there"
        )
    return path


def _append(folder: Path, records: Sequence[Record], clock: Callable[[], dt.datetime]) -> Appended:
    files = [require_plain(path) for path in journal_files(folder)]
    tail = _after_last_newline(files[-1]) if files else b""
    finished = _finished(tail)
    head = _newest(folder, finished or next(_backwards(files, len(tail)), None))
    mended = _mend(files[-1], tail, finished is not None) if tail else ""
    now = clock().astimezone(dt.UTC).replace(microsecond=0)
    if head.written and now < parse_time(head.written):
        raise JournalError(
            f"the clock says {time_text(now)}, which is before the newest line of the journal {folder}, "
            f"{head.written}",
            "set the clock; if a wrong clock wrote that line, start another journal with `--journal-dir`",
        )
    in_time = [record for record in records if now < record.deadline]
    seen = _known(files, in_time)
    known, lines, written = [], [], []
    for record in in_time:
        if record.about in seen:
            known.append(record.about)
            continue
        line, head = encode_line(record.about, record.forecast, head, now)
        lines.append(line)
        written.append(record.about)
        seen.add(record.about)
    if lines:
        _write(folder / f"{now:%Y-%m}.jsonl", b"".join(lines), head)
    late = tuple(record.about for record in records if now >= record.deadline)
    return Appended(tuple(written), tuple(known), late, head, mended)


def _write(path: Path, content: bytes, head: Head) -> None:
    """Append to a file, which may be new, and name the new head; on failure the file is as it was."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            done = 0
            while done < len(content):
                done += file.write(content[done:]) or 0
            os.fsync(file.fileno())
            write_file(path.parent / HEAD, head.to_bytes())
        except BaseException:
            file.truncate(size)
            raise


def _finished(tail: bytes) -> Line | None:
    """Return the line that lacks its newline alone, None if the bytes are something else."""
    try:
        return parse_line(tail + b"\n")
    except ValueError:
        return None


def _mend(path: Path, tail: bytes, is_finished: bool) -> str:
    """Remove the unfinished line of a killed process from the end of a file, or finish it if only its end lacks.

    Returns:
        A sentence on what was done.

    Raises:
        JournalError: What the file ends with is no part of a line.
    """
    if not is_finished and not is_unfinished(tail):
        raise _broken(f"{path} does not end with a line, nor with the start of one")
    with path.open("r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if is_finished:
            file.write(b"\n")
        else:
            file.truncate(end - len(tail))
        os.fsync(file.fileno())
    done = "completed it" if is_finished else f"removed its {len(tail)} bytes"
    return f"a process was killed while it wrote the last line of {path}: {done}"


def is_unfinished(tail: bytes) -> bool:
    """Whether bytes without a newline may be what a killed process, or a power failure, left of a line."""
    return tail.startswith(START) or START.startswith(tail) or not tail.strip(b"\0")


def _after_last_newline(path: Path) -> bytes:
    """Return the bytes of a file after its last newline."""
    tail = b""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0 and b"\n" not in tail and len(tail) <= MAX_LINE:
            start = max(end - _BLOCK, 0)
            file.seek(start)
            tail = file.read(end - start) + tail
            end = start
    return tail[tail.rfind(b"\n") + 1 :]


def _newest(folder: Path, last: Line | None) -> Head:
    """Return the newest line; it may be later than `head.json` says if a process was killed in between.

    Raises:
        JournalError: It is damaged, or `head.json` says otherwise.
    """
    try:
        head = read_head(folder)
    except FileNotFoundError:
        if last is None:
            write_file(folder / HEAD, FIRST_HEAD.to_bytes())
            return FIRST_HEAD
        raise _broken(f"{folder / HEAD} is missing") from None
    except ValueError as error:
        raise _broken(f"{folder / HEAD} cannot be read: {error}") from error
    if last is not None and not last.is_intact:
        raise _broken(f"line {last.sequence} of {last.written:%F} was changed after it was written")
    newest = FIRST_HEAD if last is None else last.head
    if newest.sequence < head.sequence or (newest.sequence == head.sequence and newest != head):
        raise _broken(
            f"its newest line is line {newest.sequence}, not the one that {HEAD} names, line {head.sequence} of "
            f"{head.written}"
        )
    return newest


def _broken(complaint: str) -> JournalError:
    return JournalError(
        f"nothing was written, since the journal is broken: {complaint}",
        "`lstm-stock journal verify` finds the place; restore the folder, or start another with `--journal-dir`",
    )


def _known(files: Sequence[Path], records: Sequence[Record]) -> set[About]:
    """Return those forecasts that the journal has; only lines since the day before the oldest cutoff can hold one.

    An early close in New Zealand is on the day before its session's date in UTC.
    """
    wanted = {record.about for record in records}
    first = min((dt.date.fromisoformat(about.cutoff) for about in wanted), default=dt.date.max)
    known = set()
    for line in _backwards(files):
        if line.written.date() < first - dt.timedelta(days=1):
            break
        if line.about in wanted:
            known.add(line.about)
    return known


def _backwards(files: Sequence[Path], n_unfinished: int = 0) -> Iterator[Line]:
    """Yield the lines of a journal, newest first.

    Args:
        files: Its files.
        n_unfinished: Number of bytes after the last newline of the last one.

    Raises:
        JournalError: Something is no line.
    """
    for path in reversed(files):
        with path.open("rb") as file:
            end, rest = file.seek(0, os.SEEK_END) - n_unfinished, b""
            n_unfinished = 0
            while end > 0:
                start = max(end - _BLOCK, 0)
                file.seek(start)
                # The newline of the last one was in the block before; at the end of the file, that one is empty.
                first, *lines = (file.read(end - start) + rest).split(b"\n")
                for text in reversed(lines):
                    if text:
                        yield _parse(path, text)
                rest, end = first, start
                if len(rest) > MAX_LINE:
                    raise _broken(f"a line of {path} has more than {MAX_LINE} bytes")
            if rest:
                yield _parse(path, rest)


def _parse(path: Path, text: bytes) -> Line:
    try:
        return parse_line(text + b"\n")
    except ValueError as error:
        raise _broken(f"a line of {path} cannot be read: {error}") from error
