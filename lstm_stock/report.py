"""Tables and sentences for a terminal: scores, forecasts, runs.

Everything here turns tables into text. Nothing is computed but the comparison a reader would make.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from lstm_stock.evaluation import best_baselines
from lstm_stock.run import Run

RANKED = ("rmse", "crps", "nll")
"""Scores where less is better; the best baseline in each is marked."""

MARK = "*"

SHOWN_LEVELS = (50, 90)
"""Intervals in the table of a forecast, which has to fit a terminal; CSV and JSON hold all."""


def number(value: float | None, digits: int = 2, suffix: str = "") -> str:
    """Format a score; what does not apply is a dash.

    >>> number(2.648), number(-0.0001), number(float("nan"))
    ('2.65', '0.00', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    # Adding 0 turns the -0.0 that rounding may leave into 0.0.
    return f"{round(value, digits) + 0.0:.{digits}f}{suffix}"


def score_table(scores: pd.DataFrame, model: str, ticker: str, what: str = "test scores") -> Table:
    """Show the first and the last step of one ticker: the network, then every baseline.

    Args:
        scores: A score table.
        model: The network's name.
        ticker: The ticker to show.
        what: What was scored, for the title.
    """
    mine = scores[scores["ticker"] == ticker]
    n_test = int(mine["n"].iloc[0])
    table = _table(
        f"{ticker}: {what}, {n_test} cutoffs",
        ["step", "model", "RMSE", "skill", "dir.", "CRPS", "NLL", "50 %", "90 %", "width"],
        left=2,
    )
    steps = sorted(mine["step"].unique())
    for step in dict.fromkeys((steps[0], steps[-1])):
        at_step = mine[mine["step"] == step]
        best = {score: best_baselines(at_step, model, score) for score in RANKED}
        for i, row in enumerate(at_step.to_dict("records")):
            cells = {
                score: number(row[score], 3) + (MARK if row["model"] in best[score] else " ")
                for score in RANKED
            }
            table.add_row(
                str(step) if i == 0 else "",
                str(row["model"]),
                cells["rmse"],
                number(row["skill"], 2),
                number(100 * row["direction"], 1),
                cells["crps"],
                cells["nll"],
                number(100 * row["coverage_50"], 1),
                number(100 * row["coverage_90"], 1),
                number(row["width_90"], 2),
            )
        table.add_section()
    table.caption = (
        f"{MARK} best baseline in that score; - does not apply. RMSE: price. skill: RMSE\n"
        "gained on naive, %. dir.: right signs, %; who always says up gets the share of\n"
        "up days, as drift does. CRPS, NLL: log return in %, less is better. 50 %,\n"
        "90 %: outcomes inside that interval, %. width: of the 90 % interval, % of price"
    )
    return table


def comparison(scores: pd.DataFrame, model: str, ticker: str) -> str:
    """Say in one line per score how the network stands against the best baseline one step ahead."""
    at_step = scores[(scores["ticker"] == ticker) & (scores["step"] == scores["step"].min())]
    network = at_step[at_step["model"] == model].iloc[0]
    lines = []
    for score, what in (("rmse", "point (RMSE)"), ("crps", "distribution (CRPS)"), ("nll", "density (NLL)")):
        best = best_baselines(at_step, model, score)
        if not best or math.isnan(network[score]):
            continue
        theirs = float(at_step.loc[at_step["model"] == best[0], score].iloc[0])
        ours, names = float(network[score]), " and ".join(best)
        gap = _gap(ours, theirs, score)
        lines.append(f"{what}: {model} {ours:.3f}, best baseline {theirs:.3f} ({names}): {gap}")
    lines.append("differences are not tested for significance: on one ticker, small ones may be luck")
    return "\n".join(lines)


def _gap(ours: float, theirs: float, score: str) -> str:
    # A log score has no zero, so its differences are told as they are, the others in percent.
    gap = abs(ours - theirs) if score == "nll" else 100 * abs(ours / theirs - 1)
    unit = "" if score == "nll" else " %"
    digits = 3 if score == "nll" else 2
    if round(gap, digits) == 0:
        return "no difference"
    return f"{gap:.{digits}f}{unit} {'better' if ours < theirs else 'worse'}"


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
        "best": f"{means.loc[means['model'] == best[0], 'crps'].iloc[0]:.3f} {best[0]}" if best else "-",
    }


def runs_table(rows: Sequence[dict[str, Any]]) -> Table:
    """List runs, each as `run_summary` tells it."""
    table = _table(
        "runs, oldest first: one step ahead, the network beside the best baseline",
        ["run", "head", "skill %", "90 %", "CRPS", "best baseline"],
        left=2,
    )
    for row in rows:
        table.add_row(
            row["name"],
            row["head"],
            number(row["skill"], 2),
            number(100 * row["coverage_90"], 1),
            number(row["crps"], 3),
            row["best"],
        )
    return table


def fold_table(fold_scores: pd.DataFrame, folds: pd.DataFrame, model: str, ticker: str) -> Table:
    """Show how the network did in each fold of a backtest, one step ahead, beside that fold's best baseline.

    Args:
        fold_scores: `fold` and the columns of a score table.
        folds: One row a fold, with `fold test_start test_end`.
        model: The network's name.
        ticker: The ticker to show.
    """
    table = _table(
        f"{ticker}: fold by fold, one step ahead",
        ["fold", "block", "n", "skill", "CRPS", "90 %", "best baseline", "CRPS", "gained %"],
        left=2,
    )
    first_step = fold_scores[(fold_scores["ticker"] == ticker) & (fold_scores["step"] == 1)]
    for fold in folds.to_dict("records"):
        rows = first_step[first_step["fold"] == fold["fold"]]
        network = rows[rows["model"] == model].iloc[0]
        best = best_baselines(rows, model, "crps")
        theirs = float(rows.loc[rows["model"] == best[0], "crps"].iloc[0]) if best else math.nan
        table.add_row(
            str(fold["fold"]),
            f"{fold['test_start']:%F} to {fold['test_end']:%F}",
            str(network["n"]),
            number(network["skill"], 2),
            number(network["crps"], 3),
            number(100 * network["coverage_90"], 1),
            " and ".join(best) or "-",
            number(theirs, 3),
            number(100 * (1 - network["crps"] / theirs), 2),
        )
    return table


def leak_table(n_arrays: Mapping[str, int], n_values: Mapping[str, int]) -> Table:
    """Show what a leak check compared: of each kind of thing how many, and how many values."""
    table = _table("values compared", ["what", "times", "values"], left=1)
    for kind, n in n_arrays.items():
        table.add_row(kind, f"{n:,}", f"{n_values[kind]:,}")
    return table


def _table(title: str, header: Sequence[str], left: int) -> Table:
    """Make an empty table: `left` columns aligned left, the others right."""
    table = Table(
        title=title, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left", pad_edge=False
    )
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i < left else "right", no_wrap=True)
    return table
