"""Size and power of the verdict: how often it claims something false, and how often it finds what is true.

Markets are simulated whose conditional distribution is known: constant, persistent and switching volatility, one
ticker and 20. Network and baselines are equally good in expectation, so that every claim is false, or the network
has a known gain, or its distribution a known fault. The package `verdict` holds the parts.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/verdict_size_power.py [N_SERIES]
400 series take about 14 minutes of one core, half of them for 20 tickers.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from verdict.batch import bound
from verdict.claims import agreement, false_claims, power
from verdict.faults import false_alarms, faults
from verdict.single_tests import (
    SHOCKS,
    p_values_of_the_truth,
    p_values_of_two_wrong_volatilities,
    p_values_under_the_null,
    p_values_with_few_signs,
    share_below,
)
from verdict.tails import true_tails, wrong_tails

N_JUDGED = 20
"""Series that `judge` itself judges, and those of a table of faults per series of the others: it is slow."""

KINDS = {
    "better": "claimed to be better though it is not",
    "worse": "claimed to be worse though it is not",
    "single": "the single one-sided test of CRPS at 5 %, without the verdict's rules, for comparison",
}


def show(title: str, table: pd.DataFrame | pd.Series) -> None:
    """Print a table of percentages."""
    print(f"\n{title}\n{table.round(1).to_string()}", flush=True)


def main(n_series: int) -> None:
    started = time.monotonic()
    print(f"{n_series} series; 5 % and two standard errors are {bound(n_series):.1f} %")
    agree, n_judged = agreement(N_JUDGED)
    print(f"claims as computed here are those of judge in {agree} of {n_judged} series")
    for n_tickers in (1, 20):
        found = false_claims(n_series, n_tickers)
        for kind, what in KINDS.items():
            show(f"{n_tickers} ticker(s), % of series, {what}; by cutoffs", found[kind])
    show("a gain over every baseline found, % of series, by cutoffs", power(n_series))
    show("a fault of calibration found, % of series, by cutoffs", faults(max(20, n_series // 4)))
    show("a fault of the true distribution reported, % of series, by cutoffs", false_alarms(n_series))
    show("a true tail rejected at 5 %, % of series", true_tails(n_series))
    show("a wrong tail found at 5 %, % of series", wrong_tails(max(20, n_series // 4)))
    sizes = {
        shocks: share_below(
            [p_values_under_the_null(np.random.default_rng([7, i]), shocks) for i in range(n_series)]
        )
        for shocks in SHOCKS
    }
    show("single tests on random walks, rejected at 5 % though true, % of walks", pd.DataFrame(sizes))
    for title, p_values in (
        ("true GARCH-t found better than a constant Student-t at 5 %", p_values_of_the_truth),
        ("direction, three forecasts of down, rejected at 5 % though true", p_values_with_few_signs),
        (
            "DM of two equally wrong volatilities, rejected at 5 % though true",
            p_values_of_two_wrong_volatilities,
        ),
    ):
        found_p = [p_values(np.random.default_rng([13, i])) for i in range(n_series)]
        show(f"{title}, % of series", share_below(found_p))
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
