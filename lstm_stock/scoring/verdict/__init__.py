"""Tests of a forecast table, and a verdict on the network in plain sentences.

Everything is computed from the first step of the forecast table, so that anyone with `forecasts.parquet` can
compute it again. The verdict compares the network with the baselines in three questions (point, direction,
distribution), tests its intervals, and looks for a point forecast that is an old price. The probability that a
network without skill is called better in anything is at most `ALPHA`; see `claims`.

    loss_tables    the data that a verdict is computed from
    thresholds     every number that decides what the verdict says
    claims         the three questions, and how they share one significance level
    intervals      coverage, clusters of misses, PIT
    sentences      the sentences
    saved          verdicts of runs saved by older versions
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pandas as pd

from lstm_stock.scoring.lag_copy import Kind, lag_copy
from lstm_stock.scoring.verdict import sentences
from lstm_stock.scoring.verdict.claims import judge_claims
from lstm_stock.scoring.verdict.intervals import judge_intervals
from lstm_stock.scoring.verdict.loss_tables import LossTables
from lstm_stock.scoring.verdict.saved import read_verdict
from lstm_stock.scoring.verdict.thresholds import ALPHA

__all__ = [
    "ALPHA",
    "LossTables",
    "judge",
    "judge_loss_tables",
    "judge_ticker",
    "judge_together",
    "read_verdict",
    "short_verdict",
]

QUESTIONS = ("point", "direction", "distribution")


def judge(forecasts: pd.DataFrame, model: str, calibration: str = "none") -> dict[str, Any]:
    """Judge a network against the baselines of its forecast table, one step ahead.

    With several tickers, losses, signs and misses are averaged over the tickers of each date before they are
    tested. Every ticker is judged alone as well. `ALPHA` is shared: half of it is for all tickers together, the
    other half is divided equally among them.

    Args:
        forecasts: Columns `lstm_stock.scoring.forecast_table.FORECAST_COLUMNS`.
        model: The network's name in it; all others are baselines.
        calibration: How the network's intervals were calibrated: `none`, `conformal` or `adaptive`.

    Returns:
        Plain numbers and text, None for what does not apply: `step`, `alpha`, and for each of `point`,
        `direction`, `distribution` and `calibration` at least `verdict`, `baseline`, `statistic`, `p`, `n`
        and `sentence`; `lag_copy`; and, of several tickers, the same of each in `tickers`.

    Raises:
        ValueError: The table has no first step of `model` for a ticker.
    """
    first = forecasts[forecasts["step"] == 1]
    groups = dict(list(first.groupby("ticker", sort=False)))
    by_ticker = {
        str(ticker): LossTables.of(groups.get(ticker, first.iloc[:0]), model)
        for ticker in forecasts["ticker"].unique()
    }
    return judge_loss_tables(by_ticker, model, calibration)


def judge_loss_tables(
    by_ticker: Mapping[str, LossTables], model: str, calibration: str = "none"
) -> dict[str, Any]:
    """Judge a network as `judge` does, from the loss tables of each ticker.

    Args:
        by_ticker: `LossTables.of` the first step of each ticker.
        model: The network's name.
        calibration: How its intervals were calibrated.
    """
    n = len(by_ticker)
    verdicts = {ticker: judge_ticker(one, model, calibration, n) for ticker, one in by_ticker.items()}
    return judge_together(by_ticker, verdicts, model, calibration)


def judge_ticker(loss_tables: LossTables, model: str, calibration: str, n_tickers: int) -> dict[str, Any]:
    """Judge a network on one ticker alone, of `n_tickers` that share the significance level."""
    return _judge(loss_tables, model, calibration, ALPHA if n_tickers == 1 else ALPHA / 2 / n_tickers)


def judge_together(
    by_ticker: Mapping[str, LossTables],
    verdicts: Mapping[str, dict[str, Any]],
    model: str,
    calibration: str = "none",
) -> dict[str, Any]:
    """Judge a network as `judge_loss_tables` does, given the verdicts of `judge_ticker` on each ticker alone."""
    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    verdict = _judge(LossTables.concat(list(by_ticker.values())), model, calibration, ALPHA / 2)
    return verdict | {"tickers": dict(verdicts)}


def _judge(loss_tables: LossTables, model: str, calibration: str, alpha: float) -> dict[str, Any]:
    model_rows = loss_tables.model_rows
    return {
        "step": 1,
        "alpha": alpha,
        "n_tickers": int(model_rows["ticker"].nunique()),
        **judge_claims(loss_tables, model, alpha),
        "calibration": judge_intervals(model_rows, alpha, calibration),
        "lag_copy": _judge_lag(model_rows, model, alpha),
    }


def _judge_lag(model_rows: pd.DataFrame, model: str, alpha: float) -> dict[str, Any]:
    """Look for a shifted price in each ticker; of several tickers, count the kinds."""
    found = []
    for _, table in model_rows.groupby("ticker", sort=False):
        y_true, y_pred, last_close = (table[name].to_numpy() for name in ("y_true", "y_pred", "last_close"))
        found.append(lag_copy(y_true, y_pred, last_close, alpha))
    kinds = [one.kind for one in found if one is not None]
    if len(kinds) == 1:
        (one,) = (one for one in found if one is not None)
        return {**one.to_json(), "sentence": sentences.lag_of_one(one, model)}
    counts = {kind: kinds.count(kind) for kind in get_args(Kind)}
    return {"kinds": counts, "sentence": sentences.lag_of_many(counts, model)}


def short_verdict(verdict: dict[str, Any]) -> str:
    """Summarise a verdict in the few words that a list of runs has room for.

    >>> claim = {"verdict": "no evidence"}
    >>> short_verdict({"point": {"verdict": "worse"}, "direction": claim, "distribution": {"verdict": "better"}})
    'better distribution, worse point'
    >>> short_verdict({"point": claim, "direction": claim, "distribution": claim})
    'no evidence'
    >>> short_verdict({"point": claim, "calibration": {"verdict": "miscalibrated"}})
    'no evidence, miscalibrated'
    """
    parts = []
    for outcome in ("better", "worse"):
        names = [name for name in QUESTIONS if verdict.get(name, {}).get("verdict") == outcome]
        if names:
            parts.append(f"{outcome} {' and '.join(names)}")
    if not parts and verdict:
        parts.append("no evidence")
    if verdict.get("calibration", {}).get("verdict") == "miscalibrated":
        parts.append("miscalibrated")
    return ", ".join(parts) or "-"
