"""Tables of answers to questions about the next sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.table import Table

from lstm_stock.report.table import new_table
from lstm_stock.report.text import MAX_DETAILED_TICKERS, date_text, day_text, price_text

PROBABILITY = "probability"
"""Unit of an answer that is a probability; the others are losses in percent of the last close."""

RISK_NOTE = (
    "value at risk: the loss, in % of the last close, that is exceeded with the probability in the column `tail`; "
    "expected shortfall: the mean loss in that share of cases; dividends count as received"
)
"""Note below a table of losses."""


def answer_tables(answers: pd.DataFrame, currency: str | None) -> list[Table]:
    """Return the answers about one ticker: a table of probabilities and one of losses, where there are any.

    Args:
        answers: Columns `lstm_stock.workflow.questions.ANSWER_COLUMNS`.
        currency: Currency of the prices.
    """
    first, unit = answers.iloc[0], f" {currency}" if currency else ""
    close = f"{price_text(first['last_close'])}{unit}"
    title = f"{first['ticker']}: after the close of {date_text(first['cutoff'])} ({close})"
    probabilities = answers[answers["unit"] == PROBABILITY]
    losses = answers[answers["unit"] != PROBABILITY]
    tables = []
    if len(probabilities):
        tables.append(_probability_table(probabilities, f"{title}, probability"))
    if len(losses):
        tables.append(_loss_table(losses, f"{title}, possible losses"))
    return tables


def answers_table(answers: pd.DataFrame) -> Table:
    """Return the answers about many tickers: one row each, the first and the last session of every question."""
    questions = list(dict.fromkeys(answers["question"]))
    table = new_table(
        ["ticker", "close", *questions],
        left=("ticker",),
        title=f"{answers['ticker'].nunique()} tickers: answers in %, first session / last session",
    )
    for ticker, rows in answers.groupby("ticker", sort=False):
        cells = [str(ticker), price_text(rows["last_close"].iloc[0])]
        for question in questions:
            of_question = rows[rows["question"] == question].sort_values("step")
            ends = of_question.iloc[[0] if len(of_question) == 1 else [0, -1]]
            cells.append(" / ".join(_percent(row) for row in ends.to_dict("records")))
        table.add_row(*cells)
    table.caption = "Probabilities, and losses in % of the close. `--format csv` holds every session"
    return table


def shows_each_ticker(n_tickers: int) -> bool:
    """Whether so few tickers were asked about that each has tables of its own."""
    return n_tickers <= MAX_DETAILED_TICKERS


def _probability_table(answers: pd.DataFrame, title: str) -> Table:
    """Return one row per session and one column per question."""
    questions = list(dict.fromkeys(answers["question"]))
    table = new_table(["step", "date", *questions], left=("step", "date"), title=title)
    for (step, _), rows in answers.groupby(["step", "date"]):
        cells = {row["question"]: f"{_percent(row)} %" for row in rows.to_dict("records")}
        table.add_row(
            str(step), day_text(rows["date"].iloc[0]), *(cells.get(question, "") for question in questions)
        )
    return table


def _loss_table(answers: pd.DataFrame, title: str) -> Table:
    """Return one row per session and probability, and two columns per measure: the loss, and the close there."""
    parts = answers["question"].str.extract(r"^(?P<measure>.*) (?P<tail>[0-9.]+ %)$")
    answers = answers.assign(measure=parts["measure"], tail=parts["tail"])
    header = [column for measure in answers["measure"].unique() for column in (measure, "close")]
    table = new_table(["step", "date", "tail", *header], left=("step", "date"), title=title)
    for (step, _), rows in answers.groupby(["step", "date"]):
        session = [str(step), day_text(rows["date"].iloc[0])]
        for tail, of_tail in rows.groupby("tail", sort=False):
            cells = []
            for row in of_tail.to_dict("records"):
                cells += [f"{_percent(row)} %", price_text(row["price"], row["last_close"])]
            table.add_row(*session, str(tail), *cells)
            session = ["", ""]
    return table


def _percent(row: Mapping[Any, Any]) -> str:
    """Format an answer in percent: a probability with one decimal, a loss with two."""
    return f"{100 * row['value']:.1f}" if row["unit"] == PROBABILITY else f"{row['value']:.2f}"
