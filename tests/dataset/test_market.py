"""The market: its arithmetic, runs with a target scale that needs it, and the checks of sessions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.baselines import Task, forecast_all, har_market_t, har_range_t
from lstm_stock.config import load_config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.market import Market, volatility_surprise
from lstm_stock.errors import ConfigError
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.scoring.forecast_table import INTERVAL_COLUMNS
from lstm_stock.workflow.backtest import Plan, fold_job, fold_loader, plan_backtest
from lstm_stock.workflow.backtest_worker import run_job
from lstm_stock.workflow.leakcheck import check as checks
from lstm_stock.workflow.leakcheck.compare import Checked
from lstm_stock.workflow.parallel import Engine
from tests.conftest import TINY
from tests.helpers import assert_user_error, random_prices

TICKERS = ("AAA", "BBB", "CCC")
SETTINGS = [value for value in TINY if value != "--set"]
SETTINGS += ["training.epochs=1", "target_scale=har_market", 'data.tickers=["AAA","BBB","CCC"]']
SETTINGS += ["data.start=null", "data.end=null"]


def tables_of_one_market(n_bars: int = 420, n_tickers: int = 3) -> dict[str, pd.DataFrame]:
    """Tickers with one common volatility."""
    random = np.random.default_rng(5)
    log_volatility = np.zeros(n_bars)
    for i in range(1, n_bars):
        log_volatility[i] = 0.9 * log_volatility[i - 1] + random.normal(0, 0.25)
    tables = {}
    names = (*TICKERS, "ZZZ", "EEE", "FFF", "GGG", "HHH")[:n_tickers]
    for i, ticker in enumerate(names):
        table = random_prices(n_bars, seed=100 + i)
        moves = 0.01 * np.exp(log_volatility) * random.standard_t(5, n_bars)
        close = 50 * np.exp(np.cumsum(moves))
        open_ = np.concatenate([[50], close[:-1]])
        wider = 0.01 * np.exp(log_volatility) * random.chisquare(3, n_bars) / 3
        high, low = np.maximum(open_, close) * np.exp(wider), np.minimum(open_, close) * np.exp(-wider)
        tables[ticker] = table.assign(open=open_, high=high, low=low, close=close, adj_close=close)
    return tables


TABLES = tables_of_one_market(n_tickers=4)
ADJUSTED = {ticker: price_table.adjusted(table) for ticker, table in TABLES.items()}
MARKET = Market.of(ADJUSTED.values())


def stored(root, tables=TABLES, exchange: str | None = "XNYS") -> Store:
    store = Store(root)
    for ticker, table in tables.items():
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", exchange, table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    return store


# --- the arithmetic -------------------------------------------------------------------------------------------


def surprises(table: pd.DataFrame) -> pd.Series:
    """`volatility_surprise`, computed with pandas."""
    gap = np.log(table["open"] / table["close"].shift())
    logs = np.log(gap**2 + np.log(table["high"] / table["low"]) ** 2 / (4 * np.log(2)))
    return logs - logs.rolling(22, min_periods=11).mean()


def test_the_market_is_the_mean_log_variance_less_that_of_the_month():
    expected = pd.DataFrame({ticker: surprises(table) for ticker, table in ADJUSTED.items()}).mean(axis=1)
    assert expected.first_valid_index() == expected.index[11]
    np.testing.assert_allclose(MARKET.volatility_surprise, expected.fillna(0), atol=1e-12)
    np.testing.assert_array_equal(MARKET.is_complete, expected.notna())
    assert MARKET.n_incomplete == 0
    np.testing.assert_array_equal(
        MARKET.with_market_columns(ADJUSTED["BBB"])["market"], MARKET.volatility_surprise
    )


@settings(max_examples=20, deadline=None)
@given(
    row=st.integers(30, 418),
    scales=st.lists(st.floats(0.1, 10), min_size=4, max_size=4),
    ends=st.lists(st.integers(0, 400), min_size=4, max_size=4),
)
def test_the_market_does_not_depend_on_later_bars_units_or_order(row, scales, ends):
    """Later bars are changed, and missing for some tickers."""
    tables = []
    for table, scale, end in zip(reversed(ADJUSTED.values()), scales, ends, strict=True):
        table = table * scale
        table.iloc[row + 1 :] *= np.random.default_rng(0).uniform(0.5, 2, (len(table) - row - 1, 1))
        tables.append(table.iloc[: row + 1 + end])
    changed = Market.of(tables)
    np.testing.assert_allclose(
        changed.volatility_surprise[: row + 1], MARKET.volatility_surprise[: row + 1], atol=1e-9
    )
    np.testing.assert_array_equal(changed.is_complete[: row + 1], MARKET.is_complete[: row + 1])


def test_the_market_is_0_where_few_tickers_have_a_bar():
    """However long ago the bars of the others ended."""
    one, *rest = ADJUSTED.values()
    market = Market.of([one, *(table.iloc[:-60] for table in rest)])
    assert market.is_complete[-61] and not market.is_complete[-60:].any()
    assert market.n_incomplete == 60
    assert (market.volatility_surprise[-60:] == 0).all()
    np.testing.assert_array_equal(market.volatility_surprise[:-60], MARKET.volatility_surprise[:-60])
    assert market.is_complete_on(one.index[-61]) and not market.is_complete_on(one.index[-1])
    assert not Market.of([one]).is_complete.any()
    half = Market.of([one, rest[0], *(table.iloc[:-60] for table in rest[1:])])
    assert half.n_incomplete == 0


def test_tickers_that_are_listed_later_count_from_their_11th_return_on():
    early, late = (ADJUSTED["AAA"], ADJUSTED["BBB"]), ADJUSTED["CCC"].iloc[200:]
    market = Market.of([*early, late])
    before = np.mean([volatility_surprise(table) for table in early], axis=0)
    np.testing.assert_allclose(market.volatility_surprise[11:211], before[11:211], atol=1e-12)
    all_three = (2 * before[211:] + volatility_surprise(late)[11:]) / 3
    np.testing.assert_allclose(market.volatility_surprise[211:], all_three, atol=1e-12)


def test_a_day_without_movement_is_not_averaged():
    halted = ADJUSTED["AAA"].copy()
    halted.iloc[200:205, :4] = halted["close"].iloc[199]
    market = Market.of([halted, *list(ADJUSTED.values())[1:]])
    rest = np.mean([volatility_surprise(table) for table in list(ADJUSTED.values())[1:]], axis=0)
    np.testing.assert_allclose(market.volatility_surprise[200:205], rest[200:205], atol=1e-12)
    assert np.abs(market.volatility_surprise - MARKET.volatility_surprise).max() < 1.5
    assert np.isnan(volatility_surprise(halted)[200:205]).all()


def test_the_market_column_is_0_for_unknown_dates_and_for_an_empty_market():
    bar = ADJUSTED["AAA"].iloc[[0]]
    sunday = bar.set_axis([pd.Timestamp("2015-06-07")])
    assert MARKET.with_market_columns(sunday)["market"].tolist() == [0]
    nothing = Market.of([])
    assert nothing.with_market_columns(bar)["market"].tolist() == [0]
    assert not nothing.is_complete_on(bar.index[0]) and nothing.n_incomplete == 0
    assert len(Market.of([bar.iloc[:0]]).dates) == 0


# --- the baseline --------------------------------------------------------------------------------------------


def test_har_market_t_forecasts_where_there_is_a_market_and_beats_har_range_t():
    n_insample = 300
    tables = [price_table.adjusted(table) for table in tables_of_one_market(700, 8).values()]
    market = Market.of(tables)
    gains = []
    for adjusted in tables:
        bars = Bars.of(market.with_market_columns(adjusted))
        task = Task(bars, n_insample, np.arange(n_insample - 1, 699), 1)
        y = np.log(bars.close[task.cutoffs + 1] / bars.close[task.cutoffs])[:, None]
        gains.append(har_range_t(task).log_score(y).mean() - har_market_t(task).log_score(y).mean())
    assert np.mean(gains) > 0.005
    assert np.mean(np.array(gains) > 0) > 0.8
    alone = Bars.of(tables[0])
    names = set(forecast_all(Task(alone, n_insample, np.array([400]), 1), lambda _: None))
    both = set(forecast_all(replace(task, cutoffs=np.array([400])), lambda _: None))
    assert both - names == {"har_market_t"}


# --- from training to forecast --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return stored(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def made(store, tmp_path_factory):
    """A refitted run with `target_scale: har_market`."""
    from lstm_stock.workflow.train import Reports, train

    config = load_config(None, [*SETTINGS, "training.refit=true"])
    return train(config, store, tmp_path_factory.mktemp("runs"), Reports.only_notes(lambda _: None))


def test_the_run_has_the_baseline_and_scalers_with_the_market(made):
    assert "har_market_t" in set(made.scores["model"])
    assert all(len(scaler.scale.model.weights) == 7 for scaler in made.scalers.values())


def test_predict_gives_the_scored_forecast(cli, made, store):
    """`predict` builds the market from the store."""
    forecasts = made.forecasts
    rows = forecasts[(forecasts["model"] == "lstm") & (forecasts["ticker"] == "BBB")]
    cutoff = rows["cutoff"].unique()[40]
    answer = cli(
        *("predict", "BBB", "--run", "newest", "--cutoff", f"{cutoff:%F}", "--format", "json"),
        *("--data-dir", store.root, "--runs-dir", made.path.parent),
    )
    assert answer.code == 0
    then = rows[rows["cutoff"] == cutoff]
    now = pd.DataFrame(json.loads(answer.out))
    for name in ("y_pred", *INTERVAL_COLUMNS):
        np.testing.assert_allclose(now[name], then[name], rtol=1e-5)
    assert "the market is 0" not in answer.err


def test_an_unseen_ticker_is_forecast_with_the_market_of_the_run_with_a_warning_if_it_is_old(
    cli, made, store, tmp_path
):
    options = (
        "predict",
        "ZZZ",
        "--run",
        "newest",
        "--format",
        "json",
        "--runs-dir",
        made.path.parent,
        "--data-dir",
    )
    answer = cli(*options, store.root)
    assert answer.code == 0
    old = stored(
        tmp_path / "old",
        {name: table if name == "ZZZ" else table.iloc[:-5] for name, table in TABLES.items()},
    )
    late = cli(*options, old.root)
    assert late.code == 0
    newest = f"{TABLES['ZZZ'].index[-1]:%F}"
    assert f"fewer than half of the market's tickers have a bar of {newest}" in late.err
    assert json.loads(late.out)[0]["hi_90"] != json.loads(answer.out)[0]["hi_90"]
    alone = stored(tmp_path / "alone", {"ZZZ": TABLES["ZZZ"]})
    assert_user_error(cli(*options, alone.root), "AAA")
    tokyo = stored(tmp_path / "tokyo", TABLES, "XTKS")
    stored(tmp_path / "tokyo", {"AAA": TABLES["AAA"]})
    assert_user_error(cli(*options, tokyo.root), "BBB trades at XTKS, AAA at XNYS")
    unknown = stored(tmp_path / "unknown", TABLES)
    stored(tmp_path / "unknown", {"ZZZ": TABLES["ZZZ"]}, None)
    assert "when the sessions of ZZZ end is unknown: if they end before" in cli(*options, unknown.root).err
    assert "sessions of ZZZ" not in answer.err
    early = ("--cutoff", "2010-01-01")
    assert_user_error(cli(*options, store.root, *early), "ZZZ has no bar on or before 2010-01-01")
    assert_user_error(
        cli("predict", *options[2:], store.root, *early), "AAA has no bar on or before 2010-01-01"
    )
    listed = {name: table if name == "ZZZ" else table.iloc[200:] for name, table in TABLES.items()}
    before = cli(
        *options, stored(tmp_path / "listed", listed).root, "--cutoff", f"{TABLES['ZZZ'].index[190]:%F}"
    )
    assert before.code == 0
    assert "fewer than half of the market's tickers" in before.err


def test_each_fold_of_a_backtest_has_the_market(store):
    config = load_config(None, SETTINGS)
    reader = PriceReader(config.data, store)
    config, plans = plan_backtest(config, reader, Plan(2, "expanding", Engine("loky", 1)), pytest.fail)
    for plan in plans:
        _, part = run_job(fold_job(plan, fold_loader(config, reader, plan.fold), "AAA"))
        assert "har_market_t" in set(part.forecasts["model"])
    _, network = run_job(fold_job(plan, fold_loader(config, reader, plan.fold), None))
    assert set(network.forecasts["ticker"]) == set(config.data.tickers)


def test_unknown_exchanges_and_incomplete_dates_are_noted_once(tmp_path):
    """No exchange is known, and the prices of two tickers end early."""
    ends = {"AAA": None, "BBB": -30, "CCC": -30}
    store = stored(tmp_path, {name: TABLES[name].iloc[:end] for name, end in ends.items()}, None)
    config, notes = load_config(None, SETTINGS), []
    build_dataset(config, PriceReader(config.data, store), notes.append)
    exchange, incomplete = notes
    assert "needs sessions that end together, but when those of 3 of 3 tickers end is unknown" in exchange
    assert incomplete == (
        "on 30 of 420 dates fewer than half of the tickers have a bar: the market is 0 there"
    )


def test_the_leak_check_of_a_run_refits_no_scaler_whose_market_has_changed(
    made, store, tmp_path, monkeypatch
):
    refitted = []
    monkeypatch.setattr(checks, "_check_saved", lambda *_: refitted.append(True))
    monkeypatch.setattr(checks, "_check", lambda *_: Checked())
    monkeypatch.setattr(checks, "fit", lambda _: None)
    monkeypatch.setattr(checks.Reference, "of", lambda *_: None)
    extent = checks.Extent(1, 0)
    checks.check_run(made, store, extent, pytest.fail, pytest.fail)
    assert refitted == [True]
    paid = {**TABLES, "BBB": TABLES["BBB"].assign(adj_close=TABLES["BBB"]["adj_close"] * 0.99)}
    notes = []
    checks.check_run(made, stored(tmp_path, paid), extent, pytest.fail, notes.append)
    assert "the stored prices of BBB are not those" in notes[0]
    assert "its scalers and calibration cannot be fitted again" in notes[0]
    assert refitted == [True]


# --- errors --------------------------------------------------------------------------------------------------


def test_one_ticker_is_no_market(cli, store, tmp_path):
    for command in ("train", "backtest", "leakcheck"):
        answer = cli(command, "--config", "many", "--set", "data.tickers=[AAA]", "--data-dir", store.root)
        assert_user_error(answer, "market_trend_10]` needs several tickers, but AAA is the only one")
    config = load_config(None, SETTINGS)
    alone = config.model_copy(update={"data": config.data.model_copy(update={"tickers": ("AAA",)})})
    with pytest.raises(ConfigError, match="but AAA is the only one"):
        build_dataset(alone, PriceReader(alone.data, store), pytest.fail)
    options = [option for value in SETTINGS for option in ("--set", value)]
    each = cli("train", "--each", *options, "--data-dir", store.root, "--runs-dir", tmp_path / "runs")
    assert_user_error(
        each, "`--each` trains each ticker alone, and `target_scale: har_market` needs all of them"
    )


def test_other_scales_build_no_market():
    config = load_config(None, [*SETTINGS, "target_scale=har"])
    assert BarLoader.of(config, pytest.fail, pytest.fail).market is None


def test_a_dataset_of_sessions_that_end_apart_is_refused(tmp_path):
    mixed = stored(tmp_path)
    stored(tmp_path, {"CCC": TABLES["CCC"]}, "XTKS")
    config = load_config(None, SETTINGS)
    with pytest.raises(ConfigError, match="CCC trades at XTKS, BBB at XNYS"):
        build_dataset(config, PriceReader(config.data, mixed), pytest.fail)
