"""A series of values from CSV to verdict: `fetch`, `train`, `predict`, `plot`, `backtest`, `leakcheck`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from statsmodels.datasets import co2

from lstm_stock.config import load_config
from lstm_stock.prices.reader import Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import find_run
from lstm_stock.workflow.value_config import load_config_for, with_season
from tests.conftest import TINY, call_cli
from tests.reused_networks import reused_networks, without_graph_optimizer

SMALL = (*TINY, "--set", "window.look_back=8")
TARGET = "target difference (the least value is -"
OF_PRICES = ("close", "price", "return", "session", "exchange", "dividend", "advice", "bars")


def write_temperatures(path, n=330):
    """Write daily temperatures around zero with a weekly season, one of them missing."""
    rng, days = np.random.default_rng(0), np.arange(n)
    values = 4 * np.sin(2 * np.pi * days / 7) + np.cumsum(rng.normal(0, 0.3, n)) + rng.normal(0, 0.5, n)
    dates = np.datetime64("2020-01-01") + days
    path.write_text(
        "day,temp\n" + "".join(f"{d},{v:.3f}\n" for d, v in zip(dates, values, strict=True) if d != dates[50])
    )
    return values


@pytest.fixture(scope="module", autouse=True)
def fast_networks(shared_networks):
    with reused_networks(shared_networks), without_graph_optimizer():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("values")


@pytest.fixture(scope="module")
def trained(folder):
    """Fetch and train a series, and return what `train` printed."""
    from tests.conftest import Captured

    with pytest.MonkeyPatch.context() as patch:
        captured = Captured(patch)
        patch.setenv("LSTM_STOCK_DATA", str(folder / "data"))
        patch.setenv("LSTM_STOCK_RUNS", str(folder / "runs"))
        write_temperatures(folder / "t.csv")
        assert call_cli(patch, captured, "fetch", "TEMP", "--from-csv", folder / "t.csv").code == 0
        return call_cli(patch, captured, "train", "TEMP", *SMALL)


@pytest.fixture
def here(folder, trained, monkeypatch):
    monkeypatch.setenv("LSTM_STOCK_DATA", str(folder / "data"))
    monkeypatch.setenv("LSTM_STOCK_RUNS", str(folder / "runs"))
    return folder


def test_train_says_what_it_chose_and_prints_no_word_of_prices(trained):
    assert trained.code == 0, trained.err
    assert (
        "TEMP is a series of values, daily: config `values`, target difference (the least value is -"
        in trained.err
    )
    assert "a season of 7 values, 8 values seen, 3 forecast" in trained.err
    for name in ("naive", "drift", "seasonal_naive", "ets", "ar"):
        assert f" {name} " in trained.out
    assert "garch" not in trained.out
    assert "which forecasts the last value?" in " ".join(trained.out.split())
    for word in OF_PRICES:
        assert word not in trained.out.lower(), word
    assert "Risk:" not in trained.out


def test_scores_are_in_the_units_of_the_series(here):
    run = find_run(here / "runs", None)
    forecasts = run.forecasts
    assert (forecasts["own_units"] == 1).all()
    assert forecasts["trailing_vol"].isna().all()
    rows = forecasts[(forecasts["model"] == "lstm") & (forecasts["step"] == 1)]
    scores = run.scores[(run.scores["model"] == "lstm") & (run.scores["step"] == 1)].iloc[0]
    assert scores["rmse_percent"] == pytest.approx(np.sqrt(np.mean((rows["y_true"] - rows["y_pred"]) ** 2)))
    assert scores["width_90"] == pytest.approx(np.mean(rows["hi_90"] - rows["lo_90"]))
    assert (forecasts["lo_90"] < 0).any()
    stored = Store(here / "data").read("TEMP").table["value"]
    assert set(rows["y_true"]) <= set(stored)


def test_predict_dates_the_next_values_and_keeps_them_below_zero(here, cli):
    shown = cli("predict", "TEMP", "--run", "newest")
    assert shown.code == 0, shown.err
    assert "TEMP: forecast after the value of 2020-11-25" in shown.out
    for word in OF_PRICES:
        assert word not in (shown.out + shown.err).lower(), word
    rows = json.loads(cli("predict", "TEMP", "--run", "newest", "--format", "json").out)
    assert [row["date"] for row in rows] == ["2020-11-26", "2020-11-27", "2020-11-28"]
    assert "last_value" in rows[0] and "last_close" not in rows[0]
    past = json.loads(
        cli("predict", "TEMP", "--run", "newest", "--cutoff", "2020-11-20", "--format", "json").out
    )
    assert past[0]["cutoff"] == "2020-11-20"


def test_what_is_for_prices_is_refused_with_a_way_out(here, cli):
    for arguments, message in (
        (("predict", "TEMP"), "TEMP is a series of values, and the network forecasts prices"),
        (("predict", "--run", "newest", "--ask", "up"), "`--ask` is for prices"),
        (("predict", "--run", "newest", "--journal"), "`--journal` is for prices"),
        (("predict", "--run", "newest", "--dividend", "2020-11-26=1"), "a series of values, which pays none"),
        (("evaluate",), "`evaluate` is for prices"),
        (("export", "--output", here / "out"), "`export` is for prices"),
        (
            ("train", "TEMP", "--config", "default"),
            "a series of values, and target log_return is of prices",
        ),
    ):
        answer = cli(*arguments)
        assert answer.code == 2, arguments
        assert message in answer.err, answer.err
        assert "hint:" in answer.err


def test_figures_name_values(here, cli):
    answer = cli("plot", "--output", here / "plots")
    assert answer.code == 0, answer.err
    text = (here / "plots" / "test_period.svg").read_text() + (here / "plots" / "forecast.svg").read_text()
    assert "<!-- value -->" in text
    assert "<!-- 1-value difference -->" in text
    for word in ("close", "log return"):
        assert f"<!-- {word}" not in text


def test_a_backtest_and_a_leak_check_serve_it(here, cli):
    tested = cli("backtest", "TEMP", *SMALL, "--folds", "1", "--jobs", "1")
    assert tested.code == 0, tested.err
    assert "seasonal_naive" in tested.out
    checked = cli("leakcheck", "--cutoffs", "1", "--folds", "0")
    assert checked.code == 0, checked.err
    assert "no leak" in checked.out


def test_a_public_series_gets_its_season_and_log_ratios(tmp_path):
    values = co2.load_pandas().data["co2"]
    values.rename_axis("date").to_csv(tmp_path / "co2.csv")
    from lstm_stock.prices.sources import FetchOptions
    from lstm_stock.prices.update import fetch_into

    store = Store(tmp_path)
    fetch_into(store, "CO2", FetchOptions("csv", csv_path=tmp_path / "co2.csv"))
    assert len(store.read("CO2").table) == values.notna().sum() == 2225
    config, (note,) = load_config_for(None, ["data.tickers=[CO2]"], store)
    assert (config.target, config.window.season_length) == ("log_ratio", 52)
    assert "weekly" in note and "all values are above zero" in note
    named, notes = load_config_for(None, ["data.tickers=[CO2]", "target=difference"], store)
    assert (named.target, len(notes)) == ("difference", 1)


def test_a_config_of_ones_own_gets_the_season_of_the_series(here):
    config = load_config(
        None, ["data.tickers=[TEMP]", "target=difference", "data.start=null", "data.end=null"]
    )
    assert with_season(config, Snapshot(Store(here / "data"))).window.season_length == 7


def test_prices_and_values_are_not_mixed(here, cli):
    assert cli("fetch", "AAPL", "--source", "sample").code == 0
    answer = cli("train", "AAPL", *SMALL, "--set", "target=difference")
    assert answer.code == 2
    assert "AAPL has prices, and target difference is of series of values" in answer.err
    answer = cli("predict", "AAPL", "--run", "newest")
    assert answer.code == 2
