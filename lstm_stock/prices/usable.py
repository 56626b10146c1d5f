"""Which rows of a source are bars: those with prices that are possible.

Sources leave out the other rows, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lstm_stock.prices.table import PRICES, Array

Mask = npt.NDArray[np.bool_]


def without_prices(columns: Mapping[str, Array]) -> Mask:
    """Return which rows lack a price, shape `(n_rows,)`.

    Args:
        columns: Every one of `PRICES`, each of shape `(n_rows,)`.
    """
    return np.asarray(np.isnan(np.array([columns[name] for name in PRICES])).any(axis=0))


def impossible(columns: Mapping[str, Array]) -> Mask:
    """Return which rows have prices that cannot be: not above 0, or a high below the low; shape `(n_rows,)`.

    Args:
        columns: Every one of `PRICES` and `volume`, each of shape `(n_rows,)`.
    """
    with np.errstate(invalid="ignore"):
        found = (columns["high"] < columns["low"]) | (columns["open"] < 0) | (columns["volume"] < 0)
        for name in ("high", "low", "close", "adj_close"):
            found |= columns[name] <= 0
    return np.asarray(found)
