"""Score the forecasts of a journal against the closes that have come since, beside the baselines.

The outcome of a forecast is the total log return from its cutoff to its date: the log of the ratio of the adjusted
closes that the store has now. So a split or a dividend since then changes nothing. The forecasts of one ticker are
in memory at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.baselines import followers
from lstm_stock.errors import DataError, JournalError
from lstm_stock.prices.reader import PriceSource
from lstm_stock.prices.table import counted
from lstm_stock.runs.journal_chain import Fault, walk
from lstm_stock.runs.journal_line import FIRST_HEAD, Head
from lstm_stock.scoring.scores import SCORE_COLUMNS, score_table
from lstm_stock.scoring.significance import MIN_OBSERVATIONS
from lstm_stock.scoring.verdict import LossTables, Subject, judge_loss_tables
from lstm_stock.workflow.journal_outcomes import Outcomes, Place, ScoredForecasts, score_forecasts

ALL = "all"
"""The ticker of the scores over all tickers."""

PENDING_COLUMNS = ("network", "ticker", "cutoff", "n_pending", "next", "last")

MEANS = (
    *("crps", "nll", "coverage_50", "coverage_80", "coverage_90", "coverage_95"),
    *(f"coverage_trained_{level}" for level in (50, 80, 90, 95)),
    "width_90",
)
"""Scores whose mean over several tickers is a mean over their forecasts."""


@dataclass(frozen=True)
class NetworkScores:
    """The scores of one network.

    Attributes:
        network: Its name.
        fingerprint: SHA-256 of the hashes of its files.
        model: What its forecasts are called.
        horizon: The steps that it forecasts.
        n_forecasts: Number of its forecasts before the fact, scored or pending.
        scores: Score table, `lstm_stock.scoring.scores.SCORE_COLUMNS`, by ticker; of several tickers, `ALL` first.
        n_days: Number of cutoffs with an outcome one step ahead.
        verdict: As of `lstm_stock.scoring.verdict.judge`; None while there are fewer than `MIN_OBSERVATIONS` days.
    """

    network: str
    fingerprint: str
    model: str
    horizon: int
    n_forecasts: int
    scores: pd.DataFrame
    n_days: int
    verdict: dict[str, Any] | None


@dataclass(frozen=True)
class JournalScores:
    """The scores of a journal.

    Attributes:
        head: Its newest line.
        networks: The networks, in the order of their first forecasts.
        pending: Forecasts with outcomes to come: columns `PENDING_COLUMNS`, dates as ISO text, the next one first.
        notes: Sentences on what is not scored, and on what limits the scores.
    """

    head: Head
    networks: tuple[NetworkScores, ...]
    pending: pd.DataFrame
    notes: tuple[str, ...]


@dataclass
class _Notes:
    """What a user should know, collected while the tickers are scored."""

    not_scored: Counter[str] = field(default_factory=Counter)
    missing: dict[str, str] = field(default_factory=dict)
    restated: list[str] = field(default_factory=list)
    n_without_bar: int = 0

    def texts(self) -> list[str]:
        found = [f"{counted(n, 'forecast')} not scored: {why}" for why, n in self.not_scored.items()]
        found += [f"{ticker} is not scored: {why}" for ticker, why in self.missing.items()]
        if self.n_without_bar:
            found.append(
                f"{counted(self.n_without_bar, 'step')} not scored: the store has no bar on the date forecast (a "
                "session that did not take place, or a halt), but later ones"
            )
        if self.restated:
            more = f" and {len(self.restated) - 3} more" if len(self.restated) > 3 else ""
            found.append(
                f"the close that a forecast started from has changed since, by more than a split does: "
                f"{', '.join(self.restated[:3])}{more}. Outcomes start from the close as it is now"
            )
        return found


Index = dict[tuple[str, str], dict[str, dict[str, Place]]]
"""The first forecast of each network (name and fingerprint), ticker and cutoff."""


def score_journal(folder: Path, prices: PriceSource, on_scored: Callable[[int, int], None]) -> JournalScores:
    """Score the forecasts of a journal.

    Args:
        folder: The journal.
        prices: The prices of its tickers.
        on_scored: Called at the start and after every ticker of a network, with the number done, and of all.

    Raises:
        JournalError: There is no journal, or a line is not as it was written.
    """
    index, head, notes = _index(folder)
    n_all, n_done = sum(len(by_ticker) for by_ticker in index.values()), 0
    found, networks, pending = _Notes(), [], []
    on_scored(0, n_all)
    for (name, fingerprint), by_ticker in index.items():
        scored = []
        for ticker, places in by_ticker.items():
            one = _score_ticker(ticker, places, prices, found)
            n_done += 1
            on_scored(n_done, n_all)
            if one is not None:
                scored.append(one)
                pending += [{"network": name, "ticker": ticker} | row for row in one.pending]
        if scored:
            networks.append(_together(name, fingerprint, scored))
    waiting = pd.DataFrame(pending, columns=list(PENDING_COLUMNS))
    waiting = waiting.sort_values(["next", "cutoff", "ticker"], kind="stable", ignore_index=True)
    return JournalScores(head, tuple(networks), waiting, (*notes, *found.texts()))


def _index(folder: Path) -> tuple[Index, Head, list[str]]:
    """Check every line of a journal; return where the forecasts are, the newest line, and notes."""
    index: Index = {}
    head, notes, n_repeated = FIRST_HEAD, [], 0
    for one in walk(folder):
        if isinstance(one, Fault):
            if not one.is_unfinished:
                raise JournalError(
                    f"the journal {folder} is not as it was written, and is not scored: {one}",
                    f"`lstm-stock journal verify --journal-dir {folder}` lists all faults",
                )
            notes.append(f"{one.place}: {one.text}")
            continue
        about, head = one.line.about, one.line.head
        cutoffs = index.setdefault((about.network, about.fingerprint), {}).setdefault(about.ticker, {})
        if about.cutoff in cutoffs:
            n_repeated += 1
        else:
            cutoffs[about.cutoff] = Place(one.path, one.offset, one.size, one.line.written)
    if n_repeated:
        notes.append(
            f"{counted(n_repeated, 'forecast')} not scored: the journal has an earlier one of the same"
        )
    return index, head, notes


def _score_ticker(
    ticker: str, places: Mapping[str, Place], prices: PriceSource, found: _Notes
) -> ScoredForecasts | None:
    """Score the forecasts of one network and ticker; None if the store cannot give its prices."""
    try:
        outcomes = Outcomes.of(prices.read(ticker))
    except DataError as error:
        found.missing[ticker] = error.message
        return None
    scored = score_forecasts(ticker, places, outcomes)
    found.not_scored.update(scored.not_scored)
    found.restated += [f"{ticker} on {cutoff}" for cutoff in scored.restated]
    found.n_without_bar += scored.n_without_bar
    return scored


def _together(name: str, fingerprint: str, scored: Iterable[ScoredForecasts]) -> NetworkScores:
    """Return the scores and the verdict of one network over all tickers."""
    parts = list(scored)
    first = parts[0]
    with_outcomes = [one for one in parts if len(one.table)]
    scores = [score_table(one.table) for one in with_outcomes]
    if len(scores) > 1:
        scores.insert(0, _over_all(pd.concat(scores, ignore_index=True)))
    n_days = len({cutoff for one in with_outcomes for cutoff in one.days})
    return NetworkScores(
        network=name,
        fingerprint=fingerprint,
        model=first.model,
        horizon=first.horizon,
        n_forecasts=sum(one.n_forecasts for one in parts),
        scores=pd.concat(scores, ignore_index=True) if scores else pd.DataFrame(columns=list(SCORE_COLUMNS)),
        n_days=n_days,
        verdict=_judge(with_outcomes, first) if n_days >= MIN_OBSERVATIONS else None,
    )


def _judge(parts: Iterable[ScoredForecasts], first: ScoredForecasts) -> dict[str, Any]:
    """Judge the network at the first step and the last; a ticker without outcomes at one of them is left out."""
    model, steps = first.model, (1, first.horizon)
    tables = {one.ticker: one.table for one in parts}
    known = {
        ticker: {int(step) for step in table.loc[table["model"] == model, "step"].unique()}
        for ticker, table in tables.items()
    }
    if not any(known_steps.issuperset(steps) for known_steps in known.values()):
        steps = (1, 1)
    by_ticker = {
        ticker: {
            step: LossTables.of(table[table["step"] == step], model, step) for step in dict.fromkeys(steps)
        }
        for ticker, table in tables.items()
        if known[ticker].issuperset(steps)
    }
    return judge_loss_tables(by_ticker, Subject(model, first.calibration, tuple(followers())))


def _over_all(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores over the forecasts of all tickers, by model and step; NaN where tickers do not compare."""
    rows = []
    for (step, model), group in scores.groupby(["step", "model"], sort=False):
        weights = group["n"].to_numpy(np.float64)
        row: dict[str, Any] = {"ticker": ALL, "model": model, "step": step, "n": int(weights.sum())}
        row |= {name: float(np.average(group[name], weights=weights)) for name in MEANS}
        row["rmse_percent"] = float(np.sqrt(np.average(group["rmse_percent"] ** 2, weights=weights)))
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    naive = table[table["model"] == "naive"].set_index("step")["rmse_percent"]
    return table.assign(skill=100 * (1 - table["rmse_percent"] / table["step"].map(naive)))
