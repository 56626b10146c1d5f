"""Series of values in the store: what a value table is, and that prices and values are not mixed up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_stock.config.interval import INTERVALS
from lstm_stock.errors import DataError, UnusableTickerError
from lstm_stock.prices.quality import quality_warnings
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import (
    PriceHistory,
    PriceProvenance,
    adjusted,
    between,
    days_of,
    table_hash,
    validate,
)
from lstm_stock.prices.values import positions, times_of, value_table


def hours(n: int, start: str = "2024-01-01") -> np.ndarray:
    return np.datetime64(start, "s") + 3600 * np.arange(n)


def history(table: pd.DataFrame, ticker: str = "TEMP") -> PriceHistory:
    origin = PriceProvenance(
        "csv", "2024-02-02T03:04:05+00:00", None, None, None, None, table_hash(table), column="temp"
    )
    return PriceHistory(ticker, table, origin)


def test_a_series_of_values_is_read_as_it_was_written(tmp_path):
    store = Store(tmp_path)
    written = history(value_table(hours(30), np.arange(30.0) - 15))
    store.write(written)
    read = store.read("TEMP")
    pd.testing.assert_frame_equal(read.table, written.table, check_freq=False)
    assert (read.provenance, read.has_values) == (written.provenance, True)
    assert times_of(read.table)[5] == np.datetime64("2024-01-01T05:00")


def test_the_hash_tells_values_dates_and_times_apart():
    table = value_table(hours(9), np.arange(9.0))
    others = [
        value_table(hours(9), np.where(np.arange(9) == 4, 4 + 1e-12, np.arange(9.0))),
        value_table(hours(9) + 1, np.arange(9.0)),
        value_table(hours(8), np.arange(8.0)),
    ]
    hashes = {table_hash(one) for one in (table, *others)}
    assert len(hashes) == 4
    assert table_hash(value_table(hours(9), -0.0 * np.arange(9.0))) == table_hash(
        value_table(hours(9), np.zeros(9))
    )


@pytest.mark.parametrize(
    ("dates", "values", "what"),
    [
        (hours(3), [1.0, np.nan, 2.0], r"row 2 \(2024-01-01T01:00:00\): `value` is nan, must be finite"),
        (hours(3), [1.0, 2.0, -np.inf], "`value` is -inf, must be finite"),
        (hours(3)[[0, 2, 1]], [1.0, 2.0, 3.0], "row 3 .*later than the one before"),
        (hours(3)[[0, 0, 1]], [1.0, 2.0, 3.0], "row 2 .*later than the one before"),
        (hours(0), [], "there are no rows"),
    ],
)
def test_tables_that_are_refused(dates, values, what):
    with pytest.raises(DataError, match=f"(?s)the values of TEMP are not usable:.*{what}"):
        validate(value_table(dates, values), "TEMP")


def test_a_date_names_the_whole_day_of_an_hourly_series():
    table = value_table(hours(72), np.zeros(72))
    day = pd.Timestamp("2024-01-02").date()
    assert len(between(table, day, day)) == 24
    assert days_of(table).dtype == "datetime64[s]"
    assert days_of(value_table(hours(72)[::24], np.zeros(3))).dtype == "datetime64[D]"


def test_prices_are_demanded_where_they_are_needed():
    found = history(value_table(hours(3), np.zeros(3)))
    with pytest.raises(
        UnusableTickerError, match="TEMP is a series of values, and the network forecasts prices"
    ):
        found.require_prices()
    assert list(adjusted(found.table).columns) == ["close"]


@given(st.sets(st.integers(0, 400), min_size=2), st.sampled_from(["1h", "1d", "1wk", "1mo", "1q", "1y"]))
def test_positions_count_the_intervals_between_dates(rows, name):
    interval = INTERVALS[name]
    kept = sorted(rows)
    if interval.months:
        dates = (np.datetime64("1900-01", "M") + interval.months * np.arange(401)).astype("datetime64[D]")
    else:
        dates = np.datetime64("1990-01-01", "s") + interval.seconds * np.arange(401)
    assert positions(dates.astype("datetime64[s]")[kept], interval).tolist() == [
        row - kept[0] for row in kept
    ]


def test_missing_dates_are_counted_and_the_longest_gap_named():
    kept = np.delete(np.arange(200), [20, 50, 51, 52, 80])
    table = value_table(hours(200)[kept], np.sin(kept))
    (note,) = quality_warnings(table)
    assert "missing: 5 dates without a value in this hourly series" in note
    assert "from 2024-01-03 to 2024-01-03" in note
    assert quality_warnings(value_table(hours(200), np.zeros(200))) == []


def test_a_file_of_values_says_so_and_a_file_of_an_unknown_kind_is_refused(tmp_path):
    import json

    import pyarrow.parquet as pq

    store = Store(tmp_path)
    store.write(history(value_table(hours(30), np.arange(30.0))))
    path = store.path("TEMP")
    arrow = pq.read_table(path)
    facts = json.loads(arrow.schema.metadata[b"lstm_stock"])
    assert facts["kind"] == "values"
    changed = arrow.replace_schema_metadata({b"lstm_stock": json.dumps(facts | {"kind": "images"})})
    pq.write_table(changed, path)
    with pytest.raises(DataError, match="images"):
        store.read("TEMP")


def test_a_damaged_value_is_found(tmp_path):
    store = Store(tmp_path)
    good = history(value_table(hours(30), np.arange(30.0)))
    with pytest.raises(ValueError, match="hash"):
        store.write(replace(good, provenance=replace(good.provenance, hash="0")))
