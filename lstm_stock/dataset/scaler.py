"""The scaler of the features, fitted on train bars alone.

Stationary features are clipped to a range around their train quantiles before they are scaled, so that one
crash does not compress all other days. Price levels are not clipped: that they leave their train range is
what breaks the tutorial recipe, and clipping would hide it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_stock.config.features import FEATURES, feature_of
from lstm_stock.dataset.volatility import Array
from lstm_stock.errors import ConfigError, DataError

TAIL = 0.0005
"""Share of the train bars beyond each bound: the bounds are the 0.05 % and 99.95 % quantiles."""

MARGIN = 0.5
"""Distance from the bounds at which values are clipped, in units of the distance between the bounds."""

POOLED_RANGE = -4.0, 6.0
"""Deviations from the mean at which the pooled scaler clips: many features are skewed to the right."""

RESOLUTION = 1e-6
"""Share of its mean below which the deviation of a feature is that of rounding: the feature is constant."""

SCALERS = ("minmax", "standard", "robust", "pooled", "none")


@dataclass(frozen=True)
class Scaler:
    """An affine map per feature, with the range it clips to first.

    `scaled = (clip(x, low, high) - offset) / scale`, each attribute of shape `(n_features,)`.

    Attributes:
        features: The features, in column order.
        offset: Subtracted.
        scale: Divisor; 1 for a feature that is constant on the train bars.
        low: Lower bound of clipping; minus infinity for levels.
        high: Upper bound of clipping; infinity for levels.
    """

    features: tuple[str, ...]
    offset: Array
    scale: Array
    low: Array
    high: Array

    def transform(self, values: Array) -> NDArray[np.float32]:
        """Scale `values` of shape `(n_bars, n_features)`; NaN stays NaN."""
        return ((np.clip(values, self.low, self.high) - self.offset) / self.scale).astype(np.float32)

    def restricted(self, columns: Sequence[int]) -> Scaler:
        """Return the scaler of some of the features, in this order."""
        rows = np.asarray(columns)
        names = tuple(self.features[i] for i in columns)
        return Scaler(names, self.offset[rows], self.scale[rows], self.low[rows], self.high[rows])

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary; infinities become null."""
        columns = {name: values for name, values in asdict(self).items() if name != "features"}
        return {
            feature: {
                name: float(values[i]) if np.isfinite(values[i]) else None for name, values in columns.items()
            }
            for i, feature in enumerate(self.features)
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Scaler:
        """Rebuild a scaler from what `to_json` returned.

        Raises:
            KeyError: A key is missing.
            TypeError: A number is missing.
        """
        rows = list(data.values())
        return cls(
            features=tuple(data),
            offset=np.array([float(row["offset"]) for row in rows]),
            scale=np.array([float(row["scale"]) for row in rows]),
            low=np.array([-np.inf if row["low"] is None else float(row["low"]) for row in rows]),
            high=np.array([np.inf if row["high"] is None else float(row["high"]) for row in rows]),
        )


def pool(scalers: Sequence[Scaler], n_bars: Sequence[int]) -> Scaler:
    """Return one scaler with mean 0 and deviation 1 over the train bars of all tickers.

    Args:
        scalers: That of each ticker alone, of the kind `pooled`.
        n_bars: The number of train bars of each ticker.
    """
    shares = np.asarray(n_bars, np.float64) / np.sum(n_bars)
    means = np.stack([scaler.offset for scaler in scalers])
    # A scale of 1 stands for a constant feature, whose bounds are equal.
    is_constant = np.stack([scaler.low == scaler.high for scaler in scalers])
    variances = np.where(is_constant, 0.0, np.stack([scaler.scale for scaler in scalers]) ** 2)
    mean = shares @ means
    return _standard(scalers[0].features, mean, shares @ (variances + (means - mean) ** 2))


def _standard(features: Sequence[str], mean: Array, variance: Array) -> Scaler:
    std = np.sqrt(variance)
    std = np.where(std > RESOLUTION * np.abs(mean), std, 0.0)
    lowest, highest = POOLED_RANGE
    return Scaler(
        tuple(features), mean, np.where(std > 0, std, 1.0), mean + lowest * std, mean + highest * std
    )


def fit_scaler(kind: str, features: Sequence[str], train_values: Array) -> Scaler:
    """Fit a scaler on the features of the train bars.

    Args:
        kind: `minmax` (to 0..1), `standard` (mean 0, deviation 1) or `robust` (median 0, interquartile range 1),
            `none` (neither scaled nor clipped), or `pooled` (mean and deviation of this ticker, for `pool`).
        features: Names of the columns, of `lstm_stock.config.features.feature_columns`.
        train_values: Features of the train bars only, shape `(n_train_bars, n_features)`, all finite.

    Raises:
        ConfigError: `kind` is unknown.
        DataError: There are no train bars.
    """
    if kind not in SCALERS:
        raise ConfigError(f"scaler: got {kind!r}, allowed: {', '.join(SCALERS)}")
    if len(train_values) == 0:
        raise DataError("there is no train bar to fit the scaler on", "fetch an earlier start")
    if kind == "none":
        one = np.ones(len(features))
        return Scaler(tuple(features), 0 * one, one, -np.inf * one, np.inf * one)
    if kind == "pooled":
        return _standard(features, train_values.mean(axis=0), train_values.var(axis=0))
    # Imported here, since it takes two seconds and the kinds above and saved scalers do not need it.
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    names = [feature_of(column)[0] for column in features]
    is_level = np.array([name in FEATURES and FEATURES[name].kind == "level" for name in names])
    lower, upper = np.quantile(train_values, [TAIL, 1 - TAIL], axis=0)
    lower = np.where(is_level, train_values.min(axis=0), lower)
    upper = np.where(is_level, train_values.max(axis=0), upper)
    bounded = np.clip(train_values, lower, upper)
    if kind == "minmax":
        minmax = MinMaxScaler().fit(bounded)
        offset, scale = minmax.data_min_, 1 / minmax.scale_
    elif kind == "standard":
        standard = StandardScaler().fit(bounded)
        offset, scale = standard.mean_, standard.scale_
    else:
        robust = RobustScaler().fit(bounded)
        offset, scale = robust.center_, robust.scale_
    reach = MARGIN * (upper - lower)
    return Scaler(
        features=tuple(features),
        offset=np.asarray(offset, np.float64),
        scale=np.asarray(scale, np.float64),
        low=np.where(is_level & (upper > lower), -np.inf, lower - reach),
        high=np.where(is_level & (upper > lower), np.inf, upper + reach),
    )
