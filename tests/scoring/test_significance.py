from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from arch.bootstrap import StationaryBootstrap
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.verdict.single_tests import p_values_of_the_truth, p_values_under_the_null, share_below
from lstm_stock.scoring.significance import (
    HypothesisTest,
    by_date,
    christoffersen,
    diebold_mariano,
    direction_products,
    kupiec,
    long_run_variance,
    mean_test,
    pesaran_timmermann,
    skill_interval,
    truncation,
    uniformity,
)

RANDOM = np.random.default_rng(1)
RELATED = np.convolve(RANDOM.standard_t(4, 704), [1, 0.8, 0.5, 0.3, 0.1], "valid")
MISSES = (np.convolve(RANDOM.random(601), [1, 0.4], "valid") > 1.2).astype(float)


# --- accuracy ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_lags", [0, 1, 4, 34])
def test_the_long_run_variance_is_that_of_a_regression_on_a_constant(n_lags):
    fit = sm.OLS(RELATED, np.ones(700)).fit(
        cov_type="HAC", cov_kwds={"maxlags": n_lags, "use_correction": False}
    )
    assert long_run_variance(RELATED, n_lags) == pytest.approx(700 * float(fit.bse[0]) ** 2, rel=1e-10)


def share_kept_by_the_mean(n: int, weights: np.ndarray) -> float:
    """The expectation of a long-run variance of white noise, as the trace of its quadratic form."""
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    form = np.where(distance < len(weights), weights[np.minimum(distance, len(weights) - 1)], 0.0)
    centring = np.eye(n) - 1 / n
    return float(np.trace(centring @ form @ centring)) / n


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_correction_is_that_of_harvey_leybourne_and_newbold_for_their_weights(k):
    expected = (201 - 2 * k + k * (k - 1) / 200) / 200
    assert share_kept_by_the_mean(200, np.ones(k)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("step", [1, 5])
def test_diebold_mariano_agrees_with_an_independent_computation(step):
    d = RELATED + 0.2
    fit = sm.OLS(d, np.ones(700)).fit(cov_type="HAC", cov_kwds={"maxlags": 34, "use_correction": False})
    statistic = float(fit.tvalues[0]) * math.sqrt(share_kept_by_the_mean(700, 1 - np.arange(35) / 35))
    distribution = stats.t(1.5 * 700 / 35)
    for side, p in (
        ("two-sided", 2 * distribution.sf(abs(statistic))),
        ("greater", distribution.sf(statistic)),
        ("less", distribution.cdf(statistic)),
    ):
        found = diebold_mariano(d, step, side)
        assert found.statistic == pytest.approx(statistic, abs=1e-8)
        assert found.p == pytest.approx(p, abs=1e-8)
        assert found.n == 700


def test_the_truncation_follows_the_rule_and_stays_inside_the_series():
    assert truncation(100) == 13
    assert truncation(20) == 6
    assert truncation(20, step=60) == 10


def test_forecasts_that_never_differ_are_no_evidence():
    for side in ("two-sided", "less", "greater"):
        assert diebold_mariano(np.zeros(50), 1, side) == HypothesisTest(0.0, 1.0, 50)


def test_a_constant_difference_has_no_variance_to_set_it_against():
    found = diebold_mariano(np.full(50, 0.1))
    assert math.isnan(found.p)
    assert math.isnan(found.statistic)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), step=st.integers(1, 10), unit=st.floats(1e-6, 1e6))
def test_diebold_mariano_takes_no_side_and_no_unit(seed, step, unit):
    d = np.random.default_rng(seed).standard_normal(60)
    ours, theirs = diebold_mariano(d, step), diebold_mariano(-unit * d, step)
    assert ours.statistic == pytest.approx(-theirs.statistic, rel=1e-9)
    assert ours.p == pytest.approx(theirs.p, rel=1e-9)
    less, greater = diebold_mariano(d, step, "less"), diebold_mariano(d, step, "greater")
    assert less.p + greater.p == pytest.approx(1.0)
    assert ours.p == pytest.approx(2 * min(less.p, greater.p))


@pytest.mark.parametrize(
    ("values", "step", "message"),
    [
        (np.zeros(19), 1, "20 values or more"),
        (np.append(np.zeros(30), np.nan), 1, "1 of 31 values that are not"),
        (np.zeros((30, 2)), 1, "one axis"),
        (np.arange(30.0), 16, "`step` must lie between 1 and n / 2 = 15, got 16"),
        (np.arange(30.0), 0, "`step`"),
    ],
)
def test_invalid_series_are_refused(values, step, message):
    with pytest.raises(ValueError, match=message):
        diebold_mariano(values, step)


def test_lags_beyond_the_series_are_refused():
    with pytest.raises(ValueError, match="`n_lags` must lie between 0 and n - 1 = 29, got 30"):
        long_run_variance(np.arange(30.0), 30)


def test_tickers_are_averaged_within_each_date():
    dates = RANDOM.integers(0, 50, 700)
    table = pd.DataFrame({"date": dates, "value": RELATED})
    np.testing.assert_allclose(by_date(RELATED, dates), table.groupby("date")["value"].mean(), rtol=1e-12)
    with pytest.raises(ValueError, match="one shape"):
        by_date([1.0, 2.0], [1])


def test_ten_copies_of_a_ticker_are_no_more_evidence_than_one():
    dates = np.repeat(np.arange(700), 10)
    assert diebold_mariano(by_date(np.repeat(RELATED, 10), dates)).p == pytest.approx(
        diebold_mariano(RELATED).p
    )


@pytest.mark.parametrize("root", [False, True])
def test_the_bootstrap_interval_is_that_of_another_implementation(root):
    ours = RANDOM.standard_t(6, 500) ** 2
    theirs = ours + RANDOM.normal(0.1, 1, 500)

    def skill(a, b):
        ratio = a.mean() / b.mean()
        return 100 * (1 - (np.sqrt(ratio) if root else ratio))

    low, high = skill_interval(ours, theirs, level=90, root=root)
    other = StationaryBootstrap(truncation(500), ours, theirs, seed=3)
    expected = other.conf_int(skill, reps=4000, method="percentile", size=0.9).ravel()
    width = expected[1] - expected[0]
    np.testing.assert_allclose([low, high], expected, atol=0.06 * width)
    assert low < skill(ours, theirs) < high


def test_the_bootstrap_gives_the_same_interval_twice_and_none_to_equal_losses():
    losses = RELATED**2
    assert skill_interval(losses, losses + 1) == skill_interval(losses, losses + 1)
    assert skill_interval(losses, losses) == (0.0, 0.0)
    with pytest.raises(ValueError, match="positive mean"):
        skill_interval(losses, np.zeros(700))


# --- direction --------------------------------------------------------------------------------------------------


def test_pesaran_timmermann_is_the_chi_squared_of_the_contingency_table():
    """Granger & Pesaran 2000: its square is Pearson's, but for n / (n - 1)."""
    moves = RANDOM.normal(0.1, 1, 300)
    signs = np.sign(0.2 * moves + RANDOM.normal(0.1, 1, 300))
    table = pd.crosstab(moves > 0, signs > 0)
    chi2 = stats.chi2_contingency(table, correction=False).statistic
    found = pesaran_timmermann(moves, signs)
    assert found.statistic**2 == pytest.approx(chi2 * 300 / 299, rel=1e-10)
    assert found.p == pytest.approx(stats.norm.sf(found.statistic), abs=1e-12)
    assert pesaran_timmermann(moves, signs, "less").p == pytest.approx(1 - found.p)


def test_pesaran_timmermann_worked_by_hand():
    """30 rows: 12 rises forecast and realised, 6 falls likewise; p = 18/30, q = 18/30, P = 0.6, P* = 0.52."""
    moves = np.r_[np.ones(18), -np.ones(12)]
    signs = np.r_[np.ones(12), -np.ones(6), np.ones(6), -np.ones(6)]
    v = 0.52 * 0.48 / 30
    w = 2 * 0.2**2 * 0.24 / 30 + 4 * 0.24**2 / 900
    assert pesaran_timmermann(moves, signs).statistic == pytest.approx(0.08 / math.sqrt(v - w), abs=1e-12)


def test_always_up_has_no_direction_to_test_however_the_market_rises():
    found = pesaran_timmermann(RANDOM.normal(1, 1, 100), np.ones(100))
    assert math.isnan(found.statistic)
    assert math.isnan(found.p)
    assert found.n == 100


def test_rows_that_do_not_move_are_left_out():
    moves, signs = np.tile([1.0, -1.0, 0.0, 2.0], 20), np.tile([1.0, 1.0, -1.0, 0.0], 20)
    assert pesaran_timmermann(moves, signs).n == 40


def test_direction_products_average_to_what_is_right_beyond_luck():
    moves, signs = RANDOM.normal(0.2, 1, 200), RANDOM.normal(0.1, 1, 200)
    p, q = np.mean(moves > 0), np.mean(signs > 0)
    beyond = np.mean((moves > 0) == (signs > 0)) - (p * q + (1 - p) * (1 - q))
    assert direction_products(moves, signs).mean() == pytest.approx(beyond, abs=1e-12)
    assert not direction_products(moves, np.ones(200)).any()


# --- coverage ---------------------------------------------------------------------------------------------------


def test_kupiec_agrees_with_binomial_likelihoods():
    n, x = len(MISSES), int(MISSES.sum())
    expected = 2 * (stats.binom.logpmf(x, n, x / n) - stats.binom.logpmf(x, n, 0.1))
    found = kupiec(MISSES, 0.1)
    assert found.statistic == pytest.approx(expected, abs=1e-8)
    assert found.p == pytest.approx(stats.chi2.sf(expected, 1), abs=1e-8)


def test_kupiec_of_no_miss_at_all():
    assert kupiec(np.zeros(100), 0.05).statistic == pytest.approx(-200 * math.log(0.95), abs=1e-12)


def test_christoffersen_is_the_likelihood_ratio_of_the_transition_table():
    table = pd.crosstab(MISSES[:-1], MISSES[1:])
    expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    found = christoffersen(MISSES)
    assert found.statistic == pytest.approx(expected, abs=1e-8)
    assert found.p == pytest.approx(stats.chi2.sf(expected, 1), abs=1e-8)
    assert found.p < 0.01


def test_christoffersen_worked_by_hand():
    """0 -> 0 14 times, 0 -> 1 3 times, 1 -> 0 twice, 1 -> 1 once."""
    misses = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    alone = 14 * math.log(14 / 17) + 3 * math.log(3 / 17) + 2 * math.log(2 / 3) + math.log(1 / 3)
    together = 16 * math.log(16 / 20) + 4 * math.log(4 / 20)
    assert christoffersen(misses).statistic == pytest.approx(2 * (alone - together), abs=1e-12)


def test_an_interval_that_is_never_missed_has_no_clusters():
    assert christoffersen(np.zeros(50)) == HypothesisTest(0.0, 1.0, 50)
    assert christoffersen(np.ones(50)) == HypothesisTest(0.0, 1.0, 50)
    assert christoffersen(np.append(np.zeros(49), 1.0)).p == pytest.approx(1.0)


def test_misses_are_0_and_1():
    with pytest.raises(ValueError, match="0 and 1 only"):
        kupiec(np.full(30, 0.5), 0.1)
    with pytest.raises(ValueError, match="`p` must lie between 0 and 1, got 1"):
        kupiec(np.zeros(30), 1)


def test_uniformity_is_the_integral_of_the_squared_distance():
    u = RANDOM.beta(1.1, 1, 400)
    grid = (np.arange(400_000) + 0.5) / 400_000
    distance = np.searchsorted(np.sort(u), grid, side="right") / 400 - grid
    found = uniformity(u)
    assert found.statistic == pytest.approx(400 * np.mean(distance**2), rel=1e-4)


def test_uniformity_has_the_quantiles_of_anderson_and_darling():
    """Anderson & Darling 1952, table 1: the limit's 95 % quantile is 0.46136, its 99 % one 0.74346."""
    for quantile, p in ((0.46136, 0.05), (0.74346, 0.01)):
        n = 4000
        u = (np.arange(n) + 0.5) / n
        shift = math.sqrt((quantile - 1 / (12 * n)) / n)
        found = uniformity(np.clip(u + shift, 0, 1))
        assert found.statistic == pytest.approx(quantile, rel=0.02)
        assert found.p == pytest.approx(p, rel=0.06)
    with pytest.raises(ValueError, match="between 0 and 1"):
        uniformity(np.linspace(-0.1, 1, 30))


# --- size and power ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sizes() -> pd.DataFrame:
    return pd.DataFrame(
        {
            shocks: share_below(
                [p_values_under_the_null(np.random.default_rng([1, i]), shocks) for i in range(100)]
            )
            for shocks in ("Gaussian", "Student-t(5)")
        }
    )


def test_true_nulls_are_rejected_at_about_the_level(sizes):
    """200 walks a test: 5 % is known to 1.5 %. The mean of all tests is known better."""
    tests = sizes.drop(index=[name for name in sizes.index if "nominal 10 %" in name])
    assert (tests.mean(axis=1) <= 11).all(), tests
    assert 3.5 <= float(tests.to_numpy().mean()) <= 6.5


def test_a_bootstrap_interval_misses_the_truth_at_about_its_level(sizes):
    (name,) = [name for name in sizes.index if "nominal 10 %" in name]
    assert 5 <= sizes.loc[name].mean() <= 17


def test_true_parameters_are_seen_to_be_better_than_a_constant():
    found = share_below([p_values_of_the_truth(np.random.default_rng([2, i])) for i in range(40)])
    assert found["crps, one-sided"] >= 90
    assert found["log_score, two-sided"] >= 90


def test_a_mean_test_of_one_sign_is_sure():
    assert mean_test(1 + 0.1 * RANDOM.random(100), alternative="greater").p < 1e-6


def test_the_skill_of_resamples_without_any_loss_is_left_out():
    losses = np.zeros(200)
    losses[:3] = 1.0
    low, high = skill_interval(0.9 * losses, losses)
    assert (low, high) == pytest.approx((10, 10))
