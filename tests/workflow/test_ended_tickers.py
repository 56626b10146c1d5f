"""Tickers that end before the test period: trained on and in the market until they end, and not scored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lstm_stock.config import load_config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.errors import ShortHistoryError
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.runs.catalog import find_run
from lstm_stock.workflow.backtest import Plan, plan_backtest
from lstm_stock.workflow.parallel import Engine
from tests.conftest import TINY
from tests.helpers import drop_slow_baselines, random_prices

N_BARS = {"AAA": 420, "GONE": 200, "SOON": 300, "BBB": 420}
"""Train has 269 bars, val 67: GONE ends within train, SOON within val."""

SETTINGS = (
    *TINY,
    *("--set", "training.epochs=1"),
    *("--set", "data.start=null"),
    *("--set", "data.end=null"),
    *("--set", f"data.tickers={json.dumps(list(N_BARS))}"),
    *("--set", "calibration=conformal"),
    *("--set", "target_scale=har_market"),
)
CONFIG = load_config(None, [value for value in SETTINGS if value != "--set"])


@dataclass(frozen=True)
class Folders:
    store: Store
    runs: Path

    @property
    def options(self) -> tuple[object, ...]:
        return "--data-dir", self.store.root, "--runs-dir", self.runs


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Folders:
    store = Store(tmp_path_factory.mktemp("ended"))
    for i, (ticker, n) in enumerate(N_BARS.items()):
        table = random_prices(n, i)
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    return Folders(store, tmp_path_factory.mktemp("runs"))


@pytest.fixture(autouse=True)
def few_baselines(monkeypatch):
    drop_slow_baselines(monkeypatch)


def dataset_of(store, *notes):
    return build_dataset(CONFIG, PriceReader(CONFIG.data, store), *notes)


def test_a_ticker_that_ends_is_trained_on_and_in_the_market_until_it_ends(folders):
    notes = []
    dataset = dataset_of(folders.store, notes.append)
    assert dataset.config.data.tickers == tuple(N_BARS)
    parts = {name: getattr(dataset.windows, name) for name in ("train", "val", "test")}
    tickers = {name: [one.series.ticker for one in part] for name, part in parts.items()}
    assert tickers == {"train": list(N_BARS), "val": ["AAA", "SOON", "BBB"], "test": ["AAA", "BBB"]}
    assert notes == ["trained on but not scored, as the bars end before the test period: GONE, SOON"]
    gone = parts["train"][1]
    assert gone.future_rows.max() == N_BARS["GONE"] - 1  # to its last bar

    without = CONFIG.model_copy(update={"data": CONFIG.data.model_copy(update={"tickers": ("AAA", "BBB")})})
    fewer = build_dataset(without, PriceReader(without.data, folders.store), lambda _: None)
    ours, theirs = dataset.loader.market, fewer.loader.market
    differs = ours.volatility_surprise != theirs.volatility_surprise
    assert differs[:300].mean() > 0.8 and not differs[300:].any()


def test_it_has_a_scaler_and_a_calibration_and_no_score(folders, cli):
    answer = cli("train", *SETTINGS, *folders.options)
    assert answer.code == 0, answer.err
    run = find_run(folders.runs, None)
    assert list(run.scalers) == list(run.calibrators) == list(N_BARS)
    of_val = [run.calibrators[ticker].factors for ticker in ("AAA", "SOON", "BBB")]
    np.testing.assert_array_equal(run.calibrators["GONE"].factors, np.median(of_val, axis=0))
    assert run.calibrators["GONE"].levels == LEVELS
    assert run.scored_tickers == ("AAA", "BBB")
    assert set(run.forecasts["ticker"]) == set(run.verdict["tickers"]) == {"AAA", "BBB"}
    assert run.verdict["point"]["n"] > 0 and "GONE" not in answer.out

    predicted = cli("predict", *folders.options)
    assert predicted.code == 0 and "the newest bar of GONE is 2015-10-07" in predicted.err
    drawn = cli("plot", *folders.options, "--quiet", "--output", folders.runs / "plots")
    assert drawn.code == 0, drawn.err
    assert sorted(path.name for path in (folders.runs / "plots").glob("calibration*.png")) == [
        "calibration-AAA.png",
        "calibration-BBB.png",
    ]
    asked = cli("plot", "--ticker", "GONE", *folders.options)
    assert asked.code == 2 and "has no scores of GONE: its tickers are AAA, BBB" in asked.err
    assert cli("runs", *folders.options[2:]).code == 0


@pytest.mark.parametrize(
    ("window", "learnt"),
    [("expanding", [tuple(N_BARS)] * 3), ("rolling", [*[tuple(N_BARS)] * 2, ("AAA", "SOON", "BBB")])],
)
def test_a_fold_learns_and_scores_the_tickers_that_it_has_bars_of(folders, window, learnt):
    notes: list[str] = []
    config = CONFIG.model_copy(update={"split": CONFIG.split.model_copy(update={"val": 0.1, "test": 0.5})})
    plan = Plan(3, window, Engine("loky", 1))
    config, plans = plan_backtest(config, PriceReader(config.data, folders.store), plan, notes.append)
    assert config.data.tickers == tuple(N_BARS)
    assert [one.config.data.tickers for one in plans] == learnt
    assert [one.scored for one in plans] == [("AAA", "SOON", "BBB"), ("AAA", "SOON", "BBB"), ("AAA", "BBB")]
    unscored = "trained on but not scored, as the bars end before the test period: GONE"
    assert notes[-1] == unscored
    if window == "rolling":  # GONE ends before the last fold has enough bars of it
        assert len(notes) == 2 and notes[0].startswith("fold 3: left out: GONE (GONE: ")


def test_without_any_window_of_val_or_test_there_is_an_error(folders):
    data = CONFIG.data.model_copy(update={"tickers": ("GONE", "SOON")})
    split = CONFIG.split.model_copy(update={"val": "2016-01-04", "test": "2016-03-01"})
    config = CONFIG.model_copy(update={"data": data, "split": split})
    with pytest.raises(ShortHistoryError, match="the test part of GONE has 0 bars: not one window"):
        build_dataset(config, PriceReader(config.data, folders.store), pytest.fail)
