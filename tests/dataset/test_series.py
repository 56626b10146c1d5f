from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.dataset.scaler import SCALERS
from lstm_stock.dataset.series import FittedTicker, WindowSpec, apply_ticker, fit_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.volatility import VOLATILITY_WARM_UP
from lstm_stock.dataset.windows import Windows, make_windows, windows_of, windows_up_to
from lstm_stock.distributions import Mixture, Normal, PointForecast, QuantileFan
from lstm_stock.errors import DataError
from lstm_stock.prices.table import adjusted
from tests.helpers import random_prices

RETURNS = WindowSpec(
    ("log_return", "log_range", "log_trailing_vol"), "log_return", "trailing_vol", 10, 3, "minmax"
)
LEVELS = WindowSpec(("open", "close", "volume"), "close", "none", 10, 3, "minmax")
DATES = np.arange("2020-01-01", "2020-12-31", dtype="datetime64[D]")
SPLIT = Split(DATES[200], DATES[300])


def series_of(spec: WindowSpec, n_bars: int = 365, seed: int = 0):
    table = random_prices(n_bars, seed)
    table.index = table.index[:0].append(
        type(table.index)(DATES[:n_bars].astype("datetime64[s]"), name="date")
    )
    return table, fit_ticker("AAA", adjusted(table), spec, SPLIT)


@given(
    n_bars=st.integers(1, 60),
    n_features=st.integers(1, 3),
    look_back=st.integers(1, 20),
    horizon=st.integers(1, 5),
)
def test_every_window_exists_and_its_past_ends_where_its_future_starts(
    n_bars, n_features, look_back, horizon
):
    values = np.repeat(np.arange(float(n_bars))[:, None], n_features, axis=1)
    expected = n_bars - look_back - horizon + 1
    if expected < 1:
        with pytest.raises(DataError, match=f"one window needs {look_back + horizon} bars"):
            make_windows(values, look_back, horizon)
        return
    x, y = make_windows(values, look_back, horizon)
    assert x.shape == (expected, look_back, n_features)
    assert y.shape == (expected, horizon, n_features)
    assert (np.diff(x, axis=1) == 1).all()
    assert (y[:, 0] - x[:, -1] == 1).all()
    assert x[0, 0, 0] == 0 and y[-1, -1, 0] == n_bars - 1
    assert np.shares_memory(x, values) and np.shares_memory(y, values)
    assert not x.flags.writeable


@settings(deadline=None, max_examples=50)
@given(n=st.integers(20, 500), val=st.floats(0.05, 0.45), test=st.floats(0.05, 0.45))
def test_shares_cut_the_dates_in_order_and_in_proportion(n, val, test):
    dates = DATES[:1] + np.arange(n)
    split = Split.by_share(dates, val, test)
    val_row, test_row = split.first_rows(dates)
    assert 0 < val_row < test_row < n
    assert abs((n - test_row) - test * n) <= 0.5
    assert abs((test_row - val_row) - val * n) <= 0.5


def test_shares_that_leave_a_part_empty_are_refused():
    with pytest.raises(DataError, match=r"4 bars cannot be split into train, 0.1 for val and 0.1 for test"):
        Split.by_share(DATES[:4], 0.1, 0.1)


def test_a_split_between_bars_starts_with_the_bar_after_it():
    split = Split(np.datetime64("2020-03-01"), np.datetime64("2020-05-02"))
    weekdays = DATES[np.is_busday(DATES)]
    val_row, test_row = split.first_rows(weekdays)
    assert (str(weekdays[val_row]), str(weekdays[test_row])) == ("2020-03-02", "2020-05-04")


@pytest.mark.parametrize("spec", [RETURNS, LEVELS], ids=["returns", "levels"])
def test_no_label_crosses_a_border_and_no_cutoff_is_lost(spec):
    _, series = series_of(spec)
    parts = {part: windows_of(series, spec, SPLIT, part) for part in ("train", "val", "test")}
    assert parts["train"].future_rows.max() == 199
    assert parts["val"].future_rows.min() == 200
    assert parts["val"].future_rows.max() == 299
    assert parts["test"].future_rows.min() == 300
    assert parts["test"].future_rows.max() == 364
    purged = 2 * (spec.horizon - 1)
    all_windows = 365 - series.first - spec.look_back - spec.horizon + 1
    assert sum(map(len, parts.values())) == all_windows - purged


def test_levels_need_no_warm_up_and_returns_wait_for_the_volatility():
    assert series_of(LEVELS)[1].first == 0
    assert series_of(RETURNS)[1].first == VOLATILITY_WARM_UP + 1


def test_inputs_end_at_the_cutoff_and_targets_start_after_it():
    table, series = series_of(LEVELS)
    windows = Windows(series, LEVELS, np.array([50, 120]))
    close = table["close"].to_numpy()
    low, span = close[:200].min(), np.ptp(close[:200])
    np.testing.assert_allclose(windows.inputs[1, -1, 1], (close[120] - low) / span, rtol=1e-5)
    np.testing.assert_allclose(windows.inputs[1, 0, 1], (close[111] - low) / span, rtol=1e-5)
    np.testing.assert_allclose(windows.targets[0], (close[51:54] - low) / span, rtol=1e-5)
    np.testing.assert_allclose(windows.returns[1], np.log(close[121:124] / close[120]))


def test_return_targets_are_in_units_of_trailing_volatility_and_the_root_of_the_step():
    table, series = series_of(RETURNS)
    windows = Windows(series, RETURNS, np.array([150]))
    returns = np.diff(np.log(table["close"].to_numpy()))[:150]
    weights = 0.94 ** np.arange(150)[::-1]
    volatility = np.sqrt(np.sum(weights * returns**2) / weights.sum())
    expected = windows.returns[0] / (volatility * np.sqrt([1, 2, 3]))
    np.testing.assert_allclose(windows.targets[0], expected, rtol=1e-5)


def test_the_target_scale_none_is_the_standard_deviation_of_the_train_returns():
    spec = WindowSpec(("log_return",), "log_return", "none", 10, 2, "standard")
    table, series = series_of(spec)
    train_returns = np.diff(np.log(table["close"].to_numpy()[:200]))
    np.testing.assert_allclose(series.volatility_scale, train_returns.std(), rtol=1e-6)
    assert series.first == 1


def test_the_scaler_is_fitted_on_train_bars_and_nothing_after_them():
    table, series = series_of(RETURNS)
    changed = table.copy()
    changed.iloc[200:] *= np.random.default_rng(1).uniform(0.2, 9, (165, 1))
    loaded = fit_ticker("AAA", adjusted(changed), RETURNS, SPLIT)
    assert loaded.fitted.to_json() == series.fitted.to_json()
    np.testing.assert_array_equal(loaded.inputs[:200], series.inputs[:200])
    changed.iloc[199] *= 1.5
    assert fit_ticker("AAA", adjusted(changed), RETURNS, SPLIT).fitted.to_json() != series.fitted.to_json()


@pytest.mark.parametrize("scaler", SCALERS)
def test_a_feature_that_is_constant_on_the_train_bars_is_named(scaler):
    table, series = series_of(LEVELS)
    assert series.constant_features(SPLIT) == []
    table["volume"] = np.where(np.arange(len(table)) < 200, 7.0, 8.0)
    series = fit_ticker("AAA", adjusted(table), replace(LEVELS, scaler=scaler), SPLIT)
    assert series.constant_features(SPLIT) == ["volume"]


def test_a_saved_scaler_gives_the_same_series():
    table, series = series_of(RETURNS)
    scaler = FittedTicker.from_json(json.loads(json.dumps(series.fitted.to_json())), RETURNS.target_scale)
    loaded = apply_ticker("AAA", adjusted(table), RETURNS, scaler)
    np.testing.assert_array_equal(loaded.inputs, series.inputs)
    np.testing.assert_array_equal(loaded.volatility_scale, series.volatility_scale)


def test_the_newest_window_needs_no_future():
    _, series = series_of(RETURNS)
    window = windows_up_to(series, RETURNS, 364)
    np.testing.assert_array_equal(window.inputs[0], series.inputs[355:])
    with pytest.raises(
        DataError, match=r"one window needs 31 bars \(`look_back` 10 \+ warm-up 21\), but AAA"
    ):
        windows_up_to(series, RETURNS, 25)


def test_too_few_bars_and_a_constant_close_are_errors():
    table = random_prices(240)
    split = Split.by_share(table.index.to_numpy().astype("datetime64[D]"), 0.1, 0.8)
    with pytest.raises(DataError, match=r"one window needs 34 bars .* but the train part of AAA has 24"):
        fit_ticker("AAA", adjusted(table), RETURNS, split)
    table.loc[:, ["open", "high", "low", "close", "adj_close"]] = 7.0
    split = Split.by_share(table.index.to_numpy().astype("datetime64[D]"), 0.2, 0.2)
    with pytest.raises(DataError, match="close of AAA never changes on its 144 train bars"):
        fit_ticker("AAA", adjusted(table), RETURNS, split)


def test_a_part_shorter_than_the_horizon_has_no_window():
    _, series = series_of(LEVELS)
    with pytest.raises(DataError, match="the val part of AAA has 2 bars: not one window"):
        windows_of(series, LEVELS, Split(DATES[200], DATES[202]), "val")


def test_forecasts_of_returns_are_converted_to_log_returns():
    _, series = series_of(RETURNS)
    windows = Windows(series, RETURNS, np.array([150, 151]))
    forecast = windows.to_returns(Normal(np.zeros((2, 3)), np.ones((2, 3))))
    np.testing.assert_allclose(forecast.quantile(0.975), 1.959964 * windows.volatility_scale, rtol=1e-6)


def test_forecasts_of_the_close_are_converted_to_log_returns():
    _, series = series_of(LEVELS)
    windows = Windows(series, LEVELS, np.array([150, 151]))
    point = windows.to_returns(PointForecast(windows.targets.astype(np.float64)))
    np.testing.assert_allclose(point.median(), windows.returns, atol=1e-6)
    levels = np.array([0.25, 0.5, 0.75])
    values = windows.targets[..., None].astype(np.float64) + np.array([-0.1, 0.0, 0.1])
    forecast = windows.to_returns(Mixture([QuantileFan(levels, values), QuantileFan(levels, values)]))
    np.testing.assert_allclose(forecast.quantile(0.5), windows.returns, atol=1e-6)
    with pytest.raises(TypeError, match="a Normal of prices has probability below zero"):
        windows.to_returns(Normal(np.zeros((2, 3)), np.ones((2, 3))))


def test_a_level_forecast_below_zero_counts_as_one_percent_of_the_last_close():
    _, series = series_of(LEVELS)
    windows = Windows(series, LEVELS, np.array([150]))
    forecast = windows.to_returns(PointForecast(np.full((1, 3), -1e6)))
    np.testing.assert_allclose(np.exp(forecast.median()), 0.01)


def test_a_forecast_needs_only_bars_after_the_last_open_of_zero():
    spec = WindowSpec(("log_return", "open_gap"), "log_return", "trailing_vol", 10, 3, "minmax")
    table, series = series_of(spec)
    table.iloc[90, table.columns.get_loc("open")] = 0.0
    loaded = apply_ticker("AAA", adjusted(table), spec, series.fitted)
    assert loaded.first == 91
    np.testing.assert_array_equal(loaded.inputs[91:], series.inputs[91:])
    with pytest.raises(DataError, match=r"cannot be computed on the bar of 2020-03-31, probably"):
        fit_ticker("AAA", adjusted(table), spec, SPLIT)
