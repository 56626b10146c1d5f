"""Scan the tickers of a store: what is unusual about the next session of each, by a pretrained network."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.config.features import feature_of
from lstm_stock.config.interval import DAILY
from lstm_stock.dataset.blas import one_blas_thread
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions.calibrated import Calibrated
from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.errors import DataError, ShortHistoryError
from lstm_stock.prices import calendars
from lstm_stock.prices.reader import Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.runs.pretrained import PretrainedFolder
from lstm_stock.scoring.forecast_table import PERCENT
from lstm_stock.workflow.forecast import forecast_network
from lstm_stock.workflow.parallel import Engine, run_calls
from lstm_stock.workflow.predict import last_windows
from lstm_stock.workflow.universal import Chooser

SCAN_COLUMNS = (
    *("ticker", "cutoff", "date", "last_close", "width_90", "against_year", "calendar", "p_move"),
    "inputs",
)
"""Columns of a scan.

`width_90` is the width of the 90 % interval of the next session, percent of the last close; `against_year` that
width divided by the median over the cutoffs of the last year; `calendar` how much wider the forecast is, in
percent, than without the features of the same weekday in earlier quarters; `p_move` the probability of a move
beyond `Plan.move`; `inputs` what the network reads beside the ticker's own bars."""

YEAR = 250
"""Cutoffs that the width is compared with; with fewer than `LEAST` there is no comparison."""

LEAST = 60

TICKERS_PER_CALL = 50

TICKERS_PER_WORKER = 60
"""Fewer tickers are scanned in this process: a worker needs two seconds to start."""


@dataclass(frozen=True)
class Plan:
    """What to scan.

    Attributes:
        folder: The pretrained networks.
        data_dir: Folder of the store.
        tickers: The tickers.
        end: Last date used, inclusive; None is each ticker's newest bar.
        move: The move of `p_move`, as a share of the last close.
    """

    folder: PretrainedFolder
    data_dir: Path
    tickers: Sequence[str]
    end: dt.date | None
    move: float


@dataclass(frozen=True)
class Scan:
    """The result: one row per ticker with the columns `SCAN_COLUMNS`, and why other tickers have none."""

    table: pd.DataFrame
    left_out: dict[str, str]


def scan(plan: Plan, n_workers: int, on_scanned: Callable[[int, int], None]) -> Scan:
    """Forecast the next session of each ticker; a ticker that cannot be forecast is left out.

    Args:
        plan: What to scan.
        n_workers: Greatest number of processes.
        on_scanned: Called with the number of tickers scanned, and of all.

    Raises:
        DataError: None of them can be forecast.
        WorkerKilledError: A worker was killed.
    """
    rows: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    n_done, n_all = 0, len(plan.tickers)
    on_scanned(0, n_all)
    with closing(_results(plan, min(n_workers, n_all // TICKERS_PER_WORKER))) as results:
        for found, failures in results:
            rows += found
            left_out |= failures
            n_done += len(found) + len(failures)
            on_scanned(n_done, n_all)
    if not rows:
        ticker, why = next(iter(left_out.items()))
        raise DataError(f"no ticker can be forecast; {ticker}: {why}", "fetch more prices")
    return Scan(pd.DataFrame(rows)[list(SCAN_COLUMNS)], left_out)


_Part = tuple[list[dict[str, Any]], dict[str, str]]


def _results(plan: Plan, n_workers: int) -> Generator[_Part]:
    if n_workers < 2:
        yield from map(scan_part, _parts(plan, 0))
        return
    # The first ticker, in this process, leaves the market of the store in its file for the workers.
    yield scan_part(replace(plan, tickers=plan.tickers[:1]))
    calls = run_calls(Engine("loky", n_workers), scan_part, _parts(plan, 1), in_order=True)
    with closing(calls) as results:
        yield from results


def _parts(plan: Plan, start: int) -> list[Plan]:
    """Return the scans of the tickers from `start` on, some at a time."""
    return [
        # Each with a folder of its own: a network that is loaded cannot be sent to a worker.
        replace(plan, folder=replace(plan.folder), tickers=plan.tickers[i : i + TICKERS_PER_CALL])
        for i in range(start, len(plan.tickers), TICKERS_PER_CALL)
    ]


def scan_part(plan: Plan) -> _Part:
    """Return the rows of some tickers, and the error messages of the others."""
    store = Store(plan.data_dir, DAILY.name)
    chooser = Chooser(plan.folder, store, Snapshot(store), plan.end)
    rows, left_out = [], {}
    with one_blas_thread():
        for ticker in plan.tickers:
            try:
                rows.append(_row(chooser, ticker, plan.move))
            except (DataError, ShortHistoryError) as error:
                left_out[ticker] = error.message
    return rows, left_out


def _row(chooser: Chooser, ticker: str, move: float) -> dict[str, Any]:
    """Return the row of one ticker; ShortHistoryError if it has too few bars."""
    choice = chooser.choose(ticker)
    bars, network = choice.bars, choice.network
    windows, calibrator = last_windows(bars, ticker)
    returns = forecast_network(network.config, network.forecaster, windows)
    # One step is needed of ten.
    returns = returns.take((slice(None), slice(1)))
    calibrator = replace(calibrator, factors=calibrator.factors[:1])
    intervals = calibrator.apply(returns, windows.returns_or_nan[:, :1], windows.volatility_scale[:, :1])
    i = LEVELS.index(90)
    widths = (np.exp(intervals.upper[:, 0, i]) - np.exp(intervals.lower[:, 0, i])) * PERCENT
    past = widths[-1 - YEAR : -1]
    last = returns.take(slice(-1, None))
    newest = Calibrated.of(last, intervals.last)
    ends = np.log1p([-move, move])
    low, high = (float(newest.cdf(end)[0, 0]) for end in ends)
    without = forecast_network(network.config, network.forecaster, _without_calendar(windows))
    spread, plain = (one.quantile(0.95)[0, 0] - one.quantile(0.05)[0, 0] for one in (last, without))
    table = bars.table(ticker)
    (date,) = calendars.next_sessions(bars.exchange_of(ticker), table.index[-1], 1)
    return {
        "ticker": ticker,
        "cutoff": table.index[-1],
        "date": date,
        "last_close": float(table["close"].iloc[-1]),
        "width_90": float(widths[-1]),
        "against_year": float(widths[-1] / np.median(past)) if len(past) >= LEAST else np.nan,
        "calendar": float(PERCENT * (spread / plain - 1)),
        "p_move": 1 - high + low,
        "inputs": choice.inputs,
    }


def _without_calendar(windows: Windows) -> Windows:
    """Return the last window, as if no earlier quarter had a bar: its features of the calendar are 0."""
    series = windows.series
    scaler = series.fitted.scaler
    is_calendar = np.array([feature_of(column)[0].startswith("seasonal_") for column in scaler.features])
    neutral = scaler.transform(np.zeros((1, len(scaler.features))))
    inputs = series.inputs[-windows.spec.look_back :].copy()
    inputs[:, is_calendar] = neutral[:, is_calendar]
    whole = np.concatenate([series.inputs[: -len(inputs)], inputs])
    return replace(windows, series=replace(series, inputs=whole), cutoffs=windows.cutoffs[-1:])
