"""One run: a folder that holds a training whole - config, network, scalers, history, forecasts, scores, origin.

A run is built in a hidden folder beside its final place and renamed, so that it is whole or absent, and it is
never written over. No pickle: YAML, JSON, CSV, Parquet and Keras' own format in safe mode.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lstm_stock.config import Config, dump_yaml, load_config
from lstm_stock.dataset.series import FittedTicker
from lstm_stock.dataset.split import Split
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.errors import ConfigError, RunError
from lstm_stock.prices.reader import TickerOrigin
from lstm_stock.runs.files import join_tickers, read_forecasts, read_json, records, write_json
from lstm_stock.runs.folder import save_folder
from lstm_stock.runs.provenance import RunProvenance
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS
from lstm_stock.scoring.scores import SCORE_COLUMNS

if TYPE_CHECKING:
    import keras


CONFIG, NETWORK, SCALER, HISTORY = "config.yaml", "model.keras", "scaler.json", "history.csv"
CALIBRATION, PLOTS = "calibration.json", "plots"
FORECASTS, SCORES, PROVENANCE = "forecasts.parquet", "scores.json", "provenance.json"
FOLDS = "folds.csv"
"""Only a backtest has this file."""

FILES = (CONFIG, NETWORK, SCALER, CALIBRATION, HISTORY, FORECASTS, SCORES, PROVENANCE)


HISTORY_COLUMNS = ("member", "epoch", "loss", "val_loss", "learning_rate")

T = TypeVar("T")


@dataclass(frozen=True)
class ModelArtifacts:
    """What was fitted, and is needed to forecast again; scalers and calibrators by ticker."""

    network: keras.Model
    scalers: dict[str, FittedTicker]
    calibrators: dict[str, Calibrator]


@dataclass(frozen=True)
class RunResults:
    """What a training leaves, ready to be saved; `forecasts` is a file, which is moved into the run."""

    config: Config
    fitted: ModelArtifacts
    history: pd.DataFrame
    forecasts: Path
    scores: pd.DataFrame
    provenance: RunProvenance
    verdict: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A saved run; its parts are read when asked for."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @cached_property
    def config(self) -> Config:
        """The resolved config."""
        return self._read(CONFIG, load_config)

    @cached_property
    def network(self) -> keras.Model:
        """The members joined; its output is `lstm_stock.network.architecture.Params`."""
        from lstm_stock.network.build import load_network

        def parse(path: Path) -> keras.Model:
            network = load_network(path, self.config.model.cell)
            wanted = (None, self.config.window.look_back, len(self.config.features))
            found = network.inputs[0].shape
            _require(found == wanted, f"its input is {found}, not {wanted}")
            n_inputs = 2 if self.config.model.ticker_embedding else 1
            _require(len(network.inputs) == n_inputs, f"it has {len(network.inputs)} inputs, not {n_inputs}")
            return network

        return self._read(NETWORK, parse)

    @cached_property
    def scalers(self) -> dict[str, FittedTicker]:
        """What was fitted on the train bars of each ticker."""

        def parse(path: Path) -> dict[str, FittedTicker]:
            scalers = {name: FittedTicker.from_json(one) for name, one in read_json(path).items()}
            _require(tuple(scalers) == self.config.data.tickers, f"its tickers are not those of {CONFIG}")
            features = {scaler.scaler.features for scaler in scalers.values()}
            _require(features == {self.config.features}, f"its features are not those of {CONFIG}")
            return scalers

        return self._read(SCALER, parse)

    @cached_property
    def calibrators(self) -> dict[str, Calibrator]:
        """How the intervals of each ticker are stretched."""

        def parse(path: Path) -> dict[str, Calibrator]:
            calibrators = {name: Calibrator.from_json(one) for name, one in read_json(path).items()}
            _require(tuple(calibrators) == self.config.data.tickers, f"its tickers are not those of {CONFIG}")
            wanted = (self.config.calibration, LEVELS, (self.config.window.horizon, len(LEVELS)))
            found = {(one.kind, one.levels, one.factors.shape) for one in calibrators.values()}
            _require(found == {wanted}, f"it is not the calibration of {CONFIG}")
            return calibrators

        return self._read(CALIBRATION, parse)

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per member and epoch."""
        return self._read_table(HISTORY, pd.read_csv, HISTORY_COLUMNS)

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """The test period, `FORECAST_COLUMNS`."""
        return self._read_table(FORECASTS, read_forecasts, FORECAST_COLUMNS)

    def forecasts_of(self, ticker: str) -> pd.DataFrame:
        """The test period of one of its tickers, `FORECAST_COLUMNS`."""
        return self._read_table(FORECASTS, lambda path: read_forecasts(path, ticker), FORECAST_COLUMNS)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """`SCORE_COLUMNS`."""

        def parse(path: Path) -> pd.DataFrame:
            return pd.DataFrame(read_json(path)["scores"]).replace({None: np.nan})

        return self._read_table(SCORES, parse, SCORE_COLUMNS)

    @cached_property
    def verdict(self) -> dict[str, Any]:
        """The verdict of `lstm_stock.scoring.verdict.judge`; empty in a run saved without one."""
        from lstm_stock.scoring.verdict import read_verdict  # loads scipy.stats, which few commands need

        def parse(path: Path) -> dict[str, Any]:
            verdict: dict[str, Any] = read_json(path).get("verdict", {})
            _require(isinstance(verdict, dict), "its verdict is no object")
            return read_verdict(verdict)

        return self._read(SCORES, parse)

    @cached_property
    def provenance(self) -> RunProvenance:
        """Where the run comes from."""

        def parse(path: Path) -> RunProvenance:
            data = read_json(path)
            tickers = {name: TickerOrigin(**origin) for name, origin in data.pop("tickers").items()}
            _require(tuple(tickers) == self.config.data.tickers, f"its tickers are not those of {CONFIG}")
            return RunProvenance(**data, tickers=tickers)

        return self._read(PROVENANCE, parse)

    @property
    def scaler_split(self) -> Split:
        """The split whose train bars the scalers were fitted on."""
        split = self.provenance.split
        was_refitted = self.config.training.refit and not self.provenance.interrupted
        return split.without_val if was_refitted else split

    def require_ticker(self, ticker: str) -> str:
        """Return `ticker` if the run can forecast it: it was trained on it, or on several others.

        What was learnt of several tickers, in units of their volatility, holds for more of their kind; what was
        learnt of one, or of price levels, does not.

        Raises:
            RunError: The run cannot forecast it.
        """
        config = self.config
        known = config.data.tickers
        if ticker in known or (len(known) > 1 and config.target_scale != "none"):
            return ticker
        shown = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
        why = "" if len(known) == 1 else ", and forecasts no others: its `target_scale` is none"
        raise RunError(
            f"run {self.name} was not trained on {ticker}, but on {shown}{why}",
            f"name one of those, or train on it: `lstm-stock train --set data.tickers=[{ticker}]`",
        )

    def _read_table(
        self, file: str, parse: Callable[[Path], pd.DataFrame], columns: Sequence[str]
    ) -> pd.DataFrame:
        def parse_whole(path: Path) -> pd.DataFrame:
            table = parse(path)
            missing = [name for name in columns if name not in table]
            _require(not missing, f"the columns {', '.join(missing)} are missing")
            _require(len(table) > 0, "it has no rows")
            return table

        return self._read(file, parse_whole)

    def _read(self, file: str, parse: Callable[[Path], T]) -> T:
        """Read one file; whatever is wrong with it is said with its name."""
        path = self.path / file
        try:
            return parse(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError, BadZipFile) as error:
            raise RunError(
                f"run {self.name}: `{file}` cannot be read: {' '.join(str(error).split())[:200]}",
                "the run was changed after it was saved, or made by another version: train again",
            ) from error


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise ValueError(complaint)


def save_run(runs_dir: Path, results: RunResults) -> Run:
    """Write a run folder under `runs_dir`, whole or not at all.

    Raises:
        RunError: The folder cannot be written.
    """
    config = results.config
    created = dt.datetime.fromisoformat(results.provenance.created)
    name = f"{created:%Y%m%d-%H%M%S}-{join_tickers(config.data.tickers)}-{config.model.cell}"
    return Run(save_folder(runs_dir, name, "run", lambda folder: _write_files(folder, results)))


def _write_files(folder: Path, results: RunResults) -> None:
    (folder / CONFIG).write_text(dump_yaml(results.config), encoding="utf-8")
    fitted = results.fitted
    fitted.network.save(folder / NETWORK)
    write_json(folder / SCALER, {ticker: scaler.to_json() for ticker, scaler in fitted.scalers.items()})
    write_json(folder / CALIBRATION, {ticker: one.to_json() for ticker, one in fitted.calibrators.items()})
    results.history.to_csv(folder / HISTORY, index=False)
    shutil.move(results.forecasts, folder / FORECASTS)
    write_json(folder / SCORES, {"scores": records(results.scores), "verdict": results.verdict})
    write_json(folder / PROVENANCE, asdict(results.provenance))
