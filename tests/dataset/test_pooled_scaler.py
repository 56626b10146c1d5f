"""The scaler `pooled`: one for all tickers of a run, of mean 0 and deviation 1 over their train bars."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.config import load_config
from lstm_stock.dataset.build import SplitWindows, refit_windows, windows_by_split
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.scaler import Scaler, fit_scaler, pool
from lstm_stock.dataset.series import FittedTicker, apply_ticker, window_spec
from lstm_stock.dataset.split import Split
from lstm_stock.prices.table import adjusted, days_of
from tests.helpers import random_prices

TABLES = {
    "AAA": adjusted(random_prices(400, 1, volatility=0.005)),
    "BBB": adjusted(random_prices(330, 2, start="2015-04-09", volatility=0.04)),
}
SPLIT = Split.by_share(days_of(TABLES["AAA"]), 0.2, 0.2)
CONFIG = load_config(
    None,
    [
        "data.tickers=[AAA,BBB]",
        "features=[log_return,vol_month,log_trailing_vol]",
        "window.look_back=10",
        "scaler=pooled",
    ],
)
SPEC, LOADER = window_spec(CONFIG), BarLoader(TABLES.__getitem__)


@pytest.fixture(scope="module")
def cut() -> SplitWindows:
    return windows_by_split(["AAA", "BBB"], LOADER, SPEC, SPLIT)


def pooled(*tables: np.ndarray) -> Scaler:
    names = [f"f{i}" for i in range(tables[0].shape[1])]
    return pool([fit_scaler("pooled", names, table) for table in tables], [len(table) for table in tables])


def raw_features(ticker: str) -> np.ndarray:
    bars = Bars.of(TABLES[ticker])
    return feature_table(bars, SPEC.features, bars.volatility)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_mean_and_deviation_are_those_of_all_rows_together(seed, sizes):
    random = np.random.default_rng(seed)
    tables = [random.normal(random.normal(0, 5, 3), random.uniform(0.1, 5, 3), (n, 3)) for n in (*sizes, 2)]
    scaler, rows = pooled(*tables), np.concatenate(tables)
    np.testing.assert_allclose(scaler.offset, rows.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaler.scale, rows.std(axis=0), rtol=1e-9)


def test_values_are_clipped_four_deviations_below_and_six_above_the_mean():
    scaler = pooled(np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))  # mean 2, deviation 1
    scaled = scaler.transform(np.array([[-50.0], [-2.5], [-1.5], [2.0], [7.5], [8.5], [50.0]]))
    np.testing.assert_allclose(scaled[:, 0], [-4, -4, -3.5, 0, 5.5, 6, 6], rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, np.log(1.2), -1e6])
def test_a_feature_that_is_constant_for_all_tickers_is_zero(value):
    """Also where the mean of many equal values is not one of them, as of 0.1, and features are rounded."""
    scaler = pooled(np.full((1003, 1), value), np.full((998, 1), value))
    rounded = np.array([[value], [value + 3.0]]).astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(scaler.transform(rounded), [[0.0], [0.0]])


def test_a_feature_that_is_constant_for_each_ticker_has_the_deviation_between_them():
    scaler = pooled(np.full((30, 1), 1.0), np.full((10, 1), 5.0))
    assert scaler.offset[0] == pytest.approx(2.0)
    assert scaler.scale[0] == pytest.approx(np.sqrt(0.75 * 1 + 0.25 * 9))


def test_inputs_have_mean_0_and_deviation_1_over_the_train_bars_of_all_tickers(cut):
    n_train = {one.ticker: SPLIT.first_rows(one.dates)[0] for one in cut.series}
    rows = np.concatenate([raw_features(one.ticker)[one.first : n_train[one.ticker]] for one in cut.series])
    assert len(rows) < sum(n_train.values()) < 0.9 * sum(map(len, TABLES.values()))
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    for one in cut.series:
        scaled = np.clip((raw_features(one.ticker) - mean) / std, -4, 6)
        np.testing.assert_allclose(one.inputs[one.first :], scaled[one.first :], atol=2e-5)
    # Tickers keep their differences: of the log volatility, where `standard` would remove them.
    calm, wild = (one.inputs[one.first : n_train[one.ticker], 2].mean() for one in cut.series)
    assert calm < -0.5 and wild > 0.5


def test_a_saved_ticker_is_scaled_as_in_training_bit_for_bit(cut):
    for one in cut.series:
        saved = json.loads(json.dumps(one.fitted.to_json()))
        fitted = FittedTicker.from_json(saved, SPEC.target_scale)
        assert fitted.scaler.to_json() == cut.series[0].fitted.scaler.to_json()
        loaded = apply_ticker(one.ticker, TABLES[one.ticker], SPEC, fitted)
        np.testing.assert_array_equal(loaded.inputs, one.inputs)


def test_later_bars_of_no_ticker_change_the_scaler_and_train_bars_of_each_do(cut):
    def scaler_with(ticker: str, rows: slice) -> dict[str, object]:
        changed = TABLES[ticker].copy()
        changed.iloc[rows] = changed.iloc[rows].to_numpy()[::-1]
        tables = BarLoader({**TABLES, ticker: changed}.__getitem__)
        series = windows_by_split(["AAA", "BBB"], tables, SPEC, SPLIT).series
        return series[0].fitted.scaler.to_json()

    for one in cut.series:
        n_train = SPLIT.first_rows(one.dates)[0]
        assert scaler_with(one.ticker, slice(n_train, None)) == one.fitted.scaler.to_json()
        assert scaler_with(one.ticker, slice(n_train - 20, n_train)) != one.fitted.scaler.to_json()


def test_a_refit_is_scaled_by_the_bars_before_the_test_period_of_all_tickers():
    wide = refit_windows(CONFIG, LOADER, SPLIT)
    rows = np.concatenate(
        [raw_features(one.ticker)[one.first : SPLIT.first_rows(one.dates)[1]] for one in wide.series]
    )
    for one in wide.series:
        np.testing.assert_allclose(one.fitted.scaler.offset, rows.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(one.fitted.scaler.scale, rows.std(axis=0), rtol=1e-9)
        assert one.inputs[one.first :].min() >= -4 and one.inputs[one.first :].max() <= 6
