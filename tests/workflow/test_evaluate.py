"""A saved run, weights frozen, on its own test period, on newer dates, and on tickers that it never saw."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import load_config
from lstm_stock.errors import ConfigError, RunError
from lstm_stock.prices.reader import Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.report import plots
from lstm_stock.report.text import verdict_text
from lstm_stock.runs import evaluation as evaluations
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.run import Run
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS
from lstm_stock.scoring.significance import diebold_mariano
from lstm_stock.workflow import evaluate as workflow
from lstm_stock.workflow import scoring
from lstm_stock.workflow.evaluate import Plan, Reports, evaluate
from lstm_stock.workflow.parallel import WorkerKilledError
from lstm_stock.workflow.train import Reports as TrainReports
from lstm_stock.workflow.train import train
from tests.conftest import TINY, Trained
from tests.helpers import assert_fits, assert_user_error, drop_slow_baselines, random_prices
from tests.reused_networks import without_graph_optimizer

TICKERS, UNSEEN, SHORT, TOKYO = ("AAA", "BBB", "CCC", "DDD"), "ZZZ", "NEW", "JPN"
OF_RUN_END = "2016-09-30"


@pytest.fixture(autouse=True)
def few_baselines(monkeypatch):
    drop_slow_baselines(monkeypatch)


@pytest.fixture
def no_verdict(monkeypatch):
    """Leave out the verdict: its bootstraps take most of a small evaluation."""
    verdict = {"step": 1, "distribution": {}}
    monkeypatch.setattr(scoring, "judge_ticker", lambda *_: verdict)
    monkeypatch.setattr(scoring, "judge_together", lambda *_: verdict)


without_verdict = pytest.mark.usefixtures("no_verdict")


def write(store: Store, ticker: str, table: pd.DataFrame, exchange: str = "XNYS") -> None:
    origin = PriceProvenance(
        "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", exchange, table_hash(table)
    )
    store.write(PriceHistory(ticker, table, origin))


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Trained:
    """A run of four tickers that reads the market, scales all alike, and ends before the bars of the store do."""
    root = tmp_path_factory.mktemp("evaluate")
    store, folders = Store(root / "data"), Trained(root / "data", root / "runs")
    for i, ticker in enumerate((*TICKERS, UNSEEN, SHORT, TOKYO)):
        table = random_prices(520, i, volatility=0.006 * 1.3**i)
        if ticker == SHORT:
            table = table.iloc[-40:]
        write(store, ticker, table, "XTKS" if ticker == TOKYO else "XNYS")
    settings = [f"data.tickers=[{', '.join(TICKERS)}]", "data.start=null", f"data.end={OF_RUN_END}"]
    settings += [*(value for value in TINY if value != "--set"), "training.epochs=1", "window.horizon=2"]
    settings += ["target_scale=har_market", "scaler=pooled", "features=[log_return,log_range_vol,market_vol]"]
    with pytest.MonkeyPatch.context() as monkeypatch, without_graph_optimizer():
        drop_slow_baselines(monkeypatch)
        train(load_config(None, settings), store, folders.runs, TrainReports.only_notes(lambda _: None))
    return folders


def evaluated(run: Run, store: Store, tickers=None, start: str | None = None, end: str | None = None):
    """Return the evaluation, its forecasts, and what it said."""
    said, tables = [], []
    plan = Plan(
        run,
        Snapshot(store),
        run.config.data.tickers if tickers is None else tickers,
        dt.date.fromisoformat(start or run.provenance.test_start),
        None if end is None else dt.date.fromisoformat(end),
        n_workers=1,
    )
    found = evaluate(plan, Reports(lambda _done, _all: None, said.append, said.append, tables.append))
    return found, pd.concat(tables, ignore_index=True), said


def rows_of(table: pd.DataFrame, model: str) -> pd.DataFrame:
    return table[table["model"] == model].reset_index(drop=True)


def in_common(table: pd.DataFrame, models) -> pd.DataFrame:
    return table[table["model"].isin(models)].reset_index(drop=True)


# --- the same as the training found ---------------------------------------------------------------------------


@without_verdict
def test_on_its_own_test_period_a_run_repeats_its_forecasts_and_scores(trained: Trained):
    run = find_run(trained.runs, None)
    found, forecasts, said = evaluated(run, Store(trained.data))
    models = forecasts["model"].unique()
    assert "pooled_t" in models
    # Keras forecast the run, its ONNX file the evaluation: both in float32.
    pd.testing.assert_frame_equal(forecasts, in_common(run.forecasts, models), rtol=1e-5, check_dtype=False)
    pd.testing.assert_frame_equal(found.scores, in_common(run.scores, models), rtol=1e-5, check_dtype=False)
    assert said == []
    assert (found.in_sample, found.unseen, found.end) == (False, (), "2023-12-29")


def test_of_several_tickers_too_with_market_and_verdict(many: Trained):
    run = find_run(many.runs, None)
    found, forecasts, _ = evaluated(run, Store(many.data), end=OF_RUN_END)
    pd.testing.assert_frame_equal(forecasts, run.forecasts, rtol=1e-5, check_dtype=False)
    assert verdict_text(json.loads(json.dumps(found.verdict))) == verdict_text(run.verdict)


@without_verdict
def test_a_later_start_changes_no_forecast_of_the_network_nor_its_adaptive_intervals(trained: Trained):
    run = find_run(trained.runs, None)
    assert run.config.calibration == "adaptive"
    found, forecasts, _ = evaluated(run, Store(trained.data), start="2023-01-03")
    assert str(forecasts["cutoff"].min()) == "2022-12-30 00:00:00"
    of_run = run.forecasts[run.forecasts["cutoff"] >= "2022-12-30"]
    pd.testing.assert_frame_equal(
        rows_of(forecasts, "lstm"), rows_of(of_run, "lstm"), rtol=1e-5, check_dtype=False
    )
    # The baselines learn from all bars before the period, so they are not those of the run.
    assert not np.allclose(rows_of(forecasts, "har_range_t")["crps"], rows_of(of_run, "har_range_t")["crps"])
    assert found.start == "2023-01-03"


@without_verdict
def test_bars_newer_than_the_training_are_forecast(many: Trained):
    run, store = find_run(many.runs, None), Store(many.data)
    found, forecasts, _ = evaluated(run, store)
    newest = store.read("AAA").table.index[-1]
    assert found.end == f"{newest:%F}" > OF_RUN_END
    last = run.forecasts["cutoff"].max()
    ours = rows_of(forecasts, "lstm")
    pd.testing.assert_frame_equal(
        ours[ours["cutoff"] <= last].reset_index(drop=True), rows_of(run.forecasts, "lstm"), check_dtype=False
    )


# --- a ticker that it never saw -------------------------------------------------------------------------------


@without_verdict
def test_prices_after_a_cutoff_change_no_forecast_from_it(many: Trained, tmp_path):
    run, store, other = find_run(many.runs, None), Store(many.data), Store(tmp_path)
    _, expected, said = evaluated(run, store, [UNSEEN])
    assert (
        f"the run was not trained on ZZZ: it is scaled by its own bars before {run.provenance.test_start}"
        in said
    )
    cutoffs = np.sort(expected["cutoff"].unique())
    for cutoff in (cutoffs[0], cutoffs[40]):
        for ticker in (*TICKERS, UNSEEN):  # the others are the market
            table = store.read(ticker).table.copy()
            later = table.index > cutoff
            noise = np.exp(np.random.default_rng(1).normal(0, 0.3, later.sum()))
            prices = ["open", "high", "low", "close", "adj_close"]
            table.loc[later, prices] = table.loc[later, prices].mul(noise, axis=0)
            write(other, ticker, table)
        _, found, _ = evaluated(run, other, [UNSEEN])
        known = [name for name in FORECAST_COLUMNS if name not in ("y_true", "crps", "nll", "pit")]
        is_before = expected["cutoff"] <= cutoff
        pd.testing.assert_frame_equal(found[is_before][known], expected[is_before][known], check_exact=True)
        assert not np.isclose(found[~is_before]["lo_90"], expected[~is_before]["lo_90"]).any()


@without_verdict
def test_it_is_scored_beside_every_baseline_with_the_regression_of_the_run(many: Trained):
    run = find_run(many.runs, None)
    found, _, _ = evaluated(run, Store(many.data), [UNSEEN, "AAA"])
    assert found.unseen == (UNSEEN,)
    models = list(run.scores["model"].unique())
    assert "pooled_t" in models and "har_market_t" in models
    for _, rows in found.scores.groupby(["ticker", "step"]):
        assert rows["model"].tolist() == models
    # The regression is the run's own: without its file there is none.
    del run.__dict__["regressions"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("lstm_stock.runs.run.REGRESSIONS", {})
        without, _, said = evaluated(run, Store(many.data), [UNSEEN, "AAA"])
    assert "pooled_t" not in set(without.scores["model"])
    assert any(text.startswith("no pooled_t") for text in said)


@without_verdict
def test_a_ticker_without_bars_before_the_period_is_left_out_with_a_note(many: Trained):
    run, store = find_run(many.runs, None), Store(many.data)
    start = f"{store.read(SHORT).table.index[10]:%F}"
    found, _, said = evaluated(run, store, [UNSEEN, SHORT], start)
    assert found.tickers == (UNSEEN,)
    assert "NEW" in found.left_out
    assert any(text.startswith("left out: NEW (NEW: ") for text in said)


# --- the command ----------------------------------------------------------------------------------------------


def test_dates_that_the_network_learned_from_are_refused_or_marked(cli, trained: Trained):
    run = find_run(trained.runs, None)
    words = ("evaluate", "--start", "2020-06-01", "--end", "2020-08-31", *trained.options)
    refused = cli(*words)
    assert_user_error(refused, f"learned from the prices before {run.provenance.test_start}")
    assert "--in-sample" in refused.err
    table = cli(*words, "--in-sample")
    assert table.code == 0
    assert table.out.startswith("IN SAMPLE: the network learned from prices of 2020-06-01")
    assert_fits(table)
    as_json = cli(*words, "--in-sample", "--format", "json")
    printed = json.loads(as_json.out)
    assert (printed["run"], printed["in_sample"], printed["end"]) == (run.name, True, "2020-08-31")
    assert "warning: IN SAMPLE" in as_json.err


def test_other_tickers_on_those_dates_are_refused_too(many: Trained):
    run = find_run(many.runs, None)
    run.require_unseen(dt.date.fromisoformat(run.provenance.test_start))
    with pytest.raises(ConfigError, match="of all tickers it was trained on"):
        run.require_unseen(dt.date.fromisoformat(run.provenance.test_start) - dt.timedelta(days=1))


def test_the_tables_of_many_tickers_and_the_folder_hold_the_same_scores(cli, many: Trained, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text(f"# all\n{' '.join(TICKERS).lower()}\n{UNSEEN}\n", encoding="utf-8")
    folder = tmp_path / "new" / "evaluation"
    words = ("evaluate", "--tickers", names, *many.options)
    table = cli(*words, "--output", folder)
    assert table.code == 0, table
    assert "5 tickers (1 not in training)" in " ".join(table.out.split())
    for text in ("5 tickers, 1 step ahead", "lstm less each baseline", "88 to 92 % in", "verdict on"):
        assert text in table.out
    assert {path.name for path in folder.iterdir()} == {
        "forecasts.parquet",
        "scores.json",
        "tickers.png",
        "tickers.svg",
    }
    saved = json.loads((folder / "scores.json").read_text())
    assert {"scores", "verdict"} < set(saved)
    forecasts = pd.read_parquet(folder / "forecasts.parquet")
    assert list(forecasts) == list(FORECAST_COLUMNS)
    (row,) = [one for one in saved["comparisons"] if one["baseline"] == "ewma" and one["step"] == 1]
    first = forecasts[forecasts["step"] == 1].pivot(index=["cutoff", "ticker"], columns="model", values="nll")
    gap = first["lstm"] - first["ewma"]
    of_tickers = gap.groupby("ticker").mean()
    assert row["nll_gap"] == pytest.approx(of_tickers.mean())
    assert row["nll_better"] == (of_tickers < 0).sum()
    assert row["nll_t"] == pytest.approx(diebold_mariano(gap.groupby("cutoff").mean()).statistic)
    ours = forecasts[(forecasts["model"] == "lstm") & (forecasts["step"] == 1)]
    inside = (ours["pit"] - 0.5).abs().le(0.45).groupby(ours["ticker"]).mean()
    assert saved["coverage"][0] == {
        "step": 1,
        "coverage": pytest.approx(inside.mean()),
        "n_tickers": 5,
        "n_within": int(inside.between(0.88, 0.92).sum()),
    }

    again = cli(*words, "--output", folder)
    assert_user_error(again, "exists already")


@without_verdict
def test_few_tickers_have_the_figures_of_plot(cli, many: Trained, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save_figure", lambda _figure, _folder, name: drawn.append(name) or [])
    words = ("evaluate", "--tickers", f"{UNSEEN},AAA", "--output", tmp_path / "two", "--format", "csv")
    answer = cli(*words, *many.options)
    assert answer.code == 0
    assert answer.out.startswith("ticker,model,step,")
    names = ("test_period", "calibration", "reliability", "scores_by_step")
    assert drawn == [f"{name}-{ticker}" for ticker in (UNSEEN, "AAA") for name in names]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tickers", "A B!"), "must be a ticker"),
        (("--tickers", " , "), "no ticker is named"),
        (("--tickers", "nowhere.txt"), "cannot be read"),
        (("--tickers", "AAA,XXX"), "XXX is not in the price store"),
        (("--start", "2016-13-01"), "--start"),
        (("--end", "2016-01-01"), "is before the start of the period"),
        (("--start", "2030-01-01"), "no ticker can be scored: AAA has no bar from 2030-01-01 on"),
        (("--tickers", TOKYO), "needs tickers whose sessions end together"),
    ],
)
def test_bad_input_is_refused(cli, many: Trained, words, message):
    assert_user_error(cli("evaluate", *words, *many.options), message)


def test_a_run_of_one_ticker_and_a_market_that_is_not_there_are_refused(cli, trained, many, tmp_path):
    assert_user_error(cli("evaluate", "--tickers", "MSFT", *trained.options), "was not trained on MSFT")
    write(Store(tmp_path), UNSEEN, Store(many.data).read(UNSEEN).table)
    words = ("evaluate", "--tickers", UNSEEN, "--data-dir", tmp_path, "--runs-dir", many.runs)
    assert_user_error(cli(*words), "AAA is not in the price store")


def test_what_fails_leaves_no_folder(many: Trained, tmp_path, monkeypatch):
    run = find_run(many.runs, None)
    start = dt.date.fromisoformat(run.provenance.test_start)
    plan = Plan(run, Snapshot(Store(many.data)), ["AAA"], start, None, 1)
    quiet = Reports(lambda _done, _all: None, lambda _: None, lambda _: None)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patched,
        pytest.raises(RunError, match="the evaluation cannot be saved") as error,
    ):
        patched.setattr(workflow, "write_json", full_disk)
        workflow.evaluate_into(tmp_path / "out", plan, quiet)
    assert "--output" in error.value.hint

    def killed(*_):
        raise WorkerKilledError("a worker process was killed")
        yield

    with monkeypatch.context() as patched, pytest.raises(ConfigError) as error:
        patched.setattr(workflow, "score_tickers", killed)
        workflow.evaluate_into(tmp_path / "out", plan, quiet)
    assert error.value.hint == "choose fewer `--jobs`"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_forecast(
    cli, many: Trained, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(evaluations, "save_evaluation", None)
    answer = cli("evaluate", "--output", tmp_path / "file" / "out", *many.options)
    assert_user_error(answer, "the evaluation cannot be saved in")


@without_verdict
def test_a_dividend_after_the_training_changes_no_forecast_and_a_changed_price_is_told(
    many: Trained, tmp_path
):
    run, store, other = find_run(many.runs, None), Store(many.data), Store(tmp_path)
    _, expected, _ = evaluated(run, store, ["AAA"], end=OF_RUN_END)
    for ticker in TICKERS:
        table = store.read(ticker).table
        if ticker == "AAA":
            table = table.assign(
                adj_close=table["adj_close"] * np.where(table.index < "2016-11-01", 0.98, 1.0)
            )
        write(other, ticker, table)
    _, found, said = evaluated(run, other, ["AAA"], end=OF_RUN_END)
    pd.testing.assert_frame_equal(rows_of(found, "lstm"), rows_of(expected, "lstm"), rtol=1e-4)
    assert any("are not those the run was trained on" in text for text in said)


@without_verdict
def test_a_market_of_old_bars_is_told(many: Trained, tmp_path):
    run, store, other = find_run(many.runs, None), Store(many.data), Store(tmp_path)
    for ticker in (*TICKERS, UNSEEN):
        table = store.read(ticker).table
        write(other, ticker, table if ticker == UNSEEN else table.loc[:OF_RUN_END])
    _, _, said = evaluated(run, other, [UNSEEN])
    newer = (store.read(UNSEEN).table.index > OF_RUN_END).sum() - run.config.window.horizon
    assert any(text.startswith(f"on {newer} of ") and "the market is 0" in text for text in said)
