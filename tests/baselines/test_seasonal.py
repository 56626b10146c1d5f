"""Baselines of series of values, against statsmodels and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from lstm_stock.baselines import BASELINES, Task, forecast_all
from lstm_stock.baselines.seasonal import (
    Grid,
    ar,
    ets,
    ets_moves,
    fit_autoregression,
    forecast_autoregression,
    seasonal_naive,
    start_of_smoothing,
)
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.value_features import value_bars
from lstm_stock.errors import BaselineError


def seasonal_series(n: int = 240, season: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = np.zeros(n)
    for i in range(1, n):
        noise[i] = 0.7 * noise[i - 1] + rng.normal()
    return 3 * np.sin(2 * np.pi * np.arange(n) / season) + 0.02 * np.arange(n) + noise


def bars_of(values: np.ndarray, season: int = 12, keep: np.ndarray | None = None) -> Bars:
    dates = np.datetime64("2000-01-01", "s") + 86_400 * np.arange(len(values))
    keep = np.arange(len(values)) if keep is None else keep
    table = pd.DataFrame({"close": values[keep]}, pd.DatetimeIndex(dates[keep], name="date"))
    return value_bars(table, False, season)


def task_of(bars: Bars, horizon: int = 4) -> Task:
    n = len(bars.close)
    return Task(bars, int(0.75 * n), np.arange(int(0.75 * n) - 1, n - horizon), horizon)


@pytest.mark.parametrize("season", [1, 12])
def test_exponential_smoothing_forecasts_what_statsmodels_does(season):
    path, n, horizon, cutoff = seasonal_series(), 180, 15, 200
    moves = ets_moves(path, n, season, horizon)
    centre, unit = path[:n].mean(), np.std(np.diff(path[:n]))
    scaled = (path - centre) / unit
    best = None
    for trend in ({}, {"trend": "add", "damped_trend": True}, {"trend": "add"}):
        settings = trend | start_of_smoothing(scaled[:n], season, bool(trend))
        with np.errstate(all="ignore"):
            fit = ETSModel(scaled[:n], **settings).fit(disp=False)
            if best is None or fit.aicc < best[0]:
                known = ETSModel(scaled[: cutoff + 1], **settings).smooth(fit.params)
                best = fit.aicc, (known.forecast(horizon) - scaled[cutoff]) * unit
    np.testing.assert_allclose(moves[cutoff], best[1], rtol=1e-8)


def test_an_autoregression_is_that_of_statsmodels():
    path = seasonal_series(season=12)
    fitted = fit_autoregression(path[:180], 12)
    lags = sorted(fitted.lags.tolist())
    theirs = AutoReg(path[:180], lags=lags).fit()
    order = np.argsort(fitted.lags)
    # The number of lags was chosen on the rows that the longest candidate has; ours are fitted on these.
    np.testing.assert_allclose(fitted.weights[order], theirs.params[1:], atol=0.12)
    exact = replace(fitted, constant=theirs.params[0], lags=np.array(lags), weights=theirs.params[1:])
    ahead = forecast_autoregression(path[:180], exact, 20)[-1]
    np.testing.assert_allclose(ahead, theirs.forecast(20), rtol=1e-9)


def test_an_autoregression_finds_its_own_kind():
    rng = np.random.default_rng(3)
    path = np.zeros(4000)
    for i in range(2, len(path)):
        path[i] = 1.0 + 1.2 * path[i - 1] - 0.5 * path[i - 2] + rng.normal()
    fitted = fit_autoregression(path, 1)
    assert fitted.lags.tolist() == [1, 2]
    np.testing.assert_allclose(fitted.weights, [1.2, -0.5], atol=0.03)


def test_the_seasonal_naive_forecast_is_the_value_of_a_season_ago():
    values = seasonal_series()
    task = task_of(bars_of(values))
    found = seasonal_naive(task)
    errors = values[12:180] - values[:168]
    cutoffs = task.cutoffs
    expected = values[cutoffs - 11] - values[cutoffs]
    # Around it stands one Student-t of the in-sample errors: the same distance at every cutoff.
    distance = found.quantile(0.5)[:, 0] - expected
    assert np.ptp(distance) < 1e-9
    assert abs(distance[0] - np.median(errors)) < 0.3
    with pytest.raises(BaselineError, match="no season"):
        seasonal_naive(task_of(bars_of(values, season=1)))


def test_a_missing_value_moves_no_later_one_out_of_its_season():
    values = np.tile(np.arange(12.0), 20)
    keep = np.delete(np.arange(240), [30, 31, 100])
    grid = Grid.of(bars_of(values, keep=keep))
    np.testing.assert_array_equal(grid.path, values)
    np.testing.assert_array_equal(grid.rows, keep)


@pytest.mark.parametrize("season", [1, 12])
def test_no_forecast_knows_a_later_value(season):
    values = seasonal_series()
    task = task_of(bars_of(values, season))
    changed = values.copy()
    changed[200:] += 50 * np.random.default_rng(1).normal(size=40)
    other = replace(task, bars=bars_of(changed, season))
    ours, theirs = (forecast_all(one, lambda _: None) for one in (task, other))
    assert set(ours) == {"naive", "drift", "ets", "ar"} | ({"seasonal_naive"} if season > 1 else set())
    known = task.cutoffs < 200
    for name, forecast in ours.items():
        before, after = (one.quantile(0.9)[known] for one in (forecast, theirs[name]))
        np.testing.assert_array_equal(before, after, err_msg=name)


def test_prices_have_the_baselines_of_prices_and_values_those_of_values():
    of_values = {name for name, spec in BASELINES.items() if spec.of_values}
    assert of_values == {"naive", "drift", "seasonal_naive", "ets", "ar"}
    assert {name for name, spec in BASELINES.items() if not spec.of_prices} == {"seasonal_naive", "ets", "ar"}


@pytest.mark.parametrize("baseline", [ets, ar])
def test_few_values_are_refused(baseline):
    with pytest.raises(BaselineError, match="too few"):
        baseline(task_of(bars_of(seasonal_series(30)), 2))
