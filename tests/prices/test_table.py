from __future__ import annotations

import hashlib
import struct

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_stock.errors import DataError
from lstm_stock.prices.table import COLUMNS, PRICES, adjusted, price_table, table_hash, validate
from tests.helpers import random_prices

CELLS = st.tuples(st.integers(0, 29), st.sampled_from(COLUMNS))


def message_of(table: pd.DataFrame) -> str:
    with pytest.raises(DataError) as caught:
        validate(table, "AAA")
    assert caught.value.message.startswith("the prices of AAA are not usable:\n")
    assert caught.value.hint
    return caught.value.message


def changed(row: int, column: str, value: float, n_bars: int = 30) -> pd.DataFrame:
    table = random_prices(n_bars)
    table.iloc[row, list(COLUMNS).index(column)] = value
    return table


def test_a_good_table_passes_and_so_do_gaps_big_moves_and_a_close_outside_of_low_and_high():
    table = random_prices(30)
    validate(table, "AAA")
    validate(table.drop(table.index[[3, 4, 5, 6]]), "AAA")
    table.iloc[10, [0, 1, 2, 3]] /= 50
    validate(table, "AAA")
    validate(changed(5, "close", 1e6), "AAA")


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("value", "said"), [(np.nan, "is missing (NaN)"), (np.inf, "is infinite")])
def test_missing_and_infinite_cells_are_named(column, value, said):
    assert f"row 4 (2015-01-06): `{column}` {said}" in message_of(changed(3, column, value))


@pytest.mark.parametrize("column", [name for name in PRICES if name != "open"])
@pytest.mark.parametrize("value", [0.0, -0.0, -3.5])
def test_prices_must_be_above_zero(column, value):
    assert f"row 1 (2015-01-01): `{column}` is {value:g}, must be above 0" in message_of(
        changed(0, column, value)
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [("close", 1e-300), ("adj_close", 1e-300), ("high", 1e200), ("low", 1e-13), ("open", 1e300)],
)
def test_a_price_that_no_price_is_is_refused(column, value):
    said = f"row 4 (2015-01-06): `{column}` is {value:g}, expected a price from 1e-12 to 1e+15"
    assert said in message_of(changed(3, column, value))
    assert "`volume` is 1e+30, too large" in message_of(changed(3, "volume", 1e30))


def test_an_open_may_be_zero_but_not_negative():
    validate(changed(0, "open", 0.0), "AAPL")
    assert "`open` is -3.5, must not be negative" in message_of(changed(0, "open", -3.5))


def test_volume_dividends_and_splits_may_be_zero_but_not_negative():
    table = random_prices(30)
    table[["volume", "dividends", "splits"]] = 0.0
    validate(table, "AAA")
    for column in ("volume", "dividends", "splits"):
        assert f"`{column}` is -1, must not be negative" in message_of(changed(2, column, -1.0))


def test_every_fault_is_reported_once_with_its_first_row_and_how_many_more():
    table = random_prices(30)
    table.iloc[[4, 7, 9], 3] = np.nan
    table.iloc[6, 0] = -1.0
    table.iloc[8, [1, 2]] = [1.0, 2.0]
    lines = message_of(table).splitlines()[1:]
    assert lines == [
        "  row 7 (2015-01-09): `open` is -1, must not be negative",
        "  row 5 (2015-01-07): `close` is missing (NaN) (and 2 more)",
        "  row 9 (2015-01-13): `high` 1 is below `low` 2",
    ]


def test_dates_must_be_unique_increasing_days():
    table = random_prices(5)
    dates = table.index.to_numpy().copy()

    def with_dates(*days: str) -> pd.DataFrame:
        return price_table(np.array(days, dtype="datetime64[s]"), {name: table[name] for name in COLUMNS})

    twice = with_dates("2020-01-01", "2020-01-02", "2020-01-02", "2020-01-03", "2020-01-04")
    assert message_of(twice).splitlines()[1:] == ["  row 3 (2020-01-02): the date occurs more than once"]
    unordered = with_dates("2020-01-01", "2020-01-05", "2020-01-02", "2020-01-03", "2020-01-06")
    assert message_of(unordered).splitlines()[1:] == [
        "  row 3 (2020-01-02): the date comes after 2020-01-05, dates must increase"
    ]
    timed = with_dates("2020-01-01", "2020-01-02T16:00:00", "2020-01-03", "2020-01-04", "2020-01-05")
    assert "row 2 (2020-01-02): 2020-01-02T16:00:00 has a time of day, must be a date" in message_of(timed)
    dates[2] = np.datetime64("NaT")
    assert "row 3: has no date" in message_of(price_table(dates, {name: table[name] for name in COLUMNS}))


def test_what_is_no_price_table_is_reported():
    table = random_prices(5)
    assert "columns are `open high low`, must be `open high low close adj_close" in message_of(
        table[["open", "high", "low"]]
    )
    assert "columns are `volume open" in message_of(
        table[["volume", "open", "high", "low", "close", "adj_close", "dividends", "splits"]]
    )
    assert "`volume` is of type int64, must be float64" in message_of(table.astype({"volume": "int64"}))
    assert "index has the time zone UTC" in message_of(table.tz_localize("UTC"))
    assert "index is of type int64, must be dates" in message_of(
        table.reset_index(drop=True).rename_axis("date")
    )
    assert "index is of type datetime64[ns]" in message_of(table.set_axis(table.index.as_unit("ns")))
    assert "index is named `Date`" in message_of(table.rename_axis("Date"))
    assert "there are no rows" in message_of(table.iloc[:0])


def test_adjusted_prices_are_worked_out_by_hand():
    table = price_table(
        ["2020-01-01", "2020-01-02"],
        {
            "open": [10.0, 20.0],
            "high": [12.0, 24.0],
            "low": [8.0, 18.0],
            "close": [10.0, 20.0],
            "adj_close": [5.0, 20.0],
            "volume": [7.0, 9.0],
            "dividends": [0.0, 1.0],
            "splits": [0.0, 0.0],
        },
    )
    result = adjusted(table)
    assert list(result) == ["open", "high", "low", "close", "volume"]
    assert result.to_numpy().tolist() == [[5, 6, 4, 5, 7], [20, 24, 18, 20, 9]]


@given(cut=st.integers(1, 29), seed=st.integers(0, 50))
def test_adjusting_reads_no_other_bar_and_keeps_high_above_low(cut, seed):
    table = random_prices(30, seed)
    table["adj_close"] = table["close"] * np.linspace(0.7, 1, 30)
    whole = adjusted(table)
    pd.testing.assert_frame_equal(adjusted(table.iloc[:cut]), whole.iloc[:cut])
    assert (whole["high"] >= whole[["open", "close", "low"]].max(axis=1)).all()
    assert whole["close"].iloc[-1] == table["close"].iloc[-1]


@given(cell=CELLS, factor=st.sampled_from([1 + 1e-15, -1.0, 2.0]))
def test_the_hash_changes_with_any_cell(cell, factor):
    table = random_prices(30)
    before = table_hash(table)
    row, column = cell
    old = table.iloc[row][column]
    table.iloc[row, list(COLUMNS).index(column)] = old * factor if old else 1e-300
    assert table_hash(table) != before


def test_the_hash_is_of_dates_and_values_and_of_nothing_else():
    table = random_prices(4)
    before = table_hash(table)
    assert table_hash(table.set_axis(table.index.as_unit("ns"))) == before
    assert table_hash(table.copy().rename_axis("x")) == before
    assert table_hash(table.set_axis(table.index + pd.Timedelta(days=1))) != before
    assert table_hash(table.iloc[:-1]) != before
    zero, negative_zero = random_prices(4), random_prices(4)
    negative_zero["dividends"] = -0.0
    assert table_hash(zero) == table_hash(negative_zero)

    # By another route: days since 1970 and doubles, little-endian.
    days = [(date - pd.Timestamp(0)).days for date in table.index]
    content = struct.pack("<4q", *days)
    for column in COLUMNS:
        content += column.encode() + b"\0" + struct.pack("<4d", *table[column])
    assert before == hashlib.sha256(content).hexdigest()
