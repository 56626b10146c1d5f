"""Put bars that were fetched now and bars that were stored before into one table, or see that they do not fit.

A split or a dividend changes all prices before it. Bars of before and after such a change are never joined, and
none is ever rescaled. Nothing here fetches or stores.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

OVERLAP: Final = 30
"""How many stored bars are fetched again to be compared."""

_CLOSE_TOLERANCE = 1e-4
_ADJ_CLOSE_TOLERANCE = 2e-5
_ROUNDING = 2e-6
"""Prices come with six decimals: below a dollar these alone move a ratio by more than the tolerance."""

Array = npt.NDArray[np.float64]


def find_change(stored: pd.DataFrame, fetched: pd.DataFrame) -> str | None:
    """Say why stored bars cannot be continued with fetched ones, in words for the user.

    Args:
        stored: A price table without a bar that was unfinished.
        fetched: A price table that was fetched later, with some dates of `stored`.

    Returns:
        None if prices of the dates that both have are the same, and no fetched bar brings a split or a dividend
        that would have changed stored ones.
    """
    common = stored.index.intersection(fetched.index)
    if len(common) == 0:
        return "no fetched bar is of a date that the store has"
    old, new = stored.loc[common], fetched.loc[common]
    moved = _differs(old["close"], new["close"], _CLOSE_TOLERANCE)
    if moved.any():
        return _told("the close", common, moved, old["close"], new["close"], "a split, or a correction")
    moved = _differs(old["adj_close"], new["adj_close"], _ADJ_CLOSE_TOLERANCE)
    if moved.any():
        return _told(
            "the adjusted close",
            common,
            moved,
            old["adj_close"],
            new["adj_close"],
            "a dividend, or a correction",
        )
    for name, word in (("splits", "split"), ("dividends", "dividend")):
        before = stored[name].reindex(fetched.index, fill_value=0.0).to_numpy(np.float64)
        other = ~np.isclose(before, fetched[name].to_numpy(np.float64), rtol=1e-6, atol=0)
        if other.any():
            return f"there is another {word} of {fetched.index[other][0]:%F}"
    return None


def missing_from(stored: pd.DataFrame, fetched: pd.DataFrame, whole: bool) -> pd.DatetimeIndex:
    """Return the stored dates that should have been fetched again, and were not.

    Args:
        stored: A price table.
        fetched: A price table that was fetched later.
        whole: Whether all dates of `stored` were asked for; otherwise those from the first one fetched on.
    """
    asked = stored.index if whole else stored.index[stored.index >= fetched.index[0]]
    return pd.DatetimeIndex(asked.difference(fetched.index))


def splice(stored: pd.DataFrame, fetched: pd.DataFrame, kept: pd.DatetimeIndex) -> pd.DataFrame:
    """Join the stored bars before the first fetched one, the fetched ones, and some more stored ones.

    Args:
        stored: A price table.
        fetched: A price table that was fetched later, for which `find_change` found nothing.
        kept: Dates of `stored` that `fetched` lacks and that stay.
    """
    before = stored[stored.index < fetched.index[0]]
    extra = stored.loc[kept[kept > fetched.index[0]]]
    table: pd.DataFrame = pd.concat([before, fetched, extra]).sort_index()
    return table


def _differs(old: pd.Series[float], new: pd.Series[float], tolerance: float) -> npt.NDArray[np.bool_]:
    before, after = old.to_numpy(np.float64), new.to_numpy(np.float64)
    allowed = np.maximum(tolerance, _ROUNDING / np.minimum(before, after))
    return np.asarray(np.abs(after / before - 1) > allowed)


def _told(
    what: str,
    dates: pd.Index,
    moved: npt.NDArray[np.bool_],
    old: pd.Series[float],
    new: pd.Series[float],
    cause: str,
) -> str:
    row = int(np.flatnonzero(moved)[0])
    date = pd.DatetimeIndex(dates)[row]
    return f"{what} of {date:%F} was {old.iloc[row]:.6g} and is {new.iloc[row]:.6g} now ({cause})"
