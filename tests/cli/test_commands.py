"""The commands as a user types them: output, exit codes, files."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
import typing
from pathlib import Path

import pandas as pd
import pytest

from lstm_stock.config import CalibrationName
from lstm_stock.workflow.forecast_tickers import INTERVALS
from tests.conftest import TINY, Trained
from tests.forked import ForkedCommand
from tests.helpers import COMMAND, assert_fits, drop_slow_baselines, write_empty_figures

pytestmark = pytest.mark.usefixtures("networks_traced_once")

# --- from fetch to plot ---


def test_fetch_train_runs_predict_plot_and_a_second_training_is_the_same(cli, trained: Trained, tmp_path):
    folders = ("--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "runs")
    fetched = cli("fetch", "aapl", "--source", "sample", "--data-dir", tmp_path / "data")
    assert fetched.code == 0
    assert fetched.out == ""
    assert "AAPL: 3522 bars, 2010-01-04 to 2023-12-29" in fetched.err

    answer = cli("train", *TINY, *folders)
    assert answer.code == 0
    for name in ("lstm", "naive", "drift", "constant_t", "ewma", "RMSE", "CRPS", "best baseline"):
        assert name in answer.out
    assert "saved" in answer.err
    assert_fits(answer)

    assert_same_run(trained.runs, tmp_path / "runs")

    runs = cli("runs", "--runs-dir", tmp_path / "runs")
    assert_fits(runs)
    assert runs.code == 0
    assert "AAPL-lstm" in runs.out

    forecast = cli("predict", *folders)
    assert forecast.code == 0
    assert "Tue 2024-01-02" in forecast.out
    assert_fits(forecast)

    plotted = cli("plot", *folders)
    assert plotted.code == 0
    (run,) = (tmp_path / "runs").iterdir()
    names = {path.name for path in (run / "plots").iterdir()}
    stems = ("training", "test_period", "forecast", "calibration", "reliability", "scores_by_step")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}


def test_scores_json_follows_from_forecasts_parquet(trained: Trained):
    from lstm_stock.scoring.scores import score_table

    (run,) = trained.runs.iterdir()
    saved = pd.DataFrame(json.loads((run / "scores.json").read_text())["scores"]).astype({"nll": float})
    again = score_table(pd.read_parquet(run / "forecasts.parquet"))
    pd.testing.assert_frame_equal(saved.fillna(-1.0), again.fillna(-1.0), check_dtype=False, rtol=1e-12)


def assert_same_run(runs: Path, others: Path) -> None:
    import keras
    import numpy as np

    (one,), (two,) = runs.iterdir(), others.iterdir()
    first, second = (keras.saving.load_model(path / "model.keras", compile=False) for path in (one, two))
    for expected, found in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, found)
    for file in ("forecasts.parquet", "scores.json", "scaler.json", "config.yaml"):
        assert (one / file).read_bytes() == (two / file).read_bytes(), file


@pytest.mark.parametrize("head", ["point", "quantile"])
def test_every_head_trains_predicts_and_plots(cli, trained: Trained, tmp_path, monkeypatch, head):
    drop_slow_baselines(monkeypatch)
    write_empty_figures(monkeypatch)
    folders = ("--data-dir", trained.data, "--runs-dir", tmp_path)
    settings = ("--set", f"model.head={head}", "--set", "data.start=2022-01-01")
    assert cli("train", *TINY, *settings, "--quiet", *folders).code == 0
    answer = cli("predict", "--format", "json", *folders)
    (*_, last) = json.loads(answer.out)
    assert 0 < last["lo_90"] < last["y_pred"] < last["hi_90"]
    assert cli("plot", *folders).code == 0


def test_the_classic_recipe_trains_predicts_and_is_reported_as_worse(cli, trained: Trained, tmp_path):
    folders = ("--data-dir", trained.data, "--runs-dir", tmp_path)
    answer = cli(
        "train", "--config", "classic", "--set", "training.epochs=1", "--set", "model.units=[4]", *folders
    )
    assert answer.code == 0, answer.err
    text = " ".join(answer.out.split())
    assert "naive, which forecasts the last close? No, it is higher (" in text
    assert "Distribution: not tested: lstm forecasts a point" in text
    assert "worse point" in cli("runs", "--runs-dir", tmp_path).out
    (run,) = tmp_path.iterdir()
    scores = pd.DataFrame(json.loads((run / "scores.json").read_text())["scores"])
    assert set(scores["step"]) == {1}
    assert scores.set_index("model").loc["lstm", "skill"] < 0
    (forecast,) = json.loads(cli("predict", "--format", "json", *folders).out)
    assert forecast["y_pred"] > 0
    assert forecast["lo_90"] is None


def test_the_verdict_is_printed_saved_and_reproducible(cli, trained: Trained):
    from lstm_stock.baselines import followers
    from lstm_stock.report.text import verdict_text
    from lstm_stock.scoring.verdict import Subject, judge

    (run,) = trained.runs.iterdir()
    saved = json.loads((run / "scores.json").read_text())["verdict"]
    again = judge(pd.read_parquet(run / "forecasts.parquet"), Subject("lstm", "adaptive", followers()))
    assert saved == again
    assert {"point", "direction", "distribution", "calibration", "lag_copy"} <= set(saved)
    text = verdict_text(saved)
    assert "Point: is the RMSE of lstm lower than that of naive, which forecasts the last" in text
    assert {one["baseline"] for one in saved["distribution"]["comparisons"]} == set(followers()) - {
        *("har_market_t", "universal", "pretrained")
    }
    assert saved["last"]["step"] == saved["step"] + 2
    assert "verdict" in cli("runs", "--runs-dir", trained.runs).out


def test_baselines_that_cannot_be_fitted_are_left_out_with_a_note(cli, trained: Trained, tmp_path):
    """269 bars, of which 215 come before the test period: GARCH needs 250 returns."""
    folders = ("--data-dir", trained.data, "--runs-dir", tmp_path)
    answer = cli("train", *TINY, "--set", "data.start=2022-12-05", *folders)
    assert answer.code == 0, answer.err
    for name in ("garch", "gjr"):
        assert f"AAPL: baseline {name} is left out: 214 in-sample returns are too few" in answer.err
    (run,) = tmp_path.iterdir()
    models = {row["model"] for row in json.loads((run / "scores.json").read_text())["scores"]}
    assert {"har_range_t", "arima", "historical"} <= models
    assert {"garch", "gjr"}.isdisjoint(models)


def test_two_members_are_averaged_saved_as_one_model_and_have_conformal_intervals(
    cli, trained: Trained, tmp_path
):
    folders = ("--data-dir", trained.data, "--runs-dir", tmp_path)
    answer = cli("train", *TINY, "--set", "training.members=2", "--set", "calibration=conformal", *folders)
    assert answer.code == 0, answer.err
    assert_fits(answer)
    (run,) = tmp_path.iterdir()
    assert set(pd.read_csv(run / "history.csv")["member"]) == {1, 2}
    assert_predicts_the_intervals_of_the_test_period(cli, run, folders)


def test_adaptive_intervals_of_predict_equal_those_of_the_test_period(cli, trained: Trained):
    (run,) = trained.runs.iterdir()
    assert_predicts_the_intervals_of_the_test_period(cli, run, trained.options)


def assert_predicts_the_intervals_of_the_test_period(cli, run: Path, folders) -> None:
    factors = json.loads((run / "calibration.json").read_text())["AAPL"]["factors"]
    assert len(factors) == 3
    assert all(factor != 1 for step in factors for factor in step)
    forecasts = pd.read_parquet(run / "forecasts.parquet")
    mine = forecasts[(forecasts["model"] == "lstm") & (forecasts["cutoff"] == pd.Timestamp("2022-03-01"))]
    rows = pd.DataFrame(
        json.loads(cli("predict", "--cutoff", "2022-03-01", "--format", "json", *folders).out)
    )
    for column in ("y_pred", "lo_50", "lo_90", "hi_90", "hi_95"):
        assert rows[column].to_numpy() == pytest.approx(mine[column].to_numpy(), rel=1e-5)


# --- predict ---


def test_predict_as_json_has_the_documented_keys_and_dates(cli, trained: Trained):
    answer = cli("predict", "--format", "json", *trained.options)
    rows = json.loads(answer.out)
    intervals = [f"{side}_{level}" for level in (50, 80, 90, 95) for side in ("lo", "hi")]
    assert list(rows[0]) == [
        "ticker",
        "cutoff",
        "step",
        "date",
        "y_pred",
        *intervals,
        "last_close",
        "dividend",
    ]
    # New Year's Day 2024 is a holiday; 2023-12-29 was a Friday.
    assert [row["date"] for row in rows] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert all(row["cutoff"] == "2023-12-29" for row in rows)
    for row in rows:
        assert row["lo_95"] < row["lo_90"] < row["lo_80"] < row["lo_50"] < row["y_pred"]
        assert row["y_pred"] < row["hi_50"] < row["hi_80"] < row["hi_90"] < row["hi_95"]
    assert "days old" in answer.err


def test_predict_describes_its_intervals(cli, trained: Trained):
    assert set(INTERVALS) == set(typing.get_args(CalibrationName))
    assert INTERVALS["adaptive"] in cli("predict", *trained.options).err


def test_predict_as_csv_is_csv(cli, trained: Trained):
    rows = list(csv.DictReader(io.StringIO(cli("predict", "--format", "csv", *trained.options).out)))
    assert [row["date"] for row in rows] == ["2024-01-02", "2024-01-03", "2024-01-04"]


def test_predict_as_of_a_past_date_equals_the_test_period(cli, trained: Trained):
    (run,) = trained.runs.iterdir()
    forecasts = pd.read_parquet(run / "forecasts.parquet")
    forecasts = forecasts[
        (forecasts["model"] == "lstm") & (forecasts["cutoff"] == pd.Timestamp("2022-03-01"))
    ]
    rows = pd.DataFrame(
        json.loads(cli("predict", "--cutoff", "2022-03-01", "--format", "json", *trained.options).out)
    )
    for column in ("y_pred", "lo_90", "hi_90", "last_close"):
        assert rows[column].to_numpy() == pytest.approx(forecasts[column].to_numpy(), rel=1e-5)
    assert rows["date"].tolist() == forecasts["date"].dt.strftime("%Y-%m-%d").tolist()


def test_a_cutoff_on_a_weekend_means_the_bar_before_it(cli, trained: Trained):
    rows = json.loads(cli("predict", "--cutoff", "2022-03-05", "--format", "json", *trained.options).out)
    assert rows[0]["cutoff"] == "2022-03-04"
    assert rows[0]["date"] == "2022-03-07"


def test_a_cutoff_in_the_train_period_gives_a_warning(cli, trained: Trained):
    assert "is no test of it" in cli("predict", "--cutoff", "2015-03-04", *trained.options).err
    assert "is no test of it" not in cli("predict", "--cutoff", "2022-03-04", *trained.options).err


def test_changed_prices_give_a_warning(cli, trained: Trained, tmp_path):
    table = pd.read_csv(sample_csv())
    table.loc[100, "volume"] += 1
    table.to_csv(tmp_path / "mine.csv", index=False)
    data = ("--data-dir", tmp_path / "data")
    assert cli("fetch", "AAPL", "--from-csv", tmp_path / "mine.csv", "--exchange", "XNYS", *data).code == 0
    answer = cli("predict", *data, "--runs-dir", trained.runs)
    assert answer.code == 0
    assert "are not those the run was trained on" in answer.err


def test_newer_bars_are_not_changed_prices(cli, trained: Trained, tmp_path):
    data = ("--data-dir", tmp_path / "data")
    shutil.copytree(trained.runs, tmp_path / "runs")
    assert cli("fetch", "AAPL", "--source", "sample", "--end", "2023-06-30", *data).code == 0
    assert cli("train", *TINY, *data, "--runs-dir", tmp_path / "new").code == 0
    assert cli("fetch", "AAPL", "--source", "sample", *data).code == 0
    answer = cli("predict", *data, "--runs-dir", tmp_path / "new", "--format", "json")
    assert json.loads(answer.out)[0]["cutoff"] == "2023-12-29"
    assert "trained on" not in answer.err


def sample_csv() -> Path:
    import lstm_stock

    return Path(lstm_stock.__file__).parent / "prices" / "sample" / "AAPL_2010_2023.csv"


# --- the program as a process ---


def test_the_installed_command_and_the_module_print_the_same():
    by_name = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    by_module = subprocess.run(
        [sys.executable, "-m", "lstm_stock", "--version"], capture_output=True, text=True
    )
    assert by_name.stdout == by_module.stdout
    assert by_name.stdout.startswith("lstm-stock ")


@pytest.mark.parametrize("n_interrupts", [1, 2])
def test_ctrl_c_once_saves_twice_does_not_and_both_can_resume(trained: Trained, tmp_path, n_interrupts):
    arguments = ["train", "--set", "training.epochs=10000", "--set", "training.early_stopping=null"]
    arguments += [
        "--set",
        "model.units=[8]",
        "--set",
        "window.look_back=10",
        "--set",
        "data.start=2022-12-05",
    ]
    arguments += ["--data-dir", trained.data, "--runs-dir", tmp_path / "runs"]
    process = ForkedCommand(arguments, tmp_path)
    deadline = time.monotonic() + 120
    # The training itself would take hours; this file comes with its first epoch.
    while not list(tmp_path.glob("runs/.training-*/network-01.npz")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    assert "training, at most 10000 epochs\n" in process.stderr  # a slow machine reports before it
    process.send_signal(signal.SIGINT)
    if n_interrupts == 2:  # once the first has ended the training: what comes earlier counts as one with it
        while "stopped by Ctrl-C" not in process.stderr:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    runs = list(tmp_path.glob("runs/[!.]*"))
    assert len(list(tmp_path.glob("runs/.training-*/network-01.npz"))) == 1
    if n_interrupts == 1:
        assert process.returncode == 0, err
        assert "the last validated weights are scored and saved; `--resume` continues" in err
        assert "best baseline" in out
        assert len(runs) == 1
    else:
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert runs == []


def test_a_reader_of_stdout_that_leaves_ends_the_program_quietly():
    process = subprocess.Popen(
        [COMMAND, "config", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    with process.stderr as stderr:
        assert (process.wait(timeout=30), stderr.read()) == (141, "")


def test_every_command_has_help(cli):
    for command in (
        "fetch",
        "train",
        "predict",
        "plot",
        "runs",
        "demo",
        "config show",
        "config schema",
        "config init",
    ):
        answer = cli(*command.split(), "--help")
        assert answer.code == 0
        assert answer.out.startswith("Usage: lstm-stock " + command)


def test_quiet_prints_data_only(cli, trained: Trained):
    answer = cli("predict", "--quiet", "--cutoff", "2022-03-01", *trained.options)
    # Two epochs make a network that is worse than the baselines, of which a warning tells.
    assert [line.split(": ")[0] for line in answer.err.splitlines()] == ["warning"]
    assert "verdict on its test period: worse" in answer.err
    assert answer.out


def test_config_init_writes_a_file_that_loads(cli, tmp_path):
    assert cli("config", "init", tmp_path / "my.yaml").code == 0
    shown = cli("config", "show", "--config", tmp_path / "my.yaml")
    assert shown.out == cli("config", "show").out


def test_config_schema_is_json(cli):
    assert json.loads(cli("config", "schema").out)["type"] == "object"
