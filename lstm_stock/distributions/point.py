"""A point forecast in the place of a distribution."""

# ruff: noqa: D102 - a method is documented where it is declared, and not again where it is implemented
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import (
    Array,
    Distribution,
    Rows,
    affine,
    finite,
    no_score,
    probability_of,
    set_fields,
)


@dataclass(frozen=True, eq=False)
class PointMass(Distribution):
    """A point forecast, which claims no distribution: mean and median are the point, all else is NaN.

    Scoring it as a certainty would be unfair to it, and unfair to nobody who states their doubt.

    Attributes:
        value: The points.

    Raises:
        ValueError: A point is not finite.
    """

    value: Array

    def __init__(self, value: ArrayLike) -> None:
        set_fields(self, finite("value", value))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def quantile(self, p: float) -> Array:
        return self.value.copy() if probability_of(p) == 0.5 else np.full(self.shape, np.nan)

    def cdf(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def mean(self) -> Array:
        return self.value.copy()

    def abs_error(self, y: ArrayLike) -> Array:
        return np.abs(np.asarray(y, np.float64) - self.value)

    def crps(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def log_score(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> PointMass:
        factor, offset = affine(scale, shift)
        return PointMass(offset + factor * self.value)

    def take(self, rows: Rows) -> PointMass:
        return PointMass(self.value[rows])
