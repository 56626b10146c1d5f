"""Whether the trained distribution covers as often as it states, and what the intervals shown to the user cover.

An outcome is inside the central 90 % interval of the trained distribution if its PIT lies between 0.05 and 0.95.
The intervals shown are scaled by `calibration`; adaptive ones react to their own misses, so that their coverage
says nothing about the network, and is reported without a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.intervals import LEVELS, Kind
from lstm_stock.scoring.significance import (
    MIN_OBSERVATIONS,
    HypothesisTest,
    by_date,
    christoffersen,
    kupiec_by_offset,
    martingale_test,
    mean_test,
    rejected_in_families,
    uniformity_by_offset,
    volatility_products,
    volatility_thirds,
)
from lstm_stock.scoring.verdict import calibration_sentences as sentences
from lstm_stock.scoring.verdict.findings import CalibrationTests, plain, untested
from lstm_stock.scoring.verdict.risk import describe_risk, run_risk_tests
from lstm_stock.scoring.verdict.risk_sentences import no_risk
from lstm_stock.scoring.verdict.thresholds import LEVEL

QUESTIONS = ("coverage", "volatility", "independence", "pit")
"""What the tests of a trained distribution ask; those of its four levels are one question."""


def judge_trained(model_rows: pd.DataFrame, step: int, alpha: float) -> dict[str, Any]:
    """Test the trained distribution: coverage, also on quiet and wild days, clusters of misses, PIT, tail.

    The questions of `QUESTIONS`, and the tests of the tail as one more, share `alpha`
    (`significance.rejected_in_families`). Misses of several tickers are averaged by date. The PIT is tested ticker
    by ticker.
    Overlapping steps have no test of clusters, since their misses cluster by construction.

    Args:
        model_rows: The network's rows of the forecast table at one step, in order of cutoff.
        step: The step.
        alpha: The significance level that the tests share.

    Returns:
        `calibration` and `risk`, as `lstm_stock.scoring.verdict.judge` describes them. `verdict` of each is
        'miscalibrated', 'no evidence' of that or 'not tested'.
    """
    n = model_rows["cutoff"].nunique()
    has_pit = bool(model_rows["pit"].notna().all())
    # Each of `step` interleaved series needs enough; a miss and the one before it make one pair less.
    if not has_pit or n <= MIN_OBSERVATIONS * step:
        shown = None if not has_pit else n
        return {
            "calibration": _not_tested(n, sentences.no_calibration(shown)) | {"baseline": "nominal coverage"},
            "risk": _not_tested(n, no_risk(shown)) | {"baseline": "nominal probability"},
        }
    hits = {level: _is_inside(model_rows["pit"].to_numpy(np.float64), level) for level in LEVELS}
    results, names = _test(model_rows, hits, step)
    risk = run_risk_tests(model_rows, step)
    faults, tail_faults = _faults(results, risk.results, alpha)
    found = CalibrationTests(
        coverage={level: float(one.mean()) for level, one in hits.items()},
        thirds=_coverage_by_third(model_rows, hits[LEVEL]),
        miss_dependence=_miss_dependence(model_rows, 1 - hits[LEVEL]),
        results=results,
        names=names,
        faults=faults,
    )
    return {"calibration": _describe(found), "risk": describe_risk(replace(risk, faults=tail_faults))}


def _describe(found: CalibrationTests) -> dict[str, Any]:
    results = found.results
    return {
        "verdict": "miscalibrated" if found.faults else "no evidence",
        "baseline": "nominal coverage",
        "coverage": {str(level): share for level, share in found.coverage.items()},
        "thirds": None if found.thirds is None else list(found.thirds),
        "statistic": plain(results[f"coverage_{LEVEL}"].statistic),
        "p": plain(results[f"coverage_{LEVEL}"].p),
        "n": results[f"coverage_{LEVEL}"].n,
        "tests": {
            name: {
                "test": found.names[name],
                "statistic": plain(one.statistic),
                "p": plain(one.p),
                "n": one.n,
            }
            for name, one in results.items()
        },
        "faults": list(found.faults),
        "sentence": sentences.calibration(found),
    }


def describe_intervals(model_rows: pd.DataFrame, calibration: Kind) -> dict[str, Any]:
    """Return the coverage of the intervals shown, `intervals` of a verdict; None at a level without intervals.

    Args:
        model_rows: The network's rows of the forecast table at one step.
        calibration: How the intervals were calibrated.
    """
    coverage = {}
    for level in LEVELS:
        low, high, y_true = (model_rows[name] for name in (f"lo_{level}", f"hi_{level}", "y_true"))
        missing = bool(low.isna().any() or high.isna().any())
        coverage[level] = None if missing else float(((low <= y_true) & (y_true <= high)).mean())
    return {
        "calibration": calibration,
        "coverage": {str(level): share for level, share in coverage.items()},
        "sentence": sentences.intervals(coverage[LEVEL], calibration),
    }


def _not_tested(n: int, sentence: str) -> dict[str, Any]:
    return {"verdict": "not tested", "statistic": None, "p": None, "n": n, "sentence": sentence}


def _is_inside(pit: Array, level: int) -> Array:
    return (np.abs(pit - 0.5) <= level / 200).astype(np.float64)


def _test(
    rows: pd.DataFrame, hits: Mapping[int, Array], step: int
) -> tuple[dict[str, HypothesisTest], dict[str, str]]:
    """Return the result and the name of every test."""
    dates, misses = rows["cutoff"].to_numpy(), 1 - hits[LEVEL]
    pits = [table["pit"].to_numpy(np.float64) for _, table in rows.groupby("ticker", sort=False)]
    one_ticker = len(pits) == 1
    is_series = one_ticker and step == 1  # of independent misses, if the distribution is right
    results, names = {}, {}
    for level, inside in hits.items():
        p = 1 - level / 100
        results[f"coverage_{level}"] = (
            kupiec_by_offset(1 - inside, p, step)
            if one_ticker
            else mean_test(by_date(1 - inside - p, dates), step)
        )
        names[f"coverage_{level}"] = "Kupiec" if one_ticker else "by date"
    n_inside = np.mean(list(hits.values()), axis=0)
    results["volatility"] = _dependence_on_volatility(rows, n_inside, step)
    names["volatility"] = "regression on volatility"
    if step == 1:
        results["independence"] = christoffersen(misses) if is_series else _independence_by_date(rows, misses)
        names["independence"] = "Christoffersen" if is_series else "by date"
    results["pit"] = _uniformity(pits, step)
    names["pit"] = "Cramér-von Mises" + ("" if len(pits) == 1 else " by ticker, Holm")
    return results, names


def _faults(
    results: Mapping[str, HypothesisTest], of_tail: Mapping[str, HypothesisTest], alpha: float
) -> tuple[list[str], list[str]]:
    """Return the tests that reject, and those of the tail; each of `QUESTIONS` is a family, and so is the tail.

    Hommel's rule holds for the levels: the numbers of outcomes inside nested intervals are, in the limit, a
    Gaussian Markov process, whose absolute values are positively dependent (Karlin & Rinott 1981, Annals of
    Statistics 9).
    """
    families = [[name for name in results if name.split("_")[0] == question] for question in QUESTIONS]
    families.append(list(of_tail))
    everything = {**results, **of_tail}
    rejected, _ = rejected_in_families([[everything[name].p for name in one] for one in families], alpha)
    wrong = [
        name
        for family, flags in zip(families, rejected, strict=True)
        for name, is_rejected in zip(family, flags, strict=True)
        if is_rejected
    ]
    return [name for name in wrong if name in results], [name for name in wrong if name in of_tail]


def _dependence_on_volatility(rows: pd.DataFrame, n_inside: Array, step: int) -> HypothesisTest:
    """Test whether the share of the four intervals that contain the outcome depends on trailing volatility."""
    expected = sum(LEVELS) / len(LEVELS) / 100
    products, dates = [], []
    for _, table in rows.assign(inside=n_inside).groupby("ticker", sort=False):
        inside, volatility = (table[name].to_numpy(np.float64) for name in ("inside", "trailing_vol"))
        if len(inside) >= MIN_OBSERVATIONS and not np.isnan(volatility).any():
            products.append(volatility_products(inside, volatility, expected))
            dates.append(table["cutoff"].to_numpy())
    if not products:
        return untested(0)
    return martingale_test(by_date(np.concatenate(products), np.concatenate(dates)), step)


def _coverage_by_third(rows: pd.DataFrame, inside: Array) -> list[float] | None:
    """Return the coverage on the quiet, middle and wild third of each ticker's days, over all tickers."""
    if rows["trailing_vol"].isna().any():
        return None
    thirds = np.empty(len(rows), np.int64)
    for _, positions in rows.reset_index(drop=True).groupby("ticker", sort=False).indices.items():
        thirds[positions] = volatility_thirds(rows["trailing_vol"].to_numpy(np.float64)[positions])
    return [float(inside[thirds == third].mean()) for third in range(3)]


def _independence_by_date(rows: pd.DataFrame, misses: Array) -> HypothesisTest:
    """Test whether a ticker's miss makes its next one likelier, averaged over the tickers of each date."""
    products, dates = [], []
    for _, table in rows.assign(miss=misses).groupby("ticker", sort=False):
        of_ticker = table["miss"].to_numpy(np.float64)
        centred = of_ticker - of_ticker.mean()
        products.append(centred[1:] * centred[:-1])
        dates.append(table["cutoff"].to_numpy()[1:])
    return mean_test(by_date(np.concatenate(products), np.concatenate(dates)))


def _miss_dependence(rows: pd.DataFrame, misses: Array) -> float:
    """Return how much likelier a miss is after a miss than after a hit, over all tickers."""
    pairs = [
        (of_ticker[:-1], of_ticker[1:])
        for _, table in rows.assign(miss=misses).groupby("ticker", sort=False)
        if len(of_ticker := table["miss"].to_numpy(np.float64)) > 1
    ]
    before, after = (np.concatenate(part) for part in zip(*pairs, strict=True))
    if before.min() == before.max():
        return 0.0
    return float(after[before == 1].mean() - after[before == 0].mean())


def _uniformity(pits: list[Array], step: int) -> HypothesisTest:
    """Return the test of the ticker whose PIT is least uniform, its p-value times the number of tickers."""
    tested = [uniformity_by_offset(pit, step) for pit in pits if len(pit) >= MIN_OBSERVATIONS * step]
    if not tested:
        return untested(0)
    least = min(tested, key=lambda one: one.p)
    return HypothesisTest(least.statistic, min(1.0, least.p * len(tested)), least.n)
