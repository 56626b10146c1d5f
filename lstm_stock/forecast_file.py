"""The forecast table on disk: written ticker by ticker, so that no more than one ticker is ever in memory."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


class ForecastWriter:
    """Writes a Parquet file, a row group for each table that is added; used as a context.

    Args:
        path: The file to make.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ForecastWriter:
        """Nothing is written before the first table."""
        return self

    def add(self, table: pd.DataFrame) -> None:
        """Write one ticker's forecasts, columns `lstm_stock.evaluation.FORECAST_COLUMNS`."""
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, arrow.schema)
        self._writer.write_table(arrow, row_group_size=max(len(table), 1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


def read_forecasts(path: Path, ticker: str | None = None) -> pd.DataFrame:
    """Read a forecast table, or the rows of one ticker."""
    filters = None if ticker is None else [("ticker", "==", ticker)]
    return pd.read_parquet(path, filters=filters)
