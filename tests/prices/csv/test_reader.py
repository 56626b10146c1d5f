from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.dates import read_dates
from lstm_stock.prices.csv.numbers import find_decimal_mark, read_numbers
from lstm_stock.prices.csv.reader import CsvPrices, read_csv
from lstm_stock.prices.sources import CsvOptions
from lstm_stock.prices.table import adjusted, validate
from tests.helpers import random_prices

DATA = Path(__file__).parents[4] / "shared" / "data"
PLAIN = "Date,Open,High,Low,Close,Adj Close,Volume\n"
GOOD_ROWS = "2020-01-02,1.5,3,1,2,1.9,50\n2020-01-03,2.5,4,2,3,2.9,60\n"
OPEN, CLOSE, VOLUME = [1.5, 2.5], [2.0, 3.0], [50.0, 60.0]


def options(day_first: bool | None) -> CsvOptions:
    return CsvOptions(None if day_first is None else "day" if day_first else "month")


@pytest.fixture
def read(tmp_path):
    def parse(text: str | bytes, day_first: bool | None = None, ticker: str | None = None) -> CsvPrices:
        path = tmp_path / "x.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_csv(path, options(day_first), ticker)

    return parse


@pytest.fixture
def refuse(read, tmp_path):
    def parse(text: str | bytes, day_first: bool | None = None, ticker: str | None = None) -> DataError:
        with pytest.raises(DataError) as caught:
            read(text, day_first, ticker)
        assert caught.value.hint
        return caught.value

    return parse


def test_yahoos_site_export(read):
    prices = read(PLAIN + GOOD_ROWS)
    table = prices.table
    validate(table, "x")
    assert [f"{date:%F}" for date in table.index] == ["2020-01-02", "2020-01-03"]
    assert table.iloc[0].tolist() == [1.5, 3, 1, 2, 1.9, 50, 0, 0]
    assert prices.understood == (
        "date: `Date`, year first (2020-01-31)",
        "columns: open `Open`, high `High`, low `Low`, close `Close`, adj_close `Adj Close`, volume `Volume`",
    )


TWO_TICKERS = (
    ",Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n,LOW,AAPL,LOW,AAPL,LOW,AAPL,LOW,AAPL,LOW,AAPL\n"
    "Date,,,,,,,,,,\n2020-01-02,9,2,9,3,9,1,9,1.5,9,50\n2020-01-03,9,3,9,4,9,2,9,2.5,9,60\n"
)
BELOW_EACH_OTHER = (
    "date,open,high,low,close,volume,Name\n2020-01-02,1.5,3,1,2,50,BRK.B\n2020-01-03,2.5,4,2,3,60,BRK.B\n"
    "2020-01-02,9,9,9,9,9,LOW\n2020-01-03,9,9,9,9,9,LOW\n"
)


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        # yfinance with three, two and one header rows
        (
            "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n"
            "2020-01-02,2,3,1,1.5,50\n2020-01-03,3,4,2,2.5,60\n",
            "ticker: AAPL in the file",
        ),
        (
            "Ticker,LOW,LOW,LOW,LOW,LOW\nPrice,Open,High,Low,Close,Volume\nDate,,,,,\n"
            "2020-01-02,1.5,3,1,2,50\n2020-01-03,2.5,4,2,3,60\n",
            "ticker: LOW in the file, stored as AAPL",
        ),
        (
            "Date,Close,High,Low,Open,Volume\n,AAPL,AAPL,AAPL,AAPL,AAPL\n"
            "2020-01-02,2,3,1,1.5,50\n2020-01-03,3,4,2,2.5,60\n",
            "columns: open `Open AAPL`, high `High AAPL`",
        ),
        (
            "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n2020-01-02 00:00:00-05:00,1.5,3,1,2,50,0,0\n"
            "2020-01-03 00:00:00-05:00,2.5,4,2,3,60,0,0\n",
            "times of day and zones dropped, the date taken as written",
        ),
        (TWO_TICKERS, "ignored: `Close LOW`, `High LOW`"),
        (BELOW_EACH_OTHER.replace("BRK.B", "aapl"), "ticker: 2 rows of aapl; the file holds 2 tickers"),
        # prefixed and suffixed names, also of a ticker that is called like a column
        (
            "Date,AAPL.Open,AAPL.High,AAPL.Low,AAPL.Close,AAPL.Volume,dn\n2020-01-02,1.5,3,1,2,50,7\n"
            "2020-01-03,2.5,4,2,3,60,7\n",
            "ignored: `dn`",
        ),
        (
            "LOW.Open,LOW.High,LOW.Low,LOW.Close,LOW.Volume,Date\n1.5,3,1,2,50,2020-01-02\n2.5,4,2,3,60,2020-01-03\n",
            "close `LOW.Close`",
        ),
        (
            "Date,Open_AAPL,High_AAPL,Low_AAPL,Close_AAPL,Volume_AAPL\n2020-01-02,1.5,3,1,2,50\n"
            "2020-01-03,2.5,4,2,3,60\n",
            "close `Close_AAPL`",
        ),
        (
            "\"('Date', '')\",\"('Open', 'AAPL')\",\"('High', 'AAPL')\",\"('Low', 'AAPL')\",\"('Close', 'AAPL')\","
            "\"('Volume', 'AAPL')\"\n2020-01-02,1.5,3,1,2,50\n2020-01-03,2.5,4,2,3,60\n",
            "ticker: AAPL in the file",
        ),
        # helpers with a prefix do not win over the bare names
        (
            "Date,Open,High,Low,Close,Volume,Adj. Open,Adj. High,Adj. Low,Adj. Volume\n"
            "2020-01-02,1.5,3,1,2,50,8,8,8,8\n2020-01-03,2.5,4,2,3,60,8,8,8,8\n",
            "ignored: `Adj. Open`, `Adj. High`, `Adj. Low`, `Adj. Volume`",
        ),
        # nasdaq.com: newest first, month first, currency signs
        (
            "Date,Close/Last,Volume,Open,High,Low\n01/03/2020,$3.00,60,$2.5,$4.00,$2\n"
            "01/02/2020,$2.00,50,$1.5,$3.00,$1\n12/31/2019,$2.00,40,$1.5,$3.00,$1\n",
            "order: newest first, reversed",
        ),
        # investing.com in German: decimal comma within commas, volume in thousands
        (
            '"Date","Price","Open","High","Low","Vol.","Change %"\n"31.01.2020","3,00","2,50","4,00","2,00",'
            '"0,06K","0,90%"\n"30.01.2020","2,00","1,50","3,00","1,00","0,05K","1,00%"\n',
            "cells: separated by a comma, decimals after a `,`",
        ),
        # semicolons, decimal comma, Excel's mark, Windows-1252, CRLF, blank and empty rows
        (
            "sep=;\r\nDate;Open;High;Low;Close;Volume;Währung\r\n\r\n2020-01-02;1,5;3;1;2;50;€\r\n"
            "2020-01-03;2,5;4;2;3;60;€\r\n;;;;;;\r\n".encode("cp1252"),
            "skipped: 1 row of empty cells",
        ),
        (
            "Date\tOpen\tHigh\tLow\tClose\tVolume\n2020-01-02\t1.5\t3\t1\t2\t50\n2020-01-03\t2.5\t4\t2\t3\t60\n"
            "".encode("utf-16"),
            "encoding: utf-16",
        ),
        # an unnamed index before the date, and an unnamed date
        (
            ",Date,open,HIGH,lOw,Close,volume\n0,2020-01-02,1.5,3,1,2,50\n1,2020-01-03,2.5,4,2,3,60\n",
            "date: `Date`",
        ),
        (
            "\ufeff,Open,High,Low,Close,Volume\n2020-01-02,1.5,3,1,2,50\n2020-01-03,2.5,4,2,3,60\n",
            "date: `column 1`",
        ),
        # other spellings of dates
        (
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nAAPL,D,20200102,000000,1.5,3,1,2,50\n"
            "AAPL,D,20200103,000000,2.5,4,2,3,60\n",
            "digits alone (20200131)",
        ),
        (
            'Date,Open,High,Low,Close,Volume\n"Jan 02, 2020",1.5,3,1,2,50\n"Jan 03, 2020",2.5,4,2,3,60\n',
            "month by name (Jan 31, 2020)",
        ),
        (
            "Date,Open,High,Low,Close,Volume\n2-Jan-20,1.5,3,1,2,50\n3-Jan-20,2.5,4,2,3,60\n",
            "month by name (31 Jan 2020)",
        ),
        (
            "timestamp, open, high, low, close, volume\n2020/01/02 16:00, 1.5, 3, 1, 2, 50\n"
            "2020/01/03 16:00, 2.5, 4, 2, 3, 60,\n",
            "date: `timestamp`, year first",
        ),
    ],
)
def test_every_layout_gives_the_same_prices(read, text, understood):
    prices = read(text, ticker="AAPL")
    validate(prices.table, "x")
    table = prices.table.iloc[-2:]
    assert table["open"].tolist() == OPEN
    assert table["high"].tolist() == [3, 4]
    assert table["low"].tolist() == [1, 2]
    assert table["close"].tolist() == table["adj_close"].tolist() == CLOSE
    assert table["volume"].tolist() == VOLUME
    assert any(understood in line for line in prices.understood), prices.understood
    assert any("adj_close: none in the file, the close is used" in line for line in prices.understood)


def test_rows_decide_between_day_and_month_and_an_option_where_they_do_not(read, refuse):
    header = "Date,Open,High,Low,Close,Volume\n"
    cells = ",1.5,3,1,2,50\n"

    def dates(prices: CsvPrices) -> list[str]:
        return [f"{date:%F}" for date in prices.table.index]

    assert dates(read(f"{header}02/01/2020{cells}13/01/2020{cells}")) == ["2020-01-02", "2020-01-13"]
    assert dates(read(f"{header}01/02/2020{cells}01/13/2020{cells}")) == ["2020-01-02", "2020-01-13"]
    assert dates(read(f"{header}01.01.2020{cells}02.02.2020{cells}")) == ["2020-01-01", "2020-02-02"]

    open_text = f"{header}02/01/2020{cells}03/01/2020{cells}"
    error = refuse(open_text)
    assert (
        "such as `02/01/2020` in line 2, may be day first (31/01/2020) or month first (01/31/2020)"
        in error.message
    )
    assert error.hint == "say which: `--day-first`, `--month-first` or `--year-first`"
    assert dates(read(open_text, day_first=True)) == ["2020-01-02", "2020-01-03"]
    assert dates(read(open_text, day_first=False)) == ["2020-02-01", "2020-03-01"]

    # What was said goes before what would fit.
    wrong = refuse(f"{header}02/01/2020{cells}13/01/2020{cells}", day_first=False)
    assert "line 3: `Date` is `13/01/2020`, not a date like the others" in wrong.message


def test_two_digit_years_may_come_first(read, refuse):
    header = "Date,Open,High,Low,Close,Volume\n"
    assert f"{read(header + '01/31/20,1,3,1,2,5').table.index[0]:%F}" == "2020-01-31"
    assert f"{read(header + '01/31/87,1,3,1,2,5').table.index[0]:%F}" == "1987-01-31"
    assert "day first (31/01/2020) or year first (20/01/31)" in refuse(header + "20/01/13,1,3,1,2,5").message


RAW_HEADER = "timestamp,open,high,low,close,adjusted_close,volume,split_coefficient\n"
RAW_ROWS = (
    "2020-08-27,396,400,392,400,99,10,1.0\n"
    "2020-08-28,400,404,396,396,98.5,20,1.0\n"
    "2020-08-31,100,104,96,102,102,80,4.0\n"
    "2020-09-01,104,108,100,106,106,40,1.0\n"
)


def test_a_split_that_only_the_adjusted_close_has_scales_prices_and_volume(read):
    prices = read(RAW_HEADER + RAW_ROWS)
    table = prices.table
    assert table["close"].tolist() == [100, 99, 102, 106]
    assert (table["open"].tolist(), table["low"].tolist()) == ([99, 100, 100, 104], [98, 99, 96, 100])
    assert table["volume"].tolist() == [40, 80, 80, 40]
    assert table["adj_close"].tolist() == [99, 98.5, 102, 106]
    assert table["splits"].tolist() == [0, 0, 4, 0]
    assert adjusted(table)["volume"].tolist() == [40, 80, 80, 40]
    assert prices.understood[-1] == (
        "splits: earlier prices are divided and volumes multiplied by those of 2020-08-31 (4)"
    )


def test_a_split_that_the_prices_have_is_not_applied_again(read):
    applied = RAW_ROWS.replace("396,400,392,400", "99,100,98,100").replace("400,404,396,396", "100,101,99,99")
    prices = read(RAW_HEADER + applied)
    assert prices.table["close"].tolist() == [100, 99, 102, 106]
    assert prices.table["volume"].tolist() == [10, 20, 80, 40]
    assert not any(line.startswith("splits:") for line in prices.understood)


def test_several_tickers_are_asked_about(refuse, read):
    error = refuse(TWO_TICKERS)
    assert "holds 2 tickers, LOW, AAPL, and none is chosen" in error.message
    assert "holds 2 tickers, LOW, AAPL, but not MSFT" in refuse(TWO_TICKERS, ticker="MSFT").message
    assert "holds 2 tickers, BRK.B, LOW, but not MSFT" in refuse(BELOW_EACH_OTHER, ticker="MSFT").message
    assert "lstm-stock fetch LOW --from-csv" in error.hint
    assert read(TWO_TICKERS, ticker="LOW").table["close"].tolist() == [9, 9]
    assert read(BELOW_EACH_OTHER, ticker="BRK-B").table["close"].tolist() == CLOSE


def test_all_faults_of_a_file_are_reported_at_once_each_with_its_first_line(refuse):
    error = refuse(
        "Date,Open,High,Low,Close,Volume\n"
        "2020-01-01,1,2,1,abc,5\n"
        "2020-01-02,1,2,1,,5\n"
        "2020-01-02,0,1,2,-3,inf\n"
        "2020-01-05,1,2,1,2,3,4\n"
        "2020-01-04,1,2,1,xyz,5\n"
        "2020-01-03,1,2,1,2,-5\n"
        "\n"
        "soon,1,2,1,2,5\n"
        "2020-01-06,1,2,1,null\n"
    )
    assert error.message.splitlines()[0].endswith("x.csv are not usable:")
    assert error.message.splitlines()[1:] == [
        "  line 2 (2020-01-01): `Close` is `abc`, not a number (and 1 more)",
        "  line 3 (2020-01-02): `Close` is missing (NaN)",
        "  line 4 (2020-01-02): `Close` is -3, must be above 0",
        "  line 4 (2020-01-02): `Volume` is infinite",
        "  line 4 (2020-01-02): `high` 1 is below `low` 2",
        "  line 4 (2020-01-02): the date occurs more than once",
        "  line 5: has 7 cells, the header has 6 (and 1 more)",
        "  line 7 (2020-01-03): `Volume` is -5, must not be negative",
        "  line 7 (2020-01-03): the date comes after 2020-01-04, dates must increase",
        "  line 9: `Date` is `soon`, not a date like the others",
    ]


def test_a_fault_of_the_close_is_not_told_again_of_the_adj_close_that_it_stands_for(refuse):
    message = refuse("Date,Open,High,Low,Close,Volume\n2020-01-01,1,2,1,0,5\n").message
    assert message.splitlines()[1:] == ["  line 2 (2020-01-01): `Close` is 0, must be above 0"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "x.csv is empty"),
        (" \n\n", "x.csv is empty"),
        (",,,\n,,", "holds nothing but separators"),
        (PLAIN, "has a header but no prices below it"),
        (GOOD_ROWS, "has no header: line 1 is data already (`2020-01-02`, ...)"),
        ("Date,Close,Volume\n2020-01-02,1,3\n", "has no column for `open`, `high`, `low`; it has"),
        ("When,Open,High,Low,Close,Volume\nsoon,1,3,1,2,5\n", "has no column for `date`; it has `When`"),
        ("AAPL.Open,AAPL.Close,Date\n1,2,2020-01-02\n", "has no column for `high`, `low`; it has"),
        ("a,b\nc,d\n", "has no column for `date`, `open`, `high`, `low`, `close`; it has `a`, `b`"),
        (
            "Date,Open,High,Low,Close,close,Volume\n2020-01-02,1,3,1,2,2,5\n",
            "has two columns for `close`: `Close` (col",
        ),
        (
            "Date,Open,High,Low,Close,Volume\n,1,3,1,2,5\n2020-01-03,1,3,1,2,5\n",
            "line 2: `Date` is empty, not a date like",
        ),
        ("Date,Open,High,Low,Close,Volume\n3020-01-03,1,3,1,2,5\n", "`Date` is `3020-01-03`, not a date"),
        ("Date,Open,High,Low,Close,Volume\n2020-02-30,1,3,1,2,5\n", "`Date` is `2020-02-30`, not a date"),
        (
            'Date,Open,High,Low,Close,Volume\n2020-01-02,"1,234","1,236","1,233","1,235","5,000"\n',
            "numbers such as `1,234` alone, which may be 1234 or 1.234",
        ),
        (
            PLAIN + '2020-01-02,1,3,1,2,2,"5\n' + GOOD_ROWS,
            "is not a CSV file: line 2: unexpected end of data",
        ),
        (
            PLAIN + "2020-01-02,1,3,1,2,2," + "5" * 200_000,
            "is not a CSV file: line 2: field larger than field limit",
        ),
        ("<!DOCTYPE html><html></html>", "is a web page, not a CSV file"),
        ("\n<html>", "is a web page, not a CSV file"),
        ('{"chart": {}}', "is JSON, not a CSV file"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is a PNG image, not a CSV file"),
        (b"\xd0\xcf\x11\xe0\xa1", "is an old Excel workbook, not a CSV file"),
        (b"%PDF-1.4", "is a PDF document, not a CSV file"),
        ((PLAIN + "2020-01-02,1,3,\0,2").encode(), "is not a CSV file: line 2 holds a NUL byte"),
        (PLAIN.encode() + b"\x81\x8d", "is not a text file: it is neither UTF-8 nor UTF-16 nor Windows-1252"),
        (b"\xff\xfe\x00", "is not a text file"),
        (PLAIN.encode("utf-16-le"), "is not a CSV file: line 1 holds a NUL byte"),
    ],
)
def test_what_is_no_file_of_prices_is_reported(refuse, content, message):
    assert message in refuse(content).message


def test_what_cannot_be_opened_is_reported(tmp_path, monkeypatch):
    for path, message in (
        (tmp_path, "is a folder, not a CSV file"),
        (tmp_path / "none.csv", "there is no file"),
        (Path("a\0b"), "is no path"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
    ):
        with pytest.raises(DataError, match=message):
            read_csv(path)

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.csv").write_text(PLAIN)
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read_csv(tmp_path / "x.csv")


def test_a_file_without_end_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_stock.prices.csv.text._MAX_BYTES", 1000)
    path = tmp_path / "x.csv"
    path.write_text(PLAIN + GOOD_ROWS * 100)
    with pytest.raises(DataError, match="is larger than 0 MiB"):
        read_csv(path)


@pytest.mark.parametrize(
    ("cells", "mark", "values"),
    [
        (["$1,189.98", "-3", "+.5", "5.", "1e3", "12,34,567"], ".", [1189.98, -3, 0.5, 5, 1000, 1234567]),
        (["1.189,98", "1 189,98", "1'189,98", "3€"], ",", [1189.98, 1189.98, 1189.98, 3]),
        (["48.09M", "1.5K", "2B", "3t"], ".", [48_090_000, 1500, 2e9, 3e12]),
        (["null", "N/A", "-", ""], ".", [np.nan] * 4),
        (["inf", "-Infinity", "∞", "1e999"], ".", [np.inf, -np.inf, np.inf, np.inf]),
    ],
)
def test_numbers_are_read_in_all_common_notations(cells, mark, values):
    numbers = read_numbers(cells, mark)
    assert not numbers.is_text.any()
    np.testing.assert_array_equal(numbers.values, values)


def test_what_is_no_number_is_text():
    cells = ["abc", "1_000", "1,23", "1.2.3", "0x10", "--1", "M", "1e5M", "٣", "1 2"]
    assert read_numbers(cells, ".").is_text.all()


@pytest.mark.parametrize(
    ("prices", "others", "mark"),
    [
        (["1.5"], [], "."),
        (["1,5"], [], ","),
        (["1,234.5"], [], "."),
        (["1.234,5"], [], ","),
        (["0,123"], [], ","),
        (["12"], ["63,152,400"], "."),
        (["12"], ["63.152.400"], ","),
        (["12"], ["63,152"], "."),
        (["1.234"], [], None),
        (["9.875"], ["1.5"], "."),
        (["9.875"], ["1.234.567"], ","),
        (["1,234"], [], None),
        (["1,234", "1,23"], [], ","),
        ([], [], "."),
    ],
)
def test_the_decimal_mark_is_found_or_open(prices, others, mark):
    assert find_decimal_mark(prices, others) == mark


WRITE_DATE = {
    "%Y-%m-%d": None,
    "%Y/%m/%d": None,
    "%Y%m%d": None,
    "%d.%m.%Y": True,
    "%m/%d/%Y": False,
    "%d %b %Y": None,
    "%b %d, %Y": None,
    "%Y-%m-%d 00:00:00-05:00": None,
    "%Y-%m-%dT16:00:00Z": None,
}
NAMES = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "adj_close": "Adj Close",
    "volume": "Volume",
    "dividends": "Dividends",
    "splits": "Stock Splits",
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_layout_of_a_valid_table_reads_back_equal(tmp_path, data):
    table = random_prices(data.draw(st.integers(2, 12)), data.draw(st.integers(0, 99)))
    table["adj_close"] = table["close"] * 0.9
    table["dividends"] = np.round(np.linspace(0, 1, len(table)), 3)
    separator = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    comma = data.draw(st.booleans())
    date_format = data.draw(st.sampled_from(list(WRITE_DATE)))
    pattern = data.draw(st.sampled_from(["{}", "AAPL.{}", "BRK-B {}", "{}_OPEN", "LOW {}"]))
    change_case = data.draw(st.sampled_from([str.upper, str.lower, str.title]))
    columns = data.draw(st.permutations(["date", *NAMES]))

    def number(value: float) -> str:
        # Two decimals at least, so that the mark shows.
        text = repr(float(value)) if value != int(value) else f"{value:.2f}"
        return text.replace(".", ",") if comma else text

    def cell(text: str) -> str:
        return f'"{text}"' if separator in text else text

    header = ["Date" if name == "date" else change_case(pattern.format(NAMES[name])) for name in columns]
    lines = [separator.join(cell(text) for text in header)]
    for date, row in table.iterrows():
        texts = [date.strftime(date_format) if name == "date" else number(row[name]) for name in columns]
        lines.append(separator.join(cell(text) for text in texts))
    if data.draw(st.booleans()):
        lines[1:] = lines[:0:-1]
    path = tmp_path / "x.csv"
    path.write_text(data.draw(st.sampled_from(["\n", "\r\n"])).join(lines), encoding="utf-8", newline="")
    prices = read_csv(path, options(WRITE_DATE[date_format]))
    pd.testing.assert_frame_equal(prices.table, table, check_freq=False)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(lambda text: (PLAIN + GOOD_ROWS + text).encode("utf-8", "replace")),
        st.lists(
            st.sampled_from(
                [
                    *(PLAIN + GOOD_ROWS).replace("\n", ",\n,").split(","),
                    '"',
                    "\r",
                    ";",
                    "1,5",
                    "",
                    "€",
                    "9" * 30,
                    "1e400",
                ]
            ),
            max_size=40,
        ).map(lambda cells: ",".join(cells).encode()),
    ),
    day_first=st.sampled_from([None, True, False]),
)
@example(content=b",\n\n\n", day_first=None)
@example(content="Date\u2028Open".encode(), day_first=None)
def test_any_bytes_are_read_or_refused(tmp_path, content, day_first):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    try:
        prices = read_csv(path, options(day_first), "AAPL")
    except DataError as error:
        assert error.message and error.hint
    else:
        validate(prices.table, "x")


@given(
    st.lists(
        st.one_of(st.text(max_size=12), st.from_regex(r"[0-9]{1,4}[-/. ][0-9A-Za-z]{1,3}[-/. ][0-9]{1,4}"))
    )
)
def test_any_cells_are_dates_or_not(cells):
    dates = read_dates(cells)
    assert dates.days.shape == (len(cells),)
    known = dates.days[~np.isnat(dates.days)]
    assert ((known >= np.datetime64("1800-01-01")) & (known <= np.datetime64("2100-12-31"))).all()


def test_files_that_users_really_have():
    if not (DATA / "odd_csv").is_dir():
        pytest.skip("the data for trying things by hand is not here")
    for path in sorted((DATA / "odd_csv").glob("*.csv")):
        prices = read_csv(path, ticker="AAPL")
        assert len(prices.table) > 1
        assert "ticker: AAPL in the file" in prices.understood


def test_eighty_eight_tickers_read_without_their_null_rows(tmp_path):
    archive = DATA / "stocknet_prices.tar.xz"
    if not archive.is_file():
        pytest.skip("the data for trying things by hand is not here")
    left_out = {}
    with tarfile.open(archive) as files:
        for member in files.getmembers():
            if not member.name.endswith(".csv"):
                continue
            path = tmp_path / "x.csv"
            path.write_bytes(files.extractfile(member).read())
            name = Path(member.name).stem
            prices = read_csv(path)
            own = pd.read_csv(path)
            whole = own.dropna()
            np.testing.assert_array_equal(prices.table["adj_close"], whole["Adj Close"])
            np.testing.assert_array_equal(prices.table["volume"], whole["Volume"])
            if len(whole) < len(own):
                left_out[name] = prices.understood[-1]
    assert sorted(left_out) == ["PTR", "REX", "SNP"]
    assert all(
        note.startswith("left out 1 row without prices, the newest of 2") for note in left_out.values()
    )
