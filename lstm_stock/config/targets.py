"""The registry of targets: what is forecast of a series, and the words for it in tables and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Words:
    """What a series is called in tables, sentences and figures.

    Attributes:
        level: One observation: `close`.
        thing: What is observed: `price`.
        move: What is forecast: `log return`.
        move_unit: Unit in which CRPS and NLL of a move are given.
        unit: Unit of errors and widths, as in `2.6 % of the price`; empty for the series' own units.
        dates: What cutoffs are counted as: `days`.
        steps: What a horizon counts: `bars`.
        rivals: The baselines that a distribution is compared with.
        crps_unit: Unit of the CRPS in a verdict.
    """

    level: str
    thing: str
    move: str
    move_unit: str
    unit: str
    dates: str
    steps: str
    rivals: str
    crps_unit: str


OF_PRICES: Final = Words(
    level="close",
    thing="price",
    move="log return",
    move_unit="of the log return in %",
    unit="% of the price",
    dates="days",
    steps="bars",
    rivals="each baseline with changing volatility",
    crps_unit="in units of trailing volatility",
)

OF_RATIOS: Final = Words(
    level="value",
    thing="value",
    move="log ratio",
    move_unit="of the log ratio in %",
    unit="% of the last value",
    dates="cutoffs",
    steps="values",
    rivals="each baseline",
    crps_unit="of the log ratio in %",
)

OF_DIFFERENCES: Final = Words(
    level="value",
    thing="value",
    move="difference",
    move_unit="of the difference, in the units of the series",
    unit="in the units of the series",
    dates="cutoffs",
    steps="values",
    rivals="each baseline",
    crps_unit="in the units of the series",
)


@dataclass(frozen=True)
class TargetSpec:
    """Facts about a target.

    Attributes:
        purpose: What is forecast for each step.
        of_values: Whether it is a target of series of values; the others are of prices.
        is_log: Whether a move is the log of a ratio; otherwise it is a difference, of a series of any sign.
        words: What the series is called.
    """

    purpose: str
    of_values: bool = False
    is_log: bool = True
    words: Words = OF_PRICES


TARGETS: Final[dict[str, TargetSpec]] = {
    "log_return": TargetSpec("the log return of the close since the cutoff"),
    "close": TargetSpec("the close"),
    "log_ratio": TargetSpec(
        "the log of the value relative to the last one, of series above zero", of_values=True, words=OF_RATIOS
    ),
    "difference": TargetSpec(
        "the value less the last one, of series of any sign",
        of_values=True,
        is_log=False,
        words=OF_DIFFERENCES,
    ),
}
"""Every target by its name: two of prices, two of series of values."""
