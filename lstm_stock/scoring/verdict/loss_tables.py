"""The data that a verdict is computed from: the network's forecasts, and the losses of every model.

A forecast table has a row for every model, cutoff and step. `LossTables` keeps only what a verdict needs, so that
the forecasts of many tickers need not be in memory together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_stock.scoring.forecast_table import error_base


@dataclass(frozen=True)
class LossTables:
    """One step of one ticker or several.

    Each loss table has one column per model and one row per cutoff and ticker, which are the index.

    Attributes:
        step: The step.
        model_rows: The network's rows of the forecast table, in order of cutoff.
        squares: Squared errors in percent of the last close, since prices of several tickers, or of one ticker in
            several years, do not compare.
        crps: CRPS, of prices in units of trailing volatility, the standard deviation of the k-bar return that the
            EWMA known at the cutoff gives, of the models that have a CRPS; no column at all if the network has
            none. The divisor is known at the cutoff, so the score stays proper; without it a few wild weeks decide
            the mean.
        volatility: That EWMA of one-bar returns, by cutoff and ticker.
        nll: Negative log likelihood, likewise.
    """

    step: int
    model_rows: pd.DataFrame
    squares: pd.DataFrame
    crps: pd.DataFrame
    nll: pd.DataFrame
    volatility: pd.Series

    @classmethod
    def by_step(cls, rows: pd.DataFrame, model: str) -> dict[int, LossTables]:
        """Reduce the rows of one ticker at the first and the last step, which a verdict judges.

        Raises:
            ValueError: There are no rows of `model` at one of these steps.
        """
        steps = dict.fromkeys((1, int(rows["step"].max()))) if len(rows) else (1,)
        return {step: cls.of(rows[rows["step"] == step], model, step) for step in steps}

    @classmethod
    def of(cls, rows: pd.DataFrame, model: str, step: int) -> LossTables:
        """Reduce the rows of one ticker and step; ValueError if none of them is of `model`."""
        rows = rows.sort_values("cutoff", kind="stable")
        model_rows = rows[rows["model"] == model]
        if model_rows.empty:
            raise ValueError(f"the forecast table has no rows of {model!r}")
        errors = rows["y_true"] - rows["y_pred"]
        percent = 100 * rows["trailing_vol"] * np.sqrt(step)
        # A series of values has no trailing volatility.
        unit = 1.0 if percent.isna().all() else percent.fillna(percent.mean())
        losses = rows.assign(squares=(100 * errors / error_base(rows)) ** 2, crps=rows["crps"] / unit)
        by_model = losses.pivot(
            index=["cutoff", "ticker"], columns="model", values=["squares", "crps", "nll"]
        )
        models = list(rows["model"].unique())
        squares, crps, nll = (
            _by_model(pd.DataFrame(by_model[name])[models], model) for name in ("squares", "crps", "nll")
        )
        volatility = model_rows.set_index(["cutoff", "ticker"])["trailing_vol"]
        return cls(step, model_rows, squares, crps, nll, volatility)

    @classmethod
    def concat(cls, parts: Sequence[LossTables]) -> LossTables:
        """Join the tables of several tickers, of one step."""
        model_rows = pd.concat([part.model_rows for part in parts], ignore_index=True)
        squares, crps, nll = (
            pd.concat([getattr(part, name) for part in parts]).sort_index()
            for name in ("squares", "crps", "nll")
        )
        model_rows = model_rows.sort_values(["cutoff", "ticker"], kind="stable")
        volatility = pd.concat([part.volatility for part in parts]).sort_index()
        return cls(parts[0].step, model_rows, squares, crps, nll, volatility)


def _by_model(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Leave out the models without the score: columns of NaN; all columns if the network has none."""
    table = table.dropna(axis="columns", how="all")
    return table if model in table else table.iloc[:, :0]
