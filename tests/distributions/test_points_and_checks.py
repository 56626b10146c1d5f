from __future__ import annotations

import numpy as np
import pytest

from lstm_stock.distributions import (
    Empirical,
    Normal,
    PointForecast,
    QuantileFan,
    SignForecast,
    StudentT,
)


def test_a_point_forecast_has_no_distribution():
    point = PointForecast([[1.0, 2.0]])
    assert point.median().tolist() == [[1.0, 2.0]]
    assert point.abs_error(0.0).tolist() == [[1.0, 2.0]]
    for nothing in (point.quantile(0.4), point.cdf(1.0), point.crps(1.0), point.log_score(1.0)):
        assert nothing.shape == (1, 2)
        assert np.isnan(nothing).all()
    moved = point.rescale(2.0, 1.0)
    assert moved.value.tolist() == [[3.0, 5.0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal([0.0, np.nan], 1.0), r"`loc` must be finite, got 1 of 2 that are not, the first nan"),
        (
            lambda: Normal(0.0, [1.0, 0.0, -1.0]),
            r"`scale` must be finite and greater than 0, got 2 of 3 .* first 0",
        ),
        (
            lambda: StudentT(0.0, 1.0, 1.0),
            r"`df` must be finite and greater than 1, got 1 of 1 .* the first 1",
        ),
        (lambda: StudentT(0.0, np.inf, 3.0), r"`scale` must be finite and greater than 0"),
        (lambda: QuantileFan([0.5, 0.2], [[1.0, 2.0]]), r"increasing probabilities, got \[0.5, 0.2\]"),
        (lambda: QuantileFan([0.0, 0.2], [[1.0, 2.0]]), r"increasing probabilities, got \[0.0, 0.2\]"),
        (lambda: QuantileFan([0.5], [[1.0]]), r"two or more increasing probabilities, got \[0.5\]"),
        (lambda: QuantileFan([0.2, 0.5], [[1.0]]), r"end in an axis of 2 quantiles, got the shape \(1, 1\)"),
        (lambda: QuantileFan([0.2, 0.5], [[1.0, np.nan]]), r"`values` must be finite, got 1 of 2"),
        (lambda: Empirical([1.0, 2.0], 1), r"the shape \(n_samples, horizon\), got \(2,\)"),
        (lambda: Empirical(np.empty((0, 2)), 1), r"the shape \(n_samples, horizon\), got \(0, 2\)"),
        (lambda: Empirical([[np.inf]], 1), r"`samples` must be finite, got 1 of 1"),
        (lambda: PointForecast(np.nan), r"`value` must be finite, got 1 of 1"),
        (lambda: Normal(0.0, 1.0).rescale(-1.0), r"`scale` must be finite and greater than 0, got 1 of 1"),
        (lambda: Normal(0.0, 1.0).rescale(1.0, np.nan), r"`shift` must be finite, got 1 of 1"),
        (lambda: Normal(0.0, 1.0).quantile(0.0), r"`p` must lie between 0 and 1, got 0.0"),
        (lambda: QuantileFan([0.2, 0.5], [1.0, 2.0]).quantile(1.0), r"`p` must lie between 0 and 1, got 1.0"),
        (lambda: Empirical([[1.0]], 1).quantile(np.nan), r"`p` must lie between 0 and 1, got nan"),
        (lambda: PointForecast(0.0).quantile(2), r"`p` must lie between 0 and 1, got 2"),
    ],
)
def test_invalid_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parameters_are_copied_and_cannot_be_changed():
    loc = np.zeros(3)
    normal = Normal(loc, 1.0)
    loc[:] = 7
    assert normal.loc.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        normal.loc[0] = 1.0


def test_a_sign_forecast_has_a_sign_and_no_score():
    signs = SignForecast([[1.0, -1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(signs.direction(), [[1, -1], [0, 1]])
    for value in (
        *(signs.quantile(0.5), signs.cdf(0.0), signs.crps(0.0)),
        *(signs.log_score(0.0), signs.abs_error(0.0), signs.median()),
    ):
        assert value.shape == (2, 2)
        assert np.isnan(value).all()


def test_a_sign_forecast_has_no_size():
    signs = SignForecast([[1.0, -1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(signs.rescale(3.0).direction(), signs.direction())
    np.testing.assert_array_equal(signs.take(slice(1, 2)).direction(), [[0, 1]])
    with pytest.raises(ValueError, match=r"`shift` must be 0 for a `SignForecast`, got 0\.1"):
        signs.rescale(1.0, 0.1)
    with pytest.raises(
        ValueError, match=r"`sign` must be -1, 0 or 1, got 1 of 2 that are not, the first 0\.5"
    ):
        SignForecast([0.5, 1.0])


def test_the_direction_of_other_forecasts_is_the_sign_of_their_median():
    np.testing.assert_array_equal(Normal([1.0, -2.0, 0.0], 1.0).direction(), [1, -1, 0])
    np.testing.assert_array_equal(PointForecast([-3.0]).direction(), [-1])
