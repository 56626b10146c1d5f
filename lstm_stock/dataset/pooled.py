"""A linear Student-t regression over all tickers of a run, on the features of the last bar of each window.

It is the baseline `pooled_t`, and what a network with `model.shortcut: linear` starts from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_stock.config.features import FEATURES, feature_of
from lstm_stock.dataset.blas import one_blas_thread
from lstm_stock.dataset.series import WindowSpec
from lstm_stock.dataset.volatility import Array
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution, StudentT
from lstm_stock.distributions.parametric import COMMON_DRIFT

MIN_DF = 2.05
"""Least degrees of freedom: the variance, and so a forecast of volatility, exists above 2."""

RIDGE, RIDGE_OF_ONE = 1e-3, 1.0
"""Penalty on the squared slopes of standardised features, beside the mean negative log likelihood.

That of a single ticker is strong: its few thousand days alone do not determine dozens of slopes."""

PRIOR_WINDOWS = 10_000
"""Windows that a pretrained regression weighs as much as in `PooledT.tuned`.

Chosen on 2016-2017 of 62 stocks: 3,000 and 30,000 gain less, and a choice on each ticker's val loses."""

MAX_ROWS = 400_000
"""Most windows that are fitted: of more, every second one is left out, every third, and so on."""

MIN_ROWS = 250
"""Least windows of a fit; with fewer, dozens of slopes would be noise."""

GRADIENT = 1e-7
"""Length of the gradient at which the fit ends."""

START = -0.2, 2.0
"""Log scale and raw degrees of freedom of the first iterate: those of a typical daily return."""


def drift_t(params: Array) -> StudentT:
    """Return the Student-t with scale `exp(a)` and `2.05 + softplus(b)` degrees of freedom, around the drift.

    The location of step k is the common drift of k bars, `0.04 sqrt(k)` scales.

    Args:
        params: `a` and `b` of each step, shape `(n_windows, horizon, 2)`.
    """
    scale = np.exp(params[..., 0])
    return StudentT(drifts(params.shape[-2]) * scale, scale, MIN_DF + np.logaddexp(0, params[..., 1]))


def drifts(horizon: int) -> Array:
    """Return the location of each step in units of its scale, `COMMON_DRIFT sqrt(k)`, shape `(horizon,)`."""
    return np.asarray(COMMON_DRIFT * np.sqrt(np.arange(1.0, horizon + 1)), np.float64)


@dataclass(frozen=True)
class PooledT:
    """The regression: log scale and degrees of freedom are linear in the scaled features of the last bar.

    The slopes are common to all tickers. They maximise the likelihood of the returns in units of the target scale
    less a small ridge penalty; the location is the common drift. Step k uses those features of the calendar that
    look from the k-th session.

    Attributes:
        slopes: Shape `(n_features, horizon, 2)`: of the log scale, and of the raw degrees of freedom.
        intercepts: Shape `(horizon, 2)`.
    """

    slopes: Array
    intercepts: Array

    @classmethod
    def fit(cls, train: Sequence[Windows]) -> PooledT:
        """Fit to the windows of one or more tickers.

        Args:
            train: Windows with known outcomes, one entry per ticker, of one `WindowSpec`.
        """
        stride = -(-sum(map(len, train)) // MAX_ROWS)
        x = np.concatenate([_last_bars(windows)[::stride] for windows in train])
        y = np.concatenate([(windows.returns / windows.volatility_scale)[::stride] for windows in train])
        ridge = RIDGE_OF_ONE if len({windows.series.ticker for windows in train}) == 1 else RIDGE
        with one_blas_thread():
            return cls.fit_rows(x, y, columns_by_step(train[0].spec), ridge)

    @classmethod
    def fit_rows(cls, x: Array, y: Array, used: NDArray[np.bool_], ridge: float) -> PooledT:
        """Fit to rows of features and scaled returns.

        Args:
            x: Features, shape `(n_rows, n_features)`.
            y: Returns in units of the target scale, shape `(n_rows, horizon)`.
            used: Which features each step uses, shape `(n_features, horizon)`.
            ridge: Half of it times the sum of the squared slopes is added to the mean negative log likelihood.
        """
        mean, std = x.mean(axis=0), x.std(axis=0)
        z = (x - mean) / np.where(std > 0, std, 1.0)
        horizon = y.shape[1]
        slopes, intercepts = np.zeros((x.shape[1], horizon, 2)), np.zeros((horizon, 2))
        for step, drift in enumerate(drifts(horizon)):
            columns = used[:, step] & (std > 0)
            penalty = np.full(1 + columns.sum(), ridge)
            penalty[0] = 0.0
            center = np.zeros((len(penalty), 2))
            center[0] = START
            fitted = _maximise(z[:, columns], y[:, step], float(drift), penalty, center)
            slopes[columns, step] = fitted[1:] / std[columns, None]
            intercepts[step] = fitted[0] - mean[columns] @ slopes[columns, step]
        return cls(slopes, intercepts)

    def tuned(self, train: Sequence[Windows]) -> PooledT:
        """Fit to the windows of one or more tickers, with a penalty on the distance from this regression.

        The penalty is that of a normal prior around this regression's slopes and intercepts which weighs as much
        as `PRIOR_WINDOWS` windows: the fewer windows there are, the closer to this regression the result is
        (ridge towards a target: Hoerl & Kennard 1970, Technometrics 12, section 5).

        Args:
            train: Windows with known outcomes, one entry per ticker, with inputs scaled as those of this
                regression.
        """
        stride = -(-sum(map(len, train)) // MAX_ROWS)
        x = np.concatenate([_last_bars(windows)[::stride] for windows in train])
        y = np.concatenate([(windows.returns / windows.volatility_scale)[::stride] for windows in train])
        used = columns_by_step(train[0].spec)
        slopes, intercepts = np.zeros_like(self.slopes), np.zeros_like(self.intercepts)
        with one_blas_thread():
            for step, drift in enumerate(drifts(y.shape[1])):
                columns = used[:, step]
                center = np.concatenate([self.intercepts[None, step], self.slopes[columns, step]])
                penalty = np.full(len(center), PRIOR_WINDOWS / sum(map(len, train)))
                fitted = _maximise(x[:, columns], y[:, step], float(drift), penalty, center)
                intercepts[step], slopes[columns, step] = fitted[0], fitted[1:]
        return PooledT(slopes, intercepts)

    def restricted(self, columns: Sequence[int], horizon: int) -> PooledT:
        """Return the regression of some columns of the features, in their order, and of the first steps."""
        return PooledT(self.slopes[np.asarray(columns), :horizon], self.intercepts[:horizon])

    def mean_nll(self, windows: Sequence[Windows]) -> float:
        """Return the mean negative log likelihood of windows and steps, in units of the target scale."""
        losses = []
        with one_blas_thread():
            for one in windows:
                y, params = one.returns / one.volatility_scale, self.params(_last_bars(one))
                losses += [
                    _loss(y[:, step], float(drift), *params[:, step].T)[0]
                    for step, drift in enumerate(drifts(y.shape[1]))
                ]
        return float(np.concatenate(losses).mean())

    def params(self, x: Array) -> Array:
        """Return the parameters of `drift_t` for rows of features `(n, n_features)`, shape `(n, horizon, 2)`."""
        n_features, horizon, _ = self.slopes.shape
        flat = x @ self.slopes.reshape(n_features, -1)
        return flat.reshape(-1, horizon, 2) + self.intercepts

    def forecast(self, windows: Windows) -> Distribution:
        """Forecast the k-bar log returns after each window, shape `(n_windows, horizon)`."""
        with one_blas_thread():
            return drift_t(self.params(_last_bars(windows))).rescale(windows.volatility_scale)

    @property
    def is_finite(self) -> bool:
        """Whether every number is finite."""
        return bool(np.isfinite(self.slopes).all() and np.isfinite(self.intercepts).all())

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        return {"slopes": self.slopes.tolist(), "intercepts": self.intercepts.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any], n_features: int, horizon: int) -> PooledT:
        """Rebuild a regression from what `to_json` returned.

        Args:
            data: The dictionary.
            n_features: Number of features.
            horizon: Number of steps.

        Raises:
            KeyError: A key is missing.
            TypeError: A value is no number.
            ValueError: The arrays are not of `n_features` and `horizon`, or not finite.
        """
        found = cls(*(np.asarray(data[name], np.float64) for name in ("slopes", "intercepts")))
        shapes = found.slopes.shape, found.intercepts.shape
        expected = (n_features, horizon, 2), (horizon, 2)
        if shapes != expected:
            raise ValueError(f"its shapes are {shapes}, not {expected}")
        if not found.is_finite:
            raise ValueError("it has numbers that are not finite")
        return found


def columns_by_step(spec: WindowSpec) -> NDArray[np.bool_]:
    """Return which columns of the features step k uses: those of other steps are out, `(n_features, horizon)`."""
    steps = np.arange(1, spec.horizon + 1)
    used = np.ones((len(spec.features), spec.horizon), bool)
    for row, (name, step) in zip(used, map(feature_of, spec.features), strict=True):
        if name in FEATURES and FEATURES[name].by_step:
            row[:] = steps == step
    return used


def _last_bars(windows: Windows) -> Array:
    return windows.series.inputs[windows.cutoffs].astype(np.float64)


def _maximise(z: Array, y: Array, drift: float, penalty: Array, center: Array) -> Array:
    """Return intercepts and slopes of the likeliest Student-t of one step, shape `(1 + n_features, 2)`.

    Half of `penalty`, shape `(1 + n_features,)`, times the squared distance from `center` is added to the mean
    negative log likelihood; `center` is the first iterate as well.

    Newton's method in a trust region (Conn, Gould & Toint 2000, Trust-Region Methods, section 7.3): it takes a
    dozen passes over the rows, where a method without second derivatives takes hundreds.
    """
    from scipy import optimize

    x = np.column_stack([np.ones(len(z)), z])
    n_rows, n_columns = x.shape
    weight = penalty[:, None]

    def loss(flat: Array) -> tuple[float, Array]:
        """Mean negative log likelihood with the penalty, and its gradient."""
        beta = flat.reshape(n_columns, 2)
        values, slopes = _loss(y, drift, *(x @ beta).T)
        gradient = x.T @ slopes / n_rows + weight * (beta - center)
        return float(values.mean() + (weight * (beta - center) ** 2).sum() / 2), gradient.ravel()

    def hessian(flat: Array) -> Array:
        curvatures = _curvature(y, drift, *(x @ flat.reshape(n_columns, 2)).T)
        both = np.empty((n_columns, 2, n_columns, 2))
        for i, j, curvature in ((0, 0, curvatures[0]), (0, 1, curvatures[1]), (1, 1, curvatures[2])):
            both[:, i, :, j] = both[:, j, :, i] = x.T @ (curvature[:, None] * x) / n_rows
        return both.reshape(2 * n_columns, -1) + np.diag(np.repeat(penalty, 2))

    options: Any = {"maxiter": 200, "gtol": GRADIENT}
    found = optimize.minimize(
        loss, center.ravel(), jac=True, hess=hessian, method="trust-exact", options=options
    )
    return np.asarray(found.x.reshape(n_columns, 2), np.float64)


def _loss(y: Array, drift: float, log_scale: Array, raw: Array) -> tuple[Array, Array]:
    """Return the negative log likelihood of each row, `(n,)`, and its derivatives by both parameters, `(n, 2)`."""
    from scipy import special

    df, by_raw = MIN_DF + np.logaddexp(0, raw), special.expit(raw)
    error = y * np.exp(-log_scale)
    distance = error - drift
    square = distance**2 / df
    log_term, weight = np.log1p(square), (df + 1) / df / (1 + square)
    peak = special.betaln(0.5, df / 2) + np.log(df) / 2
    by_df = (
        special.digamma(df / 2) - special.digamma((df + 1) / 2) + 1 / df + log_term - weight * square
    ) / 2
    return (
        log_scale + peak + (df + 1) / 2 * log_term,
        np.column_stack([1 - weight * distance * error, by_df * by_raw]),
    )


def _curvature(y: Array, drift: float, log_scale: Array, raw: Array) -> tuple[Array, Array, Array]:
    """Return the second derivatives of `_loss`: by the log scale, by both, by the raw degrees of freedom."""
    from scipy import special

    df, by_raw = MIN_DF + np.logaddexp(0, raw), special.expit(raw)
    error = y * np.exp(-log_scale)
    distance = error - drift
    squared = distance**2
    total = df + squared
    weight = (df + 1) / total
    by_df = (
        special.digamma(df / 2)
        - special.digamma((df + 1) / 2)
        + 1 / df
        + np.log1p(squared / df)
        - weight * squared / df
    ) / 2
    by_df_twice = (
        (special.polygamma(1, df / 2) - special.polygamma(1, (df + 1) / 2)) / 2
        - 1 / df**2
        - squared / (df * total)
        + squared * (df**2 + 2 * df + squared) / (df * total) ** 2
    ) / 2
    return (
        weight * error * (error + distance - 2 * squared * error / total),
        -distance * error * (squared - 1) / total**2 * by_raw,
        by_df_twice * by_raw**2 + by_df * by_raw * (1 - by_raw),
    )
