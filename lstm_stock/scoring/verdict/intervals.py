"""Whether the intervals hold as often as they say, and whether their misses come one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

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
from lstm_stock.scoring.verdict import findings, sentences
from lstm_stock.scoring.verdict.findings import plain
from lstm_stock.scoring.verdict.thresholds import LEVEL

MISS = 1 - LEVEL / 100


def judge_calibration(
    model_rows: pd.DataFrame, step: int, alpha: float, calibration: str = "none"
) -> dict[str, Any]:
    """Test the network's intervals and its PIT.

    Intervals that follow their own hits and misses hold about as often as they say whatever the forecasts are
    worth: of `adaptive` ones the share is told and not tested. The PIT is that of the distribution as trained,
    before any stretching.

    Of steps that overlap, every k-th cutoff is used. Of several tickers, misses are averaged by date, and the
    PIT is tested ticker by ticker with Holm's correction.

    Args:
        model_rows: The network's rows at one step, in order of cutoff.
        step: The step.
        alpha: The level that the tests share.
        calibration: How the intervals were stretched.

    Returns:
        `calibration`, as `lstm_stock.scoring.verdict.judge` describes it; `verdict` is 'no evidence' (against it),
        'miscalibrated' or 'not tested'.
    """
    cutoffs = np.unique(model_rows["cutoff"].to_numpy())[::step]
    model_rows = model_rows[model_rows["cutoff"].isin(cutoffs)]
    missing = bool(model_rows[[f"lo_{LEVEL}", f"hi_{LEVEL}"]].isna().to_numpy().any())
    if missing or len(cutoffs) <= MIN_OBSERVATIONS:  # a miss and the one before it make one pair less
        return {
            "verdict": "not tested",
            "baseline": f"nominal {LEVEL} %",
            "statistic": None,
            "p": None,
            "n": len(cutoffs),
            "sentence": sentences.no_calibration(None if missing else len(cutoffs)),
        }
    outside = (model_rows["y_true"] < model_rows[f"lo_{LEVEL}"]) | (
        model_rows["y_true"] > model_rows[f"hi_{LEVEL}"]
    )
    misses = outside.to_numpy(np.float64)
    tickers = model_rows["ticker"].unique()
    if len(tickers) == 1:
        share, cluster = kupiec(misses, MISS), christoffersen(misses)
        tests = {"coverage": "Kupiec", "independence": "Christoffersen", "pit": "Cramér-von Mises"}
    else:
        share = mean_test(by_date(misses - MISS, model_rows["cutoff"].to_numpy()))
        cluster = _clusters(model_rows.assign(miss=misses))
        tests = dict.fromkeys(("coverage", "independence"), "by date")
        tests["pit"] = "Cramér-von Mises by ticker, Holm"
    if calibration == "adaptive":
        share = HypothesisTest(math.nan, math.nan, share.n)
    pit = _uniformity(
        [model_rows.loc[model_rows["ticker"] == ticker, "pit"].to_numpy(np.float64) for ticker in tickers]
    )
    found = {"coverage": share, "independence": cluster, "pit": pit}
    adjusted = dict(zip(found, holm([one.p for one in found.values()]).tolist(), strict=True))
    faults = [name for name, p in adjusted.items() if p < alpha]
    coverage = float(1 - misses.mean())
    return {
        "verdict": "miscalibrated" if faults else "no evidence",
        "baseline": f"nominal {LEVEL} %",
        "score": coverage,
        "statistic": plain(share.statistic),
        "p": plain(share.p),
        "n": share.n,
        "tests": {
            name: {
                "test": tests[name],
                "statistic": plain(one.statistic),
                "p": plain(one.p),
                "p_holm": plain(adjusted[name]),
                "n": one.n,
            }
            for name, one in found.items()
        },
        "faults": faults,
        "sentence": sentences.calibration(
            findings.Interval(coverage, calibration, _miss_dependence(model_rows.assign(miss=misses)), tests),
            found,
            faults,
        ),
    }


def _clusters(model_rows: pd.DataFrame) -> HypothesisTest:
    """Test whether a ticker's miss makes its next one likelier, averaged over the tickers of each date."""
    products, dates = [], []
    for _, table in model_rows.groupby("ticker", sort=False):
        misses = table["miss"].to_numpy(np.float64)
        centred = misses - misses.mean()
        products.append(centred[1:] * centred[:-1])
        dates.append(table["cutoff"].to_numpy()[1:])
    return mean_test(by_date(np.concatenate(products), np.concatenate(dates)))


def _miss_dependence(model_rows: pd.DataFrame) -> float:
    """Return by how much likelier a miss is after a miss than after a hit, over all tickers."""
    pairs = [
        (misses[:-1], misses[1:])
        for _, table in model_rows.groupby("ticker", sort=False)
        if len(misses := table["miss"].to_numpy(np.float64)) > 1
    ]
    before, after = (np.concatenate(part) for part in zip(*pairs, strict=True))
    if before.min() == before.max():
        return 0.0
    return float(after[before == 1].mean() - after[before == 0].mean())


def _uniformity(pits: list[np.ndarray]) -> HypothesisTest:
    """Return the test of the ticker whose PIT is least uniform, its p-value corrected for their number.

    NaN for a point whose intervals come from calibration: it has no distribution, and so no PIT.
    """
    tested = [uniformity(pit) for pit in pits if len(pit) >= MIN_OBSERVATIONS and not np.isnan(pit).any()]
    if not tested:
        return HypothesisTest(math.nan, math.nan, 0)
    least = min(tested, key=lambda one: one.p)
    return HypothesisTest(least.statistic, min(1.0, least.p * len(tested)), least.n)
