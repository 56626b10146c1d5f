"""The intervals of series: how far apart their dates are, from five minutes to a year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Interval:
    """The time from one bar, or value, of a series to the next.

    Attributes:
        name: Its name in configs, options and files, such as `1wk`.
        adjective: For sentences: `weekly` bars.
        seconds: Its length; 0 for months, quarters and years, whose lengths differ.
        months: Its length in months; 0 for shorter ones.
    """

    name: str
    adjective: str
    seconds: int = 0
    months: int = 0

    @property
    def is_intraday(self) -> bool:
        """Whether a day may have several bars, so that their dates have a time of day."""
        return 0 < self.seconds < DAY_SECONDS

    @property
    def is_daily(self) -> bool:
        """Whether it is a day."""
        return self.seconds == DAY_SECONDS


DAY_SECONDS: Final = 86_400

INTERVALS: Final[dict[str, Interval]] = {
    one.name: one
    for one in (
        Interval("5m", "five-minute", 300),
        Interval("15m", "quarter-hourly", 900),
        Interval("30m", "half-hourly", 1800),
        Interval("1h", "hourly", 3600),
        Interval("4h", "four-hourly", 4 * 3600),
        Interval("1d", "daily", DAY_SECONDS),
        Interval("1wk", "weekly", 7 * DAY_SECONDS),
        Interval("1mo", "monthly", months=1),
        Interval("1q", "quarterly", months=3),
        Interval("1y", "yearly", months=12),
    )
}
"""Every interval by its name, shortest first."""

DAILY: Final = INTERVALS["1d"]
"""The interval of a series that names none."""
