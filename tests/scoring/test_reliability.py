from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import brier_score_loss

from lstm_stock.scoring.reliability import reliability
from lstm_stock.scoring.significance import mean_test
from lstm_stock.scoring.verdict.rises import describe_rises


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_the_parts_add_up_to_the_brier_score_of_another_implementation(seed, n):
    random = np.random.default_rng(seed)
    p = random.random(n)
    outcome = random.random(n) < p
    found = reliability(p, outcome)
    assert found.brier == pytest.approx(
        brier_score_loss(np.append(outcome, True), np.append(p, 1.0)) * (n + 1) / n
    )
    parts = found.reliability - found.resolution + found.uncertainty + found.within
    assert found.brier == pytest.approx(parts)
    assert found.counts.sum() == n
    assert found.counts @ found.forecast == pytest.approx(p.sum())
    assert found.counts @ found.observed == pytest.approx(outcome.sum())


def test_murphys_parts_by_hand():
    """Two distinct probabilities, so that nothing is left within bins."""
    p = np.array([0.4] * 5 + [0.6] * 5)
    outcome = np.array([1, 0, 0, 0, 0, 1, 1, 1, 1, 0])
    found = reliability(p, outcome)
    assert found.brier == pytest.approx((0.36 + 4 * 0.16 + 4 * 0.16 + 0.36) / 10)
    assert found.reliability == pytest.approx(0.04)
    assert found.resolution == pytest.approx(0.09)
    assert found.uncertainty == pytest.approx(0.25)
    assert found.within == pytest.approx(0, abs=1e-12)


def test_a_constant_probability_is_one_bin_with_the_bar_of_a_binomial():
    found = reliability(np.full(500, 0.53), np.arange(500) < 300)
    assert (found.counts.tolist(), found.observed.tolist()) == ([500], [0.6])
    assert found.resolution == 0
    bar = binom.ppf([0.05, 0.95], 500, 0.53) / 500
    assert [found.low[0], found.high[0]] == pytest.approx(bar, abs=0.006)


def test_nine_of_ten_points_of_a_reliable_forecast_lie_in_their_bars():
    random = np.random.default_rng(3)
    inside = []
    for _ in range(100):
        p = random.uniform(0.4, 0.65, 400)
        found = reliability(p, random.random(400) < p)
        inside += ((found.low <= found.observed) & (found.observed <= found.high)).tolist()
    assert 0.87 < np.mean(inside) < 0.93


@pytest.mark.parametrize("p", [[0.5], [[0.5, 0.5]], [0.5, 1.5], [0.5, np.nan], []])
def test_what_is_no_probability_is_an_error(p):
    with pytest.raises(ValueError):
        reliability(p, [1, 0])


def table(p_up: np.ndarray, rose: np.ndarray) -> pd.DataFrame:
    dates = pd.bdate_range("2015-01-01", periods=len(p_up), unit="s")
    return pd.DataFrame(
        {
            "ticker": "AAA",
            "cutoff": dates,
            "p_up": p_up,
            "last_close": 100.0,
            "y_true": np.where(rose, 101.0, 99.0),
        }
    )


def test_a_probability_without_information_knows_nothing():
    random = np.random.default_rng(5)
    p, rose = random.uniform(0.5, 0.56, 600), random.random(600) < 0.53
    found = describe_rises(table(p, rose), 1)
    assert found["verdict"] == "reported"
    assert found["sentence"].endswith(
        "were rises. Take it for the usual share: nothing shows that it knows more"
    )
    difference = (p - rose) ** 2 - (rose.mean() - rose) ** 2
    assert found["p"] == pytest.approx(mean_test(difference, 1, "less").p)
    assert found["score"] - found["baseline_score"] == pytest.approx(difference.mean())
    assert sum(one["n"] for one in found["bins"]) == 600


def test_a_probability_with_information_is_reported_as_such():
    random = np.random.default_rng(6)
    p = random.uniform(0.2, 0.8, 600)
    found = describe_rises(table(p, random.random(600) < p), 1)
    assert found["p"] < 0.001
    assert "Its Brier score is lower" in found["sentence"]
    assert "usual share" not in found["sentence"]


def test_the_true_share_of_rises_is_not_tested():
    found = describe_rises(table(np.full(600, 0.5), np.arange(600) % 2 == 0), 1)
    assert found["p"] is None
    assert "usual share" in found["sentence"]


@pytest.mark.parametrize(
    ("p", "n", "why"), [(np.nan, 100, "has no distribution"), (0.5, 19, "19 cutoffs are too few")]
)
def test_what_cannot_be_compared_says_why(p, n, why):
    found = describe_rises(table(np.full(n, p), np.arange(n) % 2 == 0), 1)
    assert found["verdict"] == "not tested"
    assert why in found["sentence"]
