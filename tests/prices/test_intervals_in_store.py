"""Bars of other intervals than a day: found in a file, kept beside the daily ones, and told apart."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from lstm_stock.errors import DataError
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into
from tests.helpers import random_prices


def csv(folder, freq, name="x.csv", n=60):
    table = random_prices(n, volatility=0.03)
    table.index = pd.date_range("2015-01-02", periods=n, freq=freq, name="date")
    table[["open", "high", "low", "close", "volume"]].to_csv(folder / name)
    return folder / name


def fetch(store, path, **options):
    return fetch_into(store, "X", FetchOptions("csv", csv_path=path, **options))


@pytest.mark.parametrize(
    ("freq", "name", "word"),
    [("W-FRI", "1wk", "weekly"), ("MS", "1mo", "monthly"), ("BQE", "1q", "quarterly")],
)
def test_the_interval_of_a_file_is_found_and_told(tmp_path, freq, name, word):
    store = Store(tmp_path)
    done = fetch(store, csv(tmp_path, freq))
    assert f"interval: {name}, {word} bars" in done.notes
    assert not any("24/7" in note or "without a bar" in note for note in done.notes)
    assert done.history.provenance.interval == name
    assert store.read("X").interval.name == store.interval_of("X") == name
    assert store.path("X") == tmp_path / "prices" / name / "X.parquet"
    assert store.series() == [("X", name)]


def test_bars_of_several_intervals_stay_side_by_side(tmp_path):
    store = Store(tmp_path)
    fetch(store, csv(tmp_path, "W-FRI"))
    fetch(store, csv(tmp_path, "B"))
    assert store.read("X").interval.is_daily
    assert store.at("1wk").read("X").interval.name == "1wk"
    assert (store.tickers(), store.unknown_files()) == (["X"], [])
    assert store.series() == [("X", "1d"), ("X", "1wk")]
    with pytest.raises(DataError, match="no monthly bars of X, only daily and weekly ones"):
        store.at("1mo").require(["X"])
    moved = tmp_path / "prices" / "1mo" / "X.parquet"
    moved.parent.mkdir()
    moved.write_bytes(store.at("1wk").path("X").read_bytes())
    with pytest.raises(DataError, match="it holds weekly bars"):
        store.at("1mo").read("X")


def test_the_file_of_daily_bars_names_no_interval(tmp_path):
    store = Store(tmp_path)
    fetch(store, csv(tmp_path, "B"))
    assert b"interval" not in pq.read_schema(store.path("X")).metadata[b"lstm_stock"]


def test_what_the_user_says_must_be_what_the_dates_show(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(DataError, match=r"are daily \(1 day apart\), not weekly"):
        fetch(store, csv(tmp_path, "B"), interval="1wk")
    with pytest.raises(DataError, match="12 days apart") as error:
        fetch(store, csv(tmp_path, "12D"))
    assert "--interval 1d" in error.value.hint
    assert fetch(store, csv(tmp_path, "12D"), interval="1d").history.interval.is_daily
    assert fetch(store, csv(tmp_path, "W", n=4), interval="1wk").history.interval.name == "1wk"


def test_a_second_file_of_the_same_bars_adds_the_new_ones(tmp_path):
    store = Store(tmp_path)
    fetch(store, csv(tmp_path, "W-FRI", n=60))
    done = fetch(store, csv(tmp_path, "W-FRI", n=70, name="longer.csv"))
    assert (len(done.history.table), done.n_new) == (70, 10)
