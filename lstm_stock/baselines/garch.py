"""GARCH(1,1) and GJR-GARCH(1,1,1) with Student-t shocks.

The parameters are fitted by maximum likelihood to the in-sample returns with `arch`, once. The variance of
later bars is filtered here with these parameters, in one recursion that reads past bars only. The fit has a
constant mean, from which shocks are measured; forecasts have the common drift in its place.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import signal

from lstm_stock.baselines.garch_sums import GarchProcess, sum_values
from lstm_stock.baselines.task import Task
from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import Distribution, TransformedT
from lstm_stock.distributions.parametric import COMMON_DRIFT
from lstm_stock.distributions.student_t_fit import MIN_SCALE
from lstm_stock.errors import BaselineError

MIN_RETURNS = 250
"""Least in-sample returns, about one year: fewer do not identify five parameters of a slow process."""


def garch(task: Task) -> Distribution:
    """GARCH(1,1)-t, `v[t+1] = omega + alpha e[t]^2 + beta v[t]` (Bollerslev 1987, Review of Economics 69).

    Raises:
        BaselineError: There are too few in-sample returns, or the fit does not converge.
    """
    return _forecast(task, 0)


def gjr(task: Task) -> Distribution:
    """GJR-GARCH-t, `garch` with `+ gamma e[t]^2` after a fall (Glosten, Jagannathan & Runkle 1993).

    Raises:
        BaselineError: There are too few in-sample returns, or the fit does not converge.
    """
    return _forecast(task, 1)


@dataclass(frozen=True)
class _Fitted:
    """The process of returns divided by `return_std`, their mean, and the variance of the first one."""

    process: GarchProcess
    mu: float
    return_std: float
    first_variance: float

    def filtered(self, returns: Array) -> Array:
        """Return the variance of each return and of the next one, known one bar before, `(n_returns + 1,)`."""
        process = self.process
        added = process.omega + process.news(returns / self.return_std - self.mu)
        later, _ = signal.lfilter([1.0], [1.0, -process.beta], added, zi=[process.beta * self.first_variance])
        return np.concatenate([[self.first_variance], later])


def _forecast(task: Task, asymmetric: int) -> Distribution:
    fitted = _fit(task.insample_returns(1), asymmetric)
    returns = np.diff(np.log(task.bars.close))
    variance = fitted.filtered(returns)
    if np.sqrt(variance[: task.n_insample - 1].min()) < MIN_SCALE:
        # The likelihood of a ticker that rarely trades is greatest where the variance of most bars is 0.
        raise BaselineError("its volatility approaches 0 between rare moves")
    # Return i ends at bar i + 1: the variance of return c is known at bar c.
    known = variance[task.cutoffs]
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused
            values = sum_values(fitted.process, known, task.horizon)
    except ValueError as error:
        raise BaselineError(str(error)) from error
    drift = [_drift(fitted.process, known, step) for step in task.steps]
    return TransformedT(fitted.process.df, (np.stack(drift, 1)[:, :, None] + values) * fitted.return_std)


def _drift(process: GarchProcess, variance: Array, step: int) -> Array:
    """Return the common drift of the sum of the next `step` returns, given the variance of the first, `(n,)`."""
    scale = process.shock_scale * np.sqrt(process.total_variance(variance, step))
    return np.asarray(COMMON_DRIFT * step**0.5 * scale)


def _fit(returns: Array, asymmetric: int) -> _Fitted:
    return_std = float(np.std(returns))
    if len(returns) < MIN_RETURNS or return_std == 0:
        raise BaselineError(f"{len(returns)} in-sample returns are too few, it needs {MIN_RETURNS} that move")
    from arch.univariate import GARCH, ConstantMean, StudentsT

    # Divided by their deviation, as the optimiser depends on the scale of the returns.
    model = ConstantMean(
        returns / return_std, volatility=GARCH(1, asymmetric, 1), distribution=StudentsT(), rescale=False
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # convergence is checked below
            result = model.fit(disp="off", show_warning=False)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise BaselineError(f"the fit failed: {error}") from error
    params, variance = np.asarray(result.params, np.float64), float(result.conditional_volatility[0]) ** 2
    if result.convergence_flag != 0 or not np.isfinite([*params, variance]).all():
        raise BaselineError("the fit did not converge")
    mu, omega, alpha = params[:3]
    gamma = params[3] if asymmetric else 0.0
    beta, df = params[-2:]
    process = GarchProcess(float(omega), float(alpha), float(gamma), float(beta), float(df))
    return _Fitted(process, float(mu), return_std, variance)
