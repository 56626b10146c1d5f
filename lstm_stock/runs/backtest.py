"""A backtest on disk: its finished parts while it runs, and one folder of results at the end.

The hidden folder of the parts is named by a key of everything that decides the results: only the same backtest
finds them again. Parts and results are whole or absent. No pickle: Parquet, CSV, JSON and YAML.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_stock.atomic import WorkDir
from lstm_stock.config import Config
from lstm_stock.prices.reader import TickerOrigin
from lstm_stock.readback import open_file, parse_json
from lstm_stock.runs.files import FOLDS, FORECASTS, SCORES, records, write_json
from lstm_stock.runs.folder import cannot_save, save_folder
from lstm_stock.runs.provenance import BacktestProvenance, fingerprint, fingerprint_inputs
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, OWN_UNITS

_METADATA_KEY = b"lstm_stock"


@dataclass(frozen=True)
class FoldPart:
    """One part of a backtest: the forecasts of one fold, by the network or by one ticker's baselines.

    Attributes:
        forecasts: Columns `FORECAST_COLUMNS`.
        facts: Plain values on the fit, such as `seconds`.
    """

    forecasts: pd.DataFrame
    facts: dict[str, Any]


def backtest_key(config: Config, origins: dict[str, TickerOrigin], n_folds: int, window: str) -> str:
    """Return the hash of everything that decides the results: settings, prices, folds, packages, this code."""
    return fingerprint({**fingerprint_inputs(config, origins), "n_folds": n_folds, "window": window})


class PartsFolder:
    """The finished parts of one backtest, on disk until its results are saved.

    Used as a context, it keeps other processes from working on the same backtest.

    Args:
        runs_dir: Where the results will be.
        key: `backtest_key`.
    """

    def __init__(self, runs_dir: Path, key: str) -> None:
        self._work_dir = WorkDir(runs_dir, "backtest", key)
        self.path = self._work_dir.path

    def __enter__(self) -> PartsFolder:
        """Make the folder and lock it; RunError if it cannot be made, or another process holds it."""
        try:
            self._work_dir.__enter__()
        except OSError as error:
            raise cannot_save(self._work_dir.path.parent, error, "backtest") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock the folder, and remove it if no part is in it."""
        self._work_dir.__exit__()

    def read(self, name: str) -> FoldPart | None:
        """Return a finished part; None if there is none, or if it cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with open_file(self._file(name)) as file, pq.ParquetFile(file, pre_buffer=False) as parquet:
                part = _from_arrow(parquet.read(use_threads=False))
        except (OSError, KeyError, ValueError, TypeError, OverflowError, pa.ArrowException):
            return None
        columns = [name for name in part.forecasts if name != OWN_UNITS]
        return part if columns == list(FORECAST_COLUMNS) else None

    def write(self, name: str, part: FoldPart) -> FoldPart:
        """Write a part, whole or not at all.

        Returns:
            The part as `read` returns it, so that parts done now equal parts done earlier.

        Raises:
            RunError: The disk refuses.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = pa.Table.from_pandas(part.forecasts, preserve_index=False)
        metadata = {**(arrow.schema.metadata or {}), _METADATA_KEY: json.dumps(part.facts).encode()}
        arrow = arrow.replace_schema_metadata(metadata)
        try:
            self._work_dir.write(self._file(name).name, lambda file: pq.write_table(arrow, file))
        except OSError as error:
            raise cannot_save(self._work_dir.path.parent, error, "backtest") from error
        return _from_arrow(arrow)

    def remove(self) -> None:
        """Delete the parts: the results are saved."""
        self._work_dir.remove()

    def _file(self, name: str) -> Path:
        return self._work_dir.path / f"{name}.parquet"


def _from_arrow(arrow: Any) -> FoldPart:
    facts = parse_json(dict[str, Any], (arrow.schema.metadata or {})[_METADATA_KEY])
    # Parquet has no unit of seconds.
    forecasts = arrow.to_pandas().astype(dict.fromkeys(("cutoff", "date"), "datetime64[s]"))
    return FoldPart(forecasts, facts)


@dataclass(frozen=True)
class Backtest:
    """The results of a backtest.

    Attributes:
        config: The resolved config.
        folds: One row per fold: number, dates, window counts, epochs of its network.
        forecasts: Forecasts of all folds: `FORECAST_COLUMNS` and `fold`.
        scores: Scores of the pooled forecasts: `SCORE_COLUMNS`.
        fold_scores: Scores of each fold: `fold` and `SCORE_COLUMNS`.
        verdict: `lstm_stock.scoring.verdict.judge` of the pooled forecasts.
        provenance: What produced it.
    """

    config: Config
    folds: pd.DataFrame
    forecasts: pd.DataFrame
    scores: pd.DataFrame
    fold_scores: pd.DataFrame
    verdict: dict[str, Any]
    provenance: BacktestProvenance


def save_backtest(runs_dir: Path, results: Backtest) -> Path:
    """Write the results to a new folder under `runs_dir`, whole or not at all, and return its path.

    Raises:
        RunError: The folder cannot be written.
    """

    def write(folder: Path) -> dict[str, Any]:
        results.folds.to_csv(folder / FOLDS, index=False)
        results.forecasts.to_parquet(folder / FORECASTS, index=False)
        scores = {
            "scores": records(results.scores),
            "verdict": results.verdict,
            "folds": records(results.fold_scores),
        }
        write_json(folder / SCORES, scores)
        return {}

    return save_folder(runs_dir, "backtest", results.config, results.provenance, write)
