"""The road from config to run, and from run to the next sessions: the one place where all floors meet.

Each function here reads top to bottom in the order the data flows. Nothing here computes: it calls what does.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from lstm_stock import calendars, prices
from lstm_stock.config import Config
from lstm_stock.dataset import TickerSeries, apply_ticker, fit_ticker, windows_up_to
from lstm_stock.errors import DataError, LeakError
from lstm_stock.evaluation import INTERVAL_COLUMNS, price_intervals, score_table
from lstm_stock.fitting import (
    baseline_tables,
    fit_calibrator,
    fit_parts,
    forecast_network,
    network_table,
)
from lstm_stock.inputs import PriceReader, between, cut_into_parts, recipe_of, split_of
from lstm_stock.leakcheck import Checked, check, road_of, sample_cutoffs, train_briefly
from lstm_stock.prices import PriceHistory
from lstm_stock.run import (
    Fitted,
    Provenance,
    Results,
    Run,
    TickerOrigin,
    environment,
    package_versions,
    save_run,
)
from lstm_stock.store import Store
from lstm_stock.training import Progress
from lstm_stock.verdict import judge

OLD_AFTER_DAYS = 7
"""Newest bars older than this earn a warning: a week spans every ordinary closure of an exchange."""


@dataclass(frozen=True)
class Outlook:
    """A forecast of the next sessions.

    Attributes:
        table: Columns `ticker cutoff step date y_pred lo_50 ... hi_95 last_close`; prices in the level of
            the stored close, which is adjusted for splits and not for dividends.
        recent: The closes up to the cutoff, in the same prices: column `close`, indexed by date.
        currency: What the prices are in, if that is known.
        warnings: What the user should know before trusting it.
    """

    table: pd.DataFrame
    recent: pd.DataFrame
    currency: str | None
    warnings: tuple[str, ...]


def train(
    config: Config,
    store: Store,
    runs_dir: Path,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
) -> Run:
    """Train, forecast the test period once, judge it beside the baselines, and save the run.

    Args:
        config: The whole config.
        store: Where the prices are.
        runs_dir: Where the run folder will be made.
        on_progress: Called after every batch and epoch of the training.
        on_note: Called with each sentence that the user should read.

    Raises:
        DataError: Prices are missing or too few.
        ConfigError: The training diverged.
        RunError: The run cannot be saved.
    """
    started = dt.datetime.now(dt.UTC)
    tickers, reader = config.data.tickers, PriceReader(config.data, store)
    split = split_of(config.split, reader.dates())
    parts = cut_into_parts(tickers, reader.adjusted, recipe_of(config), split)
    _tell_constant_features(parts.series, on_note)

    clock = time.perf_counter()
    fit = fit_parts(config, parts, on_progress)
    train_seconds = time.perf_counter() - clock
    if fit.interrupted:
        kept = "last" if config.training.early_stopping is None else "best"
        on_note(f"stopped by Ctrl-C: the {kept} weights that were validated are kept, scored and saved")

    tables, calibrators = [], {}
    for val, test in zip(parts.val, parts.test, strict=True):
        ticker = test.series.ticker
        calibrators[ticker] = fit_calibrator(config, fit.network, val)
        tables.append(network_table(config, fit.network, calibrators[ticker], test))
        tables += baseline_tables(test, reader.adjusted(ticker), split, on_note)
    forecasts = pd.concat(tables, ignore_index=True)

    python, platform = environment()
    provenance = Provenance(
        created=started.isoformat(timespec="seconds"),
        seed=config.seed,
        val_start=str(split.val_start),
        test_start=str(split.test_start),
        n_params=fit.network.count_params(),
        n_train_windows=sum(map(len, parts.train)),
        n_val_windows=sum(map(len, parts.val)),
        train_seconds=round(train_seconds, 1),
        interrupted=fit.interrupted,
        tickers=reader.origins,
        packages=package_versions(),
        python=python,
        platform=platform,
    )
    scalers = {one.ticker: one.scaler for one in parts.series}
    results = Results(
        config=config,
        fitted=Fitted(fit.network, scalers, calibrators),
        history=fit.history,
        forecasts=forecasts,
        scores=score_table(forecasts),
        provenance=provenance,
        verdict=judge(forecasts, config.model.cell, config.calibration),
    )
    return save_run(runs_dir, results)


def _tell_constant_features(series: Sequence[TickerSeries], on_note: Callable[[str], None]) -> None:
    for one in series:
        for name in one.scaler.inputs.constant_features():
            on_note(f"{one.ticker}: `{name}` never changes on the train bars: it tells the network nothing")


def predict(run: Run, store: Store, ticker: str, cutoff: dt.date | None, today: dt.date) -> Outlook:
    """Forecast the sessions that follow the newest bar, or a past date.

    Nothing after the cutoff is read: the prices are cut there before anything is computed. A dividend or split
    after the cutoff has rescaled all bars before it, though; the bars are brought back to the level that the run
    was trained at, so that price levels mean to the network what they meant then.

    Args:
        run: The training to use.
        store: Where the prices are.
        ticker: One of the run's tickers.
        cutoff: Last date the forecaster may know; the newest bar when None.
        today: The date that the age of the newest bar is measured from.

    Raises:
        DataError: The prices are missing, or too few up to the cutoff.
        RunError: The run cannot be read, or does not know the ticker.
    """
    run.require_ticker(ticker)
    config, history = run.config, store.read(ticker)
    recipe = recipe_of(config)
    table = between(history.table, None, cutoff)
    if table.empty:
        raise DataError(
            f"{ticker} has no bar on or before {cutoff}: the first one is of {history.table.index[0]:%F}",
            "choose a later `--cutoff`",
        )
    adjusted = _at_level_of(run.provenance.tickers[ticker], prices.adjusted(table))
    series = apply_ticker(ticker, adjusted, recipe, run.scalers[ticker])
    # An adaptive interval is taught by every outcome since the test period began.
    first = run.provenance.split.first_rows(series.dates)[1] - 1 if config.calibration == "adaptive" else None
    windows = windows_up_to(series, recipe, len(table) - 1, first)
    stream = forecast_network(config, run.network, windows)
    fan = run.calibrators[ticker].apply(stream, windows.known_returns, windows.return_unit)

    # Forecasts are made in adjusted prices; what a user compares with is the close as the store has it.
    last_close = float(table["close"].iloc[-1])
    cells = price_intervals(fan.last, np.array([[last_close]]))
    exchange = history.provenance.exchange
    dates = calendars.next_sessions(exchange, table.index[-1], recipe.horizon)
    forecast = pd.DataFrame(
        {
            "ticker": ticker,
            "cutoff": table.index[-1],
            "step": np.arange(1, recipe.horizon + 1),
            "date": dates,
            **{name: cells[name].ravel() for name in ("y_pred", *INTERVAL_COLUMNS)},
            "last_close": last_close,
        }
    )
    recent = pd.DataFrame({"close": series.close * (last_close / series.close[-1])}, index=table.index)
    warnings = _warnings(run, history, cutoff, today, dates)
    return Outlook(forecast, recent, history.provenance.currency, warnings)


def _at_level_of(origin: TickerOrigin, adjusted: pd.DataFrame) -> pd.DataFrame:
    """Rescale adjusted bars so that the run's first bar closes where it did when the run was trained."""
    first = pd.Timestamp(origin.first)
    if first not in adjusted.index:
        return adjusted
    factor = origin.first_close / adjusted["close"].to_numpy(np.float64)[adjusted.index.get_loc(first)]
    return adjusted.assign(**{name: adjusted[name] * factor for name in ("open", "high", "low", "close")})


def _warnings(
    run: Run, history: PriceHistory, cutoff: dt.date | None, today: dt.date, dates: pd.DatetimeIndex
) -> tuple[str, ...]:
    ticker, provenance, warnings = history.ticker, run.provenance, []
    newest = history.table.index[-1].date()
    age = (today - newest).days
    if (cutoff is None or cutoff > newest) and age > OLD_AFTER_DAYS:
        replaces = "" if history.provenance.source == "yahoo" else " --refresh"
        warnings.append(
            f"the newest bar of {ticker} is of {newest}, {age} days ago: these are not the next sessions from "
            f"today (`lstm-stock fetch {ticker}{replaces}` brings newer prices)"
        )
    if dates[0] < pd.Timestamp(provenance.test_start):
        warnings.append(
            f"the run learnt from the bars before {provenance.test_start}: a forecast of {dates[0]:%F} proves "
            "nothing"
        )
    origin = provenance.tickers[ticker]
    used = between(history.table, dt.date.fromisoformat(origin.first), dt.date.fromisoformat(origin.last))
    if prices.table_hash(used) != origin.hash:
        warnings.append(
            f"the stored prices of {ticker} from {origin.first} to {origin.last} are not those the run was "
            "trained on (a split, a dividend, or another source): train again"
        )
    exchange = history.provenance.exchange
    if not calendars.knows_holidays(exchange, dates):
        whose = (
            f"the exchange of {ticker} is unknown"
            if exchange is None
            else f"no calendar of {exchange} has them"
        )
        warnings.append(f"{whose}: the forecast dates skip weekends but no holidays")
    return tuple(warnings)


def check_config(
    config: Config, store: Store, n_cutoffs: int, on_progress: Callable[[int, int], None]
) -> Checked:
    """Check what `train` would do with a config for leaks, with a network that is trained briefly for it.

    Args:
        config: The whole config.
        store: Where the prices are.
        n_cutoffs: Cutoffs of the test period to check, beside the ends of train and val.
        on_progress: Called with the number of walks done, and of all.

    Raises:
        LeakError: There is a leak.
        DataError: Prices are missing or too few.
    """
    reader = PriceReader(config.data, store)
    tables = {ticker: reader.table(ticker) for ticker in config.data.tickers}
    cutoffs = _cutoffs(config, reader, n_cutoffs)
    return check(road_of(config, train_briefly(config, tables)), tables, cutoffs, on_progress)


def check_run(
    run: Run,
    store: Store,
    n_cutoffs: int,
    on_progress: Callable[[int, int], None],
    on_warning: Callable[[str], None],
) -> Checked:
    """Check a run's features, split, scalers, network and baselines for leaks.

    Where the stored prices are those the run was trained on, its scalers must also be those of its train bars.

    Raises:
        LeakError: There is a leak.
        DataError: Prices are missing or too few.
        RunError: The run cannot be read.
    """
    config, provenance = run.config, run.provenance
    reader = PriceReader(config.data, store)
    tables = {ticker: reader.table(ticker) for ticker in config.data.tickers}
    cutoffs = _cutoffs(config, reader, n_cutoffs)
    for ticker, table in tables.items():
        if reader.origins[ticker].hash == provenance.tickers[ticker].hash:
            again = fit_ticker(ticker, prices.adjusted(table), recipe_of(config), provenance.split)
            if again.scaler.to_json() != run.scalers[ticker].to_json():
                raise LeakError(
                    f"leak: the saved scaler of {ticker} is not the one that the train bars give",
                    "it was fitted on other bars, or the run was changed after it was saved: train again",
                )
        else:
            on_warning(
                f"the stored prices of {ticker} are not those that {run.name} was trained on: its scaler cannot "
                "be fitted again, the rest is checked on the prices there are"
            )
    fitted = Fitted(run.network, run.scalers, run.calibrators)
    return check(road_of(config, run.network, fitted), tables, cutoffs, on_progress)


def _cutoffs(config: Config, reader: PriceReader, n: int) -> list[np.datetime64]:
    dates = reader.dates()
    return sample_cutoffs(dates, split_of(config.split, dates), config.window.horizon, n, config.seed)


def draw(run: Run, store: Store, folder: Path, on_warning: Callable[[str], None]) -> Iterator[Path]:
    """Draw every figure of a run into `folder`, as PNG and SVG, and give each path once it is written.

    Args:
        run: The run to draw.
        store: Where the prices are; without them the forecast fan is left out, with a warning.
        folder: Where to write.
        on_warning: Called with what could not be drawn.
    """
    from lstm_stock import plots

    config, forecasts, scores = run.config, run.forecasts, run.scores
    model, tickers = config.model.cell, config.data.tickers
    yield from plots.save_figure(
        plots.training_history(run.history, f"{model} on {', '.join(tickers[:3])}"), folder, "training"
    )
    for ticker in tickers:
        suffix = "" if len(tickers) == 1 else f"-{quote(ticker, safe='')}"
        figures = {
            "test_period": plots.test_period(forecasts, ticker, model=model),
            "calibration": plots.calibration(forecasts, ticker, model=model),
            "scores_by_step": plots.scores_by_step(scores, ticker, model=model),
        }
        try:
            outlook = predict(run, store, ticker, None, dt.date.today())
            figures["forecast"] = plots.forecast_fan(outlook.recent, outlook.table, ticker)
        except DataError as error:
            on_warning(f"no forecast figure: {error.message}")
        for name, figure in figures.items():
            yield from plots.save_figure(figure, folder, name + suffix)
