"""The registry of features: the inputs of the network per bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lstm_stock.config.registry import Target

FeatureKind = Literal["return", "log_range", "log_vol", "plain", "level"]
"""How a feature depends on the target scale, the volatility that returns are divided by.

A `return` is divided by the volatility known the day before, and the log of that volatility is subtracted from a
`log_range`. The log of the volatility known at the same bar is subtracted from a `log_vol`. A `plain` feature does
not depend on it. A `level` is a price or a volume in its own units.
"""


@dataclass(frozen=True)
class FeatureSpec:
    """Facts about a feature.

    Attributes:
        purpose: What it measures.
        kind: How it depends on the ticker's volatility.
        compute: Target of a function from `lstm_stock.dataset.features.Bars` and `arguments` to one value per bar.
        arguments: Numbers that the function takes after the bars.
        by_step: Whether it depends on the session that is forecast: there is then one column for each step of the
            horizon. The function also takes an array of steps, and returns `(n_bars, n_steps)`; it is `plain`.
        needs_market: Whether it reads the bars of all tickers of a run.
        of_values: Whether it is a feature of series of values; the others are of prices.
    """

    purpose: str
    kind: FeatureKind
    compute: Target
    arguments: tuple[int, ...] = ()
    by_step: bool = False
    needs_market: bool = False
    of_values: bool = False


_MODULE = "lstm_stock.dataset.features"
_SEASONAL = "lstm_stock.dataset.seasonal"
_INTRADAY = "lstm_stock.dataset.intraday"
_CHARACTER = "lstm_stock.dataset.character"
_OF_VALUES = "lstm_stock.dataset.value_features"

QUARTERS = (13, 26, 39, 52)
"""Weeks from a quarterly report to the one, two, three and four quarters later."""


def _seasonal() -> dict[str, FeatureSpec]:
    """Return the features of the same weekday some quarters before, with both weeks next to it."""
    found = {}
    for quarter in QUARTERS:
        for weeks in (quarter - 1, quarter, quarter + 1):
            found[f"seasonal_vol_{weeks}w"] = FeatureSpec(
                f"variance of the same weekday {weeks} weeks before the session forecast, against its month",
                "plain",
                f"{_SEASONAL}:seasonal_vol",
                (weeks,),
                by_step=True,
            )
        found[f"seasonal_max_{quarter}w"] = FeatureSpec(
            f"greatest variance within four sessions of {quarter} weeks before the session forecast",
            "plain",
            f"{_SEASONAL}:seasonal_max",
            (quarter,),
            by_step=True,
        )
    return found


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
    **{
        f"vol_{name}": FeatureSpec(
            f"log volatility of {span}, relative to the target scale",
            "log_vol",
            f"{_MODULE}:mean_log_vol",
            (n_bars,),
        )
        for name, span, n_bars in (
            ("day", "the day", 1),
            ("week", "5 bars", 5),
            ("month", "22 bars", 22),
            ("year", "250 bars", 250),
        )
    },
    "vol_trailing": FeatureSpec(
        "log volatility from closes, relative to the target scale", "log_vol", f"{_MODULE}:log_trailing_vol"
    ),
    "vol_range": FeatureSpec(
        "log volatility from ranges, relative to the target scale", "log_vol", f"{_MODULE}:log_range_vol"
    ),
    "fall": FeatureSpec("log return of the close, 0 where it is positive", "return", f"{_MODULE}:fall"),
    **{
        f"trend_{n_bars}": FeatureSpec(
            f"EWMA of returns with a half-life of {n_bars} bars", "plain", f"{_MODULE}:trend", (n_bars,)
        )
        for n_bars in (2, 10)
    },
    "overnight_gap": FeatureSpec(
        "open against the last close, of a day's first bar; else 0", "return", f"{_INTRADAY}:overnight_gap"
    ),
    "time_of_day": FeatureSpec("time of an intraday bar", "plain", f"{_INTRADAY}:time_of_day"),
    "open": FeatureSpec("open in its own units", "level", f"{_MODULE}:open_level"),
    "high": FeatureSpec("high in its own units", "level", f"{_MODULE}:high_level"),
    "low": FeatureSpec("low in its own units", "level", f"{_MODULE}:low_level"),
    "close": FeatureSpec("close in its own units", "level", f"{_MODULE}:close_level"),
    "volume": FeatureSpec("volume in its own units", "level", f"{_MODULE}:volume_level"),
    **_seasonal(),
    **{
        f"max_vol_{n_bars}": FeatureSpec(
            f"greatest variance of the last {n_bars} bars, each against its month",
            "plain",
            f"{_SEASONAL}:max_vol",
            (n_bars,),
        )
        for n_bars in (10, 25, 55)
    },
    "tail_weight": FeatureSpec(
        "weight of the tails of the returns of a year", "plain", f"{_CHARACTER}:tail_weight"
    ),
    "vol_of_vol": FeatureSpec("irregularity of the widths of a year", "plain", f"{_CHARACTER}:vol_of_vol"),
    "market_vol_beta": FeatureSpec(
        "how much the variance followed that of all tickers for a year",
        "plain",
        f"{_CHARACTER}:market_vol_beta",
        needs_market=True,
    ),
    "market_trend_beta": FeatureSpec(
        "how much the returns followed those of all tickers for a year",
        "plain",
        f"{_CHARACTER}:market_trend_beta",
        needs_market=True,
    ),
    "market_vol": FeatureSpec(
        "variance of the day, of all tickers, against the month",
        "plain",
        f"{_MODULE}:market_vol",
        needs_market=True,
    ),
    "market_level": FeatureSpec(
        "variance of the month, of all tickers, against the year",
        "plain",
        f"{_MODULE}:market_level",
        needs_market=True,
    ),
    "market_trend_2": FeatureSpec(
        "mean return of all tickers over some days", "plain", f"{_MODULE}:market_trend_2", needs_market=True
    ),
    "market_trend_10": FeatureSpec(
        "mean return of all tickers over some weeks", "plain", f"{_MODULE}:market_trend_10", needs_market=True
    ),
    "change": FeatureSpec("move since the value before", "plain", f"{_OF_VALUES}:change", of_values=True),
    "deviation": FeatureSpec(
        "distance from the mean of the last seasons", "plain", f"{_OF_VALUES}:deviation", of_values=True
    ),
    "seasonal_change": FeatureSpec(
        "what the seasonal naive forecast of each step is, less the last value",
        "plain",
        f"{_OF_VALUES}:seasonal_change",
        by_step=True,
        of_values=True,
    ),
    "seasonal_difference": FeatureSpec(
        "move since the same time of the season before",
        "plain",
        f"{_OF_VALUES}:seasonal_difference",
        of_values=True,
    ),
}

VALUE_FEATURES = tuple(name for name, spec in FEATURES.items() if spec.of_values)
"""The features of series of values."""


def feature_columns(names: Sequence[str], horizon: int) -> tuple[str, ...]:
    """Return the columns of some features: a feature by step has one for each step.

    >>> feature_columns(["log_return", "seasonal_vol_13w"], 2)
    ('log_return', 'seasonal_vol_13w', 'seasonal_vol_13w@2')
    """
    return tuple(
        name if step == 1 else f"{name}@{step}"
        for name in names
        for step in range(1, horizon + 1 if name in FEATURES and FEATURES[name].by_step else 2)
    )


def feature_of(column: str) -> tuple[str, int]:
    """Return the feature of a column, and its step.

    >>> feature_of("seasonal_vol_13w@2"), feature_of("log_return")
    (('seasonal_vol_13w', 2), ('log_return', 1))
    """
    name, _, step = column.partition("@")
    return name, int(step or 1)
