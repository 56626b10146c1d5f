"""Tests of value at risk and expected shortfall, from the PIT of the outcomes alone.

A loss exceeds the value at risk at the probability p where the PIT is below p. If the forecast distribution is
right, the PIT values are uniform and independent. So exceedances are independent with probability p (Kupiec 1995;
Christoffersen 1998), and the cumulative violations `H = max(1 - PIT / p, 0)` have mean p / 2 (Du & Escanciano
2017, Management Science 63): H is the mean over all lower probabilities of their exceedances, as expected
shortfall is that of their quantiles.

Three things make the textbook p-values wrong, and are allowed for:

- Exceedances are few. One ticker's p-values come from the exact distribution of the statistic, not from
  chi-squared or a normal distribution.
- Forecasts of k bars overlap. Every k-th is independent of the next: each of the k interleaved series is tested,
  and their p-values are combined by Cauchy's distribution (Liu & Xie 2020).
- Tickers exceed together. Statistics of several tickers are divided by the design effect, the variance of a
  date's number of exceedances over that of independent tickers (Rao & Scott 1981, Journal of the American
  Statistical Association 76). It is estimated from the outcomes beyond the 10 % quantiles on both sides, of which
  there are enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from lstm_stock.distributions.base import Array, probability_of
from lstm_stock.scoring.significance.base import MIN_OBSERVATIONS, HypothesisTest

BROAD = 0.1
"""Probability of the outcomes, on each side, that the design effect is estimated from."""

MAX_P = 0.99
"""Greatest p-value that is combined: the Cauchy tangent of 1 would outweigh all others."""

MAX_EXACT = 25
"""Up to this many uniform variables, the cdf of their sum is exact; above, an expansion with an error of 1e-5."""


@dataclass(frozen=True)
class ExceedanceTests:
    """The tests of the exceedances of one value at risk.

    Attributes:
        coverage: Whether it is exceeded with the stated probability: the likelihood ratio of Kupiec.
        independence: Whether an exceedance changes the probability of the next: that of Christoffersen.
        joint: Both together, Christoffersen's conditional coverage: the sum of the two statistics.
    """

    coverage: HypothesisTest
    independence: HypothesisTest
    joint: HypothesisTest


def exceedance_tests(pit: ArrayLike, p: float, step: int = 1) -> ExceedanceTests:
    """Test the exceedances of the value at risk at the probability `p`.

    With x exceedances of n, `n_ij` the pairs of neighbours with the states i and j (1 is an exceedance), and
    `L(x, n, q) = q^x (1 - q)^(n - x)`,

        coverage        2 log L(x, n, x/n) / L(x, n, p)
        independence    2 log L(n_01, n_0, n_01/n_0) L(n_11, n_1, n_11/n_1) / L(n_.1, n - 1, n_.1/(n - 1))

    The null distribution of one ticker is exact: that of x is binomial, and given x, all orders of the exceedances
    are equally likely, so that the pairs follow from the number of runs and from the two ends. The p-value of
    independence is that given x, which says nothing about order. For several tickers the statistics are divided
    by the design effect, that of independence by the design effect of products, and compared with chi-squared.

    Args:
        pit: PIT of the outcomes in order of date, shape `(n_dates, n_tickers)`; NaN where a ticker has no outcome.
        p: Probability of a larger loss.
        step: Step of the forecasts.

    Returns:
        For `step` above 1 the statistics are those of the combination.

    Raises:
        ValueError: There are too few dates, a value is not between 0 and 1, or `p` is not.
    """
    u = _matrix(pit, step)
    effects = (1.0, 1.0) if u.shape[1] == 1 else design_effects(u)
    found = [_test_series(u[offset::step], probability_of(p), effects) for offset in range(step)]
    if step == 1:
        return found[0]
    n = u.shape[0]
    return ExceedanceTests(
        *(
            _combined([getattr(one, name).p for one in found], n)
            for name in ("coverage", "independence", "joint")
        )
    )


def shortfall_test(pit: ArrayLike, p: float, step: int = 1) -> HypothesisTest:
    """Test the expected shortfall at the probability `p` by the mean cumulative violation, two-sided.

    With `H = max(1 - PIT / p, 0)`, the unconditional backtest of Du & Escanciano 2017 (Management Science 63,
    eq. 14) is

        U = sqrt(n) (mean(H) - p / 2) / sqrt(p (1 / 3 - p / 4)),

    in the limit standard normal. The p-value is that of the exact distribution of the sum of H, a binomial number
    of uniform variables, since p n is often below 10. Several tickers count as `n / design effect` outcomes.

    Args:
        pit: As for `exceedance_tests`.
        p: Probability of the tail.
        step: Step of the forecasts.

    Raises:
        ValueError: As `exceedance_tests`.
    """
    u = _matrix(pit, step)
    effect = 1.0 if u.shape[1] == 1 else design_effects(u)[0]
    found = [_test_shortfall(u[offset::step], probability_of(p), effect) for offset in range(step)]
    return found[0] if step == 1 else _combined([one.p for one in found], len(u))


def tail_ratio(pit: ArrayLike, p: float) -> float:
    """Return how often losses exceed the value at risk, relative to what is stated, on average below `p`.

    The mean of `exceedances(q) / n` over all probabilities q from 0 to p, divided by its expectation p / 2.

    >>> tail_ratio([[0.025], *[[0.5]] * 19], 0.05)  # one of twenty exceeds half of them: 0.5 / 20 against 0.025
    1.0
    """
    u = np.asarray(pit, np.float64)
    u = u[~np.isnan(u)]
    return float(np.mean(np.maximum(1 - u / p, 0.0)) / (p / 2))


def design_effects(pit: ArrayLike) -> tuple[float, float]:
    """Return the design effects of counts of exceedances, and of counts of exceedances after exceedances.

    With r the mean correlation of two tickers' exceedances on one date, and m the mean number of tickers weighted
    by itself, they are `1 + (m - 1) r` and `1 + (m - 1) r^2`: an exceedance on both of two days is a product of
    independent ones.

    Args:
        pit: Shape `(n_dates, n_tickers)`; NaN where a ticker has no outcome.
    """
    u = np.asarray(pit, np.float64)
    known = ~np.isnan(u)
    counts = known.sum(axis=1)
    n_pairs = float((counts * (counts - 1)).sum())
    if n_pairs == 0:
        return 1.0, 1.0
    correlations = []
    for event in (u < BROAD, u > 1 - BROAD):
        rate = event[known].mean()
        deviation = np.where(known, event - rate, 0.0)
        pairs = float((deviation.sum(axis=1) ** 2 - (deviation**2).sum(axis=1)).sum())
        correlations.append(pairs / n_pairs / (rate * (1 - rate)) if 0 < rate < 1 else 0.0)
    r = min(max(float(np.mean(correlations)), 0.0), 1.0)
    others = float((counts**2).sum() / counts.sum()) - 1
    return 1 + others * r, 1 + others * r**2


def _matrix(pit: ArrayLike, step: int) -> Array:
    """Return the PIT as an array of dates and tickers; ValueError if it cannot be tested."""
    u = np.asarray(pit, np.float64)
    if u.ndim != 2 or len(u) < MIN_OBSERVATIONS * step:
        raise ValueError(
            f"`pit` must have two axes and {MIN_OBSERVATIONS} dates per step or more, got {u.shape}, step {step}"
        )
    if u.shape[1] == 1 and np.isnan(u).any():
        raise ValueError("`pit` of one ticker must have no gap")
    known = u[~np.isnan(u)]
    if len(known) and not (known.min() >= 0 and known.max() <= 1):
        raise ValueError(f"`pit` must lie between 0 and 1, got {known.min():g} to {known.max():g}")
    return u


def _test_series(u: Array, p: float, effects: tuple[float, float]) -> ExceedanceTests:
    known = ~np.isnan(u)
    x, n = float((u < p).sum()), int(known.sum())
    pairs = known[1:] & known[:-1]
    before, after = (u[:-1] < p)[pairs], (u[1:] < p)[pairs]
    counts = [float((before == i)[after == j].sum()) for i in (False, True) for j in (False, True)]
    coverage, independence = float(_coverage(x, n, p)), float(_independence(*counts))
    if u.shape[1] == 1:
        of_counts, weights = _counts(n, p)
        return ExceedanceTests(
            HypothesisTest(coverage, _exact_p(coverage, _coverage(of_counts, n, p), weights), len(u)),
            HypothesisTest(independence, _exact_p(independence, *_orders(n, int(x))), len(u)),
            HypothesisTest(coverage + independence, _exact_p(coverage + independence, *_both(n, p)), len(u)),
        )
    coverage, independence = coverage / effects[0], independence / effects[1]
    return ExceedanceTests(
        HypothesisTest(coverage, float(stats.chi2.sf(coverage, 1)), len(u)),
        HypothesisTest(independence, float(stats.chi2.sf(independence, 1)), len(u)),
        HypothesisTest(coverage + independence, float(stats.chi2.sf(coverage + independence, 2)), len(u)),
    )


def _coverage(x: ArrayLike, n: int, p: float) -> Array:
    """Return Kupiec's likelihood ratio of x exceedances of n."""
    x = np.asarray(x, np.float64)
    return np.maximum(2 * (_log_likelihood(x, n, x / n) - _log_likelihood(x, n, p)), 0.0)


def _independence(n_00: ArrayLike, n_01: ArrayLike, n_10: ArrayLike, n_11: ArrayLike) -> Array:
    """Return Christoffersen's likelihood ratio of the numbers of pairs."""
    a, b, c, d = (np.asarray(one, np.float64) for one in (n_00, n_01, n_10, n_11))

    def best(x: Array, n: Array) -> Array:
        return _log_likelihood(x, n, x / np.maximum(n, 1))

    return np.maximum(2 * (best(b, a + b) + best(d, c + d) - best(b + d, a + b + c + d)), 0.0)


def _log_likelihood(x: ArrayLike, n: ArrayLike, q: ArrayLike) -> Array:
    x, n, q = (np.asarray(one, np.float64) for one in (x, n, q))
    return np.asarray(special.xlogy(x, q) + special.xlog1py(n - x, -q), np.float64)


def _exact_p(value: float, values: Array, weights: Array) -> float:
    """Return the probability of a statistic as great or greater.

    Args:
        value: The statistic found.
        values: Its possible values.
        weights: Their probabilities.
    """
    return min(float(weights[values >= value - 1e-9 * max(1.0, value)].sum()), 1.0)


def _counts(n: int, p: float) -> tuple[Array, Array]:
    """Return the numbers of exceedances of n that have a probability worth counting, and their probabilities."""
    x_max = min(n, math.ceil(n * p + 9 * math.sqrt(n * p) + 9))
    x = np.arange(x_max + 1, dtype=np.float64)
    return x, np.asarray(stats.binom.pmf(x, n, p), np.float64)


@lru_cache(maxsize=4096)
def _orders(n: int, x: int) -> tuple[Array, Array]:
    """Return the statistics of independence of x exceedances of n, and the share of the orders that have them.

    Of the `C(n, x)` orders, `C(x - 1, r - 1) C(n - x - 1, r - a - b)` have r runs of exceedances, and one at the
    start (a = 1) and at the end (b = 1); they have `x - r` exceedances after exceedances.
    """
    if x in (0, n):
        return np.zeros(1), np.ones(1)
    r, a, b = (one.ravel() for one in np.meshgrid(np.arange(1, x + 1), [0, 1], [0, 1], indexing="ij"))
    n_others = r + 1 - a - b  # runs of the others
    possible = (n_others >= 1) & (n_others <= n - x)
    r, a, b, n_others = r[possible], a[possible], b[possible], n_others[possible]
    log_share = _log_choose(x - 1, r - 1) + _log_choose(n - x - 1, n_others - 1) - _log_choose(n, x)
    n_11, n_01, n_10 = x - r, r - a, r - b
    return _independence(n - 1 - n_11 - n_01 - n_10, n_01, n_10, n_11), np.exp(log_share)


@lru_cache(maxsize=64)
def _both(n: int, p: float) -> tuple[Array, Array]:
    """Return the possible sums of both statistics, and their probabilities."""
    values, weights = [], []
    for x, weight in zip(*_counts(n, p), strict=True):
        independence, share = _orders(n, int(x))
        values.append(independence + _coverage(x, n, p))
        weights.append(share * weight)
    return np.concatenate(values), np.concatenate(weights)


def _log_choose(n: ArrayLike, k: ArrayLike) -> Array:
    n, k = np.asarray(n, np.float64), np.asarray(k, np.float64)
    return np.asarray(
        special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1), np.float64
    )


def _test_shortfall(u: Array, p: float, effect: float) -> HypothesisTest:
    known = u[~np.isnan(u)]
    h = np.maximum(1 - known / p, 0.0)
    deviation = math.sqrt(p * (1 / 3 - p / 4) * effect)
    statistic = math.sqrt(len(h)) * (float(h.mean()) - p / 2) / deviation
    below, at = _sum_cdf(float(h.sum()) / effect, max(round(len(h) / effect), 1), p)
    p_value = 2 * min(below + at, 1 - below)
    return HypothesisTest(statistic, min(max(p_value, 0.0), 1.0), len(u))


def _sum_cdf(s: float, n: int, p: float) -> tuple[float, float]:
    """Return the probabilities that the sum of n cumulative violations is below s, and that it is s."""
    if s <= 0:
        return 0.0, float((1 - p) ** n)
    x, weights = _counts(n, p)
    return float(weights @ np.array([uniform_sum_cdf(s, int(one)) for one in x])), 0.0


def uniform_sum_cdf(s: float, n: int) -> float:
    """Return the probability that the sum of n independent uniform variables is s or less (Irwin & Hall 1927).

    Exact up to `MAX_EXACT` variables, from the side that is nearer; above, the normal distribution with the
    Edgeworth term of the excess kurtosis, -6 / (5 n).

    >>> uniform_sum_cdf(1.0, 2), uniform_sum_cdf(0.0, 3), uniform_sum_cdf(4.0, 3)
    (0.5, 0.0, 1.0)
    """
    if s >= n:
        return 1.0
    if s <= 0:
        return 0.0
    if n > MAX_EXACT:
        z = (s - n / 2) / math.sqrt(n / 12)
        term = -6 / (5 * n) / 24 * (z**3 - 3 * z) * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        return float(min(max(stats.norm.cdf(z) - term, 0.0), 1.0))
    if s > n / 2:
        return 1 - uniform_sum_cdf(n - s, n)
    terms = [(-1) ** k * math.comb(n, k) * (s - k) ** n for k in range(math.floor(s) + 1)]
    return math.fsum(terms) / math.factorial(n)


def _combined(p_values: Sequence[float], n: int) -> HypothesisTest:
    """Combine dependent p-values by Cauchy's distribution."""
    p = np.clip(p_values, 1e-15, MAX_P)
    combined = float(np.mean(np.tan(np.pi * (0.5 - p))))
    return HypothesisTest(combined, float(stats.cauchy.sf(combined)), n)
