from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy import stats

from lstm_stock.distributions import (
    Binned,
    Empirical,
    Normal,
    QuantileFan,
    StudentT,
    TransformedT,
)
from lstm_stock.distributions.transformed import knots_of
from tests.distributions.makers import (
    SHAPE,
    random_empirical,
    random_normal,
    random_t,
    random_transformed,
)


def test_normal_is_scipys():
    random = np.random.default_rng(0)
    ours, y = random_normal(random), random.normal(size=SHAPE)
    theirs = stats.norm(ours.loc, ours.scale)
    np.testing.assert_allclose(ours.quantile(0.03), theirs.ppf(0.03), rtol=1e-12)
    np.testing.assert_allclose(ours.cdf(y), theirs.cdf(y), rtol=1e-12)
    np.testing.assert_allclose(ours.log_score(y), -theirs.logpdf(y), rtol=1e-12)
    np.testing.assert_allclose(ours.crps(y), scoringrules.crps_normal(y, ours.loc, ours.scale), rtol=1e-12)


def test_student_t_is_scipys():
    random = np.random.default_rng(1)
    ours, y = random_t(random), random.normal(size=SHAPE)
    theirs = stats.t(ours.df, ours.loc, ours.scale)
    np.testing.assert_allclose(ours.quantile(0.03), theirs.ppf(0.03), rtol=1e-10)
    np.testing.assert_allclose(ours.cdf(y), theirs.cdf(y), rtol=1e-12)
    np.testing.assert_allclose(ours.log_score(y), -theirs.logpdf(y), rtol=1e-11)
    np.testing.assert_allclose(
        ours.crps(y), scoringrules.crps_t(y, ours.df, ours.loc, ours.scale), rtol=1e-10
    )


def test_student_t_with_many_degrees_of_freedom_is_normal():
    y = np.linspace(-4, 4, 9)
    student, normal = StudentT(0.0, 1.0, 1e9), Normal(0.0, 1.0)
    np.testing.assert_allclose(student.crps(y), normal.crps(y), rtol=1e-7)
    np.testing.assert_allclose(student.log_score(y), normal.log_score(y), rtol=1e-7)


def test_empirical_is_the_ensemble():
    random = np.random.default_rng(2)
    ours, y = random_empirical(random, 31), random.normal(size=SHAPE)
    members = ours.loc[..., None] + ours.scale[..., None] * ours.samples.T[None]
    np.testing.assert_allclose(ours.crps(y), scoringrules.crps_ensemble(y, members), rtol=1e-12)
    np.testing.assert_allclose(ours.quantile(0.37), np.quantile(members, 0.37, axis=-1), rtol=1e-12)
    np.testing.assert_array_equal(ours.cdf(y), (members <= y[..., None]).mean(axis=-1))
    np.testing.assert_allclose(ours.abs_error(y), np.abs(members - y[..., None]).mean(axis=-1), rtol=1e-12)


def test_empirical_keeps_its_precision_far_from_zero():
    near, far = (Empirical(at + np.arange(1001.0)[:, None] / 1024, 1) for at in (0.0, 2.0**40))
    np.testing.assert_allclose(far.crps(2.0**40 + 0.25), near.crps(0.25), rtol=1e-9)


def test_the_cdf_at_a_sample_includes_it():
    ours = Empirical([[1.0], [2.0], [2.0], [3.0]], n=1)
    assert [ours.cdf(y).item() for y in (0.9, 1.0, 2.0, 3.0)] == [0.0, 0.25, 0.75, 1.0]


@pytest.mark.parametrize("n_bins", [2, 3, 16, 500])
def test_equally_probable_bins_are_the_student_t(n_bins):
    ours = Binned(np.full((1, 1, n_bins), 1 / n_bins), 0.3, 0.02)
    theirs = StudentT([[0.3]], 0.02 * np.sqrt(3 / 5), 5.0)
    for y in (-20.0, 0.2, 0.3, 0.31, 1e4):
        for name in ("crps", "cdf", "log_score", "abs_error"):
            got, expected = getattr(ours, name)(y), getattr(theirs, name)(y)
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    for p in (1e-12, 0.05, 0.5, 0.999):
        np.testing.assert_allclose(ours.quantile(p), theirs.quantile(p), rtol=1e-9)


def test_bins_worked_by_hand():
    edges = np.sqrt(3 / 5) * stats.t.ppf([0.25, 0.5, 0.75], 5)
    ours = Binned([[0.1, 0.0, 0.5, 0.4]])
    assert ours.cdf(edges[0]).item() == ours.cdf(edges[1]).item() == pytest.approx(0.1)
    assert ours.quantile(0.35).item() == pytest.approx(np.sqrt(3 / 5) * stats.t.ppf(0.625, 5))
    density = 4 * 0.4 * stats.t.pdf(3.0, 5, scale=np.sqrt(3 / 5))
    assert ours.log_score(3.0).item() == pytest.approx(-np.log(density))
    assert ours.log_score(-0.1).item() == np.inf


def test_bins_without_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"two or more bins, got the shape \(3, 1\)"):
        Binned(np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"must sum to 1 along its last axis, got 1\.2"):
        Binned([[0.5, 0.5], [0.5, 0.7]])
    with pytest.raises(ValueError, match="`probability` must be at least 0, got 1 of 2"):
        Binned([-0.5, 1.5])


@pytest.mark.parametrize("df", [2.05, 4.3, 500.0])
@pytest.mark.parametrize("n_knots", [5, 8, 31])
def test_a_straight_transformation_is_the_student_t(df, n_knots):
    ours = TransformedT(df, [[0.3 + 0.02 * knots_of(df, n_knots)]])
    theirs = StudentT([[0.3]], 0.02, df)
    for y in (-20.0, 0.2, 0.3, 0.31, 1e4):
        for name in ("crps", "cdf", "log_score", "abs_error"):
            got, expected = getattr(ours, name)(y), getattr(theirs, name)(y)
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    for p in (1e-12, 0.05, 0.5, 0.999):
        np.testing.assert_allclose(ours.quantile(p), theirs.quantile(p), rtol=1e-9)


def test_the_density_of_a_transformation_is_the_slope_of_its_cdf():
    random = np.random.default_rng(14)
    ours = random_transformed(random)
    # From the far lower to the far upper tail, away from the knots where the density jumps.
    for p in (1e-9, 0.01, 0.21, 0.4, 0.61, 0.97):
        y = ours.quantile(p)
        step = 1e-6 * (ours.quantile(min(2 * p, 0.99)) - y)
        slope = (ours.cdf(y + step) - ours.cdf(y - step)) / (2 * step)
        np.testing.assert_allclose(np.exp(-ours.log_score(y)), slope, rtol=1e-5)


def test_each_tail_of_a_transformation_has_its_own_scale():
    """Beyond the outermost knots it is the Student-t through the last piece of that side."""
    df, knots = 3.0, knots_of(3.0, 5)
    ours = TransformedT(df, np.where(knots < 0, 2.0, 0.5) * knots)
    for y in (-1e7, -1e5):
        assert ours.cdf(y) == pytest.approx(stats.t.cdf(y / 2, df), rel=1e-9)
        assert ours.log_score(y) == pytest.approx(-stats.t.logpdf(y / 2, df) + np.log(2), rel=1e-12)
    assert ours.log_score(1e5) == pytest.approx(-stats.t.logpdf(2e5, df) + np.log(0.5), rel=1e-12)


def test_transformations_that_do_not_increase_are_refused():
    with pytest.raises(ValueError, match=r"must increase along the last axis, got a step of -1"):
        TransformedT(4.0, [0.0, 1.0, 0.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"five or more knots, got the shape \(3,\)"):
        TransformedT(4.0, [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"`df` must be finite and greater than 1, got 1.0"):
        TransformedT(1.0, np.arange(5.0))


def test_fan_worked_by_hand():
    ours = QuantileFan([0.25, 0.75], [[[4.0, 2.0]]])  # crossed: sorted to 2, 4
    assert ours.values.tolist() == [[[2.0, 4.0]]]
    assert [ours.quantile(p).item() for p in (0.1, 0.25, 0.5, 0.625, 0.9)] == [2.0, 2.0, 3.0, 3.5, 4.0]
    assert [ours.cdf(y).item() for y in (1.9, 2.0, 3.0, 3.999999, 4.0)] == pytest.approx(
        [0, 0.25, 0.5, 0.75, 1]
    )
    # A quarter at distance 1, a quarter at distance 1, a half uniform on -1..1.
    assert ours.abs_error(3.0).item() == 0.75
    # Minus the integral of F(1 - F): 2 x (mean of p - p^2 for p from 1/4 to 3/4), 2 x (1/2 - 13/48).
    assert ours.crps(3.0).item() == pytest.approx(0.75 - 2 * (1 / 2 - 13 / 48))


def test_fan_with_tied_values_jumps_there():
    ours = QuantileFan([0.2, 0.5, 0.8], [[[1.0, 1.0, 1.0]]])
    assert [ours.cdf(y).item() for y in (0.999, 1.0)] == [0.0, 1.0]
    assert ours.crps(3.0).item() == ours.abs_error(3.0).item() == 2.0


def test_fan_through_many_quantiles_of_a_normal_scores_as_the_normal():
    levels = np.linspace(0.0005, 0.9995, 1000)
    fan = QuantileFan(levels, stats.norm.ppf(levels)[None, None])
    for y in (-2.0, 0.1, 1.3):
        assert fan.crps(y).item() == pytest.approx(Normal(0.0, 1.0).crps(y).item(), abs=2e-5)
