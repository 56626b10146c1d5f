"""What a backtest leaves on disk: its finished parts while it runs, and one folder of results at the end.

A part is whole or absent, and so is the folder of results. The parts lie in a hidden folder named by a key of all
that decides the results, so that the same backtest finds them again and another one does not. No pickle: Parquet,
CSV, JSON and YAML.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_stock.atomic import WorkDir
from lstm_stock.config import Config, dump_yaml
from lstm_stock.prices.reader import TickerOrigin
from lstm_stock.runs.files import join_tickers, records, write_json
from lstm_stock.runs.folder import cannot_save, save_folder
from lstm_stock.runs.provenance import fingerprint, fingerprint_inputs
from lstm_stock.runs.run import CONFIG, FOLDS, FORECASTS, PROVENANCE, SCORES
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS

_METADATA_KEY = b"lstm_stock"


@dataclass(frozen=True)
class FoldPart:
    """What one worker gives back: forecasts of one fold, by the network or by one ticker's baselines.

    Attributes:
        forecasts: Columns `FORECAST_COLUMNS`.
        facts: How it was fitted: plain values.
    """

    forecasts: pd.DataFrame
    facts: dict[str, Any]


def backtest_key(config: Config, origins: dict[str, TickerOrigin], n_folds: int, window: str) -> str:
    """Return the hash of everything that decides the results: settings, prices, folds, packages, this code."""
    return fingerprint({**fingerprint_inputs(config, origins), "n_folds": n_folds, "window": window})


class PartsFolder:
    """The finished parts of one backtest, kept until its results are saved.

    Used as a context, it keeps another process from working on the same backtest at the same time.

    Args:
        runs_dir: Where the results will be.
        key: `backtest_key`.
    """

    def __init__(self, runs_dir: Path, key: str) -> None:
        self._kept = WorkDir(runs_dir, "backtest", key)
        self.path = self._kept.path

    def __enter__(self) -> PartsFolder:
        """Make the folder and lock it; RunError if it cannot be made or is in use."""
        try:
            self._kept.__enter__()
        except OSError as error:
            raise cannot_save(self._kept.path.parent, error, "backtest") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock the folder, and remove it if no part is in it."""
        self._kept.__exit__()

    def read(self, name: str) -> FoldPart | None:
        """Return a finished part; None if there is none, or if what is there cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            part = _from_arrow(pq.read_table(self._file(name)))
        except (OSError, KeyError, ValueError, pa.ArrowException):
            return None
        return part if list(part.forecasts) == list(FORECAST_COLUMNS) else None

    def write(self, name: str, part: FoldPart) -> FoldPart:
        """Keep a part: written beside its place, flushed to the disk and renamed.

        Returns:
            The part as `read` will give it, so that nothing tells parts done now from parts done earlier.

        Raises:
            RunError: The disk refuses.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = pa.Table.from_pandas(part.forecasts, preserve_index=False)
        metadata = {**(arrow.schema.metadata or {}), _METADATA_KEY: json.dumps(part.facts).encode()}
        arrow = arrow.replace_schema_metadata(metadata)
        try:
            self._kept.write(self._file(name).name, lambda file: pq.write_table(arrow, file))
        except OSError as error:
            raise cannot_save(self._kept.path.parent, error, "backtest") from error
        return _from_arrow(arrow)

    def remove(self) -> None:
        """Forget the parts: the results are saved."""
        self._kept.remove()

    def _file(self, name: str) -> Path:
        return self._kept.path / f"{name}.parquet"


def _from_arrow(arrow: Any) -> FoldPart:
    facts = json.loads((arrow.schema.metadata or {})[_METADATA_KEY])
    # Parquet counts milliseconds at the least.
    forecasts = arrow.to_pandas().astype(dict.fromkeys(("cutoff", "date"), "datetime64[s]"))
    return FoldPart(forecasts, facts)


@dataclass(frozen=True)
class BacktestProvenance:
    """Where a backtest comes from.

    Attributes:
        created: ISO time of its last start; an interrupted backtest may have begun before.
        seed: The first network's.
        n_folds: How many refits.
        window: `expanding` or `rolling`.
        backend: Who did the work.
        jobs: How many workers were asked for.
        fit_seconds: Time the workers took, added up, over all starts.
        tickers: Where the prices of each came from.
        packages: Versions.
        python: Version.
        platform: Of the machine that pooled the folds.
    """

    created: str
    seed: int
    n_folds: int
    window: str
    backend: str
    jobs: int
    fit_seconds: float
    tickers: dict[str, TickerOrigin]
    packages: dict[str, str]
    python: str
    platform: str


@dataclass(frozen=True)
class Backtest:
    """The results of a backtest.

    Attributes:
        config: The resolved config.
        folds: One row a fold: its number, its dates, its windows, how long its network learnt.
        forecasts: `FORECAST_COLUMNS` and `fold`, of all folds.
        scores: Scores of the pooled forecasts, `SCORE_COLUMNS`.
        fold_scores: `fold` and `SCORE_COLUMNS`: the scores of each fold alone.
        verdict: `lstm_stock.scoring.verdict.judge` of the pooled forecasts.
        provenance: Where it comes from.
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
    config = results.config
    created = dt.datetime.fromisoformat(results.provenance.created)
    name = f"{created:%Y%m%d-%H%M%S}-{join_tickers(config.data.tickers)}-{config.model.cell}-backtest"

    def write(folder: Path) -> None:
        (folder / CONFIG).write_text(dump_yaml(config), encoding="utf-8")
        results.folds.to_csv(folder / FOLDS, index=False)
        results.forecasts.to_parquet(folder / FORECASTS, index=False)
        scores = {
            "scores": records(results.scores),
            "verdict": results.verdict,
            "folds": records(results.fold_scores),
        }
        write_json(folder / SCORES, scores)
        write_json(folder / PROVENANCE, asdict(results.provenance))

    return save_folder(runs_dir, name, "backtest", write)
