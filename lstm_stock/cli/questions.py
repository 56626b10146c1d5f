"""The option `--ask` of `predict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lstm_stock.cli.app import Format

if TYPE_CHECKING:
    from lstm_stock.distributions.questions import Question
    from lstm_stock.runs.run import Run
    from lstm_stock.workflow.predict import Prediction


def parse_asked(texts: Sequence[str] | None) -> tuple[Question, ...]:
    """Parse the options `--ask`; no question without any.

    Raises:
        ConfigError: One of them is no question.
    """
    if not texts:
        return ()
    from lstm_stock.distributions.questions import parse_questions

    return parse_questions(texts)


def print_answers(
    run: Run,
    predictions: Mapping[str, Prediction],
    questions: Sequence[Question],
    output: Format,
    quiet: bool,
) -> None:
    """Print the answers about every ticker, and what limits them.

    Raises:
        ConfigError: A question is about a session that is not forecast.
        RunError: The run forecasts a point, not a distribution.
    """
    import json

    import pandas as pd

    from lstm_stock.report import console
    from lstm_stock.report import questions as report
    from lstm_stock.runs.files import records
    from lstm_stock.workflow.questions import answer, note_on_direction

    run.require_prices("`--ask`")
    note = note_on_direction(run)
    tables = {ticker: answer(one, questions, note) for ticker, one in predictions.items()}
    answers = pd.concat(tables.values(), ignore_index=True)
    if output == Format.json:
        print(json.dumps(records(answers), indent=2))
    elif output == Format.csv:
        print(answers.to_csv(index=False), end="")
    elif report.shows_each_ticker(len(tables)):
        for ticker, one in tables.items():
            for table in report.answer_tables(one, predictions[ticker].currency):
                console.show(table)
    else:
        console.show(report.answers_table(answers))
    if answers["note"].any():
        console.note(note, quiet)
    if output == Format.table and answers["question"].str.contains("value at risk|expected shortfall").any():
        console.note(report.RISK_NOTE, quiet)
