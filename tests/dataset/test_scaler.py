from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lstm_stock.dataset.scaler import SCALERS, Scaler, fit_scaler
from lstm_stock.errors import ConfigError, DataError

FEATURES = ("log_return", "close")
tables = arrays(np.float64, (50, 2), elements=st.floats(-1e3, 1e3))


@pytest.mark.parametrize("kind", SCALERS)
@settings(max_examples=40, deadline=None)
@given(values=tables)
def test_scaling_can_be_inverted_inside_the_bounds(kind: str, values: np.ndarray):
    scaler = fit_scaler(kind, FEATURES, values)
    inside = np.clip(values, scaler.low, scaler.high)
    span = np.maximum(np.abs(values).max(), 1.0)
    unscaled = scaler.transform(values) * scaler.scale + scaler.offset
    np.testing.assert_allclose(unscaled, inside, atol=2e-5 * span)


@settings(max_examples=40, deadline=None)
@given(values=tables)
def test_a_scaler_survives_json(values: np.ndarray):
    scaler = fit_scaler("minmax", FEATURES, values)
    loaded = Scaler.from_json(json.loads(json.dumps(scaler.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(loaded.transform(values), scaler.transform(values))
    assert loaded.features == FEATURES


def test_minmax_maps_the_train_range_of_a_level_to_zero_and_one_and_does_not_clip():
    train = np.column_stack([np.zeros(101), np.linspace(10, 30, 101)])
    scaler = fit_scaler("minmax", FEATURES, train)
    scaled = scaler.transform(np.array([[0.0, 10.0], [0.0, 30.0], [0.0, 90.0]]))
    np.testing.assert_allclose(scaled[:, 1], [0.0, 1.0, 4.0], atol=1e-6)


def test_minmax_clips_a_stationary_feature_half_a_range_beyond_its_train_quantiles():
    train = np.column_stack([np.linspace(-1, 1, 2001), np.linspace(1, 2, 2001)])
    scaler = fit_scaler("minmax", FEATURES, train)
    scaled = scaler.transform(np.array([[-50.0, 1.0], [0.0, 1.0], [50.0, 1.0]]))
    np.testing.assert_allclose(scaled[:, 0], [-0.5, 0.5, 1.5], atol=1e-6)


def test_the_scaler_none_changes_nothing_and_does_not_depend_on_the_train_bars():
    train = np.random.default_rng(0).normal(0, 1, (50, 2))
    scaler = fit_scaler("none", FEATURES, train)
    far = np.array([[-500.0, 1e6], [0.25, 0.0]])
    np.testing.assert_array_equal(scaler.transform(far), far.astype(np.float32))
    assert Scaler.from_json(json.loads(json.dumps(scaler.to_json()))).to_json() == scaler.to_json()
    assert fit_scaler("none", FEATURES, 9 * train).to_json() == scaler.to_json()


def test_one_crash_among_the_train_bars_does_not_compress_the_other_days():
    random = np.random.default_rng(0)
    train = np.column_stack([random.normal(0, 1, 4000), np.linspace(1, 2, 4000)])
    expected = fit_scaler("minmax", FEATURES, train).scale[0]
    train[7, 0] = -500.0
    assert fit_scaler("minmax", FEATURES, train).scale[0] == pytest.approx(expected, rel=0.1)


def test_standard_and_robust_by_hand():
    train = np.column_stack([np.tile([1.0, 3.0], 50), np.tile([0.0, 2.0, 4.0, 6.0, 8.0], 20)])
    standard = fit_scaler("standard", FEATURES, train)
    np.testing.assert_allclose(standard.offset, [2.0, 4.0])
    np.testing.assert_allclose(standard.scale, [1.0, np.sqrt(8)])
    robust = fit_scaler("robust", FEATURES, train)
    np.testing.assert_allclose(robust.offset, [2.0, 4.0])
    np.testing.assert_allclose(robust.scale, [2.0, 4.0])


def test_a_constant_feature_does_not_divide_by_zero():
    train = np.column_stack([np.full(50, 0.25), np.linspace(1, 2, 50)])
    scaler = fit_scaler("minmax", FEATURES, train)
    assert np.isfinite(scaler.transform(train)).all()


def test_an_unknown_kind_and_no_train_bars_are_errors():
    with pytest.raises(ConfigError, match="scaler: got 'log', allowed: minmax, standard, robust"):
        fit_scaler("log", FEATURES, np.ones((3, 2)))
    with pytest.raises(DataError, match="no train bar"):
        fit_scaler("minmax", FEATURES, np.ones((0, 2)))
