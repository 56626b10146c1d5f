"""The command `leakcheck`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_stock.cli.app import (
    ConfigFile,
    DataDir,
    Overrides,
    Quiet,
    RunName,
    RunsDir,
    app,
    load_settings,
    open_store,
)
from lstm_stock.cli.backtest import WindowKind
from lstm_stock.errors import ConfigError


@app.command()
def leakcheck(
    run: RunName = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    cutoffs: Annotated[
        int, typer.Option(min=1, help="Number of cutoffs in the test period after which bars are changed.")
    ] = 5,
    folds: Annotated[
        int,
        typer.Option(
            min=0, help="Folds of a backtest, of which the first and the last are checked; 0: none."
        ),
    ] = 2,
    window: Annotated[
        WindowKind, typer.Option(help="Train windows of the folds, as in `backtest`.")
    ] = WindowKind.expanding,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Corrupt every bar after a cutoff, and check that no value available at the cutoff changes.

    Trains briefly and forecasts by the code of `train` and of `backtest`. Checks a run (the newest if left out),
    or what a config would train: `--config default`. A leak ends with exit code 2 and the name of the first value
    that changed.
    """
    from lstm_stock.config.schema import require_market
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.report import console, progress, run_tables
    from lstm_stock.runs.catalog import find_run

    of_config = config is not None or bool(overrides)
    if run is not None and of_config:
        raise ConfigError(f"got the run {run} and a config, expected one of them", "leave out one of them")
    saved = None if of_config else find_run(runs_dir, run)
    settings = load_settings(config, overrides, data_dir, quiet) if saved is None else saved.config
    require_market(settings)
    store = open_store(data_dir, settings.data.all_tickers, settings.data.interval)
    load_tensorflow()
    from lstm_stock.workflow.leakcheck.check import Extent, check_config, check_run

    extent = Extent(cutoffs, folds, window.value)
    with progress.counted_progress("passes", quiet) as on_progress:
        if saved is None:
            checked = check_config(
                settings, store, extent, on_progress, lambda text: console.note(text, quiet)
            )
        else:
            checked = check_run(saved, store, extent, on_progress, console.warn)
    console.show(run_tables.leak_table(checked.n_arrays, checked.n_values))
    first, last = min(checked.cutoffs), max(checked.cutoffs)
    what = "a training" + (f" and {checked.n_folds} folds of a backtest" if checked.n_folds else "")
    print(
        f"no leak: {what}, {len(checked.cutoffs)} cutoffs from {first} to {last};\n"
        "no value available at a cutoff changed when all later bars were corrupted"
    )
