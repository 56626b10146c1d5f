"""The seasons of series of values: how many values one has, by the interval, and what suits it.

The word is that of statsforecast, `season_length`: 24 of hours, 7 of days, 12 of months.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Season:
    """What suits series of one interval.

    Attributes:
        length: Values per season; 1 is none.
        look_back: Values that a network sees.
        horizon: Values forecast at once.
    """

    length: int
    look_back: int
    horizon: int


NO_SEASON: Final = Season(1, 30, 5)
"""Of a series whose dates have no known interval."""

SEASONS: Final[dict[str, Season]] = {
    "5m": Season(288, 48, 12),
    "15m": Season(96, 48, 12),
    "30m": Season(48, 48, 12),
    "1h": Season(24, 48, 24),
    "4h": Season(6, 30, 6),
    "1d": Season(7, 28, 7),
    "1wk": Season(52, 26, 8),
    "1mo": Season(12, 24, 12),
    "1q": Season(4, 12, 4),
    "1y": Season(1, 12, 5),
}
"""By the name of the interval: a day of hours and less, a week of days, a year of the longer ones."""
