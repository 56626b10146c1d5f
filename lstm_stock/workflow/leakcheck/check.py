"""The leak check of a config or of a run: `leakcheck`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lstm_stock.config import Config
from lstm_stock.dataset.build import Dataset, build_dataset, refit_windows
from lstm_stock.dataset.split import Dates, Split, WindowName
from lstm_stock.errors import DataError, LeakError, ShortHistoryError
from lstm_stock.network.training import TrainingResult
from lstm_stock.prices.reader import PriceReader, Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import between, table_hash
from lstm_stock.runs.run import Run
from lstm_stock.workflow.fit import FittedForecaster, fit_calibrators
from lstm_stock.workflow.interval import settle_interval
from lstm_stock.workflow.leakcheck.compare import Checked, Corruption
from lstm_stock.workflow.leakcheck.corruption import CORRUPTIONS, DATES
from lstm_stock.workflow.leakcheck.folds import FoldPasses
from lstm_stock.workflow.leakcheck.training import (
    Histories,
    Prices,
    Reference,
    TrainingPasses,
    brief,
    fit,
    without_early_stopping,
)
from lstm_stock.workflow.start import start_of
from lstm_stock.workflow.value_config import with_season

CALIBRATION_TOLERANCE = 1e-3
"""Relative tolerance of saved calibrations: another machine computes other last bits."""

TRAININGS = ("noise", DATES)
"""The corruptions with a training in each pass."""


@dataclass(frozen=True)
class Extent:
    """How much is checked.

    Attributes:
        n_cutoffs: Cutoffs of the test period, in addition to the ends of train and val.
        n_folds: Folds of the backtest, of which the first and the last are checked; 0 checks none.
        window: The train windows of the folds.
    """

    n_cutoffs: int
    n_folds: int
    window: WindowName = "expanding"


def check_config(
    config: Config,
    store: Store,
    extent: Extent,
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> Checked:
    """Check what `train` and `backtest` compute of a config for leaks, with short trainings.

    Args:
        config: The whole config.
        store: Where the prices are.
        extent: How much is checked.
        on_progress: Called with the number of passes done, and of all.
        on_note: Called with a sentence that names the tickers left out.

    Raises:
        LeakError: There is a leak.
        DataError: Prices are missing or too few.
    """
    config, store = settle_interval(config, store)
    prices = Snapshot(store)
    config, start = start_of(config, store, on_note)
    config = with_season(config, prices)
    reader = PriceReader(config.data, prices)
    dataset = build_dataset(brief(config), reader, on_note, start=start)
    histories = {
        ticker: replace(prices.read(ticker), table=reader.table(ticker))
        for ticker in dataset.config.data.all_tickers
    }
    trained = Reference.of(dataset, fit(dataset))
    on_test = trained
    if config.training.early_stopping is not None:
        # It may have kept the start, whose forecast is the same at every window and so shows no leak.
        last_epoch = without_early_stopping(dataset)
        on_test = Reference.of(last_epoch, fit(last_epoch))
    return _check(histories, on_test, trained, extent, on_progress)


def check_run(
    run: Run,
    store: Store,
    extent: Extent,
    on_progress: Callable[[int, int], None],
    on_warning: Callable[[str], None],
) -> Checked:
    """Check a run as `check_config` its config, on its range of dates, and the forecasts of its saved network.

    If the stored prices are those of the run, its scalers and calibration must equal those that are fitted again.

    Args:
        run: The run to check.
        store: Where the prices are.
        extent: How much is checked.
        on_progress: Called with the number of passes done, and of all.
        on_warning: Called with a sentence for each ticker whose prices have changed.

    Raises:
        LeakError: There is a leak.
        DataError: Prices are missing or too few.
        RunError: The run cannot be read.
    """
    provenance = run.provenance
    store = store.at(run.config.data.interval)
    histories, changed = {}, []
    for ticker, origin in (provenance.tickers | provenance.covariates).items():
        history = store.read(ticker)
        first, last = origin.dates
        histories[ticker] = replace(history, table=between(history.table, first, last))
        if table_hash(histories[ticker].table) != origin.hash:
            changed.append(ticker)
            on_warning(
                f"the stored prices of {ticker} are not those that {run.name} was trained on: its scalers and "
                "calibration cannot be fitted again, the rest is checked on the stored prices"
            )
    config = brief(run.config)
    config, start = start_of(config, store, lambda _: None)
    dataset = build_dataset(config, PriceReader(config.data, Prices(histories)), on_warning, start=start)
    windows = dataset.windows
    if run.scaler_split != provenance.split:
        windows = refit_windows(dataset.config, dataset.loader, windows.split, start)
    fitted = TrainingResult(run.network, run.history, provenance.interrupted)
    saved = FittedForecaster(fitted, windows, run.calibrators)
    if not changed:
        _check_saved(run, dataset, saved)
    on_test = Reference.of(dataset, saved)
    return _check(histories, on_test, Reference.of(dataset, fit(dataset)), extent, on_progress)


def _check_saved(run: Run, dataset: Dataset, fitted: FittedForecaster) -> None:
    """Raise LeakError if a saved scaler, the split or the calibration is not what is fitted again."""
    hint = "it was fitted on other bars, or the run was changed after it was saved: train again"
    if dataset.windows.split != run.provenance.split:
        raise LeakError("leak: the split of the run is not the one of its config and prices", hint)
    for ticker, scaler in fitted.scalers.items():
        if scaler.to_json() != run.scalers[ticker].to_json():
            raise LeakError(
                f"leak: the saved scaler of {ticker} is not the one fitted on the train bars", hint
            )
    if run.scaler_split != run.provenance.split:
        return  # the calibration is that of the network before the refit, which is not saved
    for ticker, calibrator in fit_calibrators(run.config, run.network, dataset.windows).items():
        saved = run.calibrators[ticker].factors
        if not np.allclose(saved, calibrator.factors, rtol=CALIBRATION_TOLERANCE, atol=0):
            raise LeakError(
                f"leak: the saved calibration of {ticker} is not the one fitted on the val forecasts", hint
            )


def _check(
    histories: Histories,
    on_test: Reference,
    trained: Reference,
    extent: Extent,
    on_progress: Callable[[int, int], None],
) -> Checked:
    """Run all passes.

    Args:
        histories: The prices as they are.
        on_test: Its network forecasts the test period in the passes without a training.
        trained: A short training.
        extent: How much is checked.
        on_progress: Called with the number of passes done, and of all.
    """
    checked = Checked()
    passes = TrainingPasses(histories, checked)
    config, split = trained.dataset.config, trained.dataset.windows.split
    dates = PriceReader(config.data, Prices(histories)).dates(config.data.tickers)
    cutoffs = sample_cutoffs(dates, split, config.window.horizon, extent.n_cutoffs, config.seed)
    last_train, last_val, *in_test = cutoffs
    everything = (*CORRUPTIONS, DATES)
    todo: list[tuple[Corruption, Callable[[Corruption], object]]] = []
    for cutoff in in_test:
        todo += [(Corruption(cutoff, how), partial(passes.compare_forecasts, on_test)) for how in everything]
    todo += [(Corruption(last_train, how), partial(passes.compare_dataset, trained)) for how in everything]
    todo += [(Corruption(last_val, how), partial(passes.compare_training, trained)) for how in TRAININGS]
    folds = FoldPasses.of(trained, histories, extent.n_folds, extent.window, checked)
    plans = folds.plans() if extent.n_folds else []
    shown = plans if len(plans) < 2 else [plans[0], plans[-1]]
    n_passes, n_done = len(todo) + len(shown) * (len(TRAININGS) + 1), 0
    on_progress(0, n_passes)

    def run_all(todo: Sequence[tuple[Corruption, Callable[[Corruption], object]]]) -> None:
        nonlocal n_done
        for corruption, compare in todo:
            if _run(corruption, compare):
                checked.cutoffs.add(corruption.cutoff)
            n_done += 1
            on_progress(n_done, n_passes)

    run_all(todo)
    for plan in shown:
        fold = folds.reference_of(plan)
        end, middle = folds.cutoffs(plan)
        kinds = [*((end, how) for how in TRAININGS), (middle, "scale")]
        run_all([(Corruption(cutoff, how), partial(folds.compare, fold)) for cutoff, how in kinds])
        checked.n_folds += 1
    return checked


def _run(corruption: Corruption, compare: Callable[[Corruption], object]) -> bool:
    """Run a pass, and return whether it could be compared: without some dates, a part may have no window left."""
    try:
        compare(corruption)
    except ShortHistoryError:
        if corruption.how != DATES:
            raise
        return False
    return True


def sample_cutoffs(dates: Dates, split: Split, horizon: int, n: int, seed: int) -> list[np.datetime64]:
    """Choose cutoffs: the last train bar, the last val bar, and `n` later ones of the test period.

    Raises:
        DataError: The test period has no cutoff with `horizon` bars after it.
    """
    val_row, test_row = split.first_rows(dates)
    possible = np.arange(test_row, len(dates) - horizon)
    if val_row < 1 or test_row <= val_row or len(possible) == 0:
        raise DataError(
            f"there is nothing to check: of {len(dates)} bars {val_row} are for train, {test_row - val_row} "
            f"for val and {len(dates) - test_row} for test",
            "fetch an earlier `start`, or change `split`",
        )
    chosen = np.random.default_rng(seed).choice(possible, min(n, len(possible)), replace=False)
    return [dates[row] for row in (val_row - 1, test_row - 1, *sorted(int(row) for row in chosen))]
