"""Equal mixtures: quantiles by a root search, `E|X - X'|/2` by quadrature."""

# ruff: noqa: D102 - methods are documented in the base class
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_stock.distributions.base import Array, Distribution, Rows, set_fields
from lstm_stock.distributions.parametric import Parametric
from lstm_stock.distributions.piecewise import Piecewise
from lstm_stock.distributions.point import PointForecast

NODES, MAX_NODES = 32, 2**9
"""Intervals of the coarser sum of the quadrature: at the start, and at most."""

TOLERANCE = 1e-9
"""Relative change at which doubling stops; the error left is far less, since each doubling squares it."""

CHUNK = 2**18
"""Numbers in memory at once, about, during the quadrature."""


@dataclass(frozen=True, eq=False)
class Mixture(Distribution):
    """An equal mixture of several forecasts, as of networks trained from several seeds.

    The components are all parametric (`Normal`, `StudentT`), all piecewise (`QuantileFan`, `Empirical`) or all
    `PointForecast`; mixtures do not nest. `E|X - y|` is the components' mean. `E|X - X'|/2` is the integral of
    `F(1 - F)`, which does not depend on the outcome: exact for piecewise components, by quadrature for parametric
    ones (see `_parametric_half_mean_difference`). A quantile is the least x with `cdf(x) >= p`: for several
    `Empirical` it is a sample, not interpolated as that of a single one.

    Attributes:
        components: The forecasts mixed, all of one shape.

    Raises:
        ValueError: There is no component, or they differ in shape or kind.

    >>> from lstm_stock.distributions import Normal
    >>> Mixture([Normal(-1.0, 1.0), Normal(3.0, 1.0)]).cdf(1.0).item()
    0.5
    """

    components: tuple[Distribution, ...]

    def __init__(self, components: Sequence[Distribution]) -> None:
        names = ", ".join(type(component).__name__ for component in components)
        kinds = (Parametric, Piecewise, PointForecast)
        if not any(
            components and all(isinstance(component, kind) for component in components) for kind in kinds
        ):
            raise ValueError(
                f"`components` must be all parametric, all piecewise or all points, got [{names}]"
            )
        shapes = list(dict.fromkeys(component.shape for component in components))
        if len(shapes) > 1:
            raise ValueError(f"`components` must have one shape, got {shapes}")
        set_fields(self, tuple(components))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.components[0].shape

    def quantile(self, p: float) -> Array:
        # The mixture's quantile lies between the least and the greatest of the components' quantiles.
        quantiles = self._each(lambda component: component.quantile(p))
        if isinstance(self.components[0], PointForecast):
            return np.asarray(np.median(quantiles, axis=0))
        low, high, slack = quantiles.min(axis=0), quantiles.max(axis=0), 0.0
        supports = [component.support() for component in self.components if isinstance(component, Piecewise)]
        if len(supports) > 1:
            # Interpolated quantiles of samples do not bracket it. The slack makes a cdf that is p but for
            # rounding count as above p, so that the least such x is found.
            low, high = (
                np.min([end[0] for end in supports], axis=0),
                np.max([end[1] for end in supports], axis=0),
            )
            slack = 1e-15
        return _root(lambda x: self.cdf(x) - p + slack, low, high)

    def cdf(self, y: ArrayLike) -> Array:
        return self._mean(lambda component: component.cdf(y))

    def abs_error(self, y: ArrayLike) -> Array:
        return self._mean(lambda component: component.abs_error(y))

    def crps(self, y: ArrayLike) -> Array:
        if len(self.components) == 1 or isinstance(self.components[0], PointForecast):
            return self._mean(lambda component: component.crps(y))
        return self.abs_error(y) - self._half_mean_difference()

    def log_score(self, y: ArrayLike) -> Array:
        scores = self._each(lambda component: component.log_score(y))
        best = scores.min(axis=0)
        return np.asarray(best - np.log(np.mean(np.exp(best - scores), axis=0)))

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> Mixture:
        return Mixture([component.rescale(scale, shift) for component in self.components])

    def take(self, rows: Rows) -> Mixture:
        return Mixture([component.take(rows) for component in self.components])

    def _each(self, method: Callable[[Distribution], Array]) -> Array:
        return np.stack([method(component) for component in self.components])

    def _mean(self, method: Callable[[Distribution], Array]) -> Array:
        return np.asarray(self._each(method).mean(axis=0), np.float64)

    def _half_mean_difference(self) -> Array:
        """Return `E|X - X'|/2`, computed for a few cutoffs at a time to bound memory."""
        if not self.shape:
            return np.asarray(
                Mixture([component.take(None) for component in self.components])._half_mean_difference()[0],
                np.float64,
            )
        if 0 in self.shape:
            return np.empty(self.shape)
        parametric = [component for component in self.components if isinstance(component, Parametric)]
        if parametric:
            return _parametric_half_mean_difference(parametric)
        piecewise = [component for component in self.components if isinstance(component, Piecewise)]
        n_points = sum(component.n_breakpoints for component in piecewise) * int(np.prod(self.shape[1:]))
        n_rows = max(1, CHUNK // n_points)
        starts = range(0, self.shape[0], n_rows)
        return np.concatenate(
            [
                _piecewise_half_mean_difference(
                    [component.take(slice(i, i + n_rows)) for component in piecewise]
                )
                for i in starts
            ]
        )


def _piecewise_half_mean_difference(components: Sequence[Piecewise]) -> Array:
    """Integrate `F(1 - F)` of an equal mixture of piecewise forecasts, exactly.

    Between neighbouring breakpoints of all components, F is linear and F(1 - F) a parabola, so Gauss-Legendre
    quadrature with two nodes is exact; no node is on a jump.
    """
    points = np.sort(np.concatenate([component.breakpoints() for component in components]), axis=0)
    width = np.diff(points, axis=0)
    total = np.zeros(points.shape[1:])
    for node in (-1 / np.sqrt(3), 1 / np.sqrt(3)):
        x = points[:-1] + width * (1 + node) / 2
        probability = sum((component.cdf(x) for component in components), np.zeros_like(x)) / len(components)
        total += np.sum(width / 2 * probability * (1 - probability), axis=0)
    return total


def _parametric_half_mean_difference(
    components: Sequence[Parametric], by_panels: bool = False, n: int = NODES
) -> Array:
    """Integrate `F(1 - F)` of an equal mixture of parametric forecasts, to a relative error of 1e-10 or better.

    Both rules are trapezoidal in t after a double exponential substitution, which cuts off even a tail of
    `|x|^-1.1`, and converge exponentially (Takahasi & Mori 1974, Publications of RIMS 9). `_whole_line` is cheap
    and serves components that overlap; where it does not converge, `_panels` does.

    Args:
        components: The components, of one shape with at least one axis.
        by_panels: Whether to use `_panels`.
        n: Intervals of the coarser of the two sums compared.
    """
    integrand = (_panels if by_panels else _whole_line)(components)

    def total(nodes: Array) -> Array:
        batches = np.array_split(nodes, max(1, len(nodes) * components[0].loc.size // CHUNK))
        columns = (batch.reshape(-1, *(1 for _ in components[0].shape)) for batch in batches)
        return sum((integrand(column).sum(axis=0) for column in columns), np.zeros(components[0].shape))

    nodes = np.linspace(-1, 1, 2 * n + 1)
    coarse = total(nodes[::2]) * 2 / n
    fine = coarse / 2 + total(nodes[1::2]) / n
    moving = np.atleast_1d((np.abs(fine - coarse) > TOLERANCE * fine).reshape(len(fine), -1).any(axis=1))
    if moving.any():
        rest = [component.take(moving) for component in components]
        if n < MAX_NODES:
            fine[moving] = _parametric_half_mean_difference(rest, by_panels, 2 * n)
        elif not by_panels:
            fine[moving] = _parametric_half_mean_difference(rest, by_panels=True)
    return fine


def _whole_line(components: Sequence[Parametric]) -> Callable[[Array], Array]:
    """Map -1..1 to the whole line, `x = centre + width sinh(pi/2 sinh t)`; return `F(1 - F) dx` there."""
    loc = np.stack([component.loc for component in components])
    centre, width = loc.mean(axis=0), np.min([component.scale for component in components], axis=0)
    t_max = np.arcsinh((_log_tail_bound(components, centre, width) + np.log(2)) * 2 / np.pi)

    def integrand(node: Array) -> Array:
        t = t_max * node
        u = np.pi / 2 * np.sinh(t)
        slope: Array = width * np.cosh(u) * np.pi / 2 * np.cosh(t) * t_max
        return _variance(components, centre + width * np.sinh(u)) * slope

    return integrand


def _panels(components: Sequence[Parametric]) -> Callable[[Array], Array]:
    """Cut the line at every component's location; return the sum over the pieces of `F(1 - F) dx` at -1..1.

    Nodes are dense at both ends of a piece, which resolves narrow components far apart:
    `x = a + (b - a) / (1 + exp(-pi sinh t))` inside, `x = a + width exp(pi/2 sinh t)` outside.
    """
    edges = np.sort([component.loc for component in components], axis=0)
    width = np.min([component.scale for component in components], axis=0)
    # Beyond these ends lies under 1e-15 of a piece.
    t_inner, t_low = np.arcsinh(36 / np.pi), np.arcsinh(-36 * 2 / np.pi)
    sides = [(edges[0], -1.0), (edges[-1], 1.0)]
    t_high = [np.arcsinh(_log_tail_bound(components, edge, width) * 2 / np.pi) for edge, _ in sides]

    def integrand(node: Array) -> Array:
        t = t_inner * node
        share = 1 / (1 + np.exp(-np.pi * np.sinh(t)))
        slope = share * (1 - share) * np.pi * np.cosh(t) * t_inner
        total = np.zeros(np.broadcast_shapes(node.shape, width.shape))
        for a, b in pairwise(edges):
            total += _variance(components, a + (b - a) * share) * (b - a) * slope
        for (edge, sign), t_end in zip(sides, t_high, strict=True):
            half = (t_end - t_low) / 2
            t = t_low + half * (1 + node)
            distance = width * np.exp(np.pi / 2 * np.sinh(t))
            total += _variance(components, edge + sign * distance) * distance * np.pi / 2 * np.cosh(t) * half
        return total

    return integrand


def _variance(components: Sequence[Parametric], x: Array) -> Array:
    """Return `F(1 - F)` of the mixture at full relative precision in both tails."""
    below, above = (
        np.mean(side, axis=0) for side in zip(*(component.tails(x) for component in components), strict=True)
    )
    return np.asarray(below * above, np.float64)


def _log_tail_bound(components: Sequence[Parametric], centre: Array, width: Array) -> Array:
    """Return the log of the distance from `centre`, in multiples of `width`, where the quadrature ends.

    At most 650, since sinh overflows past 710; only a tail heavier than 1.05 degrees of freedom reaches so far.
    """
    distance = [np.log(np.maximum(np.abs(component.loc - centre), width)) for component in components]
    reach = np.logaddexp(distance, [component.log_tail_bound() for component in components]).max(
        axis=0
    ) - np.log(width)
    return np.asarray(np.minimum(reach, 650), np.float64)


def _root(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where an increasing function passes 0 between `low` and `high`; the nearer end if it does not.

    Where the function jumps over 0, that is the point right of the jump.
    """
    # Imported here, since it takes a third of a second and only mixtures need it.
    from scipy.optimize.elementwise import find_root

    width, at_low, at_high = high - low, function(low), function(high)

    def at(share: Array, cell: NDArray[np.int64]) -> Array:
        # SciPy passes only the cells that have not converged; a distribution is evaluated as a whole.
        shares = np.zeros(low.size)
        shares[cell] = share
        return function(low + shares.reshape(low.shape) * width).ravel()[cell]

    cells = np.arange(low.size).reshape(low.shape)
    found = find_root(
        at,
        (np.zeros(low.shape), np.ones(low.shape)),
        args=(cells,),
        tolerances={"xatol": 4 * float(np.finfo(np.float64).eps), "xrtol": 0.0},
    )
    root = low + np.where(found.f_x == 0, found.x, np.maximum(*found.bracket)) * width
    return np.where(at_low >= 0, low, np.where(at_high <= 0, high, root))
