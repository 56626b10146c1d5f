"""Scores of a grid of quantiles, against the exact ones."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_stock.distributions import (
    Binned,
    Distribution,
    Empirical,
    Mixture,
    Normal,
    PointForecast,
    QuantileFan,
    StudentT,
    TransformedT,
)
from lstm_stock.distributions.grid import PROBABILITIES, from_grid, has_density, quantile_grid
from lstm_stock.distributions.transformed import knots_of

WITH_DENSITY = {
    "normal": Normal([[1.0]], [[2.0]]),
    "heavy": StudentT([[0.0]], [[1.0]], [[2.5]]),
    "light": StudentT([[0.0]], [[1e-4]], [[30.0]]),
    "ensemble": Mixture([StudentT([[0.0]], [[1.0]], [[4.0]]), StudentT([[0.3]], [[1.6]], [[6.0]])]),
    "skewed": TransformedT(3.0, np.exp(knots_of(3.0, 31) / 300)[None, None]),
}


def outcomes(forecast: Distribution) -> np.ndarray:
    """The quantiles at 200 equally spaced probabilities, in front of the forecast's own axes."""
    return np.array([forecast.quantile(p) for p in (np.arange(200) + 0.5) / 200])


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_scores_of_a_distribution_with_a_density(name):
    forecast = WITH_DENSITY[name]
    y, grid = outcomes(forecast), quantile_grid(forecast)
    assert has_density(forecast, grid).all()
    read = from_grid(grid, True)
    assert np.mean(read.crps(y)) == pytest.approx(np.mean(forecast.crps(y)), rel=1e-5)
    assert np.mean(read.log_score(y)) == pytest.approx(np.mean(forecast.log_score(y)), abs=2e-3)
    np.testing.assert_allclose(read.cdf(y), forecast.cdf(y), atol=5e-4)


def test_scores_of_samples_and_quantiles_have_no_nll():
    samples = np.random.default_rng(0).standard_normal((500, 1))
    for forecast in (Empirical(samples, 1), QuantileFan([0.1, 0.5, 0.9], [[[-1.0, 0.1, 1.0]]])):
        y, grid = outcomes(forecast), quantile_grid(forecast)
        assert not has_density(forecast, grid).any()
        read = from_grid(grid, False)
        assert np.mean(read.crps(y)) == pytest.approx(np.mean(forecast.crps(y)), rel=2e-2)
        assert np.isnan(read.log_score(y)).all()


def test_a_histogram_with_empty_bins_keeps_its_probabilities():
    forecast = Binned([[[0.25, 0.0, 0.5, 0.25]]])
    grid = quantile_grid(forecast)
    read = from_grid(grid, bool(has_density(forecast, grid).all()))
    y = np.array([[[-2.0]], [[0.3]], [[1.5]]])
    np.testing.assert_allclose(read.cdf(y), forecast.cdf(y), atol=0.02)


def test_a_point_has_no_grid():
    assert np.isnan(np.delete(quantile_grid(PointForecast([[0.1]])), 25)).all()


def test_the_probabilities_are_fixed_since_journals_hold_their_quantiles():
    assert len(PROBABILITIES) == 51
    assert PROBABILITIES[[0, 20, 25, 30]].tolist() == pytest.approx(
        [2.866516e-7, 0.1586553, 0.5, 0.8413447], rel=1e-6
    )
