"""Passes of the folds of a backtest, by the functions that `backtest` and its workers call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_stock.config import Config
from lstm_stock.dataset.split import WindowName
from lstm_stock.prices.reader import PriceReader
from lstm_stock.runs.backtest import FoldPart
from lstm_stock.workflow.backtest import (
    FoldPlan,
    Plan,
    fold_job,
    fold_loader,
    plan_backtest,
    plan_fold,
)
from lstm_stock.workflow.backtest_worker import run_job
from lstm_stock.workflow.leakcheck.compare import Checked, Corruption, Value, compare_values
from lstm_stock.workflow.leakcheck.corruption import DATES
from lstm_stock.workflow.leakcheck.training import (
    Histories,
    Prices,
    Reference,
    compare_tables,
    reader_of,
)
from lstm_stock.workflow.parallel import Engine


@dataclass(frozen=True)
class FoldReference:
    """A fold on the prices as they are: its plan, and its finished parts."""

    plan: FoldPlan
    parts: list[FoldPart]

    @property
    def facts(self) -> list[Value]:
        """Its dates, train tickers and numbers of train and val windows, and what it reports of its training."""
        fold, (n_train, n_val, _) = self.plan.fold, self.plan.n_windows
        dates = (fold.train_start, fold.val_start, fold.test_start, fold.test_end)
        plan = np.array([*map(str, dates), *self.plan.config.data.tickers, str(n_train), str(n_val)])
        return [Value("fold", f"the plan of fold {fold.number}", plan)] + [
            Value("fold", f"`{name}` of fold {fold.number}", np.array(fact))
            for name, fact in self.parts[0].facts.items()
            if name != "seconds"
        ]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The forecast table of each ticker."""
        table = pd.concat([part.forecasts for part in self.parts], ignore_index=True)
        return {str(ticker): rows for ticker, rows in table.groupby("ticker", sort=False)}


@dataclass(frozen=True)
class FoldPasses:
    """The passes of the folds of a config.

    Attributes:
        reference: A training on the prices as they are; the folds tile its test period.
        histories: These prices.
        plan: The number of folds, and their train windows.
        checked: Counts what is compared.
    """

    reference: Reference
    histories: Histories
    plan: Plan
    checked: Checked

    @classmethod
    def of(
        cls, reference: Reference, histories: Histories, n_folds: int, window: WindowName, checked: Checked
    ) -> FoldPasses:
        """Check folds of one kind of train window."""
        return cls(reference, histories, Plan(n_folds, window, Engine("loky", 1)), checked)

    def plans(self) -> list[FoldPlan]:
        """Plan the folds on the prices as they are."""
        config = self.reference.dataset.config
        return self._planned(config, PriceReader(config.data, Prices(self.histories)))

    def reference_of(self, plan: FoldPlan) -> FoldReference:
        """Fit and forecast a fold on the prices as they are."""
        config = self.reference.dataset.config
        return self._done(plan, config, PriceReader(config.data, Prices(self.histories)))

    def cutoffs(self, plan: FoldPlan) -> tuple[np.datetime64, np.datetime64]:
        """Return the last val bar of a fold, and a bar in the middle of its block."""
        config = self.reference.dataset.config
        dates = PriceReader(config.data, Prices(self.histories)).dates(config.data.tickers)
        start, end = np.searchsorted(dates, [plan.fold.test_start, plan.fold.test_end])
        return dates[start - 1], dates[(start + end) // 2]

    def compare(self, expected: FoldReference, corruption: Corruption) -> None:
        """Plan, fit and forecast a fold on corrupted prices, and compare what was known at the cutoff."""
        reference = self.reference.dataset
        config, reader = reader_of(reference.config, self.histories, reference.windows.split, corruption)
        fold = expected.plan.fold
        if corruption.how == DATES:  # blocks are as many bars as there are: other dates give other folds
            plan = plan_fold(config, reader, fold, start=reference.windows.start)
        else:
            plan = self._planned(config, reader)[fold.number - 1]
        found = self._done(plan, config, reader)
        compare_values(expected.facts, found.facts, corruption, self.checked)
        compare_tables(expected.tables, found.tables, config.model_name, corruption, self.checked)

    def _planned(self, config: Config, reader: PriceReader) -> list[FoldPlan]:
        start = self.reference.dataset.windows.start
        return plan_backtest(config, reader, self.plan, lambda _: None, start)[1]

    def _done(self, plan: FoldPlan, config: Config, reader: PriceReader) -> FoldReference:
        loader = fold_loader(config, reader, plan.fold)
        parts = [run_job(fold_job(plan, loader, ticker))[1] for ticker in (None, *plan.scored)]
        return FoldReference(plan, parts)
