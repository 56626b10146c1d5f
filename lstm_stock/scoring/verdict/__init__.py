"""What a run knows that simple models do not: tests of the forecast table, and a verdict in words.

Everything is computed from the forecast table alone, at its first step, so that whoever has
`forecasts.parquet` can compute it again. Three questions are asked of a network - does its point beat
`naive`, does its direction beat luck, does its distribution beat the baselines' - and one of its intervals:
do they hold as often as they say. The chance that a network which knows nothing is said to be better in
anything at all is at most `ALPHA`; see `claims`.

    loss_tables    what it is made from, ticker by ticker
    thresholds     every number that decides what is said
    claims         the three questions, and how they share one level
    calibration    coverage, clusters of misses, PIT
    words          the sentences
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lstm_stock.scoring import lag_copy
from lstm_stock.scoring.verdict import findings, sentences
from lstm_stock.scoring.verdict.claims import judge_claims
from lstm_stock.scoring.verdict.intervals import judge_calibration
from lstm_stock.scoring.verdict.loss_tables import LossTables
from lstm_stock.scoring.verdict.thresholds import ALPHA

__all__ = ["ALPHA", "LossTables", "judge", "judge_evidence", "short_verdict"]

SHORT = {"point": "point", "direction": "direction", "distribution": "distribution"}


def judge(forecasts: pd.DataFrame, model: str, calibration: str = "none") -> dict[str, Any]:
    """Judge a network against the baselines of its forecast table, one step ahead.

    With several tickers, losses, signs and misses are averaged over the tickers of each date before they are
    tested; and every ticker is judged by itself as well. Both share `ALPHA`: half of it is for all together,
    the other half divided by their number for each.

    Args:
        forecasts: Columns `lstm_stock.scoring.forecast_table.FORECAST_COLUMNS`.
        model: The network's name in it; all others are baselines.
        calibration: How its intervals were stretched: `none`, `conformal` or `adaptive`.

    Returns:
        Plain numbers and text, None for what does not apply: `step`, `alpha`, and for each of `point`,
        `direction`, `distribution` and `calibration` at least `verdict`, `baseline`, `statistic`, `p`, `n`
        and `sentence`; `lag_copy`; and, of several tickers, the same of each in `tickers`.

    Raises:
        ValueError: The table has no forecast of `model` for a ticker.
    """
    rows = forecasts[forecasts["step"] == forecasts["step"].min()]
    by_ticker = {
        str(ticker): LossTables.of(group, model) for ticker, group in rows.groupby("ticker", sort=False)
    }
    tickers = map(str, forecasts["ticker"].unique())
    return judge_loss_tables({ticker: by_ticker[ticker] for ticker in tickers}, model, calibration)


def judge_loss_tables(
    by_ticker: Mapping[str, LossTables], model: str, calibration: str = "none"
) -> dict[str, Any]:
    """Judge a network from the evidence of each ticker, as `judge` does from a forecast table.

    Args:
        by_ticker: `LossTables.of` the first step of each ticker.
        model: The network's name.
        calibration: How its intervals were stretched.
    """
    parts = list(by_ticker.values())
    if len(parts) == 1:
        return _judge(parts[0], model, calibration, ALPHA)
    verdict = _judge(LossTables.together(parts), model, calibration, ALPHA / 2)
    verdict["tickers"] = {
        ticker: _judge(part, model, calibration, ALPHA / 2 / len(parts)) for ticker, part in by_ticker.items()
    }
    return verdict


def _judge(loss_tables: LossTables, model: str, calibration: str, alpha: float) -> dict[str, Any]:
    model_rows = loss_tables.model_rows
    step = int(model_rows["step"].iloc[0])
    return {
        "step": step,
        "alpha": alpha,
        "n_tickers": int(model_rows["ticker"].nunique()),
        **judge_claims(loss_tables, model, step, alpha),
        "calibration": judge_calibration(model_rows, step, alpha, calibration),
        "lag_copy": _judge_lag(model_rows, model, step, alpha),
    }


def _judge_lag(model_rows: pd.DataFrame, model: str, step: int, alpha: float) -> dict[str, Any]:
    """Look for a shifted price in each ticker; several tickers are counted."""
    found = {}
    for ticker, table in model_rows.groupby("ticker", sort=False):
        came, said, known = (table[name].to_numpy() for name in ("y_true", "y_pred", "last_close"))
        one = lag_copy.lag_copy(came, said, known, alpha) if step == 1 else None
        if one is not None:
            found[str(ticker)] = one
    if len(found) == 1:
        (one,) = found.values()
        return {**vars(one), "p": findings.plain(one.p), "sentence": sentences.lag_of_one(one, model)}
    counts = {kind: sum(one.kind == kind for one in found.values()) for kind in ("stays", "copy", "other")}
    return {"kinds": counts, "sentence": sentences.lag_of_many(counts, model)}


def short_verdict(verdict: dict[str, Any]) -> str:
    """Say in a few words what a list of runs has room for.

    >>> claim = {"verdict": "no evidence"}
    >>> short_verdict({"point": {"verdict": "worse"}, "direction": claim, "distribution": {"verdict": "better"}})
    'better distribution, worse point'
    >>> short_verdict({"point": claim, "direction": claim, "distribution": claim})
    'no evidence'
    >>> short_verdict({"point": claim, "calibration": {"verdict": "miscalibrated"}})
    'no evidence, miscalibrated'
    """
    said = []
    for kind in ("better", "worse"):
        names = [name for name in SHORT if verdict.get(name, {}).get("verdict") == kind]
        if names:
            said.append(f"{kind} {' and '.join(names)}")
    if not said and verdict:
        said.append("no evidence")
    if verdict.get("calibration", {}).get("verdict") == "miscalibrated":
        said.append("miscalibrated")
    return ", ".join(said) or "-"
