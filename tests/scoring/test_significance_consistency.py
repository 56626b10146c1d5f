from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lstm_stock.scoring.significance import (
    consistent_test,
    diebold_mariano,
    smallest_consistent_gain,
    smallest_gain,
)

N = 600
VOLATILITY = np.linspace(0.5, 2.0, N)


def differential(seed: int, gains: tuple[float, float, float]) -> np.ndarray:
    """Noise of deviation 1 less a gain in each third of the days."""
    return np.random.default_rng(seed).standard_normal(N) - np.repeat(gains, N // 3)


def test_the_thirds_are_tested_with_0_on_all_other_days():
    d = differential(1, (0.2, 0.1, 0.3))
    found = consistent_test(d, VOLATILITY)
    assert found.all_days == diebold_mariano(d, alternative="less")
    for third in range(3):
        alone = np.zeros(N)
        alone[third * 200 : (third + 1) * 200] = d[third * 200 : (third + 1) * 200]
        assert found.thirds[third] == diebold_mariano(alone, alternative="less").p


def test_a_gain_on_all_days_counts_and_one_on_wild_days_alone_does_not():
    everywhere = consistent_test(differential(2, (0.4, 0.4, 0.4)), VOLATILITY)
    assert everywhere.is_consistent
    assert everywhere.p == everywhere.all_days.p < 0.001
    wild = consistent_test(differential(2, (-0.2, -0.2, 2.0)), VOLATILITY)
    assert wild.all_days.p < 0.05
    assert not wild.is_consistent
    assert wild.p == 1.0


def test_no_difference_counts_in_a_period_of_one_volatility():
    d = differential(2, (0.4, 0.4, 0.4))
    calm = consistent_test(d, np.linspace(1.0, 1.3, N))
    # Means of the thirds of a line from 1 to 1.3: 1.05 and 1.25.
    assert calm.volatility_ratio == pytest.approx(1.25 / 1.05, rel=0.001)
    assert calm.is_consistent
    assert not calm.has_seen_change
    assert calm.all_days.p < 0.001
    assert calm.p == 1.0


def test_both_sides_are_mirror_images():
    d = differential(3, (0.1, 0.3, 0.2))
    less = consistent_test(d, VOLATILITY, alternative="less")
    greater = consistent_test(-d, VOLATILITY, alternative="greater")
    assert less.thirds == pytest.approx(greater.thirds)
    assert less.p == pytest.approx(greater.p)


def test_a_differential_of_other_length_than_the_volatility_is_refused():
    with pytest.raises(ValueError, match="one shape"):
        consistent_test(np.zeros(30), np.ones(31))


def test_the_smallest_gain_is_found_as_often_as_it_says():
    gain = smallest_consistent_gain(differential(0, (0.0, 0.0, 0.0)), VOLATILITY, 0.05)
    found = [
        consistent_test(differential(seed, (gain, gain, gain)), VOLATILITY).p < 0.05 for seed in range(1, 301)
    ]
    assert stats.binomtest(sum(found), 300, 0.8).pvalue > 0.001


def test_a_gain_that_each_third_must_show_is_no_smaller():
    d = differential(5, (0.1, 0.1, 0.1))
    assert smallest_consistent_gain(d, VOLATILITY, 0.05) >= 0.97 * smallest_gain(d, 0.05)
    assert np.isnan(smallest_consistent_gain(np.zeros(N), VOLATILITY, 0.05))
