"""Draw the figures of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config.heads import HEADS
from lstm_stock.config.targets import OF_PRICES, Words
from lstm_stock.dataset.build import covariates_of
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import apply_ticker, window_spec
from lstm_stock.dataset.windows import windows_of
from lstm_stock.errors import DataError
from lstm_stock.prices.reader import PriceReader, Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.report.dividends import left_out
from lstm_stock.report.text import MAX_DETAILED_TICKERS, name_tickers
from lstm_stock.runs.run import Run
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.run_bars import RunBars

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    run: Run,
    store: Store,
    folder: Path,
    named: str | None,
    on_warning: Callable[[str], None],
    dividends: Mapping[dt.date, float] | None = None,
) -> Iterator[Path]:
    """Draw the figures of a run into `folder`, as PNG and SVG, and yield each path once it is written.

    A run of more than `MAX_DETAILED_TICKERS` tickers gets one figure for all of them, unless one is named.

    Args:
        run: The run to draw.
        store: Where the prices are; without them there is no figure of the forecast or of the attention.
        folder: Where to write.
        named: One of its scored tickers; None draws the figures of all.
        on_warning: Called with a sentence for each figure that cannot be drawn, and for each usual dividend that
            the forecast does not take off.
        dividends: As in `lstm_stock.workflow.predict.predict`.

    Raises:
        ConfigError: A dividend cannot be taken off.
    """
    from lstm_stock.report import plots

    scores, model, tickers, words = run.scores, run.config.model_name, run.scored_tickers, run.config.words
    if named is None:
        title = f"{model} on {name_tickers(tickers)}"
        yield from plots.save_figure(
            plots.training_history(run.history, title, HEADS[run.config.model.head].loss), folder, "training"
        )
    if named is None and len(tickers) > MAX_DETAILED_TICKERS:
        yield from _draw_all_tickers(scores, model, folder, on_warning)
        return
    prices = Snapshot(store.at(run.config.data.interval))
    bars = RunBars(run, prices, end=None)
    for ticker in tickers if named is None else [named]:
        figures = _figures_of_scores(run.forecasts_of(ticker), scores, ticker, model, words)
        try:
            prediction = predict(bars, ticker, dt.date.today(), dividends)
            for text in left_out({ticker: prediction.dividends}):
                on_warning(text)
            figures["forecast"] = plots.forecast_fan(prediction.recent, prediction.table, ticker, words)
        except DataError as error:
            on_warning(f"no forecast figure of {ticker}: {error.message}")
        if model == "attention":
            try:
                weights = _attention(run, prices, ticker)
                figures["attention"] = plots.attention_by_lag(weights, f"{model} on {ticker}")
            except DataError as error:
                on_warning(f"no attention figure of {ticker}: {error.message}")
        for name, figure in figures.items():
            yield from plots.save_figure(figure, folder, name + _suffix(ticker, tickers))


def draw_scores(
    scores: pd.DataFrame,
    model: str,
    forecasts_of: Callable[[str], pd.DataFrame],
    folder: Path,
    on_warning: Callable[[str], None],
) -> Iterator[Path]:
    """Draw the figures of scores that `draw` draws of a run: of each ticker, or one of more than three.

    Args:
        scores: A score table.
        model: The network's name.
        forecasts_of: Returns the forecast table of a ticker.
        folder: Where to write.
        on_warning: Called with a sentence for each figure that cannot be drawn.
    """
    from lstm_stock.report import plots

    tickers = list(scores["ticker"].unique())
    if len(tickers) > MAX_DETAILED_TICKERS:
        yield from _draw_all_tickers(scores, model, folder, on_warning)
        return
    for ticker in tickers:
        for name, figure in _figures_of_scores(forecasts_of(ticker), scores, ticker, model).items():
            yield from plots.save_figure(figure, folder, name + _suffix(ticker, tickers))


def _draw_all_tickers(
    scores: pd.DataFrame, model: str, folder: Path, on_warning: Callable[[str], None]
) -> Iterator[Path]:
    from lstm_stock.report import plots

    try:
        yield from plots.save_figure(plots.skill_by_ticker(scores, model), folder, "tickers")
    except DataError as error:
        on_warning(f"no figure of all tickers: {error.message}")


def _figures_of_scores(
    forecasts: pd.DataFrame, scores: pd.DataFrame, ticker: str, model: str, words: Words = OF_PRICES
) -> dict[str, Figure]:
    from lstm_stock.report import plots

    return {
        "test_period": plots.test_period(forecasts, ticker, model, words),
        "calibration": plots.calibration(forecasts, ticker, model, words),
        "reliability": plots.reliability_of_rises(forecasts, ticker, model),
        "scores_by_step": plots.scores_by_step(scores, ticker, model, words),
    }


def _suffix(ticker: str, tickers: Sequence[str]) -> str:
    return "" if len(tickers) == 1 else f"-{quote(ticker, safe='')}"


def _attention(run: Run, prices: Snapshot | Store, ticker: str) -> NDArray[np.float32]:
    """Return the attention weights of the test windows, `(n_windows, n_members, look_back)`."""
    network = run.network  # loads Keras without its log lines, which the next import would print
    from lstm_stock.network.cells.attention import attention_weights

    spec, reader = window_spec(run.config), PriceReader(run.config.data, prices)
    covariates = covariates_of(run.config, reader)
    loader = BarLoader.of(run.config, reader.adjusted, reader.exchange_of, covariates)
    series = apply_ticker(ticker, loader.adjusted(ticker), spec, run.scalers[ticker])
    test = windows_of(series, spec, run.provenance.split, "test")
    return attention_weights(network, test.network_inputs)
