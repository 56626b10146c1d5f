"""Pretrain networks on many tickers: one for each set of inputs, to forecast any ticker of a store.

The same code as `train` builds the windows and fits the network. There is no test period: how good the networks
are on other tickers and later dates, `lstm_stock.workflow.evaluate` measures.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lstm_stock.atomic import write_dir_atomically
from lstm_stock.config import Config
from lstm_stock.config.interval import DAILY
from lstm_stock.config.schema import REGRESSION
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.series import FittedTicker
from lstm_stock.errors import ConfigError
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.runs.files import write_json
from lstm_stock.runs.folder import cannot_save
from lstm_stock.runs.pretrained import (
    ANY_TICKER,
    CARD,
    PretrainedFolder,
    input_configs,
    write_pretrained,
)
from lstm_stock.runs.provenance import (
    RunProvenance,
    environment,
    fingerprint,
    fingerprint_inputs,
    package_versions,
)
from lstm_stock.runs.run import ModelArtifacts
from lstm_stock.workflow.fit import FittedForecaster, exported_network, fit_with_refit
from lstm_stock.workflow.forecast import median_calibrator
from lstm_stock.workflow.interval import require_daily


def pretrain(config: Config, store: Store, folder: Path, on_note: Callable[[str], None]) -> PretrainedFolder:
    """Train a network for each set of inputs, and save all in a new folder, whole or not at all.

    Args:
        config: A config with all features; its `split.test` is not used.
        store: Where the prices are.
        folder: The new folder.
        on_note: Called with each sentence that the user should read.

    Raises:
        ConfigError: The config fits a scale or a scaler to each ticker, or the training diverged.
        DataError: Prices are missing or too few.
        RunError: The folder cannot be written, or exists.
    """
    _require_no_fit(config)
    card: dict[str, Any] = {}

    def write(building: Path) -> None:
        networks = {}
        for name, one in input_configs(config).items():
            on_note(f"{name}: {len(one.columns)} inputs")
            provenance, hashes = _train_one(one, store, building / name, on_note)
            networks[name] = {"inputs": list(one.features), "files": hashes, "n_params": provenance.n_params}
        card.update(_card(config, provenance, networks))
        write_json(building / CARD, card)

    try:
        path = write_dir_atomically(folder.parent, folder.name, write)
    except OSError as error:
        raise cannot_save(folder.parent, error, "pretraining") from error
    return PretrainedFolder(path)


def _require_no_fit(config: Config) -> None:
    """Raise a ConfigError if something would be fitted to each ticker, as others could not be forecast then."""
    if config.scaler not in ("pooled", "none"):
        raise ConfigError(
            f"scaler: got {config.scaler}, which is fitted to each ticker, expected pooled",
            "set `scaler: pooled`",
        )
    if config.target_scale not in ("trailing_vol", "trailing_range"):
        raise ConfigError(
            f"target_scale: got {config.target_scale}, expected trailing_vol or trailing_range, which need no fit",
            "set `target_scale: trailing_vol`",
        )
    if config.model.ticker_embedding:
        raise ConfigError(
            f"model.ticker_embedding: got {config.model.ticker_embedding}, expected 0: other tickers have no id",
            "set `model.ticker_embedding: 0`",
        )


def _train_one(
    config: Config, store: Store, folder: Path, on_note: Callable[[str], None]
) -> tuple[RunProvenance, dict[str, str]]:
    """Train the network of one set of inputs and write it; return its provenance and the hashes of its files."""
    started, clock = dt.datetime.now(dt.UTC), time.perf_counter()
    require_daily(store, config.data.all_tickers)
    reader = PriceReader(config.data, store.at(DAILY.name))
    dataset = build_dataset(config, reader, on_note, has_test=False)
    config, windows = dataset.config, dataset.windows
    origins, of_covariates = (
        reader.origins_of(names) for names in (config.data.tickers, config.data.covariates)
    )
    forecaster = fit_with_refit(config, windows, dataset.loader)
    python, platform = environment()
    newest = max(origin.last for origin in origins.values())
    provenance = RunProvenance(
        created=started.isoformat(timespec="seconds"),
        seed=config.seed,
        val_start=str(windows.split.val_start),
        test_start=str(dt.date.fromisoformat(newest) + dt.timedelta(days=1)),
        n_params=forecaster.fit.network.count_params(),
        n_train_windows=sum(map(len, windows.train)),
        n_val_windows=sum(map(len, windows.val)),
        train_seconds=round(time.perf_counter() - clock, 1),
        interrupted=forecaster.fit.interrupted,
        tickers=origins,
        packages=package_versions(),
        python=python,
        platform=platform,
        key=fingerprint(fingerprint_inputs(config, origins | of_covariates)),
        covariates=of_covariates,
    )
    first = forecaster.windows.series[0].fitted
    fitted = ModelArtifacts(
        forecaster.fit.network,
        # The other fitted values belong to one ticker and are not used by targets in units of volatility.
        {ANY_TICKER: FittedTicker(first.scaler, 1.0, 0.0, 1.0, 1.0, first.scale)},
        {ANY_TICKER: median_calibrator(config, forecaster.calibrators.values())},
        _regressions(forecaster),
        exported_network(config, forecaster, on_note),
    )
    return provenance, write_pretrained(folder, config, fitted, provenance)


def _regressions(forecaster: FittedForecaster) -> dict[str, PooledT]:
    """Return the regression that the network starts from, from which a fine-tuning can start as well."""
    regression = forecaster.fit.regression
    return {} if regression is None else {REGRESSION: regression}


def _card(config: Config, provenance: RunProvenance, networks: dict[str, Any]) -> dict[str, Any]:
    """Return how the networks were made, as plain values."""
    origins = provenance.tickers
    return {
        "created": provenance.created,
        "trained_to": max(origin.last for origin in origins.values()),
        "trained_from": min(origin.first for origin in origins.values()),
        "tickers": list(origins),
        "prices": _hash_of({ticker: origin.hash for ticker, origin in origins.items()}),
        "covariates": list(config.data.covariates),
        "horizon": config.window.horizon,
        "look_back": config.window.look_back,
        "seed": config.seed,
        "members": config.training.members,
        "networks": networks,
        "packages": provenance.packages,
        "python": provenance.python,
    }


def _hash_of(values: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
