"""What following a forecast would have earned: an illustration, not advice, and no measure of the forecast.

Positions are chosen at the close of each cutoff from the step-1 forecast alone, held for one bar and rebalanced at
the next close. Costs are paid on what is traded; cash earns nothing; there are no taxes, spreads, dividends
beyond the adjusted close, or limits to what can be traded. Pure arithmetic on the forecast table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

COST_BP = 5.0
"""Cost of a trade in basis points of what is traded, unless the user says otherwise."""

TARGET_VOLATILITY = 0.15
"""Volatility a year that `vol_target` aims at, about that of a broad index."""

NORMAL_90 = 1.6448536269514722
"""Half-width of the central 90 % interval of a standard normal: turns a width into a volatility."""

BASELINE = "ewma"
"""Whose intervals size a second `vol_target`, so that the network's has something simple beside it."""

COLUMNS = ("strategy", "return", "volatility", "sharpe", "sharpe_se", "drawdown", "turnover")


@dataclass(frozen=True)
class EquityCurve:
    """One strategy over the test period.

    Attributes:
        returns: Simple return of each bar after costs, shape `(n_bars,)`.
        traded: Share of the capital traded at each cutoff, shape `(n_bars,)`.
    """

    returns: Array
    traded: Array


def strategy_table(forecasts: pd.DataFrame, model: str, cost_bp: float = COST_BP) -> pd.DataFrame:
    """Compare buy-and-hold with following the forecasts, all from the same cutoffs.

    Args:
        forecasts: A forecast table. Of several tickers each gets an equal part of the capital: those that are
            followed a new one every day, those that are bought and held the same one to the end.
        model: The network's name.
        cost_bp: Cost of a trade in basis points of what is traded.

    Returns:
        Columns `COLUMNS`, one row a strategy. `return`, `volatility` and `drawdown` are shares; `return`,
        `volatility`, `sharpe` and `turnover` are per year.
    """
    first = forecasts[forecasts["step"] == 1]
    per_year = bars_per_year(first["date"])
    network, simple = (first[first["model"] == name] for name in (model, BASELINE))
    positions = {
        f"long_flat ({model})": (network, long_flat(network)),
        f"vol_target ({model})": (network, vol_target(network, per_year)),
        f"vol_target ({BASELINE})": (simple, vol_target(simple, per_year)),
    }
    paths = {"buy_and_hold": buy_and_hold(network, cost_bp)} | {
        name: follow(table, position, cost_bp)
        for name, (table, position) in positions.items()
        if len(table) and position.notna().all()
    }
    rows = [{"strategy": name, **summary(path, per_year)} for name, path in paths.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def bars_per_year(dates: pd.Series) -> float:
    """Return how many bars a year has here: about 252 for shares, 365 for what never closes."""
    distinct = np.sort(dates.unique()).astype("datetime64[D]")
    days = float((distinct[-1] - distinct[0]).astype(np.int64))
    return float((len(distinct) - 1) / days * 365.25) if days > 0 else 252.0


def long_flat(table: pd.DataFrame) -> pd.Series:
    """Hold the ticker where the median says it rises, else nothing."""
    return (table["y_pred"] > table["last_close"]).astype(np.float64)


def vol_target(table: pd.DataFrame, per_year: float) -> pd.Series:
    """Hold as much as makes the forecast volatility `TARGET_VOLATILITY`, and never more than all there is.

    The volatility is read off the 90 % interval as if it were that of a normal (Moreira & Muir 2017, Journal of
    Finance 72, size by realised variance). NaN where a forecast has no interval.
    """
    width = np.log(table["hi_90"].to_numpy(np.float64) / table["lo_90"].to_numpy(np.float64))
    volatility = width / (2 * NORMAL_90) * np.sqrt(per_year)
    return pd.Series(np.minimum(TARGET_VOLATILITY / volatility, 1.0), table.index)


def buy_and_hold(table: pd.DataFrame, cost_bp: float) -> EquityCurve:
    """Buy every ticker at its first cutoff with an equal part of the capital, and never trade again.

    Args:
        table: Step-1 rows of one model.
        cost_bp: Cost in basis points of what is bought.
    """
    gains = _by_ticker(table, table["y_true"] / table["last_close"] - 1)
    bought = gains.notna() & gains.shift().isna().cummin()
    net = gains.fillna(0.0) - bought * cost_bp / 1e4
    wealth = (1 + net).cumprod().mean(axis=1)
    returns = wealth / wealth.shift(fill_value=1.0) - 1
    return EquityCurve(returns.to_numpy(np.float64), bought.mean(axis=1).to_numpy(np.float64))


def _by_ticker(table: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """Return one column per ticker, indexed by cutoff; NaN where a ticker has no bar."""
    return table.assign(value=values).pivot(index="cutoff", columns="ticker", values="value").sort_index()


def follow(table: pd.DataFrame, position: pd.Series, cost_bp: float) -> EquityCurve:
    """Earn the next bar's return on each position, and pay for every change of it.

    Args:
        table: Step-1 rows of one model, with `ticker cutoff last_close y_true`.
        position: Share of the capital held in the ticker from each cutoff to the next bar, by the same index.
        cost_bp: Cost in basis points of what is traded. The first position is bought; the last is not sold.
    """
    gains = _by_ticker(table, table["y_true"] / table["last_close"] - 1)
    # A ticker without a bar keeps its position and earns nothing: its part of the capital is not for the others.
    held = _by_ticker(table, position).ffill().fillna(0.0)
    traded = held.diff().fillna(held).abs()
    net = (held * gains.fillna(0.0) - traded * cost_bp / 1e4).mean(axis=1)
    return EquityCurve(net.to_numpy(np.float64), traded.mean(axis=1).to_numpy(np.float64))


def summary(path: EquityCurve, per_year: float) -> dict[str, float]:
    """Sum up a strategy.

    `sharpe = sqrt(q) m / s` with mean m and deviation s of the bars' returns and q bars a year, and its standard
    error `sqrt(q (1 + (m / s)^2 / 2) / n)` for independent returns (Lo 2002, Financial Analysts Journal 58,
    eq. 9). NaN where nothing was ever held.
    """
    returns, n = path.returns, len(path.returns)
    wealth = np.cumprod(1 + returns)
    peak = np.maximum(np.maximum.accumulate(wealth), 1.0)
    spread = float(np.std(returns, ddof=1)) if n > 1 else 0.0
    ratio = float(np.mean(returns)) / spread if spread > 0 else float("nan")
    return {
        "return": float(wealth[-1] ** (per_year / n) - 1),
        "volatility": spread * float(np.sqrt(per_year)),
        "sharpe": ratio * float(np.sqrt(per_year)),
        "sharpe_se": float(np.sqrt(per_year * (1 + ratio**2 / 2) / n)),
        "drawdown": float(np.max(1 - wealth / peak)),
        "turnover": float(np.mean(path.traded) * per_year),
    }
