"""A score table of many tickers in few numbers: the network against each baseline, and its coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.scoring.scores import POOLED_SCORES, pooled_scores

COVERAGE = "coverage_trained_90"
"""Coverage of the 90 % interval of the distribution as trained: calibrated intervals follow the outcomes."""

WITHIN = 0.88, 0.92
"""A ticker's coverage of 90 % is called right within these bounds."""


def against_followers(scores: pd.DataFrame, verdict: dict[str, Any], model: str) -> pd.DataFrame:
    """Compare the network with the baselines whose volatility follows the market, at each step of a verdict.

    Args:
        scores: A score table.
        verdict: `lstm_stock.scoring.verdict.judge` of the same forecasts.
        model: The network's name.

    Returns:
        One row per step and baseline: `step baseline n_tickers`, and for `crps` and `nll`: `crps_gap`, the mean
        over tickers of the network's score less the baseline's; `crps_better`, the number of tickers in which the
        network's is less; `crps_t`, the Diebold-Mariano statistic of the gap averaged over the tickers of each
        date. That of the CRPS is in units of trailing volatility there, as in the verdict. NaN where a score does
        not apply. Empty if the network forecasts no distribution.
    """
    rows = []
    for one in [verdict, *([verdict["last"]] if "last" in verdict else [])]:
        found = one["distribution"]
        statistics = {
            score: {test["baseline"]: test["statistic"] for test in found.get(name, [])}
            for score, name in (("crps", "comparisons"), ("nll", "log_score"))
        }
        if not statistics["crps"]:
            continue
        for row in pooled_scores(scores, model, one["step"]).to_dict("records"):
            baseline = row["baseline"]
            if baseline in statistics["crps"]:
                cells = {"step": one["step"], "baseline": baseline, "n_tickers": row["n_tickers"]}
                for score in POOLED_SCORES:
                    t = statistics[score].get(baseline)
                    cells |= {
                        f"{score}_gap": row[f"{score}_model"] - row[score],
                        f"{score}_better": row[f"{score}_better"],
                        f"{score}_t": np.nan if t is None else t,
                    }
                rows.append(cells)
    return pd.DataFrame(rows)


def coverage_by_step(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    """Summarise the coverage of the network's 90 % interval as trained.

    Returns:
        One row per step: `step`, `coverage`, its mean over tickers, `n_tickers` and `n_within`, the number of
        tickers whose coverage is within `WITHIN`. Empty if the network forecasts no intervals.
    """
    of_model = scores[(scores["model"] == model) & scores[COVERAGE].notna()]
    rows = [
        {
            "step": step,
            "coverage": float(rows[COVERAGE].mean()),
            "n_tickers": len(rows),
            "n_within": int(rows[COVERAGE].between(*WITHIN).sum()),
        }
        for step, rows in of_model.groupby("step")
    ]
    return pd.DataFrame(rows)
