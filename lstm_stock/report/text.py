"""Sentences below the tables: the comparison with the best baseline, the verdict, messages on many tickers."""

from __future__ import annotations

import datetime as dt
import math
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lstm_stock.scoring.scores import best_baselines

SECTIONS = ("point", "direction", "distribution", "calibration", "intervals", "risk", "rises", "lag_copy")
"""Keys of a verdict, in print order; the last step has no `lag_copy`."""

CLAIMS = ("better", "worse", "miscalibrated")
"""Outcomes whose sentence is printed for each of several tickers."""

SMALL_PRICE = 1e-4
"""Prices below it are written as `3.8154e-07`."""

MAX_DETAILED_TICKERS = 3
"""With more tickers than this, each has one line instead of a table and sentences."""


def number(value: float | None, digits: int = 2, suffix: str = "") -> str:
    """Format a score; None and NaN are a dash.

    >>> number(2.648), number(-0.0001), number(float("nan"))
    ('2.65', '0.00', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    # Adding 0 turns the -0.0 that rounding may leave into 0.0.
    return f"{round(value, digits) + 0.0:.{digits}f}{suffix}"


def price_text(price: float, like: float | None = None) -> str:
    """Format a price: two decimals, below 10 five significant digits; below a ten-thousandth in powers of ten.

    Args:
        price: The price.
        like: A price of the same ticker, which decides the number of digits; None is the price itself.

    >>> price_text(190.384), price_text(1.50422), price_text(0.0712345), price_text(3.8154e-07)
    ('190.38', '1.5042', '0.071235', '3.8154e-07')
    """
    size = abs(price if like is None else like)
    if not math.isfinite(size) or size >= 10 or size == 0:
        return f"{price:.2f}"
    if size < SMALL_PRICE:
        return f"{price:.4e}"
    return f"{price:.{4 - math.floor(math.log10(size))}f}"


def date_text(date: dt.datetime) -> str:
    """Format a date, with its time of day if it has one.

    >>> date_text(dt.datetime(2024, 1, 31)), date_text(dt.datetime(2024, 1, 31, 5))
    ('2024-01-31', '2024-01-31 05:00')
    """
    return f"{date:%F}" if date.time() == dt.time() else f"{date:%F %H:%M}"


def day_text(date: dt.datetime) -> str:
    """Format a date with its weekday, and its time of day if it has one.

    >>> day_text(dt.datetime(2024, 1, 31)), day_text(dt.datetime(2024, 1, 31, 15, 30))
    ('Wed 2024-01-31', 'Wed 2024-01-31 15:30')
    """
    return f"{date:%a} {date_text(date)}"


def level_text(level: float, width: float | None = None, like: float | None = None) -> str:
    """Format a price as `price_text` does; a value with as many decimals as the width of its interval needs.

    >>> level_text(371.5), level_text(371.4583, 1.62), level_text(0.00123456, 0.0002), level_text(1234.5, 800)
    ('371.50', '371.46', '0.001235', '1234')
    """
    if width is None or not 0 < width < math.inf:
        return price_text(level, like)
    return f"{level:.{min(max(2 - math.floor(math.log10(width)), 0), 10)}f}"


def comparison(scores: pd.DataFrame, model: str, ticker: str) -> str:
    """Compare the network with the best baseline one step ahead, one line per score."""
    at_step = scores[(scores["ticker"] == ticker) & (scores["step"] == scores["step"].min())]
    network = at_step[at_step["model"] == model].iloc[0]
    lines = []
    for score, what in (
        ("rmse_percent", "point (RMSE)"),
        ("crps", "distribution (CRPS)"),
        ("nll", "density (NLL)"),
    ):
        best = best_baselines(at_step, model, score)
        if not best or math.isnan(network[score]):
            continue
        of_best = float(at_step.loc[at_step["model"] == best[0], score].iloc[0])
        of_model, names = float(network[score]), best[0] + (f" and {len(best) - 1} more" if best[1:] else "")
        gap = _gap(of_model, of_best, score)
        lines.append(f"{what}: {model} {of_model:.3f}, best baseline {of_best:.3f} ({names}): {gap}")
    return "\n".join(lines)


def verdict_text(verdict: dict[str, Any], width: int = 79) -> str:
    """Return the verdict as text: one paragraph per section, then the findings on each of several tickers.

    Args:
        verdict: The result of `lstm_stock.scoring.verdict.judge`.
        width: Maximum length of a line, in characters.
    """
    # Imported here, since it loads scipy.stats, which a forecast does not need.
    from lstm_stock.scoring.verdict import short_verdict

    n_tickers = verdict["n_tickers"]
    over = "" if n_tickers == 1 else f", {n_tickers} tickers together"
    by_ticker = verdict.get("tickers", {})
    lines = []
    for one in (verdict, verdict.get("last")):
        if one is not None:
            overlap = "; moves overlap, which the tests allow for" if one["step"] > 1 else ""
            cutoffs = f"{verdict['n_dates']} {verdict.get('dates', 'days')}"
            title = f"verdict on {cutoffs}, {ahead(one['step'])}{over}{overlap}:"
            lines += [title, *(one[section]["sentence"] for section in SECTIONS if section in one)]
    if len(by_ticker) > MAX_DETAILED_TICKERS:
        counts = Counter(short_verdict(one) for one in by_ticker.values())
        summary = ", ".join(f"{text} ({n})" for text, n in counts.most_common())
        lines.append(f"Each ticker by itself, in the table above: {summary}.")
        by_ticker = {}
    for ticker, one in by_ticker.items():
        lines.append(f"{ticker}: {short_verdict(one)}")
        claims = [
            f"{ahead(at_step['step'])}: {at_step[section]['sentence']}"
            for at_step in (one, one.get("last", {}))
            for section in SECTIONS
            if at_step.get(section, {}).get("verdict") in CLAIMS
        ]
        lines += [f"  {sentence}" for sentence in claims]
    return "\n".join(textwrap.fill(line, width, subsequent_indent="    ") for line in lines)


def name_tickers(tickers: Sequence[str]) -> str:
    """Join the first tickers, and count the rest.

    >>> name_tickers(["AAPL", "MSFT"]), name_tickers(["A", "B", "C", "D", "E"])
    ('AAPL, MSFT', 'A, B, C and 2 more')
    """
    more = len(tickers) - MAX_DETAILED_TICKERS
    return ", ".join(tickers[:MAX_DETAILED_TICKERS]) + (f" and {more} more" if more > 0 else "")


def ahead(step: float) -> str:
    """Format a step, which may be a float that holds a whole number.

    >>> ahead(1), ahead(5)
    ('1 step ahead', '5 steps ahead')
    """
    return f"{step:.0f} {'step' if step == 1 else 'steps'} ahead"


def _gap(of_model: float, of_best: float, score: str) -> str:
    if math.isinf(of_model) or math.isinf(of_best):
        if of_model == of_best:
            return "no difference"
        return f"infinitely {'better' if of_model < of_best else 'worse'}"
    if of_best == 0 and score != "nll":  # the price never moved
        return "no difference" if of_model == 0 else "the best baseline is never wrong"
    # NLL has no natural zero: its difference is absolute, that of the others relative.
    gap = abs(of_model - of_best) if score == "nll" else 100 * abs(of_model / of_best - 1)
    unit = "" if score == "nll" else " %"
    digits = 3 if score == "nll" else 2
    if round(gap, digits) == 0:
        return "no difference"
    return f"{gap:.{digits}f}{unit} {'better' if of_model < of_best else 'worse'}"


def group_messages(texts: Sequence[tuple[str, str]]) -> list[str]:
    """Group identical messages about several tickers.

    Args:
        texts: Pairs of a ticker and a message about it, which may contain the ticker.

    >>> group_messages([("A", "A is old"), ("B", "B is old"), ("B", "B is odd")])
    ['A is old', 'B is old', 'B is odd']
    >>> group_messages([(name, f"{name} is old") for name in ("A", "B", "C", "D")])
    ['A, B, C and 1 more: A is old']
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for ticker, text in texts:
        template = re.sub(rf"(?<!\w){re.escape(ticker)}(?!\w)", "\0", text)
        groups.setdefault(template, []).append((ticker, text))
    messages = []
    for group in groups.values():
        if len(group) <= MAX_DETAILED_TICKERS:
            messages += [text for _, text in group]
        else:
            messages.append(f"{name_tickers([ticker for ticker, _ in group])}: {group[0][1]}")
    return messages
