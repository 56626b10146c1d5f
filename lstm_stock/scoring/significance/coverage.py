"""Tests of intervals: coverage, dependence on volatility, independence of the misses, uniformity of the PIT."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from lstm_stock.distributions.base import Array, probability_of
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


def volatility_products(hits: ArrayLike, volatility: ArrayLike, expected: float) -> Array:
    """Return the products whose mean is not 0 if the coverage of one ticker depends on volatility.

    With x the log volatility known at each cutoff and h the hit,

        s_t = (x_t - mean of x up to t) (h_t - expected)

    The first factor is known at the cutoff, and the second has mean 0 if the forecast is right: so has s_t, given
    the past, as in the regressions of Engle & Manganelli 2004 (Journal of Business & Economic Statistics 22). With
    the mean of all x instead, s_t would not: a miss raises later volatility, and with it that mean.

    Args:
        hits: 1 where the outcome is inside the interval, 0 where it is outside; or the share of several nested
            intervals that contain it. Shape `(n,)`.
        volatility: Volatility known at the cutoff, above 0, in order of time, shape `(n,)`.
        expected: Nominal mean of the hits.

    Returns:
        Shape `(n,)`; all 0 if volatility is constant.

    Raises:
        ValueError: The shapes differ, there are too few values, the hits are not between 0 and 1, or a
            volatility is not finite and above 0.
    """
    h, volatility = as_series("hits", hits), _volatility(volatility)
    if h.min() < 0 or h.max() > 1:
        raise ValueError(f"`hits` must lie between 0 and 1, got {h.min():g} to {h.max():g}")
    if h.shape != volatility.shape:
        raise ValueError(f"`hits` and `volatility` must have one shape, got {h.shape}, {volatility.shape}")
    x = np.log(volatility)
    if np.ptp(x) == 0:
        return np.zeros(len(h))
    return np.asarray((x - np.cumsum(x) / np.arange(1, len(x) + 1)) * (h - expected), np.float64)


def martingale_test(values: ArrayLike, step: int = 1) -> HypothesisTest:
    """Test whether values have mean 0 given their past: `z = sum s / sqrt(sum s^2)` is standard normal, two-sided.

    No lag enters, since values with mean 0 given their past are uncorrelated. Values of overlapping forecasts are
    so only if they are `step` apart: the p-values of the `step` series are combined as in `uniformity_by_offset`.

    Args:
        values: In order of time, shape `(n,)`.
        step: Step of the forecasts.

    Returns:
        z, or for overlapping forecasts the combined statistic; its p-value; n. NaN if all values of a series are
        0.

    Raises:
        ValueError: An offset has fewer than 20 values, or one is not finite.
    """
    s = as_series("values", values)
    found = [_self_normalised(as_series("values", s[offset::step])) for offset in range(step)]
    if any(math.isnan(z) for z in found):
        return HypothesisTest(math.nan, math.nan, len(s))
    p = [float(2 * stats.norm.sf(abs(z))) for z in found]
    return HypothesisTest(found[0], p[0], len(s)) if step == 1 else _combined(p, len(s))


def _self_normalised(s: Array) -> float:
    size = math.sqrt(float(s @ s))
    return float(s.sum()) / size if size > 0 else math.nan


def volatility_thirds(volatility: ArrayLike) -> NDArray[np.intp]:
    """Return the third of its volatility that each observation is in: 0 quiet, 1 middle, 2 wild.

    Args:
        volatility: Above 0, in order of time, shape `(n,)`.

    Returns:
        Shape `(n,)`. The thirds differ in size by one at most. Of equal values, the earlier are the quieter.

    Raises:
        ValueError: There are too few values, or one is not finite and above 0.

    >>> volatility_thirds(np.arange(21, 0, -1)).tolist()
    [2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    """
    order = np.argsort(_volatility(volatility), kind="stable")
    thirds = np.empty(len(order), np.intp)
    thirds[order] = 3 * np.arange(len(order)) // len(order)
    return thirds


def coverage_by_third(hits: ArrayLike, volatility: ArrayLike) -> Array:
    """Return the share of hits where volatility is in its lowest, middle and highest third.

    Args:
        hits: 1 where the outcome is inside the interval, 0 where it is outside, shape `(n,)`.
        volatility: Volatility known at the cutoff, above 0, shape `(n,)`.

    Returns:
        Shape `(3,)`, each from 0 to 1.

    Raises:
        ValueError: As `coverage_on_volatility`.
    """
    h, thirds = as_binary("hits", hits), volatility_thirds(volatility)
    if h.shape != thirds.shape:
        raise ValueError(f"`hits` and `volatility` must have one shape, got {h.shape}, {thirds.shape}")
    return np.bincount(thirds, weights=h) / np.bincount(thirds)


def uniformity(pit: ArrayLike) -> HypothesisTest:
    """Test whether PIT values are uniform on 0..1, as those of the true distribution are (Rosenblatt 1952).

    Cramér-von Mises, `W2 = 1 / (12 n) + sum_i ((2i - 1) / (2n) - u_(i))^2`, which weighs the whole distribution
    equally, unlike Kolmogorov-Smirnov. It assumes a distribution fitted to other bars, and independent values:
    see `uniformity_by_offset` for those of overlapping forecasts.

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


def uniformity_by_offset(pit: ArrayLike, step: int) -> HypothesisTest:
    """Test whether PIT values of overlapping `step`-bar forecasts are uniform.

    Values `step` apart come from forecasts that do not overlap, so that `uniformity` tests each of the `step`
    series `pit[o::step]`. Their p-values depend on each other, and are combined by Cauchy's distribution (Liu &
    Xie 2020, Journal of the American Statistical Association 115), whose tail stays about right under dependence:

        T = mean_o tan(pi (1/2 - p_o)),   p = 1/2 - arctan(T) / pi

    At 5 % it rejects 4.7 to 5.3 % of simulated random walks of 250 to 2,500 values and 5 to 20 steps, where `step`
    times the least p-value rejects 0.8 to 2.2 %.

    Args:
        pit: Probability integral transforms of the outcomes of one ticker, in order of time, shape `(n,)`.
        step: Step of the forecasts; 1 is `uniformity`.

    Returns:
        T, its p-value, n.

    Raises:
        ValueError: `step` is below 1, an offset has fewer than 20 values, or one is not between 0 and 1.
    """
    if step < 1:
        raise ValueError(f"`step` must be 1 or more, got {step}")
    u = as_series("pit", pit)
    return _combined([uniformity(u[offset::step]).p for offset in range(step)], len(u))


def kupiec_by_offset(misses: ArrayLike, p: float, step: int) -> HypothesisTest:
    """Test whether an interval of overlapping `step`-bar forecasts is missed with probability `p`.

    As `uniformity_by_offset`, with `kupiec` on each of the `step` series. A test of the mean miss with a variance
    estimated from the misses would reject too often where they are few, as they are if the interval is too wide.

    Args:
        misses: 1 where the outcome is outside, 0 where it is inside, in order of time, shape `(n,)`.
        p: Nominal share of misses.
        step: Step of the forecasts; 1 is `kupiec`.

    Raises:
        ValueError: As `kupiec`, for each offset.
    """
    x = as_binary("misses", misses)
    return _combined([kupiec(x[offset::step], p).p for offset in range(step)], len(x))


def _combined(p_values: Sequence[float], n: int) -> HypothesisTest:
    """Combine dependent p-values by Cauchy's distribution."""
    p = np.clip(p_values, 1e-15, 1 - 1e-15)  # finite tangents
    combined = float(np.mean(np.tan(np.pi * (0.5 - p))))
    return HypothesisTest(combined, float(stats.cauchy.sf(combined)), n)


def _volatility(values: ArrayLike) -> Array:
    volatility = as_series("volatility", values)
    if volatility.min() <= 0:
        raise ValueError(f"`volatility` must be above 0, got {volatility.min():g}")
    return volatility


def _log_likelihood(n_missed: float, n: int, p: float) -> float:
    return float(special.xlogy(n_missed, p) + special.xlogy(n - n_missed, 1 - p))


def _chi_squared(statistic: float, n: int) -> HypothesisTest:
    statistic = max(float(statistic), 0.0)  # rounding may leave it below 0
    return HypothesisTest(statistic, float(stats.chi2.sf(statistic, 1)), n)
