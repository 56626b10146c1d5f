"""The command `demo`."""

from __future__ import annotations

from pathlib import Path

from lstm_stock.cli.app import DataDir, Format, Quiet, RunsDir, app, open_store
from lstm_stock.cli.fetch import report_fetch
from lstm_stock.cli.plot import plot_run
from lstm_stock.cli.predict import Asked, predict_tickers
from lstm_stock.cli.train import train_together
from lstm_stock.errors import DataError


@app.command()
def demo(
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Fetch, train, predict and plot on the AAPL sample in the package; needs no network."""
    from lstm_stock.config import Config
    from lstm_stock.prices.sources import SAMPLE_TICKER, FetchOptions
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.report import console

    store = open_store(data_dir)
    console.note("[1/4] fetch: AAPL, the sample in the package", quiet)
    try:
        fetched = fetch_into(store, SAMPLE_TICKER, FetchOptions(source="sample"))
    except DataError as error:
        raise DataError(
            error.message, "`lstm-stock demo --data-dir demo-data` leaves your prices alone"
        ) from error
    report_fetch(fetched, store, quiet)
    console.note("\n[2/4] train: the default config", quiet)
    run = train_together(Config(), store, runs_dir, quiet)
    console.note("\n[3/4] predict: the next five sessions", quiet)
    predict_tickers(run, store, Asked([SAMPLE_TICKER]), Format.table, quiet)
    console.note("\n[4/4] plot", quiet)
    plot_run(run, store, None, None, quiet)
    console.note(
        "\nnext: `lstm-stock train --config classic` trains the tutorial's recipe, for comparison", quiet
    )
