"""Series of values from CSV files: which column is taken, which is asked for, and how dates and cells are read."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.times import read_times
from lstm_stock.prices.csv.values import only_value_column, read_values
from lstm_stock.prices.sources import CsvOptions, FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into


def write(folder, text, name="t.csv"):
    path = folder / name
    path.write_text(text)
    return path


def rows(header, n, cells=lambda i: f"{i - 5}.5"):
    return header + "\n" + "".join(f"2024-01-{i + 1:02},{cells(i)}\n" for i in range(n))


def test_one_column_of_numbers_beside_the_dates_is_taken_and_told(tmp_path):
    path = write(tmp_path, rows("date,temp", 20))
    found = fetch_into(Store(tmp_path), "TEMP", FetchOptions("csv", csv_path=path))
    assert found.history.has_values
    assert found.history.table["value"].tolist() == [i - 5 + (0.5 if i >= 5 else -0.5) for i in range(20)]
    assert "value: `temp`" in found.notes
    assert "a series of values, daily: not prices" in found.notes
    assert found.history.provenance.column == "temp"


def test_of_several_columns_one_must_be_named(tmp_path):
    path = write(tmp_path, rows("date,temp,humidity", 20, lambda i: f"{i - 5},{60 + i}"))
    with pytest.raises(
        DataError, match="2 columns that could be a series of values: `temp`, `humidity`"
    ) as error:
        fetch_into(Store(tmp_path), "TEMP", FetchOptions("csv", csv_path=path))
    assert error.value.hint == "say which: `--value temp`"
    found = fetch_into(
        Store(tmp_path), "TEMP", FetchOptions("csv", csv_path=path, csv=CsvOptions(value="Humidity"))
    )
    assert found.history.table["value"].iloc[0] == 60
    assert "ignored: `temp`" in found.notes


def test_a_column_of_text_makes_the_one_of_numbers_a_question(tmp_path):
    path = write(tmp_path, rows("date,station,temp", 20, lambda i: f"north,{i}"))
    with pytest.raises(DataError, match="a column that could be a series of values: `temp`"):
        only_value_column(path)


def test_a_column_named_as_a_price_is_not_taken_unasked(tmp_path):
    path = write(tmp_path, rows("date,Close", 20, lambda i: str(i + 1)))
    assert only_value_column(path) is None
    assert read_values(path, "close").column == "Close"
    assert only_value_column(write(tmp_path, rows("date,traffic_volume", 20))) == "traffic_volume"


def test_a_wrong_name_gets_the_nearest_one(tmp_path):
    path = write(tmp_path, rows("date,temp,humidity", 20, lambda i: f"{i},{i}"))
    with pytest.raises(DataError, match="no column of values `tmep`; did you mean `temp`") as error:
        read_values(path, "tmep")
    assert error.value.hint == "its columns are `temp`, `humidity`"


def test_rows_without_a_value_are_left_out_and_counted(tmp_path):
    path = write(tmp_path, rows("date,temp", 20, lambda i: "" if i in (3, 4) else str(i)))
    found = read_values(path, "temp")
    assert len(found.table) == 18
    assert "left out: 2 rows without a value, the first of 2024-01-04" in found.understood


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("date,t\n2024-01-01,1\n2024-01-02,warm\n2024-01-03,3\n", "line 3: `t` is no number"),
        ("date,t\n2024-01-01,1\n2024-01-02,inf\n2024-01-03,3\n", "line 3: `t` is infinite"),
        ("date,t\n2024-01-01,1\n2024-01-01,2\n2024-01-03,3\n", "line 3: its date is not later"),
        ("date,t\n2024-01-01,1\n2024-13-01,2\n2024-01-03,3\n", "line 3: has no date like the others"),
        ("date,t\n2024-01-01,1\n2024-01-02\n2024-01-03,3\n", "line 3 has fewer than 2 cells"),
        ("date,t\n2024-01-01,\n2024-01-02,\n", "`t` in .* holds no value"),
        ("date,t\n", "has a header but no values"),
        ("a,t\nx,1\ny,2\n", "has no column of dates"),
    ],
)
def test_files_that_are_refused(tmp_path, text, what):
    with pytest.raises(DataError, match=what):
        read_values(write(tmp_path, text), "t")


def test_semicolons_decimal_commas_and_the_newest_row_first(tmp_path):
    path = write(tmp_path, "Datum;Wert\n31.01.2024;1,5\n30.01.2024;-2,25\n29.01.2024;3\n")
    found = read_values(path, only_value_column(path))
    assert found.table["value"].tolist() == [3.0, -2.25, 1.5]
    assert "order: newest first, reversed" in found.understood


def test_times_of_day_months_quarters_and_years():
    clock = read_times(["01/31/2024 11:30 PM", "02/01/2024 12:15 AM"]).times
    assert clock.tolist() == np.array(["2024-01-31T23:30", "2024-02-01T00:15"], "M8[s]").tolist()
    same = read_times(["2024-01-01T05:00+02:00", "2024-01-01T06:00+02:00"]).times
    assert str(same[0]) == "2024-01-01T05:00:00"
    # Clocks go back: the same local hour twice, one hour apart.
    back = read_times(["2024-10-27T02:30+02:00", "2024-10-27T02:30+01:00"])
    assert np.diff(back.times).tolist() == [np.timedelta64(3600, "s").item()]
    assert "UTC" in back.style
    assert str(read_times(["1958M03", "1958M11"]).times[1]) == "1958-11-01T00:00:00"
    assert str(read_times(["1958Q1", "1958-Q3"]).times[1]) == "1958-07-01T00:00:00"
    assert str(read_times(["1700.0", "1701.0"]).times[0]) == "1700-01-01T00:00:00"


def test_a_ticker_does_not_change_its_kind_unasked(tmp_path):
    store = Store(tmp_path)
    fetch_into(store, "AAPL", FetchOptions("sample"))
    path = write(tmp_path, rows("date,temp", 20))
    with pytest.raises(DataError, match="the source sample, not csv"):
        fetch_into(store, "AAPL", FetchOptions("csv", csv_path=path))
    ohlc = write(
        tmp_path, rows("date,open,high,low,close,volume", 20, lambda i: f"{i + 1}," * 4 + "5"), "p.csv"
    )
    fetch_into(store, "X", FetchOptions("csv", csv_path=ohlc))
    with pytest.raises(DataError, match="the store has X as prices, and the file has a series of values"):
        fetch_into(store, "X", FetchOptions("csv", csv_path=path))
    assert fetch_into(store, "X", FetchOptions("csv", csv_path=path, refresh=True)).history.has_values
    shorter = write(tmp_path, rows("date,temp", 15), "s.csv")
    with pytest.raises(DataError, match="the store has 5 values of X that this fetch lacks"):
        fetch_into(store, "X", FetchOptions("csv", csv_path=shorter))


def test_the_commands_of_the_store_serve_a_series_and_the_others_refuse_it(cli, tmp_path):
    hourly = "when,reading\n" + "".join(
        f"2024-01-0{i // 24 + 1} {i % 24:02}:00,{i % 7 - 3}\n" for i in range(72)
    )
    path, store = write(tmp_path, hourly), ("--data-dir", str(tmp_path / "data"))
    fetched = cli("fetch", "SENSOR", "--from-csv", path, *store)
    assert fetched.code == 0
    assert "SENSOR: 72 values, 2024-01-01 to 2024-01-03 23:00" in fetched.err
    shown = cli("data", "show", "SENSOR", "--tail", "1", *store)
    assert "a series of values, hourly, column `reading` of the file" in shown.err
    assert "2024-01-03 23:00" in shown.out
    exported = tmp_path / "out.csv"
    assert cli("data", "export", "SENSOR", exported, *store).code == 0
    again = cli("fetch", "AGAIN", "--from-csv", exported, *store)
    assert "AGAIN: 72 values" in again.err
    assert "SENSOR (hourly): good" in cli("data", "check", "SENSOR", *store).out
    refused = cli("predict", "SENSOR", *store)
    assert refused.code == 2
    assert "SENSOR" in refused.err and "lstm-stock train" in refused.err
    assert cli("fetch", "X", "--value", "t", *store).code == 2
