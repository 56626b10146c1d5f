"""Walk-forward backtest: refit everything at each fold on the bars before it, forecast its block, pool the folds.

A worker gets no bar after the last outcome of its fold. The work is cut into independent parts: per fold the
network, and the baselines of each ticker. Finished parts are saved, so that an interrupted backtest continues
where it stopped. The number of workers changes no bit of the results.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_stock.config import Config
from lstm_stock.dataset.build import (
    covariates_of,
    drop_without_bars,
    note_unscored,
    until_all_usable,
    windows_skipping_unusable,
    with_tickers,
)
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.split import Fold, WindowName, plan_folds, split_of
from lstm_stock.dataset.start import Start
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.report.text import group_messages
from lstm_stock.runs.backtest import (
    Backtest,
    FoldPart,
    PartsFolder,
    backtest_key,
    save_backtest,
)
from lstm_stock.runs.provenance import BacktestProvenance, environment, package_versions
from lstm_stock.scoring.scores import score_table
from lstm_stock.scoring.verdict import judge
from lstm_stock.workflow.backtest_worker import FoldJob, PartName, run_job
from lstm_stock.workflow.interval import settle_interval
from lstm_stock.workflow.parallel import Engine, run_calls
from lstm_stock.workflow.scoring import subject_of
from lstm_stock.workflow.start import require_unseen_test, start_of
from lstm_stock.workflow.value_config import with_season

FoldParts = dict[PartName, FoldPart]

NumberOfWindows = tuple[int, int, int]
"""Of train, val and test."""


@dataclass(frozen=True)
class Plan:
    """The number of folds, the kind of train window, and the workers."""

    n_folds: int
    window: WindowName
    engine: Engine


def backtest(
    config: Config,
    store: Store,
    runs_dir: Path,
    plan: Plan,
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> tuple[Backtest, Path]:
    """Refit at each fold, forecast its block, pool, score and save; continue where the same backtest stopped.

    Args:
        config: The whole config; the folds tile the test period of its `split`.
        store: Where the prices are.
        runs_dir: Where the folder of results will be made.
        plan: Folds and workers.
        on_progress: Called at the start and after every part, with the number of parts done, and of all.
        on_note: Called with each sentence that the user should read.

    Returns:
        The results, and the folder they are in.

    Raises:
        DataError: Prices are missing, or too few for the folds.
        ConfigError: A training diverged, or the engine cannot be used.
        RunError: The results cannot be saved.
    """
    started = dt.datetime.now(dt.UTC)
    config, store = settle_interval(config, store)
    config, start = start_of(config, store, on_note)
    config = with_season(config, store)
    reader = PriceReader(config.data, store)
    config, fold_plans = plan_backtest(config, reader, plan, on_note, start)
    require_unseen_test(config, fold_plans[0].fold.split)

    origins, of_covariates = reader.origins_of(config.data.tickers), reader.origins_of(config.data.covariates)
    key = backtest_key(config, origins | of_covariates, plan.n_folds, plan.window)
    with PartsFolder(runs_dir, key) as parts_folder:
        parts = _do_parts(config, reader, fold_plans, plan.engine, parts_folder, on_progress, on_note)
        forecasts = _without_dropouts(pool(parts), config.model_name, on_note)
        python, platform = environment()
        provenance = BacktestProvenance(
            created=started.isoformat(timespec="seconds"),
            seed=config.seed,
            n_folds=plan.n_folds,
            window=plan.window,
            backend=plan.engine.backend,
            jobs=plan.engine.jobs,
            fit_seconds=round(sum(part.facts["seconds"] for part in parts.values()), 1),
            tickers=origins,
            covariates=of_covariates,
            packages=package_versions(),
            python=python,
            platform=platform,
        )
        results = Backtest(
            config=config,
            folds=_fold_table(fold_plans, parts),
            forecasts=forecasts,
            scores=score_table(forecasts),
            fold_scores=score_by_fold(forecasts),
            verdict=judge(forecasts, subject_of(config)),
            provenance=provenance,
        )
        path = save_backtest(runs_dir, results)
        parts_folder.remove()
    return results, path


@dataclass(frozen=True)
class FoldPlan:
    """What a fold learns and forecasts.

    Attributes:
        fold: The fold.
        config: The config of the tickers that it learns.
        scored: Those of them that have a forecast in the block.
        n_windows: Number of train, val and test windows.
        start: What the training starts from; None is nothing.
    """

    fold: Fold
    config: Config
    scored: tuple[str, ...]
    n_windows: NumberOfWindows
    start: Start | None = None


def plan_backtest(
    config: Config,
    reader: PriceReader,
    plan: Plan,
    on_note: Callable[[str], None],
    start: Start | None = None,
) -> tuple[Config, list[FoldPlan]]:
    """Plan the folds and count their windows, before anything is trained.

    A ticker whose bars cannot be used in the first fold is left out of all. A ticker that ends is in each fold
    with train windows of it.

    Returns:
        The config of the tickers that are left, and the plan of each fold.

    Raises:
        DataError: Prices are missing, or too few for the folds.
    """

    def cut(config: Config) -> tuple[Config, tuple[Fold, ...]]:
        dates, horizon = reader.dates(config.data.tickers), config.window.horizon
        folds = plan_folds(dates, split_of(config.split, dates), plan.n_folds, plan.window, horizon)
        loader = fold_loader(config, reader, folds[0])
        return windows_skipping_unusable(config, loader, folds[0].split, on_note, start)[0], folds

    config, folds = until_all_usable(drop_without_bars(config, reader, on_note), cut)
    plans = [plan_fold(config, reader, fold, on_note, start) for fold in folds]
    note_unscored(config, [ticker for one in plans for ticker in one.scored], on_note)
    return config, plans


def plan_fold(
    config: Config,
    reader: PriceReader,
    fold: Fold,
    on_note: Callable[[str], None] = lambda _: None,
    start: Start | None = None,
) -> FoldPlan:
    """Find the tickers that a fold can learn and forecast; see `plan_backtest`."""

    def has_bars(ticker: str) -> bool:
        return len(fold.cut(reader.table(ticker), config.window.horizon)) > 0

    usable, windows = windows_skipping_unusable(
        with_tickers(config, filter(has_bars, config.data.tickers)),
        fold_loader(config, reader, fold),
        fold.split,
        lambda text: on_note(f"fold {fold.number}: {text}"),
        start,
    )
    n_train, n_val, n_test = (sum(map(len, part)) for part in (windows.train, windows.val, windows.test))
    scored = tuple(test.series.ticker for test in windows.test)
    return FoldPlan(fold, usable, scored, (n_train, n_val, n_test), start)


def fold_loader(config: Config, reader: PriceReader, fold: Fold) -> BarLoader:
    """Return a loader of adjusted bars that end with the last outcome of the fold."""
    return BarLoader.of(
        config,
        lambda ticker: price_table.adjusted(fold.cut(reader.table(ticker), config.window.horizon)),
        reader.exchange_of,
        covariates_of(config, reader),
    )


def fold_job(plan: FoldPlan, loader: BarLoader, ticker: str | None) -> FoldJob:
    """Return the job of one part of a fold.

    Args:
        plan: The plan of the fold.
        loader: `fold_loader` of it.
        ticker: The ticker of the baselines; None is the network.
    """
    tickers = plan.config.data.tickers if ticker is None else (ticker,)
    name = PartName(plan.fold.number, ticker)
    adjusted = {one: loader.adjusted(one) for one in tickers}
    return FoldJob(name, plan.config, plan.fold, adjusted, plan.start)


def _do_parts(
    config: Config,
    reader: PriceReader,
    plans: Sequence[FoldPlan],
    engine: Engine,
    parts_folder: PartsFolder,
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> FoldParts:
    """Return every part in order: those on disk from an earlier start, and the others, which are done now."""
    names = [PartName(plan.fold.number, ticker) for plan in plans for ticker in (None, *plan.scored)]
    found = {name: parts_folder.read(str(name)) for name in names}
    done = {name: part for name, part in found.items() if part is not None}
    missing = [name for name in names if name not in done]
    n_on_disk = len(done)
    if n_on_disk:
        on_note(f"continuing this backtest: {n_on_disk} of {len(names)} parts are done")
    on_progress(n_on_disk, len(names))

    def jobs() -> Iterator[FoldJob]:
        # Drawn as workers get free: the bars of all tickers and folds would not fit into memory.
        for number, of_fold in groupby(missing, lambda name: name.fold):
            plan = plans[number - 1]
            loader = fold_loader(config, reader, plan.fold)
            for name in of_fold:
                yield fold_job(plan, loader, name.ticker)

    if missing:
        # Ctrl-C closes the generator at once, and so ends the workers.
        with closing(run_calls(engine, run_job, jobs())) as results:
            for name, part in results:
                done[name] = parts_folder.write(str(name), part)
                texts = [_training_text(part.facts)] if name.ticker is None else part.facts["notes"]
                for text in texts:
                    on_note(f"fold {name.fold}: {text}")
                on_progress(len(done), len(names))
    return {name: done[name] for name in names}


def _training_text(facts: dict[str, Any]) -> str:
    return (
        f"trained {facts['epochs']:.0f} epochs in {facts['seconds']:.0f} s, "
        f"best validation loss {facts['best_val_loss']:.4f}"
    )


def pool(parts: Mapping[PartName, FoldPart]) -> pd.DataFrame:
    """Concatenate the forecasts of all parts, with the column `fold`."""
    tables = [part.forecasts.assign(fold=name.fold) for name, part in parts.items()]
    return pd.concat(tables, ignore_index=True)


def _without_dropouts(forecasts: pd.DataFrame, model: str, on_note: Callable[[str], None]) -> pd.DataFrame:
    """Drop a ticker's baseline that lacks a fold: pooled scores need the same cutoffs."""
    counts = {
        (str(key[0]), str(key[1])): len(rows)
        for key, rows in forecasts.groupby(["ticker", "model"], sort=False)
    }
    left_out = [(ticker, name) for (ticker, name), n in counts.items() if n < counts[ticker, model]]
    texts = [
        (ticker, f"{ticker}: {name} has no forecast in some folds and is left out of all")
        for ticker, name in left_out
    ]
    for text in group_messages(texts):
        on_note(text)
    index = pd.MultiIndex.from_frame(forecasts[["ticker", "model"]])
    return forecasts[~index.isin(left_out)].reset_index(drop=True) if left_out else forecasts


def score_by_fold(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Score each fold of a pooled forecast table: columns `fold` and those of a score table."""
    tables = []
    for fold, table in forecasts.groupby("fold"):
        scores = score_table(table)
        scores.insert(0, "fold", fold)
        tables.append(scores)
    return pd.concat(tables, ignore_index=True)


def _fold_table(plans: Sequence[FoldPlan], parts: FoldParts) -> pd.DataFrame:
    rows = []
    for plan in plans:
        fold, (n_train, n_val, n_test) = plan.fold, plan.n_windows
        facts = parts[PartName(fold.number, None)].facts
        rows.append(
            {
                "fold": fold.number,
                "train_start": fold.train_start,
                "val_start": fold.val_start,
                "test_start": fold.test_start,
                "test_end": fold.test_end,
                "n_train_windows": n_train,
                "n_val_windows": n_val,
                "n_test_windows": n_test,
                "epochs": int(facts["epochs"]),
                "best_val_loss": facts["best_val_loss"],
            }
        )
    return pd.DataFrame(rows)
