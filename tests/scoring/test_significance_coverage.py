from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from lstm_stock.scoring.significance import (
    by_date,
    coverage_by_third,
    kupiec,
    kupiec_by_offset,
    martingale_test,
    uniformity,
    uniformity_by_offset,
    volatility_products,
    volatility_thirds,
)

RANDOM = np.random.default_rng(21)


def log_volatility(random: np.random.Generator, n_series: int, n: int) -> np.ndarray:
    noise = math.sqrt(1 - 0.98**2) * random.standard_normal((n_series, n + 300))
    return 0.5 * lfilter([1], [1, -0.98], noise)[:, 300:]


def test_the_products_by_hand():
    """x is 0, 1, 2, ...: its mean up to t is t / 2."""
    hits = np.tile([1.0, 0.0], 10)
    products = volatility_products(hits, np.exp(np.arange(20.0)), 0.75)
    assert products == pytest.approx(np.arange(20) / 2 * np.tile([0.25, -0.75], 10))


def test_the_martingale_test_by_hand():
    values = np.r_[np.full(15, 1.0), np.full(10, -1.0)]
    found = martingale_test(values)
    assert (found.statistic, found.n) == (pytest.approx(5 / 5), 25)
    assert found.p == pytest.approx(2 * stats.norm.sf(1.0))
    long = np.random.default_rng(3).standard_normal(200)
    p = [martingale_test(long[offset::4]).p for offset in range(4)]
    cauchy = np.mean([np.tan(np.pi * (0.5 - one)) for one in p])
    assert martingale_test(long, 4).p == pytest.approx(0.5 - np.arctan(cauchy) / np.pi)


def test_constant_volatility_does_not_apply():
    products = volatility_products(np.tile([0.0, 1], 15), np.full(30, 0.1), 0.5)
    assert not products.any()
    assert math.isnan(martingale_test(products).p)


def test_volatility_is_above_0_and_one_for_each_hit():
    hits = np.tile([0.0, 1], 15)
    with pytest.raises(ValueError, match="`volatility` must be above 0, got 0"):
        volatility_products(hits, np.zeros(30), 0.5)
    with pytest.raises(ValueError, match="`volatility` must be finite, got 30 of 30"):
        volatility_thirds(np.full(30, np.nan))
    with pytest.raises(ValueError, match="one shape"):
        volatility_products(hits, np.ones(31), 0.5)
    with pytest.raises(ValueError, match="one shape"):
        coverage_by_third(hits, np.ones(31))


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
    quantiles = stats.norm.ppf([0.75, 0.9, 0.95, 0.975])  # of the 50, 80, 90 and 95 % intervals
    true, constant = (
        np.mean([each < q for q in quantiles], axis=0)
        for each in (size, size * np.exp(logs - logs.var() / 2))
    )
    rejects = [
        np.mean(
            [
                martingale_test(volatility_products(h, np.exp(x), 0.7875)).p < 0.05
                for h, x in zip(hits, logs, strict=True)
            ]
        )
        for hits in (true, constant)
    ]
    assert 0.02 < rejects[0] < 0.085
    assert rejects[1] > {60: 0.15, 250: 0.7}[n]


def test_a_miss_that_raises_volatility_is_no_dependence():
    """10 GARCH tickers, true scale: centred on the mean of all days, 86 % of such series were rejected."""
    random, n, n_rejected = np.random.default_rng(5), 120, 0
    for _ in range(200):
        z = random.standard_normal((10, n + 100))
        variance = np.ones((10, n + 100))
        for t in range(1, n + 100):
            variance[:, t] = 0.02 + (0.09 * z[:, t - 1] ** 2 + 0.89) * variance[:, t - 1]
        hits = (np.abs(z[:, -n:]) < 1.645).astype(float)
        products = [
            volatility_products(h, np.sqrt(v), 0.9) for h, v in zip(hits, variance[:, -n:], strict=True)
        ]
        n_rejected += martingale_test(np.mean(products, axis=0)).p < 0.05
    assert n_rejected <= 21  # of 200, 5 % are 10; more than 21 would come once in 1,000 times


def test_ten_copies_of_a_ticker_are_no_more_evidence_of_dependence_than_one():
    x = log_volatility(RANDOM, 1, 250)[0]
    hits = (np.abs(RANDOM.standard_normal(250)) * np.exp(x) < 1.9).astype(float)
    products, dates = volatility_products(hits, np.exp(x), 0.9), np.arange(250)
    pooled = by_date(np.tile(products, 10), np.tile(dates, 10))
    assert martingale_test(pooled).p == pytest.approx(martingale_test(products).p)


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
