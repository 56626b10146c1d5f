"""Tests of whether one forecast's losses are less than another's: Diebold-Mariano and a bootstrap."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from lstm_stock.distributions.base import Array, probability_of
from lstm_stock.scoring.significance.base import Alternative, HypothesisTest, as_series

N_RESAMPLES = 1000
"""Resamples of a bootstrap interval: its ends vary by about a tenth of its half-width between seeds."""


def diebold_mariano(
    differential: ArrayLike, step: int = 1, alternative: Alternative = "two-sided"
) -> HypothesisTest:
    """Test whether a loss differential has mean zero.

    Diebold & Mariano 1995 (Journal of Business & Economic Statistics 13): with d the losses of one forecast
    less those of another, whatever the loss, and V their long-run variance,

        DM = c mean(d) / sqrt(V / n),   c^2 = 1 - (n + 2 sum_j w_j (n - j)) / n^2

    where w_j are the weights of the autocovariances in V. c is the small-sample correction of Harvey,
    Leybourne & Newbold 1997 (Int. J. of Forecasting 13, eq. 9) for the bias of V, whose mean is estimated: with
    their weights, 1 up to step - 1, it is their `(n + 1 - 2k + k (k - 1) / n) / n`.

    V is Newey & West's (see `long_run_variance`), not the sum of k - 1 autocovariances of the two papers. That sum
    assumes optimal forecasts, whose differentials are uncorrelated beyond lag k - 1. Those of two wrong forecasts
    of volatility stay correlated as long as volatility does, and the sum rejects a true null in one case of six at
    step 1. DM is compared with a Student-t with `1.5 n / S` degrees of freedom, S as in `truncation`, those of a
    variance from a Bartlett window (Lazarus et al. 2018), instead of the n - 1 of the second paper.

    Args:
        differential: Losses of the model less losses of the other, in order of time, shape `(n,)`.
        step: Step k of the forecasts: those of neighbouring cutoffs overlap by k - 1 bars. The verdict tests
            step 1; other steps are for overlapping forecasts, in benchmarks and tests.
        alternative: `less`: the model's loss is less; `greater`: it is greater.

    Returns:
        DM, its p-value, n. Losses that never differ give 0 and p = 1, one-sided as well. A constant differential
        other than 0 gives NaN, since its variance is 0.

    Raises:
        ValueError: The differential is too short or not finite, or `step` is not between 1 and n / 2.
    """
    d = as_series("differential", differential)
    if not 1 <= step <= len(d) / 2:
        raise ValueError(f"`step` must lie between 1 and n / 2 = {len(d) / 2:g}, got {step}")
    return mean_test(d, step, alternative)


def mean_test(values: ArrayLike, step: int = 1, alternative: Alternative = "two-sided") -> HypothesisTest:
    """Test whether a series of correlated values has mean zero, as `diebold_mariano` does for a differential.

    Args:
        values: In order of time, shape `(n,)`.
        step: Neighbouring values overlap by step - 1; 1 in the verdict.
        alternative: `less` or `greater` than zero, or `two-sided`.

    Raises:
        ValueError: The series is too short or not finite.
    """
    x = as_series("values", values)
    n = len(x)
    if not x.any():
        return HypothesisTest(0.0, 1.0, n)
    if np.ptp(x) == 0:
        return HypothesisTest(math.nan, math.nan, n)
    error, df = standard_error(x, step)
    statistic = float(np.mean(x)) / error
    p = {
        "less": stdtr(df, statistic),
        "greater": stdtr(df, -statistic),
        "two-sided": 2 * stdtr(df, -abs(statistic)),
    }[alternative]
    return HypothesisTest(statistic, float(p), n)


def smallest_gain(differential: ArrayLike, alpha: float, power: float = 0.8, step: int = 1) -> float:
    """Return the least true gain that `mean_test` finds with probability `power` in data like these.

    With se the standard error of the mean and df the degrees of freedom of `mean_test`, about

        (t(1 - alpha, df) + t(power, df)) se,   t(p, df) the p-quantile of Student's distribution

    It depends on how much the differential varies and not on its mean: a result that is not significant says
    little about gains below it.

    Args:
        differential: Losses of one forecast less losses of another, in order of time, shape `(n,)`.
        alpha: Significance level of the one-sided test.
        power: Probability of finding the gain.
        step: Neighbouring values overlap by step - 1.

    Returns:
        A positive mean gain, in units of the loss; NaN for a constant differential.

    Raises:
        ValueError: The series is too short or not finite, or `alpha` or `power` is not between 0 and 1.
    """
    d = as_series("differential", differential)
    quantiles = [1 - probability_of(alpha, "alpha"), probability_of(power, "power")]
    if np.ptp(d) == 0:
        return math.nan
    error, df = standard_error(d, step)
    return float(np.sum(stdtrit(df, quantiles)) * error)


def standard_error(x: Array, step: int) -> tuple[float, float]:
    """Return the standard error of the mean of a series that is not constant, and its degrees of freedom.

    Args:
        x: In order of time, shape `(n,)`.
        step: Neighbouring values overlap by step - 1.
    """
    n, width = len(x), truncation(len(x), step)
    lags = np.arange(1, width)
    correction = 1 - (n + 2 * np.sum((1 - lags / width) * (n - lags))) / n**2
    variance = long_run_variance(x, width - 1) / correction
    return math.sqrt(variance / n), 1.5 * n / width


def truncation(n: int, step: int = 1) -> int:
    """Return S, the first lag whose autocovariance has no weight: `ceil(1.3 sqrt(n))`, or `step` if that is more.

    Lazarus, Lewis, Stock & Watson 2018 (Journal of Business & Economic Statistics 36): longer than older rules of
    thumb, which reject too often. At most half the series.

    >>> truncation(700)
    35
    """
    return max(1, min(max(math.ceil(1.3 * math.sqrt(n)), step), n // 2))


def long_run_variance(values: ArrayLike, n_lags: int) -> float:
    """Return `g(0) + 2 sum_j (1 - j / (n_lags + 1)) g(j)`, g the autocovariances around the mean, over n.

    Newey & West 1987 (Econometrica 55, eq. 5); the weights keep it at zero or more.

    Raises:
        ValueError: The series is too short or not finite, or `n_lags` is not between 0 and n - 1.

    >>> long_run_variance([1.0, -1.0] * 10, n_lags=1).__round__(3)  # 1 + 2 (1 - 1/2) (-19/20)
    0.05
    """
    x = as_series("values", values)
    if not 0 <= n_lags < len(x):
        raise ValueError(f"`n_lags` must lie between 0 and n - 1 = {len(x) - 1}, got {n_lags}")
    x = x - x.mean()
    total = x @ x
    for j in range(1, n_lags + 1):
        total += 2 * (1 - j / (n_lags + 1)) * (x[j:] @ x[:-j])
    return float(total / len(x))


def by_date(values: ArrayLike, dates: ArrayLike) -> Array:
    """Average over the tickers of each date, and return the averages in order of date.

    Tickers are correlated, so 20 tickers on one day are not 20 observations. One number per day keeps their
    dependence out of the test (Fama & MacBeth 1973, Journal of Political Economy 81, average by month).

    Args:
        values: One per ticker and date, shape `(n_rows,)`.
        dates: Date of each value, shape `(n_rows,)`.

    Returns:
        Shape `(n_dates,)`.

    Raises:
        ValueError: The shapes differ.

    >>> by_date([1.0, 3.0, 5.0], [1, 1, 0]).tolist()
    [5.0, 2.0]
    """
    values, dates = np.asarray(values, np.float64), np.asarray(dates)
    if values.ndim != 1 or values.shape != dates.shape:
        raise ValueError(
            f"`values` and `dates` must have one axis and one shape, got {values.shape}, {dates.shape}"
        )
    if (dates[1:] > dates[:-1]).all():  # one ticker
        return values
    _, which, count = np.unique(dates, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(which, weights=values) / count, np.float64)


def skill_interval(
    loss: ArrayLike, other: ArrayLike, step: int = 1, level: float = 90, root: bool = False
) -> tuple[float, float]:
    """Return an interval for the skill `100 (1 - mean(loss) / mean(other))`, by the stationary bootstrap.

    Politis & Romano 1994 (Journal of the American Statistical Association 89): blocks of geometric length from the
    circular series, here of `truncation(n, step)` on average, both losses of a date together. The interval is a
    percentile interval. The seed is fixed: equal losses give equal intervals. It is somewhat short: at 90 % it
    misses the true skill in 12 to 13 % of simulated random walks.

    Args:
        loss: Losses of the model in order of time, shape `(n,)`.
        other: Losses of the other forecast at the same dates, shape `(n,)`.
        step: Step of the forecasts; 1 in the verdict.
        level: Level of the interval, percent.
        root: Whether the skill is that of the square roots of the means, as for RMSE.

    Returns:
        Both ends, percent.

    Raises:
        ValueError: The series differ in length, are too short or not finite, or the mean of `other` is not
            positive.
    """
    ours, theirs = as_series("loss", loss), as_series("other", other)
    if ours.shape != theirs.shape or not theirs.mean() > 0:
        raise ValueError(
            f"`loss` and `other` must have one length, and `other` a positive mean, "
            f"got {ours.shape}, {theirs.shape}, mean {theirs.mean():g}"
        )
    counts = stationary_counts(len(ours), truncation(len(ours), step))
    # `einsum` computes without BLAS, whose threads would change last bits.
    of_ours, of_theirs = (np.einsum("rn,n->r", counts, one) for one in (ours, theirs))
    # Where the price hardly moves, some resamples hold no loss at all.
    ratio = of_ours[of_theirs > 0] / of_theirs[of_theirs > 0]
    skill = 100 * (1 - (np.sqrt(ratio) if root else ratio))
    tail = (1 - level / 100) / 2
    low, high = np.quantile(skill, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=2)
def stationary_counts(n: int, mean_length: int) -> Array:
    """Draw how often each resample has each row, shape `(N_RESAMPLES, n)`: the same for every series this long."""
    random = np.random.default_rng(0)
    starts = random.random((N_RESAMPLES, n)) < 1 / mean_length
    starts[:, 0] = True
    first = random.integers(0, n, (N_RESAMPLES, n))
    position = np.arange(n)
    # Position of the newest start at or before each column.
    since = np.maximum.accumulate(np.where(starts, position, 0), axis=1)
    rows = (np.take_along_axis(first, since, axis=1) + position - since) % n
    rows += n * np.arange(N_RESAMPLES)[:, None]
    counts = np.bincount(rows.ravel(), minlength=N_RESAMPLES * n).reshape(N_RESAMPLES, n).astype(np.float64)
    counts.flags.writeable = False
    return counts
