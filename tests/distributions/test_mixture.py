from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from lstm_stock.distributions import (
    Empirical,
    Mixture,
    Normal,
    PointForecast,
    QuantileFan,
    StudentT,
)
from tests.distributions.makers import (
    SHAPE,
    SINGLE,
    random_normal,
)


@pytest.mark.parametrize("df", [1.1, 1.5, 2.1, 3.0, 8.0, 100.0])
def test_mixture_of_one_twice_has_the_closed_form_of_one(df):
    one = StudentT([[0.3]], [[0.02]], [[df]])
    np.testing.assert_allclose(Mixture([one, one]).crps(0.31), one.crps(0.31), rtol=1e-11)


@pytest.mark.parametrize("distance", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("ratio", [1.0, 0.1, 1e-3])
def test_the_quadrature_is_exact_for_unlike_components_far_apart(distance, ratio):
    wide, narrow = StudentT([[0.0]], [[1.0]], [[2.1]]), Normal([[distance]], [[ratio]])

    def integrand(z):  # E|X - X'| = E over the narrow one of E|wide - y|
        return wide.abs_error(distance + ratio * z).item() * stats.norm.pdf(z)

    cross = integrate.quad(
        integrand, -12, 12, points=[-distance / ratio] if distance < 5 * ratio else None, epsrel=1e-12
    )[0]
    spread = (wide.half_mean_difference() + narrow.half_mean_difference() + cross) / 4
    mixture, y = Mixture([wide, narrow]), 0.7
    np.testing.assert_allclose(mixture.crps(y), mixture.abs_error(y) - spread, rtol=1e-9)


def test_far_outcomes_keep_their_score():
    for one in (Normal(0.0, 1.0), StudentT(0.0, 1.0, 3.0)):
        mixture = Mixture([one, one])
        for y in (1e6, -1e6):
            assert one.crps(y) == pytest.approx(1e6, rel=1e-5)
            assert mixture.crps(y) == pytest.approx(one.crps(y), rel=1e-12)
            assert mixture.log_score(y) == pytest.approx(one.log_score(y), rel=1e-12)


@pytest.mark.parametrize("maker", SINGLE.values(), ids=SINGLE)
def test_mixture_of_one_is_that_one(maker):
    random = np.random.default_rng(10)
    one, y = maker(random), random.normal(size=SHAPE)
    mixture = Mixture([one])
    for p in (0.025, 0.5, 0.9):
        np.testing.assert_array_equal(mixture.quantile(p), one.quantile(p))
    for method in ("crps", "cdf", "log_score", "abs_error"):
        np.testing.assert_array_equal(getattr(mixture, method)(y), getattr(one, method)(y))


def test_mixture_averages_densities_and_probabilities():
    random = np.random.default_rng(11)
    parts, y = [random_normal(random) for _ in range(4)], random.normal(size=SHAPE)
    density = np.mean([stats.norm.pdf(y, part.loc, part.scale) for part in parts], axis=0)
    np.testing.assert_allclose(Mixture(parts).log_score(y), -np.log(density), rtol=1e-12)
    np.testing.assert_allclose(
        Mixture(parts).cdf(y), np.mean([part.cdf(y) for part in parts], axis=0), rtol=1e-12
    )


def test_mixture_of_samples_is_the_pooled_samples():
    random = np.random.default_rng(12)
    a, b, y = random.normal(size=(20, 2)), random.normal(size=(20, 2)), random.normal(size=SHAPE)
    pooled = Empirical(np.concatenate([a, b]), SHAPE[0])
    mixture = Mixture([Empirical(a, SHAPE[0]), Empirical(b, SHAPE[0])])
    np.testing.assert_allclose(mixture.crps(y), pooled.crps(y), rtol=1e-12)
    np.testing.assert_allclose(mixture.cdf(y), pooled.cdf(y), rtol=1e-12)


def test_mixture_quantile_of_a_jump_is_where_it_jumps():
    left, right = QuantileFan([0.4, 0.6], [[[0.0, 0.0]]]), QuantileFan([0.4, 0.6], [[[1.0, 1.0]]])
    mixture = Mixture([left, right])
    assert [mixture.quantile(p).item() for p in (0.01, 0.3, 0.7, 0.99)] == pytest.approx(
        [0, 0, 1, 1], abs=1e-12
    )


def test_mixture_computes_many_cutoffs_as_it_computes_few():
    random = np.random.default_rng(13)
    parts = [Empirical(random.normal(size=(700, 3)), 200) for _ in range(2)]
    mixture = Mixture(parts)  # over 2^20 breakpoints: several chunks
    np.testing.assert_allclose(mixture.crps(0.3)[150:], mixture.take(slice(150, 200)).crps(0.3), rtol=1e-12)


def test_mixture_without_axes_or_without_cutoffs():
    parts = [Normal(0.0, 1.0), Normal(1.0, 2.0)]
    lifted = [part.take(None) for part in parts]
    assert Mixture(parts).crps(0.4) == pytest.approx(Mixture(lifted).crps(0.4).item())
    assert Mixture([Normal(np.empty((0, 2)), 1.0)] * 2).crps(0.0).shape == (0, 2)


def test_mixtures_of_unlike_kinds_or_shapes_are_refused():
    normal = Normal(np.zeros(SHAPE), 1.0)
    with pytest.raises(ValueError, match=r"must be all parametric, all piecewise or all points, got \[\]"):
        Mixture([])
    with pytest.raises(ValueError, match=r"got \[Normal, PointForecast\]"):
        Mixture([normal, PointForecast(np.zeros(SHAPE))])
    with pytest.raises(ValueError, match=r"got \[Mixture\]"):
        Mixture([Mixture([normal])])
    with pytest.raises(ValueError, match=r"must have one shape, got \[\(3, 2\), \(1, 2\)\]"):
        Mixture([normal, normal.take(slice(0, 1))])


def test_a_mixture_of_points_is_a_point():
    mixture = Mixture([PointForecast([[1.0]]), PointForecast([[2.0]]), PointForecast([[9.0]])]).rescale(2.0)
    assert mixture.median().item() == 4.0
    for nothing in (mixture.quantile(0.4), mixture.cdf(1.0), mixture.crps(1.0), mixture.log_score(1.0)):
        assert np.isnan(nothing).all()
    assert mixture.take(slice(0, 1)).shape == (1, 1)
