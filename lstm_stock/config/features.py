"""The registry of features: the inputs of the network per bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lstm_stock.config.registry import Target

FeatureKind = Literal["return", "log_range", "plain", "level"]
"""How a feature depends on the ticker's volatility.

A `return` is divided by the volatility known the day before, and the log of that volatility is subtracted from a
`log_range`; a `plain` feature does not depend on it. A `level` is a price or a volume in its own units.
"""


@dataclass(frozen=True)
class FeatureSpec:
    """Facts about a feature.

    Attributes:
        purpose: What it measures.
        kind: How it depends on the ticker's volatility.
        compute: Target of a function from `lstm_stock.dataset.features.Bars` to one value per bar.
    """

    purpose: str
    kind: FeatureKind
    compute: Target


_MODULE = "lstm_stock.dataset.features"

FEATURES: dict[str, FeatureSpec] = {
    "log_return": FeatureSpec("log return of the close", "return", f"{_MODULE}:log_return"),
    "open_gap": FeatureSpec("open against the last close", "return", f"{_MODULE}:open_gap"),
    "high_gap": FeatureSpec("high against the last close", "return", f"{_MODULE}:high_gap"),
    "low_gap": FeatureSpec("low against the last close", "return", f"{_MODULE}:low_gap"),
    "log_range": FeatureSpec("log of the day's range", "log_range", f"{_MODULE}:log_range"),
    "log_volume_ratio": FeatureSpec(
        "volume against its last 60 bars", "plain", f"{_MODULE}:log_volume_ratio"
    ),
    "log_trailing_vol": FeatureSpec("log volatility from closes", "plain", f"{_MODULE}:log_trailing_vol"),
    "log_range_vol": FeatureSpec("log volatility from ranges", "plain", f"{_MODULE}:log_range_vol"),
    "open": FeatureSpec("open in its own units", "level", f"{_MODULE}:open_level"),
    "high": FeatureSpec("high in its own units", "level", f"{_MODULE}:high_level"),
    "low": FeatureSpec("low in its own units", "level", f"{_MODULE}:low_level"),
    "close": FeatureSpec("close in its own units", "level", f"{_MODULE}:close_level"),
    "volume": FeatureSpec("volume in its own units", "level", f"{_MODULE}:volume_level"),
}
