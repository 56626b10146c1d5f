"""The result of a test, and the checks of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import Array

Alternative = Literal["two-sided", "less", "greater"]
"""The alternative hypothesis."""

MIN_OBSERVATIONS = 20
"""Least number of observations of a test: all p-values here are asymptotic."""


@dataclass(frozen=True)
class HypothesisTest:
    """The result of one test.

    Attributes:
        statistic: The test statistic; NaN if the test does not apply.
        p: The p-value; NaN if the test does not apply.
        n: Number of observations.
    """

    statistic: float
    p: float
    n: int


def as_series(name: str, values: ArrayLike) -> Array:
    """Return `values` as an array of shape `(n,)`; ValueError if it is too short or not finite."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) < MIN_OBSERVATIONS:
        raise ValueError(
            f"`{name}` must have one axis and {MIN_OBSERVATIONS} values or more, got {array.shape}"
        )
    n_bad = int(np.sum(~np.isfinite(array)))
    if n_bad:
        raise ValueError(f"`{name}` must be finite, got {n_bad} of {len(array)} values that are not")
    return array


def as_binary(name: str, values: ArrayLike) -> Array:
    """Return `values` as an array of shape `(n,)`; ValueError if it has other values than 0 and 1."""
    array = as_series(name, values)
    if not np.isin(array, (0.0, 1.0)).all():
        other = float(array[~np.isin(array, (0.0, 1.0))][0])
        raise ValueError(f"`{name}` must hold 0 and 1 only, got {other:g}")
    return array
