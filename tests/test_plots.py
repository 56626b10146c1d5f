from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

LEVELS = (50, 80, 90, 95)
MODELS = ("lstm", "naive", "drift", "constant_t", "ewma")


def made_up_forecasts(n=700, horizon=5, tickers=("AAA",), point=(), n_models=5, seed=0) -> pd.DataFrame:
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
        for model in MODELS[:n_models]:
            known = {"lstm": volatility, "ewma": volatility * np.exp(random.normal(0, 0.15, n + horizon))}
            scale = known.get(model, np.full(n + horizon, volatility.mean()))[cutoff] * np.sqrt(step * 4 / 6)
            centre = {"drift": 0.0004 * step, "lstm": random.normal(0, 0.0006, len(step))}.get(
                model, np.zeros(len(step))
            )
            last, came = (
                close[cutoff],
                np.log(close[np.minimum(cutoff + step, n + horizon - 1)] / close[cutoff]),
            )
            table = pd.DataFrame(
                {
                    "ticker": ticker,
                    "model": model,
                    "cutoff": dates[cutoff],
                    "step": step,
                    "date": dates[np.minimum(cutoff + step, n + horizon - 1)],
                    "last_close": last,
                    "y_true": last * np.exp(came),
                    "y_pred": last * np.exp(centre),
                    "insample_mae": 1.4,
                }
            )
            has_band = model not in point
            for level in LEVELS:
                for side, sign in (("lo", -1), ("hi", 1)):
                    reach = stats.t.ppf((1 + level / 100) / 2, 6)
                    table[f"{side}_{level}"] = (
                        last * np.exp(centre + sign * scale * reach) if has_band else np.nan
                    )
            z = (came - centre) / scale
            table["pit"] = stats.t.cdf(z, 6) if has_band else np.nan
            table["nll"] = (
                np.log(100 * scale) - stats.t.logpdf(z, 6)
                if has_band and model not in ("naive", "drift")
                else np.nan
            )
            table["crps"] = 100 * scale * (np.abs(z) - 0.5) if has_band else np.nan
            tables.append(table)
    return pd.concat(tables, ignore_index=True)
