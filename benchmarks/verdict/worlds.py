"""Simulated markets whose conditional distribution is known at every cutoff, many series at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import signal

from lstm_stock.distributions.base import Array

WARM_UP = 500
"""Returns before the first cutoff: trailing volatilities and constants are computed from them."""

LAST_STEP = 5
GAUSSIAN = 1e4
"""Degrees of freedom of a Student-t that is normal to all digits printed here."""

WORLDS = ("iid", "iid t(5)", "log-vol AR(.98)", "GARCH-t", "regimes")
COMMON_VOLATILITY, COMMON_SHOCK = 0.6, 0.35
"""Share of the variance of log volatility, and of shocks, that several tickers have in common."""


@dataclass(frozen=True)
class Market:
    """Several series of one or more tickers.

    Attributes:
        returns: Shape `(n_series, n_tickers, WARM_UP + n + LAST_STEP - 1)`; the first cutoff is `WARM_UP - 1`.
        scale: Scale of the Student-t that each of them is drawn from, known one bar before, of the same shape.
        df: Its degrees of freedom.
    """

    returns: Array
    scale: Array
    df: float

    @property
    def n(self) -> int:
        """Number of cutoffs."""
        return self.returns.shape[-1] - WARM_UP - LAST_STEP + 1

    def outcome(self, step: int) -> Array:
        """Return the `step`-bar return from each cutoff, shape `(n_series, n_tickers, n)`."""
        return sum(
            (self.returns[..., WARM_UP + k :][..., : self.n] for k in range(step)), start=np.array(0.0)
        )

    def true_scale(self) -> Array:
        """Return the scale of the return after each cutoff, shape `(n_series, n_tickers, n)`."""
        return self.scale[..., WARM_UP:][..., : self.n]

    def ewma(self, decay: float) -> Array:
        """Return the EWMA volatility known at each cutoff, shape `(n_series, n_tickers, n)`."""
        mean = signal.lfilter([1 - decay], [1.0, -decay], self.returns**2, axis=-1)
        weight = 1 - decay ** np.arange(1.0, self.returns.shape[-1] + 1)
        return np.sqrt(mean / weight)[..., WARM_UP - 1 :][..., : self.n]


def autoregressive(
    random: np.random.Generator, shape: tuple[int, ...], phi: float, deviation: float
) -> Array:
    """Return stationary series along the last axis, with the given standard deviation."""
    warm_up = 0 if phi == 0 else round(5 / (1 - phi))
    noise = random.standard_normal((*shape[:-1], shape[-1] + warm_up))
    noise *= deviation * math.sqrt(1 - phi**2)
    return signal.lfilter([1.0], [1.0, -phi], noise, axis=-1)[..., warm_up:]


def market(random: np.random.Generator, world: str, n_series: int, n_tickers: int, n: int) -> Market:
    """Simulate one of `WORLDS`.

    Volatility is constant; or its log is AR(.98) with a deviation of 0.4; or a GARCH of 0.09 of the last square
    and 0.89 of the last variance; or it switches between two values after 100 bars on average.
    """
    shape = (n_series, n_tickers, WARM_UP + n + LAST_STEP - 1)
    df = GAUSSIAN if world in ("iid", "log-vol AR(.98)") else 5.0
    z = random.standard_normal(shape)
    if n_tickers > 1:
        z *= math.sqrt(1 - COMMON_SHOCK)
        z += math.sqrt(COMMON_SHOCK) * random.standard_normal((n_series, 1, shape[-1]))
    if df < GAUSSIAN:
        z /= np.sqrt(random.chisquare(df, shape) / df)
    if world == "log-vol AR(.98)":
        scale = np.exp(_log_volatility(random, shape))
    elif world == "GARCH-t":
        scale = _garch_scale(z, df)
    elif world == "regimes":
        switches = random.random((n_series, 1, shape[-1])) < 0.01
        switches[..., 0] = random.random((n_series, 1)) < 0.5
        scale = np.broadcast_to(np.where(np.cumsum(switches, axis=-1) % 2 == 0, 0.7, 1.75), shape)
    else:
        scale = np.ones(shape)
    return Market(z * scale, scale, df)


def _log_volatility(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    if shape[1] == 1:
        return autoregressive(random, shape, 0.98, 0.4)
    own = autoregressive(random, shape, 0.98, 0.4 * math.sqrt(1 - COMMON_VOLATILITY))
    return own + autoregressive(random, (shape[0], 1, shape[-1]), 0.98, 0.4 * math.sqrt(COMMON_VOLATILITY))


def _garch_scale(z: Array, df: float) -> Array:
    to_scale = (df - 2) / df
    variance, scale = np.ones(z.shape[:-1]), np.empty(z.shape)
    for i in range(z.shape[-1]):
        scale[..., i] = np.sqrt(variance * to_scale)
        variance = 0.02 + 0.09 * (scale[..., i] * z[..., i]) ** 2 + 0.89 * variance
    return scale
