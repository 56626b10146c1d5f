"""The dates of the next bars by the calendar of an exchange, and when a bar is over; by known holidays."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config.interval import INTERVALS
from lstm_stock.prices.calendars import sessions_between, zone_of
from lstm_stock.prices.next_bars import bar_end, next_bars

NEW_YORK = ZoneInfo("America/New_York")
WEEKLY, MONTHLY, QUARTERLY, HOURLY = (INTERVALS[name] for name in ("1wk", "1mo", "1q", "1h"))


def last_sessions(freq: str, start: str, end: str) -> pd.DatetimeIndex:
    sessions = sessions_between("XNYS", dt.date.fromisoformat(start), dt.date.fromisoformat(end))
    return pd.DatetimeIndex(pd.Series(sessions, sessions).groupby(sessions.to_period(freq)).last())


def hours(start: str, end: str, first: float = 9.5, n: int = 7) -> pd.DatetimeIndex:
    """Hourly bars of New York, dated by their starts, or with `first` 10.5 by their ends; none on half days."""
    sessions = sessions_between("XNYS", dt.date.fromisoformat(start), dt.date.fromisoformat(end))
    return pd.DatetimeIndex([day + pd.Timedelta(hours=first + k) for day in sessions for k in range(n)])


def texts(dates: pd.DatetimeIndex) -> list[str]:
    return [f"{date:%m-%d %H:%M}" for date in dates]


def test_a_week_dated_by_its_last_session_ends_before_good_friday() -> None:
    dates = last_sessions("W", "2021-01-04", "2022-04-08")
    assert [f"{one:%F}" for one in next_bars(dates, WEEKLY, "XNYS", 2)] == ["2022-04-14", "2022-04-22"]
    assert [f"{one:%F}" for one in next_bars(dates, WEEKLY, None, 2)] == ["2022-04-15", "2022-04-22"]


def test_a_month_dated_by_its_last_session_follows_the_calendar() -> None:
    dates = last_sessions("M", "2019-01-01", "2024-02-29")
    # 2024-03-29 was Good Friday.
    assert [f"{one:%F}" for one in next_bars(dates, MONTHLY, "XNYS", 2)] == ["2024-03-28", "2024-04-30"]
    quarters = last_sessions("Q", "2015-01-01", "2023-12-31")
    assert f"{next_bars(quarters, QUARTERLY, 'XNYS', 1)[0]:%F}" == "2024-03-28"


def test_hours_follow_the_sessions_with_holidays_and_half_days() -> None:
    found = texts(next_bars(hours("2024-05-01", "2024-07-02"), HOURLY, "XNYS", 6))
    assert found == [
        *("07-03 09:30", "07-03 10:30", "07-03 11:30", "07-03 12:30"),
        *("07-05 09:30", "07-05 10:30"),
    ]
    by_end = texts(next_bars(hours("2024-05-01", "2024-07-02", 10.5), HOURLY, "XNYS", 5))
    assert by_end == ["07-03 10:30", "07-03 11:30", "07-03 12:30", "07-03 13:30", "07-05 10:30"]


def test_hours_keep_a_lunch_break_and_bars_outside_sessions() -> None:
    days = sessions_between("XTKS", dt.date(2024, 8, 1), dt.date(2024, 9, 10))
    tokyo = pd.DatetimeIndex([day + pd.Timedelta(hours=hour) for day in days for hour in (9, 10, 11, 13, 14)])
    assert texts(next_bars(tokyo, HOURLY, "XTKS", 6)) == [
        *("09-11 09:00", "09-11 10:00", "09-11 11:00", "09-11 13:00", "09-11 14:00"),
        "09-12 09:00",
    ]
    extended = hours("2024-05-01", "2024-07-02", 4, 16)
    assert texts(next_bars(extended, HOURLY, "XNYS", 16))[-1] == "07-03 19:00"


def test_futures_trade_on_sunday_evenings_that_no_session_is_named_after() -> None:
    days = pd.date_range("2024-05-05", "2024-06-07", freq="D")
    of_day = {6: range(18, 24), 4: range(17), 5: range(0)}
    dates = [day + pd.Timedelta(hours=h) for day in days for h in of_day.get(day.day_of_week, range(24))]
    found = texts(next_bars(pd.DatetimeIndex(dates), HOURLY, "CMES", 7))
    assert found == [*(f"06-09 {hour}:00" for hour in range(18, 24)), "06-10 00:00"]


@pytest.mark.parametrize(
    ("label", "interval", "end"),
    [
        ("2024-06-24", WEEKLY, "2024-06-28 16:00"),
        ("2024-06-28", WEEKLY, "2024-06-28 16:00"),
        ("2024-03-25", WEEKLY, "2024-03-28 16:00"),
        ("2024-06-26", WEEKLY, "2024-07-02 16:00"),
        ("2024-03-01", MONTHLY, "2024-03-28 16:00"),
        ("2024-03-28", MONTHLY, "2024-03-28 16:00"),
        ("2024-01-01", QUARTERLY, "2024-03-28 16:00"),
        ("2024-03-31", QUARTERLY, "2024-03-28 16:00"),
        ("2024-01-01", INTERVALS["1y"], "2024-12-31 16:00"),
    ],
)
def test_a_bar_is_over_with_the_last_session_of_its_period(label, interval, end) -> None:
    time = bar_end(pd.Timestamp(label), pd.DatetimeIndex([label]), interval, "XNYS")
    assert time == dt.datetime.fromisoformat(end).replace(tzinfo=NEW_YORK)


def test_an_intraday_bar_is_over_at_its_end_or_with_the_session() -> None:
    for first, shift in ((9.5, 1.0), (10.5, 0.0)):  # dated by starts, by ends
        dates = hours("2024-05-01", "2024-07-02", first)
        label = dates[-2]
        expected = (label + pd.Timedelta(hours=shift)).tz_localize(NEW_YORK)
        assert bar_end(label, dates, HOURLY, "XNYS") == expected
    dates = hours("2024-05-01", "2024-07-02")
    assert bar_end(dates[-1], dates, HOURLY, "XNYS") == dt.datetime(2024, 7, 2, 20, tzinfo=dt.UTC)


def test_the_clock_of_an_exchange() -> None:
    assert [zone_of(code) for code in ("XNYS", "XTKS", "24/7")] == ["America/New_York", "Asia/Tokyo", "UTC"]


def test_a_day_is_a_session() -> None:
    dates = pd.DatetimeIndex(["2024-07-02", "2024-07-03"])
    np.testing.assert_array_equal(
        next_bars(dates, INTERVALS["1d"], "XNYS", 1), pd.DatetimeIndex(["2024-07-05"])
    )
