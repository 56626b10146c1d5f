"""A run: the folder of one training, with config, network, scalers, calibration, history, forecasts and scores.

It is whole or absent, and never overwritten. No pickle: YAML, JSON, CSV, Parquet, and Keras' own format in safe
mode.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import pyarrow as pa

from lstm_stock.config import Config, load_saved_config
from lstm_stock.config.cells import CELLS
from lstm_stock.config.heads import HEADS
from lstm_stock.config.scales import SCALES
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.series import FittedTicker
from lstm_stock.dataset.split import Split
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.errors import ConfigError, RunError, UnusableTickerError
from lstm_stock.prices.reader import TickerOrigin
from lstm_stock.prices.table import PriceHistory
from lstm_stock.readback import MAX_JSON, parse_json, read_file
from lstm_stock.runs.files import (
    CALIBRATION,
    CONFIG,
    FORECASTS,
    HISTORY,
    NETWORK,
    ONNX,
    PROVENANCE,
    REGRESSIONS,
    SCALER,
    SCORES,
    read_forecasts,
    read_history,
    records,
    write_json,
)
from lstm_stock.runs.folder import save_folder
from lstm_stock.runs.provenance import RunProvenance, file_hash
from lstm_stock.runs.saved import (
    ADDED_SCORES,
    SavedCalibrators,
    SavedPooled,
    SavedProvenance,
    SavedScalers,
    SavedScores,
)
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS
from lstm_stock.scoring.scores import SCORE_COLUMNS

if TYPE_CHECKING:
    import keras

    from lstm_stock.network.forecast import Network


ADDED_COLUMNS = ("trailing_vol", "p_up", *ADDED_SCORES)
"""Columns of forecasts and scores that runs of older versions lack; they are read as NaN."""

MAX_BYTES = 2**30
"""A larger file is no network of this package."""

HISTORY_COLUMNS = ("member", "epoch", "loss", "val_loss", "learning_rate")

T = TypeVar("T")


@dataclass(frozen=True)
class ModelArtifacts:
    """What a forecast needs of a training; scalers and calibrators by ticker.

    `regressions` are the baselines that are regressions over many tickers, by name. `onnx` is the
    content of the network's ONNX file; None where it cannot be exported.
    """

    network: keras.Model
    scalers: dict[str, FittedTicker]
    calibrators: dict[str, Calibrator]
    regressions: Mapping[str, PooledT] = field(default_factory=dict)
    onnx: bytes | None = None


@dataclass(frozen=True)
class RunResults:
    """The results of a training; `forecasts` is a file, which `save_run` moves into the run."""

    config: Config
    fitted: ModelArtifacts
    history: pd.DataFrame
    forecasts: Path
    scores: pd.DataFrame
    provenance: RunProvenance
    verdict: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A saved run; each property reads its file at first use, and raises RunError if it cannot be read."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def model_name(self) -> str:
        """The name of the network in tables."""
        return self.config.model_name

    @property
    def fitted_names(self) -> tuple[str, ...]:
        """The keys of `scalers` and `calibrators`: the tickers of the config."""
        return self.config.data.tickers

    def is_fitted_to(self, ticker: str) -> bool:
        """Return whether scaler and calibrator of a ticker are saved: whether it was trained on."""
        return ticker in self.provenance.tickers

    @cached_property
    def config(self) -> Config:
        """The resolved config."""
        return self._read(CONFIG, load_saved_config)

    @cached_property
    def network(self) -> keras.Model:
        """The ensemble of all members; its output is `lstm_stock.network.architecture.Params`.

        Loads TensorFlow; `forecaster` is what forecasts.
        """
        from lstm_stock.network.tensorflow_setup import load_tensorflow

        load_tensorflow()
        from lstm_stock.network.build import load_network

        def parse(path: Path) -> keras.Model:
            self._saved_content(path)
            network = load_network(path, self.config.model.cell)
            expected = (None, self.config.window.look_back, len(self.config.columns))
            n_inputs = 2 if self.config.model.ticker_embedding else 1
            _require(len(network.inputs) == n_inputs, f"it has {len(network.inputs)} inputs, not {n_inputs}")
            shape = tuple(network.inputs[0].shape)
            _require(shape == expected, f"its input is {shape}, not {expected}")
            found, outputs = tuple(network.outputs[0].shape), self._outputs_per_member
            _require(
                len(found) == 4 and found[2:] == outputs,
                f"its output is {found}, not that of the head {self.config.model.head}, {outputs} of each member",
            )
            n_params = network.count_params()
            _require(n_params == self.provenance.n_params, f"it has {n_params} parameters, not as saved")
            return network

        return self._read(NETWORK, parse)

    @property
    def _outputs_per_member(self) -> tuple[int, int]:
        """Steps and parameters per step that the network outputs, by the config."""
        model = self.config.model
        n_steps = 1 if CELLS[model.cell].one_step else self.config.window.horizon
        return n_steps, HEADS[model.head].n_params or model.vocabulary

    @cached_property
    def forecaster(self) -> Network:
        """The network that forecasts: the ONNX file if the run was saved with one, which needs no TensorFlow."""
        if ONNX not in self.provenance.network_hashes:
            return self.network  # type: ignore[no-any-return]
        from lstm_stock.network.onnx.session import OnnxNetwork, Signature

        config = self.config
        horizon, n_params = self._outputs_per_member
        signature = Signature(
            look_back=config.window.look_back,
            n_features=len(config.columns),
            has_ticker=config.model.ticker_embedding > 0,
            horizon=horizon,
            n_params=n_params,
        )
        return self._read(ONNX, lambda path: OnnxNetwork(self._saved_content(path), signature))

    @cached_property
    def scalers(self) -> dict[str, FittedTicker]:
        """What was fitted on the train bars of each ticker."""

        def parse(path: Path) -> dict[str, FittedTicker]:
            saved = parse_json(SavedScalers, read_file(path, MAX_JSON))
            scalers = {
                name: FittedTicker.from_json(one.model_dump(), self.config.target_scale)
                for name, one in saved.items()
            }
            _require(tuple(scalers) == self.fitted_names, f"its tickers are not those of {CONFIG}")
            features = {scaler.scaler.features for scaler in scalers.values()}
            _require(features == {self.config.columns}, f"its features are not those of {CONFIG}")
            return scalers

        return self._read(SCALER, parse)

    @cached_property
    def calibrators(self) -> dict[str, Calibrator]:
        """What scales the intervals of each ticker."""

        def parse(path: Path) -> dict[str, Calibrator]:
            saved = parse_json(SavedCalibrators, read_file(path, MAX_JSON))
            calibrators = {name: Calibrator.from_json(one.model_dump()) for name, one in saved.items()}
            _require(tuple(calibrators) == self.fitted_names, f"its tickers are not those of {CONFIG}")
            expected = (self.config.calibration, LEVELS, (self.config.window.horizon, len(LEVELS)))
            found = {(one.kind, one.levels, one.factors.shape) for one in calibrators.values()}
            _require(found == {expected}, f"it is not the calibration of {CONFIG}")
            return calibrators

        return self._read(CALIBRATION, parse)

    @cached_property
    def regressions(self) -> dict[str, PooledT]:
        """The baselines that are regressions over many tickers, by name; a run of an older version has none."""

        def parse(path: Path) -> PooledT:
            saved, columns = parse_json(SavedPooled, read_file(path, MAX_JSON)), self.config.columns
            _require(saved.features == list(columns), f"its features are not those of {CONFIG}")
            return PooledT.from_json(saved.model_dump(), len(columns), self.config.window.horizon)

        files = {name: file for name, file in REGRESSIONS.items() if os.path.lexists(self.path / file)}
        return {name: self._read(file, parse) for name, file in files.items()}

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per member and epoch."""
        return self._read_table(HISTORY, read_history, HISTORY_COLUMNS)

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """All forecasts of the test period, columns `FORECAST_COLUMNS`."""
        return self._read_table(FORECASTS, read_forecasts, FORECAST_COLUMNS)

    def forecasts_of(self, ticker: str) -> pd.DataFrame:
        """Read the forecasts of one ticker, columns `FORECAST_COLUMNS`."""
        return self._read_table(FORECASTS, lambda path: read_forecasts(path, ticker), FORECAST_COLUMNS)

    @cached_property
    def _saved_scores(self) -> SavedScores:
        return self._read(SCORES, lambda path: parse_json(SavedScores, read_file(path, MAX_JSON)))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The score table, columns `SCORE_COLUMNS`."""

        def parse(_: Path) -> pd.DataFrame:
            rows = self._saved_scores.model_dump(include={"scores"})["scores"]
            table = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
            numbers = [name for name in SCORE_COLUMNS if name not in ("ticker", "model", "step")]
            table[numbers] = table[numbers].astype(np.float64)
            unknown = set(table["ticker"]) - set(self.config.data.tickers)
            _require(not unknown, f"its tickers are not those of {CONFIG}")
            first = table[(table["step"] == 1) & (table["model"] == self.model_name)]
            _require(
                set(first["ticker"]) == set(table["ticker"]),
                f"it has no scores of {self.model_name} at step 1",
            )
            _require(not table.duplicated(["ticker", "model", "step"]).any(), "it has scores twice")
            _require(
                table["step"].max() <= self.config.window.horizon, f"its steps are not those of {CONFIG}"
            )
            return table

        return self._read(SCORES, parse)

    @property
    def saved_verdict(self) -> dict[str, Any]:
        """The verdict as it was saved, perhaps by an older version; empty in a run saved without one."""
        return self._saved_scores.plain_verdict()

    @cached_property
    def verdict(self) -> dict[str, Any]:
        """The verdict of `lstm_stock.scoring.verdict.judge`; empty in a run saved without one."""
        from lstm_stock.scoring.verdict import read_verdict  # loads scipy.stats, which few commands need

        return self._read(SCORES, lambda _: read_verdict(self.saved_verdict))

    @cached_property
    def provenance(self) -> RunProvenance:
        """What produced the run."""

        def parse(path: Path) -> RunProvenance:
            data = parse_json(SavedProvenance, read_file(path, MAX_JSON)).model_dump()
            tickers = {name: TickerOrigin(**origin) for name, origin in data.pop("tickers").items()}
            _require(tuple(tickers) == self.config.data.tickers, f"its tickers are not those of {CONFIG}")
            covariates = {name: TickerOrigin(**origin) for name, origin in data.pop("covariates").items()}
            complaint = f"its covariates are not those of {CONFIG}"
            _require(tuple(covariates) == self.config.data.covariates, complaint)
            origins = [*tickers.values(), *covariates.values()]
            is_price = all(one.first_close > 0 for one in origins)
            _require(is_price or self.config.of_values, "a first close is not above 0")
            return RunProvenance(**data, tickers=tickers, covariates=covariates)

        return self._read(PROVENANCE, parse)

    @property
    def scored_tickers(self) -> tuple[str, ...]:
        """The tickers with forecasts and scores: those whose bars do not end before the test period."""
        return tuple(self.scores["ticker"].unique())

    @property
    def scaler_split(self) -> Split:
        """The split whose train bars the scalers were fitted on."""
        split = self.provenance.split
        was_refitted = self.config.training.refit and not self.provenance.interrupted
        return split.without_val if was_refitted else split

    def require_ticker(self, ticker: str) -> str:
        """Return `ticker` if the run can forecast it.

        A run of several tickers, with targets in units of volatility, forecasts any ticker. A run of one ticker,
        or of unscaled targets, forecasts only what it was trained on.

        Raises:
            RunError: The run cannot forecast it.
        """
        config = self.config
        trained = config.data.tickers
        if ticker in trained or (len(trained) > 1 and SCALES[config.target_scale].is_volatility):
            return ticker
        shown = ", ".join(trained[:10]) + (f" and {len(trained) - 10} more" if len(trained) > 10 else "")
        scale = config.target_scale
        why = "" if len(trained) == 1 else f", and forecasts no others: its `target_scale` is {scale}"
        raise RunError(
            f"run {self.name} was not trained on {ticker}, but on {shown}{why}",
            f"name one of those, or train on it: `lstm-stock train --set data.tickers={ticker}`",
        )

    def require_prices(self, what: str) -> None:
        """Raise a ConfigError if the run forecasts series of values.

        Args:
            what: What is for prices alone, such as `--ask`.

        Raises:
            ConfigError: It does.
        """
        if self.config.of_values:
            raise ConfigError(
                f"{what} is for prices, and {self.name} forecasts series of values",
                "`predict`, `plot`, `backtest` and `leakcheck` serve them",
            )

    def require_kind(self, history: PriceHistory) -> None:
        """Raise an UnusableTickerError for prices if the run forecasts series of values, and vice versa."""
        if history.has_values == self.config.of_values:
            return
        ticker = history.ticker
        kinds = ("a series of values", "prices") if history.has_values else ("prices", "series of values")
        raise UnusableTickerError(
            f"{ticker} is {kinds[0]}, and {self.name} forecasts {kinds[1]}",
            f"train a network on it, `lstm-stock train {ticker}`, and forecast with `--run newest`",
        )

    def require_unseen(self, start: dt.date) -> None:
        """Raise an error if the network learned from prices of `start` or later.

        Its train and val bars end where the test period starts. That holds for tickers it was not trained on, too:
        it has seen other tickers on those days, on which prices move together.

        Raises:
            ConfigError: `start` is before the test period.
        """
        test_start = self.provenance.test_start
        if start.isoformat() < test_start:
            raise ConfigError(
                f"run {self.name} learned from the prices before {test_start}, of all tickers it was trained on: "
                f"scores from {start} on would not test it",
                f"choose `--start {test_start}` or later; `--in-sample` scores the period and marks the result",
            )

    def _saved_content(self, path: Path) -> bytes:
        """Read a file of the network; ValueError if it is not the one that was saved, as far as that is known."""
        content = read_file(path, MAX_BYTES)
        expected = self.provenance.network_hashes.get(path.name)
        _require(expected in (None, file_hash(content)), "it is not the file that was saved")
        return content

    def _check_forecasts(self, table: pd.DataFrame) -> None:
        """Check what every forecast must have; ValueError if it has not."""
        for name in ("ticker", "model", "cutoff", "step", "date"):
            _require(
                name not in table or bool(table[name].notna().all()), f"`{name}` is missing in rows of it"
            )
        for name in ("last_close", "y_true"):
            finite = name not in table or bool(np.isfinite(table[name].to_numpy(np.float64)).all())
            _require(finite, f"its `{name}` are not finite")

    def _read_table(
        self, file: str, parse: Callable[[Path], pd.DataFrame], columns: Sequence[str]
    ) -> pd.DataFrame:
        def parse_whole(path: Path) -> pd.DataFrame:
            table = parse(path)
            if "last_close" in columns:
                self._check_forecasts(table)
            missing = [name for name in columns if name not in table]
            lost = [name for name in missing if name not in ADDED_COLUMNS]
            _require(not lost, f"the columns {', '.join(lost)} are missing")
            _require(len(table) > 0, "it has no rows")
            return table.assign(**dict.fromkeys(missing, np.nan))

        return self._read(file, parse_whole)

    def _read(self, file: str, parse: Callable[[Path], T]) -> T:
        """Read one file; RunError names it if it cannot be read."""
        path = self.path / file
        try:
            return parse(path)
        except (
            *(OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError),
            *(ConfigError, BadZipFile, pa.ArrowException),
        ) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise RunError(
                f"run {self.name}: `{file}` cannot be read: {' '.join(reason.split())[:200]}",
                "the run was changed after it was saved, or made by another version: train again",
            ) from error


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise ValueError(complaint)


def write_network(folder: Path, fitted: ModelArtifacts) -> dict[str, str]:
    """Write the files of a network, and return `RunProvenance.network_hashes`; OSError if the disk refuses."""
    fitted.network.save(folder / NETWORK)
    hashes = {NETWORK: file_hash((folder / NETWORK).read_bytes())}
    if fitted.onnx is not None:
        (folder / ONNX).write_bytes(fitted.onnx)
        hashes[ONNX] = file_hash(fitted.onnx)
    return hashes


def write_regressions(folder: Path, config: Config, fitted: ModelArtifacts) -> None:
    """Write a file for each regression; OSError if the disk refuses."""
    for name, one in fitted.regressions.items():
        write_json(
            folder / REGRESSIONS[name], {"features": list(config.columns)} | one.to_json(), indent=None
        )


def save_run(runs_dir: Path, results: RunResults) -> Run:
    """Write the folder of a run under `runs_dir`, whole or not at all.

    Raises:
        RunError: The folder cannot be written.
    """
    fitted = results.fitted

    def write(folder: Path) -> dict[str, Any]:
        hashes = write_network(folder, fitted)
        write_json(folder / SCALER, {ticker: scaler.to_json() for ticker, scaler in fitted.scalers.items()})
        write_json(
            folder / CALIBRATION, {ticker: one.to_json() for ticker, one in fitted.calibrators.items()}
        )
        write_regressions(folder, results.config, fitted)
        results.history.to_csv(folder / HISTORY, index=False)
        shutil.move(results.forecasts, folder / FORECASTS)
        write_json(folder / SCORES, {"scores": records(results.scores), "verdict": results.verdict})
        return {"network_hashes": hashes}

    return Run(save_folder(runs_dir, "run", results.config, results.provenance, write))
