"""The interval of a series, and the dates that come next, compared with pandas' own date ranges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config.interval import INTERVALS
from lstm_stock.prices.interval import Times, find_interval, next_times, spacing


def _times(dates: pd.DatetimeIndex) -> Times:
    return dates.to_numpy().astype("datetime64[s]")


def _weekdays(first: Times, last: Times) -> Times:
    return pd.bdate_range(first, last).to_numpy().astype("datetime64[D]")


FREQUENCIES = [
    ("5min", "5m"),
    ("15min", "15m"),
    ("30min", "30m"),
    ("h", "1h"),
    ("4h", "4h"),
    ("D", "1d"),
    ("B", "1d"),
    ("W-FRI", "1wk"),
    ("W-MON", "1wk"),
    ("MS", "1mo"),
    ("ME", "1mo"),
    ("BMS", "1mo"),
    ("BME", "1mo"),
    ("QE", "1q"),
    ("BQE", "1q"),
    ("YE", "1y"),
    ("YS", "1y"),
]


@pytest.mark.parametrize(("frequency", "name"), FREQUENCIES)
def test_the_interval_is_found_and_continued(frequency: str, name: str) -> None:
    dates = _times(pd.date_range("2010-01-31", periods=110, freq=frequency))
    interval = find_interval(dates[:100])
    assert interval is INTERVALS[name]
    days = _weekdays if frequency.startswith("B") else None
    np.testing.assert_array_equal(next_times(dates[:100], interval, 10, days), dates[100:])


@pytest.mark.parametrize("name", ["1h", "1d", "1wk", "1mo"])
def test_missing_values_do_not_hide_the_interval(name: str) -> None:
    frequency = {"1h": "h", "1d": "B", "1wk": "W-FRI", "1mo": "MS"}[name]
    dates = _times(pd.date_range("2015-01-01", periods=200, freq=frequency))
    kept = np.random.default_rng(1).random(200) > 0.1
    assert find_interval(dates[kept]) is INTERVALS[name]


def test_few_dates_and_irregular_ones_are_of_no_other_interval() -> None:
    assert find_interval(_times(pd.date_range("2020-01-01", periods=4, freq="W"))) is INTERVALS["1d"]
    irregular = np.array([0, 11, 15, 40, 47, 90, 99, 120, 161, 180, 183], "datetime64[D]")
    assert find_interval(irregular) is None
    ten_minutes = _times(pd.date_range("2020-01-01", periods=20, freq="10min"))
    assert find_interval(ten_minutes) is None
    assert spacing(ten_minutes) == "10 minutes"


def test_weeks_dated_by_their_last_session_follow_the_holidays() -> None:
    good_friday = np.datetime64("2022-04-15")

    def days(first: Times, last: Times) -> Times:
        weekdays = _weekdays(first, last)
        return weekdays[(weekdays != good_friday) & (weekdays != np.datetime64("2021-12-24"))]

    fridays = _times(pd.date_range("2021-11-05", "2022-04-08", freq="W-FRI"))
    last_sessions = np.where(fridays == np.datetime64("2021-12-24"), fridays - 86_400, fridays)
    weekly = INTERVALS["1wk"]
    assert str(next_times(last_sessions, weekly, 1, days)[0]) == "2022-04-14T00:00:00"
    assert str(next_times(fridays, weekly, 1, days)[0]) == "2022-04-15T00:00:00"


def test_an_intraday_series_continues_with_the_times_of_its_days_and_stops_at_an_early_close() -> None:
    opens = pd.bdate_range("2024-06-03", "2024-07-02")
    hours = [pd.Timedelta(hours=9.5 + k) for k in range(7)]
    times = _times(pd.DatetimeIndex([day + hour for day in opens for hour in hours]))
    hourly = INTERVALS["1h"]
    assert find_interval(times) is hourly

    def is_open(of_day: Times) -> Times:
        early = of_day < np.datetime64("2024-07-03T13:00")
        return of_day[early | (of_day >= np.datetime64("2024-07-04"))]

    following = next_times(times[:-2], hourly, 8, is_open=is_open)
    assert [str(one)[5:16] for one in following] == [
        *("07-02T14:30", "07-02T15:30", "07-03T09:30", "07-03T10:30", "07-03T11:30", "07-03T12:30"),
        *("07-04T09:30", "07-04T10:30"),
    ]
