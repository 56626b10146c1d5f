from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import integrate, stats

from lstm_stock.distributions import Normal, PointForecast, StudentT
from lstm_stock.distributions.calibrated import Calibrated
from lstm_stock.distributions.intervals import LEVELS, Intervals
from tests.distributions.makers import MAKERS, SHAPE, SINGLE, every_distribution, probabilities, seeds

CLOSED = ("normal", "student_t", "binned", "transformed")
"""Distributions with a smooth cdf and a quantile that needs no root search."""

smooth_distribution = pytest.mark.parametrize("maker", [MAKERS[name] for name in CLOSED], ids=CLOSED)
single_distribution = pytest.mark.parametrize("maker", [*SINGLE.values(), MAKERS["transformed"]])


def calibrated(maker, seed: int) -> Calibrated:
    random = np.random.default_rng(seed)
    trained = maker(random)
    factors = np.exp(0.3 * random.normal(size=(*SHAPE, len(LEVELS))))
    return Calibrated.of(trained, Intervals.of(trained, LEVELS).scaled(factors))


@smooth_distribution
@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_the_ends_of_the_intervals_shown_are_its_quantiles(maker, seed):
    returns = calibrated(maker, seed)
    ends = np.stack([returns.to.lower, returns.to.upper])
    for i, level in enumerate(LEVELS):
        is_distinct = (np.diff(returns.to.below, axis=-1) > 0).all() and (
            np.diff(returns.to.above, axis=-1) > 0
        ).all()
        if not is_distinct:  # where two intervals shown are the same, the outer level's probability is there
            return
        below, above = (1 - level / 100) / 2, (1 + level / 100) / 2
        np.testing.assert_allclose(returns.cdf(ends[0, ..., i]), below, atol=1e-6)
        np.testing.assert_allclose(returns.cdf(ends[1, ..., i]), above, atol=1e-6)
        np.testing.assert_allclose(returns.quantile(below), ends[0, ..., i], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(returns.quantile(above), ends[1, ..., i], rtol=1e-9, atol=1e-9)


@smooth_distribution
@given(seed=seeds, p=probabilities)
@settings(max_examples=10, deadline=None)
def test_cdf_and_quantile_are_inverse_where_the_intervals_shown_differ(maker, seed, p):
    trained = maker(np.random.default_rng(seed))
    factors = np.array([0.8, 1.0, 1.2, 1.3])
    returns = Calibrated.of(trained, Intervals.of(trained, LEVELS).scaled(factors))
    np.testing.assert_allclose(returns.cdf(returns.quantile(p)), p, atol=1e-7)


@single_distribution
@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_it_is_increasing(maker, seed):
    returns = calibrated(maker, seed)
    values = np.stack([returns.cdf(x) for x in np.linspace(-6, 6, 60)])
    assert (np.diff(values, axis=0) >= -1e-12).all()
    assert ((values >= 0) & (values <= 1)).all()
    quantiles = np.stack([returns.quantile(p) for p in np.linspace(0.002, 0.998, 12)])
    assert (np.diff(quantiles, axis=0) >= -1e-9).all()


@every_distribution
def test_without_calibration_it_is_the_distribution_as_trained(maker):
    trained = maker(np.random.default_rng(3))
    returns = Calibrated.of(trained, Intervals.of(trained, LEVELS))
    for p in (0.003, 0.2, 0.5, 0.93):
        np.testing.assert_allclose(returns.quantile(p), trained.quantile(p), atol=1e-12)
    for y in (-1.0, 0.1, 2.5):
        np.testing.assert_allclose(returns.cdf(y), trained.cdf(y), atol=1e-9)


def test_between_and_beyond_the_levels_the_distances_are_those_of_the_formula():
    trained = Normal([[1.0]], [[2.0]])
    returns = Calibrated.of(trained, Intervals.of(trained, LEVELS).scaled(np.array([1.5, 1.0, 2.0, 3.0])))
    d = 2 * stats.norm.ppf([0.75, 0.9, 0.95, 0.975])
    shown = d * [1.5, 1.0, 2.0, 3.0]
    inside, outside = 2 * stats.norm.ppf(0.6), 2 * stats.norm.ppf(0.99)
    assert returns.quantile(0.6).item() == pytest.approx(1 + 1.5 * inside)
    assert returns.quantile(0.01).item() == pytest.approx(1 - 3.0 * outside)
    between = 2 * stats.norm.ppf(0.93)
    share = (between - d[1]) / (d[2] - d[1])
    assert returns.quantile(0.93).item() == pytest.approx(1 + shown[1] + share * (shown[2] - shown[1]))


@pytest.mark.parametrize("df", [2.1, 5.0, 60.0])
def test_the_mean_below_is_the_integral_that_scipy_finds(df):
    trained = StudentT([[0.0004]], [[0.02]], [[df]])
    returns = Calibrated.of(trained, Intervals.of(trained, LEVELS).scaled(np.array([1.0, 1.1, 1.2, 0.99])))
    found = returns.mean_below([0.01, 0.025, 0.05])[:, 0, 0]
    for p, mine in zip((0.01, 0.025, 0.05), found, strict=True):
        pieces = [
            (low, min(high, p))
            for low, high in ((0, 1e-4), (1e-4, 0.01), (0.01, 0.025), (0.025, 1))
            if low < p
        ]
        total = sum(
            integrate.quad(lambda u: np.exp(returns.quantile(u).item()), low, high, epsabs=1e-13, limit=200)[
                0
            ]
            for low, high in pieces
        )
        assert mine == pytest.approx(total / p, abs=1e-8)


def test_the_mean_below_of_log_normal_prices_is_the_closed_form():
    sigma, p = 0.3, 0.05
    trained = Normal([[0.0]], [[sigma]])
    mean = Calibrated.of(trained, Intervals.of(trained, LEVELS)).mean_below([p]).item()
    exact = np.exp(sigma**2 / 2) * stats.norm.cdf(stats.norm.ppf(p) - sigma) / p
    assert mean == pytest.approx(exact, rel=1e-9)


def test_a_point_has_no_calibrated_distribution():
    point = PointForecast([[0.01]])
    shown = Intervals.of(point, LEVELS, np.array([[0.1]]))
    assert not Calibrated.of(point, shown).exists
