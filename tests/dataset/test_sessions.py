"""Which exchanges have sessions that end together."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import pandas as pd
import pytest

from lstm_stock.config import Config
from lstm_stock.dataset.sessions import require_one_close
from lstm_stock.errors import ConfigError
from lstm_stock.prices import built_calendars, calendars
from lstm_stock.prices.yahoo import exchanges

HAR_MARKET = Config(target_scale="har_market")
YEARS = (dt.date(2023, 5, 2), dt.date(2024, 6, 3))


def test_session_ends_of_an_exchange_are_in_utc_and_follow_its_clocks():
    new_york = calendars.session_ends("XNYS", 2023, 2024)
    assert new_york["2024-01-16"] == pd.Timestamp("2024-01-16 21:00")
    assert new_york["2024-07-16"] == pd.Timestamp("2024-07-16 20:00")
    assert new_york["2024-11-29"] == pd.Timestamp("2024-11-29 18:00")
    assert len(new_york) == 502 and new_york.index.is_monotonic_increasing
    assert calendars.session_ends("24/7", 2024, 2024)["2024-03-03"] == pd.Timestamp("2024-03-04")


def test_every_exchange_of_yahoo_has_session_ends(monkeypatch):
    monkeypatch.setattr(built_calendars, "_FIRST", pd.Timestamp(2023, 1, 1))  # a long calendar takes long
    monkeypatch.setattr(built_calendars, "_LAST", pd.Timestamp(2025, 12, 31))
    monkeypatch.setattr(calendars, "calendar_of", lru_cache(built_calendars._build))
    codes = set(exchanges.YAHOO_EXCHANGES.values()) - {"XKRX"}  # takes seconds, and has a test below
    assert {code for code in codes if calendars.session_ends(code, 2024, 2024).empty} <= {"ASEX", "XTAE"}


def test_session_ends_of_years_that_are_partly_known():
    assert calendars.session_ends("XSAU", 2019, 2022).index.year.unique().tolist() == [2021, 2022]


@pytest.mark.parametrize(
    ("early", "late", "minutes"),
    [
        ("XLON", "XNYS", 270),
        ("XTKS", "XNYS", 840),
        ("XSHG", "XHKG", 60),
        ("XOSL", "XICE", 70),  # together in winter: Iceland has no summer time
        ("XOSL", "XJSE", 40),
        ("XOSL", "XIST", 40),
        ("XNYS", "BVMF", 60),
        ("XDUS", "XNYS", 60),  # together but for the weeks between the clock changes of Europe and America
    ],
)
def test_sessions_that_end_apart_make_no_market(early, late, minutes):
    for pair in ({"A": early, "B": None, "C": late}, {"A": late, "B": None, "C": early}):
        with pytest.raises(ConfigError, match=rf"sessions ended {minutes} minutes apart"):
            require_one_close(HAR_MARKET, pair, *YEARS)


def test_sessions_that_ended_apart_in_earlier_years_make_no_market_of_those_years():
    pair = {"A": "XJSE", "B": "XIST"}
    assert require_one_close(HAR_MARKET, pair, *YEARS) == []
    with pytest.raises(
        ConfigError, match=r"A trades at XJSE, B at XIST, and on 2016-.* ended 60 minutes apart"
    ):
        require_one_close(HAR_MARKET, pair, dt.date(2012, 1, 2), dt.date(2024, 1, 2))


def test_half_holidays_and_unknown_exchanges_do_not_count():
    assert require_one_close(HAR_MARKET, {"A": "XNYS", "B": None, "C": "XTSE", "D": "XTAE"}, *YEARS) == [
        "B",
        "D",
    ]
    assert require_one_close(HAR_MARKET, {"A": "XLON", "B": "XPAR", "C": "XETR"}, *YEARS) == []
    assert require_one_close(HAR_MARKET, {"A": "XTKS", "B": "XKRX"}, *YEARS) == []
    assert require_one_close(HAR_MARKET, {}, *YEARS) == []


def test_the_tickers_and_exchanges_are_named():
    for apart in ({"A": "XNYS", "B": None, "C": "XLON"}, {"C": "XLON", "A": "XNYS", "B": "XTSE"}):
        with pytest.raises(ConfigError, match=r"sessions end together: C trades at XLON, [AB] at X(NYS|TSE)"):
            require_one_close(HAR_MARKET, apart, *YEARS)


def test_sessions_without_a_common_date_cannot_be_compared(monkeypatch):
    years = {"XNYS": 2023, "XTSE": 2024}
    real = calendars.session_ends
    monkeypatch.setattr(calendars, "session_ends", lambda code, *_: real(code, years[code], years[code]))
    pair = {"A": "XNYS", "B": "XTSE", "C": "XNYS"}
    assert require_one_close(HAR_MARKET, pair, *YEARS) == ["A", "B", "C"]
