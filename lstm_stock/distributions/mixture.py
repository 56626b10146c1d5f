"""Equal mixtures: a root search for their quantiles, a quadrature for their spread."""

# ruff: noqa: D102 - a method is documented where it is declared, and not again where it is implemented
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize.elementwise import find_root

from lstm_stock.distributions.base import Array, Distribution, Rows, set_fields
from lstm_stock.distributions.parametric import Parametric
from lstm_stock.distributions.piecewise import Piecewise
from lstm_stock.distributions.point import PointForecast

NODES, MAX_NODES = 32, 2**9
"""Quadrature of a mixture's spread: intervals to start with, and of the coarser sum where doubling them ends."""

TOLERANCE = 1e-9
"""Relative change at which doubling ends; the error left is far less, because each doubling squares it."""

CHUNK = 2**18
"""Numbers held at once, about, while a mixture's spread is computed."""


@dataclass(frozen=True, eq=False)
class Mixture(Distribution):
    """Equal shares of several forecasts, as of networks trained from several seeds.

    The components are all smooth (`Normal`, `StudentT`), all stepped (`QuantileFan`, `Empirical`) or all
    `PointForecast`; mixtures do not nest. `E|X - y|` is the components' mean; `E|X - X'|/2` is the integral of
    `F(1 - F)`, which does not depend on the outcome: exact for stepped components, by quadrature for smooth ones
    (see `_parametric_half_mean_difference`). A quantile is the least x with `cdf(x) >= p`, so that of several
    `Empirical` is a sample, not interpolated between two as that of a single one.

    Attributes:
        components: The forecasts mixed, all of one shape.

    Raises:
        ValueError: There is no component, or they differ in shape or kind.

    >>> from lstm_stock.distributions import Normal
    >>> Mixture([Normal(-1.0, 1.0), Normal(3.0, 1.0)]).mean().item()
    1.0
    """

    components: tuple[Distribution, ...]

    def __init__(self, components: Sequence[Distribution]) -> None:
        names = ", ".join(type(part).__name__ for part in components)
        kinds = (Parametric, Piecewise, PointForecast)
        if not any(components and all(isinstance(part, kind) for part in components) for kind in kinds):
            raise ValueError(f"`components` must be all smooth, all stepped or all points, got [{names}]")
        shapes = list(dict.fromkeys(part.shape for part in components))
        if len(shapes) > 1:
            raise ValueError(f"`components` must have one shape, got {shapes}")
        set_fields(self, tuple(components))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.components[0].shape

    def quantile(self, p: float) -> Array:
        # Below the least of the components' quantiles every cdf is under p, above the greatest every one is over.
        quantiles = self._each(lambda part: part.quantile(p))
        if isinstance(self.components[0], PointForecast):
            return np.asarray(np.median(quantiles, axis=0))
        low, high, slack = quantiles.min(axis=0), quantiles.max(axis=0), 0.0
        stepped = [part.support() for part in self.components if isinstance(part, Piecewise)]
        if len(stepped) > 1:
            # That does not hold for interpolated quantiles of samples. A stretch where the cdf is p, but for
            # rounding, counts as over p, so that its least x is found.
            low, high = (
                np.min([end[0] for end in stepped], axis=0),
                np.max([end[1] for end in stepped], axis=0),
            )
            slack = 1e-15
        return _root(lambda x: self.cdf(x) - p + slack, low, high)

    def cdf(self, y: ArrayLike) -> Array:
        return self._mean(lambda part: part.cdf(y))

    def mean(self) -> Array:
        return self._mean(lambda part: part.mean())

    def abs_error(self, y: ArrayLike) -> Array:
        return self._mean(lambda part: part.abs_error(y))

    def crps(self, y: ArrayLike) -> Array:
        if len(self.components) == 1 or isinstance(self.components[0], PointForecast):
            return self._mean(lambda part: part.crps(y))
        return self.abs_error(y) - self._half_mean_difference()

    def log_score(self, y: ArrayLike) -> Array:
        scores = self._each(lambda part: part.log_score(y))
        best = scores.min(axis=0)
        return np.asarray(best - np.log(np.mean(np.exp(best - scores), axis=0)))

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> Mixture:
        return Mixture([part.rescale(scale, shift) for part in self.components])

    def take(self, rows: Rows) -> Mixture:
        return Mixture([part.take(rows) for part in self.components])

    def _each(self, method: Callable[[Distribution], Array]) -> Array:
        return np.stack([method(part) for part in self.components])

    def _mean(self, method: Callable[[Distribution], Array]) -> Array:
        return np.asarray(self._each(method).mean(axis=0), np.float64)

    def _half_mean_difference(self) -> Array:
        """Return `E|X - X'|/2`, a few cutoffs at a time, so that memory does not grow with their number."""
        if not self.shape:
            return np.asarray(
                Mixture([part.take(None) for part in self.components])._half_mean_difference()[0], np.float64
            )
        if 0 in self.shape:
            return np.empty(self.shape)
        smooth = [part for part in self.components if isinstance(part, Parametric)]
        if smooth:
            return _parametric_half_mean_difference(smooth)
        stepped = [part for part in self.components if isinstance(part, Piecewise)]
        n_points = sum(part.n_breakpoints for part in stepped) * int(np.prod(self.shape[1:]))
        n_rows = max(1, CHUNK // n_points)
        starts = range(0, self.shape[0], n_rows)
        return np.concatenate(
            [
                _piecewise_half_mean_difference([part.take(slice(i, i + n_rows)) for part in stepped])
                for i in starts
            ]
        )


def _piecewise_half_mean_difference(parts: Sequence[Piecewise]) -> Array:
    """Integrate `F(1 - F)` of an equal mixture of stepped forecasts, exactly.

    Between neighbouring breakpoints of all parts F is a straight line, F(1 - F) a parabola, and Gauss-Legendre
    with two nodes, neither of which touches a jump, exact.
    """
    points = np.sort(np.concatenate([part.breakpoints() for part in parts]), axis=0)
    width = np.diff(points, axis=0)
    total = np.zeros(points.shape[1:])
    for node in (-1 / np.sqrt(3), 1 / np.sqrt(3)):
        x = points[:-1] + width * (1 + node) / 2
        probability = sum((part.cdf(x) for part in parts), np.zeros_like(x)) / len(parts)
        total += np.sum(width / 2 * probability * (1 - probability), axis=0)
    return total


def _parametric_half_mean_difference(
    parts: Sequence[Parametric], by_panels: bool = False, n: int = NODES
) -> Array:
    """Integrate `F(1 - F)` of an equal mixture of smooth forecasts, to 1e-10 of its value or better.

    Both rules are trapezoidal in t after a double exponential substitution, under which even a tail of `|x|^-1.1`
    soon is negligible, and converge exponentially (Takahasi & Mori 1974, Publications of RIMS 9). `_whole_line` is
    the cheap one, for components that overlap; where it does not settle, `_panels` takes over.

    Args:
        parts: The components, of one shape with at least one axis.
        by_panels: Which rule.
        n: Intervals of the coarser of the two sums compared.
    """
    integrand = (_panels if by_panels else _whole_line)(parts)

    def total(nodes: Array) -> Array:
        batches = np.array_split(nodes, max(1, len(nodes) * parts[0].loc.size // CHUNK))
        columns = (batch.reshape(-1, *(1 for _ in parts[0].shape)) for batch in batches)
        return sum((integrand(column).sum(axis=0) for column in columns), np.zeros(parts[0].shape))

    nodes = np.linspace(-1, 1, 2 * n + 1)
    coarse = total(nodes[::2]) * 2 / n
    fine = coarse / 2 + total(nodes[1::2]) / n
    moving = np.atleast_1d((np.abs(fine - coarse) > TOLERANCE * fine).reshape(len(fine), -1).any(axis=1))
    if moving.any():
        rest = [part.take(moving) for part in parts]
        if n < MAX_NODES:
            fine[moving] = _parametric_half_mean_difference(rest, by_panels, 2 * n)
        elif not by_panels:
            fine[moving] = _parametric_half_mean_difference(rest, by_panels=True)
    return fine


def _whole_line(parts: Sequence[Parametric]) -> Callable[[Array], Array]:
    """Map -1..1 to the whole line, `x = centre + unit sinh(pi/2 sinh t)`; return `F(1 - F) dx` there."""
    loc = np.stack([part.loc for part in parts])
    centre, unit = loc.mean(axis=0), np.min([part.scale for part in parts], axis=0)
    t_max = np.arcsinh((_log_tail_bound(parts, centre, unit) + np.log(2)) * 2 / np.pi)

    def integrand(node: Array) -> Array:
        t = t_max * node
        u = np.pi / 2 * np.sinh(t)
        slope: Array = unit * np.cosh(u) * np.pi / 2 * np.cosh(t) * t_max
        return _variance(parts, centre + unit * np.sinh(u)) * slope

    return integrand


def _panels(parts: Sequence[Parametric]) -> Callable[[Array], Array]:
    """Cut the line at every component's location; return the sum over the pieces of `F(1 - F) dx` at -1..1.

    Nodes crowd at both ends of a piece, so that a component is resolved however narrow it is and however far away
    the others are: `x = a + (b - a) / (1 + exp(-pi sinh t))` inside, `x = a + unit exp(pi/2 sinh t)` outside.
    """
    edges = np.sort([part.loc for part in parts], axis=0)
    unit = np.min([part.scale for part in parts], axis=0)
    # Beyond these, what is left of a piece is under 1e-15 of it.
    t_inner, t_low = np.arcsinh(36 / np.pi), np.arcsinh(-36 * 2 / np.pi)
    sides = [(edges[0], -1.0), (edges[-1], 1.0)]
    t_high = [np.arcsinh(_log_tail_bound(parts, edge, unit) * 2 / np.pi) for edge, _ in sides]

    def integrand(node: Array) -> Array:
        t = t_inner * node
        share = 1 / (1 + np.exp(-np.pi * np.sinh(t)))
        slope = share * (1 - share) * np.pi * np.cosh(t) * t_inner
        total = np.zeros(np.broadcast_shapes(node.shape, unit.shape))
        for a, b in pairwise(edges):
            total += _variance(parts, a + (b - a) * share) * (b - a) * slope
        for (edge, sign), t_end in zip(sides, t_high, strict=True):
            half = (t_end - t_low) / 2
            t = t_low + half * (1 + node)
            distance = unit * np.exp(np.pi / 2 * np.sinh(t))
            total += _variance(parts, edge + sign * distance) * distance * np.pi / 2 * np.cosh(t) * half
        return total

    return integrand


def _variance(parts: Sequence[Parametric], x: Array) -> Array:
    """Return `F(1 - F)` of the mixture, with all its digits in both tails."""
    below, above = (np.mean(side, axis=0) for side in zip(*(part.tails(x) for part in parts), strict=True))
    return np.asarray(below * above, np.float64)


def _log_tail_bound(parts: Sequence[Parametric], centre: Array, unit: Array) -> Array:
    """Return the log of how many units from the centre the mixture still matters, at most 650.

    sinh overflows past 710; only a tail heavier than 1.05 degrees of freedom reaches so far.
    """
    distance = [np.log(np.maximum(np.abs(part.loc - centre), unit)) for part in parts]
    reach = np.logaddexp(distance, [part.log_tail_bound() for part in parts]).max(axis=0) - np.log(unit)
    return np.asarray(np.minimum(reach, 650), np.float64)


def _root(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where an increasing function passes 0 between `low` and `high`; the nearer end if it does not.

    Where the function jumps over 0, that is the point right of the jump.
    """
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
