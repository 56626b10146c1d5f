"""Tables and sentences for a terminal: scores, forecasts, runs.

Everything here turns tables into text. Nothing is computed but the comparison a reader would make.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.table import Table

from lstm_stock.report.text import MARK, _table, number
from lstm_stock.scoring.scores import best_baselines
from lstm_stock.scoring.verdict import short_verdict

RANKED = ("rmse", "crps", "nll")
"""Scores where less is better; the best baseline in each is marked."""


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
    # One line, which rich wraps to the width of the table.
    table.caption = (
        f"{MARK} best baseline in that score; - does not apply. RMSE: price. skill: RMSE gained on naive, %. "
        "dir.: right signs, %; always_up has the share of up days. CRPS, NLL: log return in %, less is better. "
        "50 %, 90 %: outcomes inside that interval, % (the network's as its `calibration` made it). width: of "
        "the 90 % interval, % of price"
    )
    return table


def pooled_table(pooled: pd.DataFrame, model: str) -> Table:
    """Show the network beside each baseline over all tickers, as `evaluation.pooled_scores` tells it."""
    n_tickers = int(pooled["n_tickers"].max())
    table = _table(
        f"all {n_tickers} tickers, 1 step ahead: {model} beside each baseline",
        ["baseline", "tickers", "CRPS", model, "better in", "NLL", model, "better in"],
        left=1,
    )
    best = {score: pooled[pooled["n_tickers"] == n_tickers][score].min() for score in ("crps", "nll")}
    for row in pooled.to_dict("records"):
        cells = [str(row["baseline"]), str(row["n_tickers"])]
        for score in ("crps", "nll"):
            has_score = not math.isnan(row[score])
            mark = MARK if row[score] == best[score] and row["n_tickers"] == n_tickers else " "
            cells += [
                number(row[score], 4) + mark,
                number(row[f"{score}_model"], 4),
                str(row[f"{score}_better"]) if has_score else "-",
            ]
        table.add_row(*cells)
    table.caption = (
        f"Means over tickers of the log return in %, less is better; {MARK} best baseline of all tickers. A "
        f"baseline that dropped out for some tickers is compared on the others. better in: tickers in which "
        f"{model}'s score is less"
    )
    return table


def tickers_table(rows: pd.DataFrame, verdicts: Mapping[str, Any], model: str) -> Table:
    """Show each of several tickers on one line, as `lstm_stock.scoring.scores.ticker_scores` tells them.

    Args:
        rows: The scores, in the order to show.
        verdicts: What `lstm_stock.scoring.verdict.judge` said of each.
        model: The network's name.
    """
    table = _table(
        f"{len(rows)} tickers, 1 step ahead, most skilful first",
        ["ticker", "skill", "CRPS", "best baseline", "CRPS", "gained %", "90 %", "verdict"],
        left=1,
    )
    table.columns[3].justify = table.columns[7].justify = "left"
    for row in rows.to_dict("records"):
        table.add_row(
            str(row["ticker"]),
            number(row["skill"], 2),
            number(row["crps"], 3),
            row["baseline"] or "-",
            number(row["baseline_crps"], 3),
            number(row["gain"], 2),
            number(100 * row["coverage_90"], 1),
            short_verdict(verdicts.get(row["ticker"], {})),
        )
    table.caption = (
        "skill: RMSE gained on naive, %. CRPS: of the log return in %, less is better; gained %: on the baseline "
        "that turned out best for the ticker. 90 %: outcomes inside that interval, %. verdict: of "
        f"{model} on this ticker alone, all of them sharing one level"
    )
    return table


def fold_table(fold_scores: pd.DataFrame, folds: pd.DataFrame, model: str, ticker: str) -> Table:
    """Show how the network did in each fold of a backtest, one step ahead, beside that fold's best baseline.

    Args:
        fold_scores: `fold` and the columns of a score table.
        folds: One row a fold, with `fold test_start`; a block ends where the next one starts.
        model: The network's name.
        ticker: The ticker to show.
    """
    table = _table(
        f"{ticker}: fold by fold, one step ahead",
        ["fold", "from", "n", "skill", "CRPS", "90 %", "best baseline", "CRPS", "gained %"],
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
            f"{fold['test_start']:%F}",
            str(network["n"]),
            number(network["skill"], 2),
            number(network["crps"], 3),
            number(100 * network["coverage_90"], 1),
            " and ".join(best) or "-",
            number(theirs, 3),
            number(100 * (1 - network["crps"] / theirs), 2),
        )
    return table
