"""The interface of a forecast distribution, and the checks of its parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

Rows = slice | tuple[slice, slice] | NDArray[np.bool_] | None
"""An index of the first axis."""


class Distribution(ABC):
    """Forecasts of one quantity for every cutoff and step.

    Attributes:
        shape: Shape of the forecasts, usually `(n_windows, horizon)`.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the forecasts, usually `(n_windows, horizon)`."""

    @abstractmethod
    def quantile(self, p: float) -> Array:
        """Return the value that X stays below with probability `p`.

        Raises:
            ValueError: `p` is not between 0 and 1, both excluded.
        """

    @abstractmethod
    def cdf(self, y: ArrayLike) -> Array:
        """Return `P(X <= y)`; of the outcome, the probability integral transform (PIT)."""

    @abstractmethod
    def abs_error(self, y: ArrayLike) -> Array:
        """Return `E|X - y|`."""

    @abstractmethod
    def crps(self, y: ArrayLike) -> Array:
        """Return the continuous ranked probability score of the outcome `y`, in its unit; less is better."""

    @abstractmethod
    def log_score(self, y: ArrayLike) -> Array:
        """Return the negative log density (nats) at the outcome `y`; less is better; NaN without a density."""

    @abstractmethod
    def rescale(self, scale: ArrayLike, shift: ArrayLike = 0.0) -> Distribution:
        """Return the distribution of `shift + scale * X`.

        Args:
            scale: Greater than 0; broadcasts to `shape`.
            shift: Broadcasts to `shape`.

        Raises:
            ValueError: `scale` is not positive, or something is not finite.
        """

    @abstractmethod
    def take(self, rows: Rows) -> Distribution:
        """Return the forecasts of some cutoffs, or of cutoffs and steps; None adds an axis in front."""

    def median(self) -> Array:
        """Return the quantile at one half."""
        return self.quantile(0.5)

    def direction(self) -> Array:
        """Return the sign of the forecast move, that of the median: 1, -1, or 0 for none."""
        return np.sign(self.median())


def set_fields(target: Distribution, *values: Any) -> None:
    """Set the fields of a frozen dataclass in their order; arrays become read-only."""
    for name, value in zip(target.__dataclass_fields__, values, strict=True):  # type: ignore[attr-defined]
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
        object.__setattr__(target, name, value)


def affine(scale: ArrayLike, shift: ArrayLike) -> tuple[Array, Array]:
    """Return a positive factor and a finite offset as arrays; ValueError otherwise."""
    return positive("scale", scale), finite("shift", shift)


def finite(name: str, values: ArrayLike) -> Array:
    """Return the parameter `name` as an array; ValueError where it is not finite."""
    return checked(name, values, "finite", np.isfinite)


def positive(name: str, values: ArrayLike) -> Array:
    """Return the parameter `name` as an array; ValueError where it is not a positive number."""
    return checked(name, values, "finite and greater than 0", lambda x: np.isfinite(x) & (x > 0))


def checked(
    name: str, values: ArrayLike, requirement: str, check: Callable[[Array], NDArray[np.bool_]]
) -> Array:
    """Copy the parameter `name` to an array; ValueError, which states the requirement, where `check` fails."""
    array = np.array(values, np.float64)
    good = check(array)
    if not np.all(good):
        n_bad, first = int(np.sum(~good)), float(array[~good][0])
        raise ValueError(
            f"`{name}` must be {requirement}, got {n_bad} of {array.size} that are not, the first {first:g}"
        )
    return array


def probability_of(p: float, name: str = "p") -> float:
    """Return the probability `p`; ValueError where it is not between 0 and 1."""
    if not 0 < p < 1:
        raise ValueError(f"`{name}` must lie between 0 and 1, got {p}")
    return p


def no_score(y: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return NaN for every outcome: the score does not apply to the forecast."""
    return np.full(np.broadcast_shapes(np.shape(y), shape), np.nan)


def pick(values: Array, which: NDArray[np.intp]) -> Array:
    """Take entry `which` of the last axis of `values`; `which` may have further axes in front."""
    values = np.broadcast_to(values, (*which.shape, values.shape[-1]))
    return np.take_along_axis(values, which[..., None], axis=-1)[..., 0]
