"""What the probability of a rise knows, beside the share of rises.

It is reported and not claimed: whether the network predicts rises and falls is the question on direction.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.distributions.base import Array
from lstm_stock.scoring.reliability import Reliability, reliability
from lstm_stock.scoring.significance import MIN_OBSERVATIONS, by_date, mean_test
from lstm_stock.scoring.verdict.findings import plain, untested
from lstm_stock.scoring.verdict.sentences import p_text
from lstm_stock.scoring.verdict.thresholds import ALPHA

QUESTION = "P(up): is the probability of a rise a better forecast than the share of rises?"


def describe_rises(model_rows: pd.DataFrame, step: int) -> dict[str, Any]:
    """Return the Brier score of the probability of a rise, its parts and bins, `rises` of a verdict.

    The share of rises is that of each ticker in the period, so the comparison is a hard one: nobody knew it. Its
    test is `mean_test` of the difference of the squared errors, averaged by date.

    Args:
        model_rows: The network's rows of the forecast table at one step.
        step: The step.
    """
    p_up = model_rows["p_up"].to_numpy(np.float64)
    n = model_rows["cutoff"].nunique()
    if np.isnan(p_up).any() or n < max(MIN_OBSERVATIONS, 2 * step):
        why = "the forecast has no distribution" if np.isnan(p_up).any() else f"{n} cutoffs are too few"
        return {"verdict": "not tested", "p": None, "n": n, "sentence": f"{QUESTION} Not tested: {why}"}
    rose = (model_rows["y_true"] > model_rows["last_close"]).astype(np.float64)
    share = rose.groupby(model_rows["ticker"]).transform("mean").to_numpy()
    outcome = rose.to_numpy()
    difference = by_date((p_up - outcome) ** 2 - (share - outcome) ** 2, model_rows["cutoff"].to_numpy())
    test = mean_test(difference, step, "less") if np.ptp(difference) > 0 else untested(n)
    found = reliability(p_up, outcome)
    of_share = float(np.mean((share - outcome) ** 2))
    return {
        "verdict": "reported",
        "baseline": "share of rises",
        "score": found.brier,
        "baseline_score": of_share,
        "statistic": plain(test.statistic),
        "p": plain(test.p),
        "n": test.n,
        "reliability": found.reliability,
        "resolution": found.resolution,
        "uncertainty": found.uncertainty,
        "bins": [
            {"forecast": f, "observed": o, "n": int(count), "low": low, "high": high}
            for f, o, count, low, high in zip(
                *(
                    one.tolist()
                    for one in (found.forecast, found.observed, found.counts, found.low, found.high)
                ),
                strict=True,
            )
        ],
        "sentence": _sentence(found, of_share, test.p, p_up),
    }


def _sentence(found: Reliability, of_share: float, p: float, p_up: Array) -> str:
    low, high = np.quantile(p_up, [0.05, 0.95])
    answer = "No evidence"
    if p < ALPHA:
        answer = "Its Brier score is lower, in a test that is reported beside the claims"
    knows_nothing = "" if p < ALPHA else ". Take it for the usual share: nothing shows that it knows more"
    test = "" if math.isnan(p) else f", {p_text(p)}"
    return (
        f"{QUESTION} {answer} (Brier score {found.brier:.4f} against {of_share:.4f} of that share in the period"
        f"{test}; reliability {found.reliability:.4f}, resolution {found.resolution:.4f}, uncertainty "
        f"{found.uncertainty:.4f}). Nine of ten lie between {100 * low:.1f} and {100 * high:.1f} %, and "
        f"{100 * found.share:.1f} % of the moves were rises{knows_nothing}"
    )
