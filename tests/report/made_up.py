"""Forecasts and a history to draw, as a training would leave them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS

LEVELS = (50, 80, 90, 95)
MODELS = ("lstm", "naive", "drift", "constant_t", "ewma")
WITHOUT_DENSITY = ("naive", "drift")
INTERVALS = [f"{side}_{level}" for level in LEVELS for side in ("lo", "hi")]


def made_up_forecasts(n=700, horizon=5, tickers=("AAA",), seed=0) -> pd.DataFrame:
    """Forecasts of random walks whose volatility moves; `lstm` and `ewma` know it, the others know its mean."""
    random = np.random.default_rng(seed)
    tables = []
    for ticker in tickers:
        log_volatility = np.zeros(n + horizon)
        for i in range(1, n + horizon):
            log_volatility[i] = 0.97 * log_volatility[i - 1] + random.normal(0, 0.12)
        volatility = 0.012 * np.exp(log_volatility)
        close = 150 * np.exp(np.cumsum(volatility * random.standard_t(6, n + horizon) * np.sqrt(4 / 6)))
        dates = pd.bdate_range("2021-03-15", periods=n + horizon, unit="s")
        cutoff, step = np.divmod(np.arange(n * horizon), horizon)
        step = step + 1
        y_true = np.log(close[cutoff + step] / close[cutoff])
        guess = volatility * np.exp(random.normal(0, 0.15, n + horizon))
        for model in MODELS:
            known = {"lstm": volatility, "ewma": guess}.get(model, np.full(n + horizon, volatility.mean()))
            scale = known[cutoff] * np.sqrt(step * 4 / 6)
            centre = np.zeros(len(step))
            if model != "naive":
                centre = random.normal(0, 0.0006, len(step)) if model == "lstm" else 0.0001 * step
            z = (y_true - centre) / scale
            table = pd.DataFrame(
                {
                    "ticker": ticker,
                    "model": model,
                    "cutoff": dates[cutoff],
                    "step": step,
                    "date": dates[cutoff + step],
                    "last_close": close[cutoff],
                    "y_true": close[cutoff + step],
                    "y_pred": close[cutoff] * np.exp(centre),
                    "direction": np.sign(centre),
                    "crps": 100 * scale * (np.sqrt(z**2 + 0.3) - 0.3),
                    "nll": np.nan if model in WITHOUT_DENSITY else np.log(100 * scale) - stats.t.logpdf(z, 6),
                    "pit": stats.t.cdf(z, 6),
                    "insample_mae": 1.4,
                    "trailing_vol": volatility[cutoff],
                    "p_up": stats.t.cdf(centre / scale, 6),
                }
            )
            for level in LEVELS:
                reach = scale * stats.t.ppf((1 + level / 100) / 2, 6)
                table[f"lo_{level}"] = table["last_close"] * np.exp(centre - reach)
                table[f"hi_{level}"] = table["last_close"] * np.exp(centre + reach)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)[list(FORECAST_COLUMNS)]


def without_distribution(forecasts, model="lstm", factor=0.8):
    """What a point head on price levels gives: no interval, no score of one, and far from the price."""
    table, rows = forecasts.copy(), forecasts["model"] == model
    table.loc[rows, [*INTERVALS, "crps", "nll", "pit", "p_up"]] = np.nan
    table.loc[rows, "y_pred"] = factor * table.loc[rows, "last_close"]
    return table


def made_up_history(n_epochs=22, n_members=1):
    epoch = np.arange(1, n_epochs + 1)
    return pd.concat(
        pd.DataFrame(
            {
                "member": member,
                "epoch": epoch,
                "loss": 1.1 + np.exp(-epoch / 3),
                "val_loss": 1.2 + 0.001 * (epoch - 11 - member) ** 2,
                "learning_rate": np.where(epoch < 15, 1e-3, np.where(epoch < 20, 1e-4, 1e-5)),
                "seconds": 1.0,
            }
        )
        for member in range(1, n_members + 1)
    )


def made_up_fan(forecasts, model="lstm"):
    """The newest forecast, and the closes up to its cutoff."""
    mine = forecasts[forecasts["model"] == model]
    first_step = mine[mine["step"] == 1]
    recent = pd.DataFrame(
        {"close": first_step["last_close"].to_numpy()}, index=pd.DatetimeIndex(first_step["cutoff"])
    )
    newest = mine[mine["cutoff"] == mine["cutoff"].max()]
    return recent, newest.reset_index(drop=True).assign(dividend=0.0)
