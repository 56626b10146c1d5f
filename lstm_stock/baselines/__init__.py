"""The forecasters to beat: simple models of the same returns, scored at the same cutoffs.

Each one is fitted on the in-sample bars (train and val: all a forecaster could know when the test period
starts) and then forecasts from every cutoff with what is known there. To add one, write a function and an entry
in `BASELINES`. Nothing here knows the network.
"""

from __future__ import annotations

from collections.abc import Callable

from lstm_stock.baselines.arima import arima
from lstm_stock.baselines.ewma import ewma, ewma_drift
from lstm_stock.baselines.garch import garch, gjr
from lstm_stock.baselines.har import har_market_t, har_range_t
from lstm_stock.baselines.task import Baseline, Task
from lstm_stock.baselines.walks import always_up, constant_t, drift, historical, naive, reversal_10
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError

__all__ = [
    "BASELINES",
    "MARKET_BASELINES",
    "Baseline",
    "Task",
    "always_up",
    "arima",
    "constant_t",
    "drift",
    "ewma",
    "ewma_drift",
    "forecast_all",
    "garch",
    "gjr",
    "har_market_t",
    "har_range_t",
    "historical",
    "naive",
    "reversal_10",
]

BASELINES: dict[str, Baseline] = {
    "naive": naive,
    "drift": drift,
    "constant_t": constant_t,
    "historical": historical,
    "arima": arima,
    "ewma": ewma,
    "ewma_drift": ewma_drift,
    "garch": garch,
    "gjr": gjr,
    "har_range_t": har_range_t,
    "always_up": always_up,
    "reversal_10": reversal_10,
}
"""In the order of the score table: a fixed spread, a spread that moves with the market, a mere direction."""

MARKET_BASELINES: dict[str, Baseline] = {"har_market_t": har_market_t}
"""Those that look at all tickers of a run, for runs whose network does."""


def forecast_all(task: Task, on_note: Callable[[str], None]) -> dict[str, Distribution]:
    """Forecast with every baseline; one that cannot be fitted drops out, and why is said.

    Those that look at all tickers are among them where the bars have the market beside them.

    Args:
        task: What is asked.
        on_note: Called with one sentence for each baseline that drops out.
    """
    forecasts = {}
    known = BASELINES if task.bars.market is None else BASELINES | MARKET_BASELINES
    for name, baseline in known.items():
        try:
            forecasts[name] = baseline(task)
        except BaselineError as error:
            on_note(f"baseline {name} is left out: {error.message}")
    return forecasts
