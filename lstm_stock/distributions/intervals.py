"""Make intervals hold as often as they say, from how often they held before.

An interval is stretched about its median by a factor: what split conformal prediction finds on the val period, or
one that follows the test stream as its outcomes come in. Only the reported intervals are
stretched; the distribution, and so CRPS, NLL and PIT, stays as it was trained. Pure arithmetic: arrays in,
arrays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_stock.distributions import Distribution

LEVELS = (50, 80, 90, 95)
"""Nominal intervals reported, in percent."""


Array = NDArray[np.float64]
Kind = Literal["none", "conformal", "adaptive"]

RATE = 0.01
"""How far one outcome moves the factor of an adaptive interval: a miss of a 90 % interval widens it by 0.9 % of
its trained width, a hit narrows it by 0.1 %. Chosen on ten tickers: see docs/method.md."""

LEAST_FACTOR = 0.05
"""No interval shrinks below this share of its trained width."""


@dataclass(frozen=True)
class Intervals:
    """Intervals of the k-bar log return around its median.

    Attributes:
        centre: The median, shape `(n_windows, horizon)`.
        below: Distance from the median down to the lower end, shape `(n_windows, horizon, n_levels)`; NaN where
            the forecast has no spread.
        above: Distance from the median up to the upper end, likewise.
    """

    centre: Array
    below: Array
    above: Array

    @classmethod
    def of(cls, returns: Distribution, levels: Sequence[int], unit: ArrayLike | None = None) -> Intervals:
        """Take the central intervals of a forecast.

        Args:
            returns: Forecast of the k-bar log returns, shape `(n_windows, horizon)`.
            levels: Nominal intervals in percent.
            unit: Half-width where the forecast has no spread, broadcasts to `(n_windows, horizon)`: a point
                with intervals of one shape, which stretching turns into intervals that hold. None leaves NaN.
        """
        centre = returns.quantile(0.5)
        below = np.stack([centre - returns.quantile((1 - level / 100) / 2) for level in levels], axis=-1)
        above = np.stack([returns.quantile((1 + level / 100) / 2) - centre for level in levels], axis=-1)
        if unit is not None:
            half = np.broadcast_to(np.asarray(unit, np.float64), centre.shape)[..., None]
            below, above = (np.where(np.isnan(side), half, side) for side in (below, above))
        return cls(centre, below, above)

    @property
    def has_width(self) -> bool:
        """Whether the forecast claims a distribution, and not only a point."""
        return bool(np.isfinite(self.below).all())

    @property
    def last(self) -> Intervals:
        """The intervals of the last cutoff alone."""
        return Intervals(self.centre[-1:], self.below[-1:], self.above[-1:])

    @property
    def lower(self) -> Array:
        """Lower ends, shape `(n_windows, horizon, n_levels)`."""
        return self.centre[..., None] - self.below

    @property
    def upper(self) -> Array:
        """Upper ends, shape `(n_windows, horizon, n_levels)`."""
        return self.centre[..., None] + self.above

    def scaled(self, factor: Array) -> Intervals:
        """Move every end to `factor` times its distance from the median; inner levels stay inside outer ones.

        Args:
            factor: Broadcasts to `(n_windows, horizon, n_levels)`.
        """
        below, above = (np.maximum.accumulate(side * factor, axis=-1) for side in (self.below, self.above))
        return Intervals(self.centre, below, above)

    def conformity_scores(self, y_true: Array) -> Array:
        """Return the least factor at which each interval holds what came: its conformity score.

        Args:
            y_true: The k-bar log returns, shape `(n_windows, horizon)`.

        Returns:
            Shape `(n_windows, horizon, n_levels)`.
        """
        error = (y_true - self.centre)[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(error < 0, -error / self.below, error / self.above)
        # An outcome on the median is inside an interval of any width, even of none.
        return np.asarray(np.where(error == 0, 0.0, factor), np.float64)


def conformal_factors(conformity_scores: Array, levels: Sequence[int]) -> Array:
    """Split conformal: the factor that a share `level` of past outcomes would have needed, and one more.

    The `ceil((n + 1) level)`-th smallest of n scores; where a new score is exchangeable with them, the interval
    holds it with a probability of at least `level` (Papadopoulos et al. 2002, ECML; Lei et al. 2018, J. Amer.
    Statist. Assoc. 113, theorem 2.2). Returns are exchangeable only roughly, and k-bar ones overlap: hence the
    adaptive factors. Where n is too small for a level, the greatest score stands in.

    Args:
        conformity_scores: Scores of a period that the network did not learn from, shape
            `(n, horizon, n_levels)`, n >= 1.
        levels: Nominal intervals in percent.

    Returns:
        Shape `(horizon, n_levels)`.

    >>> conformal_factors(np.arange(1.0, 11.0).reshape(-1, 1, 1), [80]).item()  # the 9th of 10
    9.0
    """
    ordered = np.sort(conformity_scores, axis=0)
    n = len(ordered)
    ranks = [min(int(np.ceil((n + 1) * level / 100 - 1e-9)), n) for level in levels]
    picked = np.stack([ordered[rank - 1, :, i] for i, rank in enumerate(ranks)], axis=-1)
    return np.maximum(picked, LEAST_FACTOR)


def adaptive_factors(
    start: Array, conformity_scores: Array, levels: Sequence[int], rate: float = RATE
) -> Array:
    """Follow a stream: after each outcome a factor grows if the interval missed it, and shrinks if it held it.

    `factor <- factor + rate (missed - (1 - level))`, the quantile tracker of Angelopoulos, Candes & Tibshirani
    2023 (Conformal PID control, NeurIPS), kin to the adaptive conformal inference of Gibbs & Candes 2021
    (NeurIPS): whatever the stream does, the share held tends to the level. The outcome of step k is known k bars
    after its cutoff, and is used only then.

    Args:
        start: Factors before the stream, shape `(horizon, n_levels)`.
        conformity_scores: Scores in the order of time, one cutoff per bar, shape
            `(n, horizon, n_levels)`; a NaN is an outcome that has not come yet.
        levels: Nominal intervals in percent.
        rate: Size of a step.

    Returns:
        The factor to use at each cutoff, shape `(n, horizon, n_levels)`.
    """
    misses_allowed = 1 - np.asarray(levels, np.float64) / 100
    factors = np.empty(conformity_scores.shape)
    now = np.array(start, np.float64)
    for t in range(len(conformity_scores)):
        for i in range(conformity_scores.shape[1]):
            known = t - (i + 1)  # the newest cutoff whose outcome of step i + 1 is known at t
            if known >= 0 and not np.isnan(conformity_scores[known, i]).any():
                missed = conformity_scores[known, i] > factors[known, i]
                now[i] = np.maximum(now[i] + rate * (missed - misses_allowed), LEAST_FACTOR)
        factors[t] = now
    return factors


@dataclass(frozen=True)
class Calibrator:
    """How the intervals of one ticker are stretched.

    Attributes:
        kind: `none`: not at all. `conformal`: by what the val period needed. `adaptive`: by what each outcome
            of the stream teaches.
        levels: Nominal intervals in percent.
        factors: Of `conformal`, or those that `adaptive` starts from: none, but for a forecast without spread,
            whose intervals only the val period can size. Shape `(horizon, n_levels)`.
    """

    kind: Kind
    levels: tuple[int, ...]
    factors: Array

    @classmethod
    def fit(
        cls, kind: Kind, levels: Sequence[int], returns: Distribution, y_true: Array, unit: Array
    ) -> Calibrator:
        """Learn from a period that the network did not learn from.

        Args:
            kind: See the class.
            levels: Nominal intervals in percent.
            returns: Forecasts of the k-bar log returns, shape `(n, horizon)`.
            y_true: What came, likewise.
            unit: What a k-bar log return is measured in, likewise; the half-width of a forecast without spread.
        """
        uncalibrated = np.ones((y_true.shape[1], len(levels)))
        if kind == "none" or (kind == "adaptive" and Intervals.of(returns, levels).has_width):
            return cls(kind, tuple(levels), uncalibrated)
        conformity_scores = Intervals.of(returns, levels, unit).conformity_scores(y_true)
        return cls(kind, tuple(levels), conformal_factors(conformity_scores, levels))

    def apply(self, returns: Distribution, y_true: Array, unit: Array) -> Intervals:
        """Return the stretched intervals of forecasts in the order of time, one cutoff per bar.

        Args:
            returns: Forecasts of the k-bar log returns, shape `(n, horizon)`.
            y_true: The realised returns, likewise; NaN where not known yet. The interval of a cutoff
                depends only on what was known then.
            unit: As for `fit`.
        """
        if self.kind == "none":
            return Intervals.of(returns, self.levels)
        intervals = Intervals.of(returns, self.levels, unit)
        if self.kind == "conformal":
            return intervals.scaled(self.factors)
        return intervals.scaled(
            adaptive_factors(self.factors, intervals.conformity_scores(y_true), self.levels)
        )

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        return {"kind": self.kind, "levels": list(self.levels), "factors": self.factors.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibrator:
        """Rebuild what `to_json` gave."""
        return cls(data["kind"], tuple(data["levels"]), np.asarray(data["factors"], np.float64))
