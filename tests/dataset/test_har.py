from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.har import HarModel, Regressors, robust_std
from lstm_stock.dataset.series import FittedTicker, WindowSpec, apply_ticker, fit_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.volatility import day_variance, log_returns
from lstm_stock.dataset.windows import windows_of
from lstm_stock.errors import ShortHistoryError
from lstm_stock.prices.table import adjusted
from tests.helpers import leverage_bars, random_bars, random_prices

N_INSAMPLE = 400
BARS = random_bars(600, seed=3)
MODEL = HarModel.fit(BARS, N_INSAMPLE)

SPEC = WindowSpec(("log_return", "log_range", "log_range_vol"), "log_return", "har", 8, 2, "minmax")
TABLE = adjusted(random_prices(500, seed=4))
SPLIT = Split.by_share(TABLE.index.to_numpy().astype("datetime64[D]"), 0.2, 0.2)


def test_the_regression_is_least_squares_on_day_week_month_ewma_and_fall():
    span = np.log(BARS.high / BARS.low) ** 2 / (4 * np.log(2))
    gap = np.log(BARS.open[1:] / BARS.close[:-1]) ** 2
    logs = np.log(gap + span[1:])  # of the bars 1, 2, ...
    rows = range(22, N_INSAMPLE - 1)
    returns = log_returns(BARS.close)
    mean_variance = np.exp(logs)[: N_INSAMPLE - 1].mean()
    x = [
        (
            1,
            logs[t - 1],
            logs[t - 5 : t].mean(),
            logs[t - 22 : t].mean(),
            2 * np.log(BARS.volatility[t]),
            min(returns[t], 0) / np.sqrt(mean_variance),
        )
        for t in rows
    ]
    expected = sm.OLS(logs[list(rows)], np.array(x)).fit()
    np.testing.assert_allclose(MODEL.weights, expected.params, rtol=1e-6, atol=1e-9)
    logs_forecast = np.clip(expected.fittedvalues, MODEL.min_log_variance, MODEL.max_log_variance)
    np.testing.assert_allclose(MODEL.variance(BARS)[list(rows)], np.exp(logs_forecast), rtol=1e-6)


def test_with_the_market_the_regression_has_one_more_column():
    market = np.random.default_rng(1).normal(size=600)
    bars = replace(BARS, market=market)
    model = HarModel.fit(bars, N_INSAMPLE, regressors=Regressors(market=True))
    day = np.log(day_variance(bars.open, bars.high, bars.low, bars.close))
    rows = np.arange(22, N_INSAMPLE - 1)
    x = np.column_stack(
        [
            np.ones(len(rows)),
            day[rows],
            [day[t - 4 : t + 1].mean() for t in rows],
            [day[t - 21 : t + 1].mean() for t in rows],
            2 * np.log(bars.volatility[rows]),
            np.minimum(log_returns(bars.close)[rows], 0) / np.sqrt(np.exp(day[1:N_INSAMPLE]).mean()),
            market[rows],
        ]
    )
    np.testing.assert_allclose(model.weights, sm.OLS(day[rows + 1], x).fit().params, rtol=1e-6, atol=1e-9)
    loaded = HarModel.from_json(json.loads(json.dumps(model.to_json())), Regressors(market=True))
    np.testing.assert_array_equal(loaded.volatility(bars), model.volatility(bars))
    assert (
        HarModel.fit(bars, N_INSAMPLE).to_json() == MODEL.to_json()
    )  # without its group the market is not used
    with pytest.raises(ValueError, match="no column `market`"):
        HarModel.fit(BARS, N_INSAMPLE, regressors=Regressors(market=True))


def test_leverage_adds_two_ewmas_of_signed_returns():
    bars = leverage_bars(800, seed=5)
    model = HarModel.fit(bars, 600, 2, Regressors(leverage=True))
    day = day_variance(bars.open, bars.high, bars.low, bars.close)
    unit = np.sqrt(day[1:600].mean())
    returns = log_returns(bars.close) / unit

    def trend(row, half_life):
        weights = 0.5 ** (np.arange(row) / half_life)
        return weights @ returns[row:0:-1] / weights.sum()

    x = np.array(
        [
            (
                1,
                np.log(day[row]),
                np.log(day[row - 4 : row + 1]).mean(),
                np.log(day[row - 21 : row + 1]).mean(),
                2 * np.log(bars.volatility[row]),
                min(returns[row], 0),
                trend(row, 2),
                trend(row, 10),
            )
            for row in range(22, 799)
        ]
    )
    rows = np.arange(22, 598)
    y = np.log((day[rows + 1] + day[rows + 2]) / 2)
    expected = sm.OLS(y, x[: len(rows)]).fit()
    np.testing.assert_allclose(model.weights, expected.params, rtol=1e-6, atol=1e-9)
    assert expected.params[7] < -2 * expected.bse[7]  # a trend of falls raises volatility
    forecast = np.exp(np.clip(expected.predict(x), y.min(), y.max()))
    np.testing.assert_allclose(model.variance(bars)[22:799], forecast, rtol=1e-6)
    saved = json.loads(json.dumps(model.to_json()))
    loaded = HarModel.from_json(saved, Regressors(leverage=True))
    np.testing.assert_array_equal(loaded.variance(bars), model.variance(bars))


def test_insample_returns_divided_by_the_volatility_fit_a_student_t_of_unit_variance():
    z = log_returns(BARS.close)[1:] / MODEL.volatility(BARS)[:-1]
    z = z[np.isfinite(z)]
    _, _, scale = stats.t.fit(z[: N_INSAMPLE - 23], fdf=5)
    assert scale * np.sqrt(5 / 3) == pytest.approx(1, abs=1e-4)
    assert np.std(z[N_INSAMPLE - 23 :]) == pytest.approx(1, abs=0.25)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-4, 1e4), shift=st.floats(-3, 3))
def test_robust_std_is_that_of_the_best_student_t_and_follows_scale_and_shift(seed, scale, shift):
    sample = np.random.default_rng(seed).standard_t(4, 300)
    found = robust_std(sample)
    assert robust_std(scale * (sample + shift)) == pytest.approx(scale * found, rel=1e-9)
    _, loc, width = stats.t.fit(sample, fdf=5)
    t_scale = found / np.sqrt(5 / 3)
    best = stats.t.logpdf(sample, 5, loc, width).sum()
    assert (
        max(stats.t.logpdf(sample, 5, at, t_scale).sum() for at in loc + np.linspace(-0.01, 0.01, 41))
        > best - 1e-3
    )


def test_a_few_outliers_hardly_change_robust_std():
    sample = np.random.default_rng(2).standard_t(5, 1000)
    with_outliers = np.append(sample, [30, -40, 25.0])
    assert robust_std(with_outliers) < 1.03 * robust_std(sample)
    assert np.std(with_outliers) > 1.4 * np.std(sample)
    assert robust_std(np.zeros(10)) == 0


def test_robust_std_of_a_ticker_that_rarely_trades_is_half_of_the_plain_one():
    sample = np.where(np.arange(400) % 8 == 0, np.random.default_rng(0).normal(size=400), 0.0)
    assert robust_std(sample) == pytest.approx(np.std(sample) / 2)


def test_model_and_volatility_do_not_depend_on_later_bars():
    table = random_prices(600, seed=3)
    table.iloc[N_INSAMPLE:, :5] *= 3
    changed = Bars.of(adjusted(table))
    assert HarModel.fit(changed, N_INSAMPLE).to_json() == MODEL.to_json()
    np.testing.assert_array_equal(MODEL.volatility(changed)[:N_INSAMPLE], MODEL.volatility(BARS)[:N_INSAMPLE])


def test_a_model_survives_json_and_needs_enough_bars():
    loaded = HarModel.from_json(json.loads(json.dumps(MODEL.to_json())))
    np.testing.assert_array_equal(loaded.volatility(BARS), MODEL.volatility(BARS))
    for n in (0, 1, 60, 121):
        with pytest.raises(ShortHistoryError, match="in-sample bars are too few for the HAR regression"):
            HarModel.fit(BARS, n)


def test_the_target_scale_is_fitted_on_train_bars_and_saved_with_the_scaler():
    series = fit_ticker("AAA", TABLE, SPEC, SPLIT)
    train = windows_of(series, SPEC, SPLIT, "train")
    assert train.targets[:, 0].std() == pytest.approx(1, abs=0.05)
    n_train = SPLIT.first_rows(series.dates)[0]
    assert series.fitted.scale.to_json() == HarModel.fit(Bars.of(TABLE), n_train).to_json()
    scaler = FittedTicker.from_json(json.loads(json.dumps(series.fitted.to_json())), "har")
    loaded = apply_ticker("AAA", TABLE, SPEC, scaler)
    np.testing.assert_array_equal(loaded.volatility_scale, series.volatility_scale)
    np.testing.assert_array_equal(loaded.inputs, series.inputs)


def test_a_train_part_too_short_for_the_regression_is_an_error_with_the_ticker():
    with pytest.raises(
        ShortHistoryError, match="`target_scale: har` cannot be fitted to the train part of AAA"
    ):
        fit_ticker(
            "AAA",
            TABLE.iloc[:150],
            SPEC,
            Split(*TABLE.index[[100, 120]].to_numpy().astype("datetime64[D]")),
        )
