from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import xlogy

from lstm_stock.scoring.significance import (
    christoffersen,
    design_effects,
    exceedance_tests,
    kupiec,
    shortfall_test,
    tail_ratio,
)
from lstm_stock.scoring.significance.value_at_risk import uniform_sum_cdf


def pit_of(misses) -> np.ndarray:
    """PIT values that exceed the value at risk at 5 % where a miss is 1, shape `(n, 1)`."""
    return np.where(np.asarray(misses) == 1, 0.01, 0.5)[:, None]


@pytest.mark.parametrize(
    ("n", "p", "low", "high"),
    [
        *((255, 0.01, 0, 7), (510, 0.01, 1, 11), (1000, 0.01, 4, 17)),
        *((255, 0.025, 2, 12), (510, 0.025, 6, 21), (1000, 0.025, 15, 36)),
        *((255, 0.05, 6, 21), (510, 0.05, 16, 36), (1000, 0.05, 37, 65)),
    ],
)
def test_the_non_rejection_regions_are_those_of_kupiecs_table(n, p, low, high):
    """Kupiec 1995, table of regions at 5 %: he does not reject for more than `low` and fewer than `high`."""

    def statistic(x: int) -> float:
        pit = np.full((n, 1), 0.9)
        pit[:x] = p / 2
        return exceedance_tests(pit, p).coverage.statistic

    critical = stats.chi2.ppf(0.95, 1)
    assert [statistic(x) < critical for x in (low, low + 1, high - 1, high)] == [False, True, True, False]


def test_the_statistics_are_those_of_jorions_example():
    """Jorion 2007, Value at Risk, 3rd edition, section 6.2: 20 exceptions in 252 days, 6 of them after another."""
    # He counts 252 pairs, so the share of exceptions is that of 252 days after the first.
    series = np.concatenate([[0] * 205, [1] * 7, [0], [1, 0] * 13, [0] * 14])
    pairs = list(itertools.pairwise(series))
    assert [pairs.count(one) for one in ((0, 0), (0, 1), (1, 0), (1, 1))] == [218, 14, 14, 6]
    found = exceedance_tests(pit_of(series), 0.05)
    assert found.coverage.statistic == pytest.approx(3.91 - 0.06, abs=0.005)  # the first day counts here
    assert found.independence.statistic == pytest.approx(9.53, abs=0.005)
    assert found.joint.statistic == pytest.approx(13.44 - 0.06, abs=0.005)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_statistics_equal_those_of_the_other_implementation(seed):
    misses = (np.random.default_rng(seed).random(300) < 0.08).astype(float)
    found = exceedance_tests(pit_of(misses), 0.05)
    assert found.coverage.statistic == pytest.approx(kupiec(misses, 0.05).statistic, abs=1e-9)
    assert found.independence.statistic == pytest.approx(christoffersen(misses).statistic, abs=1e-9)


def test_p_values_are_those_of_every_possible_series():
    n, p = 20, 0.3
    masks = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    x = masks.sum(axis=1)
    before, after = masks[:, :-1], masks[:, 1:]
    n_11, n_01 = (before & after).sum(axis=1), ((1 - before) & after).sum(axis=1)
    n_10 = (before & (1 - after)).sum(axis=1)
    n_00 = n - 1 - n_11 - n_01 - n_10
    log_l = lambda k, m, q: xlogy(k, q) + xlogy(m - k, 1 - q)  # noqa: E731
    share = lambda k, m: k / np.maximum(m, 1)  # noqa: E731
    independence = 2 * (
        log_l(n_01, n_00 + n_01, share(n_01, n_00 + n_01))
        + log_l(n_11, n_10 + n_11, share(n_11, n_10 + n_11))
        - log_l(n_01 + n_11, n - 1, (n_01 + n_11) / (n - 1))
    )
    coverage = 2 * (log_l(x, n, x / n) - log_l(x, n, p))
    weight = p**x * (1 - p) ** (n - x)

    def share_as_great(values, value, rows) -> float:
        return weight[rows & (values >= value - 1e-9)].sum() / weight[rows].sum()

    for i in np.random.default_rng(5).integers(0, 2**n, 12):
        found = exceedance_tests(np.where(masks[i] == 1, 0.1, 0.9)[:, None], p)
        everywhere = np.ones(2**n, bool)
        assert found.coverage.p == pytest.approx(share_as_great(coverage, coverage[i], everywhere), abs=1e-9)
        assert found.independence.p == pytest.approx(
            share_as_great(independence, independence[i], x == x[i]), abs=1e-9
        )
        both = coverage + independence
        assert found.joint.p == pytest.approx(share_as_great(both, both[i], everywhere), abs=1e-9)


@pytest.mark.parametrize("n", [2, 5, 25, 26, 60])
def test_the_cdf_of_a_sum_of_uniforms_is_that_of_its_characteristic_function(n):
    """Inversion of Gil-Pelaez 1951."""
    for s in (0.2 * n, 0.45 * n, 0.7 * n):

        def integrand(t: float, s: float = s) -> float:
            return math.sin(t * (n / 2 - s)) / t * (math.sin(t / 2) / (t / 2)) ** n

        area = integrate.quad(integrand, 1e-12, 400 if n < 10 else 60, limit=2000)[0]
        assert uniform_sum_cdf(s, n) == pytest.approx(0.5 - area / math.pi, abs=2e-5 if n > 2 else 2e-3)


def test_the_shortfall_statistic_is_that_of_the_formula_and_its_p_value_that_of_simulation():
    random = np.random.default_rng(11)
    n, p = 250, 0.05
    drawn = random.random((20_000, n))
    sums = np.maximum(1 - drawn / p, 0).sum(axis=1)
    for pit in drawn[:20]:
        found = shortfall_test(pit[:, None], p)
        h = np.maximum(p - pit, 0) / p
        expected = math.sqrt(n) * (h.mean() - p / 2) / math.sqrt(p * (1 / 3 - p / 4))
        assert found.statistic == pytest.approx(expected)
        below = (sums < h.sum()).mean()
        assert found.p == pytest.approx(2 * min(below, 1 - below), abs=0.02)
    # Du & Escanciano's moments: mean p / 2 and variance p (1 / 3 - p / 4).
    assert sums.mean() / n == pytest.approx(p / 2, rel=0.01)
    assert sums.var() / n == pytest.approx(p * (1 / 3 - p / 4), rel=0.03)


def test_a_tail_that_is_too_thin_is_found_by_the_shortfall_before_the_exceedances():
    """Outcomes of a Student-t(2.5), forecast as a normal with the same 5 % quantile."""
    outcomes = stats.t.ppf((np.random.default_rng(2).permutation(1000) + 0.5) / 1000, 2.5)
    pit = stats.norm.cdf(outcomes, scale=stats.t.ppf(0.05, 2.5) / stats.norm.ppf(0.05))[:, None]
    assert exceedance_tests(pit, 0.05).coverage.p > 0.9
    assert shortfall_test(pit, 0.05).p < 0.05
    assert tail_ratio(pit, 0.05) > 1.25
    assert shortfall_test(pit, 0.01).p < 0.001


def correlated(random, n: int, n_tickers: int, r: float) -> np.ndarray:
    z = math.sqrt(r) * random.standard_normal((n, 1)) + math.sqrt(1 - r) * random.standard_normal(
        (n, n_tickers)
    )
    t = z / np.sqrt(random.chisquare(5, (n, 1)) / 5)
    return stats.t.cdf(t, 5)


def test_equal_tickers_count_as_one():
    one = np.random.default_rng(8).random((600, 1))
    effects = design_effects(np.repeat(one, 7, axis=1))
    assert effects == pytest.approx((7.0, 7.0))
    copies = shortfall_test(np.repeat(one, 7, axis=1), 0.05)
    assert copies.p == pytest.approx(shortfall_test(one, 0.05).p, abs=1e-9)
    many = exceedance_tests(np.repeat(one, 7, axis=1), 0.05)
    assert many.coverage.statistic == pytest.approx(exceedance_tests(one, 0.05).coverage.statistic)


def test_true_tails_are_rejected_at_about_the_level():
    random = np.random.default_rng(21)
    rejected = {"one ticker": np.zeros(4), "six tickers": np.zeros(4), "overlapping": np.zeros(4)}
    n_series = 60
    for _ in range(n_series):
        one, six = random.random((500, 1)), correlated(random, 500, 6, 0.4)
        steps = random.standard_normal(504)
        sums = np.convolve(steps, np.ones(5), "valid") / math.sqrt(5)
        for name, pit, step in (
            ("one ticker", one, 1),
            ("six tickers", six, 1),
            ("overlapping", stats.norm.cdf(sums)[:, None], 5),
        ):
            found = exceedance_tests(pit, 0.05, step)
            tests = (found.coverage, found.independence, found.joint, shortfall_test(pit, 0.05, step))
            rejected[name] += [one.p < 0.05 for one in tests]
    for shares in rejected.values():
        assert (shares / n_series < 0.05 + 3 * math.sqrt(0.05 * 0.95 / n_series)).all()


def test_clusters_and_wrong_numbers_are_found():
    random = np.random.default_rng(3)
    clustered = np.repeat(random.random(125) < 0.05, 4).astype(float)
    assert exceedance_tests(pit_of(clustered), 0.05).independence.p < 1e-6
    assert exceedance_tests(pit_of(np.arange(500) % 8 == 0), 0.05).coverage.p < 1e-6
    assert exceedance_tests(np.full((500, 1), 0.5), 0.05).coverage.p < 1e-6
    assert shortfall_test(np.full((500, 1), 0.5), 0.05).p < 1e-6


def test_tickers_with_gaps_count_where_they_have_an_outcome():
    random = np.random.default_rng(4)
    pit = random.random((400, 3))
    gaps = pit.copy()
    gaps[200:, 2] = np.nan
    n_exceeded = (gaps < 0.05).sum()
    share = n_exceeded / 1000
    lr = 2 * (n_exceeded * math.log(share / 0.05) + (1000 - n_exceeded) * math.log((1 - share) / 0.95))
    effect = design_effects(gaps)[0]
    assert exceedance_tests(gaps, 0.05).coverage.statistic == pytest.approx(lr / effect)


@pytest.mark.parametrize(
    ("pit", "step", "message"),
    [
        (np.full(100, 0.5), 1, "two axes"),
        (np.full((19, 1), 0.5), 1, "20 dates per step"),
        (np.full((99, 1), 0.5), 5, "20 dates per step"),
        (np.full((100, 1), 1.5), 1, "between 0 and 1"),
        (np.where(np.arange(100) == 3, np.nan, 0.5)[:, None], 1, "no gap"),
    ],
)
def test_what_cannot_be_tested_is_an_error(pit, step, message):
    with pytest.raises(ValueError, match=message):
        exceedance_tests(pit, 0.05, step)
    with pytest.raises(ValueError, match=message):
        shortfall_test(pit, 0.05, step)
