"""Central intervals of a forecast, and their calibration: arrays in, arrays out.

Calibration multiplies the distance of both ends from the median by a factor. Split conformal prediction finds it
on the val period; an adaptive factor follows the outcomes from the first of the val period on. Only the reported
intervals change: the distribution, and with it CRPS, NLL and PIT, stays as trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import Array, Distribution

LEVELS = (50, 80, 90, 95)
"""Nominal levels of the reported intervals, percent."""

Kind = Literal["none", "conformal", "adaptive"]

RATE = 0.01
"""Step size of an adaptive factor: a miss of a 90 % interval widens it by 0.9 % of its trained width, a hit
narrows it by 0.1 %. Measured on 60 stocks: see docs/method.md."""

MIN_FACTOR = 0.05
"""Least factor of an interval."""


@dataclass(frozen=True)
class Intervals:
    """Intervals of the k-bar log return around its median.

    Attributes:
        centre: The median, shape `(n_windows, horizon)`.
        below: Distance from the median down to the lower end, shape `(n_windows, horizon, n_levels)`; NaN for a
            point forecast.
        above: Distance from the median up to the upper end, likewise.
    """

    centre: Array
    below: Array
    above: Array

    @classmethod
    def of(
        cls, returns: Distribution, levels: Sequence[int], half_width: ArrayLike | None = None
    ) -> Intervals:
        """Take the central intervals of a forecast.

        Args:
            returns: Forecast of the k-bar log returns, shape `(n_windows, horizon)`.
            levels: Nominal levels, percent.
            half_width: Half-width of every level for a point forecast, to be calibrated; broadcasts to
                `(n_windows, horizon)`. With None its intervals are NaN.
        """
        centre = returns.quantile(0.5)
        below = np.stack([centre - returns.quantile((1 - level / 100) / 2) for level in levels], axis=-1)
        above = np.stack([returns.quantile((1 + level / 100) / 2) - centre for level in levels], axis=-1)
        if half_width is not None:
            half = np.broadcast_to(np.asarray(half_width, np.float64), centre.shape)[..., None]
            below, above = (np.where(np.isnan(side), half, side) for side in (below, above))
        return cls(centre, below, above)

    @property
    def has_width(self) -> bool:
        """Whether every interval has a finite width, as those of a point forecast have not."""
        return bool(np.isfinite(self.below).all())

    @property
    def last(self) -> Intervals:
        """The intervals of the last cutoff."""
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
        """Multiply the distance of every end from the median; inner intervals stay inside outer ones.

        Args:
            factor: Factors, broadcast to `(n_windows, horizon, n_levels)`.
        """
        below, above = (np.maximum.accumulate(side * factor, axis=-1) for side in (self.below, self.above))
        return Intervals(self.centre, below, above)

    def conformity_scores(self, y_true: Array) -> Array:
        """Return the least factor at which each interval contains the outcome.

        Args:
            y_true: Realised k-bar log returns, shape `(n_windows, horizon)`.

        Returns:
            Shape `(n_windows, horizon, n_levels)`.
        """
        error = (y_true - self.centre)[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(error < 0, -error / self.below, error / self.above)
        # An outcome on the median is inside an interval of width 0, too.
        return np.asarray(np.where(error == 0, 0.0, factor), np.float64)


def conformal_factors(conformity_scores: Array, levels: Sequence[int]) -> Array:
    """Return the factors of split conformal prediction: the `ceil((n + 1) level)`-th smallest of n scores.

    If the next score is exchangeable with them, the interval contains its outcome with a probability of at least
    `level` (Papadopoulos et al. 2002, ECML; Lei et al. 2018, J. Amer. Statist. Assoc. 113, theorem 2.2). Returns
    are only roughly exchangeable, and k-bar returns overlap. If n is too small for a level, the largest score is
    taken.

    Args:
        conformity_scores: Scores of a period that the network was not trained on, shape
            `(n, horizon, n_levels)`, n >= 1.
        levels: Nominal levels, percent.

    Returns:
        Shape `(horizon, n_levels)`.

    >>> conformal_factors(np.arange(1.0, 11.0).reshape(-1, 1, 1), [80]).item()  # the 9th of 10
    9.0
    """
    ordered = np.sort(conformity_scores, axis=0)
    n = len(ordered)
    ranks = [min(int(np.ceil((n + 1) * level / 100 - 1e-9)), n) for level in levels]
    picked = np.stack([ordered[rank - 1, :, i] for i, rank in enumerate(ranks)], axis=-1)
    return np.maximum(picked, MIN_FACTOR)


def adaptive_factors(
    start: Array, conformity_scores: Array, levels: Sequence[int], rate: float = RATE
) -> Array:
    """Return factors that follow the outcomes: one grows after a miss and shrinks after a hit.

    `factor <- factor + rate (missed - (1 - level))`, the quantile tracker of Angelopoulos, Candes & Tibshirani
    2023 (Conformal PID control, NeurIPS), related to the adaptive conformal inference of Gibbs & Candes 2021
    (NeurIPS). The outcome of step k is known k bars after its cutoff and is used only from then on.

    What it guarantees: the changes add up, so over any T known outcomes, as long as the factor stays above
    `MIN_FACTOR`,

        misses / T - (1 - level) = (factor at the end - factor at the start) / (rate T),

    whatever the outcomes are. The share of misses is wrong by as much as the factor had to move: one that grows by
    0.25 at a rate of 0.01 leaves 25 misses too many by then, 3.6 points of coverage if that took 700 outcomes and
    1 point over 2,500. If the scores are bounded, so is the factor, and the share tends to `1 - level` as T
    grows; a few hundred outcomes may miss it.

    Args:
        start: Factors before the first outcome, shape `(horizon, n_levels)`.
        conformity_scores: Scores in order of time, one cutoff per bar, shape `(n, horizon, n_levels)`; NaN for an
            outcome that is not known yet.
        levels: Nominal levels, percent.
        rate: Step size.

    Returns:
        The factor to use at each cutoff, shape `(n, horizon, n_levels)`.
    """
    is_known = ~np.isnan(conformity_scores).any(axis=-1, keepdims=True)
    scores = np.where(is_known, conformity_scores, np.nan)
    factors = np.empty(scores.shape)
    for step in range(scores.shape[1]):
        for i, level in enumerate(levels):
            tracker = _Tracker(float(start[step, i]), step + 1, 1 - level / 100, rate)
            factors[:, step, i] = tracker.follow(scores[:, step, i].tolist())
    return factors


@dataclass(frozen=True)
class _Tracker:
    """The factors of one step and level; numbers of Python, for which a loop over bars is fast.

    Attributes:
        start: Factor before the first outcome.
        lag: Bars after its cutoff at which an outcome is known.
        allowed: Share of misses of an interval of this level.
        rate: Step size.
    """

    start: float
    lag: int
    allowed: float
    rate: float

    def follow(self, scores: list[float]) -> list[float]:
        """Return the factor at each cutoff, given the score of each, NaN for one that is not known."""
        after_miss, after_hit = self.rate * (1 - self.allowed), self.rate * (0 - self.allowed)
        now, factors = self.start, [self.start] * self.lag
        for score, factor in zip(scores[: -self.lag], factors, strict=False):  # `factors` grows meanwhile
            if score > factor:
                now += after_miss
            elif score <= factor:  # NaN is neither
                now += after_hit
            if now < MIN_FACTOR:
                now = MIN_FACTOR
            factors.append(now)
        return factors[: len(scores)]


def warmed_up_factors(conformity_scores: Array, levels: Sequence[int], rate: float = RATE) -> Array:
    """Return the `adaptive_factors` that start at 1, once all outcomes of a period are known.

    Args:
        conformity_scores: Scores in order of time, one cutoff per bar, shape `(n, horizon, n_levels)`.
        levels: Nominal levels, percent.
        rate: Step size.

    Returns:
        Shape `(horizon, n_levels)`.

    >>> warmed_up_factors(np.array([2.0, 0.5]).reshape(-1, 1, 1), [90], rate=0.1).round(2).item()  # a miss, a hit
    1.08
    """
    _, horizon, n_levels = conformity_scores.shape
    # The last outcome of the last step is known `horizon` bars after the last cutoff.
    unknown = np.full((horizon, horizon, n_levels), np.nan)
    later = np.concatenate([conformity_scores, unknown])
    last: Array = adaptive_factors(np.ones((horizon, n_levels)), later, levels, rate)[-1]
    return last


@dataclass(frozen=True)
class Calibrator:
    """The calibration of one ticker's intervals.

    Attributes:
        kind: `none`: as trained. `conformal`: by `conformal_factors` of the val period. `adaptive`: by
            `adaptive_factors`.
        levels: Nominal levels, percent.
        factors: Factors of `conformal`, or those that `adaptive` starts the test period with: by
            `warmed_up_factors` of the val period, or for a point forecast, whose half-width has no scale of its
            own, by `conformal_factors`. Shape `(horizon, n_levels)`.
    """

    kind: Kind
    levels: tuple[int, ...]
    factors: Array

    @classmethod
    def fit(
        cls, kind: Kind, levels: Sequence[int], returns: Distribution, y_true: Array, half_width: Array
    ) -> Calibrator:
        """Fit the factors to a period that the network was not trained on.

        Args:
            kind: See the class.
            levels: Nominal levels, percent.
            returns: Forecasts of the k-bar log returns in order of time, one cutoff per bar, shape `(n, horizon)`.
            y_true: Realised k-bar log returns, shape `(n, horizon)`.
            half_width: Half-width of the intervals of a point forecast before calibration, shape `(n, horizon)`.
        """
        if kind == "none":
            return cls(kind, tuple(levels), np.ones((y_true.shape[1], len(levels))))
        conformity_scores = Intervals.of(returns, levels, half_width).conformity_scores(y_true)
        if kind == "adaptive" and Intervals.of(returns, levels).has_width:
            return cls(kind, tuple(levels), warmed_up_factors(conformity_scores, levels))
        return cls(kind, tuple(levels), conformal_factors(conformity_scores, levels))

    def apply(self, returns: Distribution, y_true: Array, half_width: Array) -> Intervals:
        """Return the calibrated intervals of forecasts in order of time, one cutoff per bar.

        Args:
            returns: Forecasts of the k-bar log returns, shape `(n, horizon)`.
            y_true: Realised k-bar log returns, shape `(n, horizon)`; NaN where not known yet. The interval of a
                cutoff depends only on outcomes known then.
            half_width: As for `fit`.
        """
        if self.kind == "none":
            return Intervals.of(returns, self.levels)
        intervals = Intervals.of(returns, self.levels, half_width)
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
        """Rebuild a calibrator from `to_json`."""
        return cls(data["kind"], tuple(data["levels"]), np.asarray(data["factors"], np.float64))
