"""What `journal` prints: scores of each network beside the baselines, forecasts that wait for outcomes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.prices.table import counted
from lstm_stock.report.score_tables import MARK
from lstm_stock.report.table import new_table
from lstm_stock.report.text import name_tickers, number
from lstm_stock.runs.journal import Appended
from lstm_stock.runs.journal_line import About, Head
from lstm_stock.scoring.scores import best_baselines
from lstm_stock.scoring.significance import MIN_OBSERVATIONS

WIDTH = 79
"""Maximum length of a line of text, in characters."""

SHOWN_PENDING = 10
"""Rows of the table of pending forecasts; CSV and JSON hold all."""

SHOWN_HASH = 12
"""Digits of a hash in a sentence that no one needs to compare."""


def heading(head: Head) -> str:
    """Return the sentence on the journal's newest line."""
    if head.sequence == 0:
        return "the journal has no forecasts yet"
    return f"{counted(head.sequence, 'line')}, newest {head.written}, hash {head.hash}"


def network_heading(name: str, fingerprint: str, n_forecasts: int, tickers: list[str], n_days: int) -> str:
    """Return the sentence above the scores of a network.

    Args:
        name: Its name.
        fingerprint: Hash of its files.
        n_forecasts: Number of its forecasts.
        tickers: The tickers with scores.
        n_days: Number of days with an outcome one step ahead.
    """
    of = f" of {name_tickers(tickers)}" if tickers else ""
    text = (
        f"{name} (files {fingerprint[:SHOWN_HASH]}): {counted(n_forecasts, 'forecast')}{of}, outcomes of "
        f"{counted(n_days, 'day')}"
    )
    return textwrap.fill(text, WIDTH, subsequent_indent="    ")


def score_table(scores: pd.DataFrame, model: str) -> Table:
    """Return the scores of a network and the baselines at the first step and the last.

    Args:
        scores: Rows of one ticker, or of all tickers together.
        model: What the network's forecasts are called.
    """
    table = new_table(
        ["step", "model", "n", *(f"{level} %" for level in LEVELS), "CRPS", "NLL"], left=("step", "model")
    )
    steps = sorted(scores["step"].unique())
    for step in dict.fromkeys((steps[0], steps[-1])):
        at_step = scores[scores["step"] == step]
        n = int(at_step["n"].max())
        complete = at_step[at_step["n"] == n]
        best = {score: best_baselines(complete, model, score) for score in ("crps", "nll")}
        for i, row in enumerate(at_step.to_dict("records")):
            marks = [
                number(row[score], 3) + (MARK if row["model"] in best[score] else " ")
                for score in ("crps", "nll")
            ]
            table.add_row(
                str(step) if i == 0 else "",
                str(row["model"]),
                str(row["n"]),
                *(number(100 * row[f"coverage_{level}"], 1) for level in LEVELS),
                *marks,
            )
        table.add_section()
    table.caption = (
        "n: outcomes. 50 % ... 95 %: share of outcomes inside the interval shown, %. CRPS, NLL: of the log return "
        f"in %, lower is better; {MARK} best baseline; - does not apply"
    )
    return table


def judgement(verdict: dict[str, Any] | None, n_days: int) -> str:
    """Return what can be said before or below a verdict: how many days are missing, or would show a difference."""
    if verdict is None:
        text = (
            f"Too few to say: outcomes of {counted(n_days, 'day')}, and every test needs {MIN_OBSERVATIONS} at "
            f"least ({MIN_OBSERVATIONS - n_days} more)"
        )
        return textwrap.fill(text, WIDTH, subsequent_indent="    ")
    found = verdict["distribution"]
    gain = found.get("smallest_gain")
    if gain is None:
        return ""
    n = round(found["n"] * gain**2)  # the standard error falls with the root of the number of days
    text = f"A true CRPS reduction of 1 % against {found['baseline']} would need the outcomes of about {n:,} days"
    return textwrap.fill(text, WIDTH, subsequent_indent="    ")


def pending_table(pending: pd.DataFrame) -> Table:
    """Return the first forecasts of `lstm_stock.workflow.journal_scores.JournalScores.pending`."""
    table = new_table(
        ["ticker", "cutoff", "outcomes to come", "next", "last", "network"],
        left=("ticker", "cutoff", "next", "last", "network"),
        title=f"{counted(len(pending), 'forecast')} with outcomes to come",
    )
    for row in pending.head(SHOWN_PENDING).to_dict("records"):
        cells = [row[name] for name in ("ticker", "cutoff", "n_pending", "next", "last", "network")]
        table.add_row(*map(str, cells))
    if len(pending) > SHOWN_PENDING:
        table.caption = f"and {len(pending) - SHOWN_PENDING} more (`--format json` has all)"
    return table


def appended(folder: Path, done: Appended) -> list[str]:
    """Return the sentences on an append."""
    texts = []
    if done.known:
        texts.append(
            f"{_of(done.known)}: the journal has a forecast of this network from the same bar already; that one "
            "counts, and this one was not written"
        )
    if done.late:
        texts.append(f"{_of(done.late)}: not written to the journal: the first session has started meanwhile")
    if done.written:
        texts.append(
            f"{counted(len(done.written), 'forecast')} written to the journal {folder}, which has "
            f"{counted(done.head.sequence, 'line')} now, hash {done.head.hash}"
        )
    return texts


def _of(forecasts: Sequence[About]) -> str:
    return name_tickers([one.ticker for one in forecasts])
