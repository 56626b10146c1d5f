"""Tests of a forecast table, and a verdict on the network in plain sentences.

Everything is computed from the first and the last step of the forecast table, so that anyone with
`forecasts.parquet` can compute it again. The verdict compares the network with the baselines in three questions
(point, direction, distribution), tests the trained distribution, and looks for a point forecast that is an old
price. A network without skill is called better in anything with probability `ALPHA` at most, in all but a few
simulated worlds, which docs/method.md lists; see `claims`.

    findings                who is judged, and the results that the sentences state
    loss_tables             the data that a verdict is computed from
    thresholds              every number that decides what the verdict says
    comparisons             losses against each baseline, signs against chance, at one step
    claims                  the three questions, and how they share one significance level
    calibration             coverage on all, quiet and wild days, clusters of misses, PIT; the intervals shown
    risk                    value at risk and expected shortfall
    rises                   the probability of a rise
    sentences               the sentences on skill
    calibration_sentences   those on calibration
    risk_sentences          those on risk
    saved                   verdicts of runs saved by older versions
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pandas as pd

from lstm_stock.config.targets import OF_PRICES
from lstm_stock.scoring.lag_copy import Kind, lag_copy
from lstm_stock.scoring.short_verdict import short_verdict
from lstm_stock.scoring.verdict import sentences
from lstm_stock.scoring.verdict.calibration import describe_intervals, judge_trained
from lstm_stock.scoring.verdict.claims import judge_claims
from lstm_stock.scoring.verdict.findings import Subject
from lstm_stock.scoring.verdict.loss_tables import LossTables
from lstm_stock.scoring.verdict.rises import describe_rises
from lstm_stock.scoring.verdict.saved import read_verdict
from lstm_stock.scoring.verdict.thresholds import ALPHA

__all__ = [
    "ALPHA",
    "LossTables",
    "Subject",
    "judge",
    "judge_loss_tables",
    "judge_ticker",
    "judge_together",
    "read_verdict",
    "short_verdict",
]

StepTables = Mapping[int, LossTables]
"""The losses of one ticker, or of several, at each step that is judged."""


def judge(forecasts: pd.DataFrame, subject: Subject) -> dict[str, Any]:
    """Judge a network against the baselines of its forecast table, at the first step and the last.

    With several tickers, losses, signs and misses are averaged over the tickers of each date before they are
    tested. Every ticker is judged alone as well. `ALPHA` is shared: half of it is for all tickers together, the
    other half is divided equally among them.

    Args:
        forecasts: Columns `lstm_stock.scoring.forecast_table.FORECAST_COLUMNS`.
        subject: The network.

    Returns:
        Plain numbers and text, None for what does not apply: `step`, `alpha`, and for each of `point`,
        `direction`, `distribution`, `calibration` and `risk` at least `verdict`, `baseline`, `statistic`, `p`, `n`
        and `sentence`; `intervals`, those shown; `rises`; `lag_copy`; where the horizon is longer than 1, the same
        of the last step in `last`, but `lag_copy`; and, of several tickers, the same of each in `tickers`.

    Raises:
        ValueError: The table has no rows of the network for a ticker.
    """
    by_ticker = {
        str(ticker): LossTables.by_step(rows, subject.model)
        for ticker, rows in forecasts.groupby("ticker", sort=False)
    }
    return judge_loss_tables(by_ticker, subject)


def judge_loss_tables(by_ticker: Mapping[str, StepTables], subject: Subject) -> dict[str, Any]:
    """Judge a network as `judge` does, from `LossTables.by_step` of each ticker."""
    n = len(by_ticker)
    verdicts = {ticker: judge_ticker(one, subject, n) for ticker, one in by_ticker.items()}
    return judge_together(by_ticker, verdicts, subject)


def judge_ticker(tables: StepTables, subject: Subject, n_tickers: int) -> dict[str, Any]:
    """Judge a network on one ticker alone, of `n_tickers` that share the significance level."""
    return _judge(tables, subject, ALPHA if n_tickers == 1 else ALPHA / 2 / n_tickers)


def judge_together(
    by_ticker: Mapping[str, StepTables], verdicts: Mapping[str, dict[str, Any]], subject: Subject
) -> dict[str, Any]:
    """Judge a network as `judge_loss_tables` does, given the verdicts of `judge_ticker` on each ticker alone."""
    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    steps = next(iter(by_ticker.values()))
    together = {step: LossTables.concat([one[step] for one in by_ticker.values()]) for step in steps}
    return _judge(together, subject, ALPHA / 2) | {"tickers": dict(verdicts)}


def _judge(tables: StepTables, subject: Subject, alpha: float) -> dict[str, Any]:
    claims = judge_claims(tables, subject, alpha)
    verdicts = [
        {
            "step": step,
            **claims[step],
            **_judge_trained(one, subject, alpha / len(tables)),
            "intervals": describe_intervals(one.model_rows, subject.calibration),
            "rises": describe_rises(one.model_rows, step),
        }
        for step, one in tables.items()
    ]
    model_rows = next(iter(tables.values())).model_rows
    words = subject.words
    first = verdicts[0] | {
        "alpha": alpha,
        "n_tickers": int(model_rows["ticker"].nunique()),
        "n_dates": int(model_rows["cutoff"].nunique()),
        **({} if words == OF_PRICES else {"dates": words.dates, "steps": words.steps}),
        "lag_copy": _judge_lag(model_rows, subject, alpha),
    }
    return first if len(verdicts) == 1 else first | {"last": verdicts[-1]}


def _judge_trained(tables: LossTables, subject: Subject, alpha: float) -> dict[str, Any]:
    """Test the trained distribution; its losses alone have a risk, and a series of values has none."""
    found = judge_trained(tables.model_rows, tables.step, alpha)
    if subject.words != OF_PRICES:
        del found["risk"]
    return found


def _judge_lag(model_rows: pd.DataFrame, subject: Subject, alpha: float) -> dict[str, Any]:
    """Look for a shifted price in each ticker; of several tickers, count the kinds."""
    found = []
    for _, table in model_rows.groupby("ticker", sort=False):
        y_true, y_pred, last_close = (table[name].to_numpy() for name in ("y_true", "y_pred", "last_close"))
        found.append(lag_copy(y_true, y_pred, last_close, alpha))
    kinds = [one.kind for one in found if one is not None]
    if len(kinds) == 1:
        (one,) = (one for one in found if one is not None)
        return {**one.to_json(), "sentence": sentences.lag_of_one(one, subject.model, subject.words)}
    counts = {kind: kinds.count(kind) for kind in get_args(Kind)}
    return {"kinds": counts, "sentence": sentences.lag_of_many(counts, subject.model, subject.words)}
