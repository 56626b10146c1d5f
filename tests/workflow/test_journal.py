"""Forecasts of a real run in the journal: written before the fact, read back, and scored on the bars that came."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.cli import journal as cli_journal
from lstm_stock.cli.journal import write_journal
from lstm_stock.errors import JournalError
from lstm_stock.prices.calendars import session_end
from lstm_stock.prices.reader import Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, table_hash
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.journal_line import GENESIS
from lstm_stock.workflow import journal
from lstm_stock.workflow.journal import deadline_of, require_before_the_fact
from lstm_stock.workflow.journal_scores import score_journal
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.run_bars import RunBars
from tests.conftest import Trained
from tests.helpers import assert_user_error

ALL_BASELINES = journal.BASELINES_BESIDE

CUTOFFS = ("2023-11-21", "2023-11-22", "2023-12-26")
"""The second is followed by a holiday, and that by an early close."""


def cut(trained: Trained, folder: Path, cutoff: str, **origin: object) -> Store:
    """Return a store whose AAPL ends at a date, and was fetched an hour after its close."""
    history = Store(trained.data).read("AAPL")
    table = history.table.loc[:cutoff]
    end = session_end("XNYS", table.index[-1].date())
    assert end is not None
    fetched = (end + dt.timedelta(hours=1)).isoformat()
    named = {"hash": table_hash(table), "fetched_at": fetched} | origin
    store = Store(folder)
    store.write(PriceHistory("AAPL", table, replace(history.provenance, **named)))
    return store


def evening(cutoff: str, hours: float = 0):
    """22:30 UTC of a cutoff, an hour and a half after the close in New York, and some hours later."""
    time = dt.datetime.fromisoformat(f"{cutoff}T22:30:00+00:00") + dt.timedelta(hours=hours)
    return lambda: time


def write(trained: Trained, store: Store, folder: Path, clock) -> None:
    run = find_run(trained.runs, None)
    bars = RunBars(run, Snapshot(store), end=None)
    predictions = {"AAPL": predict(bars, "AAPL", clock().date())}
    write_journal(folder, dict.fromkeys(predictions, run), predictions, bars.prices, quiet=False, clock=clock)


@pytest.fixture(scope="module")
def few_baselines():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "BASELINES_BESIDE", ("naive", "ewma"))
        yield


@pytest.fixture(scope="module")
def made_once(trained, tmp_path_factory, few_baselines) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for i, cutoff in enumerate(CUTOFFS):
        write(trained, cut(trained, folder / f"data{i}", cutoff), folder / "journal", evening(cutoff))
    return folder / "journal"


@pytest.fixture
def written(made_once, tmp_path) -> Path:
    return shutil.copytree(made_once, tmp_path / "journal")


def test_the_scores_are_those_of_the_run_on_the_same_cutoffs(trained, written):
    """The test forecasts of the run were made at once, from windows, and scored from the exact distribution."""
    run = find_run(trained.runs, None)
    (found,) = score_journal(written, Store(trained.data), lambda done, of: None).networks
    assert (found.network, found.model, found.horizon, found.n_days) == (run.name, "lstm", 3, 3)
    forecasts = run.forecasts.query("model == 'lstm'")
    forecasts = forecasts[forecasts["cutoff"].isin(pd.to_datetime(CUTOFFS))]
    assert len(forecasts) == 9
    for step, rows in forecasts.groupby("step"):
        (row,) = found.scores.query(f"model == 'lstm' and step == {step}").to_dict("records")
        assert row["n"] == 3
        assert row["crps"] == pytest.approx(rows["crps"].mean(), rel=1e-3)
        assert row["nll"] == pytest.approx(rows["nll"].mean(), abs=0.02)
        for level in (50, 80, 90, 95):
            inside = (rows[f"lo_{level}"] <= rows["y_true"]) & (rows["y_true"] <= rows[f"hi_{level}"])
            assert row[f"coverage_{level}"] == inside.mean()
        width = 100 * ((rows["hi_90"] - rows["lo_90"]) / rows["last_close"]).mean()
        assert row["width_90"] == pytest.approx(width, rel=1e-6)


def test_a_line_states_what_the_forecast_was_made_from(trained, written):
    run = find_run(trained.runs, None)
    line = json.loads((written / "2023-11.jsonl").read_text().splitlines()[1])
    assert line["chain"]["written"] == "2023-11-22T22:30:00Z"
    assert (line["about"]["ticker"], line["about"]["cutoff"]) == ("AAPL", "2023-11-22")
    forecast = line["forecast"]
    table = Store(trained.data).read("AAPL").table.loc[:"2023-11-22"]
    assert forecast["prices"]["sha256"] == table_hash(table)
    assert forecast["last_close"] == table["close"].iloc[-1]
    assert [row["date"] for row in forecast["rows"]] == ["2023-11-24", "2023-11-27", "2023-11-28"]
    for name, digest in forecast["network"]["sha256"].items():
        assert hashlib.sha256((run.path / name).read_bytes()).hexdigest() == digest
    files = {"model.keras", "model.onnx", "scaler.json", "calibration.json", "config.yaml"}
    assert set(forecast["network"]["sha256"]) == files
    assert [one["model"] for one in forecast["models"]] == ["lstm", "naive", "ewma"]
    first, returns = forecast["rows"][0], forecast["models"][0]
    assert first["lo_90"] == pytest.approx(forecast["last_close"] * np.exp(returns["lo"][0][2]), rel=1e-8)


def test_all_baselines_are_fitted_to_the_bars_up_to_the_cutoff(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "BASELINES_BESIDE", ALL_BASELINES)
    store = cut(trained, tmp_path / "data", CUTOFFS[0])
    write(trained, store, tmp_path / "journal", evening(CUTOFFS[0]))
    (found,) = score_journal(tmp_path / "journal", Store(trained.data), lambda done, of: None).networks
    assert list(found.scores["model"].unique()) == ["lstm", *ALL_BASELINES]
    followers = found.scores[found.scores["model"] != "naive"]
    assert np.isfinite(followers[["crps", "nll", "coverage_90", "coverage_trained_90"]].to_numpy()).all()


def test_the_same_forecast_twice_is_told_and_not_written(trained, written, tmp_path, capsys):
    before = {path: path.read_bytes() for path in written.iterdir()}
    write(trained, cut(trained, tmp_path / "data2", CUTOFFS[2]), written, evening(CUTOFFS[2], 1))
    assert (
        "AAPL: the journal has a forecast of this network from the same bar already"
        in capsys.readouterr().err
    )
    assert {path: path.read_bytes() for path in written.iterdir()} == before


@pytest.mark.parametrize(
    ("hours", "origin", "message"),
    [
        (
            16,
            {},
            "it is after the fact, since the first session, 2023-12-27, started at 2023-12-27T14:30:00Z",
        ),
        (24 * 300, {}, "it is after the fact"),
        (-1.6, {}, "the clock says 2023-12-26T20:54:00Z, before its bar of 2023-12-26 was known or fetched"),
        (0, {"fetched_at": "2023-12-27T01:00:00+00:00"}, "was known or fetched, 2023-12-27T01:00:00Z"),
        (0, {"exchange": None}, "when its session of 2023-12-27 starts is unknown"),
        (0, {"partial": "2023-12-26"}, "its newest bar, 2023-12-26, was fetched before its close"),
    ],
)
def test_what_is_not_before_the_fact_is_refused(trained, tmp_path, hours, origin, message):
    history = cut(trained, tmp_path, "2023-12-26", **origin).read("AAPL")
    with pytest.raises(JournalError, match=message):
        require_before_the_fact(history, dt.date(2023, 12, 27), evening("2023-12-26", hours)())


@pytest.mark.parametrize(
    ("exchange", "cutoff", "first", "deadline"),
    [
        ("XNYS", "2023-12-29", "2024-01-02", "2024-01-02 14:30"),
        ("XTKS", "2024-01-04", "2024-01-05", "2024-01-05 00:00"),
        ("24/7", "2024-01-04", "2024-01-05", "2024-01-05 02:00"),  # two hours after the session before
        ("CMES", "2024-01-03", "2024-01-04", "2024-01-04 01:00"),
        ("XNYS", "2023-12-30", "2024-01-02", "2024-01-02 14:30"),  # a bar on a Saturday
        (None, "2023-12-29", "2024-01-02", None),
    ],
)
def test_the_deadline_is_the_start_of_the_first_session(exchange, cutoff, first, deadline):
    found = deadline_of(exchange, dt.date.fromisoformat(cutoff), dt.date.fromisoformat(first))
    assert (None if found is None else f"{found:%F %H:%M}") == deadline


def test_the_command_refuses_a_past_date_and_old_bars(cli, trained, tmp_path, few_baselines):
    options = ("--journal", "--journal-dir", tmp_path / "journal", *trained.options)
    assert_user_error(cli("predict", "--cutoff", "2023-06-01", *options), "`--journal` takes no `--cutoff`")
    answer = cli("predict", *options)  # the sample ends in 2023
    assert answer.code == 2
    assert "AAPL: forecast after the close of 2023-12-29" in answer.out
    assert "no forecast of AAPL for the journal: it is after the fact" in answer.err
    assert not (tmp_path / "journal").exists()


def test_the_command_appends_scores_and_verifies(cli, trained, written, tmp_path, monkeypatch):
    data = cut(trained, tmp_path / "data3", "2023-12-27").root
    runs = ("--runs-dir", trained.runs)
    folder = ("--journal-dir", written)
    # The command has one clock, the computer's: `write_journal` is called with another.
    with_clock = lambda *values: write_journal(*values, clock=evening("2023-12-27"))  # noqa: E731
    monkeypatch.setattr("lstm_stock.cli.predict.write_journal", with_clock)
    done = cli("predict", "--journal", *folder, "--data-dir", data, *runs)
    assert (done.code, "written to the journal" in done.err) == (0, True)
    verified = cli("journal", "verify", *folder)
    assert verified.code == 0
    newest = json.loads((written / "head.json").read_text())
    assert verified.out == f"4 lines, newest 2023-12-27T22:30:00Z, hash {newest['hash']}\n"
    assert newest["hash"] in done.err

    scored = cli("journal", *folder, "--data-dir", trained.data)
    assert scored.code == 0
    text = " ".join(scored.out.split())
    assert "4 forecasts of AAPL, outcomes of 4 days" in text
    assert "Too few to say: outcomes of 4 days, and every test needs 20 at least (16 more)" in text
    assert "1 forecast with outcomes to come" in text
    assert "2024-01-02" in scored.out
    found = json.loads(cli("journal", *folder, "--data-dir", trained.data, "--format", "json").out)
    assert found["head"] == newest
    assert found["networks"][0]["n_forecasts"] == 4
    assert found["pending"][0]["next"] == "2024-01-02"
    csv = cli("journal", *folder, "--data-dir", trained.data, "--format", "csv").out.splitlines()
    assert csv[0].startswith("network,fingerprint,ticker,model,step,n,")
    assert len(csv) == 1 + 3 * 3


def test_verify_names_the_line_and_ends_with_2(cli, written):
    path = written / "2023-11.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"last_close"', b'"lost_close"', 1))
    answer = cli("journal", "verify", "--journal-dir", written)
    assert answer.code == 2
    assert (
        answer.out
        == "2023-11.jsonl:1: it was changed after it was written: its hash is not that of its content\n"
    )
    assert f"the journal {written} is not as it was written" in answer.err
    refused = cli("journal", "--journal-dir", written, "--data-dir", written)
    assert_user_error(refused, "2023-11.jsonl:1: it was changed after it was written")


def test_verify_compares_a_published_hash(cli, written):
    first = json.loads((written / "2023-11.jsonl").read_text().splitlines()[0])
    assert first["chain"]["previous"] == GENESIS
    assert cli("journal", "verify", "--journal-dir", written, "--head", first["hash"]).code == 0
    answer = cli("journal", "verify", "--journal-dir", written, "--head", "ab" * 32)
    assert (answer.code, "no line has the hash abab" in answer.out) == (2, True)


def test_no_journal_is_an_error_and_an_empty_one_is_not(cli, tmp_path):
    options = ("--journal-dir", tmp_path / "none", "--data-dir", tmp_path)
    assert_user_error(cli("journal", *options), "there is no journal")
    assert_user_error(cli("journal", "verify", "--journal-dir", tmp_path / "none"), "there is no journal")
    assert_user_error(cli("journal", "--quiet", "verify"), "got an option before `verify`")


def test_the_clock_has_a_zone():
    assert cli_journal.now().utcoffset() == dt.timedelta(0)
