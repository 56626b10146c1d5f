from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config.interval import INTERVALS
from lstm_stock.prices.fetch import fetch_prices
from lstm_stock.prices.quality import n_dead_bars, quality_warnings, session_mismatches, session_notes
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.table import PRICES
from tests.helpers import random_prices


def scaled(table: pd.DataFrame, rows: slice, factor: float, volume: float = 1.0) -> pd.DataFrame:
    """Multiply the prices of some rows, as a split or another unit would."""
    table = table.copy()
    columns = [table.columns.get_loc(name) for name in PRICES]
    table.iloc[rows, columns] *= factor
    table.iloc[rows, table.columns.get_loc("volume")] *= volume
    return table


def test_good_prices_give_no_warning():
    assert quality_warnings(fetch_prices("AAPL", FetchOptions("sample")).table) == []
    for seed in range(30):
        assert quality_warnings(random_prices(1500, seed, volatility=0.02)) == []


@pytest.mark.parametrize(
    ("factor", "ratio"), [(1 / 4, "4:1"), (1 / 2, "2:1"), (2 / 3, "3:2"), (10, "1:10"), (1 / 20, "20:1")]
)
def test_a_jump_by_a_split_ratio_is_reported(factor, ratio):
    table = scaled(random_prices(300), slice(200, None), factor)
    (note,) = quality_warnings(table)
    assert f"on {table.index[200]:%F}, as at a split of {ratio}, and no split is recorded" in note
    table.iloc[200, table.columns.get_loc("splits")] = 1 / factor
    (note,) = quality_warnings(table)
    assert "is recorded, but not applied" in note


def test_a_crash_during_a_session_and_a_wrong_bar_are_no_splits():
    table = scaled(random_prices(300), slice(200, None), 0.5)
    table.iloc[200, table.columns.get_loc("open")] *= 2
    table.iloc[200, table.columns.get_loc("high")] *= 2.1
    assert quality_warnings(table) == []
    assert quality_warnings(scaled(random_prices(300), slice(200, 201), 0.5)) == []


@pytest.mark.parametrize("rows", [slice(200, 201), slice(200, None), slice(150, 160)])
@pytest.mark.parametrize("factor", [100, 0.01])
def test_another_unit_is_reported(rows, factor):
    table = scaled(random_prices(300), rows, factor)
    notes = quality_warnings(table)
    assert any(
        "the close jumps 100-fold" in note and f"{table.index[rows.start]:%F}" in note for note in notes
    )


def test_a_high_in_another_unit_is_reported():
    table = random_prices(300)
    table.iloc[7, table.columns.get_loc("high")] *= 100
    assert any(
        f"on 1 date: {table.index[7]:%F}" in note and "100 times the low" in note
        for note in quality_warnings(table)
    )


def test_zero_opens_are_reported_with_their_span():
    table = random_prices(300)
    table.iloc[:50, table.columns.get_loc("open")] = 0.0
    (note,) = quality_warnings(table)
    assert f"the open is 0 on 50 dates, {table.index[0]:%F} to {table.index[49]:%F}" in note


def test_runs_of_zero_volume_are_reported_unless_there_never_is_any():
    table = random_prices(300)
    table["volume"] = 0.0
    assert quality_warnings(table) == []
    table = random_prices(300)
    column = table.columns.get_loc("volume")
    table.iloc[10:14, column] = 0.0
    assert quality_warnings(table) == []
    table.iloc[[*range(20, 25), *range(40, 47)], column] = 0.0
    (note,) = quality_warnings(table)
    assert "5 or more bars 2 times, the longest for 7 from" in note
    assert f"from {table.index[40]:%F} to {table.index[46]:%F}" in note


@pytest.mark.parametrize("name", ["close", "open"])
def test_a_price_outside_of_the_days_range_is_reported(name):
    table = random_prices(300)
    table.iloc[5, table.columns.get_loc(name)] = table["high"].iloc[5] * 1.001
    table.iloc[9, table.columns.get_loc(name)] = table["low"].iloc[9] * 0.999
    (note,) = quality_warnings(table)
    assert f"the {name} lies outside low to high on 2 dates: {table.index[5]:%F}, {table.index[9]:%F}" in note
    table = random_prices(300)
    table.iloc[5, table.columns.get_loc(name)] = table["high"].iloc[5] * (1 + 1e-6)  # rounding
    assert quality_warnings(table) == []


def test_one_adj_close_that_is_ten_times_off_is_reported():
    table = random_prices(300)
    table.iloc[200, table.columns.get_loc("adj_close")] *= 10
    (note,) = quality_warnings(table)
    days = f"{table.index[200]:%F}, {table.index[201]:%F}"
    assert note == f"suspicious: the adj_close jumps against the close on 2 dates: {days}"


@pytest.mark.parametrize(("n", "found"), [(19, 0), (20, 20), (120, 120)])
def test_bars_without_a_trade_at_the_end_are_counted(n, found):
    table = random_prices(300)
    table.iloc[-n:, [table.columns.get_loc(name) for name in PRICES]] = table["close"].iloc[-n - 1]
    assert n_dead_bars(table) == found
    notes = [note for note in quality_warnings(table) if "left out" in note]
    assert len(notes) == bool(found)
    table.iloc[-1, table.columns.get_loc("high")] *= 1.01  # traded again
    assert n_dead_bars(table) == 0


def test_nothing_is_rewritten():
    table = scaled(random_prices(300), slice(200, None), 0.25)
    table.iloc[3, table.columns.get_loc("open")] = 0.0
    before = table.copy()
    quality_warnings(table)
    session_mismatches(table, "XNYS")
    pd.testing.assert_frame_equal(table, before)


def test_the_shortest_tables():
    for n in (1, 2):
        assert quality_warnings(random_prices(n)) == []
        assert session_mismatches(random_prices(n), None).dates == frozenset()


def on(*dates: str) -> pd.DataFrame:
    return random_prices(len(dates)).set_axis(pd.DatetimeIndex(dates, name="date").as_unit("s"))


def test_missing_and_surplus_sessions_are_reported():
    table = on("2020-01-02", "2020-01-03", "2020-01-04", "2020-01-07", "2020-01-08")  # Thursday to Wednesday
    odd = session_mismatches(table, "XNYS")
    assert odd.dates == {"2020-01-04", "2020-01-06"}
    assert session_notes(odd, "XNYS", "yahoo", frozenset()) == [
        "1 session of XNYS without a bar: 2020-01-06; the next fetch requests them again",
        "1 bar on a day without a session of XNYS: 2020-01-04; the next fetch requests them again",
    ]
    assert session_notes(odd, "XNYS", "yahoo", frozenset({"2020-01-06"}))[0].endswith(
        "; a second request changed nothing"
    )


def test_many_dates_are_counted():
    every = [f"{day:%F}" for day in pd.date_range("2020-01-01", "2020-01-31")]
    odd = session_mismatches(on(*every), "XNYS")
    (note,) = session_notes(odd, "XNYS", "yahoo", frozenset())
    assert note.startswith(
        "10 bars on a day without a session of XNYS: 2020-01-01, 2020-01-04, 2020-01-05 and 7 more"
    )


def test_years_without_a_calendar_are_not_checked():
    old = pd.bdate_range("1980-01-01", "1980-12-31")  # Tokyo's holidays are recorded from 1997 on
    new = pd.DatetimeIndex(["2020-01-06", "2020-01-08"])
    odd = session_mismatches(on(*(f"{day:%F}" for day in (*old, *new))), "XTKS")
    assert {"2020-01-07"} <= odd.dates
    assert all(date > "1997" for date in odd.dates)
    assert session_mismatches(on("2020-01-04", "2020-01-09"), "24/7").missing.day.tolist() == [5, 6, 7, 8]
    assert np.all(session_mismatches(on("2020-01-03", "2020-01-06"), "24/5").dates == frozenset())


@pytest.mark.parametrize("factor", [10, 1000, 0.1])
def test_a_bar_far_from_its_neighbours_is_told(factor):
    table = random_prices(200)
    table.loc[table.index[120], ["open", "high", "low", "close", "adj_close"]] *= factor
    found = [text for text in quality_warnings(table) if "far from those" in text]
    assert len(found) == 1
    assert f"{table.index[120]:%F}" in found[0]


def test_a_price_that_stays_at_another_level_is_no_outlier():
    table = random_prices(200)
    table.loc[table.index[120:], ["open", "high", "low", "close", "adj_close"]] *= 10
    assert not any("far from" in text for text in quality_warnings(table))


def test_a_hole_is_told_where_no_calendar_finds_it():
    table = random_prices(300)
    cut = pd.concat([table.iloc[:100], table.iloc[160:]])
    (text,) = quality_warnings(cut, None)
    assert f"the longest from {table.index[99]:%F} to {table.index[160]:%F}" in text
    assert quality_warnings(cut, "XNYS") == quality_warnings(table, None) == []
    weeks = table.set_index(pd.date_range("2015-01-02", periods=300, freq="W-FRI", unit="s", name="date"))
    assert quality_warnings(weeks, "XNYS", INTERVALS["1wk"]) == []
    assert len(quality_warnings(weeks.drop(weeks.index[50:53]), "XNYS", INTERVALS["1wk"])) == 1
