"""How good pretrained networks are on tickers that they were not trained on, beside the baselines.

    python benchmarks/universal.py NETWORKS --data-dir DIR --tickers FILE --start DATE [--end DATE]
        [--baselines] [--bars N]... [--shares N]... [--output FILE.parquet]

NETWORKS is a folder of `lstm-stock pretrain`, or `universal`. Every network of it forecasts every ticker, with
the market and the covariates of the store. `--baselines` adds the baselines, each fitted to the ticker's own bars
before DATE. `--bars` forecasts every fortieth cutoff from the last N bars alone, with the inputs of the market;
`--shares` from the market of the first N shares of the store, with all bars. The tables are those of
docs/universal.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from unseen import print_coverage, print_scores

from lstm_stock.config.tickers import parse_tickers
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.series import apply_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.errors import DataError, ShortHistoryError
from lstm_stock.network.tensorflow_setup import n_cores
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.runs.pretrained import PretrainedFolder, find_pretrained
from lstm_stock.scoring.forecast_table import forecast_table
from lstm_stock.workflow.forecast import forecast_each
from lstm_stock.workflow.run_bars import RunBars
from lstm_stock.workflow.scoring import ScoreJob, score_tickers, subject_of
from lstm_stock.workflow.store_market import is_share
from lstm_stock.workflow.universal import Chooser

STEPS = (1, 5, 10)
COLUMNS = ["ticker", "model", "cutoff", "date", "step", "crps", "nll", "pit", "trailing_vol"]
EVERY = 40


def main() -> None:
    """Forecast, score, print."""
    options = parsed()
    store = Store(options.data_dir)
    prices = Snapshot(store)
    names = parse_tickers(options.tickers)
    start = dt.date.fromisoformat(options.start)
    end = None if options.end is None else dt.date.fromisoformat(options.end)
    folder = find_pretrained(options.networks)
    if folder is None:
        raise SystemExit(f"{options.networks} is no folder of pretrained networks")
    tables = []
    for name in folder.networks:
        try:
            bars = bars_of(folder, name, store, prices, names[0], end)
        except DataError as error:
            print(f"{name}: {error.message}")
            continue
        windows = [windows_from(bars, ticker, start) for ticker in names]
        tables += network_tables(bars, windows, name)
        if bars.run.config.needs_market and not bars.run.config.data.covariates:
            for n_bars in options.bars:
                tables += short_tables(bars, windows, n_bars)
            for n_shares in options.shares:
                market = Market.of(
                    price_table.adjusted(prices.read(one).table)
                    for one in list(filter(is_share, store.tickers()))[:n_shares]
                )
                few = replace(bars, of_store=market)
                tables += network_tables(
                    few, [windows_from(few, one, start) for one in names], f"market_of_{n_shares}"
                )
        if options.baselines and name == next(iter(folder.networks)):
            tables += baseline_tables(bars, windows, start)
    table = pd.concat([one[COLUMNS] for one in tables], ignore_index=True)
    table = table[table["step"].isin(STEPS)]
    if options.output:
        table.to_parquet(options.output)
    report(table)


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--tickers", required=True)
    parser.add_argument("--start", required=True)
    parser.add_argument("--end")
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--bars", type=int, action="append", default=[])
    parser.add_argument("--shares", type=int, action="append", default=[])
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def bars_of(
    folder: PretrainedFolder, name: str, store: Store, prices: Snapshot, ticker: str, end: dt.date | None
) -> RunBars:
    """Return the bars that one network reads, with the market of the store."""
    bars = Chooser(replace(folder, only=name), store, prices, end).choose(ticker).bars
    return replace(bars, max_bars=None)  # the baselines learn from all bars


def windows_from(bars: RunBars, ticker: str, start: dt.date) -> Windows:
    """Return the windows of a ticker whose first outcome is of a date or later."""
    series = apply_ticker(ticker, bars.adjusted(ticker), bars.spec, bars.run.fitted)
    first = np.datetime64(start, "D")
    return windows_of(series, bars.spec, Split(first, first), "test")


def network_tables(bars: RunBars, windows: Sequence[Windows], name: str) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of a network, ticker by ticker."""
    found = forecast_each(bars.run.config, bars.run.forecaster, windows)
    for one, returns in zip(windows, found, strict=True):
        yield forecast_table(one, name, returns)


def short_tables(bars: RunBars, windows: Sequence[Windows], n_bars: int) -> Iterator[pd.DataFrame]:
    """Yield forecasts of every fortieth cutoff, each from the last bars alone."""
    for whole in windows:
        adjusted, found = bars.adjusted(whole.series.ticker), []
        for row in whole.cutoffs[::EVERY]:
            part = adjusted.iloc[max(row + 1 - n_bars, 0) : row + 1 + bars.spec.horizon]
            series = apply_ticker(whole.series.ticker, part, bars.spec, bars.run.fitted)
            last = len(part) - 1 - bars.spec.horizon
            if last < series.first + bars.spec.look_back - 1:
                raise ShortHistoryError(f"{n_bars} bars are too few", "choose more `--bars`")
            found.append(Windows(series, bars.spec, np.array([last])))
        for one, returns in zip(
            found, forecast_each(bars.run.config, bars.run.forecaster, found), strict=True
        ):
            yield forecast_table(one, f"last_{n_bars}_bars", returns)


def baseline_tables(bars: RunBars, windows: Sequence[Windows], start: dt.date) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of the baselines, each fitted to the ticker's own bars before the period."""
    run, first = bars.run, np.datetime64(start, "D")
    subject = replace(subject_of(run.config), model="network")

    def jobs() -> Iterator[ScoreJob]:
        for one, returns in zip(windows, forecast_each(run.config, run.forecaster, windows), strict=True):
            adjusted = bars.adjusted(one.series.ticker)
            yield ScoreJob(subject, one, returns, run.calibrator, adjusted, Split(first, first), len(windows))

    for scored in score_tickers(jobs(), len(windows), n_cores()):
        yield scored.forecasts[scored.forecasts["model"] != "network"]


def report(table: pd.DataFrame) -> None:
    """Print the tables of each step: every network against the baselines, and the networks against each other."""
    names = [str(name) for name in table["model"].unique()]
    networks = [name for name in names if name in ("market-covariates", "market", "covariates", "own")]
    shorts = [name for name in names if name.startswith(("last_", "market_of_"))]
    for step in STEPS:
        part = table[table["step"] == step]
        whole = part[~part["model"].isin([name for name in shorts if name.startswith("last_")])]
        for name in networks:
            others = [other for other in names if other != name and other in set(whole["model"])]
            print(f"\n## {name}, step {step}, {part['ticker'].nunique()} tickers\n")
            print_scores(whole, name, others, step)
            print_coverage(whole[whole["model"] == name])
        for name in shorts:
            if name.startswith("last_"):
                rows = part.pivot(index=["ticker", "date"], columns="model", values=["nll", "crps"]).dropna(
                    subset=[("nll", name)]
                )
                print(f"\n{name}, step {step}, {len(rows)} cutoffs: NLL, CRPS of each model on them")
                print(rows.mean().unstack(0).round(4).to_string())
                print_coverage(part[part["model"] == name])


if __name__ == "__main__":
    main()
