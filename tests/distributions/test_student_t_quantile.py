from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from lstm_stock.distributions import Normal
from lstm_stock.distributions.special import stdtrit
from lstm_stock.distributions.student_t_quantile import upper_quantile

DF = np.concatenate([[2.0, 2.05], np.geomspace(2.05, 1e6, 600)])


@pytest.mark.parametrize("tail", [1e-5, 1e-4, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.45])
def test_quantiles_are_those_of_scipy(tail):
    found = upper_quantile(DF, tail)
    np.testing.assert_allclose(found, stats.t.isf(tail, DF), rtol=1e-10)
    np.testing.assert_allclose(found, -special.stdtrit(DF, tail), rtol=1e-10)


@given(df=st.floats(1.01, 1e7), p=st.floats(1e-9, 1 - 1e-9))
def test_quantiles_of_any_probability_are_those_of_scipy(df, p):
    # Near the median, the quantile is as uncertain as the probability is.
    np.testing.assert_allclose(stdtrit(df, p), special.stdtrit(df, p), rtol=1e-10, atol=1e-15)


def test_two_degrees_of_freedom_have_a_closed_form():
    tail = np.array([1e-4, 0.05, 0.3])
    found = [float(upper_quantile(np.array(2.0), one)) for one in tail]
    np.testing.assert_allclose(found, (1 - 2 * tail) / np.sqrt(2 * tail * (1 - tail)), rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (0,), (3, 2), (30_000,)])
def test_a_quantile_has_the_shape_of_the_degrees_of_freedom(shape):
    df = np.full(shape, 4.0)
    for p in (0.025, 0.5, 0.975, 1e-7, 0.48):
        assert stdtrit(df, p).shape == shape
        np.testing.assert_allclose(stdtrit(df, p), special.stdtrit(4.0, p), rtol=1e-10)


def test_a_quantile_does_not_depend_on_the_others_in_a_call():
    each = [float(upper_quantile(np.array(df), 0.05)) for df in DF]
    assert each == upper_quantile(DF, 0.05).tolist()


def test_a_normals_quantiles_are_those_of_scipy():
    for p in (1e-12, 0.025, 0.5, 0.9, 1 - 1e-9):
        np.testing.assert_allclose(Normal(1.0, 2.0).quantile(p), 1 + 2 * special.ndtri(p), rtol=1e-13)


def test_intervals_do_without_scipy():
    code = (
        "import sys\nfrom lstm_stock.distributions import Normal, StudentT\n"
        "from lstm_stock.distributions.intervals import LEVELS, Intervals\n"
        "for forecast in (StudentT([[0.0, 1.0]], 1.0, 4.0), Normal([[0.0]], 1.0)):\n"
        "    Intervals.of(forecast, LEVELS)\n"
        "print([name for name in sys.modules if name.startswith('scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
