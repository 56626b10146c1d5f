"""The outcomes of one ticker's forecasts in a journal, and the forecast table of those that are known."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.grid import from_grid
from lstm_stock.distributions.intervals import Intervals, Kind
from lstm_stock.errors import JournalError
from lstm_stock.prices import calendars
from lstm_stock.prices.table import Days, PriceHistory, days_of
from lstm_stock.runs.journal_line import Line, parse_line
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, PERCENT, price_intervals
from lstm_stock.workflow.journal import FORMAT, deadline_of

MAX_RESTATED = 1e-3
"""A close that has changed by a greater share than this, splits apart, counts as restated."""

AFTER_THE_FACT = (
    "after the fact: written when the first session had started, or before the last bar was known"
)
OTHER_FORMAT = "written by another version of this program"
NO_CUTOFF = "the store has no bar of the cutoff"


@dataclass(frozen=True)
class Place:
    """Where a line of a journal is: file, first byte, number of bytes."""

    path: Path
    offset: int
    size: int

    def read(self) -> Line:
        """Read the line."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return parse_line(file.read(self.size))


@dataclass(frozen=True)
class Outcomes:
    """The final bars of one ticker.

    Attributes:
        days: Their dates, shape `(n_bars,)`.
        log_adjusted: Log of the adjusted closes.
        unsplit: The closes as they were quoted on their days: those of the store times all later splits.
    """

    days: Days
    log_adjusted: Array
    unsplit: Array

    @classmethod
    def of(cls, history: PriceHistory) -> Outcomes:
        """Take the bars of a ticker, but for one whose session was not over when it was fetched."""
        table = history.table
        if history.provenance.partial == f"{table.index[-1]:%F}":
            table = table.iloc[:-1]
        splits = table["splits"].to_numpy(np.float64)
        factors = np.cumprod(np.where(splits > 0, splits, 1.0))
        later = factors[-1:] / factors
        return cls(days_of(table), np.log(table["adj_close"].to_numpy()), table["close"].to_numpy() * later)

    def row_of(self, day: np.datetime64) -> int | None:
        """Return the position of a date's bar, None if it has none."""
        row = int(np.searchsorted(self.days, day))
        return row if row < len(self.days) and self.days[row] == day else None

    def returns(self, row: int, days: Days) -> Array:
        """Return the log returns from a bar to the bars of some dates; NaN where there is none.

        Args:
            row: Position of the first bar.
            days: Shape `(n,)`.
        """
        rows = np.minimum(np.searchsorted(self.days, days), len(self.days) - 1)
        return np.where(self.days[rows] == days, self.log_adjusted[rows] - self.log_adjusted[row], np.nan)


@dataclass(frozen=True)
class ScoredForecasts:
    """The forecasts of one network and ticker.

    Attributes:
        ticker: The ticker.
        model: What the network's forecasts are called.
        calibration: How its intervals were calibrated.
        horizon: The steps that it forecasts.
        table: Forecast table of the network and the baselines, `FORECAST_COLUMNS`, of all known outcomes.
        n_forecasts: Number of forecasts before the fact.
        pending: For each forecast with outcomes to come: `cutoff n_pending next last`.
        not_scored: Number of forecasts that are not scored, by reason.
        restated: Cutoffs (ISO) whose close has changed since.
        n_without_bar: Number of steps whose date has no bar, though later dates have.
    """

    ticker: str
    model: str
    calibration: Kind
    horizon: int
    table: pd.DataFrame
    n_forecasts: int
    pending: list[dict[str, Any]]
    not_scored: Counter[str]
    restated: list[str]
    n_without_bar: int

    @property
    def days(self) -> list[pd.Timestamp]:
        """The cutoffs with an outcome one step ahead."""
        is_first = (self.table["step"] == 1) & (self.table["model"] == self.model)
        return list(self.table.loc[is_first, "cutoff"])


def score_forecasts(ticker: str, places: Iterable[Place], outcomes: Outcomes) -> ScoredForecasts:
    """Score the forecasts of one network and ticker.

    Args:
        ticker: The ticker.
        places: Its lines; one of each cutoff.
        outcomes: Its bars.

    Raises:
        JournalError: A forecast cannot be read.
        OSError: Nor can its file.
    """
    found = _Collected(outcomes)
    for place in places:
        line = place.read()
        try:
            found.add(line)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise JournalError(
                f"{place.path.name}: the forecast of line {line.sequence} cannot be read: {error}",
                "another program has written it",
            ) from error
    return found.scored(ticker)


class _Collected:
    """The forecasts read so far, and what is known of them."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self._by_model: dict[str, list[dict[str, Any]]] = {}
        self._network: dict[str, Any] = {"model": "", "calibration": "none"}
        self._horizon = 0
        self._n_forecasts = self._n_without_bar = 0
        self._pending: list[dict[str, Any]] = []
        self._not_scored: Counter[str] = Counter()
        self._restated: list[str] = []

    def add(self, line: Line) -> None:
        """Add a forecast; ValueError and the like if it cannot be read."""
        forecast, cutoff = line.forecast(), line.about.cutoff
        if forecast["format"] != FORMAT:
            self._not_scored[OTHER_FORMAT] += 1
            return
        days = np.array([row["date"] for row in forecast["rows"]], "datetime64[D]")
        self._network, self._horizon = forecast["network"], len(days)
        first, last = dt.date.fromisoformat(forecast["rows"][0]["date"]), dt.date.fromisoformat(cutoff)
        if not _is_before_the_fact(line.written, forecast["exchange"], last, first):
            self._not_scored[AFTER_THE_FACT] += 1
            return
        row = self._outcomes.row_of(np.datetime64(cutoff))
        if row is None:
            self._not_scored[NO_CUTOFF] += 1
            return
        self._n_forecasts += 1
        change = self._outcomes.unsplit[row] / forecast["last_close"] - 1
        if abs(change) > MAX_RESTATED:
            self._restated.append(f"{cutoff} ({100 * change:+.2g} %)")
        returns = self._outcomes.returns(row, days)
        to_come = days[days > self._outcomes.days[-1]]
        self._n_without_bar += int(np.isnan(returns).sum()) - len(to_come)
        if len(to_come):
            row_of_pending = {"n_pending": len(to_come), "next": str(to_come[0]), "last": str(to_come[-1])}
            self._pending.append({"cutoff": cutoff} | row_of_pending)
        known = np.flatnonzero(~np.isnan(returns))
        if len(known):
            about = {name: forecast[name] for name in ("last_close", "insample_mae", "trailing_vol")}
            about |= {"cutoff": cutoff, "step": known + 1, "date": days[known], "y": returns[known]}
            for one in forecast["models"]:
                self._by_model.setdefault(one["model"], []).append(about | _at(one, known))

    def scored(self, ticker: str) -> ScoredForecasts:
        """Score all forecasts."""
        tables = [_table(ticker, model, parts) for model, parts in self._by_model.items()]
        return ScoredForecasts(
            ticker=ticker,
            model=self._network["model"],
            calibration=self._network["calibration"],
            horizon=self._horizon,
            table=pd.concat(tables, ignore_index=True)
            if tables
            else pd.DataFrame(columns=list(FORECAST_COLUMNS)),
            n_forecasts=self._n_forecasts,
            pending=self._pending,
            not_scored=self._not_scored,
            restated=self._restated,
            n_without_bar=self._n_without_bar,
        )


def _is_before_the_fact(written: dt.datetime, exchange: str | None, cutoff: dt.date, first: dt.date) -> bool:
    """Whether a forecast was written after its last bar was known, and before its first session started."""
    deadline, end = deadline_of(exchange, cutoff, first), calendars.session_end(exchange, cutoff)
    return deadline is not None and written < deadline and (end is None or end <= written)


def _at(model: dict[str, Any], known: Any) -> dict[str, Array]:
    """Return the forecast of a model at the steps whose outcome is known."""
    n_steps = len(model["median"])
    grid = model["quantiles"]
    density = model["has_density"] if grid is not None else [False] * n_steps
    no_grid = np.full((n_steps, 0), np.nan)
    return {
        "median": np.array(model["median"], np.float64)[known],
        "lo": np.array(model["lo"], np.float64)[known],
        "hi": np.array(model["hi"], np.float64)[known],
        "grid": (no_grid if grid is None else np.array(grid, np.float64))[known],
        "density": np.array(density, np.bool_)[known],
    }


def _table(ticker: str, model: str, parts: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the forecast table of one model. Its prices are those at which the forecast started."""
    joined = {
        name: np.concatenate([one[name] for one in parts])
        for name in ("step", "date", "y", "median", "lo", "hi")
    }
    n_rows = [len(one["y"]) for one in parts]
    per_forecast = {
        name: np.repeat(np.array([one[name] for one in parts], np.float64), n_rows)
        for name in ("last_close", "insample_mae", "trailing_vol")
    }
    median, last_close = joined["median"], per_forecast["last_close"]
    shown = Intervals(median, median[:, None] - joined["lo"], joined["hi"] - median[:, None])
    columns = {
        "ticker": ticker,
        "model": model,
        "cutoff": np.repeat(np.array([one["cutoff"] for one in parts], "datetime64[s]"), n_rows),
        "step": joined["step"],
        "date": joined["date"].astype("datetime64[s]"),
        "y_true": last_close * np.exp(joined["y"]),
        "direction": np.sign(median),
        **per_forecast,
        **price_intervals(shown, last_close),
        **_losses(parts, joined["y"]),
    }
    return pd.DataFrame({name: columns[name] for name in FORECAST_COLUMNS})


def _losses(parts: list[dict[str, Any]], y: Array) -> dict[str, Array]:
    """Return CRPS and NLL of the return in percent, and the PIT; NaN where the forecast has none."""
    losses = {name: np.full(len(y), np.nan) for name in ("crps", "nll", "pit")}
    has_grid = np.concatenate([np.full(len(one["y"]), one["grid"].shape[-1] > 0) for one in parts])
    density = np.concatenate([one["density"] for one in parts])
    if not has_grid.any():
        return losses
    grid = PERCENT * np.concatenate([one["grid"] for one in parts if one["grid"].shape[-1]])
    for with_density in (True, False):
        rows = has_grid & (density == with_density)
        if rows.any():
            returns, outcome = (
                from_grid(grid[density[has_grid] == with_density], with_density),
                PERCENT * y[rows],
            )
            losses["crps"][rows] = returns.crps(outcome)
            losses["nll"][rows] = returns.log_score(outcome)
            losses["pit"][rows] = returns.cdf(outcome)
    return losses
