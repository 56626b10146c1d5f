"""How good the network is on tickers and years that it never saw.

    python benchmarks/unseen.py FOLDER [--config many] [--val 2016-01-01] [--test 2018-01-01] [--end 2021-12-31]
        [--exchange XNYS] [--covariate FILE]... [--set KEY=VALUE]... [--output FILE.parquet]

FOLDER has one CSV of adjusted daily prices per ticker. In the order of names, every second ticker is trained on.
The others are unseen: target scale and baselines are fitted to their own bars before `--test`; the network and the
regression `pooled_t` never see them. A covariate has the name of its file; `--set` makes it an input. The tables
are those of docs/unseen.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from lstm_stock.config import Config, load_config
from lstm_stock.dataset.build import build_dataset, with_tickers
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import fit_ticker, window_spec
from lstm_stock.dataset.sessions import with_session_columns
from lstm_stock.dataset.windows import windows_of
from lstm_stock.network.tensorflow_setup import n_cores
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into
from lstm_stock.scoring.significance.accuracy import by_date, diebold_mariano
from lstm_stock.scoring.significance.confidence_set import model_confidence_set
from lstm_stock.scoring.significance.coverage import volatility_thirds
from lstm_stock.workflow.fit import (
    FittedForecaster,
    fit_with_refit,
    forecast_each,
    median_calibrator,
    pooled_regression,
    score_jobs,
)
from lstm_stock.workflow.scoring import ScoreJob, score_tickers, subject_of

FOLLOWERS = ("garch", "gjr", "har_range_t", "lhar_t", "har_market_t", "pooled_t")


def main() -> None:
    """Train, forecast, score, print."""
    options = parsed()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        names = filled(store, sorted(options.folder.glob("*.csv")), options.exchange)
        filled(store, options.covariate, None)
        trained, unseen = names[::2], names[1::2]
        config = load_config(
            Path(options.config),
            [
                f"data.tickers=[{', '.join(trained)}]",
                "data.start=null",
                f"data.end={options.end}",
                f"split.val={options.val}",
                f"split.test={options.test}",
                *options.set,
            ],
        )
        table = forecasts(config, store, unseen, options.exchange)
    if options.output:
        table.to_parquet(options.output)
    report(table, config.model.cell, set(unseen))


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    for name, default in (
        ("config", "many"),
        ("val", "2016-01-01"),
        ("test", "2018-01-01"),
        ("end", "2021-12-31"),
    ):
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--exchange", default="XNYS")
    parser.add_argument("--covariate", action="append", type=Path, default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def filled(store: Store, files: list[Path], exchange: str | None) -> list[str]:
    """Read CSVs into the store and return the tickers."""
    for file in files:
        fetch_into(store, file.stem, FetchOptions(source="csv", csv_path=file, exchange=exchange))
    return [file.stem for file in files]


def forecasts(config: Config, store: Store, unseen: list[str], exchange: str | None) -> pd.DataFrame:
    """Train on the config's tickers; return the test forecasts of network and baselines for these and others."""
    dataset = build_dataset(config, PriceReader(config.data, store), print)
    config = dataset.config
    forecaster = fit_with_refit(config, dataset.windows, dataset.loader)
    print(forecaster.fit.history.to_string(index=False))
    reader = PriceReader(with_tickers(config, unseen).data, store)
    loader = loader_of(config, dataset.loader, reader, exchange)

    def jobs() -> Iterator[ScoreJob]:
        yield from score_jobs(config, forecaster, dataset.loader)
        yield from unseen_jobs(config, forecaster, loader, unseen)

    n_tickers = len(forecaster.windows.test) + len(unseen)
    scored = [one.forecasts for one in score_tickers(jobs(), n_tickers, n_cores())]
    columns = ["ticker", "model", "cutoff", "date", "step", "crps", "nll", "pit", "trailing_vol"]
    return pd.concat([one[columns] for one in scored], ignore_index=True)


def loader_of(config: Config, trained: BarLoader, reader: PriceReader, exchange: str | None) -> BarLoader:
    """Return a loader of other tickers, with the market of those that the network was trained on."""
    steps = config.window.horizon
    sessions = (
        (lambda _, bars: with_session_columns(bars, exchange, steps)) if config.needs_sessions else None
    )
    return BarLoader(reader.adjusted, trained.market, sessions, trained.covariates)


def unseen_jobs(
    config: Config, forecaster: FittedForecaster, loader: BarLoader, tickers: list[str]
) -> Iterator[ScoreJob]:
    """Yield the jobs of tickers that the network was not trained on."""
    spec, split = window_spec(config), forecaster.windows.split
    pooled = pooled_regression(config, forecaster.windows)
    calibrator = median_calibrator(config, forecaster.calibrators.values())
    windows = []
    for ticker in tickers:
        series = fit_ticker(ticker, loader.adjusted(ticker), spec, split.without_val)
        if spec.scaler == "pooled":
            series = series.with_scaler(forecaster.windows.series[0].fitted.scaler)
        windows.append(windows_of(series, spec, split, "test"))
    for one, returns in zip(windows, forecast_each(config, forecaster.fit.network, windows), strict=True):
        bars = loader.adjusted(one.series.ticker)
        yield ScoreJob(subject_of(config), one, returns, calibrator, bars, split, len(tickers), pooled)


def report(table: pd.DataFrame, model: str, unseen: set[str]) -> None:
    """Print the tables of every step, for trained and unseen tickers."""
    for step in sorted({1, int(table["step"].max())}):
        for title in ("unseen", "trained"):
            part = table[(table["step"] == step) & (table["ticker"].isin(unseen) == (title == "unseen"))]
            print(f"\n## step {step}, {part['ticker'].nunique()} {title} tickers\n")
            print_scores(part, model, step)
            print_coverage(part[part["model"] == model])


def print_scores(part: pd.DataFrame, model: str, step: int) -> None:
    """Print the mean scores, and the network against each baseline of changing volatility."""
    rows = part.pivot(index=["ticker", "cutoff"], columns="model", values=["nll", "crps"])
    dates = rows.index.get_level_values("cutoff")
    tickers = rows.index.get_level_values("ticker")
    present = [name for name in (model, "constant_t", *FOLLOWERS) if name in rows["nll"]]
    sets = {}
    for score in ("nll", "crps"):
        daily = np.column_stack([by_date(rows[score][name], dates) for name in present])
        sets[score] = model_confidence_set(daily, step)
    print(
        "| model | NLL | CRPS, % | in the confidence set | network better in (NLL, CRPS) | t (NLL, CRPS) | p |"
    )
    print("|---|---|---|---|---|---|---|")
    for i, name in enumerate(present):
        inside = ", ".join(score.upper() for score in sets if sets[score][i] >= 0.1)
        cells = [name, f"{rows['nll'][name].mean():.4f}", f"{rows['crps'][name].mean():.4f}", inside or "-"]
        if name != model:
            found = []
            for score in ("nll", "crps"):
                less = rows[score][model] - rows[score][name]
                test = diebold_mariano(by_date(less, dates), step)
                n_better = int((less.groupby(tickers).mean() < 0).sum())
                found.append((n_better, test.statistic, test.p_value, less.mean()))
            cells += [
                ", ".join(str(n) for n, *_ in found),
                ", ".join(f"{t:+.1f}" for _, t, *_ in found),
                ", ".join(f"{p:.2g}" for *_, p, _ in found),
            ]
        print("| " + " | ".join(cells) + " |")
    years = pd.DatetimeIndex(dates).year
    print("\n| less than | " + " | ".join(str(year) for year in sorted(set(years))) + " |")
    print("|---|" + "---|" * len(set(years)))
    for name in present[1:]:
        cells = []
        for year in sorted(set(years)):
            less = [(rows[s][model] - rows[s][name])[years == year].mean() for s in ("nll", "crps")]
            cells.append(f"{less[0]:+.4f}, {less[1]:+.4f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_coverage(network: pd.DataFrame) -> None:
    """Print the coverage of the 90 % interval as trained: of all days, and of each third by volatility."""
    hits = network["pit"].between(0.05, 0.95)
    by_ticker = hits.groupby(network["ticker"]).mean()
    n_good = int(by_ticker.between(0.88, 0.92).sum())
    thirds = network.groupby("ticker")["trailing_vol"].transform(volatility_thirds)
    shares = [f"{hits[thirds == i].mean():.3f}" for i in range(3)]
    print(
        f"\ncoverage of the 90 % interval as trained {hits.mean():.3f}; within .88 to .92 in {n_good} of "
        f"{len(by_ticker)} tickers ({by_ticker.min():.3f} to {by_ticker.max():.3f}); quiet, middle, wild third of "
        f"the days of each ticker {', '.join(shares)}"
    )


if __name__ == "__main__":
    main()
