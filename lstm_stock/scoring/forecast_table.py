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


def price_intervals(intervals: Intervals, last_close: Array) -> dict[str, Array]:
    """Turn intervals of log returns into prices.

    A quantile of the price is `last_close x exp(quantile of the return)`, since exp is monotone.

    Args:
        intervals: Intervals of the k-bar log returns at `LEVELS`, for `(n_windows, horizon)`.
        last_close: Close at each cutoff, shape `(n_windows, 1)`.

    Returns:
        The median `y_pred`, and the ends `lo_*` and `hi_*` of each level, each of shape `(n_windows, horizon)`;
        infinite where a price overflows.
    """
    with np.errstate(over="ignore"):
        prices = {"y_pred": last_close * np.exp(intervals.centre)}
        lower, upper = intervals.lower, intervals.upper
        for i, level in enumerate(LEVELS):
            prices[f"lo_{level}"] = last_close * np.exp(lower[..., i])
            prices[f"hi_{level}"] = last_close * np.exp(upper[..., i])
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
    """
    series, horizon = windows.series, windows.spec.horizon
    percent = returns.rescale(PERCENT)
    y_true = PERCENT * windows.returns
    cells = {
        "last_close": np.broadcast_to(windows.last_close, y_true.shape),
        "y_true": series.close[windows.future_rows],
        "direction": returns.direction(),
        **price_intervals(intervals or Intervals.of(returns, LEVELS), windows.last_close),
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
        "trailing_vol": np.repeat(trailing_volatility(series.close)[windows.cutoffs], horizon),
    }
    return pd.DataFrame({name: columns[name] for name in FORECAST_COLUMNS})
