from __future__ import annotations

import numpy as np
import pytest

from lstm_stock.scoring.lag_copy import lag_copy

RANDOM = np.random.default_rng(4)
RETURNS = RANDOM.standard_t(5, 760) * 0.01
CLOSE = 100 * np.exp(np.cumsum(RETURNS))
Y_TRUE, LAST_CLOSE = CLOSE[10:], CLOSE[9:-1]


def judged(y_pred, y_true=Y_TRUE, last_close=LAST_CLOSE):
    return lag_copy(y_true, y_pred, last_close, alpha=0.05)


def test_a_forecast_of_the_last_close_is_near_it():
    found = judged(LAST_CLOSE)
    assert (found.kind, found.peak_lag, found.relative_move) == ("near_last_close", 1, 0.0)
    assert found.peak == pytest.approx(1)
    assert found.share == pytest.approx(1)


def test_a_drift_and_a_small_move_are_near_the_last_close():
    assert judged(LAST_CLOSE * 1.001).kind == "near_last_close"
    assert judged(LAST_CLOSE * np.exp(0.1 * RETURNS[9:-1])).kind == "near_last_close"


@pytest.mark.parametrize("lag", [2, 3, 5])
def test_an_older_price_is_shifted_by_its_lag(lag):
    found = judged(CLOSE[10 - lag : -lag])
    assert (found.kind, found.peak_lag) == ("shifted", lag)
    assert found.peak == pytest.approx(1)


def test_the_last_close_with_noise_is_shifted():
    assert judged(LAST_CLOSE * np.exp(RANDOM.normal(0, 0.008, 750))).kind == "shifted"


def test_a_smoothed_price_too_low_is_shifted():
    """What a network does whose states saturate: late by a few bars, and with less amplitude."""
    smooth = np.convolve(CLOSE, np.ones(4) / 4, "valid")[6:-1]
    found = judged(40 + 0.4 * smooth)
    assert found.kind == "shifted"
    assert 1 <= found.peak_lag <= 4
    assert found.relative_move > 5


def test_a_forecast_of_the_next_move_is_not_shifted():
    found = judged(LAST_CLOSE * np.exp(0.5 * RETURNS[10:] + RANDOM.normal(0, 0.003, 750)))
    assert found.kind == "other"
    assert found.p < 0.001


def test_a_forecast_that_does_not_follow_the_price_is_not_shifted():
    assert judged(100 + np.cumsum(RANDOM.normal(0, 1, 750))).kind == "other"


def test_without_a_changing_point_forecast_there_is_no_result():
    assert judged(np.full(750, 7.0)) is None
    assert judged(np.full(750, np.nan)) is None
    assert lag_copy(Y_TRUE[:29], LAST_CLOSE[:29], LAST_CLOSE[:29], 0.05) is None
    with pytest.raises(ValueError, match="one shape"):
        lag_copy(Y_TRUE, LAST_CLOSE[1:], LAST_CLOSE, 0.05)


def test_correlations_and_share_are_numpys():
    y_pred = LAST_CLOSE * np.exp(RANDOM.normal(0, 0.008, 750))
    found = judged(y_pred)
    assert found.peak == pytest.approx(np.corrcoef(np.diff(y_pred)[1:], np.diff(Y_TRUE)[:-1])[0, 1])
    assert found.at_zero == pytest.approx(np.corrcoef(np.diff(y_pred), np.diff(Y_TRUE))[0, 1])
    slope, intercept = np.polyfit(LAST_CLOSE, y_pred, 1)
    assert found.share == pytest.approx(1 - np.var(y_pred - slope * LAST_CLOSE - intercept) / np.var(y_pred))
