"""Write forecasts to the journal, before the fact, beside the forecasts of baselines made at the same hour."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_stock.baselines import BASELINES, Task
from lstm_stock.dataset.blas import one_blas_thread
from lstm_stock.dataset.features import Bars
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.base import Array
from lstm_stock.distributions.grid import has_density, quantile_grid, round_digits
from lstm_stock.distributions.intervals import LEVELS, Intervals
from lstm_stock.errors import BaselineError, JournalError, RunError
from lstm_stock.prices import calendars
from lstm_stock.prices import table as price_table
from lstm_stock.prices.sources import fetch_command
from lstm_stock.prices.table import PriceHistory
from lstm_stock.runs.files import CALIBRATION, CONFIG, NETWORK, ONNX, SCALER, records
from lstm_stock.runs.journal import Record
from lstm_stock.runs.journal_line import About, canonical, time_text

if TYPE_CHECKING:
    from lstm_stock.runs.run import Run
    from lstm_stock.workflow.predict import Prediction

BASELINES_BESIDE = ("naive", "ewma", "garch", "gjr", "har_range_t", "lhar_t")
"""The baselines that are fitted to each ticker's bars up to the cutoff, some tenths of a second for each.

The point of a verdict is compared with `naive`, the distribution with the others. Those of all tickers, or of the
market, would need the bars of other tickers."""

NETWORK_FILES = (CONFIG, NETWORK, SCALER, CALIBRATION)
"""The files of a run that decide its forecasts, beside the `ONNX` file, which not every run has."""

AFTER_CLOSE = dt.timedelta(hours=2)
"""Time after the close of the last bar in which a forecast is before the fact even though the next session runs.

Where a session starts as the one before ends, as in a market that never closes, no forecast from its last bar
could be earlier."""

FORMAT = 1
"""Version of the content of a forecast."""

DIGITS = 9
"""Significant digits of medians and interval ends."""


@dataclass(frozen=True)
class Network:
    """What makes a forecast.

    Attributes:
        name: That of a run, or of a network of the package.
        model: What its forecasts are called in tables: `lstm`.
        calibration: How its intervals were calibrated.
        hashes: SHA-256, in hex, of each file that decides its forecasts.
    """

    name: str
    model: str
    calibration: str
    hashes: Mapping[str, str]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the hashes."""
        return hashlib.sha256(canonical(dict(self.hashes))).hexdigest()


def network_of(run: Run) -> Network:
    """Return the network of a run; RunError if a file of it cannot be read, ConfigError if it is not of prices."""
    run.require_prices("`--journal`")
    names = [*NETWORK_FILES, *[ONNX] * (run.path / ONNX).exists()]
    try:
        hashes = {name: file_hash(run.path / name) for name in names}
    except OSError as error:
        raise RunError(f"run {run.name}: a file cannot be read: {error}") from error
    return Network(run.name, run.model_name, run.config.calibration, hashes)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_of(prediction: Prediction, history: PriceHistory, network: Network, now: dt.datetime) -> Record:
    """Return the record of one ticker's forecast from its newest bar, with the baselines.

    Args:
        prediction: The forecast.
        history: The prices that it was made from, to the last bar.
        network: What made it.
        now: The present time, with its zone.

    Raises:
        JournalError: It is not before the fact, or that cannot be known.
    """
    table = history.table
    deadline = require_before_the_fact(history, prediction.table["date"].iloc[0].date(), now)
    bars = Bars.of(price_table.adjusted(table))
    returns = prediction.returns
    of_network = model_values(network.model, returns.trained, returns.to)
    of_baselines, left_out = _baselines(bars, len(prediction.table))
    forecast = {
        "format": FORMAT,
        "package": metadata.version("lstm-stock"),
        "exchange": history.provenance.exchange,
        "currency": history.provenance.currency,
        "last_close": float(table["close"].iloc[-1]),
        "insample_mae": float(np.abs(np.diff(bars.close)).mean()),
        "trailing_vol": _plain(bars.volatility[-1]),
        "prices": {
            "first": f"{table.index[0]:%F}",
            "n_bars": len(table),
            "sha256": price_table.table_hash(table),
            "source": history.provenance.source,
            "fetched_at": history.provenance.fetched_at,
        },
        "network": {
            "name": network.name,
            "model": network.model,
            "calibration": network.calibration,
            "sha256": dict(network.hashes),
        },
        "rows": records(prediction.table.drop(columns=["ticker", "cutoff", "last_close"])),
        "levels": list(LEVELS),
        "models": [of_network, *of_baselines],
        "left_out": left_out,
    }
    about = About(history.ticker, f"{table.index[-1]:%F}", network.name, network.fingerprint)
    return Record(about, forecast, deadline)


def require_before_the_fact(history: PriceHistory, first: dt.date, now: dt.datetime) -> dt.datetime:
    """Return the time from which a forecast from the newest bar is one after the fact.

    Args:
        history: The prices.
        first: The first session of the forecast.
        now: The present time.

    Raises:
        JournalError: That time has come, or is unknown, or the newest bar is not final.
    """
    ticker, cutoff, origin = history.ticker, history.table.index[-1].date(), history.provenance
    source = origin.source
    if not history.interval.is_daily:
        raise JournalError(
            f"no forecast of {ticker} for the journal, which holds forecasts of days: the bars are "
            f"{history.interval.adjective}",
            "leave out `--journal`",
        )
    deadline = deadline_of(origin.exchange, cutoff, first)
    if deadline is None:
        raise JournalError(
            f"no forecast of {ticker} for the journal: when its session of {first} starts is unknown",
            f"name its exchange: {fetch_command(ticker, source, ' --refresh --exchange XNYS')}",
        )
    if origin.partial == cutoff.isoformat():
        raise JournalError(
            f"no forecast of {ticker} for the journal: its newest bar, {cutoff}, was fetched before its close",
            f"fetch it again: {fetch_command(ticker, source)}",
        )
    end = calendars.session_end(origin.exchange, cutoff)
    fetched = dt.datetime.fromisoformat(origin.fetched_at)
    known = max(fetched, end or fetched)
    if now < known.replace(microsecond=0):
        raise JournalError(
            f"no forecast of {ticker} for the journal: the clock says {time_text(now)}, before its bar of "
            f"{cutoff} was known or fetched, {time_text(known)}",
            "set the clock",
        )
    if now >= deadline:
        raise JournalError(
            f"no forecast of {ticker} for the journal: it is after the fact, since the first session, {first}, "
            f"started at {time_text(deadline)}",
            f"fetch newer bars: {fetch_command(ticker, source)}",
        )
    return deadline


def deadline_of(exchange: str | None, cutoff: dt.date, first: dt.date) -> dt.datetime | None:
    """Return when a forecast is no longer before the fact: at the start of its first session.

    Where that follows the close of the last bar at once, `AFTER_CLOSE` is added.

    Args:
        exchange: A code, or None if unknown.
        cutoff: Date of the last bar.
        first: Date of the first session of the forecast.

    Returns:
        A time in UTC; None if the calendar does not know it.
    """
    start, end = calendars.session_start(exchange, first), calendars.session_end(exchange, cutoff)
    if start is None or end is None:
        return start
    return max(start, end + AFTER_CLOSE)


def _baselines(bars: Bars, horizon: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Fit the baselines to all bars; return their forecasts from the last, and why one is left out."""
    task = Task(bars, len(bars.close), np.array([len(bars.close) - 1]), horizon)
    found, left_out = [], {}
    with one_blas_thread():
        for name in BASELINES_BESIDE:
            try:
                returns = BASELINES[name].forecast(task)
            except BaselineError as error:
                left_out[name] = error.message
            else:
                found.append(model_values(name, returns, Intervals.of(returns, LEVELS)))
    return found, left_out


def model_values(name: str, returns: Distribution, intervals: Intervals) -> dict[str, Any]:
    """Return a forecast of k-bar log returns as plain values.

    Args:
        name: The model.
        returns: Shape `(1, horizon)`.
        intervals: Its intervals, as shown to the user.
    """
    grid = quantile_grid(returns)
    is_distribution = bool(np.isfinite(grid).all())
    return {
        "model": name,
        "median": _plain(round_digits(intervals.centre[0], DIGITS)),
        "lo": _plain(round_digits(intervals.lower[0], DIGITS)),
        "hi": _plain(round_digits(intervals.upper[0], DIGITS)),
        "quantiles": _plain(grid[0]) if is_distribution else None,
        "has_density": has_density(returns, grid)[0].tolist() if is_distribution else None,
    }


def _plain(values: Array | float) -> Any:
    """Return nested lists of numbers, with None for NaN and infinity."""
    if isinstance(values, np.ndarray) and values.ndim:
        return [_plain(value) for value in values]
    return float(values) if np.isfinite(values) else None
