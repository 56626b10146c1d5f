"""Tables of runs: predictions, the list of runs, the values that a leak check compared."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstm_stock.config.targets import OF_PRICES, Words
from lstm_stock.report.dividends import amount_text
from lstm_stock.report.table import new_table
from lstm_stock.report.text import ahead, date_text, day_text, level_text, number
from lstm_stock.runs.run import Run
from lstm_stock.scoring.scores import best_baselines

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_LEVELS = (50, 90)
"""Levels of the intervals in the table of one ticker; CSV and JSON hold all levels."""


def prediction_table(forecast: pd.DataFrame, currency: str | None, words: Words = OF_PRICES) -> Table:
    """Return the forecast of one ticker's next sessions, or values, one row per step.

    The column `dividend`, what is taken off the prices, is shown if there is any.
    """
    first, has_dividend = forecast.iloc[0], bool((forecast["dividend"] > 0).any())
    unit = f" {currency}" if currency else ""
    width = None if words == OF_PRICES else float(first["hi_90"] - first["lo_90"])
    close = float(first["last_close"])
    table = new_table(
        ["step", "date", "median", *(f"{level} %" for level in SHOWN_LEVELS), *["dividend"] * has_dividend],
        left=("step", "date"),
        title=f"{first['ticker']}: forecast after the {words.level} of {date_text(first['cutoff'])} "
        f"({level_text(first['last_close'], width)}{unit})",
    )
    for row in forecast.to_dict("records"):
        intervals = [
            _interval(row[f"lo_{level}"], row[f"hi_{level}"], width, close) for level in SHOWN_LEVELS
        ]
        dividend = [amount_text(row["dividend"])] * has_dividend
        median = level_text(row["y_pred"], width, close)
        table.add_row(str(row["step"]), day_text(row["date"]), median, *intervals, *dividend)
    return table


def predictions_table(forecast: pd.DataFrame, words: Words = OF_PRICES) -> Table:
    """Return the forecasts of many tickers, one row each: the first step and the last."""
    last_step = int(forecast["step"].max())
    steps = [1] if last_step == 1 else [1, last_step]
    cutoffs = sorted({date_text(cutoff) for cutoff in forecast["cutoff"]})
    dates = cutoffs[0] if len(cutoffs) == 1 else f"{cutoffs[0]} to {cutoffs[-1]}"
    header = ["ticker", words.level]
    for step in steps:
        header += [ahead(step), "90 %"]
    n_tickers = forecast["ticker"].nunique()
    table = new_table(
        header, left=("ticker",), title=f"{n_tickers} tickers: forecast after the {words.level} of {dates}"
    )
    for ticker, rows in forecast.groupby("ticker", sort=False):
        ends = rows.iloc[0]
        width = None if words == OF_PRICES else float(ends["hi_90"] - ends["lo_90"])
        close = float(ends["last_close"])
        cells = [str(ticker), level_text(ends["last_close"], width)]
        for step in steps:
            row = rows[rows["step"] == step].iloc[0]
            cells += [
                level_text(row["y_pred"], width, close),
                _interval(row["lo_90"], row["hi_90"], width, close),
            ]
        table.add_row(*cells)
    table.caption = (
        "Median and 90 % interval. `--ticker` shows every step of one ticker, `--format csv` those of all"
    )
    return table


def run_summary(run: Run) -> dict[str, Any]:
    """Return the row of a run: the network's scores one step ahead, and the best baseline's CRPS.

    Scores of several tickers are means over tickers; a baseline without a finite CRPS for each ticker is left out.

    Raises:
        RunError: The run cannot be read.
    """
    # Imported here, since it loads scipy.stats, which a forecast does not need.
    from lstm_stock.scoring.verdict import short_verdict

    config, scores = run.config, run.scores
    first_step = scores[scores["step"] == 1]
    columns = ["skill", "crps", "coverage_90"]
    means = first_step.groupby("model", sort=False)[columns].mean().reset_index()
    network = means[means["model"] == config.model_name].iloc[0]
    crps = first_step.pivot(index="ticker", columns="model", values="crps")
    complete = [name for name in crps if np.isfinite(crps[name]).all()]
    best = best_baselines(means[means["model"].isin(complete)], config.model_name, "crps")
    return {
        "name": run.name + (" (interrupted)" if run.provenance.interrupted else ""),
        "head": config.model.head,
        **{name: float(network[name]) for name in columns},
        "verdict": short_verdict(run.verdict),
        "best": f"{means.loc[means['model'] == best[0], 'crps'].iloc[0]:.3f} {best[0]}" if best else "-",
    }


def runs_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the table of runs, each a `run_summary`."""
    table = new_table(
        ["run and verdict", "head", "skill %", "90 %", "CRPS", "best baseline"],
        left=("run and verdict", "head"),
        title="runs, oldest first: scores one step ahead, and the CRPS of the best baseline",
    )
    for row in rows:
        verdict = textwrap.wrap(row["verdict"], max(len(row["name"]) - 2, 20))
        table.add_row(
            "\n".join([row["name"], *(f"  {line}" for line in verdict)]),
            row["head"],
            number(row["skill"], 2),
            number(100 * row["coverage_90"], 1),
            number(row["crps"], 3),
            row["best"],
        )
    return table


def leak_table(n_arrays: Mapping[str, int], n_values: Mapping[str, int]) -> Table:
    """Return what a leak check compared: per kind, the number of arrays and of values."""
    table = new_table(["kind", "arrays", "values"], left=("kind",), title="values compared")
    for kind, n in n_arrays.items():
        table.add_row(kind, f"{n:,}", f"{n_values[kind]:,}")
    return table


def _interval(low: float, high: float, width: float | None, close: float) -> str:
    return "-" if math.isnan(low) else f"{level_text(low, width, close)} to {level_text(high, width, close)}"
