from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import Config
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.scale import TrailingVolatility
from lstm_stock.dataset.scaler import fit_scaler
from lstm_stock.dataset.series import FittedTicker
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.errors import RunError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.build import build_ensemble, build_network
from lstm_stock.network.onnx.export import export_network
from lstm_stock.network.onnx.session import OnnxNetwork
from lstm_stock.prices.reader import TickerOrigin
from lstm_stock.runs.catalog import find_run, list_backtests, list_runs
from lstm_stock.runs.files import RUN_FILES, records
from lstm_stock.runs.provenance import RunProvenance, package_versions
from lstm_stock.runs.run import HISTORY_COLUMNS, ModelArtifacts, RunResults, save_run
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS
from lstm_stock.scoring.scores import SCORE_COLUMNS

POOLED_T = PooledT(np.random.default_rng(3).normal(size=(2, 2, 2)), np.array([[-0.2, 2.0], [0.1, 1 / 3]]))
SPEC = Architecture("lstm", (3,), 0.0, (), "student_t", look_back=4, n_features=2, horizon=2)
WINDOWS = np.random.default_rng(4).normal(size=(5, 4, 2)).astype(np.float32)
DAYS = pd.to_datetime(["2023-01-03", "2023-01-04"]).astype("datetime64[ms]")
FORECASTS = pd.DataFrame({name: [1.0, 2.0] for name in FORECAST_COLUMNS}).assign(
    ticker="AAPL", model=["lstm", "naive"], step=[1, 2], cutoff=DAYS, date=DAYS
)


def results(created: str = "2024-01-02T03:04:05+00:00", tickers: tuple[str, ...] = ("AAPL",)) -> RunResults:
    config = Config.model_validate(
        {
            "data": {"tickers": tickers},
            "features": ["log_return", "close"],
            "window": {"look_back": 4, "horizon": 2},
        }
    )
    network = build_ensemble([build_network(SPEC)])
    scaler = FittedTicker(
        fit_scaler("minmax", ("log_return", "close"), np.random.default_rng(0).normal(5, 1, (30, 2))),
        return_std=0.01,
        close_offset=3.0,
        close_scale=2.0,
        insample_mae=0.4,
        scale=TrailingVolatility(),
    )
    forecasts = Path(tempfile.mkdtemp()) / "forecasts.parquet"
    FORECASTS.to_parquet(forecasts, index=False)
    scores = pd.DataFrame({name: [1.0, np.nan] for name in SCORE_COLUMNS})
    scores = scores.assign(ticker=tickers[0], model=["lstm", "naive"], step=1)
    history = pd.DataFrame({name: [1.0] for name in HISTORY_COLUMNS})
    provenance = RunProvenance(
        created=created,
        seed=7,
        val_start="2019-01-01",
        test_start="2021-01-01",
        n_params=network.count_params(),
        n_train_windows=100,
        n_val_windows=20,
        train_seconds=1.5,
        interrupted=False,
        tickers={
            ticker: TickerOrigin("ab12", "2010-01-04", "2023-12-29", 3522, "sample", 6.4)
            for ticker in tickers
        },
        packages=package_versions(),
        python="3.11.7",
        platform="Linux",
    )
    calibrator = Calibrator("none", LEVELS, np.ones((2, len(LEVELS))))
    fitted = ModelArtifacts(network, dict.fromkeys(tickers, scaler), dict.fromkeys(tickers, calibrator))
    return RunResults(config, fitted, history, forecasts, scores, provenance)


def with_pooled(saved: RunResults) -> RunResults:
    return replace(saved, fitted=replace(saved.fitted, regressions={"pooled_t": POOLED_T}))


def with_onnx(saved: RunResults) -> RunResults:
    return replace(saved, fitted=replace(saved.fitted, onnx=export_network(saved.fitted.network, {})))


def test_a_run_comes_back_as_it_was_saved(tmp_path):
    saved = results()
    run = find_run(tmp_path, save_run(tmp_path, saved).name)
    assert run.name == "20240102-030405-AAPL-lstm"
    assert sorted(path.name for path in run.path.iterdir()) == sorted(RUN_FILES)
    assert run.config == saved.config
    assert replace(run.provenance, network_hashes={}) == saved.provenance
    assert run.scalers["AAPL"].to_json() == saved.fitted.scalers["AAPL"].to_json()
    pd.testing.assert_frame_equal(run.forecasts, FORECASTS)
    pd.testing.assert_frame_equal(run.scores, saved.scores)
    pd.testing.assert_frame_equal(run.history, saved.history)
    for ours, theirs in zip(run.network.get_weights(), saved.fitted.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_regression_over_all_tickers_comes_back_to_the_bit_or_is_absent(tmp_path):
    assert save_run(tmp_path, results()).regressions == {}
    run = save_run(tmp_path, with_pooled(results()))
    assert json.loads((run.path / "pooled.json").read_text())["features"] == ["log_return", "close"]
    np.testing.assert_array_equal(run.regressions["pooled_t"].slopes, POOLED_T.slopes)
    np.testing.assert_array_equal(run.regressions["pooled_t"].intercepts, POOLED_T.intercepts)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"features": ["close", "log_return"]}, "its features are not those of config.yaml"),
        ({"intercepts": [[0.1, 2.0]]}, "its shapes are"),
        ({"slopes": [[[0.0, None]] * 2] * 2}, "`slopes.0.0.1`: Input should be a valid number"),
        ({"slopes": "many"}, "`slopes`: Input should be a valid array"),
    ],
)
def test_a_regression_of_other_features_or_without_numbers_is_refused(tmp_path, change, complaint):
    run = save_run(tmp_path, with_pooled(results()))
    file = run.path / "pooled.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(RunError, match=f"`pooled.json` cannot be read: .*{complaint}"):
        _ = run.regressions


def test_scores_json_is_plain_json_with_null_for_what_does_not_apply(tmp_path):
    run = save_run(tmp_path, results())
    scores = json.loads((run.path / "scores.json").read_text())["scores"]
    assert list(scores[0]) == list(SCORE_COLUMNS)
    assert scores[1]["crps"] is None


def test_a_run_is_never_written_over(tmp_path):
    names = [save_run(tmp_path, results()).name for _ in range(3)]
    assert names == [f"20240102-030405-AAPL-lstm{suffix}" for suffix in ("", "-02", "-03")]


def test_the_newest_run_is_taken_when_none_is_named(tmp_path):
    save_run(tmp_path, results("2024-01-02T03:04:06+00:00"))
    newest = save_run(tmp_path, results("2025-01-02T03:04:05+00:00"))
    save_run(tmp_path, results("2024-06-02T03:04:05+00:00"))
    assert find_run(tmp_path, None).path == newest.path


def test_the_newest_run_is_the_one_made_last_whatever_its_name(tmp_path):
    old = save_run(tmp_path, results("2024-01-02T03:04:05+00:00"))
    renamed = old.path.rename(tmp_path / "best-aapl")
    newest = save_run(tmp_path, results("2025-01-02T03:04:05+00:00"))
    assert [run.path for run in list_runs(tmp_path)] == [renamed, newest.path]
    assert find_run(tmp_path, None).path == newest.path


def test_runs_whose_provenance_cannot_be_read_are_ordered_by_name_or_time_of_the_folder(tmp_path):
    save_run(tmp_path, results("2024-01-02T03:04:05+00:00"))
    for name, content in (("20250101-000000-A-lstm", "{"), ("20230101-000000-B-lstm", "[]"), ("best", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "provenance.json").write_text(content)
    os.utime(tmp_path / "best", (0, 0))
    names = [run.name[-8:] for run in list_runs(tmp_path)]
    assert names == ["best", "0-B-lstm", "APL-lstm", "0-A-lstm"]


def test_backtests_are_listed_by_when_they_were_made(tmp_path):
    for name, created in (("a", "2025-01-01"), ("b", "2024-01-01")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "folds.csv").write_text("")
        (tmp_path / name / "provenance.json").write_text(json.dumps({"created": f"{created}T00:00:00+00:00"}))
    assert [path.name for path in list_backtests(tmp_path)] == ["b", "a"]


def test_a_run_may_be_named_by_its_path(tmp_path):
    run = save_run(tmp_path / "there", results())
    assert find_run(tmp_path / "elsewhere", str(run.path)).name == run.name


def test_odd_and_many_tickers_make_a_safe_name(tmp_path):
    run = save_run(tmp_path, results(tickers=("^GSPC", "EURUSD=X", "BRK-B", "MSFT")))
    assert run.name == "20240102-030405-%5EGSPC-EURUSD%3DX-BRK-B-and-1-more-lstm"


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(RunError, match=f"the run cannot be saved in {tmp_path}: No space left on device"):
        save_run(tmp_path, results())
    assert list(tmp_path.iterdir()) == []


def test_a_runs_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="cannot be saved"):
        save_run(tmp_path / "runs", results())


def test_no_run_and_an_unknown_run_are_told(tmp_path):
    with pytest.raises(RunError, match="there is no run in") as caught:
        find_run(tmp_path, None)
    assert "lstm-stock train" in caught.value.hint
    save_run(tmp_path, results())
    with pytest.raises(RunError, match="there is no run 'nope'") as caught:
        find_run(tmp_path, "nope")
    assert "20240102-030405-AAPL-lstm" in caught.value.hint


def test_a_half_deleted_run_names_what_is_missing(tmp_path):
    run = save_run(tmp_path, results())
    (run.path / "model.keras").unlink()
    (run.path / "scaler.json").unlink()
    with pytest.raises(RunError, match=r"is not whole: model\.keras, scaler\.json missing"):
        find_run(tmp_path, None)


def test_no_hint_ever_says_to_delete_what_is_no_run(tmp_path):
    (tmp_path / "prices").mkdir()
    with pytest.raises(RunError, match="prices is not a run") as caught:
        find_run(tmp_path, "prices")
    assert "delete" not in caught.value.hint
    run = save_run(tmp_path, results())
    (run.path / "calibration.json").unlink()
    with pytest.raises(RunError, match="was made by an earlier version"):
        find_run(tmp_path, None)


def test_what_a_killed_process_was_building_is_removed_a_day_later(tmp_path):
    old, new = tmp_path / ".building-old", tmp_path / ".building-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "config.yaml").write_text("")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    run = save_run(tmp_path, results())
    assert {path.name for path in tmp_path.iterdir()} == {".building-new", run.name}


def test_a_run_forecasts_with_its_onnx_file_or_without_one_with_keras(tmp_path):
    saved = with_onnx(results())
    run = save_run(tmp_path, saved)
    assert isinstance(run.forecaster, OnnxNetwork)
    expected = saved.fitted.network.predict_on_batch(WINDOWS)
    np.testing.assert_allclose(run.forecaster.predict_on_batch(WINDOWS), expected, rtol=1e-5, atol=1e-6)
    assert "network" not in vars(run)
    without = save_run(tmp_path, results())
    assert not (without.path / "model.onnx").exists()
    assert without.forecaster is without.network


def test_the_hashes_of_the_network_are_those_of_sha256sum(tmp_path):
    run = save_run(tmp_path, with_onnx(results()))
    expected = {
        name: hashlib.sha256((run.path / name).read_bytes()).hexdigest()
        for name in ("model.keras", "model.onnx")
    }
    assert json.loads((run.path / "provenance.json").read_text())["network_hashes"] == expected


@pytest.mark.parametrize(("file", "part"), [("model.keras", "network"), ("model.onnx", "forecaster")])
def test_the_network_of_another_run_is_refused(tmp_path, file, part):
    run, other = (save_run(tmp_path, with_onnx(results())) for _ in range(2))
    shutil.copy(other.path / file, run.path / file)
    with pytest.raises(RunError, match=f"`{file}` cannot be read: it is not the file that was saved"):
        getattr(run, part)
    (run.path / file).unlink()
    with pytest.raises(RunError, match=f"`{file}` cannot be read: .*No such file"):
        getattr(run, part)


def test_an_onnx_file_that_the_run_was_not_saved_with_is_not_read(tmp_path):
    run = save_run(tmp_path, results())
    (run.path / "model.onnx").write_bytes(b"anything")
    assert run.forecaster is run.network


def test_an_onnx_file_of_another_config_is_refused(tmp_path):
    saved = with_onnx(results())
    config = Config.model_validate(
        {**saved.config.model_dump(), "window": {"look_back": 5, "horizon": 2}, "features": ["log_return"]}
    )
    run = save_run(tmp_path, replace(saved, config=config))
    with pytest.raises(RunError, match=r"`model.onnx` cannot be read: its inputs are"):
        _ = run.forecaster


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("config.yaml", "config"),
        ("model.keras", "network"),
        ("model.onnx", "forecaster"),
        ("scaler.json", "scalers"),
        ("pooled.json", "regressions"),
        ("history.csv", "history"),
        ("forecasts.parquet", "forecasts"),
        ("scores.json", "scores"),
        ("provenance.json", "provenance"),
    ],
)
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff nonsense: [", b"[1, 2]"], ids=["empty", "binary", "list"]
)
def test_a_damaged_file_is_named(tmp_path, file, part, content):
    run = save_run(tmp_path, with_onnx(with_pooled(results())))
    (run.path / file).write_bytes(content)
    if (file, content) in {("config.yaml", b""), ("history.csv", b"[1, 2]")}:
        return  # an empty config is all defaults, and any text is a CSV header: nothing to notice
    with pytest.raises(RunError, match=f"`{file}` cannot be read"):
        getattr(run, part)


def test_unfinished_folders_are_no_runs(tmp_path):
    (tmp_path / ".building-abc").mkdir()
    (tmp_path / ".building-abc" / "provenance.json").write_text("{}")
    (tmp_path / "notes").mkdir()
    assert list_runs(tmp_path) == []


def test_records_are_plain():
    table = pd.DataFrame({"date": pd.to_datetime(["2024-01-02"]), "x": [np.nan], "n": [3], "y": [np.inf]})
    assert records(table) == [{"date": "2024-01-02", "x": None, "n": 3, "y": None}]
