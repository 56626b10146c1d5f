"""The regression over all tickers, against maxima found without gradients and distributions of scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from lstm_stock.dataset import pooled
from lstm_stock.dataset.pooled import RIDGE, RIDGE_OF_ONE, PooledT, columns_by_step, drift_t
from lstm_stock.dataset.series import WindowSpec, fit_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.prices.table import adjusted, days_of
from tests.helpers import random_prices

SPEC = WindowSpec(
    ("log_return", "log_range", "log_trailing_vol"), "log_return", "trailing_vol", 5, 2, "standard"
)
SQRT_STEPS = np.sqrt([1.0, 2.0])


def rows_of(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three different units, and returns of two steps whose width and tails follow them."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 1]])
    df = 4 + 3 * (z[:, 2:] > 0)
    y = np.exp(0.3 * z[:, :1] - 0.2 * z[:, 1:2] * [0, 1]) * stats.t.rvs(df, size=(n, 2), random_state=random)
    return [0.5, -30, 7] + z * [0.01, 4, 1], y


def penalised_loss(beta: np.ndarray, z: np.ndarray, y: np.ndarray, step: int, ridge: float) -> float:
    """By scipy: the loss of one step, with an intercept and slopes of log scale and degrees of freedom."""
    log_scale, raw = (beta.reshape(-1, 2)[0] + z @ beta.reshape(-1, 2)[1:]).T
    scale, df = np.exp(log_scale), 2.05 + np.log1p(np.exp(raw))
    likelihood = stats.t.logpdf(y, df, 0.04 * np.sqrt(step) * scale, scale).mean()
    return -likelihood + ridge / 2 * np.sum(beta.reshape(-1, 2)[1:] ** 2)


def windows_by_ticker(table=None, **changes: object) -> list[Windows]:
    """The train windows of two tickers; `table` is that of the first."""
    spec = replace(SPEC, **changes)
    tables = [adjusted(random_prices(420, 3) if table is None else table), adjusted(random_prices(400, 4))]
    split = Split.by_share(days_of(tables[1]), 0.2, 0.2)
    series = [fit_ticker(name, one, spec, split) for name, one in zip(("AAA", "BBB"), tables, strict=True)]
    return [windows_of(one, spec, split, "train") for one in series]


@pytest.mark.parametrize("ridge", [0.001, 1.0])
def test_the_fit_maximises_the_penalised_likelihood_of_each_step(ridge):
    x, y = rows_of(500)
    fitted = PooledT.fit_rows(x, y, np.ones((3, 2), bool), ridge)
    z, std = stats.zscore(x), x.std(axis=0)
    for step in (1, 2):
        best = optimize.minimize(
            penalised_loss,
            np.zeros(8),
            (z, y[:, step - 1], step, ridge),
            method="BFGS",
            options={"gtol": 1e-6},
        )
        slopes = fitted.slopes[:, step - 1] * std[:, None]
        intercepts = fitted.intercepts[step - 1] + x.mean(axis=0) @ fitted.slopes[:, step - 1]
        found, expected = np.vstack([intercepts, slopes]), best.x.reshape(-1, 2)
        assert penalised_loss(found, z, y[:, step - 1], step, ridge) == pytest.approx(best.fun, abs=1e-6)
        np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=2e-3)
        np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=5e-2)
        assert (found[1, 0] > 0.2) == (ridge < 1)  # 0.3 was drawn


def test_the_gradient_is_that_of_differences(monkeypatch):
    losses = []
    minimize = optimize.minimize

    def record(loss, start, **options):
        losses.append(loss)
        return minimize(loss, start, **options)

    monkeypatch.setattr(optimize, "minimize", record)
    x, y = rows_of(200)
    PooledT.fit_rows(x, y, np.ones((3, 2), bool), 0.5)
    assert len(losses) == 2
    for at in np.random.default_rng(1).normal(0, 0.7, (3, 8)):
        for step, loss in enumerate(losses, 1):
            value, gradient = loss(at)
            assert value == pytest.approx(
                penalised_loss(at, stats.zscore(x), y[:, step - 1], step, 0.5), rel=1e-10
            )
            by_differences = optimize.approx_fprime(at, lambda beta, loss=loss: loss(beta)[0])
            np.testing.assert_allclose(gradient, by_differences, atol=1e-6)


@given(a=st.floats(-3, 3), b=st.floats(-20, 20), y=st.floats(-9, 9))
def test_drift_t_is_the_student_t_of_scipy_around_the_common_drift(a, b, y):
    forecast = drift_t(np.array([[[a, b], [a - 1, b / 2], [0.0, 0.0]]]))
    log_scale, raw = np.array([a, a - 1, 0.0]), np.array([b, b / 2, 0.0])
    scale, df = np.exp(log_scale), 2.05 + np.log(1 + np.exp(raw))
    expected = stats.t(df, 0.04 * np.sqrt([1, 2, 3]) * scale, scale)
    np.testing.assert_allclose(forecast.log_score(y)[0], -expected.logpdf(y), rtol=1e-9)
    np.testing.assert_allclose(forecast.quantile(0.9)[0], expected.ppf(0.9), rtol=1e-6)


def test_each_step_uses_the_columns_of_its_own_session_and_those_without_one():
    spec = replace(SPEC, features=("log_return", "seasonal_vol_13w", "seasonal_vol_13w@2", "^VIX.trend_2"))
    used = columns_by_step(spec)
    np.testing.assert_array_equal(used, [[True, True], [True, False], [False, True], [True, True]])
    x, y = rows_of(300)
    x = np.column_stack([x, x[:, 0] ** 2])
    fitted = PooledT.fit_rows(x, y, used, RIDGE)
    np.testing.assert_array_equal((fitted.slopes != 0).all(axis=-1), used)
    alone = PooledT.fit_rows(x[:, [0, 2, 3]], y, np.ones((3, 2), bool), RIDGE)
    np.testing.assert_allclose(fitted.params(x)[:, 1], alone.params(x[:, [0, 2, 3]])[:, 1], rtol=1e-7)


def test_a_constant_feature_has_no_slope_and_changes_no_other():
    x, y = rows_of(300)
    with_constants = np.column_stack([x[:, 0], np.full(300, np.float32(0.1)), x[:, 1:], np.zeros(300)])
    fitted = PooledT.fit_rows(with_constants, y, np.ones((5, 2), bool), RIDGE)
    assert (fitted.slopes[[1, 4]] == 0).all()
    without = PooledT.fit_rows(x, y, np.ones((3, 2), bool), RIDGE)
    np.testing.assert_array_equal(fitted.slopes[[0, 2, 3]], without.slopes)
    np.testing.assert_allclose(fitted.intercepts, without.intercepts, rtol=1e-12)


@settings(max_examples=10, deadline=None)
@given(
    factors=st.tuples(*[st.floats(0.01, 100)] * 3),
    shifts=st.tuples(*[st.floats(-50, 50)] * 3),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 3),
)
def test_the_units_of_the_features_do_not_matter(factors, shifts, signs):
    x, y = rows_of(250)
    used = np.ones((3, 2), bool)
    other = (x + shifts) * factors * signs
    expected = PooledT.fit_rows(x, y, used, RIDGE).params(x)
    np.testing.assert_allclose(PooledT.fit_rows(other, y, used, RIDGE).params(other), expected, atol=1e-3)


@pytest.mark.parametrize(("n_tickers", "ridge"), [(2, RIDGE), (1, RIDGE_OF_ONE)])
def test_the_fit_is_to_the_last_bars_and_scaled_returns_of_all_train_windows(n_tickers, ridge):
    """With a strong penalty for a single ticker, whose days alone determine no dozens of slopes."""
    train = windows_by_ticker()[:n_tickers]
    x, y = [], []
    for windows in train:
        series = windows.series
        for row in windows.cutoffs:
            x.append(series.inputs[row])
            returns = np.log(series.close[row + 1 : row + 3] / series.close[row])
            y.append(returns / (series.volatility_scale[row] * SQRT_STEPS))
    fitted = PooledT.fit(train)
    expected = PooledT.fit_rows(np.array(x, np.float64), np.array(y), np.ones((3, 2), bool), ridge)
    np.testing.assert_allclose(fitted.slopes, expected.slopes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fitted.intercepts, expected.intercepts, rtol=1e-4, atol=1e-5)


def test_the_forecast_is_a_student_t_in_units_of_the_target_scale():
    windows = windows_by_ticker()[0]
    fitted = PooledT.fit([windows])
    forecast = fitted.forecast(windows)
    assert forecast.shape == (len(windows), 2)
    last = windows.inputs[7, -1].astype(np.float64)
    for step in (0, 1):
        log_scale, raw = last @ fitted.slopes[:, step] + fitted.intercepts[step]
        unit = windows.series.volatility_scale[windows.cutoffs[7]] * SQRT_STEPS[step]
        scale = unit * np.exp(log_scale)
        expected = stats.t(2.05 + np.log1p(np.exp(raw)), 0.04 * SQRT_STEPS[step] * scale, scale)
        assert forecast.quantile(0.95)[7, step] == pytest.approx(expected.ppf(0.95), rel=1e-6)
    assert np.isfinite(forecast.log_score(windows.returns)).all()


def test_the_fit_does_not_see_the_bars_after_train():
    train = windows_by_ticker()
    last = int(train[0].future_rows.max())
    expected, table = PooledT.fit(train), random_prices(420, 3)
    prices = table.columns[:5]
    for first, is_seen in ((last + 1, False), (last, True)):
        changed = table.copy()
        changed.loc[changed.index[first:], prices] *= 1.3
        found = PooledT.fit(windows_by_ticker(changed))
        assert np.array_equal(found.slopes, expected.slopes) != is_seen
        assert np.array_equal(found.intercepts, expected.intercepts) != is_seen


def test_of_too_many_windows_every_third_is_fitted(monkeypatch):
    train = windows_by_ticker()
    every_third = [replace(windows, cutoffs=windows.cutoffs[::3]) for windows in train]
    monkeypatch.setattr(pooled, "MAX_ROWS", sum(map(len, train)) // 3 + 1)
    thinned, expected = PooledT.fit(train), PooledT.fit(every_third)
    np.testing.assert_array_equal(thinned.slopes, expected.slopes)
    monkeypatch.setattr(pooled, "MAX_ROWS", sum(map(len, train)))
    assert not np.array_equal(PooledT.fit(train).slopes, expected.slopes)


def test_the_second_derivatives_are_those_of_the_loss():
    random = np.random.default_rng(5)
    y, log_scale, raw = random.standard_t(4, 50), random.normal(size=50), 3 * random.normal(size=50)
    log_by, both, raw_by = pooled._curvature(y, 0.04, log_scale, raw)
    h = 1e-6
    by_scale = [pooled._loss(y, 0.04, log_scale + sign * h, raw)[1] for sign in (1, -1)]
    by_raw = [pooled._loss(y, 0.04, log_scale, raw + sign * h)[1] for sign in (1, -1)]
    for (above, below), expected in ((by_scale, (log_by, both)), (by_raw, (both, raw_by))):
        np.testing.assert_allclose(((above - below) / (2 * h)).T, expected, rtol=1e-5, atol=1e-7)


def test_a_tuned_regression_maximises_the_likelihood_with_a_penalty_on_its_distance(monkeypatch):
    monkeypatch.setattr(pooled, "PRIOR_WINDOWS", 100)
    train = windows_by_ticker()
    random = np.random.default_rng(5)
    start = PooledT(random.normal(0, 0.05, (3, 2, 2)), np.array([[-0.2, 2.0], [0.1, 1.5]]))
    tuned = start.tuned(train)
    x = np.concatenate([one.series.inputs[one.cutoffs] for one in train]).astype(np.float64)
    y = np.concatenate([one.returns / one.volatility_scale for one in train])
    for step in (1, 2):
        center = np.vstack([start.intercepts[None, step - 1], start.slopes[:, step - 1]])

        def loss(beta: np.ndarray, step: int = step, center: np.ndarray = center) -> float:
            distance = beta.reshape(-1, 2) - center
            return penalised_loss(beta, x, y[:, step - 1], step, 0) + 100 / len(x) / 2 * np.sum(distance**2)

        best = optimize.minimize(loss, center.ravel(), method="BFGS", options={"gtol": 1e-6})
        found = np.vstack([tuned.intercepts[None, step - 1], tuned.slopes[:, step - 1]])
        np.testing.assert_allclose(found, best.x.reshape(-1, 2), atol=1e-3)
        assert np.abs(found - center).max() > 0.05


def test_few_windows_stay_at_the_start_and_their_number_moves_it_away(monkeypatch):
    train = windows_by_ticker()
    start = PooledT.fit(train).restricted([0, 1, 2], 2)
    moved = replace(start, intercepts=start.intercepts + 0.2)
    distances = []
    for prior in (1e9, 1e4, 1e2, 1e-2):
        monkeypatch.setattr(pooled, "PRIOR_WINDOWS", prior)
        distances.append(np.abs(moved.tuned(train).intercepts[:, 0] - moved.intercepts[:, 0]).max())
    assert distances == sorted(distances)
    assert distances[0] < 1e-5
    assert distances[-1] == pytest.approx(0.2, abs=0.05)


def test_a_restricted_regression_forecasts_the_first_steps_from_some_columns():
    random = np.random.default_rng(6)
    whole = PooledT(random.normal(size=(4, 3, 2)), random.normal(size=(3, 2)))
    whole.slopes[2] = 0
    x = random.normal(size=(5, 4))
    part = whole.restricted([3, 0, 1], 2)
    np.testing.assert_allclose(part.params(x[:, [3, 0, 1]]), whole.params(x)[:, :2], rtol=1e-12)


def test_the_mean_nll_is_that_of_scipy():
    train = windows_by_ticker()
    fitted = PooledT.fit(train)
    losses = []
    for one in train:
        params = fitted.params(one.series.inputs[one.cutoffs].astype(np.float64))
        scale, df = np.exp(params[..., 0]), 2.05 + np.log1p(np.exp(params[..., 1]))
        y = one.returns / one.volatility_scale
        losses.append(-stats.t.logpdf(y, df, 0.04 * SQRT_STEPS * scale, scale))
    assert fitted.mean_nll(train) == pytest.approx(np.concatenate(losses).mean(), rel=1e-10)
