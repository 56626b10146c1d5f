"""Plan an evaluation: find the network, and check tickers and dates before anything is forecast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lstm_stock.config.interval import DAILY
from lstm_stock.dataset.market import Market
from lstm_stock.errors import ConfigError
from lstm_stock.prices.reader import Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.pretrained import PretrainedFolder, find_pretrained
from lstm_stock.runs.run import Run
from lstm_stock.workflow.evaluate import Plan
from lstm_stock.workflow.interval import require_daily
from lstm_stock.workflow.universal import Chooser


@dataclass(frozen=True)
class Wanted:
    """What to evaluate, as a user names it.

    Attributes:
        run: Name or path of a run, or what `find_pretrained` takes; None for the newest run.
        tickers: The tickers to score, normalised; None for those of the run.
        start: First date of the period; None for the start of the run's test period.
        end: Last date, inclusive; None for each ticker's newest bar.
        in_sample: Whether the network may have learned from prices of the period.
        n_workers: Number of processes that score many tickers.
    """

    run: str | None
    tickers: Sequence[str] | None
    start: dt.date | None
    end: dt.date | None
    in_sample: bool
    n_workers: int


def plan_evaluation(store: Store, runs_dir: Path, wanted: Wanted) -> Plan:
    """Find the network, and check that it can forecast the tickers and has not learned from the period.

    Args:
        store: The prices.
        runs_dir: Folder of the runs.
        wanted: What to evaluate.

    Raises:
        ConfigError: The network learned from prices of the period, or the period ends before it starts; no tickers
            are named for a pretrained network, or one network does not forecast all of them.
        DataError: Prices are missing.
        RunError: There is no such run, or it cannot forecast one of the tickers.
    """
    folder = find_pretrained(wanted.run)
    run, market = (
        (find_run(runs_dir, wanted.run), None)
        if folder is None
        else _pretrained(folder, store, wanted.tickers, wanted.end)
    )
    run.require_prices("`evaluate`")
    start = wanted.start or dt.date.fromisoformat(run.provenance.test_start)
    if wanted.end is not None and wanted.end < start:
        raise ConfigError(
            f"`--end {wanted.end}` is before the start of the period, {start}", "choose a later `--end`"
        )
    if not wanted.in_sample:
        run.require_unseen(start)
    data = run.config.data
    store = store.at(data.interval if folder is None else DAILY.name)
    tickers = [run.require_ticker(name) for name in wanted.tickers or data.tickers]
    of_market = data.tickers if run.config.needs_market and market is None else ()
    store.require([*tickers, *of_market, *data.covariates])
    return Plan(run, Snapshot(store), tickers, start, wanted.end, wanted.n_workers, market)


def _pretrained(
    folder: PretrainedFolder, store: Store, tickers: Sequence[str] | None, end: dt.date | None
) -> tuple[Run, Market | None]:
    """Return the pretrained network for some tickers, with the market of the store that it reads."""
    if tickers is None:
        raise ConfigError(
            "--tickers: a pretrained network has no tickers of its own", "name some: `--tickers AAPL,MSFT`"
        )
    require_daily(store, tickers)
    store = store.at(DAILY.name)
    chooser = Chooser(folder, store, Snapshot(store), end)
    choices = {ticker: chooser.choose(ticker) for ticker in tickers}
    first = choices[tickers[0]]
    for ticker, choice in choices.items():
        if choice.bars is not first.bars:
            raise ConfigError(
                f"--tickers: {ticker} and {tickers[0]} are forecast by different networks, {choice.network.name} "
                f"and {first.network.name}, or with different markets",
                "evaluate them one after the other, or name one network: `universal/own`",
            )
    return first.network, first.bars.of_store
