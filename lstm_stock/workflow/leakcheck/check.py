"""The leak check of a config or of a run: `leakcheck`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from lstm_stock.config import Config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import fit_ticker, window_spec
from lstm_stock.dataset.split import split_of
from lstm_stock.errors import LeakError
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import PriceReader, all_dates
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import between, days_of, table_hash
from lstm_stock.runs.run import ModelArtifacts, Run
from lstm_stock.workflow.leakcheck.compare import Checked, Tables, check
from lstm_stock.workflow.leakcheck.pipeline import make_pipeline, sample_cutoffs, train_briefly


def check_config(
    config: Config,
    store: Store,
    n_cutoffs: int,
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> Checked:
    """Check the pipeline of a config for leaks, with a network that is trained briefly for it.

    Args:
        config: The whole config.
        store: Where the prices are.
        n_cutoffs: Cutoffs of the test period to check, in addition to the ends of train and val.
        on_progress: Called with the number of passes done, and of all.
        on_note: Called with a sentence that names the tickers left out.

    Raises:
        LeakError: There is a leak.
        DataError: Prices are missing or too few.
    """
    reader = PriceReader(config.data, store)
    config = build_dataset(config, reader, on_note).config
    tables = {ticker: reader.table(ticker) for ticker in config.data.tickers}
    dates = all_dates([days_of(table) for table in tables.values()])
    cutoffs = sample_cutoffs(
        dates, split_of(config.split, dates), config.window.horizon, n_cutoffs, config.seed
    )
    return check(make_pipeline(config, train_briefly(config, tables)), tables, cutoffs, on_progress)


def check_run(
    run: Run,
    store: Store,
    n_cutoffs: int,
    on_progress: Callable[[int, int], None],
    on_warning: Callable[[str], None],
) -> Checked:
    """Check a run's features, scalers, network and baselines for leaks, on the range of dates it was made from.

    For each ticker whose stored prices are those of the run, the saved scaler must equal one fitted again on its
    train bars.

    Args:
        run: The run to check.
        store: Where the prices are.
        n_cutoffs: Cutoffs of the test period to check, in addition to the ends of train and val.
        on_progress: Called with the number of passes done, and of all.
        on_warning: Called with a sentence for each ticker whose prices have changed.

    Raises:
        LeakError: There is a leak.
        DataError: Prices are missing or too few.
        RunError: The run cannot be read.
    """
    config, provenance = run.config, run.provenance
    reader = PriceReader(config.data, store)
    tables = {}
    for ticker, origin in provenance.tickers.items():
        first, last = map(dt.date.fromisoformat, (origin.first, origin.last))
        tables[ticker] = between(reader.table(ticker), first, last)
    changed = [
        ticker for ticker, table in tables.items() if table_hash(table) != provenance.tickers[ticker].hash
    ]
    for ticker in changed:
        on_warning(
            f"the stored prices of {ticker} are not those that {run.name} was trained on: its scaler cannot "
            "be fitted again, the rest is checked on the stored prices"
        )
    if changed and config.needs_market:
        on_warning("no scaler can be checked, as each depends on the market of all tickers")
    else:
        _check_scalers(run, tables, changed)
    dates = all_dates([days_of(table) for table in tables.values()])
    cutoffs = sample_cutoffs(dates, provenance.split, config.window.horizon, n_cutoffs, config.seed)
    fitted = ModelArtifacts(run.network, run.scalers, run.calibrators)
    pipeline = make_pipeline(config, run.network, fitted, provenance.split)
    return check(pipeline, tables, cutoffs, on_progress)


def _check_scalers(run: Run, tables: Tables, changed: Sequence[str]) -> None:
    """Raise LeakError if a saved scaler is not that of the train bars; tickers in `changed` are skipped."""
    loader = BarLoader.of(run.config, lambda ticker: price_table.adjusted(tables[ticker]))
    for ticker in tables:
        if ticker in changed:
            continue
        series = fit_ticker(ticker, loader.adjusted(ticker), window_spec(run.config), run.scaler_split)
        if series.fitted.to_json() != run.scalers[ticker].to_json():
            raise LeakError(
                f"leak: the saved scaler of {ticker} is not the one fitted on the train bars",
                "it was fitted on other bars, or the run was changed after it was saved: train again",
            )
