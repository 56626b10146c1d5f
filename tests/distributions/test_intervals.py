from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from lstm_stock.distributions import Normal, PointForecast, StudentT
from lstm_stock.distributions.intervals import (
    RATE,
    Calibrator,
    Intervals,
    adaptive_factors,
    conformal_factors,
    warmed_up_factors,
)

LEVELS = (50, 90)


def coverage(intervals: Intervals, y_true: np.ndarray) -> np.ndarray:
    """Share of outcomes inside each interval, by step and level."""
    inside = (intervals.lower <= y_true[..., None]) & (y_true[..., None] <= intervals.upper)
    return inside.mean(axis=0)


def test_intervals_are_the_quantiles_of_their_distribution():
    returns = StudentT([[0.1, -0.2]], [[1.0, 2.0]], [[4.0, 9.0]])
    intervals = Intervals.of(returns, LEVELS)
    np.testing.assert_allclose(intervals.lower[..., 1], returns.quantile(0.05))
    np.testing.assert_allclose(intervals.upper[..., 0], returns.quantile(0.75))
    np.testing.assert_allclose(intervals.scaled(np.ones(2)).upper, intervals.upper)
    np.testing.assert_allclose(intervals.last.upper, intervals.upper)


def test_a_point_has_intervals_only_with_a_half_width():
    point = PointForecast([[0.01], [0.02]])
    assert np.isnan(Intervals.of(point, LEVELS).lower).all()
    intervals = Intervals.of(point, LEVELS, np.array([[0.5], [0.25]]))
    np.testing.assert_allclose(intervals.upper[1, 0], [0.27, 0.27])


@given(
    arrays(np.float64, (20, 2), elements=st.floats(-5, 5)),
    st.floats(0.2, 3.0),
)
def test_the_conformity_score_is_the_least_factor_that_contains_the_outcome(y_true, scale):
    intervals = Intervals.of(Normal(np.full((20, 2), 0.3), np.full((20, 2), scale)), LEVELS)
    conformity_scores = intervals.conformity_scores(y_true)
    just = Intervals(
        intervals.centre,
        intervals.below * (conformity_scores + 1e-9),
        intervals.above * (conformity_scores + 1e-9),
    )
    assert (coverage(just, y_true) == 1).all()
    short = Intervals(
        intervals.centre,
        intervals.below * (conformity_scores - 1e-6),
        intervals.above * (conformity_scores - 1e-6),
    )
    assert not coverage(short, y_true)[:, 0].any()


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_conformal_factors_are_the_rank_that_the_theorem_names(n, seed):
    conformity_scores = np.random.default_rng(seed).exponential(size=(n, 1, 2)) + 0.1
    factors = conformal_factors(conformity_scores, LEVELS)[0]
    for i, level in enumerate(LEVELS):
        rank = min(-(-(n + 1) * level // 100), n)
        assert np.sum(conformity_scores[:, 0, i] <= factors[i]) == rank


def test_conformal_intervals_reach_their_level_for_exchangeable_outcomes():
    """Of forecasts too narrow: over many splits the next outcome is inside with a probability >= level."""
    random = np.random.default_rng(3)
    y_true = random.standard_t(4, size=(4000, 40, 1))
    inside = np.zeros(2)
    for path in y_true:
        narrow = Normal(np.zeros((40, 1)), np.full((40, 1), 0.7))
        intervals = Intervals.of(narrow, LEVELS)
        factors = conformal_factors(intervals.conformity_scores(path)[:39], LEVELS)
        inside += coverage(
            Intervals(intervals.centre[39:], intervals.below[39:], intervals.above[39:]).scaled(factors),
            path[39:],
        )[0]
    # With 39 scores the ranks are exactly 20 and 36 of 40; three standard errors of 4,000 draws around that.
    for share, exact in zip(inside / 4000, (20 / 40, 36 / 40), strict=True):
        assert abs(share - exact) < 3 * np.sqrt(exact * (1 - exact) / 4000)


def test_intervals_around_a_point_reach_their_level():
    random = np.random.default_rng(5)
    half_width = np.exp(random.normal(0, 0.5, (1200, 1)))
    y_true = 0.1 + half_width * random.standard_t(5, (1200, 1))
    point = PointForecast(np.zeros((600, 1)))
    calibrator = Calibrator.fit("conformal", LEVELS, point, y_true[:600], half_width[:600])
    shares = coverage(calibrator.apply(point, y_true[600:], half_width[600:]), y_true[600:])[0]
    assert shares == pytest.approx([0.5, 0.9], abs=0.06)


def test_adaptive_intervals_follow_a_stream_whose_spread_doubles():
    random = np.random.default_rng(7)
    n = 4500
    y_true = random.normal(size=(n, 2)) * np.where(np.arange(n) < 1500, 1.0, 2.0)[:, None]
    forecast = Normal(np.zeros((n, 2)), np.ones((n, 2)))
    late, off = slice(3000, None), {}
    for kind in ("conformal", "adaptive"):
        intervals = Calibrator(kind, LEVELS, np.ones((2, 2))).apply(forecast, y_true, np.ones((n, 2)))
        shares = coverage(
            Intervals(intervals.centre[late], intervals.below[late], intervals.above[late]), y_true[late]
        )
        off[kind] = np.abs(shares[:, 1] - 0.9)
    assert (off["conformal"] > 0.1).all()
    assert (off["adaptive"] < 0.02).all()


@settings(deadline=None)
@given(st.integers(0, 29), st.integers(0, 2**32 - 1))
def test_adaptive_factors_use_an_outcome_only_once_it_is_known(cutoff, seed):
    random = np.random.default_rng(seed)
    start, conformity_scores = np.full((3, 2), 0.9), random.exponential(size=(30, 3, 2))
    factors = adaptive_factors(start, conformity_scores, LEVELS, rate=0.3)
    changed = conformity_scores.copy()
    for i in range(3):  # the outcome of step i + 1 from cutoff t is known at t + i + 1
        changed[max(cutoff - i, 0) :, i] = random.exponential(size=(30 - max(cutoff - i, 0), 2))
    np.testing.assert_array_equal(
        adaptive_factors(start, changed, LEVELS, 0.3)[: cutoff + 1], factors[: cutoff + 1]
    )


def test_a_factor_moves_as_the_formula_says():
    conformity_scores = np.array([2.0, 0.5, 0.5, 0.5]).reshape(4, 1, 1)
    factors = adaptive_factors(np.array([[1.0]]), conformity_scores, (90,), rate=0.1)
    np.testing.assert_allclose(factors.ravel(), [1.0, 1.09, 1.08, 1.07])


def test_an_unknown_outcome_moves_no_factor():
    conformity_scores = np.array([2.0, np.nan, np.nan]).reshape(3, 1, 1)
    factors = adaptive_factors(np.array([[1.0]]), conformity_scores, (90,), rate=0.1)
    np.testing.assert_allclose(factors.ravel(), [1.0, 1.09, 1.09])


@settings(deadline=None)
@given(st.integers(1, 80), st.floats(0.001, 0.02), st.floats(1.0, 2.0), st.integers(0, 2**32 - 1))
def test_misses_too_many_are_the_growth_of_the_factor_divided_by_the_rate(n, rate, first, seed):
    """The changes telescope, whatever the outcomes: here of a spread that changes up to tenfold."""
    random = np.random.default_rng(seed)
    conformity_scores = random.exponential(size=(n, 3, 2)) * np.exp(random.uniform(-1.2, 1.2, (n, 1, 1)))
    later = np.concatenate([conformity_scores, np.full((3, 3, 2), np.nan)])
    factors = adaptive_factors(np.full((3, 2), first), later, LEVELS, rate)
    misses = (conformity_scores > factors[:n]).mean(axis=0)
    growth = factors[-1] - first
    np.testing.assert_allclose(misses - [0.5, 0.1], growth / (rate * n), atol=1e-9)


def test_a_factor_that_has_to_grow_by_a_quarter_leaves_25_misses_too_many():
    """The example of docs/method.md: 90 % intervals at four fifths of their width, 40 series at once."""
    conformity_scores = np.abs(np.random.default_rng(11).normal(size=(3000, 1, 40))) / (0.8 * norm.ppf(0.95))
    factors = adaptive_factors(np.ones((1, 40)), conformity_scores, (90,) * 40, RATE)
    assert factors[2000:].mean() == pytest.approx(1.25, abs=0.01)
    too_many = (conformity_scores > factors).sum(axis=0) - 300
    assert too_many.mean() == pytest.approx(25, abs=3)


def test_a_warm_up_ends_with_every_outcome_of_its_period():
    """By hand, two steps: the last outcome of step 2 counts, though only the bar after the next shows it."""
    conformity_scores = np.array([[2.0, 0.5], [0.5, 2.0], [0.5, 3.0]]).reshape(3, 2, 1)
    factors = warmed_up_factors(conformity_scores, (90,), rate=0.1)
    np.testing.assert_allclose(factors.ravel(), [1 + 0.09 - 0.01 - 0.01, 1 - 0.01 + 0.09 + 0.09])


def test_a_warm_up_is_the_first_part_of_a_longer_pass():
    conformity_scores = np.random.default_rng(2).exponential(size=(300, 1, 2))
    whole = adaptive_factors(np.ones((1, 2)), conformity_scores, LEVELS)
    start = warmed_up_factors(conformity_scores[:200], LEVELS)
    np.testing.assert_array_equal(adaptive_factors(start, conformity_scores[200:], LEVELS), whole[200:])


def test_adaptive_starts_from_a_pass_over_val_and_for_a_point_from_what_val_needed():
    y_true, half_width = np.full((40, 2), 3.0), np.ones((40, 2))
    spread, point = Normal(np.zeros((40, 2)), np.ones((40, 2))), PointForecast(np.zeros((40, 2)))
    # All 40 outcomes miss: each adds 0.01 x 0.5 and 0.01 x 0.9.
    factors = Calibrator.fit("adaptive", LEVELS, spread, y_true, half_width).factors
    np.testing.assert_allclose(factors, [[1.2, 1.36]] * 2)
    np.testing.assert_allclose(Calibrator.fit("adaptive", LEVELS, point, y_true, half_width).factors, 3.0)


def test_a_warm_up_brings_a_scale_a_fifth_too_narrow_near_its_level_in_the_first_year():
    """400 series at once against the mean path: 560 outcomes of val, then the 250 of the first year."""
    factor, mean_path = 1.0, []
    for _ in range(810):
        misses = 2 * norm.sf(0.8 * norm.ppf(0.95) * factor)
        mean_path.append(1 - misses)
        factor += RATE * (misses - 0.1)
    conformity_scores = np.abs(np.random.default_rng(13).normal(size=(810, 1, 400)))
    conformity_scores /= 0.8 * norm.ppf(0.95)
    val, first_year, levels = conformity_scores[:560], conformity_scores[560:], (90,) * 400

    def covered(start):
        return (first_year <= adaptive_factors(start, first_year, levels)).mean()

    from_one, warmed_up = covered(np.ones((1, 400))), covered(warmed_up_factors(val, levels))
    assert from_one == pytest.approx(np.mean(mean_path[:250]), abs=0.003)
    assert warmed_up == pytest.approx(np.mean(mean_path[560:]), abs=0.003)
    assert from_one < 0.85 < 0.885 < warmed_up


def test_none_leaves_the_intervals_as_trained_and_all_survive_json():
    returns = Normal(np.zeros((5, 2)), np.ones((5, 2)))
    y_true, half_width = np.full((5, 2), 3.0), np.ones((5, 2))
    for kind in ("none", "conformal", "adaptive"):
        calibrator = Calibrator.fit(kind, LEVELS, returns, y_true, half_width)
        reread = Calibrator.from_json(calibrator.to_json())
        ours, theirs = (one.apply(returns, y_true, half_width) for one in (calibrator, reread))
        np.testing.assert_array_equal(ours.upper, theirs.upper)
        assert (kind == "none") == np.array_equal(ours.upper, Intervals.of(returns, LEVELS).upper)
