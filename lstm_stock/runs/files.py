"""The files of a run or a backtest: their names, JSON, and the forecast table.

Forecasts are written ticker by ticker, so that only one ticker is in memory.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lstm_stock.prices.table import iso_date
from lstm_stock.readback import MAX_JSON, open_file, parse_json, read_file
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS

CONFIG, PROVENANCE = "config.yaml", "provenance.json"
FORECASTS, SCORES = "forecasts.parquet", "scores.json"
NETWORK, SCALER, CALIBRATION, HISTORY = "model.keras", "scaler.json", "calibration.json", "history.csv"
ONNX = "model.onnx"
"""The same network, for a forecast without TensorFlow; absent where it cannot be exported, and from older runs."""

REGRESSIONS = {"pooled_t": "pooled.json", "universal": "universal.json", "pretrained": "pretrained.json"}
"""File of each regression over many tickers, by the name of the baseline; absent where a run has none of it."""

FOLDS = "folds.csv"
"""Only a backtest has this file."""

MAX_CSV = 2**26
"""Greatest size of a training history in bytes: a hundred thousand epochs have a tenth of it."""

RUN_FILES = (CONFIG, NETWORK, SCALER, CALIBRATION, HISTORY, FORECASTS, SCORES, PROVENANCE)
"""Every run has these files."""


def join_tickers(tickers: Sequence[str]) -> str:
    """Return the tickers as part of a folder's name: the first three, and the number of the others.

    >>> join_tickers(["^GSPC", "A", "B", "C", "D"])
    '%5EGSPC-A-B-and-2-more'
    """
    shown = [quote(ticker, safe="") for ticker in tickers[:3]]
    return "-".join(shown) + (f"-and-{len(tickers) - 3}-more" if len(tickers) > 3 else "")


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values: dates as ISO text, NaN and infinity as None."""

    def plain(value: Any) -> Any:
        if isinstance(value, pd.Timestamp):
            return iso_date(value)
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    return [{str(key): plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not JSON, or not an object.
    """
    data: dict[str, Any] = parse_json(dict[str, Any], read_file(path, MAX_JSON))
    return data


def write_json(path: Path, data: dict[str, Any], indent: int | None = 2) -> None:
    """Write a JSON object; ValueError if it holds NaN. `indent` None is for thousands of numbers: one line."""
    path.write_text(json.dumps(data, indent=indent, allow_nan=False) + "\n", encoding="utf-8")


class ForecastWriter:
    """Writes a forecast table to Parquet, one row group per ticker; used as a context.

    Args:
        path: The file to make.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ForecastWriter:
        """Return itself; the file is made with the first table."""
        return self

    def add(self, table: pd.DataFrame) -> None:
        """Append one ticker's forecasts, columns `lstm_stock.scoring.forecast_table.FORECAST_COLUMNS`."""
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, arrow.schema)
        self._writer.write_table(arrow, row_group_size=max(len(table), 1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; the error that ended the context, if any, goes before one of closing."""
        if error is None:
            self.close()
        else:
            with suppress(OSError):
                self.close()

    def close(self) -> None:
        """Write the end of the file, once; OSError if the disk refuses."""
        if self._writer is not None:
            self._writer.close()


def read_history(path: Path) -> pd.DataFrame:
    """Read a training history.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no table of numbers.
    """
    table = pd.read_csv(io.BytesIO(read_file(path, MAX_CSV)))
    for name in table:
        if not pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]):
            raise ValueError(f"its column `{name}` holds other than numbers")
    return table


def read_forecasts(path: Path, ticker: str | None = None) -> pd.DataFrame:
    """Read a forecast table, or the rows of one ticker.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no forecast table.
        pyarrow.ArrowException: It is no Parquet file, or damaged.
    """
    # One thread: those of the reader are still ending when the process does, which now and then aborts it
    # (github.com/apache/arrow/issues/34314).
    with open_file(path) as file, pq.ParquetFile(file, pre_buffer=False) as parquet:
        schema = parquet.schema_arrow
        for name in FORECAST_COLUMNS:
            if name in schema.names:
                _require_type(name, schema.field(name).type)
        parts = [schema.empty_table()]
        for i in range(parquet.num_row_groups):  # each ticker has one, unless an old version wrote them
            if ticker is not None:
                names = parquet.read_row_group(i, ["ticker"], use_threads=False)["ticker"]
                chosen = pc.equal(names, ticker)
                if not pc.any(chosen).as_py():
                    continue
            part = parquet.read_row_group(i, use_threads=False)
            parts.append(part if ticker is None else part.filter(chosen))
        table = pa.concat_tables(parts)
    found: pd.DataFrame = table.to_pandas(use_threads=False, ignore_metadata=True)
    return found


def _require_type(name: str, kind: pa.DataType) -> None:
    if name in ("ticker", "model"):
        fits = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    elif name in ("cutoff", "date"):
        fits = pa.types.is_timestamp(kind) and kind.tz is None
    elif name == "step":
        fits = pa.types.is_integer(kind)
    else:
        fits = pa.types.is_floating(kind)
    if not fits:
        raise ValueError(f"its column `{name}` is of type {kind}")
