"""Trainings that start from a pretrained network: its inputs, the choice on val, and what is saved and scored."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lstm_stock.config import load_config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.errors import ConfigError, RunError
from lstm_stock.prices.reader import PriceReader, Snapshot
from lstm_stock.runs.run import Run
from lstm_stock.workflow.backtest import Plan, backtest
from lstm_stock.workflow.fit import fit_with_refit, regressions_of
from lstm_stock.workflow.leakcheck.check import Extent, check_run
from lstm_stock.workflow.leakcheck.corruption import CORRUPTIONS
from lstm_stock.workflow.parallel import Engine
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.run_bars import RunBars
from lstm_stock.workflow.start import start_of
from lstm_stock.workflow.train import Reports, train
from tests.reused_networks import reused_networks, untraced_forecasts, without_graph_optimizer
from tests.workflow import test_pretrained

# The tests of pretrained networks have the fixtures.
config, store, folder = test_pretrained.config, test_pretrained.store, test_pretrained.folder


@pytest.fixture
def fine(folder):
    """A config that starts from the networks of the fixtures, which learned from prices before 2016-07-01."""

    def make(*changes: str, start: str = "", tickers: str = "NEW"):
        settings = [
            f"data={{tickers: [{tickers}], start: null, end: null}}",
            f"model.start={folder.path}{start}",
        ]
        settings += ["window.look_back=3", "window.horizon=1", "model.units=[1]"]
        settings += ["split={val: 2016-05-01, test: 2016-07-01}", *changes]
        return load_config(Path("finetune"), settings)

    return make


@pytest.fixture(scope="module")
def run(folder, store, shared_networks, tmp_path_factory) -> Run:
    runs = tmp_path_factory.mktemp("runs")
    settings = [f"model.start={folder.path}/own", "data={tickers: [NEW], start: null, end: null}"]
    settings += ["window={look_back: 3, horizon: 2}", "split={val: 2016-05-01, test: 2016-07-01}"]
    with reused_networks(shared_networks), without_graph_optimizer(), untraced_forecasts():
        return train(
            load_config(Path("finetune"), settings),
            store,
            runs,
            Reports.only_notes(lambda _: None),
            n_workers=1,
        )


def test_the_network_with_the_most_inputs_of_the_run_is_chosen(fine, store, folder):
    notes = []
    for tickers, name in (("NEW", "covariates"), (", ".join(test_pretrained.TRAINED), "market-covariates")):
        found, start = start_of(fine(tickers=tickers), store, notes.append)
        theirs = folder.networks[name].config
        assert found.model.start == f"{folder.path}/{name}"
        assert (found.features, found.data.covariates) == (theirs.features, theirs.data.covariates)
        assert start.name == "pretrained"
        assert start.scaler.features == found.columns
        assert len(found.columns) < len(theirs.columns)  # of one step, theirs of two
    assert "inputs, those of the pretrained network" in notes[0]
    assert start_of(found, store, notes.append)[0] == found  # as a saved config is


def test_the_start_forecasts_as_the_pretrained_network(fine, store, folder):
    found, start = start_of(fine(start="/own"), store, lambda _: None)
    dataset = build_dataset(found, PriceReader(found.data, store), lambda _: None, start=start)
    (test,) = dataset.windows.test
    network = folder.networks["own"]
    rows = [network.config.columns.index(name) for name in found.columns]
    x = np.zeros((len(test), len(network.config.columns)), np.float32)
    x[:, rows] = test.inputs[:, -1]
    windows = np.zeros((len(x), 3, x.shape[1]), np.float32)
    windows[:, -1] = x
    params = network.network.predict(windows, verbose=0)
    np.testing.assert_allclose(
        start.regression.params(test.inputs[:, -1].astype(np.float64)), params[:, 0, :1], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("scaler=standard", "scaler: got standard, expected pooled"),
        ("target_scale=lhar", "target_scale: got lhar, expected trailing_vol"),
        ("window.look_back=4", "window.look_back: got 4, expected 3"),
        ("window.horizon=3", "window.horizon: got 3, expected at most 2"),
        ("features=[log_return]", "features: must be left out"),
        ("model.ticker_embedding=2", "model.ticker_embedding: must be 0"),
    ],
)
def test_a_config_that_contradicts_the_network_is_refused(change, message, fine, store):
    with pytest.raises(ConfigError, match=message):
        start_of(fine(change), store, lambda _: None)


def test_a_name_that_is_no_network_is_refused(fine, store, tmp_path):
    with pytest.raises(ConfigError, match="no folder of pretrained networks"):
        start_of(fine(f"model.start={tmp_path}"), store, lambda _: None)


def test_a_start_without_shortcut_is_refused_by_the_config():
    with pytest.raises(ConfigError, match=r"model\.start: got 'universal', must be null"):
        load_config(None, ["model.start=universal"])


def test_a_network_with_a_trained_cell_is_refused(fine, store, monkeypatch):
    monkeypatch.setattr("lstm_stock.runs.run.REGRESSIONS", {})
    with pytest.raises(RunError, match="no regression alone"):
        start_of(fine(), store, lambda _: None)


def test_a_test_period_that_the_network_learned_from_is_refused(fine, store, tmp_path):
    early = fine("split={val: 2016-03-01, test: 2016-06-30}")
    with pytest.raises(ConfigError, match="learned from prices before 2016-07-01") as caught:
        train(early, store, tmp_path, Reports.only_notes(lambda _: None))
    assert "`split.test` to 2016-07-01 or later" in caught.value.hint
    with pytest.raises(ConfigError, match="learned from prices before 2016-07-01"):
        backtest(
            early, store, tmp_path, Plan(1, "expanding", Engine("loky", 1)), lambda *_: None, lambda _: None
        )


def test_the_better_one_on_val_is_kept_and_refitted_in_kind(fine, store, monkeypatch):
    found, start = start_of(fine(start="/own"), store, lambda _: None)
    dataset = build_dataset(found, PriceReader(found.data, store), lambda _: None, start=start)
    tuned = start.regression.tuned(dataset.windows.train)
    losses = [one.mean_nll(dataset.windows.val) for one in (start.regression, tuned)]
    with without_graph_optimizer():
        forecaster = fit_with_refit(found, dataset.windows, dataset.loader)
    choice = forecaster.fit.fine_tuning
    assert (choice.start, choice.tuned) == pytest.approx(losses)
    insample = forecaster.windows.train
    assert len(insample[0]) > len(dataset.windows.train[0])
    expected = start.regression if losses[0] <= losses[1] else start.regression.tuned(insample)
    np.testing.assert_allclose(forecaster.fit.regression.slopes, expected.slopes)
    worse = replace(start, regression=replace(start.regression, intercepts=start.regression.intercepts + 3))
    monkeypatch.setattr(PooledT, "mean_nll", lambda one, _: float(one is not worse.regression))
    with without_graph_optimizer():
        kept = fit_with_refit(found, replace(dataset.windows, start=worse), dataset.loader)
    assert kept.fit.regression is worse.regression
    assert list(regressions_of(found, kept.windows)) == ["pooled_t", "pretrained"]


def test_the_run_is_scored_beside_its_start_and_a_regression_from_scratch(run):
    models = run.scores["model"].unique()
    assert models[0] == run.model_name == "finetuned"
    assert {"pooled_t", "pretrained", "har_range_t"} <= set(models)
    saved = Run(run.path).regressions
    assert list(saved) == ["pooled_t", "pretrained"]
    assert saved["pretrained"].slopes.shape == (len(run.config.columns), 2, 2)


def test_the_run_predicts_and_has_no_leak(run, store, shared_networks, monkeypatch):
    forecast = predict(RunBars(run, Snapshot(store), None), "NEW", dt.date(2016, 9, 1)).table
    assert (forecast["lo_90"] < forecast["y_pred"]).all()
    # One kind of corruption: the others are tested where there is no start.
    monkeypatch.setattr("lstm_stock.workflow.leakcheck.check.CORRUPTIONS", {"noise": CORRUPTIONS["noise"]})
    with reused_networks(shared_networks), without_graph_optimizer(), untraced_forecasts():
        checked = check_run(run, store, Extent(1, 0), lambda *_: None, pytest.fail)
    assert checked.n_values["forecast"] > 0
