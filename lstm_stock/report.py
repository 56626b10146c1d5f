"""Tables and sentences for a terminal: scores, forecasts, runs.

Everything here turns tables into text. Nothing is computed but the comparison a reader would make.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from lstm_stock.evaluation import best_baselines
from lstm_stock.run import Run
from lstm_stock.verdict import short_verdict

RANKED = ("rmse", "crps", "nll")
"""Scores where less is better; the best baseline in each is marked."""

MARK = "*"

QUESTIONS = ("point", "direction", "distribution", "calibration", "lag_copy")
"""Parts of a verdict in the order in which they are told."""

CLAIMED = ("better", "worse", "miscalibrated")
"""What is told of each of several tickers; of the others, that nothing was found."""

FEW = 3
"""So many tickers have a table and sentences each; of more, each has one line."""

SHOWN_LEVELS = (50, 90)
"""Intervals in the table of a forecast, which has to fit a terminal; CSV and JSON hold all."""


def number(value: float | None, digits: int = 2, suffix: str = "") -> str:
    """Format a score; what does not apply is a dash.

    >>> number(2.648), number(-0.0001), number(float("nan"))
    ('2.65', '0.00', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    # Adding 0 turns the -0.0 that rounding may leave into 0.0.
    return f"{round(value, digits) + 0.0:.{digits}f}{suffix}"


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
    """Show each of several tickers on one line, as `lstm_stock.evaluation.ticker_scores` tells them.

    Args:
        rows: The scores, in the order to show.
        verdicts: What `lstm_stock.verdict.judge` said of each.
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


def comparison(scores: pd.DataFrame, model: str, ticker: str) -> str:
    """Say in one line per score how the network stands against the best baseline one step ahead."""
    at_step = scores[(scores["ticker"] == ticker) & (scores["step"] == scores["step"].min())]
    network = at_step[at_step["model"] == model].iloc[0]
    lines = []
    for score, what in (("rmse", "point (RMSE)"), ("crps", "distribution (CRPS)"), ("nll", "density (NLL)")):
        best = best_baselines(at_step, model, score)
        if not best or math.isnan(network[score]):
            continue
        theirs = float(at_step.loc[at_step["model"] == best[0], score].iloc[0])
        ours, names = float(network[score]), " and ".join(best)
        gap = _gap(ours, theirs, score)
        lines.append(f"{what}: {model} {ours:.3f}, best baseline {theirs:.3f} ({names}): {gap}")
    return "\n".join(lines)


def verdict_text(verdict: dict[str, Any], width: int = 79) -> str:
    """Give the verdict in words, a paragraph for each question, then a line or two for each of several tickers.

    Args:
        verdict: What `lstm_stock.verdict.judge` said.
        width: Characters of a line.
    """
    n_tickers = verdict["n_tickers"]
    over = "" if n_tickers == 1 else f", {n_tickers} tickers together"
    several = verdict.get("tickers", {})
    lines = [f"verdict, {ahead(verdict['step'])}{over}:"]
    lines += [verdict[question]["sentence"] for question in QUESTIONS]
    if len(several) > FEW:
        counts = Counter(short_verdict(one) for one in several.values())
        said = ", ".join(f"{text} ({n})" for text, n in counts.most_common())
        lines.append(f"Each ticker by itself, in the table above: {said}.")
        several = {}
    for ticker, one in several.items():
        lines.append(f"{ticker}: {short_verdict(one)}")
        claimed = [one[name]["sentence"] for name in QUESTIONS if one[name].get("verdict") in CLAIMED]
        lines += [f"  {sentence}" for sentence in claimed]
    return "\n".join(textwrap.fill(line, width, subsequent_indent="    ") for line in lines)


def name_tickers(tickers: Sequence[str]) -> str:
    """Name the first tickers, and how many more there are.

    >>> name_tickers(["AAPL", "MSFT"]), name_tickers(["A", "B", "C", "D", "E"])
    ('AAPL, MSFT', 'A, B, C and 2 more')
    """
    more = len(tickers) - FEW
    return ", ".join(tickers[:FEW]) + (f" and {more} more" if more > 0 else "")


def ahead(step: int) -> str:
    """Say how far ahead a step is.

    >>> ahead(1), ahead(5)
    ('1 step ahead', '5 steps ahead')
    """
    return f"{step} {'step' if step == 1 else 'steps'} ahead"


def _gap(ours: float, theirs: float, score: str) -> str:
    # A log score has no zero, so its differences are told as they are, the others in percent.
    gap = abs(ours - theirs) if score == "nll" else 100 * abs(ours / theirs - 1)
    unit = "" if score == "nll" else " %"
    digits = 3 if score == "nll" else 2
    if round(gap, digits) == 0:
        return "no difference"
    return f"{gap:.{digits}f}{unit} {'better' if ours < theirs else 'worse'}"


def strategy_table(rows: pd.DataFrame, cost_bp: float) -> Table:
    """Show what following the forecasts would have earned, as `lstm_stock.strategy.strategy_table` tells it."""
    table = _table(
        f"what following the forecasts would have earned, at {cost_bp:g} bp a trade",
        ["strategy", "return", "volatility", "Sharpe", "drawdown", "turnover"],
        left=1,
    )
    for row in rows.to_dict("records"):
        table.add_row(
            str(row["strategy"]),
            number(100 * row["return"], 1),
            number(100 * row["volatility"], 1),
            f"{number(row['sharpe'])} +- {number(row['sharpe_se'])}",
            number(100 * row["drawdown"], 1),
            number(row["turnover"], 1),
        )
    table.caption = (
        "An illustration on one past period, not advice; the standard error (+-) of a Sharpe ratio says how "
        "little one period proves. Cash earns nothing. return, volatility: % a year; drawdown: worst fall, %; "
        "turnover: times the capital a year. long_flat holds while the median rises; vol_target sizes by the "
        "90 % interval, never over 100 %"
    )
    return table


def outlook_table(forecast: pd.DataFrame, currency: str | None) -> Table:
    """Show the forecast of one ticker's next sessions with its intervals."""
    first = forecast.iloc[0]
    unit = f" {currency}" if currency else ""
    table = _table(
        f"{first['ticker']}: forecast after the close of {first['cutoff']:%F} ({first['last_close']:.2f}{unit})",
        ["step", "date", "median", *(f"{level} %" for level in SHOWN_LEVELS)],
        left=2,
    )
    for row in forecast.to_dict("records"):
        intervals = [
            "-" if math.isnan(row[f"lo_{level}"]) else f"{row[f'lo_{level}']:.2f} to {row[f'hi_{level}']:.2f}"
            for level in SHOWN_LEVELS
        ]
        table.add_row(str(row["step"]), f"{row['date']:%a %F}", f"{row['y_pred']:.2f}", *intervals)
    return table


def outlooks_table(forecast: pd.DataFrame) -> Table:
    """Show the forecasts of many tickers, a line each: the next session and the last one forecast."""
    last_step = int(forecast["step"].max())
    ends = [1] if last_step == 1 else [1, last_step]
    days = sorted({f"{day:%F}" for day in forecast["cutoff"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    header = ["ticker", "close"]
    for step in ends:
        header += [ahead(step), "90 %"]
    n_tickers = forecast["ticker"].nunique()
    table = _table(f"{n_tickers} tickers: forecast after the close of {when}", header, left=1)
    for ticker, rows in forecast.groupby("ticker", sort=False):
        first = rows.iloc[0]
        cells = [str(ticker), f"{first['last_close']:.2f}"]
        for step in ends:
            row = rows[rows["step"] == step].iloc[0]
            low, high = row["lo_90"], row["hi_90"]
            cells += [f"{row['y_pred']:.2f}", "-" if math.isnan(low) else f"{low:.2f} to {high:.2f}"]
        table.add_row(*cells)
    table.caption = "Median and 90 % interval. `--ticker` shows all steps of one, `--format csv` those of all"
    return table


def told_together(texts: Sequence[tuple[str, str]]) -> list[str]:
    """Say once what is said of many tickers.

    Args:
        texts: Pairs of a ticker and a sentence about it, which may name it.

    >>> told_together([("A", "A is old"), ("B", "B is old"), ("B", "B is odd")])
    ['A is old', 'B is old', 'B is odd']
    >>> told_together([(name, f"{name} is old") for name in ("A", "B", "C", "D")])
    ['A, B, C and 1 more: A is old']
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for ticker, text in texts:
        alike = re.sub(rf"(?<!\w){re.escape(ticker)}(?!\w)", "\0", text)
        groups.setdefault(alike, []).append((ticker, text))
    said = []
    for group in groups.values():
        if len(group) <= FEW:
            said += [text for _, text in group]
        else:
            said.append(f"{name_tickers([ticker for ticker, _ in group])}: {group[0][1]}")
    return said


def run_summary(run: Run) -> dict[str, Any]:
    """Take from a run what a list shows: the network's scores one step ahead, and the best baseline's CRPS.

    With several tickers the scores are means over tickers.

    Raises:
        RunError: The run cannot be read.
    """
    config, scores = run.config, run.scores
    first_step = scores[scores["step"] == 1]
    numbers = ["skill", "crps", "coverage_90"]
    means = first_step.groupby("model", sort=False)[numbers].mean().reset_index()
    network = means[means["model"] == config.model.cell].iloc[0]
    best = best_baselines(means, config.model.cell, "crps")
    return {
        "name": run.name + (" (interrupted)" if run.provenance.interrupted else ""),
        "head": config.model.head,
        **{name: float(network[name]) for name in numbers},
        "verdict": short_verdict(run.verdict),
        "best": f"{means.loc[means['model'] == best[0], 'crps'].iloc[0]:.3f} {best[0]}" if best else "-",
    }


def runs_table(rows: Sequence[dict[str, Any]]) -> Table:
    """List runs, each as `run_summary` tells it."""
    table = _table(
        "runs, oldest first: one step ahead, the network beside the best baseline",
        ["run and verdict", "head", "skill %", "90 %", "CRPS", "best baseline"],
        left=2,
    )
    for row in rows:
        verdict = textwrap.wrap(row["verdict"], max(len(row["name"]) - 2, 20))
        table.add_row(
            "\n".join([row["name"], *(f"  {line}" for line in verdict)]),
            row["head"],
            number(row["skill"], 2),
            number(100 * row["coverage_90"], 1),
            number(row["crps"], 3),
            row["best"],
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


def leak_table(n_arrays: Mapping[str, int], n_values: Mapping[str, int]) -> Table:
    """Show what a leak check compared: of each kind of thing how many, and how many values."""
    table = _table("values compared", ["what", "times", "values"], left=1)
    for kind, n in n_arrays.items():
        table.add_row(kind, f"{n:,}", f"{n_values[kind]:,}")
    return table


def _table(title: str, header: Sequence[str], left: int) -> Table:
    """Make an empty table: `left` columns aligned left, the others right."""
    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
        padding=(0, 1, 0, 0),  # with the box's own blank, two between columns: ten of them fit 80 characters
    )
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i < left else "right", no_wrap=True)
    return table
