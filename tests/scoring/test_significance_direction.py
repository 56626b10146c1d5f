from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lstm_stock.scoring.significance import fisher_exact, has_few_signs, pesaran_timmermann

RANDOM = np.random.default_rng(11)


def test_fisher_is_a_hypergeometric_tail():
    moves = RANDOM.normal(0.1, 1, 300)
    signs = np.sign(0.2 * moves + RANDOM.normal(1, 1, 300))
    table = pd.crosstab(moves > 0, signs > 0).to_numpy()
    both, n_up, n_forecast_up = table[1, 1], table[1].sum(), table[:, 1].sum()
    found = fisher_exact(moves, signs)
    assert found.p == pytest.approx(stats.hypergeom.sf(both - 1, 300, n_up, n_forecast_up), abs=1e-12)
    assert fisher_exact(moves, signs, "less").p == pytest.approx(
        stats.hypergeom.cdf(both, 300, n_up, n_forecast_up), abs=1e-12
    )
    shares = pd.Series(moves > 0).groupby(signs > 0).mean()
    assert found.statistic == pytest.approx(shares[True] - shares[False], abs=1e-12)
    assert found.n == 300


def test_fisher_of_three_falls_by_hand():
    """All three forecasts of a fall are right, 10 falls of 20: (10 9 8) / (20 19 18)."""
    moves, signs = np.repeat([-1.0, 1.0], 10), np.r_[-np.ones(3), np.ones(17)]
    found = fisher_exact(moves, signs)
    assert found.p == pytest.approx(720 / 6840, abs=1e-12)
    assert found.statistic == pytest.approx(10 / 17, abs=1e-12)


@pytest.mark.parametrize(
    ("moves", "signs"), [([1.0] * 30, [1, -1] * 15), ([1, -1] * 15, [1.0] * 30), ([1, -1], [1, -1])]
)
def test_fisher_does_not_apply_to_one_sign_or_few_rows(moves, signs):
    found = fisher_exact(moves, signs)
    assert math.isnan(found.p)
    assert math.isnan(found.statistic)
    assert found.n == len(moves)
    assert has_few_signs(moves, signs)


def test_five_of_each_expected_are_enough():
    moves = np.tile([1.0, -1.0], 50)
    for n_falls, few in ((9, True), (10, False), (90, False), (91, True)):
        assert has_few_signs(moves, np.r_[-np.ones(n_falls), np.ones(100 - n_falls)]) is few
    assert has_few_signs(
        np.r_[moves, np.zeros(100)], np.r_[np.ones(100), -np.ones(100)]
    )  # zeros are left out


def test_of_three_falls_the_exact_test_keeps_its_level_and_the_normal_one_does_not():
    signs, normal, exact = np.r_[-np.ones(3), np.ones(97)], 0, 0
    for _ in range(500):
        moves = RANDOM.normal(0.1, 1, 100)
        normal += pesaran_timmermann(moves, signs).p < 0.05
        exact += fisher_exact(moves, signs).p < 0.05
    assert normal / 500 > 0.065
    assert exact / 500 < 0.05
