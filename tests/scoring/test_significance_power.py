from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.signal import lfilter

from lstm_stock.scoring.significance import mean_test, smallest_gain


def test_the_smallest_gain_is_two_quantiles_of_a_regression_on_a_constant():
    d = np.random.default_rng(3).standard_t(5, 400)
    fit = sm.OLS(d, np.ones(400)).fit(cov_type="HAC", cov_kwds={"maxlags": 25, "use_correction": False})
    weights = np.clip(1 - np.abs(np.subtract.outer(np.arange(400), np.arange(400))) / 26, 0, None)
    error = float(fit.bse[0]) / math.sqrt(1 - weights.sum() / 400**2)
    t = stats.t(1.5 * 400 / 26)
    assert smallest_gain(d, 0.05) == pytest.approx((t.ppf(0.95) + t.ppf(0.8)) * error, rel=1e-9)
    assert smallest_gain(d + 7, 0.05) == pytest.approx(smallest_gain(d, 0.05), rel=1e-9)
    assert smallest_gain(100 * d, 0.01, power=0.5) == pytest.approx(100 * t.ppf(0.99) * error, rel=1e-9)


@pytest.mark.parametrize(("n", "alpha"), [(60, 0.05), (250, 0.05), (250, 0.01)])
def test_a_gain_of_that_size_is_found_as_often_as_promised(n, alpha):
    noise = lfilter([1], [1, -0.3], np.random.default_rng(4).standard_normal((400, n + 50)))[:, 50:]
    gain = np.mean([smallest_gain(row, alpha) for row in noise])
    found = np.mean([mean_test(row - gain, 1, "less").p < alpha for row in noise])
    assert 0.72 < found < 0.88


def test_constant_differences_have_no_smallest_gain():
    assert math.isnan(smallest_gain(np.full(50, 0.1), 0.05))
    assert math.isnan(smallest_gain(np.zeros(50), 0.05))
    with pytest.raises(ValueError, match="`power` must lie between 0 and 1"):
        smallest_gain(np.arange(50.0), 0.05, power=1)
