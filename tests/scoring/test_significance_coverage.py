from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from lstm_stock.scoring.significance import (
    by_date,
    coverage_by_third,
    coverage_on_volatility,
    kupiec,
    kupiec_by_offset,
    mean_test,
    uniformity,
    uniformity_by_offset,
    volatility_products,
    volatility_thirds,
)

RANDOM = np.random.default_rng(21)


def log_volatility(random: np.random.Generator, n_series: int, n: int) -> np.ndarray:
    noise = math.sqrt(1 - 0.98**2) * random.standard_normal((n_series, n + 300))
    return 0.5 * lfilter([1], [1, -0.98], noise)[:, 300:]


def test_coverage_on_volatility_is_the_score_test_of_a_logistic_regression():
    x = log_volatility(RANDOM, 1, 500)[0]
    hits = (RANDOM.random(500) < 1 / (1 + np.exp(-2 + 0.5 * x))).astype(float)
    null = sm.GLM(hits, np.ones(500), family=sm.families.Binomial()).fit()
    statistic, p = null.score_test(exog_extra=x[:, None])
    found = coverage_on_volatility(hits, np.exp(x))
    assert found.statistic**2 == pytest.approx(float(np.squeeze(statistic)), rel=1e-8)
    assert found.p == pytest.approx(float(np.squeeze(p)), rel=1e-8)
    assert found.n == 500
    full = sm.Logit(hits, sm.add_constant(x)).fit(disp=0)
    assert found.statistic**2 == pytest.approx(full.llr, rel=0.15)
    assert np.sign(found.statistic) == np.sign(full.params[1])


def test_two_volatilities_give_the_chi_squared_of_their_table():
    hits, high = (RANDOM.random(300) < 0.8).astype(float), RANDOM.random(300) < 0.4
    table = np.histogram2d(hits, high, bins=2)[0]
    expected = stats.chi2_contingency(table, correction=False)
    found = coverage_on_volatility(hits, np.where(high, 0.03, 0.01))
    assert found.statistic**2 == pytest.approx(expected.statistic, rel=1e-10)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-8)


def test_the_mean_of_the_products_is_what_is_tested():
    hits, volatility = (RANDOM.random(200) < 0.9).astype(float), RANDOM.lognormal(-4, 0.5, 200)
    products = volatility_products(hits, volatility)
    assert products.mean() / hits.std() == pytest.approx(stats.pearsonr(hits, np.log(volatility))[0])
    assert products == pytest.approx(volatility_products(hits, 100 * volatility))


@pytest.mark.parametrize(
    ("hits", "volatility"),
    [
        (np.ones(30), np.arange(1.0, 31)),
        (np.zeros(30), np.arange(1.0, 31)),
        (np.tile([0.0, 1], 15), np.full(30, 0.1)),
    ],
)
def test_coverage_that_cannot_vary_does_not_depend(hits, volatility):
    found = coverage_on_volatility(hits, volatility)
    assert math.isnan(found.statistic)
    assert math.isnan(found.p)
    assert not volatility_products(hits, volatility).any()


def test_volatility_is_above_0_and_one_for_each_hit():
    hits = np.tile([0.0, 1], 15)
    with pytest.raises(ValueError, match="`volatility` must be above 0, got 0"):
        coverage_on_volatility(hits, np.zeros(30))
    with pytest.raises(ValueError, match="`volatility` must be finite, got 30 of 30"):
        volatility_thirds(np.full(30, np.nan))
    for function in (coverage_on_volatility, coverage_by_third):
        with pytest.raises(ValueError, match="one shape"):
            function(hits, np.ones(31))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=20, max_size=80))
def test_thirds_are_equal_and_in_order(values):
    volatility = np.asarray(values, float)
    thirds = volatility_thirds(volatility)
    counts = np.bincount(thirds, minlength=3)
    assert counts.max() - counts.min() <= 1
    for low, high in ((0, 1), (1, 2)):
        assert volatility[thirds == low].max() <= volatility[thirds == high].min()
    for value in set(values):  # ties in order of time
        assert (np.diff(thirds[volatility == value]) >= 0).all()


def test_coverage_by_third_counts_the_hits_of_each():
    volatility = np.r_[np.full(10, 3.0), np.full(10, 1.0), np.full(10, 2.0)]
    hits = np.r_[np.tile([1.0, 0], 5), np.ones(10), np.repeat([1.0, 0], [8, 2])]
    np.testing.assert_allclose(coverage_by_third(hits, volatility), [1.0, 0.8, 0.5])


@pytest.mark.parametrize("n", [60, 250])
def test_the_true_scale_is_seldom_rejected_and_a_constant_often(n):
    random = np.random.default_rng(22)
    logs = log_volatility(random, 400, n)
    size = np.abs(random.standard_normal((400, n)))
    true, constant = (size < 1.645).astype(float), (size * np.exp(logs) < 1.9).astype(float)
    rejects = [
        np.mean([coverage_on_volatility(h, np.exp(x)).p < 0.05 for h, x in zip(hits, logs, strict=True)])
        for hits in (true, constant)
    ]
    assert 0.02 < rejects[0] < 0.08
    assert rejects[1] > {60: 0.2, 250: 0.9}[n]


def test_ten_copies_of_a_ticker_are_no_more_evidence_of_dependence_than_one():
    x = log_volatility(RANDOM, 1, 250)[0]
    hits = (np.abs(RANDOM.standard_normal(250)) * np.exp(x) < 1.9).astype(float)
    products, dates = volatility_products(hits, np.exp(x)), np.arange(250)
    pooled = by_date(np.tile(products, 10), np.tile(dates, 10))
    assert mean_test(pooled).p == pytest.approx(mean_test(products).p)


# --- PIT of overlapping steps -----------------------------------------------------------------------------------


def overlapping_pit(random: np.random.Generator, n: int, step: int, scale: float = 1.0) -> np.ndarray:
    sums = np.convolve(random.standard_normal(n + step - 1), np.ones(step), "valid")
    return stats.norm.cdf(scale * sums / math.sqrt(step))


def test_one_step_has_one_offset():
    u = RANDOM.beta(1.1, 1, 300)
    assert uniformity_by_offset(u, 1).p == pytest.approx(uniformity(u).p, rel=1e-9)


def test_offsets_are_combined_by_the_cauchy_distribution():
    u = overlapping_pit(RANDOM, 301, 3)
    p = [stats.cramervonmises(u[offset::3], "uniform").pvalue for offset in range(3)]
    found = uniformity_by_offset(u, 3)
    assert found.statistic == pytest.approx(np.mean(stats.cauchy.isf(p)), rel=1e-9)
    assert found.p == pytest.approx(0.5 - math.atan(found.statistic) / math.pi, rel=1e-9)
    assert found.n == 301


def test_equal_offsets_are_one_test():
    u = RANDOM.beta(1.2, 1, 60)
    assert uniformity_by_offset(np.repeat(u, 5), 5).p == pytest.approx(uniformity(u).p, rel=1e-9)


def test_overlap_alone_is_seldom_rejected_and_a_wrong_location_often():
    random = np.random.default_rng(23)
    pits = [overlapping_pit(random, 150, 3) for _ in range(60)]
    assert np.mean([uniformity_by_offset(u, 3).p < 0.05 for u in pits]) < 0.14
    assert np.mean([uniformity(u).p < 0.05 for u in pits]) > 0.15  # as if they did not overlap
    assert uniformity_by_offset(pits[0] ** 1.7, 3).p < 0.01


def test_every_offset_has_enough_values():
    with pytest.raises(ValueError, match="20 values or more"):
        uniformity_by_offset(np.linspace(0.1, 0.9, 99), 5)
    with pytest.raises(ValueError, match="`step` must be 1 or more, got 0"):
        uniformity_by_offset(np.linspace(0.1, 0.9, 99), 0)


def test_coverage_of_overlapping_forecasts_is_kupiec_of_each_offset_combined():
    misses = (np.random.default_rng(4).random(400) < 0.05).astype(float)
    assert kupiec_by_offset(misses, 0.1, 1).p == pytest.approx(kupiec(misses, 0.1).p)
    p = [kupiec(misses[offset::5], 0.1).p for offset in range(5)]
    cauchy = np.mean([np.tan(np.pi * (0.5 - one)) for one in p])
    found = kupiec_by_offset(misses, 0.1, 5)
    assert (found.statistic, found.p) == (
        pytest.approx(cauchy),
        pytest.approx(0.5 - np.arctan(cauchy) / np.pi),
    )


def test_coverage_of_overlapping_forecasts_holds_its_size():
    """Of 400 random walks with five-step forecasts 5 % are 20; below 8 or above 33 comes once in 400 times."""
    random = np.random.default_rng(8)
    n_rejected = 0
    for _ in range(400):
        total = np.convolve(random.standard_normal(504), np.ones(5), "valid") / np.sqrt(5)
        n_rejected += kupiec_by_offset((np.abs(total) > 1.96).astype(float), 0.05, 5).p < 0.05
    assert 8 <= n_rejected <= 33
