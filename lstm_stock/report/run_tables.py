"""Tables about runs: the next sessions, the list of runs, what a leak check compared."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table

from lstm_stock.report.text import _table, ahead, number
from lstm_stock.runs.run import Run
from lstm_stock.scoring.scores import best_baselines
from lstm_stock.scoring.verdict import short_verdict

SHOWN_LEVELS = (50, 90)
"""Intervals in the table of a forecast, which has to fit a terminal; CSV and JSON hold all."""


def outlook_table(forecast: pd.DataFrame, currency: str | None) -> Table:
    """Show the forecast of one ticker's next sessions with its intervals."""
    first = forecast.iloc[0]
    unit = f" {currency}" if currency else ""
    table = _table(
        f"{first['ticker']}: forecast after the close of {first['cutoff']:%F} ({first['last_close']:.2f}{unit})",
        ["step", "date", "median", *(f"{level} %" for level in SHOWN_LEVELS)],
        left=2,
    )
    for row in forecast.to_dict("records"):
        intervals = [
            "-" if math.isnan(row[f"lo_{level}"]) else f"{row[f'lo_{level}']:.2f} to {row[f'hi_{level}']:.2f}"
            for level in SHOWN_LEVELS
        ]
        table.add_row(str(row["step"]), f"{row['date']:%a %F}", f"{row['y_pred']:.2f}", *intervals)
    return table


def outlooks_table(forecast: pd.DataFrame) -> Table:
    """Show the forecasts of many tickers, a line each: the next session and the last one forecast."""
    last_step = int(forecast["step"].max())
    ends = [1] if last_step == 1 else [1, last_step]
    days = sorted({f"{day:%F}" for day in forecast["cutoff"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    header = ["ticker", "close"]
    for step in ends:
        header += [ahead(step), "90 %"]
    n_tickers = forecast["ticker"].nunique()
    table = _table(f"{n_tickers} tickers: forecast after the close of {when}", header, left=1)
    for ticker, rows in forecast.groupby("ticker", sort=False):
        first = rows.iloc[0]
        cells = [str(ticker), f"{first['last_close']:.2f}"]
        for step in ends:
            row = rows[rows["step"] == step].iloc[0]
            low, high = row["lo_90"], row["hi_90"]
            cells += [f"{row['y_pred']:.2f}", "-" if math.isnan(low) else f"{low:.2f} to {high:.2f}"]
        table.add_row(*cells)
    table.caption = "Median and 90 % interval. `--ticker` shows all steps of one, `--format csv` those of all"
    return table


def run_summary(run: Run) -> dict[str, Any]:
    """Take from a run what a list shows: the network's scores one step ahead, and the best baseline's CRPS.

    With several tickers the scores are means over tickers.

    Raises:
        RunError: The run cannot be read.
    """
    config, scores = run.config, run.scores
    first_step = scores[scores["step"] == 1]
    numbers = ["skill", "crps", "coverage_90"]
    means = first_step.groupby("model", sort=False)[numbers].mean().reset_index()
    network = means[means["model"] == config.model.cell].iloc[0]
    best = best_baselines(means, config.model.cell, "crps")
    return {
        "name": run.name + (" (interrupted)" if run.provenance.interrupted else ""),
        "head": config.model.head,
        **{name: float(network[name]) for name in numbers},
        "verdict": short_verdict(run.verdict),
        "best": f"{means.loc[means['model'] == best[0], 'crps'].iloc[0]:.3f} {best[0]}" if best else "-",
    }


def runs_table(rows: Sequence[dict[str, Any]]) -> Table:
    """List runs, each as `run_summary` tells it."""
    table = _table(
        "runs, oldest first: one step ahead, the network beside the best baseline",
        ["run and verdict", "head", "skill %", "90 %", "CRPS", "best baseline"],
        left=2,
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
    """Show what a leak check compared: of each kind of thing how many, and how many values."""
    table = _table("values compared", ["what", "times", "values"], left=1)
    for kind, n in n_arrays.items():
        table.add_row(kind, f"{n:,}", f"{n_values[kind]:,}")
    return table
