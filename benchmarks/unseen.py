"""How good the network is on tickers and years that it never saw.

    python benchmarks/unseen.py FOLDER [--config many] [--val 2016-01-01] [--test 2018-01-01] [--end 2021-12-31]
        [--exchange XNYS] [--covariate FILE]... [--set KEY=VALUE]... [--variant 'NAME KEY=VALUE ...']...
        [--output FILE.parquet]

FOLDER has one CSV of adjusted daily prices per ticker. In the order of names, every second ticker is trained on.
The others are unseen: target scale and baselines are fitted to their own bars before `--test`; the network and the
regression `pooled_t` never see them. A covariate has the name of its file; `--set` makes it an input. A variant
is a further network, of the config with other settings. The tables are those of docs/unseen.md.
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
from numpy.typing import NDArray

from lstm_stock.config import Config, load_config
from lstm_stock.dataset.build import build_dataset, with_tickers
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import fit_ticker, window_spec
from lstm_stock.dataset.sessions import with_session_columns
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.distributions import Distribution
from lstm_stock.network.tensorflow_setup import n_cores
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into
from lstm_stock.scoring.forecast_table import forecast_table
from lstm_stock.scoring.significance.accuracy import by_date, diebold_mariano, long_run_variance
from lstm_stock.scoring.significance.confidence_set import model_confidence_set
from lstm_stock.scoring.significance.coverage import volatility_thirds
from lstm_stock.workflow.fit import fit_with_refit, regressions_of, score_jobs
from lstm_stock.workflow.forecast import forecast_each, median_calibrator
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
        common = [
            f"data.tickers=[{', '.join(trained)}]",
            "data.start=null",
            f"data.end={options.end}",
            f"split.val={options.val}",
            f"split.test={options.test}",
            *options.set,
        ]

        def load(overrides: list[str]) -> Config:
            return load_config(Path(options.config), [*common, *overrides])

        base = Fitted(load([]), store, unseen, options.exchange)
        tables = list(base.all_tables())
        for text in options.variant:
            name, *overrides = text.split()
            print(f"\nvariant {text}", flush=True)
            tables += Fitted(load(overrides), store, unseen, options.exchange).network_tables(name)
        names = [base.config.model_name, *(text.split()[0] for text in options.variant)]
    columns = ["ticker", "model", "cutoff", "date", "step", "crps", "nll", "pit", "trailing_vol"]
    table = pd.concat([one[columns] for one in tables], ignore_index=True)
    if options.output:
        table.to_parquet(options.output)
    for name in names:
        report(table, name, names, set(unseen))


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
        ("exchange", "XNYS"),
    ):
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--covariate", action="append", type=Path, default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--variant", action="append", default=[])
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def filled(store: Store, files: list[Path], exchange: str | None) -> list[str]:
    """Read CSVs into the store and return the tickers."""
    for file in files:
        fetch_into(store, file.stem, FetchOptions(source="csv", csv_path=file, exchange=exchange))
    return [file.stem for file in files]


class Fitted:
    """A network trained on the tickers of a config, with the test windows of these and of other tickers."""

    def __init__(self, config: Config, store: Store, unseen: list[str], exchange: str | None) -> None:
        dataset = build_dataset(config, PriceReader(config.data, store), print)
        self.config, self.trained_loader = dataset.config, dataset.loader
        self.forecaster = fit_with_refit(self.config, dataset.windows, dataset.loader)
        print(self.forecaster.fit.history.to_string(index=False), flush=True)
        reader = PriceReader(with_tickers(self.config, unseen).data, store)
        self.loader = loader_of(self.config, dataset.loader, reader, exchange)
        self.unseen = [self._windows(ticker) for ticker in unseen]

    def _windows(self, ticker: str) -> Windows:
        spec, split = window_spec(self.config), self.forecaster.windows.split
        series = fit_ticker(ticker, self.loader.adjusted(ticker), spec, split.without_val)
        if spec.scaler == "pooled":
            series = series.with_scaler(self.forecaster.windows.series[0].fitted.scaler)
        return windows_of(series, spec, split, "test")

    def all_tables(self) -> Iterator[pd.DataFrame]:
        """Yield the forecasts of network and baselines, ticker by ticker."""
        n_tickers = len(self.forecaster.windows.test) + len(self.unseen)
        for scored in score_tickers(self._jobs(), n_tickers, n_cores()):
            yield scored.forecasts

    def network_tables(self, name: str) -> Iterator[pd.DataFrame]:
        """Yield the forecasts of the network alone, under a name."""
        windows = [*self.forecaster.windows.test, *self.unseen]
        for one, returns in zip(windows, self._forecasts(windows), strict=True):
            yield forecast_table(one, name, returns)

    def _forecasts(self, windows: list[Windows]) -> Iterator[Distribution]:
        return forecast_each(self.config, self.forecaster.fit.network, windows)

    def _jobs(self) -> Iterator[ScoreJob]:
        regressions = regressions_of(self.config, self.forecaster.windows)
        yield from score_jobs(self.config, self.forecaster, self.trained_loader, regressions)
        subject, split = subject_of(self.config), self.forecaster.windows.split
        calibrator = median_calibrator(self.config, self.forecaster.calibrators.values())
        for one, returns in zip(self.unseen, self._forecasts(self.unseen), strict=True):
            bars = self.loader.adjusted(one.series.ticker)
            yield ScoreJob(subject, one, returns, calibrator, bars, split, len(self.unseen), regressions)


def loader_of(config: Config, trained: BarLoader, reader: PriceReader, exchange: str | None) -> BarLoader:
    """Return a loader of other tickers, with the market of those that the network was trained on."""
    steps = config.window.horizon
    sessions = (
        (lambda _, bars: with_session_columns(bars, exchange, steps)) if config.needs_sessions else None
    )
    return BarLoader(reader.adjusted, trained.market, sessions, trained.covariates)


def report(table: pd.DataFrame, model: str, names: list[str], unseen: set[str]) -> None:
    """Print the tables of first and last step, of one network against baselines and the other networks."""
    for step in sorted({1, int(table["step"].max())}):
        for title in ("unseen", "trained"):
            part = table[(table["step"] == step) & (table["ticker"].isin(unseen) == (title == "unseen"))]
            print(f"\n## {model}, step {step}, {part['ticker'].nunique()} {title} tickers\n")
            print_scores(part, model, [name for name in names if name != model], step)
            print_coverage(part[part["model"] == model])


def print_scores(part: pd.DataFrame, model: str, others: list[str], step: int) -> None:
    """Print the mean scores, and the network against each baseline of changing volatility."""
    rows = part.pivot(index=["ticker", "date"], columns="model", values=["nll", "crps"])
    dates = rows.index.get_level_values("date")
    tickers = rows.index.get_level_values("ticker")
    present = [
        name for name in dict.fromkeys((model, "constant_t", *FOLLOWERS, *others)) if name in rows["nll"]
    ]
    sets = {}
    for score in ("nll", "crps"):
        daily = np.column_stack([by_date(rows[score][name], dates) for name in present])
        sets[score] = model_confidence_set(daily, step)
    print("| model | NLL | CRPS, % | confidence set | better than it in (NLL, CRPS) | t, 5 lags | DM | p |")
    print("|---|---|---|---|---|---|---|---|")
    for i, name in enumerate(present):
        inside = ", ".join(score.upper() for score in sets if sets[score][i] >= 0.1)
        cells = [name, f"{rows['nll'][name].mean():.4f}", f"{rows['crps'][name].mean():.4f}", inside or "-"]
        if name != model:
            found = []
            for score in ("nll", "crps"):
                less = rows[score][model] - rows[score][name]
                test = diebold_mariano(by_date(less, dates), step)
                n_better = int((less.groupby(tickers).mean() < 0).sum())
                found.append((n_better, test.statistic, test.p, newey_west_t(by_date(less, dates))))
            cells += [
                ", ".join(str(n) for n, *_ in found),
                ", ".join(f"{t:+.1f}" for *_, t in found),
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


def newey_west_t(differences: NDArray[np.float64]) -> float:
    """Return the t statistic of a mean, with five autocovariances (Newey & West 1987); the verdict's has more."""
    return float(differences.mean() / np.sqrt(long_run_variance(differences, 5) / len(differences)))


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
