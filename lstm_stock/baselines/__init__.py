"""Baselines: simple models that forecast the same returns as the network from the same cutoffs.

Each is fitted once on the in-sample bars (train and val), then forecasts from every cutoff with the bars up to it.
To add one, write a function and an entry in `BASELINES`.
"""

from __future__ import annotations

from collections.abc import Callable

from lstm_stock.baselines.arima import arima
from lstm_stock.baselines.ewma import ewma, ewma_drift
from lstm_stock.baselines.garch import garch, gjr
from lstm_stock.baselines.har import har_market_t, har_range_t, lhar_t
from lstm_stock.baselines.pooled import pooled_t, pretrained, universal
from lstm_stock.baselines.seasonal import ar, ets, seasonal_naive
from lstm_stock.baselines.task import BaselineSpec, Task
from lstm_stock.baselines.walks import always_up, constant_t, drift, historical, naive, reversal_10
from lstm_stock.dataset.blas import one_blas_thread
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError

__all__ = [
    "BASELINES",
    "BaselineSpec",
    "Task",
    "always_up",
    "ar",
    "arima",
    "constant_t",
    "drift",
    "ets",
    "ewma",
    "ewma_drift",
    "followers",
    "forecast_all",
    "garch",
    "gjr",
    "har_market_t",
    "har_range_t",
    "historical",
    "lhar_t",
    "naive",
    "pooled_t",
    "pretrained",
    "reversal_10",
    "seasonal_naive",
    "universal",
]

BASELINES: dict[str, BaselineSpec] = {
    "naive": BaselineSpec(naive, of_values=True),
    "drift": BaselineSpec(drift, of_values=True),
    "constant_t": BaselineSpec(constant_t),
    "historical": BaselineSpec(historical),
    "arima": BaselineSpec(arima),
    "ewma": BaselineSpec(ewma, follows_volatility=True),
    "ewma_drift": BaselineSpec(ewma_drift, follows_volatility=True),
    "garch": BaselineSpec(garch, follows_volatility=True),
    "gjr": BaselineSpec(gjr, follows_volatility=True),
    "har_range_t": BaselineSpec(har_range_t, follows_volatility=True),
    "lhar_t": BaselineSpec(lhar_t, follows_volatility=True),
    "always_up": BaselineSpec(always_up),
    "reversal_10": BaselineSpec(reversal_10),
    "har_market_t": BaselineSpec(har_market_t, follows_volatility=True, needs_market=True),
    "pooled_t": BaselineSpec(pooled_t, follows_volatility=True, needs_regression=True),
    "universal": BaselineSpec(universal, follows_volatility=True, needs_regression=True),
    "pretrained": BaselineSpec(pretrained, follows_volatility=True, needs_regression=True),
    "seasonal_naive": BaselineSpec(seasonal_naive, of_prices=False, of_values=True),
    "ets": BaselineSpec(ets, of_prices=False, of_values=True),
    "ar": BaselineSpec(ar, of_prices=False, of_values=True),
}
"""In the order in which they forecast: constant volatility, changing volatility, direction only, market, all
tickers; then those of series of values alone."""


def followers() -> list[str]:
    """Return the names of the baselines whose volatility follows the market."""
    return [name for name, baseline in BASELINES.items() if baseline.follows_volatility]


def forecast_all(task: Task, on_note: Callable[[str], None]) -> dict[str, Distribution]:
    """Forecast with every baseline; one that cannot be fitted is left out with a note.

    Baselines of prices forecast prices, those of series of values such series. Those that need the market or
    a regression over many tickers are left out where there is none. The number
    of cores changes no bit of a forecast.

    Args:
        task: What to forecast.
        on_note: Called with one sentence for each baseline that cannot be fitted.
    """
    forecasts = {}
    with one_blas_thread():
        for name, baseline in BASELINES.items():
            if not (baseline.of_prices if task.bars.positions is None else baseline.of_values):
                continue
            if baseline.needs_market and task.bars.market is None:
                continue
            if baseline.needs_regression and name not in task.regressions:
                continue
            try:
                forecasts[name] = baseline.forecast(task)
            except BaselineError as error:
                on_note(f"baseline {name} is left out: {error.message}")
    return forecasts
