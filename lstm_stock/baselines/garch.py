"""GARCH(1,1) and GJR-GARCH(1,1,1) with Student-t shocks.

The parameters are fitted by maximum likelihood to the in-sample returns with `arch`, once. The variance of
later bars is filtered here with these parameters, in one recursion that reads past bars only.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import signal

from lstm_stock.baselines.task import Task, fit_t
from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import Distribution, StudentT
from lstm_stock.distributions.student_t_fit import MAX_DF, MIN_SCALE
from lstm_stock.errors import BaselineError

MIN_RETURNS = 250
"""Least in-sample returns, about one year: fewer do not identify five parameters of a slow process."""

N_PATHS = 20_000
"""Simulated paths; each is used with both signs of its shocks."""

SIMULATION_SEED = 20_150
"""Seed of the shocks, the same for every cutoff, ticker and run."""


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
    """Parameters of returns divided by `return_std`, and the variance of the first one."""

    mu: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    df: float
    return_std: float
    first_variance: float

    @property
    def persistence(self) -> float:
        """Share of a variance shock that remains one bar later; half of all shocks are falls."""
        return self.alpha + self.gamma / 2 + self.beta

    def next_variance(self, shock: Array, variance: Array) -> Array:
        """Return the variance of the bar after bars with these shocks and variances, `(n_paths,)`."""
        return self.omega + (self.alpha + self.gamma * (shock < 0)) * shock**2 + self.beta * variance

    def filtered(self, returns: Array) -> Array:
        """Return the variance of each return and of the next one, known one bar before, `(n_returns + 1,)`."""
        shock = returns / self.return_std - self.mu
        news = self.omega + (self.alpha + self.gamma * (shock < 0)) * shock**2
        later, _ = signal.lfilter([1.0], [1.0, -self.beta], news, zi=[self.beta * self.first_variance])
        return np.concatenate([[self.first_variance], later])

    def total_variance(self, variance: Array, step: int) -> Array:
        """Return the exact variance of the sum of the next `step` returns, given that of the first, `(n,)`."""
        total, expected = np.zeros_like(variance), variance
        for _ in range(step):
            total = total + expected
            expected = self.omega + self.persistence * expected
        return total


def _forecast(task: Task, asymmetric: int) -> Distribution:
    fitted = _fit(task.insample_returns(1), asymmetric)
    returns = np.diff(np.log(task.bars.close))
    variance = fitted.filtered(returns)
    if np.sqrt(variance[: task.n_insample - 1].min()) < MIN_SCALE:
        # The likelihood of a ticker that rarely trades is greatest where the variance of most bars is 0.
        raise BaselineError("its volatility approaches 0 between rare moves")
    df, loc, factor = _shapes(fitted, variance[: task.n_insample - 1], task.horizon)
    # Return i ends at bar i + 1: the variance of return c is known at bar c.
    next_variance = variance[task.cutoffs]
    deviation = np.sqrt(np.stack([fitted.total_variance(next_variance, step) for step in task.steps], axis=1))
    mean = fitted.mu * np.array(task.steps)
    return StudentT((mean + loc * deviation) * fitted.return_std, factor * deviation * fitted.return_std, df)


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
    return _Fitted(
        mu=float(mu),
        omega=float(omega),
        alpha=float(alpha),
        gamma=float(gamma),
        beta=float(beta),
        df=float(df),
        return_std=return_std,
        first_variance=variance,
    )


def _shapes(fitted: _Fitted, variances: Array, horizon: int) -> tuple[Array, Array, Array]:
    """Return degrees of freedom, location and scale of the Student-t of each step, each `(horizon,)`.

    Location and scale are in units of the exact standard deviation of the k-bar return. For one step they are the
    model's own. A sum of several returns has no Student-t distribution: one is fitted to the sums of simulated
    paths, divided by their exact standard deviations. Paths start from variances drawn from `variances`.

    Args:
        fitted: The model.
        variances: In-sample variances, shape `(n,)`.
        horizon: Steps to forecast.
    """
    inner = np.sqrt((fitted.df - 2) / fitted.df)
    shapes = [(min(fitted.df, MAX_DF), 0.0, float(inner))]
    random = np.random.default_rng(SIMULATION_SEED)
    start = np.tile(random.choice(variances, N_PATHS), 2)
    total, variance = np.zeros_like(start), start
    for step in range(1, horizon + 1):
        half = random.standard_t(fitted.df, N_PATHS) * inner
        shock = np.concatenate([half, -half]) * np.sqrt(variance)
        total, variance = total + shock, fitted.next_variance(shock, variance)
        if step > 1:
            shapes.append(fit_t(total / np.sqrt(fitted.total_variance(start, step))))
    df, loc, factor = np.transpose(shapes)
    return df, loc, factor
