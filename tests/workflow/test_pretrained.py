"""Networks for any ticker: pretrained on some, chosen by what the store has, and scored on others."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import dump_yaml, load_config
from lstm_stock.dataset.series import apply_ticker
from lstm_stock.dataset.windows import windows_up_to
from lstm_stock.errors import ConfigError, DataError, RunError, ShortHistoryError
from lstm_stock.network.forecast import forecast_returns
from lstm_stock.prices.reader import Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, adjusted, table_hash
from lstm_stock.runs.pretrained import CARD, INPUT_SETS, PretrainedFolder, find_pretrained, input_configs
from lstm_stock.workflow import predict as workflow
from lstm_stock.workflow import store_market as markets
from lstm_stock.workflow.forecast import architecture_of
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.pretrain import pretrain
from lstm_stock.workflow.store_market import is_share, store_market
from lstm_stock.workflow.universal import Chooser, limits
from tests.helpers import count_reads, random_prices
from tests.reused_networks import untraced_forecasts, without_graph_optimizer

TRAINED, OTHERS = tuple("ABCDEFGHIJ"), ("NEW", "YOUNG", "TYO")
FEATURES = "[log_return, vol_week, market_vol, seasonal_vol_13w, ^VIX.log_close]"
SETTINGS = [f"data.tickers=[{', '.join(TRAINED)}]", f"features={FEATURES}", "data.end=2016-06-30"]
SETTINGS += ["window.look_back=3", "window.horizon=2", "model.units=[1]", "split.val=0.2"]


def write(store: Store, ticker: str, table: pd.DataFrame, exchange: str | None = "XNYS") -> None:
    origin = PriceProvenance(
        "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", exchange, table_hash(table)
    )
    store.write(PriceHistory(ticker, table, origin))


def fill(root: Path, tickers=(*TRAINED, *OTHERS), vix: bool = True) -> Store:
    store = Store(root)
    for i, ticker in enumerate(tickers):
        table = random_prices(420, i, volatility=0.006 * 1.1**i)
        table = table.iloc[-60:] if ticker == "YOUNG" else table
        write(store, ticker, table, "XTKS" if ticker == "TYO" else "XNYS")
    if vix:
        write(store, "^VIX", random_prices(420, 99), "XNYS")
    return store


@pytest.fixture(scope="module")
def config():
    return load_config(Path("universal"), SETTINGS)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return fill(tmp_path_factory.mktemp("pretrained") / "data")


@pytest.fixture(scope="module")
def folder(store: Store, config, tmp_path_factory) -> PretrainedFolder:
    with without_graph_optimizer(), untraced_forecasts():
        return pretrain(config, store, tmp_path_factory.mktemp("networks") / "mine", lambda _: None)


# --- the networks ---------------------------------------------------------------------------------------------


def test_there_is_a_network_for_each_set_of_inputs_and_a_card(folder: PretrainedFolder):
    assert tuple(folder.networks) == INPUT_SETS
    card = folder.card
    assert card["tickers"] == list(TRAINED)
    assert card["trained_to"] == "2016-06-30"
    assert card["networks"]["own"]["inputs"] == ["log_return", "vol_week", "seasonal_vol_13w"]
    assert "^VIX.log_close" not in card["networks"]["market"]["inputs"]
    for name, network in folder.networks.items():
        assert network.config.columns == network.fitted.scaler.features
        assert network.provenance.test_start == "2016-07-01", name
        assert network.calibrator.factors.shape == (2, 4)


def test_the_onnx_file_says_what_the_network_learned_from(folder: PretrainedFolder):
    network = folder.networks["own"]
    assert network.forecaster.metadata["tickers"] == " ".join(TRAINED)
    assert network.forecaster.metadata["trained_to"] == "2016-06-30"
    assert network.forecaster.metadata["config"] == dump_yaml(network.config)


def test_a_set_that_repeats_another_is_left_out():
    found = input_configs(load_config(None, ["features=[log_return, market_vol]", "data.tickers=[A, B]"]))
    assert {name: one.features for name, one in found.items()} == {
        "market": ("log_return", "market_vol"),
        "own": ("log_return",),
    }
    with pytest.raises(RunError, match="no feature is left"):
        input_configs(load_config(None, ["features=[market_vol]", "data.tickers=[A, B]"]))


@pytest.mark.parametrize("setting", ["scaler=minmax", "target_scale=lhar", "model.ticker_embedding=2"])
def test_nothing_may_be_fitted_to_a_single_ticker(setting, store, tmp_path):
    with pytest.raises(ConfigError, match=setting.partition("=")[0]):
        pretrain(load_config(Path("universal"), [*SETTINGS, setting]), store, tmp_path / "x", print)
    assert not (tmp_path / "x").exists()


def test_a_training_that_fails_leaves_no_folder(store, config, tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_stock.workflow.pretrain._card", lambda *_: {"nan": float("nan")})
    monkeypatch.setattr(
        "lstm_stock.workflow.pretrain.input_configs", lambda one: {"own": input_configs(one)["own"]}
    )
    with without_graph_optimizer(), pytest.raises(ValueError, match="JSON"):
        pretrain(config, store, tmp_path / "x", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_networks_are_found_by_path_and_by_inputs(folder: PretrainedFolder, tmp_path):
    assert find_pretrained(str(folder.path)) == folder
    assert list(find_pretrained(f"{folder.path}/own").networks) == ["own"]
    assert find_pretrained(str(tmp_path)) is None
    assert find_pretrained(None) is None
    (tmp_path / CARD).write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        _ = find_pretrained(str(tmp_path)).card


# --- the choice -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tickers", "vix", "inputs"),
    [
        ((*TRAINED, "NEW"), True, "market-covariates"),
        ((*TRAINED, "NEW"), False, "market"),
        (("A", "NEW"), True, "covariates"),
        (("A", "NEW"), False, "own"),
    ],
)
def test_the_network_with_the_most_inputs_of_the_store_is_chosen(tickers, vix, inputs, folder, tmp_path):
    store = fill(tmp_path, tickers, vix)
    choice = Chooser(folder, store, Snapshot(store)).choose("NEW")
    assert choice.network.path.name == inputs
    assert ("^VIX" in " ".join(choice.missing)) != vix
    assert ("shares of XNYS" in " ".join(choice.missing)) == ("market" not in inputs)


def test_a_ticker_of_another_exchange_and_an_index_do_without_the_market(folder, store):
    chooser = Chooser(folder, store, Snapshot(store))
    assert [chooser.choose(name).network.path.name for name in ("TYO", "^VIX")] == ["covariates"] * 2
    assert chooser.choose("TYO").bars is chooser.choose("^VIX").bars


def test_an_old_covariate_is_done_without_and_told(folder, tmp_path):
    store = fill(tmp_path)
    write(store, "^VIX", random_prices(420, 99).iloc[:-20])
    choice = Chooser(folder, store, Snapshot(store)).choose("NEW")
    assert choice.network.path.name == "market"
    assert "does without" in " ".join(choice.missing)
    # Up to the end of the covariate it is used.
    before = Chooser(folder, store, Snapshot(store), random_prices(420, 99).index[-25].date()).choose("NEW")
    assert before.network.path.name == "market-covariates"


def test_errors_name_the_ticker(folder, store):
    chooser = Chooser(folder, store, Snapshot(store), dt.date(1990, 1, 1))
    with pytest.raises(ShortHistoryError, match="NEW has no bar"):
        chooser.choose("NEW")
    with pytest.raises(DataError, match="NONE is not in the price store"):
        chooser.choose("NONE")


# --- the forecast ---------------------------------------------------------------------------------------------


def test_the_forecast_is_that_of_the_network_for_the_last_window(folder, store):
    choice = Chooser(folder, store, Snapshot(store)).choose("NEW")
    network, bars = choice.network, choice.bars
    forecast = predict(bars, "NEW", dt.date(2016, 9, 1)).table
    series = apply_ticker("NEW", bars.adjusted("NEW"), bars.spec, network.fitted)
    windows = windows_up_to(series, bars.spec, len(series.dates) - 1)
    returns = forecast_returns(network.network, architecture_of(network.config), windows)
    last_close = store.read("NEW").table["close"].iloc[-1]
    np.testing.assert_allclose(forecast["y_pred"], last_close * np.exp(returns.quantile(0.5)[0]), rtol=1e-6)
    assert (forecast["lo_90"] < forecast["y_pred"]).all()


def test_only_the_bars_of_the_last_windows_are_scaled(folder, store, monkeypatch):
    monkeypatch.setattr(workflow, "ADAPTED_OVER", 20)
    bars = Chooser(folder, store, Snapshot(store)).choose("NEW").bars
    windows, _ = workflow.last_windows(bars, "NEW")
    assert len(windows.series.close) == 21 + bars.spec.look_back - 1
    whole = apply_ticker("NEW", bars.adjusted("NEW"), bars.spec, bars.run.fitted)
    every = windows_up_to(whole, bars.spec, 419, 399)
    for one in ("inputs", "returns_or_nan", "volatility_scale", "last_close"):
        np.testing.assert_array_equal(getattr(windows, one), getattr(every, one))


def test_nothing_after_the_cutoff_changes_a_forecast(folder, store, tmp_path):
    end = store.read("NEW").table.index[-30]
    whole = predict(Chooser(folder, store, Snapshot(store), end.date()).choose("NEW").bars, "NEW", end.date())
    short = Store(tmp_path)
    for ticker in store.tickers():
        history = store.read(ticker)
        if history.table.index[0] <= end:
            write(short, ticker, history.table.loc[:end], history.provenance.exchange)
    cut = predict(Chooser(folder, short, Snapshot(short)).choose("NEW").bars, "NEW", end.date())
    pd.testing.assert_frame_equal(whole.table, cut.table)


def test_sixty_bars_are_forecast_and_told(folder, store):
    choice = Chooser(folder, store, Snapshot(store)).choose("YOUNG")
    table = predict(choice.bars, "YOUNG", dt.date(2016, 9, 1)).table
    assert np.isfinite(table[["lo_95", "y_pred", "hi_95"]].to_numpy()).all()
    assert "YOUNG has 60 bars" in limits(choice, "YOUNG")[0]


def test_limits_name_another_exchange_and_a_date_of_the_training(folder, store):
    assert limits(Chooser(folder, store, Snapshot(store)).choose("NEW"), "NEW") == []
    assert "TYO is not" in limits(Chooser(folder, store, Snapshot(store)).choose("TYO"), "TYO")[0]
    seen = Chooser(folder, store, Snapshot(store), dt.date(2016, 6, 1)).choose("NEW")
    assert "is no test of it" in limits(seen, "NEW")[0]


# --- the market of a store ------------------------------------------------------------------------------------


def test_the_market_is_that_of_the_shares_of_one_exchange(store):
    found = store_market(store, "XNYS")
    assert found.n_shares == len(TRAINED) + 2  # NEW and YOUNG, without Tokyo and VIX
    tables = [adjusted(store.read(name).table) for name in sorted((*TRAINED, "NEW", "YOUNG"))]
    expected = markets.Market.of(tables)
    np.testing.assert_array_equal(found.market.trend_10, expected.trend_10)
    assert store_market(store, "XTKS") is None
    assert store_market(store, None) is None


def test_it_is_kept_until_a_price_file_changes(tmp_path, monkeypatch):
    store = fill(tmp_path)
    first = store_market(store, "XNYS")
    reads = count_reads(monkeypatch)
    again = store_market(store, "XNYS")
    assert reads.total() == 0
    for name in ("volatility_surprise", "level", "trend_2", "trend_10", "is_complete", "dates"):
        np.testing.assert_array_equal(getattr(first.market, name), getattr(again.market, name))
    write(store, "NEW", random_prices(420, 1234))
    changed = store_market(store, "XNYS")
    assert reads.total() == len(TRAINED) + 3
    assert not np.array_equal(changed.market.trend_2, first.market.trend_2)


@pytest.mark.parametrize("damage", [b"", b"PK", b"\x93NUMPY"])
def test_a_damaged_file_is_made_again(tmp_path, damage):
    store = fill(tmp_path)
    first = store_market(store, "XNYS")
    (file,) = (tmp_path / markets.FOLDER).iterdir()
    file.write_bytes(damage)
    np.testing.assert_array_equal(store_market(store, "XNYS").market.level, first.market.level)


def test_a_damaged_ticker_is_not_part_of_the_market(tmp_path):
    store = fill(tmp_path)
    store.path("NEW").write_bytes(b"x")
    assert store_market(store, "XNYS").n_shares == len(TRAINED) + 1


def test_what_is_no_share_has_no_market():
    assert [is_share(name) for name in ("AAPL", "^GSPC", "JPY=X", "CL=F")] == [True, False, False, False]


def test_the_card_is_plain_json(folder):
    assert json.loads((folder.path / CARD).read_text()) == folder.card
