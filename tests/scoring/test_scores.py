from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lstm_stock.baselines import BASELINES, Task, forecast_all
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.series import WindowSpec, fit_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import windows_of
from lstm_stock.distributions import Normal, PointForecast
from lstm_stock.distributions.intervals import LEVELS, Intervals
from lstm_stock.prices.table import adjusted
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, forecast_table, price_intervals
from lstm_stock.scoring.scores import SCORE_COLUMNS, best_baselines, score_table
from tests.helpers import random_prices

RECIPE = WindowSpec(("log_return",), "log_return", "trailing_vol", 10, 2, "minmax")


@pytest.fixture(scope="module")
def windows():
    table = adjusted(random_prices(500, seed=5))
    split = Split.by_share(table.index.to_numpy().astype("datetime64[D]"), 0.2, 0.2)
    return windows_of(fit_ticker("AAA", table, RECIPE, split), RECIPE, split, "test")


@pytest.fixture(scope="module")
def forecasts(windows):
    shape = windows.returns.shape
    network = Normal(np.full(shape, 0.0005), np.full(shape, 0.01))
    bars = Bars.of(adjusted(random_prices(500, seed=5)))
    task = Task(bars, 400, windows.cutoffs, 2)
    tables = [forecast_table(windows, "lstm", network)]
    tables += [forecast_table(windows, *entry) for entry in forecast_all(task, pytest.fail).items()]
    return pd.concat(tables, ignore_index=True)


def test_price_intervals_are_the_quantiles_of_a_lognormal():
    returns = Normal(np.array([[0.01, 0.02]]), np.array([[0.02, 0.03]]))
    prices = price_intervals(Intervals.of(returns, LEVELS), np.array([[150.0]]))
    expected = stats.lognorm(s=0.03, scale=150 * np.exp(0.02))
    assert prices["y_pred"][0, 1] == pytest.approx(expected.median())
    for level in LEVELS:
        lo, hi = expected.interval(level / 100)
        assert prices[f"lo_{level}"][0, 1] == pytest.approx(lo)
        assert prices[f"hi_{level}"][0, 1] == pytest.approx(hi)


def test_the_forecast_table_has_each_forecast_with_its_outcome(windows, forecasts):
    assert tuple(forecasts.columns) == FORECAST_COLUMNS
    network_rows = forecasts[forecasts["model"] == "lstm"]
    close = pd.Series(windows.series.close, index=windows.series.dates.astype("datetime64[s]"))
    np.testing.assert_array_equal(network_rows["y_true"], close[network_rows["date"]])
    np.testing.assert_array_equal(network_rows["last_close"], close[network_rows["cutoff"]])
    position = pd.Series(np.arange(len(close)), index=close.index)
    steps = position[network_rows["date"]].to_numpy() - position[network_rows["cutoff"]].to_numpy()
    np.testing.assert_array_equal(steps, network_rows["step"])
    assert network_rows["date"].min() == close.index[400]


def test_scores_of_returns_are_in_percent(windows, forecasts):
    first = forecasts[(forecasts["model"] == "lstm") & (forecasts["step"] == 1)]
    y_true = 100 * np.log(first["y_true"] / first["last_close"])
    np.testing.assert_allclose(first["nll"], -stats.norm.logpdf(y_true, 0.05, 1.0), rtol=1e-9)
    np.testing.assert_allclose(first["pit"], stats.norm.cdf(y_true, 0.05, 1.0), rtol=1e-9)


def test_every_score_can_be_worked_out_again_from_the_forecast_table(forecasts):
    scores = score_table(forecasts)
    assert tuple(scores.columns) == SCORE_COLUMNS
    n_baselines = sum(
        spec.of_prices and not (spec.needs_market or spec.needs_regression) for spec in BASELINES.values()
    )
    assert len(scores) == 2 * (1 + n_baselines)
    rows = forecasts[(forecasts["model"] == "drift") & (forecasts["step"] == 2)]
    naive = forecasts[(forecasts["model"] == "naive") & (forecasts["step"] == 2)]
    got = scores[(scores["model"] == "drift") & (scores["step"] == 2)].iloc[0]
    error = (rows["y_true"] - rows["y_pred"]).to_numpy()
    percent = 100 * error / rows["last_close"].to_numpy()
    naive_rmse = np.sqrt(((100 * (naive["y_true"] / naive["last_close"] - 1)) ** 2).mean())
    assert got["n"] == len(rows)
    assert got["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert got["mae"] == pytest.approx(np.abs(error).mean())
    assert got["mase"] == pytest.approx(np.abs(error).mean() / rows["insample_mae"].iloc[0])
    assert got["rmse_percent"] == pytest.approx(np.sqrt((percent**2).mean()))
    assert got["skill"] == pytest.approx(100 * (1 - np.sqrt((percent**2).mean()) / naive_rmse))
    assert got["crps"] == pytest.approx(rows["crps"].mean())
    assert np.isnan(got["nll"])  # the empirical distribution has no density
    up = np.sign(rows["y_pred"] - rows["last_close"])
    assert got["direction"] == pytest.approx(
        (up == np.sign(rows["y_true"] - rows["last_close"])).mean(), abs=1e-9
    )
    for level in LEVELS:
        inside = (rows[f"lo_{level}"] <= rows["y_true"]) & (rows["y_true"] <= rows[f"hi_{level}"])
        assert got[f"coverage_{level}"] == pytest.approx(inside.mean())
        central = (rows["pit"] - 0.5).abs() <= level / 200
        assert got[f"coverage_trained_{level}"] == pytest.approx(central.mean())
    width = 100 * ((rows["hi_90"] - rows["lo_90"]) / rows["last_close"]).mean()
    assert got["width_90"] == pytest.approx(width)


def test_insample_mae_is_the_mean_move_of_the_train_bars(forecasts):
    close = random_prices(500, seed=5)["close"].to_numpy()[:300]
    np.testing.assert_allclose(forecasts["insample_mae"], np.abs(np.diff(close)).mean())


def test_naive_has_no_direction_and_no_skill_over_itself(forecasts):
    naive = score_table(forecasts).query("model == 'naive' and step == 1").iloc[0]
    assert naive["skill"] == 0
    assert np.isnan(naive["direction"])


def test_a_point_forecast_claims_no_distribution(windows):
    table = forecast_table(windows, "lstm", PointForecast(np.zeros(windows.returns.shape)))
    scores = score_table(table).iloc[0]
    assert scores[["crps", "nll", "coverage_90", "width_90", "skill"]].isna().all()
    assert scores["rmse"] > 0


def test_best_baselines_leave_out_the_network_and_those_without_the_score(forecasts):
    scores = score_table(forecasts).query("step == 1")
    others = scores[scores["model"] != "lstm"]
    assert best_baselines(scores, "lstm", "crps") == [others.loc[others["crps"].idxmin(), "model"]]
    with_density = others[others["nll"].notna()]
    assert {"constant_t", "ewma", "garch", "har_range_t"} <= set(with_density["model"])
    assert "naive" not in set(with_density["model"])
    assert best_baselines(scores, "lstm", "nll") == [with_density.loc[with_density["nll"].idxmin(), "model"]]
    assert best_baselines(scores[scores["model"] == "lstm"], "lstm", "crps") == []


def test_baselines_that_are_equally_good_are_all_named(forecasts):
    scores = score_table(forecasts).query("step == 1 and model in ['lstm', 'naive']")
    twice = pd.concat([scores, scores[scores["model"] == "naive"].assign(model="copy")])
    assert best_baselines(twice, "lstm", "rmse_percent") == ["naive", "copy"]
    assert best_baselines(twice[::-1], "lstm", "rmse_percent") == ["copy", "naive"]
