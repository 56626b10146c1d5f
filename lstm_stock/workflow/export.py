"""Export the network of a run for use without this package: ONNX file, description, example."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lstm_stock.atomic import write_dir_atomically
from lstm_stock.config import Config
from lstm_stock.config.covariates import COVARIATE_FEATURES, is_covariate_feature, split_feature
from lstm_stock.config.features import FEATURES, FeatureKind, feature_of
from lstm_stock.config.scales import SCALES
from lstm_stock.dataset.scaler import Scaler
from lstm_stock.dataset.series import UNKNOWN_TICKER_ID, TickerSeries, apply_ticker
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Mixture
from lstm_stock.errors import ConfigError, RunError, ShortHistoryError
from lstm_stock.network.heads import head_of
from lstm_stock.network.onnx.meaning import MEANINGS, Meaning
from lstm_stock.network.onnx.session import PARAMS, TICKER, WINDOW, OnnxNetwork
from lstm_stock.runs.files import ONNX, write_json
from lstm_stock.runs.folder import cannot_save
from lstm_stock.runs.run import Run
from lstm_stock.workflow.forecast import forecast_network
from lstm_stock.workflow.predict import last_windows
from lstm_stock.workflow.run_bars import RunBars

DESCRIPTION, EXAMPLE, SCRIPT = "model.json", "example.json", "example.py"

EXPORTED = (ONNX, DESCRIPTION, EXAMPLE, SCRIPT)
"""The files of an export."""

UNITS: dict[FeatureKind, str] = {
    "return": "in units of the target scale of the day before",
    "log_range": "log, less the log of the target scale of the day before",
    "log_vol": "log, less the log of the target scale of the same day",
    "plain": "no unit",
    "level": "price or volume in its own units",
}
"""The unit of a feature, by its kind."""


def export_run(bars: RunBars, ticker: str, folder: Path, force: bool = False) -> Path:
    """Export a network with the forecast of a ticker's newest window as its example.

    Args:
        bars: The bars that the run reads.
        ticker: The ticker of the example.
        folder: The new folder: ONNX file, description, example inputs with their forecast, and a script that
            reproduces it with NumPy and onnxruntime.
        force: Whether to replace an earlier export.

    Returns:
        The path of the folder.

    Raises:
        ConfigError: The folder exists and may not be replaced, or the run forecasts series of values.
        RunError: The run has no ONNX file, or the folder cannot be written.
        DataError: Prices are missing or too few.
    """
    _require_free(folder, force)
    run = bars.run
    run.require_prices("`export`")
    forecaster = run.forecaster
    if not isinstance(forecaster, OnnxNetwork):
        raise RunError(
            f"run {run.name} has no {ONNX}: it was made by an earlier version, or its network cannot be exported",
            "train again; `train` notes why a network cannot be exported",
        )
    meaning = MEANINGS.get(run.config.model.head)
    if meaning is None:
        raise RunError(f"run {run.name}: the output of its head {run.config.model.head} has no description")
    run.require_ticker(ticker)
    adjusted = bars.adjusted(ticker)
    if adjusted.empty:
        raise ShortHistoryError(f"{ticker} has no bar on or before {bars.end}", "choose a later date")
    windows, _ = last_windows(bars, ticker)
    newest, series = replace(windows, cutoffs=windows.cutoffs[-1:]), windows.series
    unscaled = apply_ticker(ticker, adjusted, bars.spec, replace(series.fitted, scaler=_identity(series)))
    example = _example(run.config, forecaster, newest, replace(newest, series=unscaled), meaning)
    description = _description(run, forecaster, series, meaning)

    def write(building: Path) -> None:
        (building / ONNX).write_bytes((run.path / ONNX).read_bytes())
        write_json(building / DESCRIPTION, description)
        write_json(building / EXAMPLE, example)
        (building / SCRIPT).write_text(_script(run.config, meaning), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)

    try:
        return write_dir_atomically(folder.parent, folder.name, write)
    except OSError as error:
        raise cannot_save(folder, error, "export") from error


def _require_free(folder: Path, force: bool) -> None:
    """Raise a ConfigError unless the folder is new, or an earlier export that may be replaced."""
    if not os.path.lexists(folder):
        return
    if not force:
        raise ConfigError(f"{folder} exists already", "choose another folder, or replace it with `--force`")
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - set(EXPORTED):
        raise ConfigError(f"{folder} is no earlier export: it would be deleted", "choose another folder")


def _identity(series: TickerSeries) -> Scaler:
    """Return a scaler that changes nothing."""
    names = series.fitted.scaler.features
    ones = np.ones(len(names))
    return Scaler(names, 0 * ones, ones, -np.inf * ones, np.inf * ones)


def _example(
    config: Config, forecaster: OnnxNetwork, newest: Windows, unscaled: Windows, meaning: Meaning
) -> dict[str, Any]:
    """Return the inputs of one window, and what the package forecasts from it."""
    forecast, fitted = forecast_network(config, forecaster, newest), newest.series.fitted
    members = forecast.components if isinstance(forecast, Mixture) else [forecast]
    values = [meaning.values(one) for one in members]
    is_price = config.target == "close"
    unit = np.full(newest.spec.horizon, fitted.close_scale) if is_price else newest.volatility_scale[0]
    return {
        "ticker": newest.series.ticker,
        "cutoff": str(newest.series.dates[newest.cutoffs[0]]),
        "window": unscaled.inputs[0].astype(np.float64).tolist(),
        "ticker_id": int(newest.ticker_ids[0]) if newest.spec.tickers else None,
        "unit": unit.tolist(),
        "price_offset": fitted.close_offset if is_price else None,
        "last_close": float(newest.last_close[0, 0]),
        "forecast": {name: [one[name][0].tolist() for one in values] for name in values[0]},
    }


def _description(run: Run, forecaster: OnnxNetwork, series: TickerSeries, meaning: Meaning) -> dict[str, Any]:
    """Return what is needed to use the network: inputs in order, units, scaling, meaning of the output."""
    config = run.config
    look_back, horizon, n_columns = config.window.look_back, config.window.horizon, len(config.columns)
    inputs: list[dict[str, Any]] = [
        {
            "name": WINDOW,
            "type": "float32",
            "shape": ["windows", look_back, n_columns],
            "axes": "windows; bars, the oldest first and the cutoff last; features, in the order of `features`",
        }
    ]
    if config.model.ticker_embedding:
        ids = {name: i for i, name in enumerate(config.data.tickers, start=1)}
        inputs.append(
            {
                "name": TICKER,
                "type": "int32",
                "shape": ["windows"],
                "ids": ids,
                "any_other": UNKNOWN_TICKER_ID,
            }
        )
    is_price = config.target == "close"
    scalers = {name: one.scaler.to_json() for name, one in run.scalers.items()}
    return {
        "package": f"lstm-stock {version('lstm-stock')}",
        "run": run.name,
        "sha256": run.provenance.network_hashes[ONNX],
        "learned_from_prices_before": run.provenance.test_start,
        "inputs": inputs,
        "features": [{"name": name, **_feature(name)} for name in config.columns],
        "scaling": "(clip(x, low, high) - offset) / scale, for each feature; null is no bound",
        "scalers": scalers | {series.ticker: series.fitted.scaler.to_json()},
        "output": {
            "name": PARAMS,
            "type": "float32",
            "shape": ["windows", forecaster.n_members, horizon, len(meaning.parameters)],
            "axes": "windows; members; steps 1 to horizon, in sessions after the cutoff; parameters",
            "parameters": meaning.parameters,
        },
        "forecast": {
            "of": "the log return from the close of the cutoff to the close of each step, dividends included",
            "distribution": meaning.distribution,
            "values": meaning.expressions(is_price),
            "unit": "range of the train closes"
            if is_price
            else f"volatility of one session (target_scale {config.target_scale}: "
            f"{SCALES[config.target_scale].purpose}) x sqrt(step)",
            "members": "that of the mean parameters"
            if head_of(config.model.head).averages_params
            else "the mixture of the members, of equal weights",
            "calibration": f"{config.calibration}: `lstm-stock predict` scales the distance of the interval ends "
            "from the median, which is not part of the network",
        },
    }


def _feature(column: str) -> dict[str, str]:
    """Return what a feature measures, and its unit."""
    if is_covariate_feature(column):
        covariate, name = split_feature(column)
        return {"what": f"{COVARIATE_FEATURES[name].purpose} of {covariate}", "unit": UNITS["plain"]}
    name, step = feature_of(column)
    spec = FEATURES[name]
    what = f"{spec.purpose}, for step {step}" if spec.by_step else spec.purpose
    return {"what": what, "unit": UNITS[spec.kind]}


def _script(config: Config, meaning: Meaning) -> str:
    """Return the example: it needs NumPy and onnxruntime, and not this package."""
    is_price = config.target == "close"
    ticker = (
        f', "{TICKER}": np.array([example["ticker_id"]], "int32")' if config.model.ticker_embedding else ""
    )
    prices = ["", 'price_offset, last_close = example["price_offset"], example["last_close"]\n'][is_price]
    mean = head_of(config.model.head).averages_params
    values = "".join(
        f'    "{name}": {expression},\n' for name, expression in meaning.expressions(is_price).items()
    )
    return f'''"""Reproduce the forecast of the newest window: {DESCRIPTION} explains inputs and output."""

import json
from pathlib import Path

import numpy as np
import onnxruntime

folder = Path(__file__).parent
model, example = (json.loads((folder / name).read_text()) for name in ("{DESCRIPTION}", "{EXAMPLE}"))
scaler = model["scalers"][example["ticker"]].values()
bounds = [[one[key] for key in ("low", "high", "offset", "scale")] for one in scaler]
low, high, offset, scale = np.array(bounds, float).T
window = (np.fmax(np.fmin(example["window"], high), low) - offset) / scale  # no bound is NaN, which both ignore
inputs = {{"{WINDOW}": window[None].astype("float32"){ticker}}}
session = onnxruntime.InferenceSession(folder / "{ONNX}")
params = session.run(["{PARAMS}"], inputs)[0][0].astype(float){".mean(axis=0, keepdims=True)" if mean else ""}
unit = np.array(example["unit"])
{prices}forecast = {{
{values}}}
for name, values in forecast.items():
    np.testing.assert_allclose(values, example["forecast"][name], rtol=1e-4, atol=1e-7)
    print(name, values.tolist())
'''
