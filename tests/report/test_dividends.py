"""Sentences on the dividends of forecasts."""

from __future__ import annotations

import datetime as dt

from lstm_stock.prices.dividends import DividendsAhead
from lstm_stock.prices.usual_dividends import UsualDividend
from lstm_stock.report.dividends import left_out, taken_off

NONE = DividendsAhead({}, (), ())
KNOWN = DividendsAhead({dt.date(2024, 2, 9): 0.24, dt.date(2024, 2, 8): 0.0}, (), ())
USUAL = DividendsAhead({}, (UsualDividend(dt.date(2024, 2, 9), 0.1925, 1, 8),), ())
POSSIBLE = DividendsAhead({}, (), (UsualDividend(dt.date(2024, 2, 9), 0.24, 7, 8),))


def test_dividends_taken_off():
    assert taken_off({"AAA": NONE}) == []
    assert taken_off({"AAA": KNOWN, "BBB": USUAL, "CCC": POSSIBLE}) == [
        "AAA: from Fri 2024-02-09 on, prices are less the dividend of 0.24",
        "BBB: from Fri 2024-02-09 on, prices are less the usual dividend of 0.1925, expected on that date (off by "
        "at most 1 day for the last 8; `--dividend` replaces it)",
    ]


def test_dividends_left_out():
    assert left_out({"AAA": KNOWN, "BBB": USUAL, "CCC": NONE}) == []
    assert left_out({"AAA": POSSIBLE}) == [
        "AAA: a dividend of about 0.24 is usual around Fri 2024-02-09, give or take 7 days: prices from its "
        "ex-date on will be lower by it, which the forecast does not take off (`--dividend DATE=AMOUNT` does)"
    ]


def test_many_tickers_share_a_sentence():
    many = {"A": USUAL, "B": POSSIBLE, "C": POSSIBLE, "D": POSSIBLE, "E": POSSIBLE, "F": NONE}
    assert taken_off(many) == ["less usual dividends: A (`--ticker` shows them)"]
    assert left_out(many) == [
        "dividends that may fall into the horizon are not taken off: B, C, D and 1 more (`--ticker` shows them)"
    ]
    assert left_out(dict.fromkeys("ABCD", NONE)) == taken_off(dict.fromkeys("ABCD", NONE)) == []
