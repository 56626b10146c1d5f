"""The small world that cases are damaged copies of: prices, two runs, a backtest, a journal, networks."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

TINY = (
    *("data.start=2019-01-01", "model.units=[3]", "model.dense=[]", "window.look_back=5", "window.horizon=2"),
    *("training.epochs=1", "training.batch_size=512", "training.early_stopping=null"),
)


NOW = dt.datetime(2023, 12, 30, 12, tzinfo=dt.UTC)
"""When the prices were fetched and the journal was written: after the newest bar, before the next session."""


@dataclass(frozen=True)
class World:
    """Folders that no case changes."""

    root: Path

    @property
    def data(self) -> Path:
        """The store: AAPL and BETA."""
        return self.root / "data"

    @property
    def runs(self) -> Path:
        """The runs `one` (of AAPL) and `two` (of both), and the backtest `folds`."""
        return self.root / "runs"

    @property
    def journal(self) -> Path:
        """A journal with a few lines."""
        return self.root / "journal"

    @property
    def pretrained(self) -> Path:
        """The networks of the package."""
        return self.root / "pretrained"


def make_world(root: Path) -> World:
    """Make the world, or take it as it is if `root` has one; half a minute."""
    world = World(root)
    if (root / "ready").exists():
        return world
    import lstm_stock
    from lstm_stock.config import load_config
    from lstm_stock.prices.sources import FetchOptions
    from lstm_stock.prices.store import Store
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.workflow.backtest import Plan, backtest
    from lstm_stock.workflow.parallel import Engine
    from lstm_stock.workflow.train import Reports, train

    root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(Path(lstm_stock.__file__).parent / "universal", world.pretrained)
    store = Store(world.data)
    fetch_into(store, "AAPL", FetchOptions(source="sample", now=NOW))
    file = root / "beta.csv"
    random_bars(1300, seed=1).to_csv(file, index=False)
    fetch_into(store, "BETA", FetchOptions(source="csv", csv_path=file, exchange="XNYS", now=NOW))
    silent = Reports.only_notes(lambda _: None)
    for name, tickers in (("one", "[AAPL]"), ("two", "[AAPL, BETA]")):
        config = load_config(None, [*TINY, f"data.tickers={tickers}"])
        train(config, store, root / "training", silent)
        _move_only(root / "training", world.runs / name)
    config = load_config(None, [*TINY, "data.tickers=[AAPL]"])
    plan = Plan(2, "expanding", Engine("loky", 1))
    backtest(config, store, root / "tests", plan, lambda *_: None, lambda _: None)
    _move_only(root / "tests", world.runs / "folds")
    write_journal(world, store)
    (root / "ready").touch()
    return world


def _move_only(folder: Path, target: Path) -> None:
    """Move the only visible entry of a folder."""
    (made,) = [path for path in folder.iterdir() if not path.name.startswith(".")]
    target.parent.mkdir(exist_ok=True)
    shutil.move(made, target)


def write_journal(world: World, store: object) -> None:
    """Append the forecasts of both tickers, at `NOW`."""
    from lstm_stock.cli.journal import write_journal as write
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.runs.catalog import find_run
    from lstm_stock.workflow.forecast_tickers import Wanted, forecast_tickers

    prices = Snapshot(store)  # type: ignore[arg-type]
    for name, tickers in (("one", ["AAPL"]), ("two", ["AAPL", "BETA"])):
        found = forecast_tickers(find_run(world.runs, name), store, prices, Wanted(tickers))  # type: ignore[arg-type]
        for ticker in tickers:
            only = {ticker: found.predictions[ticker]}
            write(world.journal, found.networks, only, prices, True, lambda: NOW)


def random_bars(n_bars: int, seed: int) -> pd.DataFrame:
    """Return bars of business days up to the sample's last one, as a CSV of Yahoo's columns would hold them."""
    chance = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(chance.normal(0, 0.01, n_bars)))
    open_ = close * np.exp(chance.normal(0, 0.003, n_bars))
    dates = pd.bdate_range(end="2023-12-29", periods=n_bars)
    table = pd.DataFrame({"Date": dates.strftime("%Y-%m-%d"), "Open": open_})
    table["High"] = np.maximum(open_, close) * 1.004
    table["Low"] = np.minimum(open_, close) / 1.004
    table["Close"] = close
    table["Volume"] = chance.integers(10**5, 10**7, n_bars)
    return table.round(4)
