"""The outcomes of one ticker's forecasts in a journal, and the forecast table of those that are known."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.grid import from_grid
from lstm_stock.distributions.intervals import Intervals, Kind
from lstm_stock.errors import JournalError
from lstm_stock.prices import calendars
from lstm_stock.prices.table import Days, PriceHistory, days_of
from lstm_stock.runs.journal_line import read_forecast
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, PERCENT, price_intervals
from lstm_stock.workflow.journal import FORMAT, deadline_of

MAX_RESTATED = 1e-3
"""A close that has changed by a greater share than this, splits apart, counts as restated."""

AFTER_THE_FACT = (
    "after the fact: written when the first session had started, or before the last bar was known"
)
OTHER_FORMAT = "written by another version of this program"
NO_CUTOFF = "the store has no bar of the cutoff"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line of a journal is.

    Attributes:
        path: Its file.
        offset: Its first byte.
        size: Number of bytes.
        written: When it was written.
    """

    path: Path
    offset: int
    size: int
    written: dt.datetime

    def read(self) -> dict[str, Any]:
        """Read the forecast; OSError if the file cannot be read, ValueError if it has changed meanwhile."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return read_forecast(file.read(self.size))


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


def score_forecasts(ticker: str, places: Mapping[str, Place], outcomes: Outcomes) -> ScoredForecasts:
    """Score the forecasts of one network and ticker.

    Args:
        ticker: The ticker.
        places: Its line of each cutoff (ISO).
        outcomes: Its bars.

    Raises:
        JournalError: A forecast cannot be read.
        OSError: Nor can its file.
    """
    found = _Collected(outcomes)
    for cutoff, place in places.items():
        try:
            found.add(cutoff, place.written, place.read())
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            raise JournalError(
                f"{place.path.name}: the forecast of {ticker} after {cutoff} cannot be read: {error}",
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

    def add(self, cutoff: str, written: dt.datetime, forecast: dict[str, Any]) -> None:
        """Add a forecast; ValueError and the like if it cannot be read."""
        if forecast["format"] != FORMAT:
            self._not_scored[OTHER_FORMAT] += 1
            return
        days = np.array([row["date"] for row in forecast["rows"]], "datetime64[D]")
        self._network, self._horizon = forecast["network"], len(days)
        known_from, deadline = _in_time(forecast["exchange"], cutoff, forecast["rows"][0]["date"])
        if not known_from <= written < deadline:
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
            for one, grid in zip(forecast["models"], _grids(forecast["models"], known), strict=True):
                self._by_model.setdefault(one["model"], []).append(about | _at(one, grid, known))

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


@lru_cache(maxsize=1024)
def _in_time(exchange: str | None, cutoff: str, first: str) -> tuple[dt.datetime, dt.datetime]:
    """Return from when and until when a forecast was before the fact; an empty span if that is unknown."""
    last_bar, session = dt.date.fromisoformat(cutoff), dt.date.fromisoformat(first)
    deadline, end = deadline_of(exchange, last_bar, session), calendars.session_end(exchange, last_bar)
    always = dt.datetime.min.replace(tzinfo=dt.UTC)
    return end or always, deadline or always


def _grids(models: list[dict[str, Any]], known: NDArray[np.intp]) -> list[Array | None]:
    """Return the quantiles of each model at the steps whose outcome is known; None without a distribution."""
    all_grids = [one["quantiles"] for one in models if one["quantiles"] is not None]
    # One call for all, since a call for each model takes most of the time of a score.
    found = iter(np.array(all_grids, np.float64)[:, known] if all_grids else ())
    return [None if one["quantiles"] is None else next(found) for one in models]


def _at(model: dict[str, Any], grid: Array | None, known: NDArray[np.intp]) -> dict[str, Any]:
    """Return the forecast of a model at the steps whose outcome is known."""
    ends = np.array([model["lo"], model["hi"]], np.float64)[:, known]
    density = [] if grid is None else model["has_density"]
    return {
        "median": np.array(model["median"], np.float64)[known],
        "lo": ends[0],
        "hi": ends[1],
        "grid": grid,
        "density": np.array(density, np.bool_)[known] if density else np.zeros(len(known), np.bool_),
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
    """Return CRPS and NLL of the return in percent, PIT and P(up); NaN where the forecast has none."""
    losses = {name: np.full(len(y), np.nan) for name in ("crps", "nll", "pit", "p_up")}
    has_grid = np.concatenate([np.full(len(one["y"]), one["grid"] is not None) for one in parts])
    density = np.concatenate([one["density"] for one in parts])
    if not has_grid.any():
        return losses
    grid = PERCENT * np.concatenate([one["grid"] for one in parts if one["grid"] is not None])
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
            losses["p_up"][rows] = 1 - returns.cdf(np.zeros_like(outcome))
    return losses
