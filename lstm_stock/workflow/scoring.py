"""Score the test forecasts of each ticker: baselines, forecast table, scores, verdict; many tickers on all cores.

The baselines learn from every bar before the test period. Nothing here imports Keras or TensorFlow, which would
triple the time that a worker needs to start.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import pandas as pd

from lstm_stock.baselines import Task, followers, forecast_all
from lstm_stock.config import Config
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.intervals import Calibrator
from lstm_stock.scoring.forecast_table import forecast_table
from lstm_stock.scoring.scores import score_table
from lstm_stock.scoring.verdict import LossTables, Subject, judge_ticker, judge_together
from lstm_stock.workflow.parallel import Engine, run_calls

MIN_TICKERS = 24
"""Fewer tickers are scored in this process: a worker needs two seconds to start, a ticker a quarter of one."""

TICKERS_PER_WORKER = 12
"""Least number of tickers for each worker, for the same reason."""


@dataclass(frozen=True)
class ScoreJob:
    """The input of the scoring of one ticker.

    Attributes:
        subject: The network, and what its verdict compares it with.
        windows: The test windows.
        returns: The network's forecast of their k-bar log returns, `(n_windows, horizon)`.
        calibrator: What scales its intervals.
        adjusted: The adjusted bars.
        split: Where the test period starts.
        n_tickers: Number of tickers that share the significance level of the verdict.
        regressions: The regressions over all tickers that are baselines, by name.
        n_before: Number of windows with cutoffs before the period: they are not scored, but adaptive intervals
            follow their outcomes.
    """

    subject: Subject
    windows: Windows
    returns: Distribution
    calibrator: Calibrator
    adjusted: pd.DataFrame
    split: Split
    n_tickers: int
    regressions: Mapping[str, PooledT] = field(default_factory=dict)
    n_before: int = 0


@dataclass(frozen=True)
class ScoredTicker:
    """The result for one ticker.

    Attributes:
        ticker: Its name.
        forecasts: The forecast table of the network and all baselines.
        scores: Its score table.
        loss_tables: The data of its verdict, by step.
        verdict: The verdict on it alone.
        notes: A sentence for each baseline that is skipped.
    """

    ticker: str
    forecasts: pd.DataFrame
    scores: pd.DataFrame
    loss_tables: dict[int, LossTables]
    verdict: dict[str, Any]
    notes: tuple[str, ...]


def score_tickers(jobs: Iterable[ScoreJob], n_tickers: int, n_workers: int) -> Generator[ScoredTicker]:
    """Score tickers, and yield the results in the order of the jobs.

    Jobs are drawn as workers get free, so that the bars and forecasts of few tickers are in memory. Closing the
    generator ends the workers. Their number changes no bit of the results.

    Args:
        jobs: One job per ticker.
        n_tickers: The number of jobs.
        n_workers: The greatest number of worker processes, which `MIN_TICKERS` tickers or more get.

    Raises:
        WorkerKilledError: A worker was killed.
    """
    if n_tickers < MIN_TICKERS:
        yield from map(score_ticker, jobs)
        return
    engine = Engine("loky", min(n_workers, n_tickers // TICKERS_PER_WORKER))
    with closing(run_calls(engine, score_ticker, jobs, in_order=True)) as results:
        yield from results


def score_ticker(job: ScoreJob) -> ScoredTicker:
    """Fit and forecast the baselines of one ticker, and score them and the network."""
    notes: list[str] = []
    period = replace(job.windows, cutoffs=job.windows.cutoffs[job.n_before :])
    of_network = network_table(job.subject.model, job.windows, job.returns, job.calibrator)
    tables = [of_network.iloc[job.n_before * period.spec.horizon :]]
    tables += baseline_tables(period, job.adjusted, job.split, notes.append, job.regressions)
    table = pd.concat(tables, ignore_index=True)
    loss_tables = LossTables.by_step(table, job.subject.model)
    return ScoredTicker(
        ticker=job.windows.series.ticker,
        forecasts=table,
        scores=score_table(table),
        loss_tables=loss_tables,
        verdict=judge_ticker(loss_tables, job.subject, job.n_tickers),
        notes=tuple(notes),
    )


def collect_scores(
    results: Generator[ScoredTicker],
    subject: Subject,
    n_tickers: int,
    on_forecasts: Callable[[pd.DataFrame], None],
    on_scored: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Collect scores and verdict ticker by ticker: the forecasts of many would not fit into memory.

    Args:
        results: `score_tickers`; closed at the end, and so by Ctrl-C, which ends the workers.
        subject: The network.
        n_tickers: The number of tickers.
        on_forecasts: Called with the forecast table of each ticker.
        on_scored: Called at the start and after every ticker, with the number of tickers scored, and of all.
        on_note: Called with each sentence that the user should read.

    Returns:
        The score table and the verdict.
    """
    scores, loss_tables, verdicts = [], {}, {}
    with closing(results):
        on_scored(0, n_tickers)
        for scored in results:
            for text in scored.notes:
                on_note(text)
            on_forecasts(scored.forecasts)
            scores.append(scored.scores)
            loss_tables[scored.ticker] = scored.loss_tables
            verdicts[scored.ticker] = scored.verdict
            on_scored(len(scores), n_tickers)
    return pd.concat(scores, ignore_index=True), judge_together(loss_tables, verdicts, subject)


def subject_of(config: Config) -> Subject:
    """Return the network of a config, to be judged against the baselines whose volatility follows the market.

    Series of values have no market: their network is judged against all baselines.
    """
    rivals = None if config.of_values else tuple(followers())
    return Subject(config.model_name, config.calibration, rivals, config.words)


def network_table(
    model: str, windows: Windows, returns: Distribution, calibrator: Calibrator
) -> pd.DataFrame:
    """Return the forecast table of the network for one ticker's test windows.

    Args:
        model: Name of the network.
        windows: The test windows.
        returns: The network's forecast of their k-bar log returns, `(n_windows, horizon)`.
        calibrator: What scales its intervals.
    """
    intervals = calibrator.apply(returns, windows.returns, windows.volatility_scale)
    return forecast_table(windows, model, returns, intervals)


def baseline_tables(
    windows: Windows,
    adjusted: pd.DataFrame,
    split: Split,
    on_note: Callable[[str], None],
    regressions: Mapping[str, PooledT] = MappingProxyType({}),
) -> list[pd.DataFrame]:
    """Return the forecast tables of all baselines, fitted on every bar before the test period.

    Args:
        windows: One ticker's test windows; the baselines forecast from the same cutoffs.
        adjusted: The adjusted bars of that ticker.
        split: Where the test period starts.
        on_note: Called with a sentence for each baseline that is skipped.
        regressions: The regressions over all tickers, fitted likewise, by name.
    """
    of_regressions = {name: one.forecast(windows) for name, one in regressions.items()}
    task = replace(baseline_task(windows, adjusted, split), regressions=of_regressions)
    forecasts = forecast_all(task, lambda text: on_note(f"{windows.series.ticker}: {text}"))
    return [forecast_table(windows, name, returns) for name, returns in forecasts.items()]


def baseline_task(windows: Windows, adjusted: pd.DataFrame, split: Split) -> Task:
    """Return the task of the baselines: the cutoffs and the horizon of the test windows."""
    n_insample = split.first_rows(windows.series.dates)[1]
    return Task(windows.spec.bars_of(adjusted), n_insample, windows.cutoffs, windows.spec.horizon)
