"""The data that a verdict is computed from: the network's forecasts, and the losses of every model.

A forecast table has a row for every model, cutoff and step. `LossTables` keeps only what a verdict needs, so that
the forecasts of many tickers need not be in memory together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class LossTables:
    """The first step of one ticker or several.

    Each loss table has one column per model and one row per cutoff and ticker, which are the index.

    Attributes:
        model_rows: The network's rows of the forecast table, in order of cutoff.
        squares: Squared errors in percent of the last close, since prices of several tickers, or of one ticker in
            several years, do not compare.
        crps: CRPS of the models that have one; no column at all if the network has none.
        nll: Negative log likelihood, likewise.
        rmse: Root mean squared error in price, by model; empty for several tickers.
    """

    model_rows: pd.DataFrame
    squares: pd.DataFrame
    crps: pd.DataFrame
    nll: pd.DataFrame
    rmse: pd.Series

    @classmethod
    def of(cls, rows: pd.DataFrame, model: str) -> LossTables:
        """Reduce the rows of one ticker and step; ValueError if none of them is of `model`."""
        rows = rows.sort_values("cutoff", kind="stable")
        model_rows = rows[rows["model"] == model]
        if model_rows.empty:
            raise ValueError(f"the forecast table has no rows of {model!r}")
        errors = rows["y_true"] - rows["y_pred"]
        losses = rows.assign(squares=(100 * errors / rows["last_close"]) ** 2)
        by_model = losses.pivot(
            index=["cutoff", "ticker"], columns="model", values=["squares", "crps", "nll"]
        )
        models = list(rows["model"].unique())
        squares, crps, nll = (
            _by_model(pd.DataFrame(by_model[name])[models], model) for name in ("squares", "crps", "nll")
        )
        return cls(
            model_rows=model_rows,
            squares=squares,
            crps=crps,
            nll=nll,
            rmse=(errors**2).groupby(rows["model"]).mean().pow(0.5),
        )

    @classmethod
    def concat(cls, parts: Sequence[LossTables]) -> LossTables:
        """Join the tables of several tickers."""
        model_rows = pd.concat([part.model_rows for part in parts], ignore_index=True)
        tables = {
            name: pd.concat([getattr(part, name) for part in parts]).sort_index()
            for name in ("squares", "crps", "nll")
        }
        model_rows = model_rows.sort_values(["cutoff", "ticker"], kind="stable")
        return cls(model_rows=model_rows, rmse=pd.Series(dtype=float), **tables)


def _by_model(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Leave out the models without the score: columns of NaN; all columns if the network has none."""
    table = table.dropna(axis="columns", how="all")
    return table if model in table else table.iloc[:, :0]
