"""Corrupt every bar after a cutoff, so that any look-ahead changes a result.

A corrupted table is a valid price table. Its dates stay, or some of those after the cutoff are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lstm_stock.prices.table import PRICES, Array, PriceHistory, days_of
from lstm_stock.prices.values import VALUE, has_values

Corruption = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
"""Changes every row of a table of bars; the dates stay."""


def shuffle(future: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Give each date the bar of another date."""
    # Sattolo's cyclic permutation leaves no bar in its place.
    order = np.arange(len(future))
    for i in range(len(future) - 1, 0, -1):
        j = int(random.integers(i))
        order[i], order[j] = order[j], order[i]
    return future.iloc[order].set_axis(future.index)


def scale(future: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Multiply all prices by one factor and all volumes by another; values are shifted, too, as zero is one."""
    del random
    if has_values(future):
        return future * 3.7 + 1
    return _times(future, np.array(3.7), np.array(1.0), np.array(0.21))


def noise(future: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Multiply each bar's prices by a factor of its own, its adjusted close by another, its volume by a third.

    A value is multiplied, and increased, since it may be zero.
    """
    if has_values(future):
        factor, more = np.exp(random.normal(0, 0.5, (2, len(future))))
        return future.assign(value=future[VALUE].to_numpy(np.float64) * factor + more)
    price, adjustment, volume = np.exp(random.normal(0, 0.5, (3, len(future))))
    return _times(future, price, adjustment, volume)


def volume(future: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Draw random volumes, dividends and splits; prices stay. Values are reversed, without their signs."""
    if has_values(future):
        return future.assign(value=np.abs(future[VALUE].to_numpy(np.float64)[::-1]) + 1)
    n = len(future)
    return future.assign(
        volume=(future["volume"] + 1) * np.exp(random.normal(1, 0.5, n)),
        dividends=random.uniform(0.1, 1, n),
        splits=random.uniform(2, 3, n),
    )


def _times(future: pd.DataFrame, price: Array, adjustment: Array, volume: Array) -> pd.DataFrame:
    factors = dict.fromkeys(PRICES, price) | {"adj_close": price * adjustment}
    columns = {name: future[name].to_numpy(np.float64) * factor for name, factor in factors.items()}
    # Plus 1: a volume of 0 must change, too.
    columns["volume"] = (future["volume"].to_numpy(np.float64) + 1) * volume
    return future.assign(**columns)


CORRUPTIONS: dict[str, Corruption] = {"shuffle": shuffle, "scale": scale, "noise": noise, "volume": volume}


DATES = "dates"
"""The corruption of dates: every second ticker ends at the cutoff, the others and the covariates lose every third
bar after it. No covariate ends, as no ticker could be used without it."""


def corrupt_all(
    histories: Mapping[str, PriceHistory],
    cutoff: np.datetime64,
    how: str,
    of_covariates: Mapping[str, np.datetime64] | None = None,
) -> dict[str, PriceHistory]:
    """Return the prices of tickers with every bar after `cutoff` corrupted.

    Args:
        histories: The prices of each ticker.
        cutoff: The last date that stays as it is.
        how: A key of `CORRUPTIONS`, or `DATES`.
        of_covariates: The last date of each covariate that stays as it is, where sessions end later than those of
            the tickers.
    """
    of_covariates = of_covariates or {}
    corrupted = {}
    for i, (ticker, history) in enumerate(histories.items()):
        table, last = history.table, of_covariates.get(ticker, cutoff)
        if how == DATES:
            after = np.cumsum(days_of(table) > last)
            ends = i % 2 and ticker not in of_covariates
            table = table[after == 0] if ends else table[after % 3 != 1]
        else:
            table = corrupt(table, last, how)
        corrupted[ticker] = replace(history, table=table)
    return corrupted


def corrupt(table: pd.DataFrame, cutoff: np.datetime64, how: str, seed: int = 0) -> pd.DataFrame:
    """Return a price table with every bar after `cutoff` corrupted.

    Args:
        table: A price table.
        cutoff: The last date that stays as it is.
        how: A key of `CORRUPTIONS`.
        seed: Seed of the random numbers.
    """
    row = int(np.searchsorted(days_of(table), cutoff, side="right"))
    past, future = table.iloc[:row], table.iloc[row:]
    corrupted = CORRUPTIONS[how](future, np.random.default_rng(seed))
    return pd.concat([past, corrupted[list(table.columns)]])
