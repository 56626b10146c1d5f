"""Answer questions about the next sessions from a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.config.heads import HEADS
from lstm_stock.distributions.questions import (
    DIRECTIONS,
    TAIL_PROBABILITIES,
    Question,
    probability,
    tail_losses,
)
from lstm_stock.errors import ConfigError, RunError
from lstm_stock.runs.run import Run
from lstm_stock.workflow.predict import Prediction

ANSWER_COLUMNS = (
    *("ticker", "cutoff", "step", "date", "question", "value", "unit", "price", "last_close", "note"),
)

PROBABILITY, PERCENT = "probability", "percent"
"""Units of an answer: 0 to 1, or percent of the last close."""

COMMON_DRIFT = (
    "the location of the forecast is one small drift, the same for all tickers and days: the probability of a "
    "rise says that prices rise more often than they fall, and nothing about these sessions"
)

NO_EVIDENCE = (
    "the test period of the run gave no evidence that it predicts rises and falls better than chance: take the "
    "probability of a rise for the usual one"
)


def answer(prediction: Prediction, questions: Sequence[Question], note: str) -> pd.DataFrame:
    """Answer questions about one ticker.

    Args:
        prediction: The forecast.
        questions: The questions.
        note: What limits an answer about the direction of the move, as `note_on_direction` gives it.

    Returns:
        Columns `ANSWER_COLUMNS`, one row per question, step and, of a question about losses, measure and
        probability. `value` is a probability, or a loss in percent of the last close, positive; `price` is the
        stored close at that loss, NaN for a probability.

    Raises:
        ConfigError: A question is about a session that is not forecast.
        RunError: The run forecasts a point, not a distribution.
    """
    table, returns = prediction.table, prediction.returns
    if not returns.exists:
        raise RunError(
            "the run forecasts a point, not a distribution: it has no probabilities",
            "train with another head: `lstm-stock train --set model.head=student_t`",
        )
    dividends, last_close = table["dividend"].to_numpy(np.float64), float(table["last_close"].iloc[0])
    losses = tail_losses(returns) if any(question.measures for question in questions) else {}
    parts = []
    for question in questions:
        asked = [
            question.asks_about(step, date.date())
            for step, date in zip(table["step"], pd.DatetimeIndex(table["date"]), strict=True)
        ]
        if not any(asked):
            raise _no_session(question, table)
        columns: list[dict[str, Any]]
        if question.measures:
            columns = [
                {"question": f"{measure} {100 * p:g} %", "value": 100 * loss, "unit": PERCENT}
                | {"price": np.maximum(last_close * (1 - loss) - dividends, 0.0), "note": ""}
                for measure in question.measures
                for p, loss in zip(TAIL_PROBABILITIES, losses[measure], strict=True)
            ]
        else:
            values = probability(question, returns, last_close, dividends)
            of_direction = note if question.form in DIRECTIONS else ""
            columns = [{"question": question.text, "value": values, "unit": PROBABILITY, "price": np.nan}]
            columns[0] |= {"note": of_direction}
        parts += [table.assign(**one)[asked] for one in columns]
    return pd.concat(parts, ignore_index=True)[list(ANSWER_COLUMNS)]


def note_on_direction(run: Run) -> str:
    """Return the sentence that belongs to every probability of a rise; empty if the run can predict direction.

    Raises:
        RunError: The run cannot be read.
    """
    if HEADS[run.config.model.head].has_common_drift:
        return COMMON_DRIFT
    verdict = run.saved_verdict
    outcomes = [one.get("direction", {}).get("verdict") for one in (verdict, verdict.get("last", {}))]
    return "" if "better" in outcomes else NO_EVIDENCE


def _no_session(question: Question, table: pd.DataFrame) -> ConfigError:
    dates = f"{table['date'].iloc[0]:%a %F} to {table['date'].iloc[-1]:%a %F}"
    named = f"step {question.step}" if question.date is None else f"{question.date:%a %F}"
    return ConfigError(
        f"--ask: {question.text}: got {named}, expected one of the {len(table)} sessions of the forecast, {dates}",
        "name one of those; `lstm-stock predict` without `--ask` lists them",
    )
