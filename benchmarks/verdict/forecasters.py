"""Forecasters of exactly equal expected CRPS, so that every claim about them is false; or with a known gain.

CRPS is divided by trailing volatility everywhere, as in the verdict. What makes forecasters equal is solved for on
series of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from scipy import optimize

from lstm_stock.distributions import Normal, StudentT
from lstm_stock.distributions.base import Array

from .worlds import GAUSSIAN, Market, autoregressive, market

CENTRE = 0.02
"""Deviation of the noise in every forecast's centre, in true scales: more would hide the widths' differences."""

ERROR = 0.15
"""Deviation of the errors of log volatility."""

EWMA_DF = 5.0
TRAILING = 0.94
N_SOLVE, THIN = 600, 5

FOLLOWERS = {
    "followers, errors AR(.9)": 0.9,
    "followers, fast errors": 0.0,
    "followers, errors AR(.98)": 0.98,
}
CONSTANT = "constant against followers of equal CRPS"
PARTIAL = "root of volatility against followers of equal CRPS"
NARROW = "EWMA .97 against narrow .90 of equal CRPS"
NOISY = "EWMA .97 against noisy .90 of equal CRPS"
NULLS = (*FOLLOWERS, CONSTANT, PARTIAL, NARROW, NOISY)
POWERS = {CONSTANT: 0.0, PARTIAL: 0.5}
"""Power of trailing volatility that the network's width is proportional to; both need volatility that changes."""

_GRID = np.concatenate([np.linspace(0, 12, 2401), np.geomspace(12.01, 3e3, 2000)])


@dataclass(frozen=True)
class Forecast:
    """Student-t forecasts at every cutoff, each of shape `(n_series, n_tickers, n)` or broadcast to it."""

    loc: Array
    scale: Array
    df: float

    def crps(self, outcome: Array) -> Array:
        """Return the CRPS, interpolated: `StudentT.crps` itself needs seven times as long."""
        return self.scale * np.interp(np.abs(outcome - self.loc) / self.scale, _GRID, _standard_crps(self.df))


@lru_cache
def _standard_crps(df: float) -> Array:
    return (Normal(0.0, 1.0) if df >= GAUSSIAN else StudentT(0.0, 1.0, df)).crps(_GRID)


def equal_forecasts(
    random: np.random.Generator, null: str, world: str, of: Market, step: int, n_baselines: int
) -> list[Forecast]:
    """Return a network and baselines that are no worse than it."""
    truth = of.true_scale() * np.sqrt(step)
    constants = _constants(null, world, step)

    def centre() -> Array:
        return truth * CENTRE * random.standard_normal(truth.shape)

    def follower(phi: float, deviation: float) -> Forecast:
        error = autoregressive(random, truth.shape, phi, deviation)
        return Forecast(centre(), truth * np.exp(error), of.df)

    if null in FOLLOWERS:
        return [follower(FOLLOWERS[null], ERROR) for _ in range(n_baselines + 1)]
    if null in POWERS:
        factor, deviation = constants
        width = factor * np.sqrt(step) * of.ewma(TRAILING) ** POWERS[null]
        return [
            Forecast(centre(), width, EWMA_DF),
            *(follower(0.9, deviation) for _ in range(n_baselines)),
        ]
    slow, fast, noise_slow, noise_fast = constants

    def ewma(decay: float, factor: float, noise: float) -> Forecast:
        error = autoregressive(random, truth.shape, 0.9, noise)
        return Forecast(centre(), factor * np.sqrt(step) * of.ewma(decay) * np.exp(error), EWMA_DF)

    return [ewma(0.97, slow, noise_slow), *(ewma(0.9, fast, noise_fast) for _ in range(n_baselines))]


def better_forecasts(
    random: np.random.Generator, world: str, of: Market, step: int, gain: float, n_baselines: int
) -> list[Forecast]:
    """Return a network whose expected CRPS is less than that of every baseline by `gain` percent.

    All know the true volatility but for errors AR(.9); the errors of the baselines are half common.
    """
    truth = of.true_scale() * np.sqrt(step)
    deviation = _deviation_for(world, step, gain)

    def error(size: float) -> Array:
        return autoregressive(random, truth.shape, 0.9, size)

    def centre() -> Array:
        return truth * CENTRE * random.standard_normal(truth.shape)

    common = error(deviation * np.sqrt(0.5))
    baselines = [common + error(deviation * np.sqrt(0.5)) for _ in range(n_baselines)]
    return [Forecast(centre(), truth * np.exp(one), of.df) for one in (error(ERROR * 2 / 3), *baselines)]


@dataclass(frozen=True)
class _Sample:
    """Series of their own, from which constants are solved for."""

    outcome: Array
    truth: Array
    weight: Array
    slow: Array
    fast: Array
    error: Array
    df: float

    def loss(self, scale: Array | float, df: float) -> float:
        """Return the expected CRPS of a scale, with noise in the centre."""
        forecast = Forecast(np.array(0.0), np.broadcast_to(scale, self.outcome.shape), df)
        return float(np.mean(self.weight * forecast.crps(self.outcome)))

    def best(self, volatility: Array | float) -> float:
        """Return the factor of `volatility` that has the least loss."""
        found = optimize.minimize_scalar(
            lambda factor: self.loss(factor * volatility, EWMA_DF), (0.3, 1.0), tol=1e-3, method="brent"
        )
        return float(found.x)


@lru_cache(maxsize=2)
def _sample(world: str, step: int) -> _Sample:
    random = np.random.default_rng([3, step])
    of = market(random, world, N_SOLVE, 1, 2500)
    # Noise of the centre is moved to the outcome: their difference is what counts.
    truth = of.true_scale() * np.sqrt(step)
    outcome = of.outcome(step) + truth * CENTRE * random.standard_normal(truth.shape)
    root = np.sqrt(step)
    arrays = (outcome, truth, 1 / of.ewma(TRAILING), root * of.ewma(0.97), root * of.ewma(0.9))
    thin = [np.ascontiguousarray(one[..., ::THIN]) for one in arrays]
    error = random.standard_normal(thin[0].shape)
    return _Sample(*thin, error=error, df=of.df)


@cache
def _constants(null: str, world: str, step: int) -> tuple[float, ...]:
    """Return what makes the forecasters of a null hypothesis equal, or the best factors."""
    if null in FOLLOWERS:
        return ()
    sample = _sample(world, step)
    if null in POWERS:
        width = np.sqrt(step) * sample.weight ** -POWERS[null]
        factor = sample.best(width)
        target = sample.loss(factor * width, EWMA_DF)
        return factor, _solve(
            lambda s: sample.loss(sample.truth * np.exp(s * sample.error), sample.df) - target
        )
    slow, fast = sample.best(sample.slow), sample.best(sample.fast)
    of_slow, of_fast = sample.loss(slow * sample.slow, EWMA_DF), sample.loss(fast * sample.fast, EWMA_DF)
    volatility, factor = (sample.slow, slow) if of_slow < of_fast else (sample.fast, fast)
    target = max(of_slow, of_fast)

    def gap(share: float, noise: float) -> float:
        return sample.loss(share * factor * volatility * np.exp(noise * sample.error), EWMA_DF) - target

    if null == NARROW:
        share = _solve(lambda x: gap(x, 0.0), 0.3, 1.0)
        return (share * slow, fast, 0.0, 0.0) if of_slow < of_fast else (slow, share * fast, 0.0, 0.0)
    noise = _solve(lambda x: gap(1.0, x))
    return (slow, fast, noise, 0.0) if of_slow < of_fast else (slow, fast, 0.0, noise)


@cache
def _deviation_for(world: str, step: int, gain: float) -> float:
    sample = _sample(world, step)

    def loss(deviation: float) -> float:
        return sample.loss(sample.truth * np.exp(deviation * sample.error), sample.df)

    target = loss(ERROR * 2 / 3) / (1 - gain / 100)
    return _solve(lambda deviation: loss(deviation) - target)


def _solve(gap: Callable[[float], float], low: float = 0.0, high: float = 1.5) -> float:
    return float(optimize.brentq(gap, low, high, xtol=2e-4))
