"""Features of the calendar in a ticker's own bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.config import Config
from lstm_stock.config.features import FEATURES, QUARTERS, feature_columns
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.sessions import with_session_columns
from lstm_stock.prices import calendars
from tests.helpers import random_prices

HORIZON = 3
NAMES = [
    name
    for name, spec in FEATURES.items()
    if name.startswith(("seasonal_", "max_vol_")) and not spec.of_values
]
COLUMNS = feature_columns(NAMES, HORIZON)


def prices(n_bars: int = 700, seed: int = 0) -> pd.DataFrame:
    """Random prices on the sessions of New York."""
    sessions = calendars.next_sessions("XNYS", pd.Timestamp("2015-01-01"), n_bars)
    return random_prices(n_bars, seed).set_axis(sessions, axis="index")


def table_of(table: pd.DataFrame, exchange: str | None = "XNYS") -> pd.DataFrame:
    bars = Bars.of(with_session_columns(table, exchange, HORIZON))
    return pd.DataFrame(feature_table(bars, COLUMNS, None), table.index, COLUMNS)


def surprise(table: pd.DataFrame) -> pd.Series:
    """Log variance of the day less its mean over the 22 days before, computed with pandas."""
    gap = np.log(table["open"] / table["close"].shift())
    logs = np.log(gap**2 + np.log(table["high"] / table["low"]) ** 2 / (4 * np.log(2)))
    return logs - logs.shift().rolling(22, min_periods=11).mean()


def test_a_session_looks_at_the_same_weekday_some_weeks_before():
    table = prices()
    found, wide = table_of(table), surprise(table)
    friday = pd.Timestamp("2017-03-10")
    for step, session in ((1, "2017-03-13"), (2, "2017-03-14"), (3, "2017-03-15")):
        for weeks in QUARTERS:
            day = pd.Timestamp(session) - pd.Timedelta(weeks=weeks)
            column = f"seasonal_vol_{weeks}w" + ("" if step == 1 else f"@{step}")
            assert found.loc[friday, column] == pytest.approx(wide[day], abs=1e-9), (step, weeks)
            near = wide[wide.index.get_loc(day) - 4 :][:9].max()
            assert found.loc[friday, column.replace("_vol_", "_max_")] == pytest.approx(near, abs=1e-9)
    for n_bars in (10, 25, 55):
        assert found.loc[friday, f"max_vol_{n_bars}"] == pytest.approx(
            wide[:friday].iloc[-n_bars:].max(), abs=1e-9
        )


def test_a_holiday_is_replaced_by_the_next_session():
    table = prices()
    # 13 weeks before Monday 2016-10-03 was Independence Day: the next session is Tuesday.
    assert pd.Timestamp("2016-07-04") not in table.index
    found = table_of(table).loc["2016-09-30", "seasonal_vol_13w"]
    assert found == pytest.approx(surprise(table)["2016-07-05"], abs=1e-9)


def test_a_short_history_costs_no_bars():
    found = table_of(prices())
    assert (found.iloc[:30][[f"seasonal_vol_{weeks}w" for weeks in QUARTERS]] == 0).all(axis=None)
    assert found.iloc[12:].notna().all(axis=None)


def test_the_next_session_follows_the_calendar_and_not_the_next_row():
    """A missing session is not known before: the features of the bar before it stay as they are."""
    table = prices()
    day = table.index[600]
    without = table.drop(table.index[601:605])
    pd.testing.assert_series_equal(table_of(without).loc[day], table_of(table).loc[day])
    sessions = with_session_columns(table, "XNYS", HORIZON)
    assert sessions.loc["2016-12-23", "session_1"] == pd.Timestamp("2016-12-27")
    assert with_session_columns(table, None, 1).loc["2016-12-23", "session_1"] == pd.Timestamp("2016-12-26")
    assert with_session_columns(table, "24/7", 1).loc["2016-12-23", "session_1"] == pd.Timestamp("2016-12-24")


@settings(max_examples=60, deadline=None)
@given(
    row=st.integers(60, 690),
    seed=st.integers(0, 100),
    halt=st.one_of(st.integers(0, 300), st.integers(50, 62)),
)
def test_no_feature_depends_on_later_bars(row, seed, halt):
    """Also where the ticker did not trade for `halt` sessions before the last bars."""
    table = prices(seed=seed)
    table = table.drop(table.index[max(row - 2 - halt, 30) : row - 2])
    n_past = int((table.index <= prices().index[row]).sum())
    later = table.copy()
    factors = np.random.default_rng(seed).uniform(0.5, 2, (len(table) - n_past, 1))
    later.iloc[n_past:] *= factors
    pd.testing.assert_frame_equal(
        table_of(later).iloc[:n_past], table_of(table.iloc[:n_past]), check_freq=False
    )


def test_features_by_step_have_a_column_for_each_step():
    config = Config(features=("log_return", "seasonal_vol_13w"))
    assert config.columns == ("log_return", *(f"seasonal_vol_13w{at}" for at in ("", "@2", "@3", "@4", "@5")))
    assert config.needs_sessions and not config.needs_market
    assert Config(features=("log_return", "market_trend_2")).needs_market
