"""The folder of a run or a backtest: whether it can be written, and writing it whole or not at all."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from lstm_stock.atomic import write_dir_atomically
from lstm_stock.config import Config, dump_yaml
from lstm_stock.errors import RunError
from lstm_stock.runs.files import CONFIG, PROVENANCE, join_tickers, write_json
from lstm_stock.runs.provenance import BacktestProvenance, RunProvenance

Kind = Literal["run", "backtest", "evaluation", "export", "pretraining"]


def runs_folder(path: str | Path | None = None) -> Path:
    """Return the folder of runs: `path`, or else the environment variable `LSTM_STOCK_RUNS`, or else `runs`."""
    return Path(path or os.environ.get("LSTM_STOCK_RUNS") or "runs")


def require_writable(runs_dir: Path, kind: Kind = "run") -> None:
    """Check that a run can be saved, before hours are spent on training it.

    Nothing is left behind: a folder that does not exist is not made, its nearest parent is tried.

    Raises:
        RunError: Nothing can be written there.
    """
    try:
        nearest = next(path for path in (runs_dir, *runs_dir.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise cannot_save(runs_dir, error, kind) from error


def cannot_save(runs_dir: Path, error: OSError, kind: Kind = "run") -> RunError:
    """Return the error that says why something cannot be saved."""
    option = "--runs-dir" if kind in ("run", "backtest") else "--output"
    return RunError(
        f"the {kind} cannot be saved in {runs_dir}: {error.strerror or error}",
        f"make room or choose another folder with `{option}`",
    )


def save_folder(
    runs_dir: Path,
    kind: Literal["run", "backtest"],
    config: Config,
    provenance: RunProvenance | BacktestProvenance,
    write: Callable[[Path], dict[str, Any]],
) -> Path:
    """Make the folder of a run or a backtest, with its config and its provenance.

    Args:
        runs_dir: Where it will be.
        kind: What it holds.
        config: The resolved config.
        provenance: What produced it; its time is the start of the folder's name.
        write: Puts the other files into the folder that it is called with, and returns what is known of them, to
            be added to the provenance.

    Returns:
        Its path.

    Raises:
        RunError: The disk refuses.
    """
    created = dt.datetime.fromisoformat(provenance.created)
    name = f"{created:%Y%m%d-%H%M%S}-{join_tickers(config.data.tickers)}-{config.model_name}"

    def write_all(folder: Path) -> None:
        (folder / CONFIG).write_text(dump_yaml(config), encoding="utf-8")
        write_json(folder / PROVENANCE, asdict(provenance) | write(folder))

    try:
        return write_dir_atomically(runs_dir, name if kind == "run" else f"{name}-{kind}", write_all)
    except OSError as error:
        raise cannot_save(runs_dir, error, kind) from error
