"""Baselines fitted by other packages or by regression, each against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from arch import arch_model
from scipy import optimize, stats
from statsmodels.tsa.arima.model import ARIMA

from lstm_stock import baselines
from lstm_stock.baselines import (
    BASELINES,
    Task,
    always_up,
    arima,
    followers,
    forecast_all,
    garch,
    gjr,
    har_range_t,
    historical,
    lhar_t,
    reversal_10,
)
from lstm_stock.baselines.garch_sums import GarchProcess, sum_values
from lstm_stock.baselines.task import fit_t
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.volatility import day_variance
from lstm_stock.distributions import Empirical, StudentT, TransformedT
from lstm_stock.distributions.student_t_fit import MIN_DF, MIN_SCALE
from lstm_stock.errors import BaselineError
from tests.helpers import bars_with_market, leverage_bars, random_bars, random_prices

N_INSAMPLE = 1200
TABLE = random_prices(1500, seed=2)
BARS = bars_with_market(TABLE)
DAY_VARIANCE = day_variance(BARS.open, BARS.high, BARS.low, BARS.close)
RETURNS = np.diff(np.log(BARS.close))
TASK = Task(BARS, N_INSAMPLE, np.arange(N_INSAMPLE - 1, 1495), horizon=5)
GARCH_FAMILY = [(garch, 0), (gjr, 1)]
OWN = {name: spec for name, spec in BASELINES.items() if spec.of_prices and not spec.needs_regression}
"""The baselines that are fitted to one ticker."""


def most_likely_t(sample, drift):
    """Degrees of freedom, location and scale by a search without gradients; `drift` as in `fit_t`."""

    def params(x):
        return np.exp(x[0]), x[2] * sample.std() if drift is None else drift * np.exp(x[1]), np.exp(x[1])

    start = [np.log(6), np.log(sample.std()), 0.0][: 3 if drift is None else 2]
    return params(
        optimize.minimize(
            lambda x: -stats.t.logpdf(sample, *params(x)).sum(),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000},
        ).x
    )


@pytest.fixture(scope="module", params=GARCH_FAMILY, ids=["garch", "gjr"])
def fitted(request):
    """The forecast, and arch's own model of all bars with the parameters that arch fits to the in-sample ones."""
    baseline, asymmetric = request.param
    unit = RETURNS[: N_INSAMPLE - 1].std()

    def model(returns):
        return arch_model(
            returns / unit, mean="Constant", vol="GARCH", p=1, o=asymmetric, q=1, dist="t", rescale=False
        )

    insample = model(RETURNS[: N_INSAMPLE - 1]).fit(disp="off")
    fixed = model(RETURNS).fix(insample.params)
    ahead = fixed.forecast(horizon=5, start=0, reindex=False)
    return baseline(TASK), insample, ahead.variance.to_numpy() * unit**2, unit


def test_one_step_ahead_garch_is_what_arch_forecasts_with_the_same_parameters(fitted):
    forecast, insample, variance, _ = fitted
    df = insample.params["nu"]
    known = variance[TASK.cutoffs - 1, 0]  # return i ends at bar i + 1
    scale = np.sqrt(known * (df - 2) / df)
    theirs = StudentT(0.04 * scale, scale, df)
    for p in (0.001, 0.3, 0.975):
        np.testing.assert_allclose(forecast.quantile(p)[:, 0], theirs.quantile(p), rtol=1e-6)
    outcome = np.full((len(TASK.cutoffs), 5), 0.013)
    for name in ("cdf", "crps", "log_score"):
        np.testing.assert_allclose(
            getattr(forecast, name)(outcome)[:, 0], getattr(theirs, name)(0.013), rtol=1e-6
        )


def test_k_steps_ahead_the_variance_is_the_sum_that_arch_forecasts(fitted):
    """Mean and variance are integrals over the quantiles; the mean is the common drift."""
    forecast, insample, variance, _ = fitted
    rows = slice(0, None, 60)
    some = forecast.take(rows)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    # A logistic variable spreads the nodes over both tails.
    logit = 30 * nodes
    share = 1 / (1 + np.exp(-logit))
    weights = weights * 30 * share * (1 - share)
    values = np.stack([some.quantile(p) for p in share])
    mean = np.tensordot(weights, values, axes=1)
    found = np.tensordot(weights, (values - mean) ** 2, axes=1)
    expected = np.cumsum(variance, axis=1)[TASK.cutoffs[rows] - 1]
    np.testing.assert_allclose(found, expected, rtol=0.01)
    df = insample.params["nu"]
    drift = 0.04 * np.sqrt(np.arange(1, 6) * expected * (df - 2) / df)
    np.testing.assert_allclose(mean, drift, atol=0.003 * np.sqrt(expected).max())


AAPL_GJR = GarchProcess(omega=0.045, alpha=0.03, gamma=0.19, beta=0.83, df=4.65)
"""About the fit to the returns of AAPL, which has a strong skew over several bars."""

PROCESSES = [
    AAPL_GJR,
    GarchProcess(omega=0.035, alpha=0.119, gamma=0.0, beta=0.846, df=4.38),
    GarchProcess(omega=0.002, alpha=0.0, gamma=0.081, beta=0.958, df=5.16),
    GarchProcess(omega=0.5, alpha=0.3, gamma=0.2, beta=0.1, df=3.0),
]


def simulated_sums(process, variance, horizon, n=200_000):
    """Sums of simulated shocks, each path with both signs, shape `(horizon, 2 n)`."""
    random, sums = np.random.default_rng(11), []
    v, total = np.full(2 * n, variance), np.zeros(2 * n)
    for _ in range(horizon):
        z = random.standard_t(process.df, n) * np.sqrt((process.df - 2) / process.df)
        shock = np.sqrt(v) * np.concatenate([z, -z])
        total = total + shock
        weight = process.alpha + process.gamma * (shock < 0)
        v = process.omega + weight * shock**2 + process.beta * v
        sums.append(total)
    return np.stack(sums)


@pytest.mark.parametrize("variance", [0.3, 0.8, 8.0], ids=["calm", "usual", "wild"])
@pytest.mark.parametrize("process", PROCESSES, ids=["aapl_gjr", "aapl", "rcl_gjr", "heavy"])
def test_sums_of_garch_returns_have_the_quantiles_of_simulated_paths(process, variance):
    """Within 2 % of the simulation, whose own error at 0.5 % is up to 1 %."""
    sums = simulated_sums(process, variance, 5)
    ours = TransformedT(process.df, sum_values(process, np.array([variance]), 5))
    for step in (2, 5):
        for p in (0.005, 0.025, 0.05, 0.95, 0.975, 0.995):
            assert ours.quantile(p)[0, step - 1] == pytest.approx(np.quantile(sums[step - 1], p), rel=0.02)
        deviation = sums[step - 1].std()
        for p in (0.25, 0.5, 0.75):
            gap = ours.quantile(p)[0, step - 1] - np.quantile(sums[step - 1], p)
            assert abs(gap) < 0.006 * deviation


def test_sums_of_gjr_returns_score_as_their_simulation():
    sums = np.sort(simulated_sums(AAPL_GJR, 0.8, 5)[-1])[::4]
    ours = TransformedT(AAPL_GJR.df, sum_values(AAPL_GJR, np.array([0.8]), 5))
    sample = Empirical(sums[:, None], 1)
    for y in (-12.0, -4.0, 0.3, 5.0):
        assert ours.crps(y)[0, 4] == pytest.approx(sample.crps(y).item(), rel=0.005)


def test_sums_are_skewed_only_by_the_asymmetry():
    values = sum_values(PROCESSES[1], np.array([0.2, 5.0]), 4)
    np.testing.assert_allclose(values, -values[..., ::-1], atol=1e-9)
    skewed = TransformedT(AAPL_GJR.df, sum_values(AAPL_GJR, np.array([0.8]), 5))
    ratio = (-skewed.quantile(0.005) / skewed.quantile(0.995))[0]
    assert ratio[0] == pytest.approx(1)
    assert (np.diff(ratio) > 0.02).all()


def test_sums_without_memory_are_finite_from_any_variance():
    """The quadrature does not resolve a second return far smaller than the first; quantiles still increase."""
    for df in (2.05, 500.0):
        process = GarchProcess(omega=1.0, alpha=0.0, gamma=0.0, beta=0.0, df=df)
        ours = TransformedT(df, sum_values(process, np.array([1e-6, 1.0, 1e6]), 8))
        assert np.isfinite(ours.crps(0.0)).all()
    # Eight normal returns of variance 1 are a normal of variance 8.
    assert ours.quantile(0.05)[1, 7] == pytest.approx(np.sqrt(8) * stats.norm.ppf(0.05), rel=0.01)


def test_a_fall_widens_gjr_more_than_a_rise():
    """Two histories differ only in the sign of the last return."""
    widths = {}
    for sign in (-1, 1):
        table = TABLE.copy()
        last = TABLE["close"].iloc[1298] * np.exp(sign * 0.05)
        table.iloc[1299, table.columns.get_indexer(["open", "high", "low", "close"])] = last
        task = Task(Bars.of(table), N_INSAMPLE, np.array([1299]), 2)
        quantiles = [[b(task).quantile(p)[0, 0] for p in (0.1, 0.9)] for b in (garch, gjr)]
        widths[sign] = [high - low for low, high in quantiles]
    assert widths[-1][0] == pytest.approx(widths[1][0], rel=0.02)
    gamma = arch_model(RETURNS[: N_INSAMPLE - 1] * 100, o=1, dist="t").fit(disp="off").params["gamma[1]"]
    assert (widths[-1][1] > widths[1][1]) == (gamma > 0)


def test_fitting_ends_with_the_insample_bars():
    other = bars_with_market(TABLE.iloc[: N_INSAMPLE + 10])
    shorter = Task(other, N_INSAMPLE, np.arange(N_INSAMPLE - 1, N_INSAMPLE + 10), 5)
    for name, baseline in OWN.items():
        long, short = baseline.forecast(TASK), baseline.forecast(shorter)
        rows = slice(0, len(shorter.cutoffs))
        for p in (0.05, 0.5, 0.9):
            np.testing.assert_array_equal(long.quantile(p)[rows], short.quantile(p), err_msg=name)
        np.testing.assert_array_equal(long.direction()[rows], short.direction(), err_msg=name)


@pytest.mark.parametrize("name", OWN)
def test_bars_after_a_cutoff_change_no_bit_of_a_forecast(name):
    table = TABLE.copy()
    table.iloc[1301:] = table.iloc[1301:].sample(frac=1, random_state=1).to_numpy() * 2.5
    rows = np.arange(N_INSAMPLE - 1, 1301)
    forecast, changed = BASELINES[name].forecast, bars_with_market(table)
    reference, corrupted = (forecast(Task(bars, N_INSAMPLE, rows, 5)) for bars in (BARS, changed))
    y = np.full((len(rows), 5), 0.003)
    for method in ("cdf", "crps", "log_score"):
        np.testing.assert_array_equal(getattr(reference, method)(y), getattr(corrupted, method)(y))
    np.testing.assert_array_equal(reference.direction(), corrupted.direction())
    np.testing.assert_array_equal(reference.median(), corrupted.median())
    # Forecasts from later cutoffs differ: the corruption is not lost on the baseline.
    later = np.arange(1310, 1330)
    if name == "historical" or name in followers():
        after, before = (forecast(Task(bars, N_INSAMPLE, later, 5)).quantile(0.9) for bars in (changed, BARS))
        assert (after != before).any()


# --- har --------------------------------------------------------------------------------------------------------


def test_the_variance_of_a_day_worked_by_hand():
    assert np.isnan(DAY_VARIANCE[0])
    row = TABLE.iloc[7]
    gap = np.log(row["open"] / TABLE["close"].iloc[6])
    span = np.log(row["high"] / row["low"])
    assert DAY_VARIANCE[7] == pytest.approx(gap**2 + span**2 / 2.772588722239781, rel=1e-12)


@pytest.mark.parametrize("step", [1, 5])
def test_har_is_ordinary_least_squares_on_the_past(step):
    logs = np.log(DAY_VARIANCE)
    mean_volatility = np.sqrt(np.nanmean(np.exp(logs[:N_INSAMPLE])))
    fall = np.minimum(np.concatenate([[np.nan], RETURNS]), 0) / mean_volatility

    def inputs(row):
        past = logs[: row + 1]
        return [1, past[-1], past[-5:].mean(), past[-22:].mean(), 2 * np.log(BARS.volatility[row]), fall[row]]

    rows = range(22, N_INSAMPLE - step)
    x = np.array([inputs(row) for row in rows])
    y = np.array([np.log(np.exp(logs[row + 1 : row + step + 1]).mean()) for row in rows])
    fit = sm.OLS(y, x).fit()
    forecast = har_range_t(TASK)
    fitted = np.exp(fit.predict(np.array([inputs(row) for row in TASK.cutoffs])) / 2) * np.sqrt(step)
    ratio = forecast.scale[:, step - 1] / fitted
    inside = (fit.predict(np.array([inputs(row) for row in TASK.cutoffs])) - y.min()) > 0
    np.testing.assert_allclose(ratio[inside], ratio[inside][0], rtol=1e-7)
    unit = np.exp(fit.fittedvalues / 2) * np.sqrt(step)
    returns = np.array([np.log(BARS.close[row + step] / BARS.close[row]) for row in rows])
    df, loc, scale = most_likely_t(returns / unit, 0.04 * np.sqrt(step))
    assert ratio[0] == pytest.approx(scale, rel=1e-4)
    assert forecast.df[0, step - 1] == pytest.approx(df, rel=1e-3)
    assert forecast.loc[0, step - 1] == pytest.approx(loc * fitted[0], rel=1e-4)
    np.testing.assert_allclose(forecast.loc, 0.04 * np.sqrt(np.arange(1, 6)) * forecast.scale, rtol=1e-12)


def test_har_is_clipped_to_the_insample_range_of_volatility():
    """A crash of half the price in a day: the forecast stays within the in-sample range of volatility."""
    table = TABLE.copy()
    table.loc[table.index[1300] :, ["open", "high", "low", "close"]] *= 0.5
    table.iloc[1300, table.columns.get_loc("high")] *= 2.2
    forecast = har_range_t(Task(Bars.of(table), N_INSAMPLE, np.array([1299, 1300]), 1))
    before, after = forecast.scale[:, 0]
    assert after > before
    most = np.sqrt(DAY_VARIANCE[22:N_INSAMPLE].max())
    assert after <= most * forecast.scale[0, 0] / before * 1.5


def test_persistent_leverage_helps_where_volatility_has_it():
    """The process raises volatility for weeks after falls; without such a process the columns cost little."""
    gains = {leverage_bars: [], random_bars: []}
    for simulate, found in gains.items():
        for seed in range(4):
            bars = simulate(1500, seed)
            task = Task(bars, 1000, np.arange(999, 1499), 1)
            y = np.log(bars.close[task.cutoffs + 1] / bars.close[task.cutoffs])[:, None]
            found.append((har_range_t(task).log_score(y) - lhar_t(task).log_score(y)).mean())
    assert min(gains[leverage_bars]) > 0
    assert np.mean(gains[leverage_bars]) > 0.01
    assert abs(np.mean(gains[random_bars])) < 0.003


# --- arima ------------------------------------------------------------------------------------------------------


def test_arima_forecasts_what_statsmodels_forecasts():
    unit = RETURNS[: N_INSAMPLE - 1].std()
    fit = ARIMA(RETURNS[: N_INSAMPLE - 1] / unit, order=(1, 0, 0)).fit()
    errors = []
    forecast = arima(TASK)
    centre = forecast.loc - _constant_of(forecast)
    for row in (0, 40, 250):
        known = fit.apply(RETURNS[: TASK.cutoffs[row]] / unit)
        expected = np.cumsum(known.forecast(5)) * unit
        errors.append(np.abs(centre[row] - expected).max())
    assert max(errors) < 1e-10


def _constant_of(forecast: StudentT) -> np.ndarray:
    """The location of the Student-t that is fitted to the in-sample errors, the same at every cutoff."""
    unit = RETURNS[: N_INSAMPLE - 1].std()
    fit = ARIMA(RETURNS[: N_INSAMPLE - 1] / unit, order=(1, 0, 0)).fit()
    mu, phi = fit.params[0] * unit, fit.params[1]
    steps = np.arange(1, 6)
    mean = mu * steps + (RETURNS[TASK.cutoffs[17] - 1] - mu) * np.cumsum(phi**steps)
    return forecast.loc[17] - mean


# --- history and signs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.05, 0.5, 0.831])
def test_historical_has_the_quantiles_of_the_last_250_returns(p):
    log_close = np.log(BARS.close)
    got = historical(TASK).quantile(p)
    for row in (0, 123):
        for step in (1, 4):
            cutoff = TASK.cutoffs[row]
            ends = np.arange(cutoff - 249, cutoff + 1)
            known = log_close[ends] - log_close[ends - step]
            assert got[row, step - 1] == pytest.approx(np.quantile(known, p, method="hazen"), abs=1e-14)


def test_historical_uses_as_many_returns_as_there_are_at_least_50():
    short = Task(BARS, 100, np.arange(99, 120), 5)
    assert len(historical(short).probabilities) == 95
    with pytest.raises(BaselineError, match="35 past returns at the first cutoff are too few, it needs 50"):
        historical(Task(BARS, 40, np.arange(39, 60), 5))


def test_rules_of_direction_forecast_a_sign_only():
    assert (always_up(TASK).direction() == 1).all()
    before = BARS.close[TASK.cutoffs] - BARS.close[TASK.cutoffs - 10]
    np.testing.assert_array_equal(reversal_10(TASK).direction(), np.tile(-np.sign(before)[:, None], 5))
    for rule in (always_up, reversal_10):
        assert np.isnan(rule(TASK).quantile(0.5)).all()
        assert np.isnan(rule(TASK).crps(0.0)).all()


# --- failed fits ------------------------------------------------------------------------------------------------


def test_baselines_with_too_few_bars_are_left_out_with_a_note():
    notes: list[str] = []
    forecasts = forecast_all(Task(BARS, 120, np.arange(119, 150), 3), notes.append)
    assert set(OWN) - set(forecasts) == {"garch", "gjr", "har_range_t", "lhar_t", "har_market_t"}
    assert notes[0] == (
        "baseline garch is left out: 119 in-sample returns are too few, it needs 250 that move"
    )
    assert len(notes) == 5


def test_a_fit_that_does_not_converge_is_left_out_with_a_note(monkeypatch):
    """The optimiser stops after one step and reports that it has not converged."""
    from arch.univariate.base import ARCHModel

    fit = ARCHModel.fit

    def one_step(self, disp="off", show_warning=False):
        return fit(self, disp=disp, show_warning=show_warning, options={"maxiter": 1})

    monkeypatch.setattr(ARCHModel, "fit", one_step)
    notes: list[str] = []
    forecasts = baselines.forecast_all(TASK, notes.append)
    assert {"garch", "gjr"}.isdisjoint(forecasts)
    assert notes == [f"baseline {name} is left out: the fit did not converge" for name in ("garch", "gjr")]


@pytest.mark.parametrize("baseline", [garch, gjr, har_range_t, lhar_t, arima])
def test_a_ticker_that_rarely_trades_gets_a_finite_forecast_or_none(baseline):
    stale = np.repeat(TABLE["close"].to_numpy()[::5], 5)
    table = TABLE.assign(open=stale, high=stale * 1.001, low=stale / 1.001, close=stale)
    task = Task(Bars.of(table), N_INSAMPLE, np.arange(N_INSAMPLE - 1, 1490), 3)
    try:
        forecast = baseline(task)
    except BaselineError as error:
        assert error.message
        return
    y_true = np.log(stale[task.cutoffs + 1] / stale[task.cutoffs])
    width = forecast.quantile(0.975)[:, 0] - forecast.quantile(0.025)[:, 0]
    assert (width > 0.05 * y_true.std()).all()
    assert np.isfinite(forecast.crps(np.zeros((len(task.cutoffs), 3)))).all()


# --- the Student-t ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", [2.5, 6.0, 12.0])
@pytest.mark.parametrize("drift", [None, 0.5])
def test_the_fitted_student_t_is_at_least_as_likely_as_that_of_a_search(df, drift):
    sample = 0.01 + 0.02 * np.random.default_rng(3).standard_t(df, 1500)
    found, other = fit_t(sample, drift), most_likely_t(sample, drift)
    assert stats.t.logpdf(sample, *found).sum() >= stats.t.logpdf(sample, *other).sum() - 1e-6
    np.testing.assert_allclose(found, other, rtol=1e-3)
    if drift is not None:
        assert found[1] == pytest.approx(drift * found[2], rel=1e-12)


def test_a_fitted_student_t_keeps_its_bounds():
    equal = np.r_[np.zeros(900), np.random.default_rng(0).normal(size=100)]
    df, _, scale = fit_t(equal)
    assert df >= MIN_DF - 1e-12
    assert scale >= MIN_SCALE * equal.std() - 1e-12
    with pytest.raises(BaselineError, match="do not vary"):
        fit_t(np.zeros(10))
