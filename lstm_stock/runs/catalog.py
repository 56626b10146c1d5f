"""Find the runs and backtests of a folder."""

from __future__ import annotations

from pathlib import Path

from lstm_stock.errors import RunError
from lstm_stock.runs.run import CALIBRATION, CONFIG, FILES, FOLDS, PROVENANCE, Run


def list_runs(runs_dir: Path) -> list[Run]:
    """Return the runs in `runs_dir`, oldest first; hidden and unfinished folders and backtests are not runs."""
    return [Run(path) for path in _saved(runs_dir) if not is_backtest(path)]


def list_backtests(runs_dir: Path) -> list[Path]:
    """Return the folders of backtests in `runs_dir`, oldest first."""
    return [path for path in _saved(runs_dir) if is_backtest(path)]


def is_backtest(path: Path) -> bool:
    """Say whether a folder is a backtest's."""
    return _is_there(path / FOLDS)


def _saved(runs_dir: Path) -> list[Path]:
    try:
        if not runs_dir.is_dir():
            return []
        folders = [path for path in sorted(runs_dir.iterdir()) if not path.name.startswith(".")]
    except OSError as error:
        raise RunError(
            f"{runs_dir} cannot be read: {error.strerror or error}", "choose another folder with `--runs-dir`"
        ) from error
    return [path for path in folders if _is_there(path / PROVENANCE) or _is_there(path / CONFIG)]


def _is_there(path: Path) -> bool:
    """Say whether something has this name; a name too long or a folder that may not be read has nothing."""
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
        run = Run(runs_dir / name) if _is_there(runs_dir / name) else Run(Path(name))
        if not _is_there(run.path):
            known = ", ".join(one.name for one in runs[-5:])
            raise RunError(
                f"there is no run {name!r} in {runs_dir}",
                f"the newest are: {known}" if known else "make one with `lstm-stock train`",
            )
    if is_backtest(run.path):
        raise RunError(
            f"{run.name} is a backtest, not a run: it holds the forecasts of many networks, and none of them",
            "name a run (`lstm-stock runs` lists them); the figures of a backtest are in its `plots`",
        )
    missing = [file for file in FILES if not _is_there(run.path / file)]
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
