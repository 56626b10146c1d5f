"""Kinds of files of real sites, rebuilt: each reads as the same bars, or says what to add."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lstm_stock.errors import ConfigError, DataError
from lstm_stock.prices.csv.named import parse_columns
from lstm_stock.prices.csv.reader import CsvPrices, read_csv
from lstm_stock.prices.csv.values import read_values
from lstm_stock.prices.sources import NOTHING_SAID, CsvOptions
from lstm_stock.prices.table import validate

N_ROWS = 60
DAYS = pd.bdate_range("2021-01-04", periods=N_ROWS)
FIELDS = ("open", "high", "low", "close", "volume")


def bars() -> dict[str, list[float]]:
    random = np.random.default_rng(1)
    close = np.round(150 * np.exp(np.cumsum(random.normal(0, 0.01, N_ROWS))), 2)
    open_ = np.round(close * 1.002, 2)
    high, low = np.round(close * 1.01, 2), np.round(close * 0.99, 2)
    volume = random.integers(2_000_000, 9_000_000, N_ROWS).astype(float)
    return dict(zip(FIELDS, (x.tolist() for x in (open_, high, low, close, volume)), strict=True))


BARS = bars()


def comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def lines(
    header: str,
    date: Callable[[pd.Timestamp], str] = lambda day: f"{day:%Y-%m-%d}",
    cells: str = "{open},{high},{low},{close},{volume:.0f}",
    days: pd.DatetimeIndex = DAYS,
) -> list[str]:
    rows = [dict(zip(BARS, row, strict=True)) for row in zip(*BARS.values(), strict=True)]
    return [header, *(f"{date(day)},{cells.format(**row)}" for day, row in zip(days, rows, strict=True))]


PLAIN = "Date,Open,High,Low,Close,Volume"


@pytest.fixture
def read(tmp_path):
    def parse(
        text: list[str] | str, options: CsvOptions = NOTHING_SAID, ticker: str | None = None
    ) -> CsvPrices:
        path = tmp_path / "x.csv"
        path.write_text(text if isinstance(text, str) else "\n".join(text) + "\n", encoding="utf-8")
        prices = read_csv(path, options, ticker)
        validate(prices.table, "x")
        return prices

    return parse


@pytest.fixture
def refuse(read):
    def parse(
        text: list[str] | str, options: CsvOptions = NOTHING_SAID, ticker: str | None = None
    ) -> DataError:
        with pytest.raises(DataError) as caught:
            read(text, options, ticker)
        assert caught.value.hint
        return caught.value

    return parse


def assert_bars(prices: CsvPrices, *, volume: bool = True, rows: slice = slice(None)) -> None:
    assert prices.table.index.tolist() == DAYS[rows].tolist()
    for name in FIELDS[: None if volume else 4]:
        np.testing.assert_array_equal(prices.table[name], BARS[name][rows], err_msg=name)


def assert_noted(prices: CsvPrices, text: str) -> None:
    assert any(text in note for note in prices.understood), prices.understood


# --- dates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("zone", "time"), [("Europe/Berlin", "23:00"), ("Asia/Tokyo", "15:00")])
def test_midnights_saved_in_utc_are_moved_to_their_own_day(read, zone, time):
    def in_utc(day: pd.Timestamp) -> str:
        return str(day.tz_localize(zone).tz_convert("UTC"))

    prices = read(lines(PLAIN, in_utc))
    assert_bars(prices)
    assert_noted(prices, f"moved to the next day: {time} on Sundays to Thursdays")


def test_dates_a_day_early_without_a_time_are_told_and_kept(read):
    prices = read(lines(PLAIN, lambda day: f"{day - pd.Timedelta(days=1):%Y-%m-%d}"))
    assert prices.table.index.tolist() == (DAYS - pd.Timedelta(days=1)).tolist()
    assert_noted(prices, "suspicious: Sundays have bars and Fridays have none")


def test_closes_in_utc_and_sessions_of_sundays_are_not_moved(read):
    prices = read(lines(PLAIN, lambda day: f"{day:%Y-%m-%d} 21:00:00+00:00"))
    assert_bars(prices)
    riyadh = DAYS - pd.Timedelta(days=1)
    prices = read(lines(PLAIN, lambda day: f"{day:%Y-%m-%d} 12:00:00+00:00", days=riyadh))
    assert prices.table.index.tolist() == riyadh.tolist()


def epoch(day: pd.Timestamp) -> int:
    return int(day.timestamp())


@pytest.mark.parametrize(
    ("write", "unit"),
    [
        (lambda day: str(epoch(day)), "seconds"),
        (lambda day: f"{epoch(day)}.0", "seconds"),
        (lambda day: str(1000 * epoch(day) + 36_000_000), "milliseconds"),
        (lambda day: str(10**6 * epoch(day)), "microseconds"),
        (lambda day: str(10**9 * epoch(day)), "nanoseconds"),
    ],
)
@pytest.mark.parametrize("name", ["time", "open_time", "Open time", "timestamp", "unix"])
def test_numbers_of_seconds_since_1970_are_dates(read, write, unit, name):
    prices = read(lines(f"{name},open,high,low,close,volume", write))
    assert_bars(prices)
    assert prices.understood[0] == f"date: `{name}`, {unit} since 1970, read as days in UTC"


@pytest.mark.parametrize("write", ["%y-%m-%d", "%d.%m.%y", "%m/%d/%y", "%d/%m/%Y", "%m/%d/%Y"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_the_order_of_the_rows_decides_the_order_of_the_date(read, write, newest_first):
    header, *rows = lines(
        PLAIN, lambda day: day.strftime(write), days=pd.bdate_range("2021-01-01", periods=N_ROWS)
    )
    few = [row for row in rows if int(row[3:5]) <= 12 and int(row[:2]) <= 12] if "%Y" in write else rows
    prices = read([header, *(few[::-1] if newest_first else few)])
    assert prices.table.index[0] == pd.Timestamp("2021-01-01")
    assert prices.table.index.is_monotonic_increasing


def test_year_first_is_an_option_of_its_own(read, refuse):
    text = [PLAIN, "03-04-05,1,3,1,2,5"]
    assert "`--year-first`" in refuse(text).hint
    assert read(text, CsvOptions("year")).table.index[0] == pd.Timestamp("2003-04-05")


@pytest.mark.parametrize(
    "write",
    [
        '"%A, %B %d, %Y"',
        "%a %b %d %Y 00:00:00 GMT+0100 (Central European Standard Time)",
        '"%a, %d %b %Y 05:00:00 GMT"',
        "%d %B %Y",
        "%d-%b-%y",
        "%d/%b/%Y",
        "%Y-%b-%d",
        '"%B %d, %Y, 4:00 PM EST"',
        "%Y-%m-%dT00:00:00.000+0100",
        "%Y-%m-%d 00:00:00 America/New_York",
        "%Y-%m-%dT00:00-05:00[America/New_York]",
        "%d.%m.%Y 00:00:00.000 GMT-0000",
        "%Y%m%d000000",
        "%Y%m%d 160000",
        "%Y年%m月%d日",
    ],
)
def test_dates_in_words_and_with_zones(read, write):
    assert_bars(read(lines(PLAIN, lambda day: day.strftime(write))))


@pytest.mark.parametrize(
    ("cell", "month"),
    [
        *(("4. Januar 2021", 1), ("4 janv. 2021", 1), ("4 de enero de 2021", 1), ("4 sty 2021", 1)),
        *(("4. März 2021", 3), ("4 août 2021", 8), ("4 juin 2021", 6), ("4 juillet 2021", 7)),
        *(("4 mai 2021", 5), ("Montag, 4. Oktober 2021", 10), ("4 dezembro 2021", 12)),
    ],
)
def test_months_in_other_languages(read, cell, month):
    prices = read([PLAIN, f'"{cell}",1,3,1,2,5'])
    assert prices.table.index[0].date() == dt.date(2021, month, 4)


# --- columns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "Datum;Eröffnung;Hoch;Tief;Schluss;Volumen",
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stücke",
        "Date;Ouverture;Plus haut;Plus bas;Clôture;Volume",
        "Fecha;Apertura;Máximo;Mínimo;Último;Vol.",
        "Data;Otwarcie;Najwyzszy;Najnizszy;Zamkniecie;Wolumen",
        "Data;Abertura;Máxima;Mínima;Fechamento;Volume",
        "日期;开盘;最高;最低;收盘;成交量",
        "日付;始値;高値;安値;終値;出来高",
        "Дата;Открытие;Максимум;Минимум;Закрытие;Объём",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_headers_in_other_languages(tmp_path, header, encoding):
    cells = "{open};{high};{low};{close};{volume:.0f}"
    text = [line.replace(",", ";", 1).replace(".", ",") for line in lines("", cells=cells)[1:]]
    path = tmp_path / "x.csv"
    path.write_text("\n".join([header, *text]), encoding=encoding)
    assert_bars(read_csv(path))


def test_columns_are_named_by_label_by_number_or_by_both(read, refuse):
    header = "Wann,Auf,Oben,Unten,Zu,Menge"
    assert (
        "has no column for `open`, `high`, `low`, `close`; it has `Wann`, `Auf`"
        in refuse(lines(header)).message
    )
    said = CsvOptions(columns=parse_columns(["date=Wann, open=Auf,HIGH=oben,low=4", "close=Zu,volume=6"]))
    assert_bars(read(lines(header), said))
    # The header tells the others.
    assert_bars(read(lines("Date,Auf,High,Low,Close,Volume"), CsvOptions(columns=(("open", "Auf"),))))
    # What is said goes before the names.
    swapped = read(
        lines("Date,High,Open,Low,Close,Volume"), CsvOptions(columns=(("open", "2"), ("high", "3")))
    )
    assert_bars(swapped)
    wrong = refuse(lines(PLAIN), CsvOptions(columns=(("open", "Auf"),)))
    assert "--columns open=Auf" in wrong.message and "no column of that name; it has `Date`" in wrong.message


def test_a_file_without_a_header_is_read_by_numbers(read, refuse):
    rows = lines(PLAIN)[1:]
    error = refuse(rows)
    assert "has no header" in error.message
    assert "--columns date=1,open=2,high=3,low=4,close=5,volume=6" in error.hint
    said = CsvOptions(columns=parse_columns(["date=1,open=2,high=3,low=4,close=5,volume=6"]))
    assert_bars(read(rows, said))


@pytest.mark.parametrize("text", ["open", "open=", "=3", "opne=3", "open=1,open=2"])
def test_mistakes_in_columns_are_told(text):
    with pytest.raises(ConfigError, match="--columns: got"):
        parse_columns([text])


def test_labels_that_carry_their_explanation_or_a_number(read):
    yahoo = "Date\tOpen\tHigh\tLow\tClose Close price adjusted for splits.\tVolume"
    assert_bars(read([yahoo, *(line.replace(",", "\t") for line in lines("")[1:])]))
    assert_bars(read(lines("timestamp,1. open,2. high,3. low,4. close,5. volume")))
    assert_bars(read(lines("Date,Open Price,High Price,Low Price,Close Price,No.of Shares")))
    assert_bars(read(lines("Date,Open,High,Low,Close,Total Traded Quantity")))


def test_a_volume_named_after_a_currency_is_a_volume(read):
    cells = "{open},{high},{low},{close},{volume:.0f},7"
    prices = read(lines("date,open,high,low,close,Volume BTC,Volume USD", cells=cells))
    assert_bars(prices)
    assert_noted(prices, "volume `Volume BTC`")
    assert_noted(prices, "ignored: `Volume USD`")


def test_a_volume_that_is_zero_throughout_gives_way_to_one_that_is_not(read):
    cells = "{open},{high},{low},{close},{volume:.0f},0"
    prices = read(lines("<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>", cells=cells))
    assert_bars(prices)
    assert_noted(prices, "volume: `<TICKVOL>`, as `<VOL>` is 0 or empty throughout")


def test_bids_and_asks_are_asked_about(read, refuse):
    header = "Date,Bid Open,Bid High,Bid Low,Bid Close,AskOpen,AskHigh,AskLow,AskClose,Volume"
    cells = "{open},{high},{low},{close},9{open},9{high},9{low},9{close},{volume:.0f}"
    text = lines(header, cells=cells)
    error = refuse(text, ticker="EURUSD=X")
    assert "two sets of prices, `Bid ...` and `Ask ...`" in error.message
    assert "--quote middle" in error.hint
    assert_bars(read(text, CsvOptions(quote="bid"), "EURUSD=X"))
    ask = read(text, CsvOptions(quote="ask")).table
    assert ask["close"].iloc[0] == float(f"9{BARS['close'][0]}")
    middle = read(text, CsvOptions(quote="middle"))
    np.testing.assert_allclose(middle.table["high"], (np.array(BARS["high"]) + ask["high"]) / 2)
    assert_noted(middle, "the mean of bid and ask")


# --- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "titles",
    [
        ["https://www.example.com"],
        ["Prices of ACME, Inc., in EUR", "Currency,EUR", ""],
        ['"Quotes"', "2021-12-31"],
    ],
)
def test_lines_above_the_header_and_below_the_prices_are_skipped(read, titles, separator):
    body = [line.replace(",", separator) for line in lines(PLAIN)]
    prices = read([*titles, *body, "", "Source: example.com", "All prices without guarantee"])
    assert_bars(prices)
    above = len([line for line in titles if line])
    assert_noted(prices, f"skipped: {above} line{'s' if above > 1 else ''} above the header, the first `")
    assert_noted(prices, "skipped: 2 lines below the prices, the first `Source: example.com`")


def test_repeated_headers_and_lines_on_dividends_are_skipped(read):
    text = lines(PLAIN)
    text.insert(30, PLAIN)
    text.insert(12, "2021-01-15,0.22 Dividend")
    text.insert(20, "2021-02-01,4:1 Stock Splits")
    prices = read(text)
    assert_bars(prices)
    assert_noted(prices, "skipped: 1 line that repeat the header")
    assert_noted(prices, "skipped: 2 lines on dividends or splits")


# --- values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [None, "", "N/A", "--", "-", "null"])
def test_a_file_without_volumes_has_zeros(read, cell):
    header, cells = PLAIN, "{open},{high},{low},{close}," + str(cell)
    if cell is None:
        header, cells = "Date,Open,High,Low,Close", "{open},{high},{low},{close}"
    prices = read(lines(header, cells=cells))
    assert_bars(prices, volume=False)
    assert (prices.table["volume"] == 0).all()
    assert_noted(prices, "volume: none in the file, 0 on every date")


def test_single_missing_volumes_are_zero(read):
    text = lines(PLAIN)
    text[5] = text[5].rpartition(",")[0] + ",-"
    prices = read(text)
    assert prices.table["volume"].iloc[4] == 0
    assert_noted(prices, "volume: none on 1 date, taken as 0")


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (",,,,", "without prices"),
        ("null,null,null,null,null", "without prices"),
        (",,,154.7,0", "without prices"),
        ("0,0,0,0,0", "with impossible prices"),
        ("139.52,141.1,-40.32,-37.63,2056702", "with impossible prices"),
    ],
)
@pytest.mark.parametrize("row", [1, 30, N_ROWS])
def test_a_row_without_possible_prices_is_left_out_and_told(read, cells, why, row):
    text = lines(PLAIN)
    text[row] = f"{DAYS[row - 1]:%Y-%m-%d},{cells}"
    prices = read(text)
    kept = np.delete(np.arange(N_ROWS), row - 1)
    assert prices.table.index.tolist() == DAYS[kept].tolist()
    assert_noted(prices, f"left out 1 row {why}")
    assert_noted(prices, f"the newest of {DAYS[row - 1]:%Y-%m-%d}")


def test_bars_before_a_listing_are_left_out(read):
    text = lines(PLAIN)
    text[1:21] = [f"{day:%Y-%m-%d},,,,," for day in DAYS[:20]]
    prices = read(text)
    assert_bars(prices, rows=slice(20, None))
    assert_noted(prices, f"left out 20 rows without prices, the newest of {DAYS[19]:%Y-%m-%d}")


def test_a_file_of_other_numbers_is_refused(refuse):
    text = lines(PLAIN, cells="{open},{high},{low},-{close},{volume:.0f}")
    assert f"line 2 ({DAYS[0]:%Y-%m-%d}): `Close` is -" in refuse(text).message
    assert "`Close` is missing (NaN)" in refuse([PLAIN, *(f"{day:%Y-%m-%d},,,,," for day in DAYS)]).message


def test_an_open_that_is_unknown_is_zero(read):
    text = lines(PLAIN)
    text[1] = text[1].replace(str(BARS["open"][0]), "", 1)
    prices = read(text)
    assert prices.table["open"].iloc[0] == 0
    assert_noted(prices, "open: none on 1 date, taken as 0, which is unknown")


def test_the_last_day_twice_is_kept_once(read, refuse):
    text = lines(PLAIN)
    again = text[-1].rpartition(",")[0] + ",77"
    prices = read([*text, again])
    assert_bars(prices, volume=False)
    assert prices.table["volume"].iloc[-1] == 77
    assert_noted(
        prices, f"left out 1 row with date and prices of the next one, the newest of {DAYS[-1]:%Y-%m-%d}"
    )
    other = again.replace(str(BARS["close"][-1]), str(BARS["close"][-1] + 0.01))
    assert "the date occurs more than once" in refuse([*text, other]).message


def test_dividends_that_the_closes_lack_are_told(read):
    text = lines(PLAIN + ",Dividends", cells="{open},{high},{low},{close},{volume:.0f},0.5")
    assert_noted(read(text), "the close is used; the dividends of the file are not in it")
    assert_noted(read(lines(PLAIN)), "the close is used (no dividends)")


# --- decimals -------------------------------------------------------------------------------------------------


def thousands(value: float) -> str:
    return f"{value:,.0f}".replace(",", ".")


def in_yen(volume: str) -> list[str]:
    rows = [
        ",".join([f"{day:%Y-%m-%d}", *(thousands(7 * BARS[name][i]) for name in FIELDS[:4]), volume])
        for i, day in enumerate(DAYS)
    ]
    return [PLAIN, *rows]


def test_a_dot_that_may_be_a_thousands_mark_is_asked_about(read, refuse):
    error = refuse(in_yen("5158115"))
    assert "numbers such as `1.0" in error.message and "may be 10" in error.message
    assert error.hint == "say which: `--decimal .` or `--decimal ,` names the mark before the decimals"
    prices = read(in_yen("5158115"), CsvOptions(decimal=","))
    assert prices.table["close"].iloc[0] == round(7 * BARS["close"][0])
    assert (prices.table["close"] > 900).all()


def test_any_other_cell_decides_the_mark(read):
    assert read(in_yen("5.158.115")).table["close"].iloc[0] == round(7 * BARS["close"][0])
    text = [line + (",Change" if i == 0 else ',"-0,45%"') for i, line in enumerate(in_yen("5158115"))]
    assert read(text).table["close"].iloc[0] == round(7 * BARS["close"][0])


def test_three_decimals_after_a_comma_between_semicolons(read):
    rows = [f"{day:%Y-%m-%d};1,234;1,236;1,233;1,235;5" for day in DAYS]
    assert read([PLAIN.replace(",", ";"), *rows]).table["close"].iloc[0] == 1.235


def test_a_mark_of_values_is_asked_about_too(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("date,temp\n" + "".join(f"{day:%Y-%m-%d},2{i % 9}.345\n" for i, day in enumerate(DAYS)))
    with pytest.raises(DataError, match=r"numbers such as `20\.345` alone, which may be 20345 or 20\.345"):
        read_values(path, "temp")
    assert read_values(path, "temp", CsvOptions(decimal=".")).table["value"].iloc[0] == 20.345
    assert read_values(path, "temp", CsvOptions(decimal=",")).table["value"].iloc[0] == 20345
