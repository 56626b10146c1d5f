from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from lstm_stock import baselines
from lstm_stock.baselines import (
    BASELINES,
    BaselineSpec,
    Task,
    constant_t,
    drift,
    ewma,
    ewma_drift,
    forecast_all,
    naive,
)
from lstm_stock.dataset.features import Bars
from lstm_stock.distributions import Normal
from tests.helpers import bars_with_market, n_blas_threads, random_prices

BARS = Bars.of(random_prices(900, seed=3))
LOG_CLOSE = np.log(BARS.close)
TASK = Task(BARS, n_insample=700, cutoffs=np.arange(699, 890), horizon=3)


def insample(step: int) -> np.ndarray:
    return LOG_CLOSE[step:700] - LOG_CLOSE[: 700 - step]


def test_insample_returns_end_before_the_test_period():
    np.testing.assert_array_equal(TASK.insample_returns(3), insample(3))


def test_naive_forecasts_the_last_close_exactly():
    np.testing.assert_array_equal(naive(TASK).quantile(0.5), np.zeros((191, 3)))


def test_naive_has_the_quantiles_of_the_insample_returns():
    for step in (1, 2, 3):
        moves = np.abs(insample(step)[-697:] - np.median(insample(step)[-697:]))
        expected = np.quantile(np.concatenate([moves, -moves]), 0.9)
        np.testing.assert_allclose(naive(TASK).quantile(0.9)[:, step - 1], expected, rtol=1e-12)


def test_naive_forecasts_neither_a_rise_nor_a_fall():
    np.testing.assert_allclose(naive(TASK).median(), 0.0, atol=1e-15)


def test_ewma_drift_is_ewma_around_the_mean_return():
    mean = insample(1).mean()
    np.testing.assert_allclose(ewma_drift(TASK).quantile(0.5)[0], mean * np.array([1, 2, 3]), rtol=1e-12)
    unit = BARS.volatility[30:698] * np.sqrt(2)
    df, _, scale = stats.t.fit((LOG_CLOSE[32:700] - LOG_CLOSE[30:698] - 2 * mean) / unit, floc=0.0)
    width = ewma_drift(TASK).quantile(0.95)[7, 1] - ewma_drift(TASK).quantile(0.5)[7, 1]
    assert width == pytest.approx(scale * stats.t.ppf(0.95, df) * BARS.volatility[706] * np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("baseline", [constant_t, ewma, ewma_drift])
def test_the_intervals_of_a_ticker_that_rarely_trades_are_not_too_narrow(baseline):
    """Most returns are zero: the likelihood of a Student-t grows without bound as its scale goes to zero."""
    random = np.random.default_rng(0)
    table = random_prices(900, seed=3)
    stale = np.repeat(table["close"].to_numpy()[::5], 5)
    rarely_traded = table.assign(
        open=stale, high=stale * 1.001, low=stale / 1.001, close=stale, adj_close=stale
    )
    task = Task(Bars.of(rarely_traded), 700, np.arange(699, 890), 3)
    forecast = baseline(task)
    y_true = np.log(stale[700:891] / stale[699:890])
    width = forecast.quantile(0.975)[:, 0] - forecast.quantile(0.025)[:, 0]
    assert (width > 0.1 * y_true.std()).all()
    assert np.isfinite(forecast.log_score(random.normal(0, 0.01, (191, 3)))).all()


def test_drift_grows_with_the_step():
    np.testing.assert_allclose(
        drift(TASK).quantile(0.5)[5], insample(1).mean() * np.array([1, 2, 3]), atol=1e-15
    )


def test_constant_t_is_the_maximum_likelihood_fit():
    def nll(x: np.ndarray) -> float:
        return -stats.t.logpdf(insample(2), np.exp(x[0]), x[1] / 100, np.exp(x[2])).sum()

    best = optimize.minimize(nll, [1.5, 0.0, -4.0], method="BFGS").x
    forecast = constant_t(TASK)
    expected = stats.t.ppf([0.05, 0.5, 0.95], np.exp(best[0]), best[1] / 100, np.exp(best[2]))
    found = [forecast.quantile(p)[0, 1] for p in (0.05, 0.5, 0.95)]
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_ewma_scales_one_student_t_by_the_trailing_volatility():
    forecast = ewma(TASK)
    widths = forecast.quantile(0.95) / (BARS.volatility[TASK.cutoffs][:, None] * np.sqrt([1, 2, 3]))
    np.testing.assert_allclose(widths, np.broadcast_to(widths[0], widths.shape), rtol=1e-10)
    # The common drift: 0.04 of the scale at one step, sqrt(k) times as much at k.
    np.testing.assert_allclose(forecast.loc / forecast.scale, 0.04 * np.sqrt([[1, 2, 3]] * 191), rtol=1e-12)


def test_ewma_is_calibrated_in_sample():
    task = Task(BARS, n_insample=700, cutoffs=np.arange(30, 699), horizon=1)
    y_true = (LOG_CLOSE[31:700] - LOG_CLOSE[30:699])[:, None]
    inside = np.abs(y_true) <= ewma(task).quantile(0.95)
    assert inside.mean() == pytest.approx(0.90, abs=0.02)


@pytest.mark.parametrize(
    "name", [name for name, spec in BASELINES.items() if spec.of_prices and not spec.needs_regression]
)
@settings(max_examples=10, deadline=None)
@given(cutoff=st.integers(700, 880), factor=st.floats(0.2, 5))
def test_no_baseline_reads_bars_after_the_cutoff(name: str, cutoff: int, factor: float):
    prices = random_prices(900, seed=3)
    prices.iloc[cutoff + 1 :] = prices.iloc[cutoff + 1 :] * factor + 1
    cutoffs, forecast = np.arange(699, cutoff + 1), BASELINES[name].forecast
    changed = forecast(Task(bars_with_market(prices), 700, cutoffs, 3))
    unchanged = forecast(Task(bars_with_market(random_prices(900, seed=3)), 700, cutoffs, 3))
    for p in (0.05, 0.5, 0.9):
        np.testing.assert_array_equal(changed.quantile(p), unchanged.quantile(p))


def test_a_registered_function_is_a_baseline(monkeypatch):
    def fixed(task):
        return Normal(np.zeros((len(task.cutoffs), task.horizon)), 0.02)

    # A new dictionary, since entries deleted from the registry would come back in another order.
    monkeypatch.setattr(baselines, "BASELINES", {"naive": BASELINES["naive"]})
    baselines.BASELINES["fixed"] = BaselineSpec(fixed)
    baselines.BASELINES["fixed_market"] = BaselineSpec(fixed, needs_market=True)
    forecasts = forecast_all(TASK, pytest.fail)
    assert list(forecasts) == ["naive", "fixed"]
    np.testing.assert_array_equal(forecasts["fixed"].scale, np.full((191, 3), 0.02))
    with_market = forecast_all(replace(TASK, bars=bars_with_market(random_prices(900, seed=3))), pytest.fail)
    assert list(with_market) == ["naive", "fixed", "fixed_market"]


def test_baselines_compute_with_one_blas_thread(monkeypatch):
    """With more, the optimiser of a GARCH would stop elsewhere on a machine with more cores."""
    counts = []

    def counting(task):
        counts.append(n_blas_threads(0))
        return naive(task)

    monkeypatch.setattr(baselines, "BASELINES", {"counting": BaselineSpec(counting)})
    before = n_blas_threads(0)
    forecast_all(TASK, pytest.fail)
    assert counts == [1]
    assert n_blas_threads(0) == before
