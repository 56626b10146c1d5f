"""Tests of value at risk and expected shortfall: how often each rejects a true tail, and finds a wrong one."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.questions import TAIL_PROBABILITIES
from lstm_stock.scoring.significance import exceedance_tests, rejected_in_families, shortfall_test

LENGTHS = (250, 700, 1500)

PANELS = {
    "1 ticker": (1, 0.0, math.inf),
    "10 tickers, t(5) with correlation 0.4": (10, 0.4, 5.0),
    "60 tickers, t(5) with correlation 0.4": (60, 0.4, 5.0),
    "20 tickers, normal with correlation 0.3": (20, 0.3, math.inf),
}
"""Number of tickers, their correlation, and degrees of freedom of the common shock to their scale."""

STEP = 5


def _outcomes(random: np.random.Generator, n: int, n_tickers: int, correlation: float, df: float) -> Array:
    z = math.sqrt(correlation) * random.standard_normal((n, 1))
    z = z + math.sqrt(1 - correlation) * random.standard_normal((n, n_tickers))
    return z if math.isinf(df) else z / np.sqrt(random.chisquare(df, (n, 1)) / df)


def _rejections(pit: Array, step: int = 1) -> dict[str, bool]:
    """Return which tests reject at 5 %, and whether one of the verdict's family does."""
    found, family = {}, []
    for p in TAIL_PROBABILITIES:
        tests, shortfall = exceedance_tests(pit, p, step), shortfall_test(pit, p, step)
        label = f"{100 * p:g} %"
        found |= {
            f"number {label}": tests.coverage.p < 0.05,
            f"clusters {label}": tests.independence.p < 0.05,
            f"shortfall {label}": shortfall.p < 0.05,
        }
        family += [tests.coverage.p, tests.independence.p, shortfall.p]
    rejected, _ = rejected_in_families([family], 0.05)
    return found | {"any, by Hommel": any(rejected[0])}


def true_tails(n_series: int) -> pd.DataFrame:
    """Return the share of series in which a true tail is rejected, by case and number of cutoffs, in percent."""
    rows = {}
    for name, (n_tickers, correlation, df) in PANELS.items():
        for n in LENGTHS:
            random = np.random.default_rng([51, n, n_tickers])
            cdf = stats.norm.cdf if math.isinf(df) else stats.t(df).cdf
            found = [
                _rejections(cdf(_outcomes(random, n, n_tickers, correlation, df))) for _ in range(n_series)
            ]
            rows[name, n] = 100 * pd.DataFrame(found).mean()
    for n in LENGTHS:
        random = np.random.default_rng([53, n])
        found = []
        for _ in range(n_series):
            steps = random.standard_normal(n + STEP - 1)
            sums = np.convolve(steps, np.ones(STEP), "valid") / math.sqrt(STEP)
            found.append(_rejections(stats.norm.cdf(sums)[:, None], STEP))
        rows[f"1 ticker, {STEP} steps", n] = 100 * pd.DataFrame(found).mean()
    return pd.DataFrame(rows).T


def wrong_tails(n_series: int) -> pd.DataFrame:
    """Return the share of series in which a wrong tail is found, by fault and number of cutoffs, in percent."""
    of_t = stats.t(3.0)
    same_at_5 = of_t.ppf(0.05) / stats.norm.ppf(0.05)
    faults = {
        "t(5), scale 20 % too narrow": (stats.t(5), lambda y: stats.t.cdf(y / 0.8, 5)),
        "t(5), scale 20 % too wide": (stats.t(5), lambda y: stats.t.cdf(y / 1.2, 5)),
        "t(3) forecast as a normal, right at 5 %": (of_t, lambda y: stats.norm.cdf(y / same_at_5)),
    }
    rows = {}
    for name, (truth, cdf) in faults.items():
        for n in LENGTHS:
            random = np.random.default_rng([57, n])
            found = [_rejections(cdf(truth.rvs((n, 1), random_state=random))) for _ in range(n_series)]
            rows[name, n] = 100 * pd.DataFrame(found).mean()
    return pd.DataFrame(rows).T
