from __future__ import annotations

import itertools

import numpy as np
import pytest
import scoringrules
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from lstm_stock.distributions import (
    Binned,
    Empirical,
    Mixture,
    Normal,
    PointForecast,
    QuantileFan,
    SignForecast,
    StudentT,
)

LEVELS = np.array([0.05, 0.2, 0.5, 0.8, 0.95])
SHAPE = (3, 2)


def random_fan(random):
    return QuantileFan(LEVELS, random.normal(size=(*SHAPE, len(LEVELS))))


def random_normal(random):
    return Normal(random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE)))


def random_t(random, least_df=1.5):
    return StudentT(
        random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE)), least_df + random.exponential(3, SHAPE)
    )


def random_empirical(random, n_samples=9):
    loc, scale = random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE))
    return Empirical(random.normal(size=(n_samples, SHAPE[1])), SHAPE[0], loc, scale)


def random_binned(random, n_bins=7):
    probability = random.dirichlet(np.ones(n_bins), SHAPE)
    return Binned(probability, random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE)))


SINGLE = {"normal": random_normal, "student_t": random_t, "fan": random_fan, "empirical": random_empirical}
MAKERS = {
    **SINGLE,
    "binned": random_binned,
    "normals": lambda random: Mixture([random_normal(random) for _ in range(3)]),
    "student_ts": lambda random: Mixture([random_normal(random), random_t(random), random_t(random)]),
    "fans": lambda random: Mixture([random_fan(random) for _ in range(3)]),
    "empiricals": lambda random: Mixture([random_empirical(random), random_empirical(random, 4)]),
    "piecewise": lambda random: Mixture([random_empirical(random), random_fan(random)]),
}
SMOOTH = ("normal", "student_t", "binned", "normals", "student_ts")

every_distribution = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
seeds = st.integers(0, 2**32 - 1)
probabilities = st.floats(0.001, 0.999)


# Golden: scipy and scoringrules


def test_normal_is_scipys():
    random = np.random.default_rng(0)
    ours, y = random_normal(random), random.normal(size=SHAPE)
    theirs = stats.norm(ours.loc, ours.scale)
    np.testing.assert_allclose(ours.quantile(0.03), theirs.ppf(0.03), rtol=1e-12)
    np.testing.assert_allclose(ours.cdf(y), theirs.cdf(y), rtol=1e-12)
    np.testing.assert_allclose(ours.log_score(y), -theirs.logpdf(y), rtol=1e-12)
    np.testing.assert_allclose(ours.crps(y), scoringrules.crps_normal(y, ours.loc, ours.scale), rtol=1e-12)
    np.testing.assert_array_equal(ours.mean(), ours.loc)


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
    np.testing.assert_array_equal(ours.mean(), ours.loc)


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
    np.testing.assert_allclose(ours.mean(), members.mean(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(ours.quantile(0.37), np.quantile(members, 0.37, axis=-1), rtol=1e-12)
    np.testing.assert_array_equal(ours.cdf(y), (members <= y[..., None]).mean(axis=-1))
    np.testing.assert_allclose(ours.abs_error(y), np.abs(members - y[..., None]).mean(axis=-1), rtol=1e-12)


def test_empirical_keeps_its_digits_far_from_zero():
    near, far = (Empirical(at + np.arange(1001.0)[:, None] / 1024, 1) for at in (0.0, 2.0**40))
    np.testing.assert_allclose(far.crps(2.0**40 + 0.25), near.crps(0.25), rtol=1e-9)


def test_an_outcome_equal_to_samples_gets_their_whole_share():
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
    np.testing.assert_allclose(ours.mean(), 0.3, rtol=1e-12)


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


def test_fan_worked_by_hand():
    ours = QuantileFan([0.25, 0.75], [[[4.0, 2.0]]])  # crossed: sorted to 2, 4
    assert ours.values.tolist() == [[[2.0, 4.0]]]
    assert [ours.quantile(p).item() for p in (0.1, 0.25, 0.5, 0.625, 0.9)] == [2.0, 2.0, 3.0, 3.5, 4.0]
    assert [ours.cdf(y).item() for y in (1.9, 2.0, 3.0, 3.999999, 4.0)] == pytest.approx(
        [0, 0.25, 0.5, 0.75, 1]
    )
    assert ours.mean().item() == 3.0
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


# Golden: numerical integration of (F(x) - 1{x >= y})^2


def breakpoints(distribution):
    parts = distribution.components if isinstance(distribution, Mixture) else [distribution]
    cuts = [part.breakpoints() if hasattr(part, "breakpoints") else part.loc[None] for part in parts]
    return np.concatenate(cuts)


def integrated_crps(distribution, row, y):
    """The definition, by adaptive quadrature piece by piece, both tails mapped to a finite range."""
    one = distribution.take(slice(row[0], row[0] + 1))

    def squared_gap(x, came):
        probability = one.cdf(np.full(one.shape, x))[0, row[1]]
        return (probability - 1) ** 2 if came else probability**2

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
def test_abs_error_and_mean_are_integrals_of_the_quantile_function(maker):
    random = np.random.default_rng(4)
    distribution, y = maker(random), random.normal(size=SHAPE)
    # Both as integrals of the cdf: E X = y + int_y S - int_-inf^y F, E|X - y| = their sum.
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
    assert distribution.mean()[0, 0] == pytest.approx(y[0, 0] + above - below, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("df", [1.1, 1.5, 2.1, 3.0, 8.0, 100.0])
def test_mixture_of_one_twice_has_the_closed_form_of_one(df):
    one = StudentT([[0.3]], [[0.02]], [[df]])
    np.testing.assert_allclose(Mixture([one, one]).crps(0.31), one.crps(0.31), rtol=1e-11)


@pytest.mark.parametrize("distance", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("ratio", [1.0, 0.1, 1e-3])
def test_mixture_spread_holds_however_far_apart_and_unlike_the_components_are(distance, ratio):
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


# Properties


@every_distribution
@settings(max_examples=30, deadline=None)
@given(seed=seeds, p=st.lists(probabilities, min_size=2, max_size=2))
def test_quantiles_increase_and_the_median_lies_inside_every_interval(maker, seed, p):
    distribution = maker(np.random.default_rng(seed))
    tail = min(p[0], 1 - p[0]) * 0.98
    values = [distribution.quantile(each) for each in sorted([*p, tail, 0.5, 1 - tail])]
    assert values[0].shape == distribution.shape == SHAPE
    rounding = 1e-14 * (1 + np.max(np.abs(values), axis=0))
    assert (np.diff(values, axis=0) >= -rounding).all()
    np.testing.assert_array_equal(distribution.median(), distribution.quantile(0.5))


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
    np.testing.assert_allclose(after.mean(), shift + scale * before.mean(), **size)


@every_distribution
def test_rescaling_takes_an_array_per_cutoff(maker):
    random = np.random.default_rng(5)
    before, factor = maker(random), np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(before.rescale(factor, factor).mean(), factor + factor * before.mean())


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
def test_true_forecasts_score_best(maker):
    """Propriety: on outcomes drawn from it, a forecast beats itself shifted, widened or narrowed."""
    random = np.random.default_rng(9)
    truth = maker(random)
    uniform = random.uniform(size=400)
    y = np.stack([truth.quantile(p) for p in uniform])
    best = truth.crps(y).mean(axis=0)
    spread = truth.quantile(0.8) - truth.quantile(0.2)
    for factor, shift in ((1.0, 0.5), (1.0, -0.5), (2.5, 0.0), (0.3, 0.0)):
        centre = truth.median()
        other = truth.rescale(factor, centre * (1 - factor) + shift * spread)
        assert (other.crps(y).mean(axis=0) > best).all()


# Mixtures


@pytest.mark.parametrize("maker", SINGLE.values(), ids=SINGLE)
def test_mixture_of_one_is_that_one(maker):
    random = np.random.default_rng(10)
    one, y = maker(random), random.normal(size=SHAPE)
    mixture = Mixture([one])
    for p in (0.025, 0.5, 0.9):
        np.testing.assert_array_equal(mixture.quantile(p), one.quantile(p))
    for method in ("crps", "cdf", "log_score", "abs_error"):
        np.testing.assert_array_equal(getattr(mixture, method)(y), getattr(one, method)(y))
    np.testing.assert_array_equal(mixture.mean(), one.mean())


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


# Points


def test_a_point_claims_no_distribution():
    point = PointForecast([[1.0, 2.0]])
    assert point.mean().tolist() == point.median().tolist() == [[1.0, 2.0]]
    assert point.abs_error(0.0).tolist() == [[1.0, 2.0]]
    for nothing in (point.quantile(0.4), point.cdf(1.0), point.crps(1.0), point.log_score(1.0)):
        assert nothing.shape == (1, 2)
        assert np.isnan(nothing).all()
    moved = point.rescale(2.0, 1.0)
    assert moved.value.tolist() == [[3.0, 5.0]]


def test_a_mixture_of_points_is_a_point():
    mixture = Mixture([PointForecast([[1.0]]), PointForecast([[2.0]]), PointForecast([[9.0]])]).rescale(2.0)
    assert mixture.median().item() == 4.0
    assert mixture.mean().item() == 8.0
    for nothing in (mixture.quantile(0.4), mixture.cdf(1.0), mixture.crps(1.0), mixture.log_score(1.0)):
        assert np.isnan(nothing).all()
    assert mixture.take(slice(0, 1)).shape == (1, 1)


# What is refused


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
def test_what_is_not_a_distribution_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parameters_are_copied_and_cannot_be_changed():
    loc = np.zeros(3)
    normal = Normal(loc, 1.0)
    loc[:] = 7
    assert normal.loc.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        normal.loc[0] = 1.0
    normal.mean()[0] = 1.0
    assert normal.loc[0] == 0.0


# Direction


def test_a_direction_says_a_sign_and_scores_nothing():
    signs = SignForecast([[1.0, -1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(signs.direction(), [[1, -1], [0, 1]])
    for value in (
        *(signs.quantile(0.5), signs.cdf(0.0), signs.mean(), signs.crps(0.0)),
        *(signs.log_score(0.0), signs.abs_error(0.0), signs.median()),
    ):
        assert value.shape == (2, 2)
        assert np.isnan(value).all()


def test_a_direction_has_no_size():
    signs = SignForecast([[1.0, -1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(signs.rescale(3.0).direction(), signs.direction())
    np.testing.assert_array_equal(signs.take(slice(1, 2)).direction(), [[0, 1]])
    with pytest.raises(ValueError, match=r"`shift` must be 0 for a `SignForecast`, got 0\.1"):
        signs.rescale(1.0, 0.1)
    with pytest.raises(
        ValueError, match=r"`sign` must be -1, 0 or 1, got 1 of 2 that are not, the first 0\.5"
    ):
        SignForecast([0.5, 1.0])


def test_any_other_forecast_says_the_sign_of_its_median():
    np.testing.assert_array_equal(Normal([1.0, -2.0, 0.0], 1.0).direction(), [1, -1, 0])
    np.testing.assert_array_equal(PointForecast([-3.0]).direction(), [-1])
