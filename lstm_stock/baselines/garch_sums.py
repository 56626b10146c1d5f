"""The distribution of the sum of the next k returns of a GARCH, by numerical integration: no random numbers.

The sum is the next return plus a sum of k - 1, whose distribution is known from the variance that this return
leaves. Let `F_k(x; v)` be the cdf of the sum of k returns without their mean, v the variance of the first and Z
its shock, a Student-t of unit variance:

    F_k(x; v) = E F_{k-1}(x - sqrt(v) Z; v'),    v' = omega + (alpha + gamma 1[Z < 0]) v Z^2 + beta v

Each expectation is a quadrature over Z. `F_1` is the model's own Student-t. A sum of more is kept as the function
h of a `TransformedT`, its quantiles at the knots in units of its exact standard deviation, for a few variances v.

That shape changes little and smoothly with v, since it depends on v only through `v / omega`. With
`sqrt(v) = tan(angle)` in units of the in-sample standard deviation, angles from 0 to a quarter turn are all
variances from 0 to infinity; between neighbouring ones of `N_STARTS` equally far apart, h is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import StudentT
from lstm_stock.distributions.base import pick
from lstm_stock.distributions.transformed import knots_of

N_STARTS = 7
"""Variances of the first return that are computed."""

N_KNOTS = 31
"""Knots of each distribution."""

N_NODES = 32
"""Nodes of the Gauss-Legendre quadrature over the shocks of each sign."""

BEYOND = 1e-11
"""Probability of larger shocks, which the quadrature leaves out."""


@dataclass(frozen=True)
class GarchProcess:
    """`v[t+1] = omega + (alpha + gamma 1[e[t] < 0]) e[t]^2 + beta v[t]`, `e[t] = sqrt(v[t]) Z`.

    Attributes:
        omega: Constant, in units of the in-sample variance.
        alpha: Weight of the last squared shock.
        gamma: What is added to `alpha` after a fall; 0 for the symmetric GARCH.
        beta: Weight of the last variance.
        df: Degrees of freedom of Z, a Student-t of unit variance; greater than 2.
    """

    omega: float
    alpha: float
    gamma: float
    beta: float
    df: float

    @property
    def persistence(self) -> float:
        """Share of a variance shock that remains one bar later; half of all shocks are falls."""
        return self.alpha + self.gamma / 2 + self.beta

    @property
    def shock_scale(self) -> float:
        """Scale of the Student-t of unit variance."""
        return float(np.sqrt((self.df - 2) / self.df))

    def news(self, shock: Array) -> Array:
        """Return what a shock e adds to the next variance, without `omega`."""
        return (self.alpha + self.gamma * (shock < 0)) * shock**2

    def total_variance(self, variance: Array, step: int, omega: Array | None = None) -> Array:
        """Return the exact variance of the sum of the next `step` returns, given that of the first.

        Args:
            variance: Variance of the first return, any shape.
            step: Number of returns, at least 1.
            omega: Used in place of the process's own; broadcasts to the shape of `variance`.
        """
        total, expected = np.zeros_like(variance), variance
        for _ in range(step):
            total = total + expected
            expected = (self.omega if omega is None else omega) + self.persistence * expected
        return total


def sum_values(process: GarchProcess, variance: Array, horizon: int) -> Array:
    """Return the values of a `TransformedT` for the sums of the next 1 to `horizon` returns without their mean.

    Args:
        process: The process.
        variance: Variance of the next return, in units of the in-sample variance, shape `(n,)`.
        horizon: Most returns in a sum.

    Returns:
        In units of the in-sample standard deviation, shape `(n, horizon, N_KNOTS)`.
    """
    angle = np.arctan(np.sqrt(variance))
    shapes = _shapes(process, horizon)
    steps = [
        _at_angle(shape, angle) * np.sqrt(process.total_variance(variance, step))[:, None]
        for step, shape in enumerate(shapes, start=1)
    ]
    return np.stack(steps, axis=1)


def _shapes(process: GarchProcess, horizon: int) -> list[Array]:
    """Return h of the sums of 1 to `horizon` returns over their standard deviation, each `(N_STARTS, N_KNOTS)`."""
    angle = np.linspace(0, np.pi / 2, N_STARTS)
    # Only `variance / omega` matters: both are multiplied by the squared cosine, which makes all of them finite.
    start, omega = np.sin(angle) ** 2, process.omega * np.cos(angle) ** 2
    shock, weight = _shocks(process)
    moves = np.sqrt(start)[:, None] * shock  # (n_starts, n_shocks)
    later = omega[:, None] + process.news(moves) + process.beta * start[:, None]
    later_angle = np.arctan2(np.sqrt(later), np.cos(angle)[:, None])
    knots = knots_of(process.df, N_KNOTS)
    # Each tail is computed as its own small probability, so that neither loses its digits.
    side = np.where(knots > 0, -1.0, 1.0)
    shapes = [np.tile(process.shock_scale * knots, (N_STARTS, 1))]
    for step in range(2, horizon + 1):
        deviation = np.sqrt(process.total_variance(start, step, omega))
        later_deviation = np.sqrt(process.total_variance(later, step - 1, omega[:, None]))
        guess = shapes[-1]
        rest = (guess * deviation[:, None])[:, None, :] - moves[:, :, None]
        t = _inverse(_at_angle(shapes[-1], later_angle), knots, rest / later_deviation[:, :, None])
        beyond = np.einsum("n,snk->sk", weight, stdtr(process.df, side * t))
        # The cdf at the guesses, as quantiles of the Student-t: h of the sum passes through these points.
        reached = side * stdtrit(process.df, beyond)
        shapes.append(np.stack([_line(knots, *points) for points in zip(reached, guess, strict=True)]))
    return shapes


def _shocks(process: GarchProcess) -> tuple[Array, Array]:
    """Return values of the shock Z, falls first, and their probabilities, each `(2 N_NODES,)`.

    Z is the hyperbolic sine of the variable of the quadrature, which spreads the nodes evenly over the powers of
    ten in its tails. Falls and rises are apart, as the variance bends at 0.
    """
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    rise = (nodes + 1) / 2 * np.arcsinh(-stdtrit(process.df, BEYOND))
    half = weights * np.cosh(rise) * np.exp(-StudentT(0.0, 1.0, process.df).log_score(np.sinh(rise)))
    z, half = process.shock_scale * np.sinh(rise), half / (2 * half.sum())
    return np.concatenate([-z[::-1], z]), np.concatenate([half[::-1], half])


def _at_angle(shape: Array, angle: Array) -> Array:
    """Interpolate h, `(N_STARTS, N_KNOTS)`, between its angles; return `(*angle.shape, N_KNOTS)`."""
    if not np.isfinite(shape).all() or not np.isfinite(angle).all():
        raise ValueError("the sums of its returns have no finite distribution")
    position = angle * (2 / np.pi) * (N_STARTS - 1)
    left = np.minimum(position.astype(np.intp), N_STARTS - 2)
    share = (position - left)[..., None]
    between: Array = (1 - share) * shape[left] + share * shape[left + 1]
    return between


def _inverse(values: Array, knots: Array, x: Array) -> Array:
    """Return where piecewise linear functions reach x.

    Args:
        values: The functions at the knots, increasing, shape `(..., n_knots)`.
        knots: Increasing, shape `(n_knots,)`.
        x: Shape `(..., n_x)`.
    """
    piece = np.sum(values[..., None, 1:-1] <= x[..., None], axis=-1)
    values = np.broadcast_to(values[..., None, :], (*x.shape, len(knots)))
    low, high = pick(values, piece), pick(values, piece + 1)
    position: Array = knots[piece] + (x - low) / (high - low) * (knots[piece + 1] - knots[piece])
    return position


def _line(x: Array, x_points: Array, y_points: Array) -> Array:
    """Interpolate linearly between points, and go on with the outermost slopes beyond them.

    Points whose x rounds to that of another point or to infinity are left out.
    """
    finite = np.isfinite(x_points)
    x_points, y_points = x_points[finite], y_points[finite]
    new = np.diff(np.maximum.accumulate(x_points), prepend=-np.inf) > 0
    x_points, y_points = x_points[new], y_points[new]
    left = np.clip(np.searchsorted(x_points, x, side="right"), 1, len(x_points) - 1) - 1
    slope = (y_points[left + 1] - y_points[left]) / (x_points[left + 1] - x_points[left])
    return np.asarray(y_points[left] + slope * (x - x_points[left]), np.float64)
