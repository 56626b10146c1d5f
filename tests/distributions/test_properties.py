from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from lstm_stock.distributions import Binned, Empirical, Mixture, TransformedT
from lstm_stock.distributions.binned import bin_edges
from lstm_stock.distributions.piecewise import Piecewise
from tests.distributions.makers import (
    MAKERS,
    SHAPE,
    SMOOTH,
    every_distribution,
    probabilities,
    seeds,
)


def breakpoints(distribution):
    parts = distribution.components if isinstance(distribution, Mixture) else [distribution]
    return np.concatenate([breakpoints_of_one(part) for part in parts])


def breakpoints_of_one(distribution):
    """Where the cdf or the density jumps or bends, shape `(n, *shape)`; for a smooth one its location."""
    if isinstance(distribution, Binned):
        edges = bin_edges(distribution.n_bins).reshape(-1, *(1 for _ in distribution.shape))
        return distribution.loc + distribution.scale * edges
    if isinstance(distribution, TransformedT):
        return np.moveaxis(distribution.values, -1, 0)
    return distribution.breakpoints() if isinstance(distribution, Piecewise) else distribution.loc[None]


def integrated_crps(distribution, row, y):
    """The definition, by adaptive quadrature piece by piece, both tails mapped to a finite range."""
    one = distribution.take(slice(row[0], row[0] + 1))

    def squared_gap(x, above):
        probability = one.cdf(np.full(one.shape, x))[0, row[1]]
        return (probability - 1) ** 2 if above else probability**2

    cuts = np.unique([*breakpoints(distribution)[:, *row], y])
    options = {"epsabs": 1e-11, "epsrel": 1e-11, "limit": 500}
    total = integrate.quad(squared_gap, -np.inf, cuts[0], args=(False,), **options)[0]
    for a, b in itertools.pairwise(cuts):
        # Just inside, so that a jump at an end is not seen.
        gap = 1e-13 * (b - a)
        total += integrate.quad(squared_gap, a + gap, b - gap, args=(a >= y,), **options)[0]
    return total + integrate.quad(squared_gap, cuts[-1], np.inf, args=(True,), **options)[0]


@every_distribution
def test_crps_is_the_integral_that_defines_it(maker):
    random = np.random.default_rng(3)
    distribution, y = maker(random), 2 * random.normal(size=SHAPE)
    crps = distribution.crps(y)
    for row in ((0, 0), (1, 1), (2, 0)):
        assert crps[row] == pytest.approx(integrated_crps(distribution, row, y[row]), rel=1e-8)


@every_distribution
def test_abs_error_is_an_integral_of_the_cdf(maker):
    random = np.random.default_rng(4)
    distribution, y = maker(random), random.normal(size=SHAPE)
    # E|X - y| = int_-inf^y F + int_y (1 - F).
    one = distribution.take(slice(0, 1))
    cuts = np.unique([*breakpoints(distribution)[:, 0, 0], y[0, 0]])

    def probability(x):
        return one.cdf(np.full(one.shape, x))[0, 0]

    below = integrate.quad(probability, -np.inf, cuts[0], limit=500)[0]
    above = integrate.quad(lambda x: 1 - probability(x), cuts[-1], np.inf, limit=500)[0]
    for a, b in itertools.pairwise(cuts):
        gap = 1e-13 * (b - a)
        area = integrate.quad(probability, a + gap, b - gap)[0]
        if b <= y[0, 0]:
            below += area
        else:
            above += b - a - area
    assert distribution.abs_error(y)[0, 0] == pytest.approx(below + above, rel=1e-6)


@every_distribution
@settings(max_examples=8, deadline=None)
@given(seed=seeds, p=st.lists(probabilities, min_size=2, max_size=2))
def test_quantiles_increase_and_the_median_lies_inside_every_interval(maker, seed, p):
    distribution = maker(np.random.default_rng(seed))
    tail = min(p[0], 1 - p[0]) * 0.98
    at = sorted([*p, tail, 0.5, 1 - tail])
    values = [distribution.quantile(each) for each in at]
    assert values[0].shape == distribution.shape == SHAPE
    # Of a mixture, a root: several roundings of the largest number that it is computed from.
    rounding = 1e-13 * (1 + np.max(np.abs(values), axis=0))
    assert (np.diff(values, axis=0) >= -rounding).all()
    np.testing.assert_array_equal(distribution.median(), values[at.index(0.5)])


@every_distribution
@settings(max_examples=30, deadline=None)
@given(seed=seeds, p=probabilities)
def test_cdf_inverts_the_quantile(maker, seed, p):
    distribution = maker(np.random.default_rng(seed))
    value = distribution.quantile(p)
    if any(maker is MAKERS[name] for name in SMOOTH):
        np.testing.assert_allclose(distribution.cdf(value), p, rtol=1e-9)
    else:
        # At a jump the cdf passes p; interpolated quantiles of samples are within one sample of it.
        slack = 1 / 9 if isinstance(distribution, Empirical) else 0
        gap = 1e-9 * (1 + np.abs(value))
        assert (distribution.cdf(value + gap) >= p - slack - 1e-9).all()
        assert (distribution.cdf(value - gap) <= p + slack + 1e-9).all()


@every_distribution
@settings(max_examples=30, deadline=None)
@given(seed=seeds, y=st.floats(-20, 20))
def test_crps_lies_between_zero_and_the_absolute_error(maker, seed, y):
    distribution = maker(np.random.default_rng(seed))
    crps = distribution.crps(y)
    assert crps.shape == SHAPE
    assert (crps >= -1e-12).all()
    assert (crps <= distribution.abs_error(y) + 1e-12).all()
    cdf = distribution.cdf(y)
    assert ((cdf >= 0) & (cdf <= 1)).all()
    assert (cdf <= distribution.cdf(y + 0.5)).all()


@every_distribution
@settings(max_examples=30, deadline=None)
@given(seed=seeds, scale=st.floats(0.01, 100), shift=st.floats(-10, 10), p=probabilities)
def test_rescaling_moves_everything_along(maker, seed, scale, shift, p):
    random = np.random.default_rng(seed)
    before, y = maker(random), random.normal(size=SHAPE)
    after, moved = before.rescale(scale, shift), shift + scale * y
    size = {"rtol": 1e-7, "atol": 1e-7 * scale + 1e-9}
    np.testing.assert_allclose(after.crps(moved), scale * before.crps(y), **size)
    np.testing.assert_allclose(after.abs_error(moved), scale * before.abs_error(y), **size)
    np.testing.assert_allclose(
        after.log_score(moved), before.log_score(y) + np.log(scale), rtol=1e-7, atol=1e-7
    )
    np.testing.assert_allclose(after.cdf(moved), before.cdf(y), atol=1e-7)
    np.testing.assert_allclose(after.quantile(p), shift + scale * before.quantile(p), **size)


@every_distribution
def test_rescaling_takes_an_array_per_cutoff(maker):
    random = np.random.default_rng(5)
    before, factor = maker(random), np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(before.rescale(factor, factor).median(), factor + factor * before.median())


@every_distribution
def test_take_keeps_the_chosen_cutoffs(maker):
    random = np.random.default_rng(6)
    distribution, y = maker(random), random.normal(size=SHAPE)
    part = distribution.take(slice(1, 3))
    assert part.shape == (2, 2)
    np.testing.assert_allclose(part.crps(y[1:]), distribution.crps(y)[1:], rtol=1e-12)


@every_distribution
def test_no_outcome_no_score(maker):
    distribution, y = maker(np.random.default_rng(7)), np.zeros(SHAPE)
    y[1, 1] = np.nan
    for scores in (distribution.crps(y), distribution.cdf(y), distribution.abs_error(y)):
        assert np.isnan(scores[1, 1])
        assert np.isfinite(scores).sum() == 5


@every_distribution
def test_outcomes_may_have_further_axes_in_front(maker):
    random = np.random.default_rng(8)
    distribution, y = maker(random), random.normal(size=(4, *SHAPE))
    for method in (distribution.crps, distribution.cdf, distribution.abs_error, distribution.log_score):
        np.testing.assert_allclose(method(y), [method(each) for each in y], rtol=1e-12)


@every_distribution
def test_the_true_distribution_scores_best(maker):
    """Propriety: on its own quantiles, a forecast beats itself shifted, widened or narrowed."""
    random = np.random.default_rng(9)
    truth = maker(random)
    strata = (np.arange(20) + 0.5) / 20  # the mean over these quantiles has no sampling error
    y = np.stack([truth.quantile(p) for p in strata])
    best = truth.crps(y).mean(axis=0)
    spread = truth.quantile(0.8) - truth.quantile(0.2)
    for factor, shift in ((1.0, 0.5), (1.0, -0.5), (2.5, 0.0), (0.3, 0.0)):
        centre = truth.median()
        other = truth.rescale(factor, centre * (1 - factor) + shift * spread)
        assert (other.crps(y).mean(axis=0) > best).all()
