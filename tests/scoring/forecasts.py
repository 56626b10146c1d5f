"""Forecast tables of known volatility, for the tests of the verdict."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from lstm_stock.distributions import Distribution, SignForecast, StudentT
from lstm_stock.distributions.intervals import LEVELS, Intervals
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, price_intervals
from lstm_stock.scoring.verdict import Subject, judge

N = 600

DF = 6.0


def volatile_returns(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return returns with a slowly changing volatility, and that volatility."""
    random = np.random.default_rng(seed)
    log_volatility = np.zeros(N + 1)
    for i in range(1, N + 1):
        log_volatility[i] = 0.97 * log_volatility[i - 1] + random.normal(0, 0.15)
    volatility = 0.012 * np.exp(log_volatility[1:])
    return volatility * random.standard_t(DF, N) * math.sqrt((DF - 2) / DF), volatility


def t_forecast(volatility, centre=0.0) -> StudentT:
    scale = np.broadcast_to(volatility, (N,))[:, None] * math.sqrt((DF - 2) / DF)
    return StudentT(np.broadcast_to(centre, (N,))[:, None], scale, DF)


def rows(model: str, returns: Distribution, realised: np.ndarray, ticker: str = "AAA") -> pd.DataFrame:
    """One model's rows of a forecast table, one step ahead."""
    close = 100 * np.exp(np.concatenate([[0.0], np.cumsum(realised)]))
    last, y = close[:-1, None], realised[:, None]
    percent = returns.rescale(100.0)
    cells = {
        "last_close": last,
        "y_true": last * np.exp(y),
        "direction": returns.direction(),
        **price_intervals(Intervals.of(returns, LEVELS), last),
        "crps": percent.crps(100 * y),
        "nll": percent.log_score(100 * y),
        "pit": percent.cdf(100 * y),
        "p_up": 1 - percent.cdf(np.zeros_like(y)),
    }
    dates = pd.bdate_range("2015-01-01", periods=N + 1, unit="s")
    table = pd.DataFrame({name: np.ravel(values) for name, values in cells.items()})
    past = pd.Series(realised**2).ewm(alpha=0.06).mean().shift(fill_value=0.015**2)
    table = table.assign(
        ticker=ticker, model=model, step=1, insample_mae=1.0, trailing_vol=np.sqrt(past.to_numpy())
    )
    return table.assign(cutoff=dates[:-1], date=dates[1:])[list(FORECAST_COLUMNS)]


def baselines(realised, ticker="AAA") -> list[pd.DataFrame]:
    flat, drifting = t_forecast(0.015), t_forecast(0.015, 0.0005)
    up = SignForecast(np.ones((N, 1)))
    named = {"naive": flat, "constant_t": drifting, "always_up": up}
    return [rows(name, returns, realised, ticker) for name, returns in named.items()]


def verdict_of(network: Distribution, realised: np.ndarray) -> dict:
    return judge(pd.concat([rows("lstm", network, realised), *baselines(realised)]), Subject("lstm"))


REALISED, VOLATILITY = volatile_returns(1)

NOISE = np.random.default_rng(9).normal(0, 0.012, N)
