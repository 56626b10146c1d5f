"""The times of intraday bars in a CSV file, on the clock of their exchange."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from lstm_stock.prices.csv.dates import Dates
from lstm_stock.prices.interval import Times, is_intraday


def intraday_times(dates: Dates, zone: str | None) -> tuple[Times, str] | None:
    """Return the times of the bars of a file, if a day has several, and how they were read.

    Times with an offset from UTC become those of the exchange's clock where it is known. Otherwise they stay as
    written; where the offsets differ so that times repeat, as when clocks are put back, they become times in UTC.

    Args:
        dates: The parsed column of dates.
        zone: IANA time zone of the exchange, None if unknown.

    Returns:
        `datetime64[s]`, NaT where a cell is no date, shape `(n_cells,)`; None if the bars are daily or longer.
    """
    if not dates.has_time:
        return None
    dated = ~np.isnat(dates.days)
    written = dates.days.astype("datetime64[s]") + np.nan_to_num(dates.seconds).astype(np.int64)
    if not is_intraday(np.unique(written[dated])):
        return None
    offsets = dates.offsets[dated]
    if not np.isfinite(offsets).all() or len(offsets) == 0:
        return written, "times of day as written"
    in_utc = written - (60 * np.nan_to_num(dates.offsets)).astype(np.int64)
    if zone is not None:
        local = pd.DatetimeIndex(in_utc).tz_localize("UTC").tz_convert(ZoneInfo(zone)).tz_localize(None)
        return local.to_numpy().astype("datetime64[s]"), f"times of day in {zone}"
    if len(np.unique(offsets)) > 1 and len(np.unique(written[dated])) < len(np.unique(in_utc[dated])):
        return in_utc, "times of day in UTC, as clocks were put back"
    return written, "times of day as written"
