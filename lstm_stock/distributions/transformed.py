"""A Student-t on a bent scale: skewed, with a tail of its own on each side, and scores in closed form."""

# ruff: noqa: D102 - methods are documented in the base class
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_stock.distributions.base import (
    Array,
    Distribution,
    Rows,
    affine,
    finite,
    pick,
    probability_of,
    set_fields,
)
from lstm_stock.distributions.parametric import StudentT
from lstm_stock.distributions.special import ndtr, stdtr, stdtrit

OUTERMOST = 5.0
"""The outermost knots have the probability of this many standard deviations of a normal, 2.9e-7 beyond them."""

NODES = 64
"""Nodes of the Gauss-Legendre quadrature between two knots; half as many agree to rounding."""


def knots_of(df: float, n_knots: int) -> Array:
    """Return the knots of `TransformedT`, quantiles of the Student-t, dense in its tails, shape `(n_knots,)`.

    Their probabilities are those of values of a normal that are equally far apart.

    >>> knots_of(4.0, 3).round(1).tolist()
    [-56.8, 0.0, 56.8]
    """
    lower = stdtrit(df, ndtr(np.linspace(-OUTERMOST, 0, n_knots // 2, endpoint=False)))
    return np.concatenate([lower, np.zeros(n_knots % 2), -lower[::-1]])


@dataclass(frozen=True, eq=False)
class TransformedT(Distribution):
    """Increasing piecewise linear functions of a Student-t: `X = h(T)`, T with `df` degrees of freedom.

    h is linear between the knots `knots_of(df, n_knots)`, and beyond the outermost ones it goes on with the slope
    of the last piece: each tail falls as that of the Student-t, with a scale of its own. With t the density of T,
    and `u = h^-1(x)`:

        quantile  h(t_p)
        cdf       F(x) = P(T <= u)
        density   f(x) = t(u) / h'(u)

    Where h is a straight line, X is a Student-t. The density jumps where h bends.

    The CRPS is in closed form but for integrals of `F(1 - F)` of T between knots, which are computed once: on a
    piece, every integral of F over x is the slope times the integral of T's cdf over t.

    Attributes:
        df: Degrees of freedom, the same for all forecasts, greater than 1.
        values: h at the knots, the quantiles of X there; increasing, shape `(n_windows, horizon, n_knots)`.

    Raises:
        ValueError: `df` is not a number above 1, there are fewer than five knots, or the values are not finite
            or do not increase.

    >>> straight = TransformedT(4.0, 2 + 3 * knots_of(4.0, 5))
    >>> straight.crps(1.0).round(4).item(), StudentT(2.0, 3.0, 4.0).crps(1.0).round(4).item()
    (0.9146, 0.9146)
    """

    df: float
    values: Array
    _slope: Array

    def __init__(self, df: float, values: ArrayLike) -> None:
        if not (np.isfinite(df) and df > 1):
            raise ValueError(f"`df` must be finite and greater than 1, got {df}")
        values = finite("values", values)
        if values.ndim == 0 or values.shape[-1] < 5:
            raise ValueError(
                f"`values` must end in an axis of five or more knots, got the shape {values.shape}"
            )
        rise = np.diff(values, axis=-1)
        if not (rise > 0).all():
            raise ValueError(
                f"`values` must increase along the last axis, got a step of {float(rise.min()):g}"
            )
        set_fields(self, float(df), values, rise / np.diff(knots_of(df, values.shape[-1])))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape[:-1]

    @property
    def n_knots(self) -> int:
        """Number of knots."""
        return int(self.values.shape[-1])

    def quantile(self, p: float) -> Array:
        t, knots = float(stdtrit(self.df, probability_of(p))), self._knots
        piece = int(np.searchsorted(knots[1:-1], t, side="right"))
        value: Array = self.values[..., piece] + self._slope[..., piece] * (t - knots[piece])
        return value

    def cdf(self, y: ArrayLike) -> Array:
        return stdtr(self.df, self._locate(y)[0])

    def abs_error(self, y: ArrayLike) -> Array:
        # The integral of F up to y and of 1 - F from there on, over whole pieces and the two parts of y's own.
        t, piece = self._locate(y)
        inner = self._knots[1:-1]
        below = np.concatenate([[0.0], self._area_below(inner)])
        above = np.concatenate([self._area_below(-inner), [0.0]])
        zero = np.zeros((*self.shape, 1))
        under = np.concatenate([zero, np.cumsum(self._slope[..., :-1] * np.diff(below), axis=-1)], axis=-1)
        over = np.cumsum((self._slope[..., 1:] * -np.diff(above))[..., ::-1], axis=-1)[..., ::-1]
        over = np.concatenate([over, zero], axis=-1)
        own = (self._area_below(t) - below[piece]) + (self._area_below(-t) - above[piece])
        area: Array = pick(under, piece) + pick(over, piece) + pick(self._slope, piece) * own
        return area

    def crps(self, y: ArrayLike) -> Array:
        return self.abs_error(y) - self._slope @ _half_mean_differences(self.df, self.n_knots)

    def log_score(self, y: ArrayLike) -> Array:
        t, piece = self._locate(y)
        return self._reference.log_score(t) + np.log(pick(self._slope, piece))

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> TransformedT:
        factor, offset = (np.broadcast_to(part, self.shape)[..., None] for part in affine(scale, shift))
        return TransformedT(self.df, offset + factor * self.values)

    def take(self, rows: Rows) -> TransformedT:
        return TransformedT(self.df, self.values[rows])

    @property
    def _knots(self) -> Array:
        return knots_of(self.df, self.n_knots)

    @property
    def _reference(self) -> StudentT:
        return StudentT(0.0, 1.0, self.df)

    def _area_below(self, t: Array) -> Array:
        """Return the integral of T's cdf up to t, `E max(t - T, 0)`; of `1 - cdf` from t on with `-t`."""
        return (self._reference.abs_error(t) + t) / 2

    def _locate(self, y: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
        """Return `h^-1(y)`, and the index of the piece that y is on."""
        y = np.asarray(y, np.float64)
        piece = np.sum(self.values[..., 1:-1] <= y[..., None], axis=-1)
        t = self._knots[piece] + (y - pick(self.values, piece)) / pick(self._slope, piece)
        return t, piece


@lru_cache(maxsize=64)
def _half_mean_differences(df: float, n_knots: int) -> Array:
    """Integrate `F(1 - F)` of the Student-t over each piece, shape `(n_knots - 1,)`.

    The two outermost pieces, which reach to infinity, share what the others leave of the closed form of the whole.
    """
    inner = knots_of(df, n_knots)[1:-1]
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    width = np.diff(inner)
    # F(1 - F) is even: at -|t| both factors keep their precision.
    below = stdtr(df, -np.abs(inner[:-1] + width * (nodes[:, None] + 1) / 2))
    areas = width * (weights @ (below * (1 - below))) / 2
    outer = (StudentT(0.0, 1.0, df).half_mean_difference() - areas.sum()) / 2
    return np.concatenate([[outer], areas, [outer]])
