"""Features of series of values: by hand, and none knows a later value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_stock.config.features import VALUE_FEATURES
from lstm_stock.dataset.features import feature_table
from lstm_stock.dataset.value_features import season_rows, value_bars
from lstm_stock.errors import UnusableTickerError


def table_of(values, dates=None):
    dates = np.datetime64("2000-01-01", "s") + 86_400 * np.arange(len(values)) if dates is None else dates
    return pd.DataFrame({"close": np.asarray(values, float)}, pd.DatetimeIndex(dates, name="date"))


def features(values, season=3, is_log=False, names=VALUE_FEATURES, dates=None):
    return feature_table(value_bars(table_of(values, dates), is_log, season), names, None)


def test_features_by_hand():
    values = [1.0, 2.0, 4.0, 2.0, 5.0, -1.0]
    names = ("change", "seasonal_change", "seasonal_change@2", "seasonal_change@4", "seasonal_difference")
    found = features(values, names=names)
    # Of the last value, -1: the season before had 2, 5, -1 next, and -1 was 4.
    np.testing.assert_allclose(found[-1], [-6.0, 3.0, 6.0, 3.0, -5.0])
    np.testing.assert_allclose(features(np.exp(values), is_log=True, names=names), found)


def test_the_deviation_is_from_the_mean_of_the_last_seasons():
    values = np.arange(100.0)
    found = features(values, season=20, names=("deviation",))[:, 0]
    assert np.isnan(found[:19]).all()
    assert found[-1] == 99 - values[-60:].mean()


def test_the_season_is_found_by_date_where_values_are_missing():
    keep = np.delete(np.arange(20), [8, 9])
    dates = np.datetime64("2000-01-01", "s") + 86_400 * keep
    bars = value_bars(table_of(keep, dates), False, 7)
    rows = season_rows(bars, np.array([1, 2]))
    # After day 15: the day before days 9 and 10, of which day 9 is missing and day 7 the last one before it.
    row = keep.tolist().index(15)
    assert keep[rows[row]].tolist() == [7, 10]


@given(st.lists(st.floats(-1e6, 1e6), min_size=40, max_size=60), st.integers(1, 39), st.integers(1, 9))
def test_no_feature_knows_a_later_value(values, row, season):
    names = (*VALUE_FEATURES, "seasonal_change@2")
    changed = [*values[: row + 1], *(one + 1 for one in values[row + 1 :])]
    ours, theirs = (features(one, season, names=names)[: row + 1] for one in (values, changed))
    np.testing.assert_array_equal(ours, theirs)


def test_a_log_ratio_needs_values_above_zero():
    with pytest.raises(
        UnusableTickerError, match="the value of 2000-01-03 is 0, and a log ratio needs"
    ) as error:
        value_bars(table_of([1.0, 2.0, 0.0, 3.0]), True, 1)
    assert "target=difference" in error.value.hint
