"""Whether intervals cover as often as stated, whether misses cluster, and whether the PIT is uniform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.distributions.base import Array
from lstm_stock.scoring.significance import (
    MIN_OBSERVATIONS,
    HypothesisTest,
    by_date,
    christoffersen,
    holm,
    kupiec,
    mean_test,
    uniformity,
)
from lstm_stock.scoring.verdict import sentences
from lstm_stock.scoring.verdict.findings import IntervalTests, plain, untested
from lstm_stock.scoring.verdict.thresholds import LEVEL

MISS = 1 - LEVEL / 100
"""Nominal share of misses."""


def judge_intervals(model_rows: pd.DataFrame, alpha: float, calibration: str = "none") -> dict[str, Any]:
    """Test the network's intervals and its PIT.

    Adaptive intervals react to their own misses: they reach their level by construction, and their misses
    alternate, whatever the quality of the forecasts. Their coverage is reported, not tested. The interval of the
    distribution as trained is tested instead: an outcome is inside the central 90 % interval if its PIT is between
    0.05 and 0.95. The PIT is always that of the distribution as trained.

    Misses of several tickers are averaged by date. The PIT is tested ticker by ticker with Holm's correction.

    Args:
        model_rows: The network's rows of the forecast table at the first step, in order of cutoff.
        alpha: The significance level that the tests share, by Holm's rule.
        calibration: How the intervals were calibrated: `none`, `conformal` or `adaptive`.

    Returns:
        `calibration`, as `lstm_stock.scoring.verdict.judge` describes it. `verdict` is 'miscalibrated', 'no
        evidence' of that or 'not tested'. `score` is the coverage of the reported interval, `tested_score` that of
        the interval tested, which `tested` names: `reported` or `trained`.
    """
    n = model_rows["cutoff"].nunique()
    missing = bool(model_rows[[f"lo_{LEVEL}", f"hi_{LEVEL}"]].isna().to_numpy().any())
    if missing or n <= MIN_OBSERVATIONS:  # A miss and the one before it make one pair less.
        return _not_tested(n, sentences.no_interval(None if missing else n))
    outside = (model_rows["y_true"] < model_rows[f"lo_{LEVEL}"]) | (
        model_rows["y_true"] > model_rows[f"hi_{LEVEL}"]
    )
    coverage = float(1 - outside.mean())
    if calibration == "adaptive":
        if model_rows["pit"].isna().any():
            sentence = sentences.interval(IntervalTests(coverage, calibration))
            return {**_not_tested(n, sentence), "score": coverage}
        outside = (model_rows["pit"] - 0.5).abs() > LEVEL / 200
    rows = model_rows.assign(miss=outside.to_numpy(np.float64))
    results, names = _test(rows)
    adjusted = dict(zip(results, holm([one.p for one in results.values()]).tolist(), strict=True))
    found = IntervalTests(
        coverage=coverage,
        calibration=calibration,
        tested_coverage=float(1 - rows["miss"].mean()),
        miss_dependence=_miss_dependence(rows),
        results=results,
        names=names,
        faults=[name for name, p in adjusted.items() if p < alpha],
    )
    return {
        "verdict": "miscalibrated" if found.faults else "no evidence",
        "baseline": f"nominal {LEVEL} %",
        "score": coverage,
        "tested": "trained" if calibration == "adaptive" else "reported",
        "tested_score": found.tested_coverage,
        "statistic": plain(results["coverage"].statistic),
        "p": plain(results["coverage"].p),
        "n": results["coverage"].n,
        "tests": {
            name: {
                "test": names[name],
                "statistic": plain(one.statistic),
                "p": plain(one.p),
                "p_holm": plain(adjusted[name]),
                "n": one.n,
            }
            for name, one in results.items()
        },
        "faults": found.faults,
        "sentence": sentences.interval(found),
    }


def _not_tested(n: int, sentence: str) -> dict[str, Any]:
    return {
        "verdict": "not tested",
        "baseline": f"nominal {LEVEL} %",
        "statistic": None,
        "p": None,
        "n": n,
        "sentence": sentence,
    }


def _test(rows: pd.DataFrame) -> tuple[dict[str, HypothesisTest], dict[str, str]]:
    """Return the results of the tests `coverage`, `independence` and `pit`, and the names of these tests."""
    misses = rows["miss"].to_numpy(np.float64)
    pits = [table["pit"].to_numpy(np.float64) for _, table in rows.groupby("ticker", sort=False)]
    if len(pits) == 1:
        coverage, independence = kupiec(misses, MISS), christoffersen(misses)
        names = {"coverage": "Kupiec", "independence": "Christoffersen", "pit": "Cramér-von Mises"}
    else:
        coverage = mean_test(by_date(misses - MISS, rows["cutoff"].to_numpy()))
        independence = _independence_by_date(rows)
        names = dict.fromkeys(("coverage", "independence"), "by date")
        names["pit"] = "Cramér-von Mises by ticker, Holm"
    return {"coverage": coverage, "independence": independence, "pit": _uniformity(pits)}, names


def _independence_by_date(rows: pd.DataFrame) -> HypothesisTest:
    """Test whether a ticker's miss makes its next one likelier, averaged over the tickers of each date."""
    products, dates = [], []
    for _, table in rows.groupby("ticker", sort=False):
        misses = table["miss"].to_numpy(np.float64)
        centred = misses - misses.mean()
        products.append(centred[1:] * centred[:-1])
        dates.append(table["cutoff"].to_numpy()[1:])
    return mean_test(by_date(np.concatenate(products), np.concatenate(dates)))


def _miss_dependence(rows: pd.DataFrame) -> float:
    """Return how much likelier a miss is after a miss than after a hit, over all tickers."""
    pairs = [
        (misses[:-1], misses[1:])
        for _, table in rows.groupby("ticker", sort=False)
        if len(misses := table["miss"].to_numpy(np.float64)) > 1
    ]
    before, after = (np.concatenate(part) for part in zip(*pairs, strict=True))
    if before.min() == before.max():
        return 0.0
    return float(after[before == 1].mean() - after[before == 0].mean())


def _uniformity(pits: list[Array]) -> HypothesisTest:
    """Return the test of the ticker whose PIT is least uniform, its p-value corrected for the number of tickers.

    NaN for intervals around a point forecast, which has no PIT.
    """
    tested = [uniformity(pit) for pit in pits if len(pit) >= MIN_OBSERVATIONS and not np.isnan(pit).any()]
    if not tested:
        return untested(0)
    least = min(tested, key=lambda one: one.p)
    return HypothesisTest(least.statistic, min(1.0, least.p * len(tested)), least.n)
