"""What fine-tuning a pretrained network is worth: beside the network as it is, from scratch, and the baselines.

    python benchmarks/finetune.py NETWORKS --data-dir DIR --tickers FILE --test DATE --end DATE
        [--years N]... [--group N] [--output FILE.parquet]

NETWORKS is a folder of `lstm-stock pretrain` whose prices end before `--test`, without tickers of FILE. For each
ticker and each number of years before the test, `train --config finetune` is done as the command does it: the last
sixth of the years is val. `--group` trains the tickers together, so many at a time. The tables are those of
docs/universal.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from unseen import newey_west_t

from lstm_stock.baselines import BASELINES
from lstm_stock.config import Config, load_config
from lstm_stock.config.tickers import parse_tickers
from lstm_stock.dataset.build import build_dataset
from lstm_stock.errors import DataError
from lstm_stock.prices.reader import PriceReader, Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.scoring.forecast_table import forecast_table
from lstm_stock.scoring.significance import by_date
from lstm_stock.workflow.fit import fit_with_refit, regressions_of
from lstm_stock.workflow.forecast import forecast_each
from lstm_stock.workflow.scoring import baseline_task
from lstm_stock.workflow.start import require_unseen_test, start_of

STEPS = (1, 5)
OWN = ("har_range_t", "lhar_t", "gjr")
COLUMNS = ["ticker", "model", "date", "step", "crps", "nll"]


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--tickers", required=True)
    parser.add_argument("--test", required=True, type=dt.date.fromisoformat)
    parser.add_argument("--end", required=True, type=dt.date.fromisoformat)
    parser.add_argument("--years", type=int, action="append", default=[])
    parser.add_argument("--group", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    names = parse_tickers(options.tickers)
    groups = [names[i : i + options.group] for i in range(0, len(names), options.group)]
    tables, n_tuned = [], {}
    store = Store(options.data_dir)
    for years in options.years:
        kept = []
        for group in groups:
            try:
                forecasts, is_tuned = trained(config_of(options, group, years), store)
            except DataError as error:
                print(f"{', '.join(group)}, {years} years: {error.message}")
                continue
            kept.append(is_tuned)
            tables += [one.assign(years=years) for one in forecasts]
        n_tuned[years] = f"{sum(kept)} of {len(kept)}"
    table = pd.concat(tables, ignore_index=True)
    if options.output:
        table.to_parquet(options.output)
    for years in options.years:
        for step in STEPS:
            part = table[(table["years"] == years) & (table["step"] == step)]
            print(f"\n## {years} years, step {step}; fine-tuned by val: {n_tuned[years]}\n")
            report(part)


def config_of(options: argparse.Namespace, tickers: Sequence[str], years: int) -> Config:
    """Return the config of one training."""
    first = options.test.replace(year=options.test.year - years)
    val = options.test - (options.test - first) / 6
    settings = [
        f"data={{tickers: [{', '.join(tickers)}], start: {first}, end: {options.end}}}",
        f"split={{val: {val}, test: {options.test}}}",
        f"model.start={options.networks}",
    ]
    return load_config(Path("finetune"), settings)


def trained(config: Config, store: Store) -> tuple[list[pd.DataFrame], bool]:
    """Train as the command does; return the forecasts, and whether val chose the fine-tuned regression."""
    config, start = start_of(config, store, lambda _: None)
    reader = PriceReader(config.data, Snapshot(store))
    dataset = build_dataset(config, reader, lambda _: None, start=start)
    require_unseen_test(dataset.config, dataset.windows.split)
    forecaster = fit_with_refit(dataset.config, dataset.windows, dataset.loader)
    choice = forecaster.fit.fine_tuning
    assert choice is not None
    regressions = regressions_of(dataset.config, forecaster.windows)
    # Fitted whatever val says: what is chosen is one of the two.
    assert start is not None
    regressions["tuned"] = start.regression.tuned(forecaster.windows.train)

    def tables() -> Iterator[pd.DataFrame]:
        test = forecaster.windows.test
        of_network = forecast_each(dataset.config, forecaster.fit.network, test)
        for windows, returns in zip(test, of_network, strict=True):
            yield forecast_table(windows, "finetuned", returns)
            for name, one in regressions.items():
                yield forecast_table(windows, name, one.forecast(windows))
            adjusted = dataset.loader.adjusted(windows.series.ticker)
            task = baseline_task(windows, adjusted, forecaster.windows.split)
            for name in OWN:
                yield forecast_table(windows, name, BASELINES[name].forecast(task))

    return [one.loc[one["step"].isin(STEPS), COLUMNS] for one in tables()], not choice.keeps_start


def report(part: pd.DataFrame) -> None:
    """Print the mean scores, and the fine-tuned network against each other model."""
    rows = part.pivot(index=["ticker", "date"], columns="model", values=["nll", "crps"])
    dates, tickers = (rows.index.get_level_values(name) for name in ("date", "ticker"))
    print("| model | NLL | CRPS, % | fine-tuned is better in (NLL, CRPS) | t, 5 lags |")
    print("|---|---|---|---|---|")
    for name in part["model"].unique():
        cells = [name, f"{rows['nll'][name].mean():.4f}", f"{rows['crps'][name].mean():.4f}"]
        if name != "finetuned":
            less = [rows[score]["finetuned"] - rows[score][name] for score in ("nll", "crps")]
            better = [int((one.groupby(tickers).mean() < 0).sum()) for one in less]
            t = [newey_west_t(by_date(one, dates)) if np.any(one) else 0.0 for one in less]
            cells += [", ".join(map(str, better)), ", ".join(f"{one:+.1f}" for one in t)]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
