from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.errors import DataError
from lstm_stock.prices.calendars import (
    check_exchange,
    guess_exchange,
    knows_holidays,
    next_sessions,
    session_end,
    session_start,
    sessions_between,
)
from lstm_stock.prices.yahoo.exchanges import YAHOO_EXCHANGES


def days(index: pd.DatetimeIndex) -> list[str]:
    return [f"{date:%F}" for date in index]


@pytest.mark.parametrize(
    ("exchange", "after", "expected"),
    [
        ("XNYS", "2023-12-29", ["2024-01-02", "2024-01-03", "2024-01-04"]),  # New Year
        ("XNYS", "2024-03-27", ["2024-03-28", "2024-04-01", "2024-04-02"]),  # Good Friday
        ("XNYS", "2001-09-10", ["2001-09-17", "2001-09-18", "2001-09-19"]),
        (
            "XNYS",
            "1985-07-03",
            ["1985-07-05", "1985-07-08", "1985-07-09"],
        ),  # before the calendars' default start
        ("XNYS", "2045-07-03", ["2045-07-05", "2045-07-06", "2045-07-07"]),  # and after their end
        ("XLON", "2024-12-24", ["2024-12-27", "2024-12-30", "2024-12-31"]),
        ("XTKS", "2023-12-29", ["2024-01-04", "2024-01-05", "2024-01-09"]),
        ("24/7", "2023-12-29", ["2023-12-30", "2023-12-31", "2024-01-01"]),
        (None, "2023-12-29", ["2024-01-01", "2024-01-02", "2024-01-03"]),
        ("XSHG", "2099-12-30", ["2099-12-31", "2100-01-01", "2100-01-04"]),  # beyond its known holidays
        ("XBOM", "1980-01-01", ["1980-01-02", "1980-01-03", "1980-01-04"]),
    ],
)
def test_the_next_sessions_skip_weekends_and_holidays(exchange, after, expected):
    assert days(next_sessions(exchange, pd.Timestamp(after), 3)) == expected
    assert days(next_sessions(exchange, dt.date.fromisoformat(after), 3)) == expected


def test_sessions_have_the_type_of_a_price_tables_index():
    for exchange in ("XNYS", "24/7", None):
        sessions = next_sessions(exchange, pd.Timestamp("2020-01-01"), 2)
        assert sessions.dtype == np.dtype("datetime64[s]")
    assert len(next_sessions("XNYS", pd.Timestamp("2020-01-01"), 0)) == 0


def test_long_closures_are_crossed(monkeypatch):
    # Shanghai's Spring Festival of 2020, prolonged.
    assert days(next_sessions("XSHG", pd.Timestamp("2020-01-23"), 1)) == ["2020-02-03"]
    monkeypatch.setattr("lstm_stock.prices.calendars._LONG_CLOSURE_DAYS", 0)
    assert days(next_sessions("XSHG", pd.Timestamp("2020-01-23"), 2)) == ["2020-02-03", "2020-02-04"]


def test_sessions_between_are_inclusive_and_run_on_past_what_is_known():
    assert len(sessions_between("XNYS", dt.date(2010, 1, 4), dt.date(2023, 12, 29))) == 3522
    assert days(sessions_between("XSAU", dt.date(2029, 12, 29), dt.date(2030, 1, 2))) == [
        "2029-12-30",
        "2029-12-31",
        "2030-01-01",
        "2030-01-02",
    ]
    assert len(sessions_between("XNYS", dt.date(2020, 1, 4), dt.date(2020, 1, 5))) == 0
    assert len(sessions_between("XNYS", dt.date(2020, 1, 7), dt.date(2020, 1, 6))) == 0


@settings(deadline=None, max_examples=15)
@given(
    exchange=st.sampled_from(["XNYS", "XTAE", "XHKG", "24/7", "24/5", None]),
    after=st.dates(dt.date(1950, 1, 1), dt.date(2060, 1, 1)),
    n=st.integers(1, 30),
)
def test_sessions_increase_strictly_after_the_date(exchange, after, n):
    sessions = next_sessions(exchange, after, n)
    assert len(sessions) == n
    assert sessions[0] > pd.Timestamp(after)
    assert sessions.is_monotonic_increasing and sessions.is_unique
    # The same sessions, in two steps.
    assert list(next_sessions(exchange, sessions[0], n - 1)) == list(sessions[1:])


def test_codes_are_recognised_and_others_told():
    assert [check_exchange(code) for code in ("XNYS", "nyse", " XNAS ", "24/7", "xlon")] == [
        "XNYS",
        "XNYS",
        "XNYS",
        "24/7",
        "XLON",
    ]
    with pytest.raises(DataError) as caught:
        next_sessions("XNYX", pd.Timestamp("2020-01-01"), 1)
    assert caught.value.message.startswith("no calendar of an exchange `XNYX`; did you mean XNYS")
    with pytest.raises(DataError, match=r"no calendar of an exchange `\?`"):
        check_exchange("?")


def test_every_exchange_of_yahoo_has_a_calendar():
    assert {code: check_exchange(code) for code in set(YAHOO_EXCHANGES.values())} == {
        code: code for code in set(YAHOO_EXCHANGES.values())
    }
    expected = {"NMS": "XNYS", "LSE": "XLON", "GER": "XETR", "CPH": "XCSE", "OSL": "XOSL", "CCC": "24/7"}
    assert {name: YAHOO_EXCHANGES[name] for name in expected} == expected


def test_weekend_bars_show_what_never_closes():
    assert guess_exchange(pd.date_range("2020-01-01", periods=60)) == "24/7"
    assert guess_exchange(pd.bdate_range("2020-01-01", periods=60)) is None
    # Sunday to Thursday, as in Tel Aviv: Sundays alone do not make a week of seven days.
    every = pd.date_range("2020-01-01", periods=60)
    assert guess_exchange(every[~every.day_of_week.isin([4, 5])]) is None
    assert guess_exchange(pd.DatetimeIndex([])) is None


def test_it_is_known_where_the_holidays_are_known():
    known, unknown = pd.date_range("2023-12-27", periods=9), pd.date_range("2099-12-27", periods=9)
    assert [knows_holidays("XSHG", dates) for dates in (known, unknown, known[:0])] == [True, False, True]
    assert [knows_holidays(code, unknown) for code in ("XNYS", "24/7", None)] == [True, True, False]


@pytest.mark.parametrize(
    ("exchange", "day", "start", "end"),
    [
        ("XNYS", "2024-01-02", "2024-01-02 14:30", "2024-01-02 21:00"),
        ("XNYS", "2024-07-03", "2024-07-03 13:30", "2024-07-03 17:00"),  # summer time, an early close
        ("XNYS", "2024-07-04", None, None),
        ("XTKS", "2024-01-04", "2024-01-04 00:00", "2024-01-04 06:00"),
        ("CMES", "2024-01-03", "2024-01-02 23:00", "2024-01-03 23:00"),  # it starts on the evening before
        ("24/7", "2024-01-02", "2024-01-02 00:00", "2024-01-03 00:00"),
        (None, "2024-01-02", None, None),
    ],
)
def test_starts_and_ends_of_sessions_are_in_utc(exchange, day, start, end):
    found = (time(exchange, dt.date.fromisoformat(day)) for time in (session_start, session_end))
    assert [None if one is None else f"{one:%F %H:%M %Z}" for one in found] == [
        None if one is None else f"{one} UTC" for one in (start, end)
    ]
