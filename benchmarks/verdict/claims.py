"""False claims about forecasters that are equally good, and the power to find a true gain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.distributions import StudentT
from lstm_stock.distributions.intervals import LEVELS, Intervals
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, price_intervals
from lstm_stock.scoring.verdict import ALPHA, Subject, judge

from .batch import StepLosses, claims, p_less
from .forecasters import (
    CENTRE,
    CONSTANT,
    NARROW,
    NULLS,
    POWERS,
    Forecast,
    better_forecasts,
    equal_forecasts,
)
from .worlds import LAST_STEP, WORLDS, Market, market

LENGTHS = (60, 120, 250, 700, 2500)
STEPS = (1, LAST_STEP)
N_BASELINES = {1: 5, 20: 2}
PANEL_NULLS = ("followers, errors AR(.9)", CONSTANT, NARROW)
MAX_PANEL = 400
"""Series times tickers in memory together."""


def score(random: np.random.Generator, of: Market, forecasts: dict[int, list[Forecast]]) -> list[StepLosses]:
    """Score forecasts by step; the point baseline is noise of the same size as the network's."""
    truth = of.true_scale()
    return [
        StepLosses.of(of, step, each, truth * np.sqrt(step) * CENTRE * random.standard_normal(truth.shape))
        for step, each in forecasts.items()
    ]


def _shares(steps: list[StepLosses], n: int) -> dict[str, np.ndarray]:
    """Return, for each series, whether there is a claim of each kind after `n` cutoffs."""
    first = [one.first(n) for one in steps]
    n_tickers = first[0].up.shape[1]
    sides = claims(first, ALPHA if n_tickers == 1 else ALPHA / 2)
    better, worse = (one.any(axis=1) for one in sides)
    if n_tickers > 1:
        alone = claims([one.by_ticker() for one in first], ALPHA / 2 / n_tickers)
        of_one = [one.reshape(len(better), -1).any(axis=1) for one in alone]
        better, worse = better | of_one[0], worse | of_one[1]
    of_crps = np.stack(np.split(sides[0], len(steps), axis=1), axis=1)[
        ..., 2:
    ]  # Point and direction come first.
    return {
        "better": better,
        "worse": worse,
        "single": _single(first[0]),
        "than a baseline": of_crps.any(axis=(1, 2)),
        "than every baseline": of_crps[:, 0].all(axis=1),
    }


def _single(losses: StepLosses) -> np.ndarray:
    """Return whether the one-sided test against one baseline rejects at 5 %."""
    return p_less(losses.crps[0].mean(axis=1)) < ALPHA


def _chunks(n_series: int, n_tickers: int) -> Iterator[tuple[int, int]]:
    size = max(1, MAX_PANEL // n_tickers)
    for i, start in enumerate(range(0, n_series, size)):
        yield i, min(size, n_series - start)


def false_claims(n_series: int, n_tickers: int) -> pd.DataFrame:
    """Return the share of series with a false claim, in percent.

    Returns:
        One row per null hypothesis and world; columns: kind (`better`, `worse`, and `single`, the one-sided test
        of CRPS at step 1 against one baseline at 5 %) and number of cutoffs.
    """
    rows = {}
    for null in NULLS if n_tickers == 1 else PANEL_NULLS:
        for world in WORLDS[1:] if n_tickers > 1 else WORLDS:
            if world.startswith("iid") and (null in POWERS or (n_tickers > 1 and null == NARROW)):
                continue
            parts: dict[tuple[str, int], list[np.ndarray]] = {}
            for i, size in _chunks(n_series, n_tickers):
                random = np.random.default_rng([17, n_tickers, i])
                of = market(random, world, size, n_tickers, LENGTHS[-1])
                forecasts = {
                    step: equal_forecasts(random, null, world, of, step, N_BASELINES[n_tickers])
                    for step in STEPS
                }
                steps = score(random, of, forecasts)
                for n in LENGTHS:
                    found = _shares(steps, n)
                    for kind in ("better", "worse", "single"):
                        parts.setdefault((kind, n), []).append(found[kind])
            rows[null, world] = {key: 100 * np.concatenate(one).mean() for key, one in parts.items()}
    return pd.DataFrame(rows).T


def power(n_series: int, lengths: tuple[int, ...] = (60, 120, 250, 700, 2500)) -> pd.DataFrame:
    """Return how often a gain over every baseline is found, in percent, by world and gain."""
    rows = {}
    for world in WORLDS[1:]:
        for gain in (1.0, 2.0):
            random = np.random.default_rng([19])
            of = market(random, world, n_series, 1, max(lengths))
            forecasts = {
                step: better_forecasts(random, world, of, step, gain, N_BASELINES[1]) for step in STEPS
            }
            steps = score(random, of, forecasts)
            found = {n: _shares(steps, n) for n in lengths}
            rows[world, f"{gain:g} %"] = {
                (name, n): 100 * found[n][kind].mean()
                for name, kind in (
                    ("single test", "single"),
                    ("better than a baseline", "than a baseline"),
                    ("than every baseline", "than every baseline"),
                )
                for n in lengths
            }
    return pd.DataFrame(rows).T


def agreement(
    n_series: int, world: str = "log-vol AR(.98)", gain: float = 4.0, n: int = 250
) -> tuple[int, int]:
    """Return in how many series the claims computed here are those of `judge`, and how many series there are."""
    random = np.random.default_rng([23])
    of = market(random, world, n_series, 1, n)
    forecasts = {step: better_forecasts(random, world, of, step, gain, 3) for step in STEPS}
    naive = {
        step: of.true_scale() * np.sqrt(step) * CENTRE * random.standard_normal(of.true_scale().shape)
        for step in STEPS
    }
    steps = [StepLosses.of(of, step, each, naive[step]) for step, each in forecasts.items()]
    better, worse = claims(steps, ALPHA)
    names = ["lstm", "a", "b", "c"]
    agree = 0
    for i in range(n_series):
        rows = []
        for step, each in forecasts.items():
            point = Forecast(naive[step], each[0].scale, each[0].df)
            for name, one in zip([*names, "naive"], [*each, point], strict=True):
                rows.append(_table(of, i, step, name, one))
        verdict = judge(pd.concat(rows), Subject("lstm", "none", tuple(names[1:])))
        found = [
            _claims_of(verdict, names[1:], kind, losers)
            for kind, losers in (("better", "beaten"), ("worse", "lost_to"))
        ]
        agree += found == [better[i].tolist(), worse[i].tolist()]
    return agree, n_series


def _claims_of(verdict: dict[str, Any], baselines: list[str], kind: str, losers: str) -> list[bool]:
    """Return the claims of a verdict in the order of `claims`."""
    found = []
    for one in (verdict, verdict["last"]):
        found += [one["point"]["verdict"] == kind, one["direction"]["verdict"] == kind]
        found += [name in one["distribution"][losers] for name in baselines]
    return found


def _table(of: Market, series: int, step: int, model: str, forecast: Forecast) -> pd.DataFrame:
    """Return the forecast table of one series, whose returns are percent."""
    part = [
        np.broadcast_to(one, of.true_scale().shape)[series, 0][:, None]
        for one in (forecast.loc, forecast.scale)
    ]
    returns = StudentT(*part, forecast.df)
    outcome = of.outcome(step)[series, 0][:, None]
    last = np.full(outcome.shape, 100.0)
    cells = {
        "last_close": last,
        "y_true": last * np.exp(outcome / 100),
        "direction": returns.direction(),
        **price_intervals(Intervals.of(returns.rescale(0.01), LEVELS), last),
        "crps": returns.crps(outcome),
        "nll": returns.log_score(outcome),
        "pit": returns.cdf(outcome),
        "p_up": 1 - returns.cdf(np.zeros_like(outcome)),
        "trailing_vol": of.ewma(0.94)[series, 0][:, None] / 100,
    }
    table = pd.DataFrame({name: np.ravel(values) for name, values in cells.items()})
    dates = pd.bdate_range("2010-01-01", periods=len(table) + step, unit="s")
    table = table.assign(ticker="AAA", model=model, step=step, insample_mae=1.0)
    return table.assign(cutoff=dates[:-step], date=dates[step:])[list(FORECAST_COLUMNS)]
