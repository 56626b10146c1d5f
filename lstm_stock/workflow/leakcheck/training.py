"""Passes of a training: dataset, network, calibration and forecasts, by the functions that `train` calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lstm_stock.config import Config
from lstm_stock.dataset.build import Dataset, build_dataset, refit_windows
from lstm_stock.dataset.split import Split
from lstm_stock.network.tensorflow_setup import n_cores
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.table import PriceHistory
from lstm_stock.workflow.fit import FittedForecaster, fit_with_refit, regressions_of, score_jobs
from lstm_stock.workflow.leakcheck.compare import (
    Checked,
    Corruption,
    compare_forecasts,
    compare_values,
)
from lstm_stock.workflow.leakcheck.corruption import DATES, corrupt_all
from lstm_stock.workflow.leakcheck.covariates import compare_columns, last_known_to_any
from lstm_stock.workflow.leakcheck.values import Cutoffs, cutoff_days, dataset_values, training_values
from lstm_stock.workflow.scoring import score_tickers

EPOCHS = 3
"""Maximum number of epochs of a training: enough to choose an epoch and to reduce the learning rate."""

Histories = Mapping[str, PriceHistory]
"""The prices of each ticker and covariate."""


@dataclass(frozen=True)
class Prices:
    """Prices in memory, for a `PriceReader`."""

    histories: Histories

    def read(self, ticker: str) -> PriceHistory:
        """Return one ticker's prices."""
        return self.histories[ticker]


def brief(config: Config) -> Config:
    """Return the config with a short training: one member and few epochs."""
    training = config.training
    reduce_lr = training.reduce_lr and training.reduce_lr.model_copy(update={"patience": 1})
    few = {"epochs": min(training.epochs, EPOCHS), "members": 1, "reduce_lr": reduce_lr}
    return config.model_copy(update={"training": training.model_copy(update=few)})


def without_early_stopping(dataset: Dataset) -> Dataset:
    """Return a dataset whose training keeps the weights of the last epoch."""
    training = dataset.config.training.model_copy(update={"early_stopping": None})
    return replace(dataset, config=dataset.config.model_copy(update={"training": training}))


def reader_of(
    config: Config, histories: Histories, split: Split, corruption: Corruption
) -> tuple[Config, PriceReader]:
    """Return a reader of corrupted prices, and the config to use with them.

    Shares of the dates give other borders when dates are missing: `split` replaces them then.
    """
    if corruption.how == DATES:
        starts = {"val": split.val_start.item(), "test": split.test_start.item()}
        config = config.model_copy(update={"split": config.split.model_copy(update=starts)})
    of_covariates = last_known_to_any(config, histories, corruption.cutoff)
    corrupted = corrupt_all(histories, corruption.cutoff, corruption.how, of_covariates)
    return config, PriceReader(config.data, Prices(corrupted))


@dataclass(frozen=True)
class Reference:
    """A training on the prices as they are.

    Attributes:
        dataset: Its dataset.
        forecaster: Its network and calibration.
        forecasts: The forecast table of each ticker that it scores.
    """

    dataset: Dataset
    forecaster: FittedForecaster
    forecasts: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, dataset: Dataset, forecaster: FittedForecaster) -> Reference:
        """Forecast the test period with the network and all baselines."""
        return cls(dataset, forecaster, _forecasts(dataset, forecaster))

    @property
    def is_refit(self) -> bool:
        """Whether the network was trained again on train and val."""
        return self.forecaster.windows.split != self.dataset.windows.split


def fit(dataset: Dataset) -> FittedForecaster:
    """Train on a dataset as `train` does; KeyboardInterrupt if it is stopped: other weights would be no leak."""
    forecaster = fit_with_refit(dataset.config, dataset.windows, dataset.loader)
    if forecaster.fit.interrupted:
        raise KeyboardInterrupt
    return forecaster


def _forecasts(dataset: Dataset, forecaster: FittedForecaster) -> dict[str, pd.DataFrame]:
    regressions = regressions_of(dataset.config, forecaster.windows)
    jobs = score_jobs(dataset.config, forecaster, dataset.loader, regressions)
    scored = score_tickers(jobs, len(forecaster.windows.test), n_cores())
    return {one.ticker: one.forecasts for one in scored}


@dataclass(frozen=True)
class TrainingPasses:
    """The passes of a training, each with prices corrupted in one way.

    Attributes:
        histories: The prices as they are.
        checked: Counts what is compared.
    """

    histories: Histories
    checked: Checked

    def compare_dataset(self, reference: Reference, corruption: Corruption) -> Dataset:
        """Build the dataset of corrupted prices, and compare what was known at the cutoff."""
        ours, cutoff = reference.dataset, corruption.cutoff
        split = ours.windows.split
        config, reader = reader_of(ours.config, self.histories, split, corruption)
        theirs = build_dataset(config, reader, lambda _: None, start=ours.windows.start)
        compare_columns(ours.config, self.histories, corruption, self.checked)
        dates = np.concatenate([series.dates for series in ours.windows.series])
        is_val_known = bool(cutoff >= dates[dates < split.test_start].max())
        shared = _shared_cutoffs(ours, theirs, corruption)
        compare_values(
            dataset_values(ours, cutoff, is_val_known, shared),
            dataset_values(theirs, cutoff, is_val_known, shared),
            corruption,
            self.checked,
        )
        return theirs

    def compare_forecasts(self, reference: Reference, corruption: Corruption) -> None:
        """Compare the dataset, and the forecasts with the weights of the reference."""
        dataset = self.compare_dataset(reference, corruption)
        windows = dataset.windows
        if reference.is_refit:
            windows = refit_windows(dataset.config, dataset.loader, windows.split, windows.start)
        self._compare_tables(
            reference, _forecasts(dataset, replace(reference.forecaster, windows=windows)), corruption
        )

    def compare_training(self, reference: Reference, corruption: Corruption) -> None:
        """Compare the dataset, a training, and its forecasts; the cutoff is the last val bar."""
        dataset = self.compare_dataset(reference, corruption)
        forecaster = fit(dataset)
        ours, theirs = (
            training_values(one, reference.is_refit) for one in (reference.forecaster, forecaster)
        )
        compare_values(ours, theirs, corruption, self.checked)
        self._compare_tables(reference, _forecasts(dataset, forecaster), corruption)

    def _compare_tables(
        self, reference: Reference, forecasts: dict[str, pd.DataFrame], corruption: Corruption
    ) -> None:
        compare_tables(
            reference.forecasts, forecasts, reference.dataset.config.model_name, corruption, self.checked
        )


def compare_tables(
    expected: Mapping[str, pd.DataFrame],
    found: Mapping[str, pd.DataFrame],
    network: str,
    corruption: Corruption,
    checked: Checked,
) -> None:
    """Compare the forecast tables of all tickers, see `compare_forecasts`."""
    for ticker in dict.fromkeys([*expected, *found]):
        table = expected[ticker] if ticker in expected else found[ticker]
        ours, theirs = (side.get(ticker, table.iloc[:0]) for side in (expected, found))
        compare_forecasts(ours, theirs, network, corruption, checked)


def _shared_cutoffs(ours: Dataset, theirs: Dataset, corruption: Corruption) -> Cutoffs:
    """Return the cutoffs of the known test windows that both have.

    Raises:
        LeakError: A window whose whole future is known is in one of them only.
    """
    sides = [{test.series.ticker: test for test in one.windows.test} for one in (ours, theirs)]
    shared: Cutoffs = {}
    for ticker in dict.fromkeys([*sides[0], *sides[1]]):
        tests = [side[ticker] for side in sides if ticker in side]
        days = [cutoff_days(test) for test in tests]
        common = days[0][np.isin(days[0], days[1])] if len(days) == 2 else days[0][:0]
        for test, some in zip(tests, days, strict=True):
            is_past = test.series.dates[test.cutoffs + test.spec.horizon] <= corruption.cutoff
            lost = some[is_past & ~np.isin(some, common)]
            if len(lost):
                raise corruption.leak(
                    f"the test window of {ticker} on {lost[0]}", "is missing, or is there in addition,"
                )
        shared[ticker] = common[common <= corruption.cutoff]
    return shared
