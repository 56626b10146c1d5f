"""Tests of intervals: coverage, independence of the misses, uniformity of the PIT."""

from __future__ import annotations

from numpy.typing import ArrayLike
from scipy import special, stats

from lstm_stock.distributions.base import probability_of
from lstm_stock.scoring.significance.base import HypothesisTest, as_binary, as_series


def kupiec(misses: ArrayLike, p: float) -> HypothesisTest:
    """Test whether an interval is missed with probability `p` (Kupiec 1995, Journal of Derivatives 3).

    With x misses of n, `LR = 2 (x log(x/n) + (n-x) log(1 - x/n) - x log p - (n-x) log(1-p))` is chi-squared
    with one degree of freedom. It assumes independent misses, which `christoffersen` tests.

    Args:
        misses: 1 where the outcome is outside, 0 where it is inside, shape `(n,)`.
        p: Nominal share of misses, 0.1 for a 90 % interval.

    Raises:
        ValueError: The misses are too few or not 0 and 1, or `p` is not between 0 and 1.
    """
    x = as_binary("misses", misses)
    probability_of(p)
    n_missed, n = x.sum(), len(x)
    statistic = 2 * (_log_likelihood(n_missed, n, n_missed / n) - _log_likelihood(n_missed, n, p))
    return _chi_squared(statistic, n)


def christoffersen(misses: ArrayLike) -> HypothesisTest:
    """Test whether a miss changes the probability of the next one (Christoffersen 1998).

    International Economic Review 39: the likelihood of a first-order Markov chain against that of independent
    misses, chi-squared with one degree of freedom. The statistic is 0 and p = 1 if all observations but the last
    are misses, or none is.

    Args:
        misses: 1 where the outcome is outside, 0 where it is inside, in order of time, shape `(n,)`.

    Raises:
        ValueError: The misses are too few or not 0 and 1.
    """
    x = as_binary("misses", misses)
    before, after = x[:-1], x[1:]
    statistic = -2 * _log_likelihood(after.sum(), len(after), after.mean())
    for state in (0.0, 1.0):
        follows = after[before == state]
        if len(follows):
            statistic += 2 * _log_likelihood(follows.sum(), len(follows), follows.mean())
    return _chi_squared(statistic, len(x))


def uniformity(pit: ArrayLike) -> HypothesisTest:
    """Test whether PIT values are uniform on 0..1, as those of the true distribution are (Rosenblatt 1952).

    Cramér-von Mises, `W2 = 1 / (12 n) + sum_i ((2i - 1) / (2n) - u_(i))^2`, which weighs the whole distribution
    equally, unlike Kolmogorov-Smirnov. It assumes independent values, so that of k-step forecasts only every k-th
    may be passed, and a distribution fitted to other bars.

    Args:
        pit: Probability integral transforms of the outcomes, shape `(n,)`.

    Raises:
        ValueError: The values are too few, not finite, or not between 0 and 1.
    """
    u = as_series("pit", pit)
    if u.min() < 0 or u.max() > 1:
        raise ValueError(f"`pit` must lie between 0 and 1, got {u.min():g} to {u.max():g}")
    found = stats.cramervonmises(u, "uniform")
    return HypothesisTest(float(found.statistic), float(found.pvalue), len(u))


def _log_likelihood(n_missed: float, n: int, p: float) -> float:
    return float(special.xlogy(n_missed, p) + special.xlogy(n - n_missed, 1 - p))


def _chi_squared(statistic: float, n: int) -> HypothesisTest:
    statistic = max(float(statistic), 0.0)  # rounding may leave it below 0
    return HypothesisTest(statistic, float(stats.chi2.sf(statistic, 1)), n)
