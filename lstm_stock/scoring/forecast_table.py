"""The forecast table: one row per ticker, cutoff and step, with the outcome and the intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_stock.dataset.volatility import Array
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.intervals import LEVELS, Intervals

PERCENT = 100.0
"""CRPS and NLL are scores of the log return in percent, so that tickers and targets compare."""


INTERVAL_COLUMNS = tuple(f"{side}_{level}" for level in LEVELS for side in ("lo", "hi"))

FORECAST_COLUMNS = (
    *("ticker", "model", "cutoff", "step", "date", "last_close", "y_true", "y_pred", "direction"),
    *INTERVAL_COLUMNS,
    *("crps", "nll", "pit", "insample_mae"),
)


def price_intervals(intervals: Intervals, last_close: Array) -> dict[str, Array]:
    """Turn intervals of log returns into prices: the median `y_pred` and `lo_*`, `hi_*` of each level.

    A quantile of the price is `last_close x exp(quantile of the return)`, exactly, because exp is monotone.

    Args:
        intervals: Intervals of the k-bar log returns at `LEVELS`, for `(n_windows, horizon)`.
        last_close: Close at each cutoff, shape `(n_windows, 1)`.
    """
    prices = {"y_pred": last_close * np.exp(intervals.centre)}
    lower, upper = intervals.lower, intervals.upper
    for i, level in enumerate(LEVELS):
        prices[f"lo_{level}"] = last_close * np.exp(lower[..., i])
        prices[f"hi_{level}"] = last_close * np.exp(upper[..., i])
    return prices


def forecast_table(
    windows: Windows, model: str, returns: Distribution, intervals: Intervals | None = None
) -> pd.DataFrame:
    """Set one model's forecasts beside what came.

    Args:
        windows: The windows forecast from; their futures must exist.
        model: Name of the model, for the column `model`.
        returns: Its forecast of the k-bar log returns, shape `(n_windows, horizon)`.
        intervals: Its intervals at `LEVELS`, if they are not those of `returns`.

    Returns:
        One row per cutoff and step, columns `FORECAST_COLUMNS`. Prices are adjusted prices; `direction` is
        the sign of the move forecast, which a model may have without having a price; `crps` and `nll` are of
        the log return in percent; `pit` is the probability the forecast gave to less than what came.
    """
    series, horizon = windows.series, windows.spec.horizon
    percent = returns.rescale(PERCENT)
    came = PERCENT * windows.returns
    cells = {
        "last_close": np.broadcast_to(windows.last_close, came.shape),
        "y_true": series.close[windows.future_rows],
        "direction": returns.direction(),
        **price_intervals(
            Intervals.of(returns, LEVELS) if intervals is None else intervals, windows.last_close
        ),
        "crps": percent.crps(came),
        "nll": percent.log_score(came),
        "pit": percent.cdf(came),
    }
    table = pd.DataFrame({name: np.asarray(values, np.float64).ravel() for name, values in cells.items()})
    table["ticker"] = series.ticker
    table["model"] = model
    table["cutoff"] = np.repeat(series.dates[windows.cutoffs], horizon).astype("datetime64[s]")
    table["step"] = np.tile(np.arange(1, horizon + 1, dtype=np.int64), len(windows))
    table["date"] = series.dates[windows.future_rows].ravel().astype("datetime64[s]")
    table["insample_mae"] = series.fitted.insample_mae
    return table[list(FORECAST_COLUMNS)]
