from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from lstm_stock.dataset import series
from lstm_stock.scoring import metrics

prices = st.floats(1, 1000)
pairs = st.lists(st.tuples(prices, prices), min_size=1, max_size=30).map(lambda rows: np.array(rows).T)
triples = st.lists(st.tuples(prices, prices, prices), min_size=1, max_size=30).map(
    lambda rows: np.array(rows).T
)


def test_a_day_worked_by_hand():
    y_true, y_pred, last_close = [102.0, 99.0, 100.0, 104.0], [101.0, 101.0, 103.0, 100.0], [100.0] * 4
    assert metrics.rmse(y_true, y_pred) == pytest.approx(math.sqrt((1 + 4 + 9 + 16) / 4))
    assert metrics.mae(y_true, y_pred) == 2.5
    assert metrics.mase(y_true, y_pred, insample_mae=2.0) == 1.25
    # Right, wrong, the outcome stood still, the forecast stood still.
    assert metrics.direction(y_true, y_pred, last_close) == 0.5
    assert metrics.coverage(y_true, [101.0, 100.0, 100.0, 90.0], [103.0, 110.0, 100.0, 95.0]) == 0.5
    assert metrics.width([90.0, 95.0], [110.0, 105.0], [100.0, 50.0]) == 20.0


@given(pairs)
def test_errors_are_scikit_learns(columns):
    y_true, y_pred = columns
    assert metrics.rmse(y_true, y_pred) == pytest.approx(root_mean_squared_error(y_true, y_pred), rel=1e-12)
    assert metrics.mae(y_true, y_pred) == pytest.approx(mean_absolute_error(y_true, y_pred), rel=1e-12)
    assert metrics.mae(y_true, y_pred) <= metrics.rmse(y_true, y_pred) * (1 + 1e-12)
    assert metrics.rmse(y_true, y_true) == 0.0


@given(pairs, st.floats(0.1, 10))
def test_skill_and_mase_do_not_depend_on_the_currency(columns, rate):
    y_true, y_pred = columns
    before = metrics.mase(y_true, y_pred, 2.0)
    assert metrics.mase(rate * y_true, rate * y_pred, rate * 2.0) == pytest.approx(before, rel=1e-9)
    error = metrics.rmse(y_true, y_pred)
    assert metrics.skill(rate * error, rate * 3.0) == pytest.approx(
        metrics.skill(error, 3.0), rel=1e-9, abs=1e-9
    )


def test_mase_of_the_naive_forecast_on_its_own_bars_is_one():
    close = np.random.default_rng(1).lognormal(size=50)
    assert metrics.mase(close[1:], close[:-1], series.insample_mae(close)) == 1.0


def test_skill_is_percent_gained_on_naive():
    assert metrics.skill(1.0, 2.0) == 50.0
    assert metrics.skill(2.0, 2.0) == 0.0
    assert metrics.skill(18.0, 2.0) == -800.0
    assert math.isnan(metrics.skill(1.0, 0.0))
    assert math.isnan(metrics.skill(1.0, math.nan))


def test_a_forecast_that_never_moves_commits_to_no_direction():
    assert math.isnan(metrics.direction([1.0, 3.0], [2.0, 2.0], [2.0, 2.0]))
    assert math.isnan(metrics.direction([2.0, 2.0], [1.0, 3.0], [2.0, 2.0]))


@given(triples)
def test_direction_of_the_mirrored_forecast_is_the_rest(columns):
    y_true, y_pred, last_close = columns
    share = metrics.direction(y_true, y_pred, last_close)
    # Mirrored by swapping outcome signs, which is exact where mirrored prices would round.
    mirrored = metrics.direction(
        np.sign(last_close - y_true), np.sign(y_pred - last_close), np.zeros_like(y_true)
    )
    assert mirrored == pytest.approx(1 - share, nan_ok=True)


@given(triples)
def test_coverage_counts_the_ends_and_grows_with_the_interval(columns):
    y_true, a, b = columns
    lo, hi = np.minimum(a, b), np.maximum(a, b)
    assert metrics.coverage(y_true, y_true, y_true) == 1.0
    assert metrics.coverage(y_true, lo, hi) == np.mean(
        [x <= y <= z for x, y, z in zip(lo, y_true, hi, strict=True)]
    )
    assert metrics.coverage(y_true, lo - 1, hi + 1) >= metrics.coverage(y_true, lo, hi)


def test_without_intervals_there_is_neither_coverage_nor_width():
    nothing = [math.nan, math.nan]
    assert math.isnan(metrics.coverage([1.0, 2.0], nothing, nothing))
    assert math.isnan(metrics.coverage([1.0, 2.0], [0.0, math.nan], [3.0, 3.0]))
    assert math.isnan(metrics.width(nothing, nothing, [1.0, 2.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.rmse([1.0, 2.0], [1.0]),
            r"must have one shape, got `y_true` \(2,\), `y_pred` \(1,\)",
        ),
        (lambda: metrics.mae([[1.0]], [1.0]), r"must have one shape, got `y_true` \(1, 1\), `y_pred` \(1,\)"),
        (lambda: metrics.rmse([], []), r"`y_true` must have one value or more, got an empty array"),
        (
            lambda: metrics.mae([1.0, math.nan], [1.0, 1.0]),
            r"`y_true` must be finite, got 1 of 2 values that are not",
        ),
        (lambda: metrics.direction([math.inf], [1.0], [1.0]), r"`y_true` must be finite, got 1 of 1"),
        (
            lambda: metrics.coverage([1.0], [1.0], [1.0, 2.0]),
            r"got `y_true` \(1,\), `lo` \(1,\), `hi` \(2,\)",
        ),
        (lambda: metrics.width([1.0], [2.0], [math.nan]), r"`last_close` must be finite, got 1 of 1"),
        (lambda: metrics.mase([1.0], [1.0], 0.0), r"`insample_mae` must be greater than 0, got 0.0"),
        (lambda: metrics.mase([1.0], [1.0], math.nan), r"`insample_mae` must be greater than 0, got nan"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_forecast_that_is_nan_scores_nan():
    assert math.isnan(metrics.rmse([1.0, 2.0], [1.0, math.nan]))
    assert math.isnan(metrics.mae([1.0, 2.0], [1.0, math.nan]))
    assert math.isnan(metrics.direction([1.0, 2.0], [2.0, math.nan], [1.5, 1.5]))
