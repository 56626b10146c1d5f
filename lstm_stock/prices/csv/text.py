"""Read the bytes of a CSV file as rows of cells: encoding, separator, line numbers. `tables` reads others."""

from __future__ import annotations

import csv
import io
import stat
import sys
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.tables import EXCEL, PARQUET, read_table
from lstm_stock.prices.sources import DecimalMark

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
"""The separators that are recognised, with their names."""

STDIN = Path("-")
"""The path of the standard input."""

_MAX_BYTES = 64 * 2**20
_SAMPLED_LINES = 40
_CSV_HINT = "save or export it as CSV (comma separated values) and fetch that file"
_PRICES_HINT = "fetch a file with a header row and prices below it"
_OTHER_FILES = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3", "an SQLite database"),
)
_MARKED_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, stripped of blanks, and the line of the file where it starts (from 1)."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class CsvText:
    """The rows of a file, without blank lines.

    Attributes:
        rows: At least one.
        separator: The character between cells.
        encoding: The encoding of the bytes.
        n_empty: Number of rows of empty cells; they are left out.
        kind: What the file is, if it is no CSV file.
        mark: The decimal mark, where the file has numbers and not their text.
    """

    rows: tuple[Row, ...]
    separator: str
    encoding: str
    n_empty: int
    kind: str = ""
    mark: DecimalMark | None = None


def read_csv_text(path: Path) -> CsvText:
    """Read the rows of a CSV file, an Excel workbook or a Parquet file; of the path `-`, from stdin.

    Raises:
        DataError: It cannot be read, is empty, is no regular file, or is not a table.
    """
    raw = _read_bytes(path)
    if raw.startswith((EXCEL, PARQUET)):
        return _read_table(raw, path)
    text, encoding = _decode(raw, path)
    start = text.lstrip()[:1024].lower()
    if not start:
        raise DataError(f"{path} is empty", _PRICES_HINT)
    if start.startswith("<!doctype") or start.startswith("<?xml") or "<html" in start:
        raise DataError(
            f"{path} is a web page, not a CSV file", "download the file that the page links to, not the page"
        )
    if start.startswith(("{", "[")):
        raise DataError(f"{path} is JSON, not a CSV file", _CSV_HINT)
    return _split(text, encoding, path)


def _read_table(raw: bytes, path: Path) -> CsvText:
    table = read_table(raw, path)
    rows = tuple(Row(i, cells) for i, cells in enumerate(table.rows, 1) if any(cells))
    if not rows:
        raise DataError(f"{path} is empty", _PRICES_HINT)
    mark: DecimalMark | None = "." if table.has_numbers else None
    return CsvText(rows, ",", "utf-8", len(table.rows) - len(rows), table.kind, mark)


def _read_bytes(path: Path) -> bytes:
    hint = "name a CSV file that exists and that you may read"
    try:
        if path == STDIN:
            raw = _read_stdin()
        else:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise DataError(f"{path} is a folder, not a CSV file", "name a file in it")
            if not stat.S_ISREG(mode):  # it may never end
                raise DataError(
                    f"{path} is a pipe or a device, not a file",
                    f"write to stdin: `... --from-csv - < {path}`",
                )
            with path.open("rb") as file:
                raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", hint) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", hint) from error
    except ValueError as error:  # a NUL in the path
        raise DataError(f"{str(path)!r} is no path: {error}", hint) from error
    if len(raw) > _MAX_BYTES:
        raise DataError(
            f"{path} is larger than {_MAX_BYTES // 2**20} MiB; a century of daily prices needs about 3 MiB",
            "cut it down to the rows of one ticker",
        )
    return raw


@lru_cache(maxsize=1)  # it can be read only once
def _read_stdin() -> bytes:
    return sys.stdin.buffer.read(_MAX_BYTES + 1)


def _decode(raw: bytes, path: Path) -> tuple[str, str]:
    for magic, kind in _OTHER_FILES:
        if raw.startswith(magic):
            raise DataError(f"{path} is {kind}, not a CSV file", _CSV_HINT)
    encodings = [name for mark, name in _MARKED_ENCODINGS if raw.startswith(mark)] or ["utf-8", "cp1252"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise DataError(f"{path} is not a CSV file: line {line} holds a NUL byte", _CSV_HINT)
        return text, encoding
    raise DataError(f"{path} is not a text file: it is neither UTF-8 nor UTF-16 nor Windows-1252", _CSV_HINT)


def _split(text: str, encoding: str, path: Path) -> CsvText:
    lines = list(io.StringIO(text, newline=""))
    separator, first = _separator(lines)
    rows: list[Row] = []
    n_empty = 0
    # Strict: an unclosed quote would otherwise swallow the rest of the file as one cell.
    reader = csv.reader(lines[first:], delimiter=separator, skipinitialspace=True, strict=True)
    line = first + 1
    try:
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                rows.append(Row(line, stripped))
            elif len(stripped) > 1:
                n_empty += 1
            line = first + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: line {line}: {error}", _CSV_HINT) from error
    if not rows:
        raise DataError(f"{path} holds nothing but separators", _PRICES_HINT)
    return CsvText(tuple(rows), separator, encoding, n_empty)


def _separator(lines: list[str]) -> tuple[str, int]:
    """Find the separator, and the index of the first line to read.

    It is the one that most of the first lines with text have equally often: titles have none, and commas before
    decimals are not in the header.
    """
    filled = [index for index, line in enumerate(lines) if line.strip()]
    if not filled:
        return ",", 0
    first = filled[0]
    mark = lines[first].rstrip("\r\n").lower()
    if len(mark) == 5 and mark.startswith("sep=") and mark[-1] in SEPARATORS:
        return mark[-1], first + 1  # Excel's own mark
    outside_quotes = ["".join(lines[index].split('"')[::2]) for index in filled[:_SAMPLED_LINES]]

    def evidence(separator: str) -> tuple[int, int]:
        counts = Counter(text.count(separator) for text in outside_quotes)
        del counts[0]
        return max(((lines, count) for count, lines in counts.items()), default=(0, 0))

    return max(SEPARATORS, key=evidence), first
