"""Tables of scores: by model, by ticker, by fold and pooled.

Nothing here scores forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.table import Table

from lstm_stock.config.targets import OF_PRICES, Words
from lstm_stock.report.table import new_table
from lstm_stock.report.text import number
from lstm_stock.scoring.scores import best_baselines, gain
from lstm_stock.scoring.verdict import short_verdict

RANKED = ("rmse_percent", "crps", "nll")
"""Scores of which the best baseline is marked; lower is better in each."""

MARK = "*"


def score_table(
    scores: pd.DataFrame, model: str, ticker: str, subject: str = "test scores", words: Words = OF_PRICES
) -> Table:
    """Return the scores of one ticker at the first step and the last: the network, then every baseline.

    Args:
        scores: A score table.
        model: The network's name.
        ticker: The ticker to show.
        subject: What was scored, for the title.
        words: What the series is called.
    """
    of_ticker = scores[scores["ticker"] == ticker]
    n_test = int(of_ticker["n"].iloc[0])
    table = new_table(
        ["step", "model", "RMSE", "skill", "dir.", "CRPS", "NLL", "90 %", "shown", "width"],
        left=("step", "model"),
        title=f"{ticker}: {subject}, {n_test} cutoffs",
    )
    steps = sorted(of_ticker["step"].unique())
    for step in dict.fromkeys((steps[0], steps[-1])):
        at_step = of_ticker[of_ticker["step"] == step]
        best = {score: best_baselines(at_step, model, score) for score in RANKED}
        for i, row in enumerate(at_step.to_dict("records")):
            cells = {
                score: number(row[score], 3) + (MARK if row["model"] in best[score] else " ")
                for score in RANKED
            }
            table.add_row(
                str(step) if i == 0 else "",
                str(row["model"]),
                cells["rmse_percent"],
                number(row["skill"], 2),
                number(100 * row["direction"], 1),
                cells["crps"],
                cells["nll"],
                number(100 * row["coverage_trained_90"], 1),
                number(100 * row["coverage_90"], 1) if row["model"] == model else "",
                number(row["width_90"], 2),
            )
        table.add_section()
    always_up = "; for always_up, the share of up days" if words == OF_PRICES else ""
    in_unit = f"in {words.unit}" if words.unit.startswith("%") else words.unit
    # One paragraph: rich wraps it to the width of the table.
    table.caption = (
        f"{MARK} best baseline by that score; - does not apply. RMSE: {in_unit}. skill: RMSE reduction against "
        f"naive, %. dir.: correct signs, %{always_up}. CRPS, NLL: {words.move_unit}, lower is better. 90 %: "
        "coverage of the 90 % interval of the trained distribution, %. shown: coverage of the network's 90 % "
        f"interval after `calibration`, %. width: mean width of the 90 % interval shown, {words.unit}"
    )
    return table


def pooled_table(pooled: pd.DataFrame, model: str, words: Words = OF_PRICES) -> Table:
    """Return the rows of `lstm_stock.scoring.scores.pooled_scores`: the network against each baseline."""
    n_tickers = int(pooled["n_tickers"].max())
    table = new_table(
        ["baseline", "tickers", "CRPS", model, "better in", "NLL", model, "better in"],
        left=("baseline",),
        title=f"all {n_tickers} tickers, 1 step ahead: {model} against each baseline",
    )
    best = {score: pooled[pooled["n_tickers"] == n_tickers][score].min() for score in ("crps", "nll")}
    for row in pooled.to_dict("records"):
        cells = [str(row["baseline"]), str(row["n_tickers"])]
        for score in ("crps", "nll"):
            has_score = not math.isnan(row[score])
            is_best = row[score] == best[score] and row["n_tickers"] == n_tickers
            cells += [
                number(row[score], 4) + (MARK if is_best else " "),
                number(row[f"{score}_model"], 4),
                str(row[f"{score}_better"]) if has_score else "-",
            ]
        table.add_row(*cells)
    table.caption = (
        f"Means over tickers, {words.move_unit}; lower is better; {MARK} best baseline over all tickers. "
        "A baseline that could not be fitted to some tickers is compared on the others. better in: number of "
        f"tickers where {model} scores lower"
    )
    return table


def tickers_table(
    rows: pd.DataFrame, verdicts: Mapping[str, Any], model: str, words: Words = OF_PRICES
) -> Table:
    """Return the rows of `lstm_stock.scoring.scores.ticker_scores`: one row per ticker.

    Args:
        rows: The scores, in the order to show.
        verdicts: The result of `lstm_stock.scoring.verdict.judge` for each ticker.
        model: The network's name.
        words: What the series are called.
    """
    table = new_table(
        ["ticker", "skill", "CRPS", "best baseline", "CRPS", "gain %", "90 %", "verdict"],
        left=("ticker", "best baseline", "verdict"),
        title=f"{len(rows)} tickers, 1 step ahead, most skilful first",
    )
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
        f"skill: RMSE reduction against naive, %. CRPS: {words.move_unit}, lower is better. best baseline: "
        "the one with the lowest CRPS on that ticker's test period. gain: CRPS reduction against it. 90 %: "
        f"coverage of the interval shown, %. verdict: of {model} on that ticker; all of these tests share one "
        "significance level"
    )
    return table


def fold_table(fold_scores: pd.DataFrame, folds: pd.DataFrame, model: str, ticker: str) -> Table:
    """Return the network's scores in each fold of a backtest, one step ahead, and the fold's best baseline.

    Args:
        fold_scores: `fold` and the columns of a score table.
        folds: One row per fold, with `fold test_start`; a test block ends where the next one starts.
        model: The network's name.
        ticker: The ticker to show.
    """
    table = new_table(
        ["fold", "from", "n", "skill", "CRPS", "90 %", "best baseline", "CRPS", "gain %"],
        left=("fold", "from"),
        title=f"{ticker}: fold by fold, one step ahead",
    )
    first_step = fold_scores[(fold_scores["ticker"] == ticker) & (fold_scores["step"] == 1)]
    for fold in folds.to_dict("records"):
        rows = first_step[first_step["fold"] == fold["fold"]]
        if rows.empty:
            continue  # the ticker has ended
        network = rows[rows["model"] == model].iloc[0]
        best = best_baselines(rows, model, "crps")
        best_crps = float(rows.loc[rows["model"] == best[0], "crps"].iloc[0]) if best else math.nan
        table.add_row(
            str(fold["fold"]),
            f"{fold['test_start']:%F}",
            str(network["n"]),
            number(network["skill"], 2),
            number(network["crps"], 3),
            number(100 * network["coverage_90"], 1),
            " and ".join(best) or "-",
            number(best_crps, 3),
            number(gain(float(network["crps"]), best_crps), 2),
        )
    return table
