"""The Python interface: the same results as the command line, in long form, and nothing printed."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lstm_stock as ls
from lstm_stock import errors
from lstm_stock.report.text import verdict_text
from lstm_stock.runs.catalog import find_run
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, INTERVAL_COLUMNS
from tests.conftest import Trained
from tests.helpers import random_prices

FIRST = ["ticker", "cutoff", "step", "date", "model", "y_true", "y_pred", *INTERVAL_COLUMNS]

# Trainings of an epoch are worse than the baselines, of which every forecast warns.
pytestmark = pytest.mark.filterwarnings("ignore:run .* verdict on its test period")


@pytest.fixture(autouse=True)
def nothing_is_printed(capsys):
    yield
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.fixture
def folders(trained: Trained, monkeypatch) -> Trained:
    """The folders of the trained run, named by the environment."""
    monkeypatch.setenv("LSTM_STOCK_DATA", str(trained.data))
    monkeypatch.setenv("LSTM_STOCK_RUNS", str(trained.runs))
    return trained


# --- names ----------------------------------------------------------------------------------------------------


def test_every_name_is_there_and_listed():
    assert set(ls.__all__) <= set(dir(ls))
    for name in ls.__all__:
        assert callable(getattr(ls, name)), name
    with pytest.raises(AttributeError, match="no attribute 'forecasts'"):
        _ = ls.forecasts


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(ls.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    names = [alias.asname or alias.name for node in block.body for alias in node.names]
    assert sorted(names) == sorted(ls.__all__)


def test_prices_can_be_called_before_and_after_its_room_is_imported(folders):
    code = "import lstm_stock as ls\na = ls.prices('AAPL')\nimport lstm_stock.prices.store\n"
    code += "assert a.equals(ls.prices('AAPL'))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.stderr == ""


def test_every_error_is_offered():
    tree = {
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, errors.LstmStockError)
    }
    assert tree <= set(ls.__all__)
    assert all(getattr(ls, name) is getattr(errors, name) for name in tree)


@pytest.mark.parametrize("name", ["fetch", "predict", "train", "load_run", "evaluate", "backtest", "prices"])
def test_options_are_keywords_and_typed(name):
    function = getattr(ls, name)
    first, *others = inspect.signature(function).parameters.values()
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in others)
    assert all(one.annotation is not inspect.Parameter.empty for one in (first, *others))


# --- prices ---------------------------------------------------------------------------------------------------


def test_fetch_returns_what_prices_reads(tmp_path, caplog):
    caplog.set_level(logging.INFO, "lstm_stock")
    table = random_prices(60, seed=3)
    file = tmp_path / "acme.csv"
    table.rename_axis("Date").reset_index().to_csv(file, index=False)
    fetched = ls.fetch("acme", source=file, exchange="XNYS", data_dir=tmp_path / "data")
    pd.testing.assert_frame_equal(fetched, ls.prices("ACME", data_dir=str(tmp_path / "data")))
    np.testing.assert_allclose(fetched["close"], table["close"])
    assert any(record.message.startswith("ACME: ") for record in caplog.records)


def test_folders_come_from_the_environment(folders):
    assert len(ls.prices("aapl")) == 3522
    assert ls.load_run().path.parent == folders.runs


def test_without_the_environment_the_folders_are_those_of_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("LSTM_STOCK_DATA", "LSTM_STOCK_RUNS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ls.DataError, match="price store data/prices") as error:
        ls.prices("AAPL")
    assert "hint: `lstm-stock fetch AAPL`" in error.value.__notes__[0]
    with pytest.raises(ls.RunError, match="no run in runs"):
        ls.load_run()


def test_a_wrong_date_or_source_is_an_error(tmp_path):
    with pytest.raises(ls.ConfigError, match=r"start: got '1.2.2020', expected a date"):
        ls.fetch("AAPL", source="sample", start="1.2.2020", data_dir=tmp_path)
    with pytest.raises(ls.DataError, match=r"none\.csv"):
        ls.fetch("AAPL", source="none.csv", data_dir=tmp_path)


# --- settings -------------------------------------------------------------------------------------------------


def test_overrides_by_key_are_those_of_the_command_line():
    by_key = {"window.horizon": 3, "data.tickers": ["MSFT", "TRUE"], "training.early_stopping": None}
    by_key |= {"split.val": dt.date(2019, 1, 2), "split.test": "2020-01-02", "model.head": "gaussian"}
    texts = ["window.horizon=3", "data.tickers=[MSFT, 'TRUE']", "training.early_stopping=null"]
    texts += ["split.val=2019-01-02", "split.test=2020-01-02", "model.head=gaussian"]
    assert ls.load_config(overrides=by_key) == ls.load_config(overrides=texts)
    assert ls.load_config("many").features != ls.Config().features
    with pytest.raises(ls.ConfigError, match=r"window\.horizn: unknown key"):
        ls.load_config(overrides={"window.horizn": 3})


# --- results --------------------------------------------------------------------------------------------------


def test_a_saved_run_in_long_form(folders):
    run, saved = ls.load_run(), find_run(folders.runs, None)
    assert list(run.forecasts)[: len(FIRST)] == FIRST
    assert sorted(run.forecasts) == sorted(FORECAST_COLUMNS)
    pd.testing.assert_frame_equal(run.forecasts[list(FORECAST_COLUMNS)], saved.forecasts)
    pd.testing.assert_frame_equal(run.scores, saved.scores)
    assert dict(run.verdict) == saved.verdict
    assert str(run.verdict) == verdict_text(saved.verdict)
    assert (run.name, run.path, run.config, run.model) == (saved.name, saved.path, saved.config, "lstm")
    assert len(repr(run)) < 300
    assert ls.load_run(run.name).path == ls.load_run(run.path).path == run.path


@pytest.mark.parametrize("cutoff", ["2023-11-30", dt.date(2023, 11, 30), pd.Timestamp("2023-11-30")])
def test_predict_as_of_a_past_date_has_the_outcomes(folders, cutoff):
    forecast = ls.predict("aapl", run=ls.load_run(), cutoff=cutoff)
    assert list(forecast) == [*FIRST, "last_close", "dividend"]
    assert list(forecast["step"]) == [1, 2, 3]
    assert (forecast["model"] == "lstm").all()
    assert (forecast["cutoff"] == pd.Timestamp("2023-11-30")).all()
    closes = ls.prices("AAPL")["close"]
    np.testing.assert_array_equal(forecast["y_true"], closes.loc[forecast["date"]])


def test_predict_is_that_of_the_command_line_and_warns_at_the_users_line(folders, cli, capsys):
    with pytest.warns(ls.LstmStockWarning, match="the newest bar of AAPL is 2023-12-29") as caught:
        forecast = ls.predict(run="newest")
    assert {warning.filename for warning in caught} == {__file__}
    assert forecast["y_true"].isna().all()
    answer = cli("predict", "--format", "json", *folders.options)
    printed = pd.DataFrame(json.loads(answer.out))
    columns = ["step", "y_pred", *INTERVAL_COLUMNS, "last_close", "dividend"]
    np.testing.assert_array_equal(forecast[columns], printed[columns])


def test_dividends_are_taken_off_one_ticker(folders):
    run = ls.load_run()
    without = ls.predict(run=run, cutoff="2023-11-30", dividends={})
    less = ls.predict(run=run, cutoff="2023-11-30", dividends={"2023-12-04": 0.5})
    np.testing.assert_allclose(without["y_pred"] - less["y_pred"], [0, 0.5, 0.5])
    with pytest.raises(ls.ConfigError, match="got 2 tickers, expected one"):
        ls.predict(["AAPL", "MSFT"], run=run, dividends={"2023-12-04": 0.5})
    with pytest.raises(ls.ConfigError, match="expected a date and an amount of 0 or more"):
        ls.predict(run=run, dividends={"2023-12-04": -1})


def test_errors_are_those_of_the_command_line(folders):
    with pytest.raises(ls.RunError, match="there is no run 'none'"):
        ls.predict("AAPL", run="none")
    with pytest.raises(ls.RunError, match="was not trained on MSFT"):
        ls.predict("MSFT", run=ls.load_run())
    with pytest.raises(ls.ConfigError, match="learned from the prices before"):
        ls.evaluate(start="2015-01-02")
    with pytest.raises(ls.ConfigError, match="folds 0"):
        ls.backtest(folds=0)
    with pytest.raises(ls.DataError, match="MSFT is not in the price store"):
        ls.train(ls.load_config(overrides={"data.tickers": ["MSFT"]}))
