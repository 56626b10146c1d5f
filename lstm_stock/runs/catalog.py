"""Find the runs and backtests of a folder, in the order in which they were made."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from lstm_stock.errors import RunError
from lstm_stock.runs.files import CALIBRATION, CONFIG, FOLDS, PROVENANCE, RUN_FILES, read_json
from lstm_stock.runs.run import Run

_NAME_TIME = "%Y%m%d-%H%M%S"


def list_runs(runs_dir: Path) -> list[Run]:
    """Return the runs in `runs_dir`, oldest first; hidden folders and backtests are no runs.

    Raises:
        RunError: The folder cannot be read.
    """
    return [Run(path) for path in _saved(runs_dir) if not is_backtest(path)]


def list_backtests(runs_dir: Path) -> list[Path]:
    """Return the folders of backtests in `runs_dir`, oldest first; RunError if it cannot be read."""
    return [path for path in _saved(runs_dir) if is_backtest(path)]


def is_backtest(path: Path) -> bool:
    """Return whether a folder is a backtest's."""
    return _exists(path / FOLDS)


def _saved(runs_dir: Path) -> list[Path]:
    try:
        if not runs_dir.is_dir():
            return []
        folders = [path for path in runs_dir.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise RunError(
            f"{runs_dir} cannot be read: {error.strerror or error}", "choose another folder with `--runs-dir`"
        ) from error
    saved = [path for path in folders if _exists(path / PROVENANCE) or _exists(path / CONFIG)]
    return sorted(saved, key=lambda path: (_created(path), path.name))


def _created(path: Path) -> dt.datetime:
    """Return when a run was made; where its provenance cannot be read, by its name or the time of the folder."""
    try:
        return _utc(dt.datetime.fromisoformat(read_json(path / PROVENANCE)["created"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        pass
    try:
        return _utc(dt.datetime.strptime(path.name[:15], _NAME_TIME))
    except ValueError:
        pass
    try:
        return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    except OSError:
        return dt.datetime.min.replace(tzinfo=dt.UTC)


def _utc(time: dt.datetime) -> dt.datetime:
    return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time


def _exists(path: Path) -> bool:
    """Return whether a path exists; False if its name is too long, or its folder may not be read."""
    try:
        return path.exists()
    except OSError:
        return False


def find_run(runs_dir: Path, name: str | None) -> Run:
    """Find a run by name or path, or the newest when no name is given.

    Raises:
        RunError: There is none, or files of it are missing.
    """
    runs = list_runs(runs_dir)
    if name is None:
        if not runs:
            raise RunError(f"there is no run in {runs_dir}", "make one with `lstm-stock train`")
        run = runs[-1]
    else:
        run = Run(runs_dir / name) if _exists(runs_dir / name) else Run(Path(name))
        if not _exists(run.path):
            newest = ", ".join(one.name for one in runs[-5:])
            raise RunError(
                f"there is no run {name!r} in {runs_dir}",
                f"the newest are: {newest}" if newest else "make one with `lstm-stock train`",
            )
    if is_backtest(run.path):
        raise RunError(
            f"{run.name} is a backtest, not a run: it holds the forecasts of many networks, and none of them",
            "name a run (`lstm-stock runs` lists them); the figures of a backtest are in its `plots`",
        )
    missing = [file for file in RUN_FILES if not _exists(run.path / file)]
    if {CONFIG, PROVENANCE} <= set(missing):
        raise RunError(f"{run.path} is not a run", "`lstm-stock runs` lists the runs there are")
    if missing == [CALIBRATION]:
        raise RunError(
            f"run {run.name} was made by an earlier version: {CALIBRATION} missing",
            "train again, or name another run (`lstm-stock runs`)",
        )
    if missing:
        raise RunError(
            f"run {run.name} is not whole: {', '.join(missing)} missing",
            "train again, or name another run (`lstm-stock runs`)",
        )
    return run
