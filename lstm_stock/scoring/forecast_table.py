"""The forecast table: one row per ticker, cutoff and step, with the outcome and the intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.dataset.volatility import trailing_volatility
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.base import Array
from lstm_stock.distributions.intervals import LEVELS, Intervals

PERCENT = 100.0
"""Unit of the log returns that CRPS and NLL are scores of."""

INTERVAL_COLUMNS = tuple(f"{side}_{level}" for level in LEVELS for side in ("lo", "hi"))

FORECAST_COLUMNS = (
    *("ticker", "model", "cutoff", "step", "date", "last_close", "y_true", "y_pred", "direction"),
    *INTERVAL_COLUMNS,
    *("crps", "nll", "pit", "insample_mae", "trailing_vol", "p_up"),
)


OWN_UNITS = "own_units"
"""A further column, of ones, in a forecast table of differences: errors and widths are not in percent of the last
value, which may be zero, but in the units of the series."""


def error_base(table: pd.DataFrame) -> Array:
    """Return what errors and widths are given in percent of, shape `(n_rows,)`.

    The last close; 100 in a table of differences, so that they are in the units of the series.
    """
    if OWN_UNITS in table:
        return np.full(len(table), PERCENT)
    return table["last_close"].to_numpy(np.float64)


def price_intervals(intervals: Intervals, last_close: Array, is_log: bool = True) -> dict[str, Array]:
    """Turn intervals of log returns into prices, or those of differences into values.

    A quantile of the price is `last_close x exp(quantile of the return)`, since exp is monotone. That of a value
    is the last one plus the quantile of the difference.

    Args:
        intervals: Intervals of the k-bar log returns at `LEVELS`, for `(n_windows, horizon)`.
        last_close: Close at each cutoff, shape `(n_windows, 1)`.
        is_log: Whether the intervals are of log returns.

    Returns:
        The median `y_pred`, and the ends `lo_*` and `hi_*` of each level, each of shape `(n_windows, horizon)`;
        infinite where a price overflows.
    """

    def price(moves: Array) -> Array:
        return last_close * np.exp(moves) if is_log else last_close + moves

    with np.errstate(over="ignore"):
        prices = {"y_pred": price(intervals.centre)}
        lower, upper = intervals.lower, intervals.upper
        for i, level in enumerate(LEVELS):
            prices[f"lo_{level}"] = price(lower[..., i])
            prices[f"hi_{level}"] = price(upper[..., i])
    return prices


def forecast_table(
    windows: Windows, model: str, returns: Distribution, intervals: Intervals | None = None
) -> pd.DataFrame:
    """Build the forecast table of one model: one row per cutoff and step, with the outcome.

    Args:
        windows: The windows of the forecasts; their outcomes must be known.
        model: Name of the model, for the column `model`.
        returns: Its forecast of the k-bar log returns, shape `(n_windows, horizon)`.
        intervals: Its intervals at `LEVELS`; those of `returns` by default.

    Returns:
        Columns `FORECAST_COLUMNS`. Prices are adjusted prices; `direction` is the sign of the forecast move, which
        a model may have without forecasting a price; `crps` and `nll` are scores of the log return in percent;
        `pit` is the forecast probability of a return at or below the realised one; `trailing_vol` is the EWMA
        volatility of one-bar log returns known at the cutoff; `p_up` is the forecast probability of a rise.
        Of series of values, `trailing_vol` is NaN; where differences are forecast, `crps` and `nll` are scores of
        the difference, and there is a column `OWN_UNITS`.
    """
    series, spec, horizon = windows.series, windows.spec, windows.spec.horizon
    unit = PERCENT if spec.is_log else 1.0
    percent = returns.rescale(unit)
    y_true = unit * windows.returns
    volatility = np.full(len(series.close), np.nan) if spec.of_values else trailing_volatility(series.close)
    cells = {
        "last_close": np.broadcast_to(windows.last_close, y_true.shape),
        "y_true": series.close[windows.future_rows],
        "direction": returns.direction(),
        **price_intervals(intervals or Intervals.of(returns, LEVELS), windows.last_close, spec.is_log),
        "crps": percent.crps(y_true),
        "nll": percent.log_score(y_true),
        "pit": percent.cdf(y_true),
        "p_up": 1 - percent.cdf(np.zeros_like(y_true)),
    }
    columns: dict[str, Any] = {name: np.asarray(values, np.float64).ravel() for name, values in cells.items()}
    columns |= {
        "ticker": series.ticker,
        "model": model,
        "cutoff": np.repeat(series.dates[windows.cutoffs], horizon).astype("datetime64[s]"),
        "step": np.tile(np.arange(1, horizon + 1, dtype=np.int64), len(windows)),
        "date": series.dates[windows.future_rows].ravel().astype("datetime64[s]"),
        "insample_mae": series.fitted.insample_mae,
        "trailing_vol": np.repeat(volatility[windows.cutoffs], horizon),
    }
    table = pd.DataFrame({name: columns[name] for name in FORECAST_COLUMNS})
    return table if spec.is_log else table.assign(**{OWN_UNITS: 1.0})
