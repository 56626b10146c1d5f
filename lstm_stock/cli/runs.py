"""The command `runs`."""

from __future__ import annotations

from pathlib import Path

from lstm_stock.cli.app import Quiet, RunsDir, app
from lstm_stock.errors import RunError


@app.command()
def runs(runs_dir: RunsDir = Path("runs"), quiet: Quiet = False) -> None:
    """List the runs with their key scores."""
    from lstm_stock.report import console, run_tables
    from lstm_stock.runs.catalog import list_backtests, list_runs

    found, backtests = list_runs(runs_dir), list_backtests(runs_dir)
    if backtests:
        names = ", ".join(path.name for path in backtests[-3:])
        console.note(f"newest backtests in {runs_dir}: {names}", quiet)
    if not found:
        console.note(f"no runs in {runs_dir}; `lstm-stock train` makes one", quiet)
        return
    rows = []
    for run in found:
        try:
            rows.append(run_tables.run_summary(run))
        except RunError as error:
            console.warn(error.message)
    console.show(run_tables.runs_table(rows))
