"""Value at risk and expected shortfall in the verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.scoring.significance import exceedance_tests, rejected_in_families, shortfall_test, tail_ratio
from lstm_stock.scoring.verdict import ALPHA, short_verdict
from lstm_stock.scoring.verdict.calibration import judge_trained
from tests.scoring.forecasts import REALISED, VOLATILITY, N, rows, t_forecast


def table(pit: np.ndarray) -> pd.DataFrame:
    """The network's rows with these PIT values, shape `(n_dates, n_tickers)`."""
    n, n_tickers = pit.shape
    dates = pd.bdate_range("2015-01-01", periods=n, unit="s")
    return pd.DataFrame(
        {
            "ticker": np.tile([f"T{i}" for i in range(n_tickers)], n),
            "cutoff": np.repeat(dates, n_tickers),
            "pit": pit.ravel(),
            "trailing_vol": np.repeat(np.random.default_rng(1).lognormal(-4, 0.3, n), n_tickers),
        }
    )


def uniform(n: int = 600, n_tickers: int = 1) -> np.ndarray:
    return np.random.default_rng(6).random((n, n_tickers))


def test_a_true_tail_has_no_fault():
    found = judge_trained(table(uniform()), 1, ALPHA)["risk"]
    assert (found["verdict"], found["faults"]) == ("no evidence", [])
    assert found["sentence"].startswith("Risk: do losses exceed the value at risk as trained as often, and ")
    assert "as it states? No fault found. The value at risk at 1, 2.5 and 5 % is" in found["sentence"]
    assert "No evidence that exceedances follow each other" in found["sentence"]


def test_the_numbers_are_those_of_the_pit():
    pit = uniform()
    found = judge_trained(table(pit), 1, ALPHA)["risk"]
    for label, p in (("1", 0.01), ("2.5", 0.025), ("5", 0.05)):
        tests = exceedance_tests(pit, p)
        assert found["exceeded"][label] == pytest.approx((pit < p).mean())
        assert found["tail_ratio"][label] == pytest.approx(tail_ratio(pit, p))
        assert found["tests"][f"exceedances_{label}"]["p"] == tests.coverage.p
        assert found["tests"][f"clusters_{label}"]["p"] == tests.independence.p
        assert found["tests"][f"conditional_coverage_{label}"]["p"] == tests.joint.p
        assert found["tests"][f"shortfall_{label}"]["p"] == shortfall_test(pit, p).p


def test_too_many_and_too_large_losses_are_a_fault_of_the_tail_alone():
    pit = uniform()
    pit[:18] = 0.0004 * np.arange(1, 19)[:, None]
    pit = np.random.default_rng(0).permutation(pit)
    found = judge_trained(table(pit), 1, ALPHA)
    assert found["calibration"]["verdict"] == "no evidence"
    assert found["risk"]["verdict"] == "miscalibrated"
    assert "too many at 1 % (p" in found["risk"]["sentence"]
    assert "too often up to 1 % (p" in found["risk"]["sentence"]
    assert found["risk"]["sentence"].endswith("Do not take these losses as stated")
    assert short_verdict(found) == "no evidence, wrong tail"


def test_clusters_are_a_fault():
    random = np.random.default_rng(4)
    pit = 0.05 + 0.95 * uniform()
    for start in random.choice(np.arange(0, 590, 8), 8, replace=False):
        pit[start : start + 4] = random.random((4, 1)) * 0.05
    found = judge_trained(table(pit), 1, ALPHA)["risk"]
    assert "clusters_5" in found["faults"]
    assert "An exceedance changes the probability of the next (at" in found["sentence"]


def test_the_tail_is_one_question_of_five():
    """Its tests reject at a fifth of the level, by Hommel's rule."""
    pit = uniform()
    pit[:14] = 0.0007 * np.arange(1, 15)[:, None]
    found = judge_trained(table(np.random.default_rng(3).permutation(pit)), 1, ALPHA)
    tests = found["risk"]["tests"]
    family = [tests[name]["p"] for name in tests if not name.startswith("conditional")]
    assert len(family) == 9
    own = rejected_in_families([family], ALPHA / 5)[0][0]
    assert bool(found["risk"]["faults"]) == any(own)


def test_a_scale_that_is_too_narrow_is_found_in_both():
    narrow = rows("lstm", t_forecast(0.6 * VOLATILITY), REALISED)
    found = judge_trained(narrow, 1, ALPHA)
    assert [one["verdict"] for one in found.values()] == ["miscalibrated"] * 2
    assert found["risk"]["tail_ratio"]["5"] > 2


def test_several_tickers_are_one_table():
    pit = np.repeat(uniform(), 5, axis=1)
    one, five = (judge_trained(table(part), 1, ALPHA)["risk"] for part in (pit[:, :1], pit))
    assert five["exceeded"] == pytest.approx(one["exceeded"])
    assert five["tests"]["shortfall_5"]["p"] == pytest.approx(one["tests"]["shortfall_5"]["p"], abs=1e-9)
    assert five["verdict"] == "no evidence"


@pytest.mark.parametrize(
    ("pit", "why"), [(uniform(20), "20 cutoffs are too few"), (np.full((N, 1), np.nan), "no distribution")]
)
def test_what_cannot_be_tested_says_why(pit, why):
    found = judge_trained(table(pit), 1, ALPHA)["risk"]
    assert (found["verdict"], found["p"]) == ("not tested", None)
    assert why in found["sentence"]
