"""The calibrated distribution: the one whose central intervals are those shown to the user.

Calibration gives the ends of four intervals. With m the trained median, d_i the distance from it to the trained
end of level i on one side, and D_i that to the end shown, an outcome x becomes `m + g(x - m)`. On each side, g is
linear through the points `(0, 0), (d_1, D_1) ... (d_4, D_4)`, and has the slope `D_4 / d_4` beyond. So

    quantile   Q*(p) = m + g(Q(p) - m)
    cdf        F*(y) = F(m + g^-1(y - m))

with Q and F the trained quantile and cdf. The probability below the lower end of a 90 % interval is 5 %, as it
should be. Inside the 50 % interval and outside the 95 % one, all distances have one factor; without calibration
g is the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import Array, Distribution, pick, probability_of
from lstm_stock.distributions.intervals import LEVELS, Intervals

N_NODES = 24
"""Nodes of the quadrature of `mean_below` between two probabilities; half as many agree to 1e-7."""

TAIL_POWER = 8
"""The quadrature of the tail is in v, `p = p_1 v^8`: the integrand is smooth at 0 for a heavy tail, too."""


@dataclass(frozen=True)
class Calibrated:
    """The calibrated distribution of k-bar log returns, of `(n_windows, horizon)` forecasts.

    Attributes:
        trained: The distribution as trained.
        from_: Its intervals at `LEVELS`.
        to: The intervals shown, of the same median.
    """

    trained: Distribution
    from_: Intervals
    to: Intervals

    @classmethod
    def of(cls, trained: Distribution, shown: Intervals) -> Calibrated:
        """Calibrate a distribution to the intervals shown.

        Args:
            trained: Forecast of the k-bar log returns, shape `(n_windows, horizon)`.
            shown: Its calibrated intervals at `LEVELS`.
        """
        return cls(trained, Intervals.of(trained, LEVELS), shown)

    @property
    def exists(self) -> bool:
        """Whether there is a distribution: a point forecast has none, whatever intervals are shown."""
        return self.from_.has_width

    def quantile(self, p: float) -> Array:
        """Return the value that the return stays below with probability `p`, shape `(n_windows, horizon)`.

        Raises:
            ValueError: `p` is not between 0 and 1.
        """
        distance = self.trained.quantile(probability_of(p)) - self.from_.centre
        below = _bend(np.maximum(-distance, 0.0), self.from_.below, self.to.below)
        above = _bend(np.maximum(distance, 0.0), self.from_.above, self.to.above)
        return self.from_.centre + np.where(distance < 0, -below, above)

    def cdf(self, y: ArrayLike) -> Array:
        """Return the probability of a return of `y` or less; `y` broadcasts to `(n_windows, horizon)`."""
        distance = np.broadcast_to(np.asarray(y, np.float64) - self.from_.centre, self.trained.shape)
        below = _bend(np.maximum(-distance, 0.0), self.to.below, self.from_.below)
        above = _bend(np.maximum(distance, 0.0), self.to.above, self.from_.above)
        return self.trained.cdf(self.from_.centre + np.where(distance < 0, -below, above))

    def mean_below(self, probabilities: Sequence[float]) -> Array:
        """Return `E[exp(r) | r <= Q*(p)]`, the mean price relative in the worst share p of cases.

        It is the integral of `exp(Q*(u))` over u from 0 to p, divided by p (Acerbi & Tasche 2002, Journal of
        Banking & Finance 26), by Gauss-Legendre quadrature between the probabilities. It is finite for any tail,
        since a price cannot fall below 0.

        Args:
            probabilities: Increasing, between 0 and 1.

        Returns:
            Shape `(n_probabilities, n_windows, horizon)`.
        """
        nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
        v, weights = (nodes + 1) / 2, weights / 2
        total, means, start = np.zeros(self.trained.shape), [], 0.0
        for p in probabilities:
            if start == 0:
                u, slopes = p * v**TAIL_POWER, p * TAIL_POWER * v ** (TAIL_POWER - 1)
            else:
                u, slopes = start + (p - start) * v, np.full(N_NODES, p - start)
            for one, weight in zip(u, weights * slopes, strict=True):
                total = total + weight * np.exp(self.quantile(float(one)))
            means.append(total / p)
            start = p
        return np.stack(means)


def _bend(x: Array, from_: Array, to: Array) -> Array:
    """Map distances by the function that is linear from knot to knot, `from_` to `to`, and through 0.

    Args:
        x: 0 or more, shape `(n_windows, horizon)`.
        from_: Distances of the knots, none less than the one before, shape `(n_windows, horizon, n_levels)`.
        to: Where they are mapped to, likewise.
    """
    zero = np.zeros((*from_.shape[:-1], 1))
    from_, to = (np.concatenate([zero, np.broadcast_to(one, from_.shape)], axis=-1) for one in (from_, to))
    piece = np.sum(from_[..., 1:] <= x[..., None], axis=-1)  # the last one is beyond the outermost knot
    width, rise = np.diff(from_, axis=-1), np.diff(to, axis=-1)
    outer = np.stack([from_[..., -1], to[..., -1]])
    slopes = np.where(width > 0, rise, 1.0) / np.where(width > 0, width, 1.0)
    beyond = np.where(outer[0] > 0, outer[1], 1.0) / np.where(outer[0] > 0, outer[0], 1.0)
    slopes = np.concatenate([slopes, beyond[..., None]], axis=-1)
    return np.asarray(pick(to, piece) + pick(slopes, piece) * (x - pick(from_, piece)), np.float64)
