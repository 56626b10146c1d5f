"""Weeks and months joined from daily bars, compared with pandas' resampling; and those that are not over."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from lstm_stock.config.interval import INTERVALS
from lstm_stock.errors import DataError
from lstm_stock.prices.join import join_bars
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into
from tests.helpers import random_prices

HOW = {
    **{"open": "first", "high": "max", "low": "min", "close": "last", "adj_close": "last"},
    **{"volume": "sum", "dividends": "sum", "splits": "sum"},
}


@pytest.mark.parametrize(("name", "rule"), [("1wk", "W-MON"), ("1mo", "MS"), ("1q", "QS"), ("1y", "YS")])
def test_bars_are_joined_as_pandas_resamples_them(name, rule):
    table = random_prices(900)
    table.iloc[[100, 400], 6] = 0.5
    table.iloc[300, 7] = 2.0
    options = {"label": "left", "closed": "left"} if name == "1wk" else {}
    expected = table.resample(rule, **options).agg(HOW)
    joined = join_bars(table, INTERVALS[name])
    pd.testing.assert_frame_equal(joined, expected, check_freq=False, check_index_type=False)


def test_a_week_of_the_sample_that_is_cut_is_left_out(tmp_path):
    def fetch(**options):
        return fetch_into(Store(tmp_path), "AAPL", FetchOptions("sample", interval="1wk", **options))

    done = fetch(end=dt.date(2020, 6, 24), start=dt.date(2020, 1, 1))  # Wednesdays
    assert [f"{date:%F}" for date in done.history.table.index[[0, -1]]] == ["2020-01-06", "2020-06-15"]
    assert any(note.startswith("left out 1 bar from 2020-06-22 on") for note in done.notes)
    whole = fetch(refresh=True, now=dt.datetime(2023, 12, 28, 12, tzinfo=dt.UTC)).history
    assert f"{whole.table.index[-1]:%F}" == "2023-12-18"
    partial = fetch(refresh=True, now=dt.datetime(2023, 12, 28, 12, tzinfo=dt.UTC), include_partial=True)
    assert partial.history.provenance.partial == "2023-12-25"
    with pytest.raises(DataError, match="no hourly bars in this program"):
        fetch_into(Store(tmp_path), "AAPL", FetchOptions("sample", interval="1h"))
