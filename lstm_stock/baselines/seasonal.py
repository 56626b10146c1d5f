"""Baselines of series of values: seasonal naive, exponential smoothing, and an autoregression.

Each forecasts the path at every step; a Student-t fitted to its in-sample errors of that step stands around it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_stock.baselines.task import Task, student_t_around
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.value_features import seasonal_change
from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError

MAX_LAGS = 30
"""Most lags of the autoregression, and most around its season."""

MIN_VALUES = 50
"""Least in-sample values: fewer do not identify the smoothing of level, trend and season."""

MAX_SEASON = 168
"""Longest season of the exponential smoothing, the hours of a week: a longer one has too many states."""


def seasonal_naive(task: Task) -> Distribution:
    """The value of the same time one season before, moved by the median in-sample error of that forecast.

    Raises:
        BaselineError: The series has no season.
    """
    if task.bars.season_length == 1:
        raise BaselineError("the series has no season (`window.season_length` is 1)")
    return _around(task, seasonal_change(task.bars, _steps(task)))


def ar(task: Task) -> Distribution:
    """An autoregression with a constant, by least squares: lags 1 to p and, around the season m, m to m + p.

    p is chosen by BIC (Schwarz 1978). Steps of more than one value are forecast recursively. It contains the naive
    and the seasonal naive forecast, and autoregressions of differences.

    Raises:
        BaselineError: There are too few in-sample values.
    """
    grid = Grid.of(task.bars)
    path, season = grid.path, task.bars.season_length
    fitted = fit_autoregression(path[: grid.rows[task.n_insample - 1] + 1], season)
    forecasts = forecast_autoregression(path, fitted, task.horizon)
    return _around(task, (forecasts - path[:, None])[grid.rows])


@dataclass(frozen=True)
class Autoregression:
    """`p_t = constant + sum of weights x p_{t - lag}`; `lags` and `weights` have shape `(n_lags,)`."""

    constant: float
    lags: NDArray[np.int64]
    weights: Array


def fit_autoregression(path: Array, season: int) -> Autoregression:
    """Fit an autoregression by least squares, its number of lags chosen by BIC.

    Args:
        path: In-sample values on a grid without gaps, shape `(n,)`.
        season: Values per season; 1 is none.

    Raises:
        BaselineError: They are too few, or do not vary.
    """
    seasonal = season > 1
    n_pairs = max(1, min(MAX_LAGS, len(path) // 10, season - 1 if seasonal else MAX_LAGS))
    # Each number of lags has the columns of the number before, and those of one lag more.
    order = [season] * seasonal
    for lag in range(1, n_pairs + 1):
        order += [lag, season + lag] if seasonal else [lag]
    lags = np.array(order)
    n_rows = len(path) - lags.max()
    if n_rows < max(MIN_VALUES, 2 * len(lags)) or np.ptp(path) == 0:
        raise BaselineError(f"{len(path)} in-sample values are too few for an autoregression, or do not vary")
    # Centred, as the size of the level would hide the variation in the last digits.
    centre = float(np.mean(path))
    y = path[lags.max() :] - centre
    x = np.column_stack(
        [np.ones(n_rows), *(path[lags.max() - lag : len(path) - lag] - centre for lag in lags)]
    )
    q, _ = np.linalg.qr(x)
    squares = y @ y - np.cumsum((q.T @ y) ** 2)
    n_columns = np.arange(1, x.shape[1] + 1)
    bic = n_rows * np.log(np.maximum(squares, 1e-300) / n_rows) + np.log(n_rows) * n_columns
    n_best = int(np.argmin(bic[seasonal :: 1 + seasonal])) * (1 + seasonal) + 1 + seasonal
    found = np.linalg.lstsq(x[:, :n_best], y, rcond=None)[0]
    constant = float(found[0] + centre * (1 - found[1:].sum()))
    return Autoregression(constant, lags[: n_best - 1], np.asarray(found[1:], np.float64))


def forecast_autoregression(path: Array, fitted: Autoregression, horizon: int) -> Array:
    """Return the forecasts of the next values after each, shape `(n, horizon)`; NaN where lags are missing.

    Args:
        path: Values on a grid without gaps, shape `(n,)`.
        fitted: The autoregression.
        horizon: Steps to forecast.
    """
    forecasts = np.full((len(path), horizon), np.nan)
    for k in range(1, horizon + 1):
        new = np.full(len(path), fitted.constant)
        for lag, weight in zip(fitted.lags.tolist(), fitted.weights.tolist(), strict=True):
            new += weight * (forecasts[:, k - lag - 1] if lag < k else _shifted(path, lag - k))
        forecasts[:, k - 1] = new
    return forecasts


def _shifted(values: Array, n: int) -> Array:
    """Return the value n rows earlier, NaN before the first."""
    return np.concatenate([np.full(min(n, len(values)), np.nan), values[: max(len(values) - n, 0)]])


@dataclass(frozen=True)
class Grid:
    """A series with a value for every position: a missing one moves as it did in the season before.

    Attributes:
        path: Shape `(n_positions,)`.
        rows: The position of each value of the series, shape `(n_values,)`.
    """

    path: Array
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, bars: Bars) -> Grid:
        """Put a series of values on its grid; a filled value depends on earlier ones alone."""
        positions = bars.positions
        if positions is None:
            raise ValueError("the bars are no series of values")
        path = np.full(int(positions[-1]) + 1, np.nan)
        path[positions] = bars.path
        season = bars.season_length
        for row in np.flatnonzero(np.isnan(path)).tolist():
            move = path[row - season] - path[row - season - 1] if season > 1 and row > season else 0.0
            path[row] = path[row - 1] + move
        return cls(path, positions)


def ets(task: Task) -> Distribution:
    """Exponential smoothing with additive errors: a level, a trend and an additive season.

    AICc chooses between no trend, a damped and a linear one. Hyndman, Koehler, Ord & Snyder 2008 (Forecasting with
    Exponential Smoothing), by maximum likelihood with `statsmodels`; the start values are those of a classical
    decomposition of the in-sample values. The states of later values are filtered with the fitted smoothing.

    Raises:
        BaselineError: There are too few in-sample values, or no fit converges.
    """
    grid, season = Grid.of(task.bars), task.bars.season_length
    path, season = grid.path, season if season <= MAX_SEASON else 1
    n = int(grid.rows[task.n_insample - 1]) + 1
    if n < max(MIN_VALUES, 3 * season) or np.ptp(path[:n]) == 0:
        raise BaselineError(
            f"{n} in-sample values are too few, it needs {max(MIN_VALUES, 3 * season)} that vary"
        )
    return _around(task, ets_moves(path, n, season, task.horizon)[grid.rows])


TRENDS: tuple[dict[str, Any], ...] = ({}, {"trend": "add", "damped_trend": True}, {"trend": "add"})
"""Settings of `ETSModel` for no trend, a damped and a linear one."""


def ets_moves(path: Array, n_insample: int, season: int, horizon: int) -> Array:
    """Return the moves that exponential smoothing forecasts from each value, shape `(n, horizon)`.

    Args:
        path: Values on a grid without gaps, shape `(n,)`.
        n_insample: Number of values, from the first on, that it is fitted on.
        season: Values per season; 1 is none.
        horizon: Steps to forecast.

    Raises:
        BaselineError: No fit converges.
    """
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    # In units of the moves: the optimiser depends on the size of the values.
    centre, unit = float(np.mean(path[:n_insample])), float(np.std(np.diff(path[:n_insample]))) or 1.0
    scaled = (path - centre) / unit
    fits = []
    for trend in TRENDS:
        settings = trend | start_of_smoothing(scaled[:n_insample], season, bool(trend))
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # what is not finite is left out below
                fit = ETSModel(scaled[:n_insample], **settings).fit(disp=False)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            continue
        if np.isfinite([fit.aicc, *fit.params]).all():
            fits.append((float(fit.aicc), settings, np.asarray(fit.params, np.float64)))
    if not fits:
        raise BaselineError("the fit failed")
    _, settings, params = min(fits, key=lambda one: one[0])
    with np.errstate(all="ignore"):
        whole = ETSModel(scaled, **settings).smooth(params)
    ahead = np.repeat(np.asarray(whole.level, np.float64)[:, None], horizon, axis=1)
    if "trend" in settings:
        damping = whole.damping_trend if "damped_trend" in settings else 1.0
        ahead += np.asarray(whole.slope, np.float64)[:, None] * np.cumsum(
            damping ** np.arange(1, horizon + 1)
        )
    if season > 1:
        states = np.concatenate([settings["initial_seasonal"], np.asarray(whole.season, np.float64)])
        ahead += states[_season_of(len(path), season, horizon)]
    return np.asarray((ahead - scaled[:, None]) * unit, np.float64)


def start_of_smoothing(values: Array, season: int, has_trend: bool) -> dict[str, Any]:
    """Return the start values of `ETSModel`: level, trend and season of a classical decomposition.

    Args:
        values: In-sample values, shape `(n,)`.
        season: Values per season; 1 is none.
        has_trend: Whether there is a trend.
    """
    settings: dict[str, Any] = {"initialization_method": "known"}
    if has_trend:
        settings["initial_trend"] = float((values[-1] - values[0]) / (len(values) - 1))
    if season == 1:
        return settings | {"initial_level": float(values[0])}
    from statsmodels.tsa.seasonal import seasonal_decompose

    of_season = np.asarray(seasonal_decompose(values, period=season).seasonal[:season], np.float64)
    return settings | {
        "seasonal": "add",
        "seasonal_periods": season,
        "initial_seasonal": of_season,
        "initial_level": float(np.mean(values[:season] - of_season)),
    }


def _season_of(n: int, season: int, horizon: int) -> NDArray[np.int64]:
    """Return which of the season's states, those before the first value included, holds for each step."""
    steps = np.arange(1, horizon + 1)
    back = steps - season * -(-steps // season)
    return np.asarray(season + np.arange(n)[:, None] + back, np.int64)


def _around(task: Task, mean: Array) -> Distribution:
    return student_t_around(task, mean, np.ones_like(mean))


def _steps(task: Task) -> NDArray[np.int64]:
    return np.arange(1, task.horizon + 1)
