"""CRPS of the network on a simulated panel whose best possible forecast is known.

The tickers follow GARCH(1,1)-t. The true parameters give the best CRPS, a constant Student-t fitted in sample the
reference; the network's share of that gain is printed with those of EWMA and GARCH. High and low are those of open
and close, so that the range holds no more information than the returns.

Run: python benchmarks/garch_panel.py [N_TICKERS] [SEED]
12 tickers take about four minutes of two cores.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from lstm_stock.baselines import Task, constant_t, ewma, garch
from lstm_stock.config import load_config
from lstm_stock.dataset.build import windows_by_split
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import window_spec
from lstm_stock.dataset.split import split_of
from lstm_stock.distributions import Distribution, StudentT
from lstm_stock.network.training import fit_network
from lstm_stock.prices.table import days_of
from lstm_stock.workflow.forecast import architecture_of, forecast_network

N_BARS, BURN_IN = 2500, 500
ALPHA, BETA, DF = 0.09, 0.89, 5.0
DAILY = 0.015
"""Long-run standard deviation of a daily return."""

SETTINGS = ("window.horizon=1", "window.look_back=30", "model.units=[32,16]", "model.dense=[16]")


def simulate(random: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return adjusted bars and the true standard deviation of each return, `(N_BARS,)`, known a day before."""
    shocks = random.standard_t(DF, BURN_IN + N_BARS) * np.sqrt((DF - 2) / DF)
    variance, returns = np.empty(len(shocks)), np.empty(len(shocks))
    next_variance = DAILY**2
    for t, shock in enumerate(shocks):
        variance[t], returns[t] = next_variance, np.sqrt(next_variance) * shock
        next_variance = (1 - ALPHA - BETA) * DAILY**2 + ALPHA * returns[t] ** 2 + BETA * next_variance
    close = 100 * np.exp(np.cumsum(returns[BURN_IN:]))
    open_ = np.concatenate(([100.0], close[:-1]))
    dates = pd.bdate_range("2005-01-03", periods=N_BARS, name="date")
    bars = {"open": open_, "high": np.maximum(open_, close), "low": np.minimum(open_, close), "close": close}
    return pd.DataFrame({**bars, "volume": 1e6}, index=dates), np.sqrt(variance[BURN_IN:])


def main() -> None:
    """Simulate, train, compare and print."""
    n_tickers = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    random = np.random.default_rng(seed)
    simulated = {f"T{i:02}": simulate(random) for i in range(n_tickers)}
    config = load_config(None, [f"data.tickers=[{','.join(simulated)}]", f"seed={seed}", *SETTINGS])
    dates = days_of(next(iter(simulated.values()))[0])
    split = split_of(config.split, dates)
    parts = windows_by_split(
        list(simulated), BarLoader(lambda name: simulated[name][0]), window_spec(config), split
    )
    started = time.perf_counter()
    spec = architecture_of(config)
    fit = fit_network(spec, parts, config.training, config.seed)
    seconds = time.perf_counter() - started

    crps: dict[str, list[float]] = {}
    for windows in parts.test:
        bars, deviation = simulated[windows.series.ticker]
        task = Task(Bars.of(bars), split.first_rows(dates)[1], windows.cutoffs, 1)
        scale = deviation[windows.cutoffs + 1][:, None] * np.sqrt((DF - 2) / DF)
        forecasts: dict[str, Distribution] = {
            "true parameters": StudentT(np.zeros_like(scale), scale, np.full_like(scale, DF)),
            "constant_t": constant_t(task),
            "ewma": ewma(task),
            "garch, fitted per ticker": garch(task),
            "network": forecast_network(config, fit.network, windows),
        }
        for name, returns in forecasts.items():
            crps.setdefault(name, []).append(float(returns.rescale(100).crps(100 * windows.returns).mean()))
    mean = {name: float(np.mean(values)) for name, values in crps.items()}
    gain = mean["constant_t"] - mean["true parameters"]
    print(f"{n_tickers} tickers of {N_BARS} bars, {len(fit.history)} epochs in {seconds:.0f} s")
    for name, value in mean.items():
        print(
            f"{name:26} CRPS {value:.4f}  share of the gain {100 * (mean['constant_t'] - value) / gain:6.1f} %"
        )


if __name__ == "__main__":
    main()
