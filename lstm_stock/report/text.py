"""The sentences below the tables: the comparison with the best baseline and the verdict."""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from lstm_stock.scoring.scores import best_baselines
from lstm_stock.scoring.verdict import short_verdict

MARK = "*"

SECTIONS = ("point", "direction", "distribution", "calibration", "lag_copy")
"""Parts of a verdict in the order in which they are told."""

CLAIMS = ("better", "worse", "miscalibrated")
"""What is told of each of several tickers; of the others, that nothing was found."""

MAX_DETAILED_TICKERS = 3
"""So many tickers have a table and sentences each; of more, each has one line."""


def number(value: float | None, digits: int = 2, suffix: str = "") -> str:
    """Format a score; what does not apply is a dash.

    >>> number(2.648), number(-0.0001), number(float("nan"))
    ('2.65', '0.00', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    # Adding 0 turns the -0.0 that rounding may leave into 0.0.
    return f"{round(value, digits) + 0.0:.{digits}f}{suffix}"


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
        verdict: What `lstm_stock.scoring.verdict.judge` said.
        width: Characters of a line.
    """
    n_tickers = verdict["n_tickers"]
    over = "" if n_tickers == 1 else f", {n_tickers} tickers together"
    several = verdict.get("tickers", {})
    lines = [f"verdict, {ahead(verdict['step'])}{over}:"]
    lines += [verdict[question]["sentence"] for question in SECTIONS]
    if len(several) > MAX_DETAILED_TICKERS:
        counts = Counter(short_verdict(one) for one in several.values())
        said = ", ".join(f"{text} ({n})" for text, n in counts.most_common())
        lines.append(f"Each ticker by itself, in the table above: {said}.")
        several = {}
    for ticker, one in several.items():
        lines.append(f"{ticker}: {short_verdict(one)}")
        claimed = [one[name]["sentence"] for name in SECTIONS if one[name].get("verdict") in CLAIMS]
        lines += [f"  {sentence}" for sentence in claimed]
    return "\n".join(textwrap.fill(line, width, subsequent_indent="    ") for line in lines)


def name_tickers(tickers: Sequence[str]) -> str:
    """Name the first tickers, and how many more there are.

    >>> name_tickers(["AAPL", "MSFT"]), name_tickers(["A", "B", "C", "D", "E"])
    ('AAPL, MSFT', 'A, B, C and 2 more')
    """
    more = len(tickers) - MAX_DETAILED_TICKERS
    return ", ".join(tickers[:MAX_DETAILED_TICKERS]) + (f" and {more} more" if more > 0 else "")


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


def group_messages(texts: Sequence[tuple[str, str]]) -> list[str]:
    """Say once what is said of many tickers.

    Args:
        texts: Pairs of a ticker and a sentence about it, which may name it.

    >>> group_messages([("A", "A is old"), ("B", "B is old"), ("B", "B is odd")])
    ['A is old', 'B is old', 'B is odd']
    >>> group_messages([(name, f"{name} is old") for name in ("A", "B", "C", "D")])
    ['A, B, C and 1 more: A is old']
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for ticker, text in texts:
        alike = re.sub(rf"(?<!\w){re.escape(ticker)}(?!\w)", "\0", text)
        groups.setdefault(alike, []).append((ticker, text))
    said = []
    for group in groups.values():
        if len(group) <= MAX_DETAILED_TICKERS:
            said += [text for _, text in group]
        else:
            said.append(f"{name_tickers([ticker for ticker, _ in group])}: {group[0][1]}")
    return said


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
