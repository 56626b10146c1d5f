"""Scores of point and interval forecasts: arrays in, one number out.

Every function takes arrays of one shape, `(n,)` or any other, of prices unless stated otherwise, and averages over
all values. Scores of distributions (CRPS, log score) are in `lstm_stock.distributions`. Nothing here tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import Array


def rmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Root mean squared error, `sqrt(mean((y_true - y_pred)^2))`.

    Raises:
        ValueError: The arrays are empty, differ in shape, or `y_true` is not finite, as in every function here.

    >>> rmse([1.0, 5.0], [1.0, 2.0])  # sqrt((0 + 9) / 2)
    2.1213203435596424
    """
    y_true, y_pred = _checked({"y_true": y_true, "y_pred": y_pred})
    return float(np.sqrt(np.mean((y_true - y_pred) ** 2)))


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean absolute error, `mean(|y_true - y_pred|)`.

    >>> mae([1.0, 5.0], [1.0, 2.0])  # (0 + 3) / 2
    1.5
    """
    y_true, y_pred = _checked({"y_true": y_true, "y_pred": y_pred})
    return float(np.mean(np.abs(y_true - y_pred)))


def mase(y_true: ArrayLike, y_pred: ArrayLike, insample_mae: float) -> float:
    """Mean absolute scaled error, `mae / insample_mae` (Hyndman & Koehler 2006, Int. J. of Forecasting 22).

    Below 1 the error is less than that of the naive one-bar forecast on the train bars.

    Args:
        y_true: Realised prices.
        y_pred: Forecast prices.
        insample_mae: Mean absolute error of the naive one-bar forecast on the train bars.

    Raises:
        ValueError: `insample_mae` is not positive, as for train prices that never move.

    >>> mase([1.0, 5.0], [1.0, 2.0], insample_mae=3.0)  # 1.5 / 3
    0.5
    """
    if not insample_mae > 0:
        raise ValueError(f"`insample_mae` must be greater than 0, got {insample_mae}")
    return mae(y_true, y_pred) / insample_mae


def skill(rmse: float, rmse_naive: float) -> float:
    """Percent by which the error is less than the naive one, `100 (1 - rmse / rmse_naive)`; negative is worse.

    As the skill score of Murphy 1988 (Monthly Weather Review 116), of the root instead of the square. NaN if the
    error of the naive forecast is 0 or NaN.

    >>> skill(1.5, 2.0)
    25.0
    """
    return 100 * (1 - rmse / rmse_naive) if rmse_naive > 0 else float("nan")


def direction(y_true: ArrayLike, y_pred: ArrayLike, last_close: ArrayLike) -> float:
    """Share of right signs of the move from `last_close`, among rows where forecast and outcome both move.

    The hit rate of Pesaran & Timmermann 1992 (Journal of Business & Economic Statistics 10). NaN without such a
    row, as for the naive forecast, which never leaves the last close.

    >>> direction([11.0, 9.0, 11.0, 10.0], [12.0, 11.0, 10.0, 9.0], [10.0, 10.0, 10.0, 10.0])  # right, wrong
    0.5
    """
    y_true, y_pred, last_close = _checked({"y_true": y_true, "y_pred": y_pred, "last_close": last_close})
    moved = np.sign(y_true - last_close) * np.sign(y_pred - last_close)
    if np.isnan(moved).any():
        return float("nan")
    moved = moved[moved != 0]
    return float(np.mean(moved > 0)) if len(moved) else float("nan")


def coverage(y_true: ArrayLike, lo: ArrayLike, hi: ArrayLike) -> float:
    """Share of outcomes in their interval, `mean(lo <= y_true <= hi)`; NaN if a forecast has no interval.

    Christoffersen 1998 (International Economic Review 39) tests it against the nominal level.

    >>> coverage([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 4.0, 0.0], [2.0, 3.0, 5.0, 3.0])  # in, in, out, out
    0.5
    """
    y_true, lo, hi = _checked({"y_true": y_true, "lo": lo, "hi": hi})
    if np.isnan(lo).any() or np.isnan(hi).any():
        return float("nan")
    return float(np.mean((lo <= y_true) & (y_true <= hi)))


def width(lo: ArrayLike, hi: ArrayLike, last_close: ArrayLike) -> float:
    """Mean width of the intervals in percent of the price, `100 mean((hi - lo) / last_close)`; NaN without them.

    Sharpness in the sense of Gneiting, Balabdaoui & Raftery 2007 (J. of the Royal Statistical Society B 69): of
    two forecasts with the same coverage, the narrower one is more informative.

    >>> width([7.5, 87.5], [12.5, 112.5], [10.0, 100.0])  # (50 + 25) / 2
    37.5
    """
    last_close, lo, hi = _checked({"last_close": last_close, "lo": lo, "hi": hi})
    return float(100 * np.mean((hi - lo) / last_close))


def _checked(columns: dict[str, ArrayLike]) -> list[Array]:
    """Return the columns as arrays; ValueError if they differ in shape, are empty, or the first is not finite."""
    arrays = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    if len({array.shape for array in arrays.values()}) > 1:
        shapes = ", ".join(f"`{name}` {array.shape}" for name, array in arrays.items())
        raise ValueError(f"arrays must have one shape, got {shapes}")
    name, first = next(iter(arrays.items()))
    if first.size == 0:
        raise ValueError(f"`{name}` must have one value or more, got an empty array")
    n_bad = int(np.sum(~np.isfinite(first)))
    if n_bad:
        raise ValueError(f"`{name}` must be finite, got {n_bad} of {first.size} values that are not")
    return list(arrays.values())
