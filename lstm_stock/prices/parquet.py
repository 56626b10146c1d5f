"""Convert a price history to Parquet bytes and back; the provenance is in the file's metadata."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field

from lstm_stock.config.interval import DAILY, INTERVALS
from lstm_stock.prices.table import COLUMNS, PriceHistory, PriceProvenance, days_of, price_table
from lstm_stock.prices.values import PRICES, VALUE, VALUES, times_of, value_table
from lstm_stock.readback import Date, Saved, Text, Time, ZonedTime, parse, parse_json

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


_METADATA_KEY = b"lstm_stock"
_FORMAT = 2
_READABLE_FORMATS = (1, 2)


class SavedOrigin(Saved):
    """The keys of the metadata that every version has written; `PriceProvenance` knows which others there are."""

    model_config = ConfigDict(extra="ignore")

    source: Text
    fetched_at: ZonedTime
    requested_start: Date | None
    requested_end: Date | None
    currency: Text | None
    exchange: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,8}(/[0-9])?$")] | None
    hash: Text
    partial: Time | None = None
    asked_again: list[Time] = Field(default_factory=list)
    notes: list[Text] = Field(default_factory=list)
    column: Text | None = None
    interval: Text = DAILY.name

    @classmethod
    def check(cls, facts: dict[str, Any]) -> None:
        """Raise a ValueError for a value of another type or form."""
        parse(cls, facts)


def encode_history(history: PriceHistory) -> bytes:
    """Return prices, or values, as the bytes of a Parquet file.

    `date` is of type date32, of intraday bars and in a series of values a time stamp.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = history.table
    facts = {"format": _FORMAT, "ticker": history.ticker, **asdict(history.provenance)}
    facts["asked_again"] = facts.pop("confirmed_mismatches")
    if history.interval.is_daily:  # as files without an interval are
        del facts["interval"]
    if history.has_values:
        facts["kind"] = VALUES
        dates = pa.array(times_of(table), type=pa.timestamp("s"))
    else:
        del facts["column"]
        kind = pa.timestamp("s") if history.interval.is_intraday else pa.date32()
        dates = pa.array(days_of(table), type=kind)
    columns = {str(name): pa.array(table[name].to_numpy()) for name in table.columns}
    arrow = pa.table({"date": dates, **columns})
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata({_METADATA_KEY: json.dumps(facts)}), buffer)
    return buffer.getvalue()


def decode_history(raw: bytes) -> PriceHistory:
    """Read the bytes of a Parquet file without pandas, whose metadata and types change with its version.

    Raises:
        ValueError: They are no Parquet file, or not a file of `encode_history`.
        TypeError: Keys of the provenance are missing or unknown.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # One thread: a file is small, and `pq.read_table` opens it as a data set of files.
        arrow = pq.ParquetFile(pa.BufferReader(raw)).read(use_threads=False)
        return _from_arrow(arrow)
    except (pa.ArrowException, OSError) as error:  # OSError: a corrupt page
        raise ValueError(str(error)) from error


def _from_arrow(arrow: pa.Table) -> PriceHistory:
    raw = (arrow.schema.metadata or {}).get(_METADATA_KEY, b"null")
    facts: dict[str, Any] | None = parse_json(dict[str, Any], raw) if raw[:1] == b"{" else None
    kind = PRICES if facts is None else facts.pop("kind", PRICES)
    names = COLUMNS if kind == PRICES else (VALUE,)
    if sorted(arrow.column_names) != sorted(("date", *names)):
        raise ValueError(f"its columns are `{' '.join(arrow.column_names)}`")
    if facts is None or not isinstance(facts.get("ticker"), str):
        raise ValueError("it does not say where its prices come from")
    if kind not in (PRICES, VALUES):
        raise ValueError(f"it holds {kind!r}, which this version does not know")
    if facts.pop("format", None) not in _READABLE_FORMATS:
        raise ValueError("it was written by a newer version")
    ticker = facts.pop("ticker")
    SavedOrigin.check(facts)
    for name in ("asked_again", "notes"):  # format 1 has neither
        facts[name] = tuple(facts.get(name, []))
    if facts.get("interval", DAILY.name) not in INTERVALS:
        raise ValueError(f"its interval is {facts['interval']!r}")
    facts["confirmed_mismatches"] = facts.pop("asked_again")
    return PriceHistory(ticker, _to_table(arrow), PriceProvenance(**facts))


def _to_table(arrow: pa.Table) -> pd.DataFrame:
    import pyarrow as pa

    kind = arrow["date"].type
    if not pa.types.is_date(kind) and not (pa.types.is_timestamp(kind) and kind.tz is None):
        raise ValueError(f"its dates are of type {kind}")
    dates = arrow["date"].cast(pa.timestamp("s")).to_numpy()
    if VALUE in arrow.column_names:
        return value_table(dates, arrow[VALUE].cast(pa.float64()).to_numpy())
    columns: dict[str, Any] = {name: arrow[name].cast(pa.float64()).to_numpy() for name in COLUMNS}
    return price_table(dates, columns)
