"""Forecasts that are no distribution: a point, or a sign."""

# ruff: noqa: D102 - methods are documented in the base class
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import (
    Array,
    Distribution,
    Rows,
    affine,
    checked,
    finite,
    no_score,
    probability_of,
    set_fields,
)


@dataclass(frozen=True, eq=False)
class PointForecast(Distribution):
    """A point forecast without a distribution: the median is the point, all else is NaN.

    It is not scored as a distribution that is certain of the point.

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

    def abs_error(self, y: ArrayLike) -> Array:
        return np.abs(np.asarray(y, np.float64) - self.value)

    def crps(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def log_score(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> PointForecast:
        factor, offset = affine(scale, shift)
        return PointForecast(offset + factor * self.value)

    def take(self, rows: Rows) -> PointForecast:
        return PointForecast(self.value[rows])


@dataclass(frozen=True, eq=False)
class SignForecast(Distribution):
    """A forecast of the sign of X alone: every quantile and score is NaN.

    Attributes:
        sign: 1 for a rise, -1 for a fall, 0 for neither.

    Raises:
        ValueError: A sign is something else.

    >>> SignForecast([1.0, -1.0]).direction().tolist()
    [1.0, -1.0]
    """

    sign: Array

    def __init__(self, sign: ArrayLike) -> None:
        set_fields(self, checked("sign", sign, "-1, 0 or 1", lambda x: np.isin(x, (-1.0, 0.0, 1.0))))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.sign.shape

    def direction(self) -> Array:
        return self.sign.copy()

    def quantile(self, p: float) -> Array:
        probability_of(p)
        return np.full(self.shape, np.nan)

    def cdf(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def abs_error(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def crps(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def log_score(self, y: ArrayLike) -> Array:
        return no_score(y, self.shape)

    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> SignForecast:
        _, offset = affine(scale, shift)
        if np.any(offset != 0):
            raise ValueError(
                f"`shift` must be 0 for a `SignForecast`, got {offset.ravel()[offset.ravel() != 0][0]:g}"
            )
        return SignForecast(self.sign)

    def take(self, rows: Rows) -> SignForecast:
        return SignForecast(self.sign[rows])
