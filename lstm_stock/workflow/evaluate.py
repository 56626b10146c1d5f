"""Score a saved run, weights frozen, on other tickers or newer dates, beside every baseline.

The baselines are fitted to each ticker's bars before the period, but `pooled_t`, which is the run's own. Nothing
here trains, and no bar after the end of the period is used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_stock.config.scales import SCALES
from lstm_stock.config.schema import REGRESSION
from lstm_stock.dataset.blas import one_blas_thread
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.errors import ConfigError, ShortHistoryError, UnusableTickerError
from lstm_stock.prices.reader import PriceSource, all_dates
from lstm_stock.prices.table import Days
from lstm_stock.report.text import group_messages, name_tickers
from lstm_stock.runs.evaluation import Evaluation, save_evaluation
from lstm_stock.runs.files import FORECASTS, SCORES, ForecastWriter, read_forecasts, write_json
from lstm_stock.runs.pretrained import Pretrained
from lstm_stock.runs.run import Run
from lstm_stock.workflow.forecast import forecast_each, median_calibrator
from lstm_stock.workflow.parallel import WorkerKilledError
from lstm_stock.workflow.plot import draw_scores
from lstm_stock.workflow.run_bars import RunBars, warnings_of_prices
from lstm_stock.workflow.scoring import ScoreJob, collect_scores, score_tickers, subject_of
from lstm_stock.workflow.universal import ADAPTED_OVER


@dataclass(frozen=True)
class Plan:
    """What to evaluate.

    Attributes:
        run: The run.
        prices: The prices; a `Snapshot` reads those of a ticker once.
        tickers: The tickers to score.
        start: First date of the period: the first outcome is of this date or later.
        end: Last date of the period, inclusive; None is each ticker's newest bar.
        n_workers: Number of processes that score many tickers.
        of_store: The market of the store, for a pretrained network that reads it.
    """

    run: Run
    prices: PriceSource
    tickers: Sequence[str]
    start: dt.date
    end: dt.date | None
    n_workers: int
    of_store: Market | None = None

    @property
    def split(self) -> Split:
        """The split whose test part is the period; everything before it is in sample for the baselines."""
        start = np.datetime64(self.start, "D")
        return Split(start, start)


@dataclass(frozen=True)
class Reports:
    """Callbacks of an evaluation.

    Attributes:
        scored: Called with the number of tickers scored, and of all.
        note: Called with each sentence that the user should read.
        warn: Called with each sentence on what limits the scores.
        forecasts: Called with the forecast table of each ticker.
    """

    scored: Callable[[int, int], None]
    note: Callable[[str], None]
    warn: Callable[[str], None]
    forecasts: Callable[[pd.DataFrame], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class _Prepared:
    """The windows of a ticker, of which the first `n_before` only move its adaptive intervals, and warnings."""

    windows: Windows
    n_before: int
    warnings: list[str]

    @property
    def ticker(self) -> str:
        """Its name."""
        return self.windows.series.ticker

    @property
    def cutoff_days(self) -> Days:
        """The cutoffs of the period."""
        return self.windows.series.dates[self.windows.cutoffs[self.n_before :]]


def evaluate(plan: Plan, reports: Reports) -> Evaluation:
    """Forecast every cutoff of a period with a saved network, and score it beside the baselines.

    A ticker of the run is scaled by its saved scaler, another one by its own bars before the period. The intervals
    are those of `predict`: by the saved calibration of a ticker of the run, by the median over them for another.

    Args:
        plan: What to evaluate.
        reports: Callbacks.

    Raises:
        ShortHistoryError: No ticker can be scored.
        DataError: Prices are missing.
        ConfigError: The sessions of a ticker do not end with those of the run's tickers, and the run needs the
            market; or a worker was killed.
        RunError: The run cannot be read.
    """
    run = plan.run
    bars = RunBars(run, plan.prices, plan.end, run.config.data.start, plan.of_store)
    prepared, left_out = _prepare(plan, bars)
    if not prepared:
        raise ShortHistoryError(
            f"no ticker can be scored: {next(iter(left_out.values())).message}",
            "choose other dates with `--start` and `--end`, or fetch more prices",
        )
    _report(plan, bars, prepared, left_out, reports)
    results = score_tickers(_jobs(plan, bars, prepared), len(prepared), plan.n_workers)
    subject = replace(subject_of(run.config), model=run.model_name)
    try:
        scores, verdict = collect_scores(
            results, subject, len(prepared), reports.forecasts, reports.scored, reports.note
        )
    except WorkerKilledError as error:
        raise ConfigError(error.message, "choose fewer `--jobs`") from error
    trained_before = run.provenance.test_start
    last = max(one.windows.series.dates[one.windows.future_rows[-1, -1]] for one in prepared)
    return Evaluation(
        run=run.name,
        model=subject.model,
        trained_before=trained_before,
        start=plan.start.isoformat(),
        end=str(last),
        in_sample=plan.start.isoformat() < trained_before,
        unseen=tuple(_unseen(run, prepared)),
        left_out={ticker: error.message for ticker, error in left_out.items()},
        scores=scores,
        verdict=verdict,
    )


def evaluate_into(folder: Path, plan: Plan, reports: Reports) -> tuple[Evaluation, Path]:
    """Evaluate, and write forecasts, scores and figures to a folder, whole or not at all.

    The figures are those of `lstm_stock.workflow.plot.draw_scores`; in sample, where their titles would be wrong,
    there are none.

    Returns:
        The evaluation, and the path of the folder.

    Raises:
        RunError: The folder cannot be written; and the errors of `evaluate`.
    """
    done = []

    def write(building: Path) -> None:
        file = building / FORECASTS
        with ForecastWriter(file) as writer:
            evaluation = evaluate(plan, replace(reports, forecasts=writer.add))
        write_json(building / SCORES, evaluation.to_json())
        done.append(evaluation)
        if evaluation.in_sample:
            reports.note("no figures: the period is in sample")
            return
        scores, model = evaluation.scores, evaluation.model
        for _ in draw_scores(scores, model, lambda one: read_forecasts(file, one), building, reports.warn):
            pass

    path = save_evaluation(folder, write)
    return done[0], path


def _prepare(plan: Plan, bars: RunBars) -> tuple[list[_Prepared], dict[str, UnusableTickerError]]:
    """Cut the windows of each ticker; return the errors of those that cannot be scored."""
    prepared, left_out = [], {}
    with one_blas_thread():
        for ticker in plan.tickers:
            try:
                prepared.append(_windows(plan, bars, ticker))
            except UnusableTickerError as error:
                left_out[ticker] = error
    return prepared, left_out


def _windows(plan: Plan, bars: RunBars, ticker: str) -> _Prepared:
    """Cut the windows of one ticker.

    Raises:
        UnusableTickerError: It has no cutoff in the period, or too few bars before it.
        ConfigError: Its sessions do not end with those of the run's tickers, and the run needs the market.
    """
    run, split = plan.run, plan.split
    run.require_ticker(ticker)
    table = bars.table(ticker)
    if len(table) == 0 or table.index[-1].date() < plan.start:
        first, last = plan.prices.read(ticker).table.index[[0, -1]]
        raise ShortHistoryError(
            f"{ticker} has no bar from {plan.start} on{'' if plan.end is None else f' up to {plan.end}'}: the "
            f"store has {first:%F} to {last:%F}"
        )
    warnings = bars.warnings_of_covariates(ticker) + bars.warnings_of_close(ticker)
    adjusted = bars.adjusted(ticker)
    if run.is_fitted_to(ticker):
        series = bars.as_trained(ticker, adjusted)
    else:
        series = bars.by_own_past(ticker, adjusted, split)
    period = windows_of(series, bars.spec, split, "test")
    if period.cutoffs[0] > split.first_rows(series.dates)[1] - 1:
        first = series.dates[period.cutoffs[0]]
        warnings.append(f"{ticker} is scored from the cutoff of {first} on: earlier ones lack an input")
    if run.config.calibration != "adaptive":
        return _Prepared(period, 0, warnings)
    # Adaptive intervals continue from the saved factors with every outcome since the run's test period started,
    # or, of a pretrained network, with those of two years.
    earliest = series.first + bars.spec.look_back - 1
    if isinstance(run, Pretrained):
        earliest = max(int(period.cutoffs[0]) - ADAPTED_OVER, earliest)
    else:
        earliest = max(run.provenance.split.first_rows(series.dates)[1] - 1, earliest)
    n_before = max(int(period.cutoffs[0]) - earliest, 0)
    cutoffs = np.arange(int(period.cutoffs[0]) - n_before, int(period.cutoffs[-1]) + 1)
    return _Prepared(replace(period, cutoffs=cutoffs), n_before, warnings)


def _jobs(plan: Plan, bars: RunBars, prepared: Sequence[_Prepared]) -> Iterator[ScoreJob]:
    run = plan.run
    of_others = median_calibrator(run.config, run.calibrators.values())
    windows = [one.windows for one in prepared]
    for one, returns in zip(prepared, forecast_each(run.config, run.forecaster, windows), strict=True):
        yield ScoreJob(
            subject=replace(subject_of(run.config), model=run.model_name),
            windows=one.windows,
            returns=returns,
            calibrator=run.calibrators.get(one.ticker, of_others),
            adjusted=bars.adjusted(one.ticker),
            split=plan.split,
            n_tickers=len(prepared),
            regressions=_regressions(run),
            n_before=one.n_before,
        )


def _regressions(run: Run) -> dict[str, PooledT]:
    """Return the regressions that are baselines: that of a pretrained network may be the network itself."""
    return {} if isinstance(run, Pretrained) and run.config.is_regression else run.regressions


def _unseen(run: Run, prepared: Sequence[_Prepared]) -> list[str]:
    return [one.ticker for one in prepared if one.ticker not in run.provenance.tickers]


def _report(
    plan: Plan,
    bars: RunBars,
    prepared: Sequence[_Prepared],
    left_out: dict[str, UnusableTickerError],
    reports: Reports,
) -> None:
    """Note what is scored how, and warn of what limits the scores."""
    run = plan.run
    if left_out:
        why = "; ".join(f"{ticker}: {error.message}" for ticker, error in left_out.items())
        reports.note(f"left out: {', '.join(left_out)} ({why})")
    unseen = _unseen(run, prepared)
    if unseen and isinstance(run, Pretrained):
        reports.note(f"the network was not trained on {name_tickers(unseen)}")
    elif unseen:
        what = "it is scaled by its" if len(unseen) == 1 else "each is scaled by its"
        reports.note(
            f"the run was not trained on {name_tickers(unseen)}: {what} own bars before {plan.start}"
        )
    has_targets = SCALES[run.config.target_scale].is_volatility and run.config.model_name != REGRESSION
    if REGRESSION not in run.regressions and has_targets:
        reports.note("no pooled_t: the run was made by an older version, or its windows were too few for it")
    origins = run.provenance.tickers | run.provenance.covariates
    warnings = [(one.ticker, text) for one in prepared for text in one.warnings]
    for name in (*run.provenance.covariates, *(one.ticker for one in prepared)):
        if name in origins and not isinstance(run, Pretrained):
            warnings += [(name, text) for text in warnings_of_prices(origins[name], plan.prices.read(name))]
    for text in [*group_messages(warnings), *_market_warning(bars, prepared)]:
        reports.warn(text)


def _market_warning(bars: RunBars, prepared: Sequence[_Prepared]) -> list[str]:
    if bars.market is None:
        return []
    days = all_dates([one.cutoff_days for one in prepared])
    known = bars.market.dates[bars.market.is_complete]
    n_unknown = int((~np.isin(days, known)).sum())
    if n_unknown == 0:
        return []
    return [
        f"on {n_unknown} of {len(days)} cutoffs fewer than half of the market's tickers have a bar: the market "
        "is 0 there (fetch the others with `lstm-stock fetch`)"
    ]
