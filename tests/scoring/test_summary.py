"""A score table in few numbers, against values by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.scoring.scores import SCORE_COLUMNS
from lstm_stock.scoring.summary import against_followers, coverage_by_step

ROWS = [
    ("A", "lstm", 1, 1.0, 2.0, 0.88),
    ("A", "garch", 1, 1.1, 1.9, 0.9),
    ("A", "naive", 1, 1.5, np.nan, 0.9),
    ("B", "lstm", 1, 3.0, 4.0, 0.95),
    ("B", "garch", 1, 2.5, 4.5, 0.9),
    ("B", "ewma", 1, 3.5, 5.0, 0.9),
    ("A", "lstm", 5, 2.0, 3.0, 0.92),
    ("A", "garch", 5, 2.0, 3.5, 0.9),
    ("B", "lstm", 5, 2.0, 3.0, 0.9),
    ("B", "garch", 5, 2.25, 3.5, 0.9),
]
SCORES = pd.DataFrame(
    ROWS, columns=["ticker", "model", "step", "crps", "nll", "coverage_trained_90"]
).reindex(columns=list(SCORE_COLUMNS))


def results(**statistics: float | None) -> list[dict]:
    return [{"baseline": name, "statistic": value} for name, value in statistics.items()]


VERDICT = {
    "step": 1,
    "distribution": {"comparisons": results(garch=-1.5, ewma=None), "log_score": results(garch=2.5)},
    "last": {"step": 5, "distribution": {"comparisons": results(garch=0.5), "log_score": []}},
}


def test_the_network_is_compared_with_the_baselines_that_the_verdict_tests():
    found = against_followers(SCORES, VERDICT, "lstm").set_index(["step", "baseline"])
    assert list(found.index) == [(1, "garch"), (1, "ewma"), (5, "garch")]
    garch, ewma, later = found.to_dict("records")
    assert garch == {
        "n_tickers": 2,
        "crps_gap": pytest.approx(2.0 - 1.8),
        "crps_better": 1,
        "crps_t": -1.5,
        "nll_gap": pytest.approx(3.0 - 3.2),
        "nll_better": 1,
        "nll_t": 2.5,
    }
    assert (ewma["n_tickers"], ewma["crps_gap"], ewma["crps_better"]) == (1, -0.5, 1)
    assert np.isnan([ewma["crps_t"], ewma["nll_t"], later["nll_t"]]).all()
    assert (later["crps_gap"], later["crps_better"], later["nll_better"]) == (-0.125, 1, 2)


def test_without_a_distribution_there_is_nothing_to_compare():
    point = SCORES.assign(crps=np.nan, nll=np.nan, coverage_trained_90=np.nan)
    assert against_followers(point, {"step": 1, "distribution": {"verdict": "not tested"}}, "lstm").empty
    assert coverage_by_step(point, "lstm").empty


def test_coverage_is_averaged_and_counted_within_its_bounds():
    assert coverage_by_step(SCORES, "lstm").to_dict("records") == [
        {"step": 1, "coverage": pytest.approx(0.915), "n_tickers": 2, "n_within": 1},
        {"step": 5, "coverage": pytest.approx(0.91), "n_tickers": 2, "n_within": 2},
    ]
