from __future__ import annotations

import datetime as dt
import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from lstm_stock.errors import DataError, SourceError
from lstm_stock.prices.fetch import fetch_prices
from lstm_stock.prices.sources import SAMPLE_TICKER, SOURCES, Fetched, FetchOptions, SourceSpec
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import table_hash
from lstm_stock.prices.update import fetch_into
from lstm_stock.prices.yahoo.client import is_unfinished
from tests.loopback import Answer, Loopback, environment
from tests.simulated_yahoo import Instrument, SimulatedYahoo, sessions

NEW_YORK = ZoneInfo("America/New_York")
CSV = "Date,Open,High,Low,Close,Volume\n" + "".join(f"2020-01-{day:02},1,3,1,2,5\n" for day in range(1, 21))


def test_the_sample_is_every_session_of_fourteen_years():
    fetched = fetch_prices(SAMPLE_TICKER, FetchOptions("sample"))
    assert (len(fetched.table), fetched.exchange, fetched.currency) == (3522, "XNYS", "USD")
    assert f"{fetched.table.index[0]:%F} {fetched.table.index[-1]:%F}" == "2010-01-04 2023-12-29"
    first, last = fetched.table["close"].iloc[[0, -1]]
    assert (first, last) == (6.406482, 190.375031)
    np.testing.assert_array_equal(fetched.table["adj_close"], fetched.table["close"])


def test_a_source_is_one_function_and_one_entry(monkeypatch, tmp_path):
    def fetch_twin(ticker: str, options: FetchOptions) -> Fetched:
        sample = fetch_prices("AAPL", replace(options, source="sample"))
        return replace(sample, currency="EUR", notes=(f"a twin of {ticker}",))

    monkeypatch.setitem(SOURCES, "twin", SourceSpec("AAPL under another name", fetch_twin))
    store = Store(tmp_path)
    done = fetch_into(store, "TWIN", FetchOptions("twin", dt.date(2020, 1, 2), dt.date(2020, 1, 7)))
    assert (done.n_new, done.notes) == (4, ("a twin of TWIN",))
    assert (store.read("TWIN").provenance.source, store.read("TWIN").provenance.currency) == ("twin", "EUR")


def test_the_names_of_sources_need_no_heavy_import():
    code = (
        "import sys; from lstm_stock.prices.sources import SOURCES; assert list(SOURCES);"
        "print([name for name in ('numpy', 'pandas', 'yfinance') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_both_ends_of_a_request_are_inclusive():
    options = FetchOptions("sample", dt.date(2020, 1, 2), dt.date(2020, 1, 7))
    dates = fetch_prices("AAPL", options).table.index
    assert [f"{date:%F}" for date in dates] == ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"]


@pytest.mark.parametrize(
    ("ticker", "options", "kind", "message"),
    [
        ("MSFT", FetchOptions("sample"), SourceError, "the source sample has no MSFT, only AAPL"),
        (
            "AAPL",
            FetchOptions("sample", dt.date(2024, 1, 1)),
            DataError,
            "no bar of AAPL from 2024-01-01 to its last: it has 2010-01-04 to 2023-12-29",
        ),
        (
            "AAPL",
            FetchOptions("sample", dt.date(2020, 1, 2), dt.date(2020, 1, 2)),
            DataError,
            "only one bar of AAPL, of 2020-01-02; a return needs two",
        ),
        ("AAPL", FetchOptions("csv"), DataError, "the source csv needs a file"),
        ("AAPL", FetchOptions("stooq"), DataError, "there is no source `stooq`"),
        ("AAPL", FetchOptions("sample", exchange="XNYX"), DataError, "`XNYX`; did you mean XNYS"),
    ],
)
def test_requests_that_no_source_can_meet(ticker, options, kind, message):
    with pytest.raises(kind) as caught:
        fetch_prices(ticker, options)
    assert message in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == (3 if kind is SourceError else 2)


def test_a_csv_says_what_was_understood_and_whether_weekends_trade(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(CSV)
    fetched = fetch_prices("BTC-USD", FetchOptions("csv", csv_path=path))
    assert fetched.exchange == "24/7"
    assert fetched.notes[0] == "date: `Date`, year first (2020-01-31)"
    assert fetched.notes[-1] == "exchange: 24/7, since Saturdays and Sundays have bars"
    assert fetch_prices("X", FetchOptions("csv", csv_path=path, exchange="nyse")).exchange == "XNYS"

    lines = CSV.splitlines(keepends=True)
    weekdays = [line for line in lines[1:] if np.is_busday(line[:10])]
    path.write_text(lines[0] + "".join(weekdays))
    fetched = fetch_prices("BTC-USD", FetchOptions("csv", csv_path=path))
    assert fetched.exchange is None
    assert "exchange: unknown, assumed to trade Monday to Friday" in fetched.notes[-1]


def test_a_csv_of_one_row_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("".join(CSV.splitlines(keepends=True)[:2]))
    with pytest.raises(DataError, match="only one bar of X, of 2020-01-01; a return needs two"):
        fetch_prices("X", FetchOptions("csv", csv_path=path))


def test_a_bar_is_unfinished_until_half_an_hour_after_its_session():
    end = dt.datetime(2024, 3, 8, 16, 0, tzinfo=NEW_YORK)
    friday, thursday = dt.date(2024, 3, 8), dt.date(2024, 3, 7)
    assert is_unfinished(friday, end, end + dt.timedelta(minutes=29))
    assert not is_unfinished(friday, end, end + dt.timedelta(minutes=30))
    assert not is_unfinished(thursday, end, end - dt.timedelta(hours=3))
    assert not is_unfinished(friday, None, end)
    # The clock may stand in another zone, where the date is another.
    assert is_unfinished(friday, end, end.astimezone(dt.UTC) - dt.timedelta(days=1))


def chart(symbol: str, dates: list[dt.date], session_end: dt.datetime) -> dict:
    """An answer of the shape that Yahoo's have: a split, a dividend, and a bar that has a volume alone."""
    stamps = [int(dt.datetime(d.year, d.month, d.day, 9, 30, tzinfo=NEW_YORK).timestamp()) for d in dates]
    close = [100.0 + i for i in range(len(dates))]
    close[1] = None
    period = {"timezone": "EST", "gmtoffset": -18000}
    period |= {"start": int(session_end.timestamp()) - 23400, "end": int(session_end.timestamp())}

    def shifted(by: float) -> list[float | None]:
        return [None if c is None else c + by for c in close]

    return {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": "NMS" if symbol == "GOOD" else "XXX",
            "fullExchangeName": "NasdaqGS",
            "instrumentType": "EQUITY",
            "firstTradeDate": stamps[0],
            "regularMarketTime": stamps[-1],
            "gmtoffset": -18000,
            "timezone": "EST",
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": close[-1],
            "priceHint": 2,
            "currentTradingPeriod": {"pre": dict(period), "regular": dict(period), "post": dict(period)},
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "max"],
        },
        "timestamp": stamps,
        "events": {
            "dividends": {str(stamps[2]): {"amount": 0.25, "date": stamps[2]}},
            "splits": {
                str(stamps[3]): {"date": stamps[3], "numerator": 4, "denominator": 1, "splitRatio": "4:1"}
            },
        },
        "indicators": {
            "quote": [
                {
                    "open": shifted(-0.5),
                    "high": shifted(1),
                    "low": shifted(-1),
                    "close": close,
                    "volume": [1000 + i for i in range(len(close))],
                }
            ],
            "adjclose": [{"adjclose": [None if c is None else c * 0.99 for c in close]}],
        },
    }


TODAY_END = dt.datetime(2024, 3, 8, 16, tzinfo=NEW_YORK)
GOOD_DATES = [dt.date(2020, 8, 24) + dt.timedelta(days=i) for i in range(5)]


def yahoo(path: str, query: dict[str, str]) -> Answer | None:
    """Stand in for Yahoo: what happens is up to the ticker."""
    symbol = path.rpartition("/")[2]
    now = dt.datetime.now(NEW_YORK)
    if "getcrumb" in path:
        return Answer(200, b"crumb", "text/plain")
    if "/chart/" not in path:  # yfinance looks elsewhere for a ticker that has no chart
        return Answer(401 if symbol == "NOPE2" else 404, b"{}")
    if symbol == "BAD":
        return Answer(401, b"{}")
    if symbol == "GOOD":
        old = dt.datetime(2020, 8, 28, 16, tzinfo=NEW_YORK)
        return Answer.json({"chart": {"result": [chart(symbol, GOOD_DATES, old)], "error": None}})
    if symbol == "TODAY":
        dates = [TODAY_END.date() - dt.timedelta(days=i) for i in range(6, -1, -1)]
        return Answer.json({"chart": {"result": [chart(symbol, dates, TODAY_END)], "error": None}})
    if symbol == "EMPTY" and "period1" in query:
        meta = chart(symbol, GOOD_DATES, now)["meta"]
        return Answer.json(
            {"chart": {"result": [{"meta": meta, "indicators": {"quote": [{}]}}], "error": None}}
        )
    if symbol == "EMPTY":
        return Answer.json({"chart": {"result": [chart(symbol, GOOD_DATES, now)], "error": None}})
    if symbol == "LIMIT":
        return Answer(429, b"Too Many Requests\r\n", "text/plain")
    if symbol == "PAGE":
        return Answer(200, b"<!DOCTYPE html><html><body>Consent</body></html>", "text/html")
    if symbol == "DOWN":
        return Answer(503, b"<html>unavailable</html>", "text/html")
    if symbol == "ODD":
        return Answer.json({"chart": {"result": [{"meta": {"exchangeTimezoneName": "UTC"}}], "error": None}})
    if symbol == "HANGUP":
        return None
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return Answer.json({"chart": {"result": None, "error": error}}, 404)


CLIENT = """
import datetime as dt, json, sys, warnings
from lstm_stock.errors import LstmStockError
from lstm_stock.prices.table import table_hash
from lstm_stock.prices.fetch import fetch_prices
from lstm_stock.prices.sources import FetchOptions
warnings.simplefilter("error")
done = {}
for text in sys.argv[1:]:
    ticker, start, end, *more = text.split(",")
    dates = [dt.date.fromisoformat(day) if day else None for day in (start, end)]
    times = {"now": dt.datetime.fromisoformat(more[0]), "include_partial": "partial" in more} if more else {}
    try:
        fetched = fetch_prices(ticker, FetchOptions("yahoo", *dates, **times))
        table = fetched.table
        done[ticker] = {
            "table": table.reset_index().astype({"date": str}).to_dict("list"), "hash": table_hash(table),
            "exchange": fetched.exchange, "currency": fetched.currency, "notes": fetched.notes,
            "partial": str(fetched.partial),
        }
    except LstmStockError as error:
        done[ticker] = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
print(json.dumps(done))
"""


def ask(proxy: str, folder: Path, *requests: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, *requests],
        env=environment(proxy, folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "yfinance's own noise must not reach the user"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("yahoo")
    failing = [
        f"{ticker},,"
        for ticker in ("BAD", "NOPE", "NOPE2", "NOPE3", "LIMIT", "PAGE", "DOWN", "ODD", "HANGUP")
    ]
    soon = TODAY_END + dt.timedelta(minutes=29)
    today = [f"TODAY,,,{soon.isoformat()}"]
    with Loopback(yahoo, folder / "ca.pem") as server:
        done = ask(
            server.address,
            folder,
            "GOOD,2020-08-24,2020-08-27",
            "EMPTY,2020-08-29,2020-08-30",
            *failing,
            *today,
        )
        done["asked"] = list(server.asked)
    return done


def test_yahoo_gives_raw_bars_with_events_on_local_dates(answers):
    good = answers["GOOD"]
    table = good["table"]
    assert table["date"] == [
        "2020-08-24",
        "2020-08-26",
        "2020-08-27",
    ]  # the null bar and what is after `end` are out
    assert table["close"] == [100.0, 102.0, 103.0]
    np.testing.assert_allclose(table["adj_close"], np.array([100.0, 102.0, 103.0]) * 0.99)
    assert table["open"] == [99.5, 101.5, 102.5]
    assert (table["high"][0], table["low"][0], table["volume"]) == (101.0, 99.0, [1000.0, 1002.0, 1003.0])
    assert table["dividends"] == [0.0, 0.25, 0.0]
    assert table["splits"] == [0.0, 0.0, 4.0]
    assert (good["exchange"], good["currency"]) == ("XNYS", "USD")
    assert good["notes"] == ["left out 1 bar for which Yahoo has no prices, the newest of 2020-08-25"]


def test_yahoos_bar_of_a_session_that_is_not_over_is_left_out(answers):
    today, table = answers["TODAY"], answers["TODAY"]["table"]
    assert len(table["date"]) == 5
    assert any("whose session is not over" in note for note in today["notes"])
    assert today["exchange"] is None
    assert any("Yahoo calls it XXX, for which no calendar is known" in note for note in today["notes"])


def test_a_bar_is_final_half_an_hour_after_its_own_exchanges_close(tmp_path):
    """Half days, other time zones, and what never closes; what Yahoo says of its current session is not asked."""
    places = {
        "US": ("NMS", NEW_YORK, sessions(dt.date(2023, 11, 1), dt.date(2023, 11, 24))),  # a half day
        "JP": ("JPX", ZoneInfo("Asia/Tokyo"), sessions(dt.date(2024, 2, 1), dt.date(2024, 3, 8), "XTKS")),
        "BTC": ("CCC", ZoneInfo("UTC"), [dt.date(2024, 3, 1) + dt.timedelta(days=i) for i in range(10)]),
        "EUR": ("CCY", ZoneInfo("Europe/London"), sessions(dt.date(2024, 3, 1), dt.date(2024, 3, 8), "24/5")),
    }
    over = {
        "US": "2023-11-24T13:30-05:00",
        "JP": "2024-03-08T15:30+09:00",
        "BTC": "2024-03-11T00:30+00:00",
        "EUR": "2024-03-09T00:30+00:00",
    }
    instruments, wanted = {}, []
    for name, (exchange, zone, days) in places.items():
        just_before = (dt.datetime.fromisoformat(over[name]) - dt.timedelta(minutes=1)).isoformat()
        for case, more in (("0", just_before), ("1", over[name]), ("2", f"{just_before},partial")):
            instruments[name + case] = Instrument(days, exchange_name=exchange, zone=zone)
            wanted.append(f"{name}{case},,,{more}")
    with Loopback(SimulatedYahoo(instruments, dt.date(2024, 3, 10)), tmp_path / "ca.pem") as server:
        done = ask(server.address, tmp_path, *wanted)
    for name, (_, _, days) in places.items():
        newest = f"{days[-1]}"
        assert done[f"{name}0"]["table"]["date"] == [f"{day}" for day in days[:-1]]
        assert done[f"{name}0"]["notes"] == [f"left out the bar of {newest}, whose session is not over"]
        assert done[f"{name}1"]["table"]["date"] == [f"{day}" for day in days]
        assert done[f"{name}1"]["notes"] == []
        assert done[f"{name}2"]["table"]["date"][-1] == newest
        assert [done[f"{name}{case}"]["partial"] for case in "012"] == ["None", "None", newest]


def test_impossible_bars_are_left_out_and_zero_opens_stay(tmp_path):
    days = sessions(dt.date(2024, 2, 1), dt.date(2024, 3, 8))
    spoilt = SpoiltInstrument(days)
    with Loopback(SimulatedYahoo({"X": spoilt}, days[-1]), tmp_path / "ca.pem") as server:
        found = ask(server.address, tmp_path, "X,,")["X"]
    gone = {days[3], days[4], days[5]}
    assert found["table"]["date"] == [f"{day}" for day in days if day not in gone]
    assert found["table"]["open"][2] == 0.0
    assert found["notes"] == [
        f"left out 3 bars with impossible prices (not above 0, or a high below the low), the newest of {days[5]}"
    ]


class SpoiltInstrument(Instrument):
    """Has an open of 0, a close of 0, a negative open, and a high below the low."""

    def table(self, today: dt.date) -> pd.DataFrame:
        table = super().table(today)
        for row, name, value in ((2, "open", 0.0), (3, "close", 0.0), (4, "open", -1.0), (5, "high", 1.0)):
            table.iloc[row, table.columns.get_loc(name)] = value
        return table


@pytest.mark.parametrize(
    ("ticker", "kind", "message"),
    [
        ("EMPTY", "SourceError", "Yahoo has no prices of EMPTY from 2020-08-29 to 2020-08-30"),
        ("LIMIT", "RateLimitError", "429 Too Many Requests"),
        ("PAGE", "TemporaryError", "Yahoo answered with a web page that holds no prices"),
        ("DOWN", "TemporaryError", "Yahoo's server has a problem: it answered with HTTP 503"),
        ("BAD", "SourceError", "Yahoo answered with HTTP 401"),
        ("ODD", "TemporaryError", "Yahoo's answer for ODD has an unknown structure"),
        ("HANGUP", "TemporaryError", "the connection to Yahoo was closed before it answered"),
        ("NOPE", "UnknownTickerError", "Yahoo knows no ticker NOPE"),
        ("NOPE2", "UnknownTickerError", "Yahoo knows no ticker NOPE2"),
        ("NOPE3", "UnknownTickerError", "Yahoo knows no ticker NOPE3"),
    ],
)
def test_yahoos_failures_are_distinguished(answers, ticker, kind, message):
    assert answers[ticker]["kind"] == kind
    assert message in answers[ticker]["message"]
    assert answers[ticker]["hint"]


def test_a_refused_connection_is_reported(tmp_path):
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        (tmp_path / "ca.pem").write_text("")
        done = ask(f"http://127.0.0.1:{unused.getsockname()[1]}", tmp_path, "GOOD,,")
    assert done["GOOD"]["kind"] == "TemporaryError"
    assert "the connection to Yahoo was refused" in done["GOOD"]["message"]
    assert "HTTPS_PROXY" in done["GOOD"]["hint"]


def test_every_source_of_the_design_is_there():
    assert set(SOURCES) == {"yahoo", "csv", "sample"}


def test_a_slice_of_the_sample_has_the_hash_of_the_slice_fetched_alone():
    whole = fetch_prices("AAPL", FetchOptions("sample")).table
    part = fetch_prices("AAPL", FetchOptions("sample", dt.date(2015, 1, 1), dt.date(2015, 12, 31))).table
    assert table_hash(whole.loc["2015-01-01":"2015-12-31"]) == table_hash(part)
    pd.testing.assert_frame_equal(whole.loc["2015-01-01":"2015-12-31"], part)
