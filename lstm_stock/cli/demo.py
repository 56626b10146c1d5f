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
    """Fetch, predict, train, predict again and plot on the AAPL sample in the package; needs no connection."""
    from lstm_stock.config import Config
    from lstm_stock.prices.sources import SAMPLE_TICKER, FetchOptions
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.report import console
    from lstm_stock.runs.pretrained import packaged_networks

    store = open_store(data_dir)
    console.note("[1/5] fetch: AAPL, the sample in the package", quiet)
    try:
        fetched = fetch_into(store, SAMPLE_TICKER, FetchOptions(source="sample"))
    except DataError as error:
        raise DataError(
            error.message, "`lstm-stock demo --data-dir demo-data` leaves your prices alone"
        ) from error
    report_fetch(fetched, store, quiet)
    asked = Asked([SAMPLE_TICKER])
    console.note("\n[2/5] predict AAPL: the universal network of the package, trained on other stocks", quiet)
    predict_tickers(packaged_networks(), store, asked, Format.table, quiet)
    console.note("\n[3/5] train: a network of your own, by the default config", quiet)
    run = train_together(Config(), store, runs_dir, quiet)
    console.note("\n[4/5] predict --run newest: the five sessions after the sample, by that network", quiet)
    predict_tickers(run, store, asked, Format.table, quiet)
    console.note("\n[5/5] plot", quiet)
    plot_run(run, store, None, None, quiet)
    console.note(
        "\nnext: `lstm-stock fetch NVDA`, then `lstm-stock predict NVDA`; `lstm-stock train --config classic` "
        "trains the tutorial's recipe, for comparison",
        quiet,
    )
