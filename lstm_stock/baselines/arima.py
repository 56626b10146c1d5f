"""ARIMA(1,1,0) with drift, fitted once."""

from __future__ import annotations

import warnings

import numpy as np

from lstm_stock.baselines.task import Task, student_t_around
from lstm_stock.dataset.volatility import Array, log_returns
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError

MIN_RETURNS = 100
"""Least in-sample returns."""


def arima(task: Task) -> Distribution:
    """Forecast `r[t+1] = mu + phi (r[t] - mu) + e[t+1]`, with one Student-t per step for the in-sample errors.

    ARIMA(1,1,0) with drift of the log close (Box & Jenkins 1970, ch. 4), by maximum likelihood with `statsmodels`.
    It has no moving-average term: for returns close to white noise this cancels against phi, and neither is
    identified.

    Raises:
        BaselineError: There are too few in-sample returns, or the fit does not converge.
    """
    mu, phi = _fit(task.insample_returns(1))
    deviation = log_returns(task.bars.close)[:, None] - mu
    steps = np.array(task.steps)
    mean = mu * steps + deviation * np.cumsum(phi**steps)
    scale = float(np.std(task.insample_returns(1))) * np.sqrt(steps)
    return student_t_around(task, mean, np.broadcast_to(scale, mean.shape))


def _fit(returns: Array) -> tuple[float, float]:
    return_std = float(np.std(returns))
    if len(returns) < MIN_RETURNS or return_std == 0:
        raise BaselineError(f"{len(returns)} in-sample returns are too few, it needs {MIN_RETURNS} that move")
    from statsmodels.tsa.arima.model import ARIMA

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # convergence is checked below
            result = ARIMA(returns / return_std, order=(1, 0, 0)).fit()
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise BaselineError(f"the fit failed: {error}") from error
    mu, phi, _ = np.asarray(result.params, np.float64)
    if not result.mle_retvals["converged"] or not np.isfinite([mu, phi]).all() or abs(phi) >= 1:
        raise BaselineError("the fit did not converge")
    return float(mu) * return_std, float(phi)
