"""The leak check of a config or of a run: `leakcheck`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_stock.config import Config
from lstm_stock.config.schema import MARKET_SCALE
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.market import with_market
from lstm_stock.dataset.series import fit_ticker, window_spec
from lstm_stock.dataset.split import split_of
from lstm_stock.errors import LeakError
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.runs.run import ModelArtifacts, Run
from lstm_stock.workflow.leakcheck.compare import Checked, check
from lstm_stock.workflow.leakcheck.pipeline import make_pipeline, sample_cutoffs, train_briefly


def check_config(
    config: Config,
    store: Store,
    n_cutoffs: int,
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> Checked:
    """Check what `train` would do with a config for leaks, with a network that is trained briefly for it.

    Args:
        config: The whole config.
        store: Where the prices are.
        n_cutoffs: Cutoffs of the test period to check, beside the ends of train and val.
        on_progress: Called with the number of walks done, and of all.
        on_note: Called with a sentence that names the tickers left out.

    Raises:
        LeakError: There is a leak.
        DataError: Prices are missing or too few.
    """
    reader = PriceReader(config.data, store)
    config = build_dataset(config, reader, on_note).config
    tables = {ticker: reader.table(ticker) for ticker in config.data.tickers}
    cutoffs = _cutoffs(config, reader, n_cutoffs)
    return check(make_pipeline(config, train_briefly(config, tables)), tables, cutoffs, on_progress)


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
    adjusted = with_market(config, lambda ticker: price_table.adjusted(tables[ticker]))
    changed = [one for one in tables if reader.origins[one].hash != provenance.tickers[one].hash]
    for ticker in changed:
        on_warning(
            f"the stored prices of {ticker} are not those that {run.name} was trained on: its scaler cannot "
            "be fitted again, the rest is checked on the prices there are"
        )
    with_all = config.target_scale == MARKET_SCALE
    if changed and with_all:
        on_warning("nor can those of the other tickers, as all look at the market that it is part of")
    for ticker in tables:
        if ticker in changed or (changed and with_all):
            continue
        again = fit_ticker(ticker, adjusted(ticker), window_spec(config), run.scaler_split)
        if again.fitted.to_json() != run.scalers[ticker].to_json():
            raise LeakError(
                f"leak: the saved scaler of {ticker} is not the one that the train bars give",
                "it was fitted on other bars, or the run was changed after it was saved: train again",
            )
    fitted = ModelArtifacts(run.network, run.scalers, run.calibrators)
    return check(make_pipeline(config, run.network, fitted), tables, cutoffs, on_progress)


def _cutoffs(config: Config, reader: PriceReader, n: int) -> list[np.datetime64]:
    dates = reader.dates(config.data.tickers)
    return sample_cutoffs(dates, split_of(config.split, dates), config.window.horizon, n, config.seed)
