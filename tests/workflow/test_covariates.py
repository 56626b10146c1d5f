"""Covariates in whole commands, and in the leak check."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import load_config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.covariates import Covariate
from lstm_stock.errors import LeakError, ShortHistoryError
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, days_of
from lstm_stock.runs.catalog import find_run
from lstm_stock.workflow import backtest
from lstm_stock.workflow.leakcheck import check
from lstm_stock.workflow.leakcheck.compare import Checked, Corruption
from lstm_stock.workflow.leakcheck.corruption import CORRUPTIONS, DATES
from lstm_stock.workflow.leakcheck.training import Prices, Reference, TrainingPasses
from lstm_stock.workflow.parallel import Engine
from tests.conftest import TINY, Trained
from tests.helpers import assert_user_error, drop_slow_baselines, random_prices

FEATURES = "features=[log_return,^VIX.log_close,^VIX.trend_2]"
SETTINGS = [*TINY[1::2], "data.covariates=[^VIX]", FEATURES, "data.start=null", "data.end=null"]


# --- the leak check ---------------------------------------------------------------------------------------------


def histories_at(**exchanges: str) -> dict[str, PriceHistory]:
    """A ticker at each exchange, and VIX in New York."""
    tables = {name: (random_prices(420, seed), code) for seed, (name, code) in enumerate(exchanges.items())}
    tables["^VIX"] = (random_prices(420, seed=9), "XNYS")
    return {
        name: PriceHistory(
            name, table, PriceProvenance("csv", "2024-01-01T00:00:00+00:00", None, None, None, code, "")
        )
        for name, (table, code) in tables.items()
    }


def check_dataset(histories: dict[str, PriceHistory], how: str) -> Checked:
    """Compare the dataset with one of corrupted prices, at a cutoff in the test period."""
    tickers = ",".join(name for name in histories if name != "^VIX")
    config = load_config(None, [*SETTINGS, f"data.tickers=[{tickers}]"])
    dataset = build_dataset(config, PriceReader(config.data, Prices(histories)), lambda _: None)
    cutoff = days_of(histories["^VIX"].table)[380]
    passes = TrainingPasses(histories, Checked())
    passes.compare_dataset(Reference(dataset, None, {}), Corruption(cutoff, how))
    return passes.checked


@pytest.mark.parametrize("how", [*CORRUPTIONS, DATES])
def test_the_code_as_it_is_has_no_leak(how):
    checked = check_dataset(histories_at(NYC="XNYS", TYO="XTKS"), how)
    assert checked.n_arrays["covariates"] == 4
    assert checked.n_arrays["inputs"] == 6


@pytest.mark.parametrize("exchanges", [{"TYO": "XTKS"}, {"NYC": "XNYS", "TYO": "XTKS"}])
def test_a_join_by_date_is_a_leak_in_tokyo(monkeypatch, exchanges):
    monkeypatch.setattr(
        Covariate, "rows_known", lambda self, days, _: np.searchsorted(self.sessions, days, side="right") - 1
    )
    with pytest.raises(LeakError, match=r"`\^VIX\.log_close` at the closes of TYO on"):
        check_dataset(histories_at(**exchanges), "scale")
    check_dataset(histories_at(NYC="XNYS"), "scale")


def test_a_feature_that_looks_one_bar_ahead_is_a_leak(monkeypatch):
    rows_known = Covariate.rows_known
    monkeypatch.setattr(
        Covariate,
        "rows_known",
        lambda self, *of: np.minimum(rows_known(self, *of) + 1, len(self.sessions) - 7),
    )
    with pytest.raises(LeakError, match=r"`\^VIX\.log_close` at the closes of NYC on"):
        check_dataset(histories_at(NYC="XNYS"), "noise")


# --- whole commands ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Trained:
    root = tmp_path_factory.mktemp("covariates")
    return Trained(root / "data", root / "runs")


def write_csv(path, table: pd.DataFrame) -> str:
    table[["open", "high", "low", "close", "volume"]].to_csv(path)
    return str(path)


@pytest.fixture(scope="module")
def vix() -> pd.DataFrame:
    return random_prices(420, seed=9)


def test_commands_with_a_covariate_from_a_csv_file(cli, folders, vix, tmp_path, monkeypatch):
    drop_slow_baselines(monkeypatch)
    stock = write_csv(tmp_path / "aaa.csv", random_prices(420, seed=1))
    missing = vix.drop(vix.index[[100, 101]])
    assert cli("fetch", "AAA", "--from-csv", stock, "--exchange", "XNYS", *folders.options[:2]).code == 0

    config = ["--set", "data.tickers=[AAA]", *(part for one in SETTINGS for part in ("--set", one))]
    assert_user_error(cli("train", *config, *folders.options), "^VIX")
    index = write_csv(tmp_path / "vix.csv", missing)
    assert cli("fetch", "^VIX", "--from-csv", index, "--exchange", "XNYS", *folders.options[:2]).code == 0

    trained = cli("train", *config, *folders.options)
    assert trained.code == 0, trained.err
    assert "the covariate ^VIX has no bar on 2 sessions" in " ".join(trained.err.split())
    provenance = json.loads(next(folders.runs.glob("*/provenance.json")).read_text())
    origin = provenance["covariates"]["^VIX"]
    assert origin["hash"] == Store(folders.data).read("^VIX").provenance.hash
    assert (origin["first"], origin["n_bars"]) == (f"{vix.index[0]:%F}", 418)

    run = find_run(folders.runs, None)
    assert run.config.data.covariates == ("^VIX",)
    assert run.provenance.covariates["^VIX"].n_bars == 418
    forecast = cli("predict", "--format", "json", *folders.options)
    assert forecast.code == 0 and "covariate" not in forecast.err
    assert len(json.loads(forecast.out)) == 3


def test_a_leak_check_of_the_run_reads_the_covariate_of_its_training(folders, monkeypatch):
    run, store, found = find_run(folders.runs, None), Store(folders.data), []
    monkeypatch.setattr(check, "fit", lambda _: None)
    monkeypatch.setattr(check.Reference, "of", lambda *_: None)
    monkeypatch.setattr(check, "_check", lambda histories, *_: found.append(histories))
    check.check_run(run, store, check.Extent(1, 0), lambda *_: None, lambda text: found.append(text))
    (missing, histories) = found
    assert "the covariate ^VIX has no bar on 2 sessions" in missing
    assert list(histories) == ["AAA", "^VIX"]


def test_a_worker_of_a_backtest_gets_the_columns_of_the_covariate(folders, monkeypatch):
    store, jobs = Store(folders.data), []

    def stop(_engine, _function, arguments):
        jobs.extend(arguments)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(backtest, "run_calls", stop)
    config = load_config(None, [*SETTINGS, "data.tickers=[AAA]"])
    plan = backtest.Plan(2, "expanding", Engine("loky", 1))
    with pytest.raises(KeyboardInterrupt):
        backtest.backtest(config, store, folders.runs, plan, lambda *_: None, lambda _: None)
    closes = store.read("^VIX").table["close"]
    for job in jobs:
        column = job.adjusted["AAA"]["^VIX.log_close"].iloc[110:]
        np.testing.assert_array_equal(column, np.log(closes[column.index]))


def test_predict_warns_of_an_old_covariate_and_refuses_one_that_is_too_old(folders, vix):
    from lstm_stock.workflow.predict import predict
    from lstm_stock.workflow.run_bars import RunBars

    run, store, today = find_run(folders.runs, None), Store(folders.data), vix.index[-1].date()
    whole = {name: store.read(name) for name in ("AAA", "^VIX")}

    def with_vix(table: pd.DataFrame) -> Prices:
        return Prices(whole | {"^VIX": PriceHistory("^VIX", table, whole["^VIX"].provenance)})

    fresh = predict(RunBars(run, Prices(whole), None), "AAA", today)
    assert not [text for text in fresh.warnings if "^VIX" in text]
    old = predict(RunBars(run, with_vix(whole["^VIX"].table.iloc[:-2]), None), "AAA", today)
    (of_age, of_prices) = [text for text in old.warnings if "^VIX" in text]
    assert (
        f"the newest bar of the covariate ^VIX known at the close of {vix.index[-1]:%F} is that of" in of_age
    )
    assert "2 sessions of it missing" in of_age
    assert "are not those the run was trained on" in of_prices
    assert not np.array_equal(old.table["hi_90"], fresh.table["hi_90"])
    with pytest.raises(ShortHistoryError, match="more than 5 sessions"):
        predict(RunBars(run, with_vix(whole["^VIX"].table.iloc[:-20]), None), "AAA", today)
    with pytest.raises(ShortHistoryError, match="has no bar on or before"):
        predict(RunBars(run, with_vix(whole["^VIX"].table.iloc[400:]), vix.index[390].date()), "AAA", today)
    # A dividend of the covariate after the training changes its earlier adjusted closes, and no forecast.
    scaled = whole["^VIX"].table.assign(**{name: whole["^VIX"].table[name] * 0.9 for name in ("adj_close",)})
    scaled.iloc[-1, scaled.columns.get_loc("adj_close")] /= 0.9
    past = vix.index[390].date()
    expected = predict(RunBars(run, Prices(whole), past), "AAA", today).table
    found = predict(RunBars(run, with_vix(scaled), past), "AAA", today).table
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)
