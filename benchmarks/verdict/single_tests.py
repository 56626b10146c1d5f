"""The size of each test on random walks, where its null hypothesis is true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import signal, stats

from lstm_stock.distributions import Normal, StudentT
from lstm_stock.scoring.significance import (
    by_date,
    christoffersen,
    diebold_mariano,
    direction_products,
    fisher_exact,
    has_few_signs,
    kupiec,
    mean_test,
    pesaran_timmermann,
    skill_interval,
    uniformity,
)

N_TEST = 1000
NOISE, SHRUNK = 0.3, 0.1
SHOCKS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "Gaussian": lambda random, size: random.standard_normal(size),
    "Student-t(5)": lambda random, size: random.standard_t(5, size) * np.sqrt(3 / 5),
}
TRUTH = {"Gaussian": Normal(0.0, 1.0), "Student-t(5)": StudentT(0.0, np.sqrt(3 / 5), 5.0)}


def p_values_under_the_null(random: np.random.Generator, shocks: str) -> dict[str, float]:
    """Return the p-value of every test on one random walk, on which every null hypothesis is true."""
    draw, truth = SHOCKS[shocks], TRUTH[shocks]
    n = N_TEST
    r = draw(random, (n + 10,))
    one, other = NOISE * random.standard_normal((2, n + 10))  # equally bad: both are noise
    found: dict[str, float] = {}

    def equal(name: str, a: np.ndarray, b: np.ndarray, step: int = 1) -> None:
        found[f"DM {name}, two-sided"] = diebold_mariano(a - b, step).p
        found[f"DM {name}, better"] = diebold_mariano(a - b, step, "less").p

    y, a, b = r[10:], one[10:], other[10:]
    shrunk = SHRUNK * r[9:-1]
    equal("squared", (y - a) ** 2, (y - b) ** 2)
    equal("absolute", np.abs(y - a), np.abs(y - b))
    equal("CRPS", truth.crps(y - a), truth.crps(y - b))
    equal("log score", truth.log_score(y - a), truth.log_score(y - b))
    equal("squared, shrunk", (y - shrunk) ** 2, (y + shrunk) ** 2)
    total = np.convolve(r, np.ones(5), "valid")[-n:]
    smooth_a, smooth_b = (signal.lfilter([1.0], [1.0, -0.9], part)[10:] for part in (one, other))
    equal("squared, step 5", (total - a) ** 2, (total - b) ** 2, 5)
    equal("squared, step 5, slow forecasts", (total - smooth_a) ** 2, (total - smooth_b) ** 2, 5)
    common = draw(random, (n, 1))
    panel = (common + draw(random, (n, 10))) / np.sqrt(2)
    seen, hidden = NOISE * random.standard_normal((2, n, 10))
    dates = np.repeat(np.arange(n), 10)
    losses = by_date(((panel - seen) ** 2 - (panel - hidden) ** 2).ravel(), dates)
    equal("squared, 10 tickers", losses, np.zeros(n))

    found["PT, noise"] = pesaran_timmermann(y, a).p
    found["PT, shrunk"] = pesaran_timmermann(y, shrunk).p
    found["direction, step 5"] = mean_test(direction_products(total, a), step=5, alternative="greater").p
    products = [direction_products(panel[:, i], seen[:, i]) for i in range(10)]
    found["direction, 10 tickers"] = mean_test(np.mean(products, axis=0), alternative="greater").p

    misses = (np.abs(truth.cdf(y) - 0.5) > 0.45).astype(float)
    found["Kupiec"] = kupiec(misses, 0.1).p
    found["Christoffersen"] = christoffersen(misses).p
    found["PIT"] = uniformity(truth.cdf(y)).p
    low, high = skill_interval((y - a) ** 2, (y - b) ** 2)
    found["bootstrap interval of skill, 90 % (nominal 10 %)"] = 0.0 if low > 0 or high < 0 else 1.0
    return found


def p_values_with_few_signs(random: np.random.Generator) -> dict[str, float]:
    """Return p-values of directions of which three are down, by Pesaran-Timmermann and as in the verdict."""
    found = {}
    for n in (60, 250, 1000):
        moves, signs = random.standard_normal(n) + 0.05, np.ones(n)
        signs[random.choice(n, 3, replace=False)] = -1.0
        test = fisher_exact if has_few_signs(moves, signs) else pesaran_timmermann
        found[f"Pesaran-Timmermann, {n} cutoffs"] = pesaran_timmermann(moves, signs).p
        found[f"the verdict's test, {n} cutoffs"] = test(moves, signs).p
    return found


def p_values_of_two_wrong_volatilities(random: np.random.Generator) -> dict[str, float]:
    """Return p-values of two equally wrong forecasts of volatility, whose errors persist.

    Log volatility and both errors are autoregressive (0.97 and 0.9). The textbook test, with the k - 1
    autocovariances of Diebold & Mariano and a Student-t of n - 1 degrees of freedom, is computed for comparison.
    """
    found = {}
    for step in (1, 5):
        noise = random.normal(0, 0.15, N_TEST + 200 + step)
        log_volatility = signal.lfilter([1.0], [1.0, -0.97], noise)[200:]
        r = np.exp(log_volatility) * random.standard_t(6, N_TEST + step) * np.sqrt(4 / 6)
        total = np.convolve(r, np.ones(step), "valid")[:N_TEST]
        scale = np.exp(log_volatility[:N_TEST]) * np.sqrt(step)
        errors = signal.lfilter([1.0], [1.0, -0.9], random.normal(0, 0.15, (2, N_TEST)))
        ours, theirs = (StudentT(0.0, scale * np.exp(error), 6.0).log_score(total) for error in errors)
        d = ours - theirs
        found[f"step {step}"] = diebold_mariano(d, step).p
        x = d - d.mean()
        variance = (x @ x + 2 * sum(x[j:] @ x[:-j] for j in range(1, step))) / N_TEST
        factor = (N_TEST + 1 - 2 * step + step * (step - 1) / N_TEST) / N_TEST
        t = np.sqrt(factor * N_TEST / variance) * d.mean()
        found[f"step {step}, textbook variance"] = 2 * stats.t.sf(abs(t), N_TEST - 1)
    return found


def p_values_of_the_truth(random: np.random.Generator, df: float = 5.0) -> dict[str, float]:
    """Return the p-values of the true GARCH(1,1)-t being better than a constant Student-t fitted in sample.

    Variance is 0.09 of the last squared shock, 0.89 of itself and 0.02 of its mean: what daily stocks have.
    """
    n = 2 * N_TEST + N_TEST
    z = random.standard_t(df, n) * np.sqrt((df - 2) / df)
    variance, r = np.ones(n), np.empty(n)
    for i in range(n):
        r[i] = z[i] * np.sqrt(variance[i])
        if i + 1 < n:
            variance[i + 1] = 0.02 + 0.09 * r[i] ** 2 + 0.89 * variance[i]
    test = slice(n - N_TEST, n)
    fitted = stats.t.fit(r[: n - N_TEST])
    truth = StudentT(0.0, np.sqrt(variance[test] * (df - 2) / df), df)
    constant = StudentT(fitted[1], fitted[2], fitted[0])
    found = {}
    for name in ("crps", "log_score"):
        ours, theirs = (getattr(one, name)(r[test]) for one in (truth, constant))
        found[f"{name}, one-sided"] = diebold_mariano(ours - theirs, 1, "less").p
        found[f"{name}, two-sided"] = diebold_mariano(ours - theirs).p
    return found


def share_below(found: list[dict[str, float]], alpha: float = 0.05) -> pd.Series:
    """Return the share of walks in which each p-value is below `alpha`, in percent."""
    return 100 * (pd.DataFrame(found) < alpha).mean()
