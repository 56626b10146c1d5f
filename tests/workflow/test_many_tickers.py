"""One network for many tickers: from a file of names to tables, figures and forecasts of a ticker it never saw."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lstm_stock.cli.train import show_scores
from lstm_stock.config import load_config
from lstm_stock.dataset.build import build_dataset, refit_windows, windows_skipping_unusable
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.series import UNKNOWN_TICKER_ID, fit_ticker, window_spec
from lstm_stock.dataset.split import split_of
from lstm_stock.errors import ShortHistoryError
from lstm_stock.network.batches import UNKNOWN_SHARE, WindowBatches
from lstm_stock.network.checkpoints import Checkpoints
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.run import Run
from lstm_stock.scoring.scores import SCORE_COLUMNS, pooled_scores, score_table, ticker_scores
from lstm_stock.scoring.verdict import judge
from lstm_stock.workflow.scoring import subject_of
from lstm_stock.workflow.train_each import TrainJob, find_finished_runs
from tests.conftest import TINY, Answer, Captured, call_cli
from tests.helpers import (
    assert_fits,
    assert_user_error,
    count_reads,
    drop_slow_baselines,
    keep_corruptions,
    leave_out_scores,
    random_prices,
    write_empty_figures,
)
from tests.reused_networks import reused_networks

pytestmark = pytest.mark.usefixtures("networks_traced_once")

TICKERS = ("AAA", "BBB", "CCC", "^DD")
SHORT, UNSEEN = "NEW", "ZZZ"
SETTINGS = (*TINY, "--set", "training.epochs=1", "--set", "data.start=null", "--set", "data.end=null")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """Tickers of different volatility, one with a short history, and one that no run is trained on."""
    store = Store(tmp_path_factory.mktemp("many"))
    for i, ticker in enumerate((*TICKERS, UNSEEN, SHORT)):
        table = random_prices(420, i, volatility=0.005 * 2**i)
        if ticker == SHORT:
            table = table.iloc[-40:]
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    return store


@dataclass(frozen=True)
class Made:
    """A run of many tickers, what the command that made it printed, and how often it read each ticker."""

    store: Store
    runs: Path
    answer: Answer
    reads: Counter[str]

    @property
    def run(self) -> Run:
        return find_run(self.runs, None)

    @property
    def folders(self) -> tuple[object, ...]:
        return "--data-dir", self.store.root, "--runs-dir", self.runs


@pytest.fixture(scope="module")
def made(store, tmp_path_factory, shared_networks) -> Made:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "names.txt").write_text(f"# calm ones first\n{', '.join(TICKERS)}\n{SHORT}\n", encoding="utf-8")
    (folder / "many.yaml").write_text("data: {tickers: names.txt}\n", encoding="utf-8")
    words = ("train", "--config", folder / "many.yaml", *SETTINGS, "--set", "model.ticker_embedding=2")
    words += ("--set", "training.refit=true")
    words += ("--data-dir", store.root, "--runs-dir", folder / "runs")
    with pytest.MonkeyPatch.context() as monkeypatch, reused_networks(shared_networks):
        drop_slow_baselines(monkeypatch)
        reads = count_reads(monkeypatch)
        answer = call_cli(monkeypatch, Captured(monkeypatch), *words)
    return Made(store, folder / "runs", answer, reads)


@pytest.fixture(autouse=True)
def few_baselines(monkeypatch):
    drop_slow_baselines(monkeypatch)


# --- what is trained ------------------------------------------------------------------------------------------


def test_one_network_is_trained_for_the_tickers_of_a_file_without_those_that_are_too_short(made):
    assert made.answer.code == 0, made.answer
    assert "left out: NEW (NEW: one window needs" in made.answer.err
    run = made.run
    assert run.config.data.tickers == TICKERS
    assert tuple(run.provenance.tickers) == tuple(run.scalers) == tuple(run.calibrators) == TICKERS
    assert [i.shape for i in run.network.inputs] == [(None, 10, 7), (None,)]


def test_train_predict_and_plot_read_the_file_of_each_ticker_once(made, cli, monkeypatch):
    write_empty_figures(monkeypatch)
    assert made.reads == Counter((*TICKERS, SHORT))
    for words, names in (
        (("predict",), TICKERS),
        (("predict", UNSEEN, "--run", "newest"), (UNSEEN,)),
        (("plot", "--ticker", "AAA"), ("AAA",)),
    ):
        reads = count_reads(monkeypatch)
        answer = cli(*words, *made.folders)
        assert answer.code == 0 and reads == Counter(names), answer


def test_a_refit_learns_from_train_and_val_and_is_scaled_by_both(made, cli, monkeypatch):
    keep_corruptions(monkeypatch, "noise")
    assert "trained 1 epochs, then 1 on train and val, in" in made.answer.err
    config, run = made.run.config, made.run
    reader, before_test = PriceReader(config.data, made.store), run.provenance.split.without_val
    for ticker in TICKERS:
        series = fit_ticker(ticker, reader.adjusted(ticker), window_spec(config), before_test)
        assert run.scalers[ticker].to_json() == series.fitted.to_json()
    leave_out_scores(monkeypatch)
    checked = cli("leakcheck", "--cutoffs", "1", "--folds", "0", *made.folders)
    assert checked.code == 0, checked


def test_its_forecasts_lie_in_the_file_ticker_by_ticker_and_give_its_scores_and_verdict(made):
    run = made.run
    assert pq.ParquetFile(run.path / "forecasts.parquet").num_row_groups == len(TICKERS)
    pd.testing.assert_frame_equal(
        run.forecasts_of("CCC"), run.forecasts[run.forecasts["ticker"] == "CCC"].reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(score_table(run.forecasts), run.scores, check_dtype=False)
    assert json.loads(json.dumps(judge(run.forecasts, subject_of(run.config)))) == run.verdict


def test_the_regression_over_all_tickers_is_a_baseline_fitted_to_all_bars_before_the_test_period(made):
    run, reader = made.run, PriceReader(made.run.config.data, made.store)
    windows = refit_windows(run.config, BarLoader(reader.adjusted), run.provenance.split)
    regression = PooledT.fit(windows.train)
    for test in windows.test:
        rows = run.forecasts_of(test.series.ticker)
        found = rows[rows["model"] == "pooled_t"].pivot(index="cutoff", columns="step", values="crps")
        expected = regression.forecast(test).rescale(100).crps(100 * test.returns)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert set(run.scores.loc[run.scores["model"] == "pooled_t", "ticker"]) == set(TICKERS)
    assert "pooled_t" in [one["baseline"] for one in run.verdict["distribution"]["comparisons"]]
    assert any(line.split()[:2] == ["pooled_t", "4"] for line in made.answer.out.splitlines())


def test_what_it_says_has_a_line_a_ticker_the_most_skilful_first_and_a_line_a_baseline(made):
    assert_fits(made.answer)
    lines = made.answer.out.splitlines()
    table = [line.split() for line in lines if line.strip().startswith(TICKERS)]
    assert {row[0] for row in table} == set(TICKERS)
    skills = [float(row[1]) for row in table]
    assert skills == sorted(skills, reverse=True)
    assert any(line.startswith("all 4 tickers, 1 step ahead") for line in lines)
    assert any(line.split()[:2] == ["har_range_t", "4"] for line in lines)
    assert any(
        re.fullmatch(r"verdict on \d+ days, 1 step ahead, 4 tickers together:", line) for line in lines
    )
    assert "Each ticker by itself, in the table above:" in made.answer.out


def test_none_is_left_out_without_a_word_and_of_nothing_nothing_is_made(store):
    config = load_config(None, ["data.tickers=[NEW]", *(value for value in SETTINGS if value != "--set")])
    reader = PriceReader(config.data, store)
    split = split_of(config.split, PriceReader(made_config("AAA").data, store).dates(["AAA"]))
    with pytest.raises(ShortHistoryError, match="the train part of NEW has"):
        windows_skipping_unusable(config, BarLoader(reader.adjusted), split, pytest.fail)


def test_a_ticker_that_is_left_out_decides_no_split_either(store, tmp_path):
    for ticker in ("AAA", "BBB"):
        Store(tmp_path).write(store.read(ticker))
    table = random_prices(60, 9, start="2016-06-01")
    table.index = pd.date_range("2016-06-01", periods=60, unit="s", name="date")  # seven days a week
    late = random_prices(300, 8, start="2030-01-01")
    for ticker, bars in (("CRY", table), ("LATE", late)):
        origin = PriceProvenance("csv", "2024-01-02T00:00:00+00:00", None, None, None, None, table_hash(bars))
        Store(tmp_path).write(PriceHistory(ticker, bars, origin))
    notes = []
    config = made_config("AAA", "CRY", "LATE", "BBB")
    config = config.model_copy(update={"data": config.data.model_copy(update={"end": dt.date(2020, 1, 1)})})
    cut = build_dataset(config, PriceReader(config.data, Store(tmp_path)), notes.append)
    fits, parts = cut.config, cut.windows
    assert fits.data.tickers == ("AAA", "BBB")
    assert "LATE has no bar between None and 2020-01-01" in notes[0]
    assert "CRY: one window needs" in notes[1]
    cut = build_dataset(fits, PriceReader(fits.data, Store(tmp_path)), pytest.fail)
    again, same = cut.config, cut.windows
    assert (again, same.split) == (fits, parts.split)


def test_a_point_without_spread_is_shown_for_many_tickers_too(capsys):
    scores = SCORES.assign(crps=np.nan, nll=np.nan)
    more = [scores.assign(ticker=scores["ticker"] + suffix) for suffix in ("1", "2")]
    claim = {"verdict": "no evidence", "sentence": "Said"}
    one = dict.fromkeys(("point", "direction", "distribution", "calibration", "lag_copy"), claim)
    verdict = {
        **one,
        "step": 1,
        "n_dates": 9,
        "n_tickers": 4,
        "tickers": dict.fromkeys(("A1", "B1", "A2", "B2"), one),
    }
    show_scores(pd.concat(more, ignore_index=True), verdict, made_config("AAA"))
    assert "4 tickers, 1 step ahead, most skilful first" in capsys.readouterr().out


def test_a_run_that_cannot_be_read_does_not_keep_others_from_going_on(store, tmp_path):
    (tmp_path / "20240101-000000-X-lstm").mkdir()
    (tmp_path / "20240101-000000-X-lstm" / "provenance.json").write_text("{}")
    (tmp_path / "20240101-000000-X-lstm" / "config.yaml").write_text("foo: 1")
    config = made_config("AAA")
    assert find_finished_runs(TrainJob(config, store.root, tmp_path, True), {"AAA": config}) == {}


def made_config(*tickers: str, **model: object):
    sets = [value for value in SETTINGS if value != "--set"]
    sets += [f"model.{key}={value}" for key, value in model.items()]
    return load_config(None, [f"data.tickers={json.dumps(tickers)}", *sets])


def parts_of(store, *tickers: str, **model: object):
    config = made_config(*tickers, **model)
    reader = PriceReader(config.data, store)
    return windows_skipping_unusable(
        config, BarLoader(reader.adjusted), split_of(config.split, reader.dates(tickers)), lambda _: None
    )


def test_all_tickers_are_split_on_the_same_dates_and_scaled_each_by_its_own_train_bars(store):
    _, parts = parts_of(store, *TICKERS)
    for windows in parts.train:
        dates = windows.series.dates
        assert dates[windows.future_rows].max() < parts.split.val_start
        bars = windows.series.inputs[windows.series.first : np.searchsorted(dates, parts.split.val_start)]
        np.testing.assert_allclose(np.median(bars.max(axis=0)), 1, atol=0.6)
    offsets = {tuple(one.fitted.scaler.offset) for one in parts.series}
    assert len(offsets) == len(TICKERS)


def test_calm_and_wild_tickers_look_alike_to_the_network(store):
    _, parts = parts_of(store, *TICKERS)
    spreads = [windows.targets[:, 0].std() for windows in parts.train]
    assert max(spreads) / min(spreads) < 1.5
    assert max(one.fitted.return_std for one in parts.series) > 5 * min(
        one.fitted.return_std for one in parts.series
    )


def test_each_window_of_a_batch_is_of_one_ticker_with_its_code(store):
    config, parts = parts_of(store, "AAA", SHORT, "BBB", ticker_embedding=1)
    assert config.data.tickers == ("AAA", "BBB")
    batches = WindowBatches(parts.train, batch_size=64, seed=3)
    x, ticker_ids = gathered(batches)
    known = {
        code: {row.tobytes() for row in windows.inputs} for code, windows in enumerate(parts.train, start=1)
    }
    for window, code in zip(x, ticker_ids, strict=True):
        assert code == UNKNOWN_TICKER_ID or window.tobytes() in known[code]
    assert abs((ticker_ids == UNKNOWN_TICKER_ID).mean() - UNKNOWN_SHARE) < 0.05
    assert set(gathered(WindowBatches(parts.val, batch_size=64))[1]) == {1, 2}


def gathered(batches: WindowBatches) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows and the codes of a whole epoch."""
    inputs = [batches[i][0] for i in range(len(batches))]
    return np.concatenate([x for x, _ in inputs]), np.concatenate([ticker_ids for _, ticker_ids in inputs])


# --- what is done with it -------------------------------------------------------------------------------------


def test_a_ticker_it_never_saw_is_forecast_from_its_own_past_alone(cli, made, tmp_path):
    words = ("predict", UNSEEN, "--run", "newest", "--cutoff", "2016-06-30", "--format", "json")
    answer = cli(*words, *made.folders)
    assert answer.code == 0
    assert "the run was not trained on ZZZ: it is scaled by its own past" in answer.err
    rows = json.loads(answer.out)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(row["lo_90"] < row["y_pred"] < row["hi_90"] for row in rows)

    history, other = made.store.read(UNSEEN), Store(tmp_path)
    later = history.table.index > "2016-06-30"
    corrupted = history.table.copy()
    corrupted.loc[later, ["open", "high", "low", "close", "adj_close"]] *= 3
    origin = replace(history.provenance, hash=table_hash(corrupted))
    other.write(PriceHistory(UNSEEN, corrupted, origin))
    again = cli(*words, "--data-dir", tmp_path, "--runs-dir", made.runs)
    assert json.loads(again.out) == rows


def test_all_of_them_are_forecast_a_line_each_and_warned_of_together(cli, made):
    answer = cli("predict", *made.folders)
    assert answer.code == 0
    assert_fits(answer)
    assert {line.split()[0] for line in answer.out.splitlines() if line.strip().startswith(TICKERS)} == set(
        TICKERS
    )
    assert answer.err.count("the newest bar of") == 1
    assert "warning: AAA, BBB, CCC and 1 more: the newest bar of AAA" in answer.err


def test_of_several_tickers_those_with_bars_at_the_cutoff_are_forecast(cli, made, monkeypatch):
    read = Store.read

    def read_late(self, ticker):
        history = read(self, ticker)
        return replace(history, table=history.table.iloc[-100:]) if ticker == "BBB" else history

    monkeypatch.setattr(Store, "read", read_late)
    words = ("predict", "--cutoff", "2016-03-01", "--format", "csv", *made.folders)
    answer = cli(*words)
    assert answer.code == 0
    assert {line.split(",")[0] for line in answer.out.splitlines()[1:]} == set(TICKERS) - {"BBB"}
    assert "warning: no forecast of BBB: BBB has no bar on or before 2016-03-01" in answer.err
    assert_user_error(cli(*words, "BBB", "--run", "newest"), "BBB has no bar on or before 2016-03-01")


def test_a_ticker_too_young_for_the_train_period_is_scaled_by_all_its_bars(cli, made):
    answer = cli("predict", SHORT, "--run", "newest", "--format", "csv", *made.folders)
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 1 + 3


def test_a_run_of_one_ticker_forecasts_no_other(cli, trained):
    assert_user_error(
        cli("predict", "MSFT", "--run", "newest", *trained.options), "was not trained on MSFT, but on AAPL"
    )


def test_plot_draws_all_tickers_in_one_figure_and_one_of_them_when_it_is_named(
    cli, made, tmp_path, monkeypatch
):
    write_empty_figures(monkeypatch)
    drawn = cli("plot", "--output", tmp_path / "all", *made.folders)
    assert drawn.code == 0
    names = {path.stem for path in (tmp_path / "all").iterdir()}
    assert names == {"training", "tickers"}
    assert "--ticker AAA` draws one of its tickers" in drawn.err
    drawn = cli("plot", "--ticker", "^dd", "--output", tmp_path / "one", *made.folders)
    assert drawn.code == 0
    assert {path.name for path in (tmp_path / "one").glob("*.png")} == {
        f"{name}-%5EDD.png"
        for name in ("test_period", "calibration", "reliability", "scores_by_step", "forecast")
    }
    assert_user_error(cli("plot", "--ticker", UNSEEN, *made.folders), "has no scores of ZZZ")


def test_runs_lists_it(cli, made):
    listed = cli("runs", "--runs-dir", made.runs)
    assert listed.code == 0
    assert "AAA-BBB-CCC-and-1-more" in listed.out


# --- one network each -----------------------------------------------------------------------------------------


def test_each_ticker_gets_a_run_of_its_own_and_one_that_fails_stops_no_other(cli, store, tmp_path):
    words = ("train", "--each", "--jobs", "1", "--data-dir", store.root, "--runs-dir", tmp_path / "runs")
    words += (*SETTINGS, "--set", "data.tickers=[NEW, AAA]")
    answer = cli(*words)
    assert answer.code == 2
    assert "warning: NEW was not trained: one window needs" in answer.err
    assert "(hint: fetch an earlier `start`" in " ".join(answer.err.split())
    assert "error: 1 of 2 tickers could not be trained" in answer.err
    assert "AAA: test scores" in answer.out
    (name,) = (path.name for path in (tmp_path / "runs").iterdir())
    assert name.endswith("-AAA-lstm")
    again = cli(*words, "--resume", "--set", "data.tickers=[AAA]")
    assert again.code == 0
    assert "1 of 1 tickers have a run of the same training" in again.err
    assert len(list((tmp_path / "runs").iterdir())) == 1


# --- killed ---------------------------------------------------------------------------------------------------


class KilledError(Exception):
    """The process ends here."""


def test_resume_goes_on_where_a_training_was_killed_and_ends_with_the_same_run(
    cli, store, tmp_path, monkeypatch
):
    words = ("train", *SETTINGS, "--set", "data.tickers=[AAA]", "--set", "training.epochs=2")
    words += ("--data-dir", store.root, "--runs-dir")
    assert "no training of the same config" in cli(*words, tmp_path / "whole", "--resume").err

    runs = tmp_path / "killed"
    write = Checkpoints.write

    def write_and_die(self, member, state):
        write(self, member, state)
        raise KilledError

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(Checkpoints, "write", write_and_die)
        cli(*words, runs)
    assert [path.name[:10] for path in runs.iterdir()] == [".training-"]
    resumed = cli(*words, runs, "--resume")
    assert resumed.code == 0
    assert "continuing after epoch 1" in resumed.err
    assert [path.name for path in runs.iterdir()] == [find_run(runs, None).name]
    whole, again = (find_run(folder, None) for folder in (tmp_path / "whole", runs))
    pd.testing.assert_frame_equal(whole.forecasts, again.forecasts)
    assert whole.provenance.key == again.provenance.key


# --- scores of many -------------------------------------------------------------------------------------------


def scores_of(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["ticker", "model", "crps", "nll"])
    table = table.assign(step=1, n=100, skill=[0.1 * i for i in range(len(table))], coverage_90=0.9)
    return table.reindex(columns=list(SCORE_COLUMNS))


SCORES = scores_of(
    [
        ("A", "lstm", 1.0, 2.0),
        ("A", "har_range_t", 1.1, 1.9),
        ("A", "naive", 1.5, np.nan),
        ("B", "lstm", 3.0, 4.0),
        ("B", "har_range_t", 2.5, 4.5),
        ("B", "garch", 3.5, 5.0),
        ("B", "naive", 3.0, np.nan),
    ]
)


def test_pooled_scores_compare_over_the_tickers_that_both_have():
    pooled = pooled_scores(SCORES, "lstm").set_index("baseline")
    assert list(pooled.index) == ["har_range_t", "naive", "garch"]
    assert pooled.loc["har_range_t", ["crps", "crps_model", "nll", "nll_model"]].tolist() == [
        1.8,
        2.0,
        3.2,
        3.0,
    ]
    assert pooled.loc["har_range_t", ["n_tickers", "crps_better", "nll_better"]].tolist() == [2, 1, 1]
    assert pooled.loc["garch", ["n_tickers", "crps", "crps_model"]].tolist() == [1, 3.5, 3.0]
    assert pooled.loc["naive", ["n_tickers", "crps_better"]].tolist() == [2, 1]  # equal is not better
    assert np.isnan(pooled.loc["naive", "nll"])


def test_ticker_scores_put_the_most_skilful_first_beside_the_best_baseline_of_each():
    rows = ticker_scores(SCORES, "lstm")
    assert rows["ticker"].tolist() == ["B", "A"]
    assert rows["baseline"].tolist() == ["har_range_t", "har_range_t"]
    np.testing.assert_allclose(rows["gain"], [100 * (1 - 3.0 / 2.5), 100 * (1 - 1.0 / 1.1)])
