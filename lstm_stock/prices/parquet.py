"""A price history as an Arrow table and back: columns, types and provenance in the metadata."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lstm_stock.prices.table import COLUMNS, PriceHistory, Provenance, price_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


_METADATA_KEY = b"lstm_stock"
_FORMAT = 2
_READABLE_FORMATS = (1, 2)


def _encode(history: PriceHistory) -> bytes:
    """Turn prices into the bytes of a Parquet file; `date` is of Parquet's own type for days."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = history.table
    days = pa.array(table.index.to_numpy().astype("datetime64[D]"), type=pa.date32())
    facts = {"format": _FORMAT, "ticker": history.ticker, **asdict(history.provenance)}
    arrow = pa.table({"date": days, **{name: pa.array(table[name].to_numpy()) for name in COLUMNS}})
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata({_METADATA_KEY: json.dumps(facts)}), buffer)
    return buffer.getvalue()


def _decode(raw: bytes) -> PriceHistory:
    """Read the bytes of a Parquet file without pandas' help, whose metadata and types change with versions.

    Raises:
        ValueError: It is no Parquet file, or not one of ours.
        TypeError: Its provenance lacks something, or has too much.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(pa.BufferReader(raw))
        return _from_arrow(arrow)
    except (pa.ArrowException, OSError) as error:  # OSError: a page of the file cannot be decompressed.
        raise ValueError(str(error)) from error


def _from_arrow(arrow: pa.Table) -> PriceHistory:
    if sorted(arrow.column_names) != sorted(("date", *COLUMNS)):
        raise ValueError(f"its columns are `{' '.join(arrow.column_names)}`")
    facts = json.loads((arrow.schema.metadata or {}).get(_METADATA_KEY, b"null"))
    if not isinstance(facts, dict) or not isinstance(facts.get("ticker"), str):
        raise ValueError("it does not say where its prices come from")
    if facts.pop("format", None) not in _READABLE_FORMATS:
        raise ValueError("it was written by a newer version")
    ticker = facts.pop("ticker")
    for name in ("asked_again", "notes"):  # Format 1 had none of them.
        lines = facts.get(name, [])
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError(f"its `{name}` are no list of lines")
        facts[name] = tuple(lines)
    return PriceHistory(ticker, _to_table(arrow), Provenance(**facts))


def _to_table(arrow: pa.Table) -> pd.DataFrame:
    import pyarrow as pa

    kind = arrow["date"].type
    if not pa.types.is_date(kind) and not (pa.types.is_timestamp(kind) and kind.tz is None):
        raise ValueError(f"its dates are of type {kind}")
    columns: dict[str, Any] = {name: arrow[name].cast(pa.float64()).to_numpy() for name in COLUMNS}
    return price_table(arrow["date"].cast(pa.timestamp("s")).to_numpy(), columns)
