"""What a verdict is made from: the network's forecasts, and the losses of all models, one column each.

A forecast table has a row for every model. Of many tickers that is far more than a verdict needs, so each ticker
is boiled down by itself, and the rest is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class LossTables:
    """One ticker, or several, at one step.

    Attributes:
        model_rows: The network's rows of the forecast table, in order of cutoff.
        squares: Squared errors in percent of the last close: neither tickers nor the years of one ticker compare
            in prices. One column a model, one row a cutoff and ticker, which are the index.
        crps: CRPS, likewise, of the models that have one; no column at all if the network has none.
        nll: Negative log likelihood, likewise.
        rmse: Root mean squared error in price, by model.
    """

    model_rows: pd.DataFrame
    squares: pd.DataFrame
    crps: pd.DataFrame
    nll: pd.DataFrame
    rmse: pd.Series

    @classmethod
    def of(cls, rows: pd.DataFrame, model: str) -> LossTables:
        """Boil down the rows of one ticker at one step; ValueError if none of them is of `model`."""
        rows = rows.sort_values("cutoff", kind="stable")
        model_rows = rows[rows["model"] == model]
        if model_rows.empty:
            raise ValueError(f"the forecast table has no rows of {model!r}")
        errors = rows["y_true"] - rows["y_pred"]
        relative = rows.assign(loss=(100 * errors / rows["last_close"]) ** 2)
        return cls(
            model_rows=model_rows,
            squares=_by_model(relative, "loss", model),
            crps=_by_model(rows, "crps", model),
            nll=_by_model(rows, "nll", model),
            rmse=(errors**2).groupby(rows["model"]).mean().pow(0.5),
        )

    @classmethod
    def together(cls, parts: Sequence[LossTables]) -> LossTables:
        """Put several tickers into one."""
        if len(parts) == 1:
            return parts[0]
        model_rows = pd.concat([part.model_rows for part in parts], ignore_index=True)
        tables = {
            name: pd.concat([getattr(part, name) for part in parts]).sort_index()
            for name in ("squares", "crps", "nll")
        }
        model_rows = model_rows.sort_values(["cutoff", "ticker"], kind="stable")
        return cls(model_rows=model_rows, rmse=pd.Series(dtype=float), **tables)


def _by_model(rows: pd.DataFrame, score: str, model: str) -> pd.DataFrame:
    """Return one column per model that has the score, one row per cutoff and ticker.

    No column at all if the network has none.
    """
    table = rows.pivot(index=["cutoff", "ticker"], columns="model", values=score)
    table = table[list(rows["model"].unique())].dropna(axis="columns", how="all")
    return table if model in table else table.iloc[:, :0]
