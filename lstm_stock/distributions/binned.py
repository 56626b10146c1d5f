"""The equally probable bins of a Student-t, with other probabilities."""

# ruff: noqa: D102 - methods are documented in the base class
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_stock.distributions.base import (
    Array,
    Distribution,
    Rows,
    affine,
    checked,
    finite,
    pick,
    positive,
    probability_of,
    set_fields,
)
from lstm_stock.distributions.parametric import REFERENCE_DF
from lstm_stock.distributions.special import stdtr, stdtrit

REFERENCE_SCALE = math.sqrt((REFERENCE_DF - 2) / REFERENCE_DF)
"""Scale of the reference, the Student-t whose quantiles are the bin edges; its variance is 1."""

PEAK = (
    math.gamma((REFERENCE_DF + 1) / 2)
    / math.gamma(REFERENCE_DF / 2)
    / (math.sqrt(math.pi * REFERENCE_DF) * REFERENCE_SCALE)
)
"""Density of the reference at 0."""

NODES = 32
"""Nodes of the Gauss-Legendre quadrature in a bin; half as many agree to 1e-12."""


def reference_quantile(u: Array) -> Array:
    """Return the quantiles of the reference, a Student-t of unit variance, at probabilities `u`."""
    return REFERENCE_SCALE * stdtrit(REFERENCE_DF, u)


def bin_edges(n_bins: int) -> Array:
    """Return the inner bin edges, the quantiles `i / n_bins` of the reference, shape `(n_bins - 1,)`.

    >>> bin_edges(4).round(3).tolist()
    [-0.563, 0.0, 0.563]
    """
    return reference_quantile(np.arange(1, n_bins) / n_bins)


def bin_means(n_bins: int) -> Array:
    """Return the mean of the reference inside each bin, shape `(n_bins,)`."""
    return _moments(n_bins).first.copy()


@dataclass(frozen=True, eq=False)
class Binned(Distribution):
    """A histogram whose bins have the shape of a Student-t: `X = loc + scale * Z`.

    The n bins of Z lie between the quantiles `i/n` of the reference, a Student-t with 5 degrees of freedom, unit
    variance, cdf T and density t. Bin k has the probability `p_k`, and inside it Z has the reference's shape:

        density  f(z) = n p_k t(z)
        cdf      F(z) = p_1 + ... + p_{k-1} + p_k (n T(z) - (k - 1))

    Equal probabilities give the reference itself. The outermost bins are its tails: the density is finite, and
    positive everywhere if all `p_k` are. In a bin with `p_k = 0` the log score is infinite.

    Attributes:
        probability: Probability of each bin, shape `(n_windows, horizon, n_bins)`; sums to 1 along the last axis.
        loc: Shift, shape `(n_windows, horizon)`.
        scale: Factor, greater than 0, shape `(n_windows, horizon)`.

    Raises:
        ValueError: There are fewer than two bins, the probabilities are negative or do not sum to 1, a parameter
            is not finite or `scale` is not positive.

    >>> Binned([[[0.5, 0.0, 0.0, 0.5]]]).quantile(0.75).round(3).item()  # the reference's 7/8
    1.008
    """

    probability: Array
    loc: Array
    scale: Array
    _cumulative: Array

    def __init__(self, probability: ArrayLike, loc: ArrayLike = 0.0, scale: ArrayLike = 1.0) -> None:
        share = checked("probability", probability, "at least 0", lambda x: np.isfinite(x) & (x >= 0))
        if share.ndim == 0 or share.shape[-1] < 2:
            raise ValueError(
                f"`probability` must end in an axis of two or more bins, got the shape {share.shape}"
            )
        total = share.sum(axis=-1, keepdims=True)
        if np.any(np.abs(total - 1) > 1e-6):
            off = float(total.ravel()[np.abs(total - 1).argmax()])
            raise ValueError(f"`probability` must sum to 1 along its last axis, got {off:g}")
        share = share / total
        shape = share.shape[:-1]
        cumulative = np.zeros((*shape, share.shape[-1] + 1))
        cumulative[..., 1:] = np.minimum(np.cumsum(share, axis=-1), 1.0)
        cumulative[..., -1] = 1.0
        loc = np.broadcast_to(finite("loc", loc), shape)
        set_fields(self, share, loc, np.broadcast_to(positive("scale", scale), shape), cumulative)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.loc.shape

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.probability.shape[-1])

    def quantile(self, p: float) -> Array:
        n_below = np.sum(self._cumulative[..., 1:-1] <= probability_of(p), axis=-1)
        start, inside = self._of_bin(n_below)
        # The bin that contains p has a positive probability; rounding may put the share outside 0..1.
        share = np.clip((p - start) / np.where(inside > 0, inside, 1.0), 0.0, 1.0)
        u = np.clip((n_below + share) / self.n_bins, np.finfo(np.float64).tiny, 1 - 2.0**-53)
        return self.loc + self.scale * reference_quantile(u)

    def cdf(self, y: ArrayLike) -> Array:
        z, u, which = self._locate(y)
        start, inside = self._of_bin(which)
        return np.where(np.isnan(z), np.nan, np.clip(start + inside * (self.n_bins * u - which), 0.0, 1.0))

    def abs_error(self, y: ArrayLike) -> Array:
        # E|Z - z| = E Z - z + 2 E max(z - Z, 0), the last term over the bins below z and a part of z's own bin.
        z, u, which = self._locate(y)
        start, inside = self._of_bin(which)
        moments, n = _moments(self.n_bins), self.n_bins
        weighted = self.probability * moments.first
        lower = np.concatenate([np.zeros((*self.shape, 1)), np.cumsum(weighted, axis=-1)], axis=-1)
        below = start + inside * (n * u - which)
        partial = pick(lower, which) + inside * n * (moments.tail[which] - _tail_moment(z))
        mean: Array = weighted.sum(axis=-1)
        return self.scale * (mean - z + 2 * (z * below - partial))

    def crps(self, y: ArrayLike) -> Array:
        return self.abs_error(y) - self.scale * self._half_mean_difference()

    def log_score(self, y: ArrayLike) -> Array:
        z, _, which = self._locate(y)
        with np.errstate(divide="ignore"):  # log(0) of an empty bin
            log_probability = np.log(self._of_bin(which)[1])
        return np.log(self.scale) - log_probability - math.log(self.n_bins) - _log_density(z)

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> Binned:
        factor, offset = affine(scale, shift)
        return Binned(self.probability, offset + factor * self.loc, factor * self.scale)

    def take(self, rows: Rows) -> Binned:
        return Binned(self.probability[rows], self.loc[rows], self.scale[rows])

    def _locate(self, y: ArrayLike) -> tuple[Array, Array, NDArray[np.intp]]:
        """Return `y` in units of the reference, the reference's cdf there, and the index of the bin."""
        z = (np.asarray(y, np.float64) - self.loc) / self.scale
        which = np.where(np.isnan(z), 0, np.searchsorted(bin_edges(self.n_bins), z, side="right"))
        return z, stdtr(REFERENCE_DF, z / REFERENCE_SCALE), which

    def _of_bin(self, which: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return the probability below bin `which`, and that of the bin."""
        return pick(self._cumulative, which), pick(self.probability, which)

    def _half_mean_difference(self) -> Array:
        """Return `E|Z - Z'|/2`, the integral of `F(1 - F)`; in each bin F is linear in the reference's cdf."""
        moments, p = _moments(self.n_bins), self.probability
        start, inner = self._cumulative[..., 1:-2], p[..., 1:-1]
        total = (
            (start * (1 - start)) @ moments.width
            + (inner * (1 - 2 * start)) @ moments.rise
            - inner**2 @ moments.rise_squared
        )
        for tail in (p[..., 0], p[..., -1]):
            total = total + tail * moments.tail_rise - tail**2 * moments.tail_rise_squared
        return np.asarray(total, np.float64)


def _log_density(z: Array) -> Array:
    """Return the log density of the reference."""
    tail = np.log1p((z / REFERENCE_SCALE) ** 2 / REFERENCE_DF)
    return np.asarray(math.log(PEAK) - (REFERENCE_DF + 1) / 2 * tail, np.float64)


def _tail_moment(z: Array) -> Array:
    """Return the integral of `x t(x)` from z to infinity: `(df scale^2 + z^2) / (df - 1) t(z)`."""
    # Without one power of 1 + z^2/3 of t(z), so that a far outcome does not overflow.
    tail = np.log1p((z / REFERENCE_SCALE) ** 2 / REFERENCE_DF)
    factor = REFERENCE_DF * REFERENCE_SCALE**2 / (REFERENCE_DF - 1)
    return np.asarray(factor * PEAK * np.exp((1 - REFERENCE_DF) / 2 * tail), np.float64)


@dataclass(frozen=True)
class _Moments:
    """Integrals over the bins, in units of the reference; w rises from 0 to 1 in a bin, linear in its cdf.

    Attributes:
        first: Mean inside each bin, shape `(n_bins,)`.
        tail: `_tail_moment` at the lower end of each bin, shape `(n_bins,)`.
        width: Width of the inner bins, shape `(n_bins - 2,)`.
        rise: Integral of w over the inner bins, shape `(n_bins - 2,)`.
        rise_squared: Integral of `w^2` over the inner bins, shape `(n_bins - 2,)`.
        tail_rise: Integral of w over the lowest bin, equal to that of `1 - w` over the highest.
        tail_rise_squared: Integral of `w^2` over the lowest bin.
    """

    first: Array
    tail: Array
    width: Array
    rise: Array
    rise_squared: Array
    tail_rise: float
    tail_rise_squared: float


@lru_cache(maxsize=8)
def _moments(n_bins: int) -> _Moments:
    edges = bin_edges(n_bins)
    tail = np.concatenate([[0.0], _tail_moment(edges), [0.0]])
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    share, weights = (nodes + 1) / 2, weights / 2
    width = np.diff(edges)
    z = edges[:-1] + width * share[:, None]
    w = n_bins * stdtr(REFERENCE_DF, z / REFERENCE_SCALE) - np.arange(1, n_bins - 1)
    # In the lowest bin the cdf falls as |z|^-5, and the integrand is smooth in its fifth root.
    u = share**REFERENCE_DF / n_bins
    slope = REFERENCE_DF * share ** (REFERENCE_DF - 1) / n_bins / np.exp(_log_density(reference_quantile(u)))
    return _Moments(
        first=n_bins * (tail[:-1] - tail[1:]),
        tail=tail[:-1],
        width=width,
        rise=width * (weights @ w),
        rise_squared=width * (weights @ w**2),
        tail_rise=float(weights @ (slope * n_bins * u)),
        tail_rise_squared=float(weights @ (slope * (n_bins * u) ** 2)),
    )
