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
from lstm_stock.dataset.build import drop_without_bars, until_all_usable, windows_skipping_unusable
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.split import Fold, WindowName, plan_folds, split_of
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
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
from lstm_stock.workflow.parallel import Engine, run_calls

FoldParts = dict[PartName, FoldPart]


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
    reader = PriceReader(config.data, store)
    config, folds, n_windows = plan_backtest(config, reader, plan, on_note)

    origins = {ticker: reader.origins[ticker] for ticker in config.data.tickers}
    with PartsFolder(runs_dir, backtest_key(config, origins, plan.n_folds, plan.window)) as parts_folder:
        parts = _do_parts(config, reader, folds, plan.engine, parts_folder, on_progress, on_note)
        forecasts = _without_dropouts(pool(parts), config.model.cell, on_note)
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
            packages=package_versions(),
            python=python,
            platform=platform,
        )
        results = Backtest(
            config=config,
            folds=_fold_table(folds, n_windows, parts),
            forecasts=forecasts,
            scores=score_table(forecasts),
            fold_scores=score_by_fold(forecasts),
            verdict=judge(forecasts, config.model.cell, config.calibration),
            provenance=provenance,
        )
        path = save_backtest(runs_dir, results)
        parts_folder.remove()
    return results, path


def _loader(config: Config, reader: PriceReader, fold: Fold) -> BarLoader:
    """Return a loader of adjusted bars that end with the last outcome of the fold."""
    return BarLoader.of(
        config, lambda ticker: price_table.adjusted(fold.cut(reader.table(ticker), config.window.horizon))
    )


def plan_backtest(
    config: Config, reader: PriceReader, plan: Plan, on_note: Callable[[str], None]
) -> tuple[Config, tuple[Fold, ...], list[tuple[int, int, int]]]:
    """Plan the folds and count their train, val and test windows, before anything is trained.

    A ticker whose bars cannot be used in one of the folds is left out of all.

    Returns:
        The config of the tickers that are left, the folds, and the three counts of each.
    """

    def cut(config: Config) -> tuple[Config, tuple[tuple[Fold, ...], list[tuple[int, int, int]]]]:
        dates, horizon = reader.dates(config.data.tickers), config.window.horizon
        folds = plan_folds(dates, split_of(config.split, dates), plan.n_folds, plan.window, horizon)
        counts = []
        for fold in folds:
            config, windows = windows_skipping_unusable(
                config, _loader(config, reader, fold), fold.split, on_note
            )
            n_train, n_val, n_test = (
                sum(map(len, part)) for part in (windows.train, windows.val, windows.test)
            )
            counts.append((n_train, n_val, n_test))
        return config, (folds, counts)

    config, (folds, counts) = until_all_usable(drop_without_bars(config, reader, on_note), cut)
    return config, folds, counts


def _do_parts(
    config: Config,
    reader: PriceReader,
    folds: Sequence[Fold],
    engine: Engine,
    parts_folder: PartsFolder,
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> FoldParts:
    """Return every part in order: those on disk from an earlier start, and the others, which are done now."""
    tickers = config.data.tickers
    names = [PartName(fold.number, ticker) for fold in folds for ticker in (None, *tickers)]
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
            fold = folds[number - 1]
            loader = _loader(config, reader, fold)
            for name in of_fold:
                sent = tickers if name.ticker is None else [name.ticker]
                yield FoldJob(name, config, fold, {ticker: loader.adjusted(ticker) for ticker in sent})

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
    for ticker, name in left_out:
        on_note(f"{ticker}: {name} has no forecast in some folds and is left out of all")
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


def _fold_table(
    folds: Sequence[Fold], n_windows: Sequence[tuple[int, int, int]], parts: FoldParts
) -> pd.DataFrame:
    rows = []
    for fold, (n_train, n_val, n_test) in zip(folds, n_windows, strict=True):
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
