"""Whether losses exceed the value at risk of the trained distribution as often, and by as much, as it states.

The tests are a question of calibration: they share its significance level, as one family.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.distributions.questions import TAIL_PROBABILITIES
from lstm_stock.scoring.significance import HypothesisTest, exceedance_tests, shortfall_test, tail_ratio
from lstm_stock.scoring.verdict import risk_sentences as sentences
from lstm_stock.scoring.verdict.findings import RiskTests, plain

LABELS = {f"{100 * p:g}": p for p in TAIL_PROBABILITIES}
"""The probabilities by their names in tests and sentences, percent."""


def run_risk_tests(model_rows: pd.DataFrame, step: int) -> RiskTests:
    """Run the tests of the tail of the trained distribution.

    Args:
        model_rows: The network's rows of the forecast table at one step, with a PIT.
        step: The step.
    """
    pit = model_rows.pivot(index="cutoff", columns="ticker", values="pit").sort_index().to_numpy(np.float64)
    results: dict[str, HypothesisTest] = {}
    joint: dict[str, HypothesisTest] = {}
    for label, p in LABELS.items():
        exceedances = exceedance_tests(pit, p, step)
        results[f"exceedances_{label}"] = exceedances.coverage
        results[f"clusters_{label}"] = exceedances.independence
        results[f"shortfall_{label}"] = shortfall_test(pit, p, step)
        joint[f"conditional_coverage_{label}"] = exceedances.joint
    known = pit[~np.isnan(pit)]
    return RiskTests(
        exceeded={label: float((known < p).mean()) for label, p in LABELS.items()},
        tail_ratio={label: tail_ratio(pit, p) for label, p in LABELS.items()},
        results=results,
        joint=joint,
        faults=[],
    )


def describe_risk(found: RiskTests) -> dict[str, Any]:
    """Return `risk` of a verdict: as `calibration`, with the shares of losses beyond each value at risk."""
    first = found.results["exceedances_5"]
    return {
        "verdict": "miscalibrated" if found.faults else "no evidence",
        "baseline": "nominal probability",
        "exceeded": dict(found.exceeded),
        "tail_ratio": dict(found.tail_ratio),
        "statistic": plain(first.statistic),
        "p": plain(first.p),
        "n": first.n,
        "tests": {
            name: {"statistic": plain(one.statistic), "p": plain(one.p), "n": one.n}
            for name, one in {**found.results, **found.joint}.items()
        },
        "faults": list(found.faults),
        "sentence": sentences.risk(found),
    }
