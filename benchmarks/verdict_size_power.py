"""Size and power of the tests and of the verdict.

Size: Gaussian and Student-t random walks, and forecasters without skill. At 5 % every test should reject in about
5 % of the walks, and the verdict should claim skill in at most 5 %. Power: GARCH-t series, the true parameters
against one constant Student-t.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/verdict_size_power.py [N_WALKS]
400 walks take about 10 minutes of one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import signal, stats

from lstm_stock.baselines import Task, constant_t, drift, naive
from lstm_stock.dataset.features import Bars
from lstm_stock.distributions import Distribution, Normal, StudentT
from lstm_stock.distributions.intervals import LEVELS, Intervals
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, price_intervals
from lstm_stock.scoring.significance import (
    by_date,
    christoffersen,
    diebold_mariano,
    direction_products,
    kupiec,
    mean_test,
    pesaran_timmermann,
    skill_interval,
    uniformity,
)
from lstm_stock.scoring.verdict import Subject, judge

N_INSAMPLE, N_TEST = 1000, 1000
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
    equal(
        "squared, 10 tickers",
        by_date(((panel - seen) ** 2 - (panel - hidden) ** 2).ravel(), dates),
        np.zeros(n),
    )

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


def forecast_rows(model: str, returns: Distribution, close: np.ndarray) -> pd.DataFrame:
    """Return the forecast table of one-step forecasts from every close but the last."""
    last, log_returns = close[:-1, None], np.diff(np.log(close))[:, None]
    percent = returns.rescale(100.0)
    cells = {
        "last_close": last,
        "y_true": close[1:, None],
        "direction": returns.direction(),
        **price_intervals(Intervals.of(returns, LEVELS), last),
        "crps": percent.crps(100 * log_returns),
        "nll": percent.log_score(100 * log_returns),
        "pit": percent.cdf(100 * log_returns),
    }
    dates = pd.bdate_range("2010-01-01", periods=len(close), unit="s")
    table = pd.DataFrame({name: np.ravel(values) for name, values in cells.items()})
    table = table.assign(ticker="AAA", model=model, step=1, insample_mae=1.0, trailing_vol=0.01)
    return table.assign(cutoff=dates[:-1], date=dates[1:])[list(FORECAST_COLUMNS)]


def random_walk(random: np.random.Generator, shocks: str) -> tuple[np.ndarray, Task]:
    """Return the closes of the test period of a random walk of 1 % a day, and the task of forecasting them."""
    r = 0.01 * SHOCKS[shocks](random, (N_INSAMPLE + N_TEST,))
    close = 100 * np.exp(np.concatenate([[0.0], np.cumsum(r)]))
    table = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), close))
    cutoffs = np.arange(N_INSAMPLE, N_INSAMPLE + N_TEST)
    return close[N_INSAMPLE:], Task(Bars.of(table), N_INSAMPLE + 1, cutoffs, 1)


def claims_under_the_null(random: np.random.Generator, shocks: str) -> Iterator[tuple[str, dict[str, bool]]]:
    """Judge forecasters without skill, for which every claim of skill is false, and the true distribution.

    `noise` and `shrunk` have the distribution of `constant_t` around a centre without information. In `as good as
    all` each baseline has such a centre of its own, so that all forecasters are equally good: the hardest null.
    """
    close, task = random_walk(random, shocks)
    fitted = constant_t(task)
    centred = fitted.rescale(1.0, -fitted.median())
    previous = np.diff(np.log(task.bars.close))[task.cutoffs - 1][:, None]
    noise = 0.01 * NOISE * random.standard_normal((4, N_TEST, 1))
    baselines = [forecast_rows(one.__name__, one(task), close) for one in (naive, drift, constant_t)]
    drawn = [
        forecast_rows(name, centred.rescale(1.0, centre), close)
        for name, centre in zip(("naive", "drift", "constant_t"), noise[1:], strict=True)
    ]
    for name, centre, others in (
        ("noise", noise[0], baselines),
        ("shrunk", SHRUNK * previous, baselines),
        ("as good as all", noise[0], drawn),
    ):
        verdict = judge(
            pd.concat([forecast_rows("lstm", centred.rescale(1.0, centre), close), *others]), Subject("lstm")
        )
        yield name, _claims(verdict)
    truth = TRUTH[shocks].rescale(np.full((N_TEST, 1), 0.01))
    of_truth = pd.concat([forecast_rows("lstm", truth, close), *baselines])
    yield "the truth, whose skill is real", _claims(judge(of_truth, Subject("lstm")))


def _claims(verdict: dict[str, Any]) -> dict[str, bool]:
    return {
        "any claim": bool(verdict["distribution"]["beaten"])
        or any(verdict[question]["verdict"] == "better" for question in ("point", "direction")),
        "better point": verdict["point"]["verdict"] == "better",
        "better direction": verdict["direction"]["verdict"] == "better",
        "better than a baseline": bool(verdict["distribution"]["beaten"]),
        "better than every baseline": verdict["distribution"]["verdict"] == "better",
        "miscalibrated": verdict["calibration"]["verdict"] == "miscalibrated",
        "shifted price": verdict["lag_copy"].get("kind") == "shifted",
    }


def p_values_of_the_truth(random: np.random.Generator, df: float = 5.0) -> dict[str, float]:
    """Return the p-values of the true GARCH(1,1)-t being better than a constant Student-t fitted in sample.

    Variance is 0.09 of the last squared shock, 0.89 of itself and 0.02 of its mean: what daily stocks have.
    """
    n = 2 * N_INSAMPLE + N_TEST
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


def main(n_walks: int) -> None:
    started = time.monotonic()
    error = 100 * np.sqrt(0.05 * 0.95 / n_walks)
    print(
        f"{n_walks} walks of {N_TEST} test bars; a share of 5 % is known to {error:.1f} % (one deviation)\n"
    )
    sizes, claims = {}, {}
    for shocks in SHOCKS:
        randoms = [np.random.default_rng([7, i]) for i in range(n_walks)]
        sizes[shocks] = share_below([p_values_under_the_null(random, shocks) for random in randoms])
        rows = [dict(claims_under_the_null(random, shocks)) for random in randoms]
        for name in rows[0]:
            claims[f"{shocks}, {name}"] = 100 * pd.DataFrame([row[name] for row in rows]).mean()
    print("rejected at 5 % though true, % of walks\n" + pd.DataFrame(sizes).round(1).to_string())
    print("\nclaimed though false, % of walks\n" + pd.DataFrame(claims).T.round(1).to_string())
    lasting = [p_values_of_two_wrong_volatilities(np.random.default_rng([13, i])) for i in range(n_walks)]
    print("\nDM of two equally wrong volatilities, rejected at 5 % though true, % of series")
    print(share_below(lasting).round(1).to_string())
    powers = share_below([p_values_of_the_truth(np.random.default_rng([11, i])) for i in range(n_walks)])
    print("\ntrue GARCH-t found better than constant t at 5 %, % of series\n" + powers.round(1).to_string())
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
