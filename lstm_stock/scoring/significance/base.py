"""What a test finds, and the checks that what it is given passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

Alternative = Literal["two-sided", "less", "greater"]
"""What holds if the null hypothesis does not."""

MIN_OBSERVATIONS = 20
"""Fewer than these are not tested: every p-value here rests on a limit for many."""


@dataclass(frozen=True)
class HypothesisTest:
    """The outcome of one test.

    Attributes:
        statistic: Its statistic; NaN where the test does not apply.
        p: Probability of one at least as extreme if the null hypothesis holds; NaN where it does not apply.
        n: Observations it rests on.
    """

    statistic: float
    p: float
    n: int


def as_series(name: str, values: ArrayLike) -> Array:
    """Return `values` as an array of one axis; ValueError where too short or not finite."""
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
    """Return a series of 0 and 1; ValueError where it holds something else."""
    array = as_series(name, values)
    if not np.isin(array, (0.0, 1.0)).all():
        raise ValueError(f"`{name}` must hold 0 and 1 only")
    return array


def probability(name: str, p: float) -> float:
    """Return `p`; ValueError where it is not between 0 and 1."""
    if not 0 < p < 1:
        raise ValueError(f"`{name}` must lie between 0 and 1, got {p}")
    return p
