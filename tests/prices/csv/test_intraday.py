"""Intraday bars of a CSV file: their times on the exchange's clock, and bars that are not over."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from lstm_stock.errors import DataError
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into
from tests.helpers import random_prices

LATER = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def file(folder, times, name="h.csv"):
    table = random_prices(len(times))[["open", "high", "low", "close", "volume"]]
    table.insert(0, "Datetime", list(times))
    table.to_csv(folder / name, index=False)
    return folder / name


def fetch(folder, path, now=LATER, **options):
    return fetch_into(Store(folder), "X", FetchOptions("csv", csv_path=path, now=now, **options))


def new_york(freq="1h", days=30, start="2024-02-20"):
    """Bars of New York's sessions over its clock change of March 10."""
    found = []
    for day in pd.bdate_range(start, periods=days, tz="America/New_York"):
        found += list(pd.date_range(day + pd.Timedelta("9h30m"), day + pd.Timedelta("15h59m"), freq=freq))
    return pd.DatetimeIndex(found)


@pytest.mark.parametrize("written", ["offset", "utc", "naive"])
def test_hours_are_kept_on_the_clock_of_the_exchange(tmp_path, written):
    times = new_york()
    cells = {
        "offset": times.map(str),
        "utc": times.tz_convert("UTC").map(str),
        "naive": times.tz_localize(None).map(str),
    }[written]
    done = fetch(tmp_path, file(tmp_path, cells), exchange="XNYS")
    assert "interval: 1h, hourly bars" in done.notes
    np.testing.assert_array_equal(done.history.table.index, times.tz_localize(None))
    again = Store(tmp_path).read("X")
    np.testing.assert_array_equal(again.table.index, times.tz_localize(None))


def test_without_an_exchange_the_times_stay_as_written(tmp_path):
    times = new_york("15min", days=8)
    done = fetch(tmp_path, file(tmp_path, times.map(str)))
    assert "interval: 15m, quarter-hourly bars" in done.notes
    assert "times of day as written" in done.notes[0]
    np.testing.assert_array_equal(done.history.table.index, times.tz_localize(None))


def test_hours_of_local_time_repeat_when_clocks_are_put_back_and_become_utc(tmp_path):
    times = pd.date_range("2024-10-20", "2024-11-10", freq="1h", tz="Europe/Berlin")
    done = fetch(tmp_path, file(tmp_path, times.map(str)))
    assert "times of day in UTC" in done.notes[0]
    assert done.history.provenance.exchange == "24/7"
    np.testing.assert_array_equal(done.history.table.index, times.tz_convert("UTC").tz_localize(None))


def test_an_hour_that_is_not_over_is_left_out(tmp_path):
    times = new_york()
    now = (times[-1] + pd.Timedelta("20min")).to_pydatetime()
    done = fetch(tmp_path, file(tmp_path, times.map(str)), now, exchange="XNYS")
    assert len(done.history.table) == len(times) - 1
    assert any(note.startswith("left out 1 bar from 2024-04-01T15:30 on") for note in done.notes)
    partial = fetch(tmp_path, tmp_path / "h.csv", now, exchange="XNYS", include_partial=True)
    assert len(partial.history.table) == len(times)


def test_daily_bars_with_times_of_day_stay_daily(tmp_path):
    days = pd.bdate_range("2024-01-02", periods=60, tz="America/New_York") + pd.Timedelta("16h")
    for cells in (days.map(str), days.tz_convert("UTC").map(str)):
        done = fetch(tmp_path, file(tmp_path, cells), refresh=True)
        assert done.history.interval.is_daily


def test_bars_of_ten_minutes_are_refused_by_their_spacing(tmp_path):
    times = new_york("10min", days=8)
    with pytest.raises(DataError, match="10 minutes apart"):
        fetch(tmp_path, file(tmp_path, times.map(str)))
