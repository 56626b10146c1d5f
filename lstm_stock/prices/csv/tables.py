"""Read Excel workbooks and Parquet files of the user as rows of cells, like those of a CSV file."""

from __future__ import annotations

import datetime as dt
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_stock.errors import DataError

EXCEL, PARQUET = b"PK\x03\x04", b"PAR1"
"""How the files begin."""

_MAX_CELLS = 30_000_000
_MAX_UNPACKED = 2**30
_HINT = "save or export it as CSV (comma separated values) and fetch that file"


@dataclass(frozen=True)
class TableText:
    """The cells of a table as text.

    Attributes:
        rows: Each of the same length.
        kind: What the file is, in words.
        has_numbers: Whether a cell is a number, not the text of one.
    """

    rows: list[tuple[str, ...]]
    kind: str
    has_numbers: bool


def read_table(raw: bytes, path: Path) -> TableText:
    """Return the cells of an Excel or Parquet file as text.

    Of a workbook, the first sheet with two rows is read. Numbers have a dot before the decimals, dates are ISO.

    Args:
        raw: The content; it begins with `EXCEL` or `PARQUET`.
        path: For messages.

    Raises:
        DataError: It is damaged, too large, or no workbook, or openpyxl is not installed.
    """
    rows, kind = _read_parquet(raw, path) if raw.startswith(PARQUET) else _read_excel(raw, path)
    texts = [tuple(_text(cell) for cell in row) for row in rows]
    width = max((i + 1 for row in texts for i, cell in enumerate(row) if cell), default=0)
    has_numbers = any(isinstance(cell, float) for row in rows for cell in row)
    return TableText([row[:width] for row in texts], kind, has_numbers)


def _read_excel(raw: bytes, path: Path) -> tuple[list[Sequence[Any]], str]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise DataError(f"{path} is a damaged Excel workbook or zip archive: {error}", _HINT) from error
    if not any(one.filename == "xl/workbook.xml" for one in infos):
        raise DataError(f"{path} is a zip archive, not a CSV file", "unpack it, and fetch the file in it")
    if sum(one.file_size for one in infos) > _MAX_UNPACKED:
        raise DataError(f"{path} unpacks to more than {_MAX_UNPACKED // 2**20} MiB", _HINT)
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError as error:
        raise DataError(
            f"{path} is an Excel workbook, which the package openpyxl reads",
            'install it with `pip install "lstm-stock[excel]"`, or save the sheet as CSV',
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that do not matter here
            book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        for number, sheet in enumerate(book.worksheets, 1):
            rows: list[Sequence[Any]] = []
            n_cells = 0
            for row in sheet.iter_rows(values_only=True):
                n_cells += len(row)
                if n_cells > _MAX_CELLS:
                    raise DataError(f"{path} has more than {_MAX_CELLS} cells", _HINT)
                rows.append(row)
            if sum(any(cell is not None for cell in row) for row in rows) > 1:
                more = (
                    f", the one of number {number} of {len(book.worksheets)}"
                    if len(book.worksheets) > 1
                    else ""
                )
                return rows, f"an Excel workbook, sheet `{sheet.title}`{more}"
    except _DAMAGES as error:
        raise DataError(f"{path} is a damaged Excel workbook: {_first_line(error)}", _HINT) from error
    raise DataError(f"{path} is an Excel workbook without a sheet of two rows", _HINT)


def _read_parquet(raw: bytes, path: Path) -> tuple[list[Sequence[Any]], str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(raw))
        if file.metadata.num_rows * file.metadata.num_columns > _MAX_CELLS:
            raise DataError(f"{path} has more than {_MAX_CELLS} cells", _HINT)
        table = file.read(use_threads=False)
        # pandas writes its index last, and calls one without a name so.
        is_index = [name.startswith("__index_level_") for name in table.column_names]
        order = sorted(range(len(is_index)), key=lambda i: not is_index[i])
        columns = [table.column(i).to_pylist() for i in order]
    except (pa.ArrowException, *_DAMAGES) as error:
        raise DataError(f"{path} is a damaged Parquet file: {_first_line(error)}", _HINT) from error
    names = ["" if is_index[i] else table.column_names[i] for i in order]
    return [names, *zip(*columns, strict=True)], "a Parquet file"


_DAMAGES = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, OSError),
    *(ArithmeticError, EOFError, zipfile.BadZipFile, SyntaxError, RuntimeError),
    *(zlib.error, struct.error),
)
"""What the libraries raise on damaged files; `xml.etree.ElementTree.ParseError` is a SyntaxError."""


def _text(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    return str(cell).strip()


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
