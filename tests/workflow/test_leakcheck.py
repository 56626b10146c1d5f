"""The leak check: it passes on the code as it is, and names every leak that a test puts in."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock import baselines
from lstm_stock.config import load_config
from lstm_stock.config.features import FEATURES, FeatureSpec
from lstm_stock.dataset import features, series, windows
from lstm_stock.dataset.split import Split, split_of
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Empirical
from lstm_stock.errors import DataError, LeakError
from lstm_stock.prices.reader import all_dates, days_of
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, table_hash
from lstm_stock.workflow.leakcheck import pipeline as leakcheck
from lstm_stock.workflow.leakcheck.compare import Snapshot, check
from lstm_stock.workflow.leakcheck.pipeline import make_pipeline, sample_cutoffs, train_briefly
from tests.conftest import TINY, Trained
from tests.helpers import drop_slow_baselines, keep_corruptions, random_prices

CONFIG = load_config(
    None, [*(value for value in TINY if value != "--set"), "data.tickers=[AAA,BBB]", "training.batch_size=64"]
)
TABLES = {"AAA": random_prices(420, seed=1), "BBB": random_prices(400, seed=2, start="2015-02-01")}
DATES = all_dates([days_of(table) for table in TABLES.values()])
SPLIT = split_of(CONFIG.split, DATES)
VAL, TEST = SPLIT.first_rows(DATES)
TRAIN_END, VAL_END, IN_TEST = DATES[VAL - 1], DATES[TEST - 1], DATES[TEST + 30]


@pytest.fixture(autouse=True)
def few_baselines(monkeypatch):
    drop_slow_baselines(monkeypatch)


@pytest.fixture(scope="module")
def network():
    return train_briefly(CONFIG, TABLES)


def run_check(network, cutoffs):
    return check(make_pipeline(CONFIG, network), TABLES, cutoffs, lambda done, n: None)


def leak_of(network, *cutoffs) -> str:
    with pytest.raises(LeakError) as caught:
        run_check(network, cutoffs)
    return caught.value.message


# --- the code as it is ------------------------------------------------------------------------------------------


def test_nothing_changes_and_everything_is_compared(network, monkeypatch):
    keep_corruptions(monkeypatch, "shuffle", "volume")
    progress = []
    pipeline = make_pipeline(CONFIG, network)
    checked = check(
        pipeline, TABLES, [TRAIN_END, VAL_END, IN_TEST], lambda done, n: progress.append((done, n))
    )
    assert progress == [(done, 6) for done in range(7)]
    n_features = len(CONFIG.features)
    n_baselines = sum(not baseline.needs_market for baseline in baselines.BASELINES.values())
    assert checked.n_arrays == {
        "split": 6,
        "volatility": 12,
        "feature": 12 * n_features,
        "scaler": 12,
        "inputs": 12,
        "target scale": 12,
        "targets": 4 + 8 + 8,
        "weights": 2,
        "calibration": 8,
        "forecast": 8,
        "baseline": 8 * n_baselines,
    }


@pytest.mark.parametrize("kind", ["forecast", "baseline"])
def test_the_check_can_fail_forecasts_after_a_corruption_do_change(network, kind):
    """What is compared is not constant: the same values at a later cutoff do change."""
    from lstm_stock.workflow.leakcheck.corruption import corrupt

    pipeline = make_pipeline(CONFIG, network)
    corrupted = {ticker: corrupt(table, VAL_END, "noise") for ticker, table in TABLES.items()}
    reference, changed = (
        {one.name: one.values for one in pipeline(tables, IN_TEST) if one.kind == kind}
        for tables in (TABLES, corrupted)
    )
    assert all(not np.array_equal(values, changed[name]) for name, values in reference.items())


# --- leaks put in on purpose ------------------------------------------------------------------------------------


def test_a_feature_that_looks_one_bar_ahead_is_named(network, monkeypatch):
    def tomorrow(bars):
        return np.append(features.log_range(bars)[1:], 0.0)

    monkeypatch.setitem(FEATURES, "log_range", FeatureSpec("looks ahead", "log_range", tomorrow))
    message = leak_of(network, IN_TEST)
    assert "the feature `log_range` of AAA" in message
    assert f"on {IN_TEST} changes when the bars after {IN_TEST} are corrupted (shuffle)" in message


def test_a_feature_of_volume_that_looks_ahead_is_named(network, monkeypatch):
    def centred(bars):
        return np.log((bars.volume + 1) / (np.mean(bars.volume) + 1))

    monkeypatch.setitem(FEATURES, "log_volume_ratio", FeatureSpec("looks ahead", "plain", centred))
    assert "the feature `log_volume_ratio` of AAA" in leak_of(network, TRAIN_END)


def test_a_scaler_fitted_on_all_bars_is_named(network, monkeypatch):
    def fit_ticker(ticker, adjusted, spec, split):
        everything = Split(days_of(adjusted)[-1], split.test_start)
        return series.fit_ticker(ticker, adjusted, spec, everything)

    monkeypatch.setattr(leakcheck, "fit_ticker", fit_ticker)
    assert "leak: the scaler of AAA changes" in leak_of(network, TRAIN_END)


def test_a_scaler_fitted_on_train_and_val_bars_is_named(network, monkeypatch):
    def fit_ticker(ticker, adjusted, spec, split):
        return series.fit_ticker(ticker, adjusted, spec, Split(split.test_start, split.test_start))

    monkeypatch.setattr(leakcheck, "fit_ticker", fit_ticker)
    assert "leak: the scaler of AAA changes" in leak_of(network, TRAIN_END, VAL_END)


def test_a_split_that_looks_at_prices_is_named(network, monkeypatch):
    def where_it_is_calm(tables):
        calmest = int(np.argmin(np.abs(np.diff(np.log(tables["AAA"]["close"].to_numpy()[-40:])))))
        return Split(DATES[VAL], DATES[-40 + calmest])

    pipeline = make_pipeline(CONFIG, network)

    def leaky(tables, cutoff):
        monkeypatch.setattr(leakcheck, "split_of", lambda config, dates: where_it_is_calm(tables))
        return pipeline(tables, cutoff)

    with pytest.raises(LeakError, match="leak: the split changes"):
        check(leaky, TABLES, [TRAIN_END], lambda done, n: None)


def test_labels_that_reach_into_val_are_named(network, monkeypatch):
    def without_purge(series, spec, split, part):
        cut = windows.windows_of(series, spec, split, part)
        if part != "train":
            return cut
        more = np.arange(cut.cutoffs[-1] + 1, cut.cutoffs[-1] + spec.horizon)
        return replace(cut, cutoffs=np.append(cut.cutoffs, more))

    monkeypatch.setattr(leakcheck, "windows_of", without_purge)
    assert "leak: the train windows' targets of AAA" in leak_of(network, TRAIN_END)


def test_a_training_that_sees_the_test_period_is_named(network, monkeypatch):
    def on_everything(shape, train, val, config, seed):
        ends = [len(one.series.dates) - one.spec.horizon for one in train]
        train = [
            Windows(one.series, one.spec, np.arange(end - 64, end))
            for one, end in zip(train, ends, strict=True)
        ]
        return fit_network(shape, train, val, config, seed)

    fit_network = leakcheck.fit_network
    monkeypatch.setattr(leakcheck, "fit_network", on_everything)
    assert "leak: the weights of a short training changes" in leak_of(network, VAL_END)


def test_a_network_forecast_that_looks_ahead_is_named(network, monkeypatch):
    def peek(config, network, windows):
        return forecast_network(config, network, replace(windows, cutoffs=windows.cutoffs + 1))

    forecast_network = leakcheck.forecast_network
    monkeypatch.setattr(leakcheck, "forecast_network", peek)
    assert "leak: the forecast of lstm for AAA" in leak_of(network, IN_TEST)


@pytest.mark.parametrize("how", ["one bar ahead", "fitted on all bars"])
def test_a_baseline_that_looks_ahead_is_named(network, monkeypatch, how):
    def leaky(task):
        if how == "one bar ahead":
            return baselines.ewma(replace(task, cutoffs=task.cutoffs + 1))
        returns = np.diff(np.log(task.bars.close))
        return Empirical(np.repeat(returns[:, None], task.horizon, axis=1), len(task.cutoffs))

    monkeypatch.setitem(baselines.BASELINES, "leaky", baselines.BaselineSpec(leaky))
    assert "leak: the forecast of the baseline `leaky` for AAA" in leak_of(network, IN_TEST)


def test_a_value_missing_from_one_pass_is_named():
    def pipeline(tables, cutoff):
        yield Snapshot("a", "the first", np.zeros(2))
        if tables is TABLES:
            yield Snapshot("b", "the second", np.zeros(2))

    with pytest.raises(LeakError, match="leak: the second changes"):
        check(pipeline, TABLES, [IN_TEST], lambda done, n: None)


def test_a_single_bit_counts():
    def pipeline(tables, cutoff):
        yield Snapshot("a", "the first", np.array([1.0, 1.0 if tables is TABLES else 1.0 + 2**-52]))

    with pytest.raises(LeakError, match="leak: the first changes"):
        check(pipeline, TABLES, [IN_TEST], lambda done, n: None)


def test_a_corruption_that_changes_no_bar_is_not_counted():
    def pipeline(tables, cutoff):
        yield Snapshot("a", "the first", np.zeros(2))

    passes = []
    table = {"AAA": TABLES["AAA"]}
    last = days_of(TABLES["AAA"])[-2]
    checked = check(pipeline, table, [last], lambda done, n: passes.append((done, n)))
    assert checked.n_arrays == {"a": 3}  # of one bar there is no shuffle
    assert passes[-1] == (4, 4)


# --- cutoffs ----------------------------------------------------------------------------------------------------


def test_cutoffs_hold_both_borders_and_leave_bars_to_corrupt():
    cutoffs = sample_cutoffs(DATES, SPLIT, horizon=3, n=6, seed=7)
    assert cutoffs[:2] == [TRAIN_END, VAL_END]
    assert len(cutoffs) == len(set(cutoffs)) == 8
    assert cutoffs == sorted(cutoffs)
    assert max(cutoffs) <= DATES[-4]
    assert cutoffs == sample_cutoffs(DATES, SPLIT, horizon=3, n=6, seed=7)
    assert len(sample_cutoffs(DATES, SPLIT, horizon=3, n=10**6, seed=7)) == len(DATES) - 3 - TEST + 2


def test_a_series_without_test_period_is_told():
    with pytest.raises(DataError, match="there is nothing to check"):
        sample_cutoffs(DATES, Split(DATES[-2], DATES[-1]), horizon=3, n=2, seed=7)


# --- the command ------------------------------------------------------------------------------------------------


def test_the_command_checks_the_newest_run(cli, trained: Trained):
    answer = cli("leakcheck", "--cutoffs", 1, *trained.options)
    assert answer.code == 0, answer.err
    assert re.search(r"^ feature +84 ", answer.out, re.MULTILINE)
    assert "no leak: 3 cutoffs from 2018-12-14 to" in answer.out
    assert "weights" not in answer.out


def test_the_command_checks_a_config_and_trains_for_it(cli, trained: Trained, monkeypatch):
    keep_corruptions(monkeypatch, "scale", "noise")
    few = ("--set", "data.start=2021-01-01")
    answer = cli("leakcheck", *TINY, *few, "--cutoffs", 1, "--quiet", "--data-dir", trained.data)
    assert answer.code == 0, answer.err
    assert answer.err == ""
    assert re.search(r"^ weights +2 ", answer.out, re.MULTILINE)


def test_the_command_ends_with_2_and_the_name(cli, trained: Trained, monkeypatch):
    def oracle(task):
        return baselines.ewma(replace(task, cutoffs=task.cutoffs + 1))

    monkeypatch.setitem(baselines.BASELINES, "oracle", baselines.BaselineSpec(oracle))
    answer = cli("leakcheck", "--cutoffs", 1, *trained.options)
    assert answer.code == 2
    assert answer.out == ""
    assert "error: leak: the forecast of the baseline `oracle` for AAPL" in answer.err
    assert "\n\nhint: a value available at a cutoff must not depend on later bars" in answer.err


def change_scaler(run: Path) -> None:
    scaler = json.loads((run / "scaler.json").read_text())
    scaler["AAPL"]["features"]["log_return"]["scale"] *= 1.5
    (run / "scaler.json").write_text(json.dumps(scaler))


def test_a_saved_scaler_that_saw_other_bars_is_named(cli, trained: Trained, tmp_path):
    shutil.copytree(trained.runs, tmp_path / "runs")
    (run,) = (tmp_path / "runs").iterdir()
    change_scaler(run)
    answer = cli("leakcheck", "--data-dir", trained.data, "--runs-dir", tmp_path / "runs")
    assert answer.code == 2
    assert "leak: the saved scaler of AAPL is not the one fitted on the train bars" in answer.err


def test_other_prices_than_the_runs_earn_a_warning(cli, trained: Trained, tmp_path, monkeypatch):
    keep_corruptions(monkeypatch, "shuffle")
    data = ("--data-dir", tmp_path / "data")
    cli("fetch", "AAPL", "--source", "sample", "--end", "2023-11-30", *data)
    answer = cli("leakcheck", "--cutoffs", 1, *data, "--runs-dir", trained.runs)
    assert answer.code == 0, answer.err
    assert "warning: the stored prices of AAPL are not those that" in answer.err


@pytest.mark.parametrize("scaler", ["as saved", "of other bars"])
def test_newer_bars_than_the_runs_change_nothing(cli, trained: Trained, tmp_path, monkeypatch, scaler):
    """Of a run without `data.end`, the check looks at the bars it was made from, whatever was fetched later."""
    keep_corruptions(monkeypatch, "noise")
    runs = tmp_path / "runs"
    shutil.copytree(trained.runs, runs)
    (run,) = runs.iterdir()
    config = (run / "config.yaml").read_text()
    assert "  end: 2023-12-31" in config
    (run / "config.yaml").write_text(config.replace("  end: 2023-12-31", "  end: null"))
    history = Store(trained.data).read("AAPL")
    later = history.table.iloc[-60:].set_axis(pd.bdate_range("2024-01-02", periods=60, unit="s", name="date"))
    table = pd.concat([history.table, later])
    provenance = replace(history.provenance, hash=table_hash(table))
    Store(tmp_path / "data").write(PriceHistory("AAPL", table, provenance))
    if scaler == "as saved":
        options = ("leakcheck", "--cutoffs", 1, "--quiet", "--runs-dir", runs)
        before, after = (cli(*options, "--data-dir", data) for data in (trained.data, tmp_path / "data"))
        assert before.code == after.code == 0, after.err
        assert after.err == ""
        assert after.out == before.out
    else:
        change_scaler(run)
        answer = cli("leakcheck", "--data-dir", tmp_path / "data", "--runs-dir", runs)
        assert "leak: the saved scaler of AAPL is not the one fitted on the train bars" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such-run",), "there is no run 'no-such-run'"),
        (("some-run", "--config", "default"), "got the run some-run and a config, expected one of them"),
        (("--cutoffs", "0"), "--cutoffs"),
        (("--set", "data.tickers=[NVDA]"), "NVDA"),
        (("--set", "data.start=2023-11-01", "--set", "window.look_back=5"), "one window needs"),
    ],
    ids=str,
)
def test_bad_input_is_told(cli, trained: Trained, arguments, message):
    answer = cli("leakcheck", *arguments, *trained.options)
    assert answer.code == 2
    assert answer.out == ""
    assert message in answer.err
    assert "\n\nhint: " in answer.err


def test_ctrl_c_in_a_short_training_is_no_leak(monkeypatch):
    """A training that was stopped early has other weights, without any leak."""
    interrupted = leakcheck.fit_network
    monkeypatch.setattr(leakcheck, "fit_network", lambda *args: replace(interrupted(*args), interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        train_briefly(CONFIG, TABLES)
