"""What `evaluate` prints besides the tables of scores: what was scored, each baseline compared, coverage."""

from __future__ import annotations

import textwrap

import pandas as pd
from rich.table import Table

from lstm_stock.report.table import new_table
from lstm_stock.report.text import ahead, number
from lstm_stock.runs.evaluation import Evaluation
from lstm_stock.scoring.summary import WITHIN

WIDTH = 79
"""Maximum length of a line of text, in characters."""


def heading(found: Evaluation) -> str:
    """Return the sentences above the tables: the period, the tickers, and whether it is in sample."""
    n, n_unseen = len(found.tickers), len(found.unseen)
    if n == 1:
        tickers = found.tickers[0] + " (not in training)" * n_unseen
    else:
        tickers = f"{n} tickers ({n_unseen} not in training)"
    text = (
        f"{found.model} of run {found.run}, which learned from the prices before {found.trained_before}: "
        f"{tickers}, {found.start} to {found.end}"
    )
    lines = [in_sample(found), text] if found.in_sample else [text]
    return "\n".join(textwrap.fill(line, WIDTH, break_on_hyphens=False) for line in lines)


def in_sample(found: Evaluation) -> str:
    """Return the warning about an evaluation in sample."""
    return (
        f"IN SAMPLE: the network learned from prices of {found.start} to {found.trained_before}, so these scores "
        "are no test of it"
    )


def against_table(rows: pd.DataFrame, model: str) -> Table:
    """Return the rows of `lstm_stock.scoring.summary.against_followers` at one step.

    Args:
        rows: The rows.
        model: The network's name.
    """
    table = new_table(
        ["baseline", "tickers", "CRPS", "better in", "t", "NLL", "better in", "t"],
        left=("baseline",),
        title=f"{ahead(rows['step'].iloc[0])}: {model} less each baseline whose volatility follows the market",
    )
    for row in rows.to_dict("records"):
        table.add_row(
            row["baseline"],
            str(row["n_tickers"]),
            number(row["crps_gap"], 4),
            str(row["crps_better"]),
            number(row["crps_t"], 1),
            number(row["nll_gap"], 4),
            str(row["nll_better"]),
            number(row["nll_t"], 1),
        )
    table.caption = (
        f"CRPS, NLL: mean over tickers, of the log return in %; below zero, {model} is better. better in: number "
        "of tickers where it is. t: Diebold-Mariano statistic of the difference averaged by date, that of the "
        "CRPS in units of trailing volatility; all tickers of a date count once"
    )
    return table


def coverage_text(rows: pd.DataFrame) -> str:
    """Return the rows of `lstm_stock.scoring.summary.coverage_by_step` at the first step and the last as text."""
    low, high = (f"{100 * bound:.0f}" for bound in WITHIN)
    lines = []
    for row in rows.iloc[sorted({0, len(rows) - 1})].to_dict("records"):
        line = f"{ahead(row['step'])}: the 90 % interval as trained contains {100 * row['coverage']:.1f} % of the "
        line += "outcomes"
        if row["n_tickers"] > 1:
            line += f", and {low} to {high} % in {row['n_within']} of {row['n_tickers']} tickers"
        lines.append(line)
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="    ") for line in lines)
