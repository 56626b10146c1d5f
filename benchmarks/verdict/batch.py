"""The verdict's claims about many series at once: `judge` itself needs half a second for one series.

The formulas are those of `lstm_stock.scoring.significance`; `claims.agreement` compares the claims with `judge`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.special import ndtr, stdtr

from lstm_stock.distributions.base import Array
from lstm_stock.scoring.significance import rejected_in_families, truncation
from lstm_stock.scoring.significance.consistency import MAX_P_OF_THIRD, MIN_VOLATILITY_RATIO
from lstm_stock.scoring.verdict.thresholds import MIN_WIDTH_SLOPE

from .forecasters import Forecast
from .worlds import Market


@dataclass(frozen=True)
class StepLosses:
    """What the claims about a network are computed from, at one step; every array is `(n_series, n_tickers, n)`.

    Attributes:
        step: The step.
        volatility: Trailing volatility.
        crps: CRPS of the network less that of each baseline, in units of trailing volatility.
        squares: Squared error of the network's point less that of the point baseline.
        up: Whether the outcome is a rise.
        forecast_up: Whether the network forecasts one.
        width: Scale of the network's forecast.
    """

    step: int
    volatility: Array
    crps: list[Array]
    squares: Array
    up: Array
    forecast_up: Array
    width: Array

    @classmethod
    def of(cls, market: Market, step: int, forecasts: list[Forecast], naive: Array) -> StepLosses:
        """Score a network, the first of `forecasts`, and its baselines; `naive` is the point baseline."""
        outcome, volatility, network = market.outcome(step), market.ewma(0.94), forecasts[0]
        ours, *theirs = (one.crps(outcome) / volatility for one in forecasts)
        return cls(
            step,
            volatility,
            [ours - one for one in theirs],
            (outcome - network.loc) ** 2 - (outcome - naive) ** 2,
            outcome > 0,
            network.loc > 0,
            np.broadcast_to(network.scale, outcome.shape),
        )

    def first(self, n: int) -> StepLosses:
        """Return the first `n` cutoffs."""
        arrays = (self.squares, self.up, self.forecast_up, self.width)
        crps = [one[..., :n] for one in self.crps]
        return StepLosses(self.step, self.volatility[..., :n], crps, *(one[..., :n] for one in arrays))

    def by_ticker(self) -> StepLosses:
        """Return every ticker as a series of its own."""

        def apart(values: Array) -> Array:
            return values.reshape(-1, 1, values.shape[-1])

        arrays = (self.squares, self.up, self.forecast_up, self.width)
        crps = [apart(one) for one in self.crps]
        return StepLosses(self.step, apart(self.volatility), crps, *(apart(one) for one in arrays))


def p_less(differential: Array, step: int = 1) -> Array:
    """Return the one-sided p-value of `mean_test` of each series, shape `(..., n)` to `(...)`."""
    n = differential.shape[-1]
    width = truncation(n, step)
    mean = differential.mean(axis=-1)
    length = fft.next_fast_len(n + width, real=True)
    spectrum = fft.rfft(differential - mean[..., None], length, axis=-1)
    lags = np.arange(1, width)
    weights = 1 - lags / width
    covariances = fft.irfft(spectrum.real**2 + spectrum.imag**2, length, axis=-1)[..., :width] / n
    correction = 1 - (n + 2 * np.sum(weights * (n - lags))) / n**2
    variance = (covariances[..., 0] + 2 * covariances[..., 1:] @ weights) / correction
    return stdtr(1.5 * n / width, mean / np.sqrt(variance / n))


def claims(steps: list[StepLosses], alpha: float) -> tuple[Array, Array]:
    """Return what is claimed to be better, and worse.

    Returns:
        Each of shape `(n_series, n_claims)`: for every step the point, the direction, and the CRPS against each
        baseline.
    """
    tests = [_one_sided(one, alpha) for one in steps]
    better, worse = (_rejected([family for one in tests for family in one[side]], alpha) for side in (0, 1))
    return better, worse


def _one_sided(losses: StepLosses, alpha: float) -> tuple[list[list[Array]], list[list[Array]]]:
    """Return the p-values of 'better' and of 'worse', by question."""
    point, direction = p_less(losses.squares.mean(axis=1), losses.step), _direction(losses)
    d = np.stack([one.mean(axis=1) for one in losses.crps], axis=1)
    p = p_less(d, losses.step)
    better, worse = p.copy(), 1 - p
    # The thirds count only where something may be claimed.
    rows = np.flatnonzero((np.minimum(p, 1 - p) < alpha).any(axis=1))
    if len(rows):
        volatility = np.exp(np.log(losses.volatility[rows]).mean(axis=1))
        third = _thirds(volatility)
        changed = _has_changed(volatility, third)[:, None]
        inside = np.stack(
            [p_less(np.where(third[:, None] == i, d[rows], 0.0), losses.step) for i in range(3)]
        )
        better[rows] = np.where(changed & (inside.max(axis=0) < MAX_P_OF_THIRD), better[rows], 1.0)
        worse[rows] = np.where(changed & (inside.min(axis=0) > 1 - MAX_P_OF_THIRD), worse[rows], 1.0)
    better[width_slope(losses.width, losses.volatility) < MIN_WIDTH_SLOPE] = np.nan
    return [[point], [1 - direction], [*better.T]], [[1 - point], [direction], [*worse.T]]


def _direction(losses: StepLosses) -> Array:
    """Return the p-values of being wrong more often than by chance; of one ticker by Pesaran & Timmermann 1992."""
    up, forecast_up = losses.up, losses.forecast_up
    p, q = up.mean(axis=-1, keepdims=True), forecast_up.mean(axis=-1, keepdims=True)
    products = 2 * (up - p) * (forecast_up - q)
    if up.shape[1] > 1 or losses.step > 1:
        return p_less(products.mean(axis=1), losses.step)
    n = up.shape[-1]
    expected = p * q + (1 - p) * (1 - q)
    v = expected * (1 - expected) / n
    w = ((2 * p - 1) ** 2 * q * (1 - q) + (2 * q - 1) ** 2 * p * (1 - p)) / n
    w += 4 * p * q * (1 - p) * (1 - q) / n**2
    return ndtr(products.mean(axis=-1) / np.sqrt(v - w)[..., 0])[:, 0]


def _thirds(volatility: Array) -> Array:
    order = np.argsort(volatility, axis=-1, kind="stable")
    found = np.empty(volatility.shape, np.int8)
    n = volatility.shape[-1]
    np.put_along_axis(found, order, np.broadcast_to(3 * np.arange(n) // n, volatility.shape), axis=-1)
    return found


def _has_changed(volatility: Array, thirds: Array) -> Array:
    quiet, wild = (np.mean(volatility, axis=-1, where=thirds == third) for third in (0, 2))
    return wild >= MIN_VOLATILITY_RATIO * quiet


def width_slope(width: Array, volatility: Array) -> Array:
    """Return the slope of log width on log trailing volatility within tickers, shape `(n_series,)`."""
    x, y = np.log(volatility), np.log(width)
    x = x - x.mean(axis=-1, keepdims=True)
    return (x * y).sum(axis=(1, 2)) / (x * x).sum(axis=(1, 2))


def _rejected(families: list[list[Array]], alpha: float) -> Array:
    p_values = np.stack([one for family in families for one in family], axis=-1)
    ends = np.cumsum([len(family) for family in families])[:-1]
    found = np.zeros(p_values.shape, bool)
    for i in np.flatnonzero((p_values < alpha).any(axis=-1)):
        rejected, _ = rejected_in_families(np.split(p_values[i], ends), alpha)
        found[i] = np.concatenate(rejected)
    return found


def bound(n_series: int, alpha: float = 0.05) -> float:
    """Return `alpha` plus two standard errors of a share of `n_series`, in percent."""
    return 100 * (alpha + 2 * math.sqrt(alpha * (1 - alpha) / n_series))
