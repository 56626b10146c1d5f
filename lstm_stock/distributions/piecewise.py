"""Distributions with a piecewise linear cdf with jumps: a few quantiles, and samples."""

# ruff: noqa: D102 - methods are documented in the base class
from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_stock.distributions.base import (
    Array,
    Distribution,
    Rows,
    affine,
    finite,
    no_score,
    positive,
    probability_of,
    set_fields,
)


class Piecewise(Distribution):
    """A distribution with a piecewise linear cdf with jumps, and without a density."""

    @property
    @abstractmethod
    def n_breakpoints(self) -> int:
        """Number of breakpoints of one forecast."""

    def log_score(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    @abstractmethod
    def take(self, rows: Rows) -> Piecewise: ...

    @abstractmethod
    def support(self) -> tuple[Array, Array]:
        """Return the least and the greatest possible value of X."""

    @abstractmethod
    def breakpoints(self) -> Array:
        """Return the points where the cdf jumps or bends, shape `(n_breakpoints, *shape)`."""


@dataclass(frozen=True, eq=False)
class QuantileFan(Piecewise):
    """A few quantiles and a linear cdf between them.

    The probability beyond the outermost quantiles is on these quantiles. Quantiles that cross are sorted, which
    never moves them away from the true ones (Chernozhukov, Fernandez-Val & Galichon 2010, Econometrica 78).

    Attributes:
        probabilities: Increasing, between 0 and 1, shape `(n_quantiles,)`.
        values: The quantiles, sorted, shape `(n_windows, horizon, n_quantiles)`.

    Raises:
        ValueError: The probabilities do not increase or are not between 0 and 1, there are not as many values,
            or one is not finite.

    >>> fan = QuantileFan([0.25, 0.75], [[[0.0, 1.0]]])
    >>> fan.quantile(0.5).item(), fan.cdf(0.5).item(), fan.quantile(0.9).item()
    (0.5, 0.5, 1.0)
    """

    probabilities: Array
    values: Array

    def __init__(self, probabilities: ArrayLike, values: ArrayLike) -> None:
        probabilities, values = np.asarray(probabilities, np.float64), finite("values", values)
        inside = (
            probabilities.ndim == 1
            and len(probabilities) > 1
            and probabilities[0] > 0
            and probabilities[-1] < 1
        )
        if not inside or not (np.diff(probabilities) > 0).all():
            raise ValueError(
                f"`probabilities` must be two or more increasing probabilities, got {probabilities.tolist()}"
            )
        if values.ndim == 0 or values.shape[-1] != len(probabilities):
            raise ValueError(
                f"`values` must end in an axis of {len(probabilities)} quantiles, got the shape {values.shape}"
            )
        set_fields(self, probabilities, np.sort(values, axis=-1))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape[:-1]

    def quantile(self, p: float) -> Array:
        position = float(np.interp(probability_of(p), self.probabilities, np.arange(len(self.probabilities))))
        left = min(int(position), len(self.probabilities) - 2)
        share = position - left
        return (1 - share) * self.values[..., left] + share * self.values[..., left + 1]

    def cdf(self, y: ArrayLike) -> Array:
        y = np.asarray(y, np.float64)[..., None]
        values, y = np.broadcast_arrays(self.values, y)
        n_below = np.sum(values <= y, axis=-1, keepdims=True)
        right = np.clip(n_below, 1, len(self.probabilities) - 1)
        low, high = (np.take_along_axis(values, index, -1) for index in (right - 1, right))
        # Used only where `low <= y < high`; elsewhere the width must merely not be 0.
        share = (y[..., :1] - low) / np.where(high > low, high - low, 1.0)
        inner = self.probabilities[right - 1] + share * (
            self.probabilities[right] - self.probabilities[right - 1]
        )
        probability = np.where(n_below == 0, 0.0, np.where(n_below == len(self.probabilities), 1.0, inner))
        return np.where(np.isnan(y[..., :1]), np.nan, probability)[..., 0]

    def abs_error(self, y: ArrayLike) -> Array:
        error = self.values - np.asarray(y, np.float64)[..., None]
        below, above = -error[..., :-1], error[..., 1:]
        crossed = (below > 0) & (above > 0)
        width = np.where(crossed, below + above, 1.0)
        inner = np.where(crossed, (below**2 + above**2) / (2 * width), np.abs(above - below) / 2)
        return self._average(np.abs(error[..., 0]), inner, np.abs(error[..., -1]))

    def crps(self, y: ArrayLike) -> Array:
        left, right = self.probabilities[:-1], self.probabilities[1:]
        # Mean of F(1 - F) where F is linear from `left` to `right`.
        rise = (left + right) / 2 - (left**2 + left * right + right**2) / 3
        return self.abs_error(y) - np.diff(self.values, axis=-1) @ rise

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> QuantileFan:
        factor, offset = (np.broadcast_to(part, self.shape)[..., None] for part in affine(scale, shift))
        return QuantileFan(self.probabilities, offset + factor * self.values)

    def take(self, rows: Rows) -> QuantileFan:
        return QuantileFan(self.probabilities, self.values[rows])

    @property
    def n_breakpoints(self) -> int:
        return len(self.probabilities)

    def support(self) -> tuple[Array, Array]:
        return self.values[..., 0], self.values[..., -1]

    def breakpoints(self) -> Array:
        return np.moveaxis(self.values, -1, 0)

    def _average(self, first: Array, inner: Array, last: Array) -> Array:
        outer = self.probabilities[0] * first + (1 - self.probabilities[-1]) * last
        return np.asarray(outer + inner @ np.diff(self.probabilities), np.float64)


@dataclass(frozen=True, eq=False)
class Empirical(Piecewise):
    """Equally likely samples, the same for every cutoff, shifted and scaled: `X = loc + scale * sample`.

    The cdf is the share of samples at or below y. Quantiles are interpolated between samples (type 7 of Hyndman &
    Fan 1996, as `numpy.quantile`). The CRPS is exact and takes `O(log n_samples)` per outcome (Jordan, Krueger &
    Lerch 2019, Journal of Statistical Software 90(12), eq. 3).

    Attributes:
        samples: Sorted along the first axis, shape `(n_samples, horizon)`.
        n: Number of cutoffs.
        loc: Shift, shape `(n, horizon)`.
        scale: Factor, greater than 0, shape `(n, horizon)`.

    Raises:
        ValueError: There is no sample, a parameter is not finite or `scale` is not positive.

    >>> Empirical([[0.0], [1.0], [2.0]], n=1).cdf(1.0).item()
    0.6666666666666666
    """

    samples: Array
    n: int
    loc: Array
    scale: Array
    _centre: Array
    _sums: Array

    def __init__(self, samples: ArrayLike, n: int, loc: ArrayLike = 0.0, scale: ArrayLike = 1.0) -> None:
        samples = finite("samples", samples)
        if samples.ndim != 2 or len(samples) == 0:
            raise ValueError(f"`samples` must have the shape (n_samples, horizon), got {samples.shape}")
        samples = np.sort(samples, axis=0)
        shape = (n, samples.shape[1])
        loc = np.broadcast_to(finite("loc", loc), shape)
        scale = np.broadcast_to(positive("scale", scale), shape)
        # Centred samples keep the precision of the sums when they lie far from 0.
        centre = samples[len(samples) // 2]
        sums = np.concatenate([np.zeros((1, shape[1])), np.cumsum(samples - centre, axis=0)])
        set_fields(self, samples, n, loc, scale, centre, sums)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.loc.shape

    def quantile(self, p: float) -> Array:
        return self.loc + self.scale * np.quantile(self.samples, probability_of(p), axis=0)

    def cdf(self, y: ArrayLike) -> Array:
        z, n_below = self._locate(y)
        return np.where(np.isnan(z), np.nan, n_below / len(self.samples))

    def abs_error(self, y: ArrayLike) -> Array:
        z, n_below = self._locate(y)
        n_samples = len(self.samples)
        below = self._sums[n_below, np.arange(z.shape[-1])]
        total: Array = (z - self._centre) * (2 * n_below - n_samples) + self._sums[-1] - 2 * below
        return self.scale * total / n_samples

    def crps(self, y: ArrayLike) -> Array:
        n_samples = len(self.samples)
        share = np.arange(1, n_samples) / n_samples
        return self.abs_error(y) - self.scale * ((share * (1 - share)) @ np.diff(self.samples, axis=0))

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> Empirical:
        factor, offset = affine(scale, shift)
        return Empirical(self.samples, self.n, offset + factor * self.loc, factor * self.scale)

    def take(self, rows: Rows) -> Empirical:
        loc = self.loc[rows]
        return Empirical(self.samples, len(loc), loc, self.scale[rows])

    @property
    def n_breakpoints(self) -> int:
        return len(self.samples)

    def support(self) -> tuple[Array, Array]:
        return self.loc + self.scale * self.samples[0], self.loc + self.scale * self.samples[-1]

    def breakpoints(self) -> Array:
        return self.loc + self.scale * self.samples[:, None, :]

    def _locate(self, y: ArrayLike) -> tuple[Array, NDArray[np.int64]]:
        """Return `y` in units of the samples, and how many samples are at or below it."""
        z = (np.asarray(y, np.float64) - self.loc) / self.scale
        n_below = np.empty(z.shape, np.int64)
        for i in range(z.shape[-1]):
            n_below[..., i] = np.searchsorted(self.samples[:, i], z[..., i], side="right")
        return z, n_below
