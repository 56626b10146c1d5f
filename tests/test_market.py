"""What all tickers of a run did on a day: the arithmetic, and a network that looks at it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock import calendars, leakcheck, prices
from lstm_stock.backtest import Plan, backtest
from lstm_stock.baselines import Task, forecast_all, har_market_t, har_range_t
from lstm_stock.config import load_config
from lstm_stock.errors import ConfigError, LeakError
from lstm_stock.evaluation import INTERVAL_COLUMNS
from lstm_stock.features import Bars
from lstm_stock.inputs import PriceReader, require_one_close, split_what_fits, with_market
from lstm_stock.leakcheck import check, road_of
from lstm_stock.market import Market, day_surprise
from lstm_stock.parallel import Engine
from lstm_stock.prices import PriceHistory, Provenance, table_hash
from lstm_stock.store import Store
from tests.conftest import TINY
from tests.helpers import random_prices
from tests.test_cli import assert_told

TICKERS = ("AAA", "BBB", "CCC")
SETTINGS = [value for value in TINY if value != "--set"]
SETTINGS += ["training.epochs=1", "target_scale=har_market", 'data.tickers=["AAA","BBB","CCC"]']
SETTINGS += ["data.start=null", "data.end=null"]


def tables_of_one_market(n_bars: int = 420, n_tickers: int = 3) -> dict[str, pd.DataFrame]:
    """Tickers whose volatility moves together: from one day to the next it is what the whole market had."""
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
ADJUSTED = {ticker: prices.adjusted(table) for ticker, table in TABLES.items()}
MARKET = Market.of(ADJUSTED.values())


def stored(root, tables=TABLES, exchange: str | None = "XNYS") -> Store:
    store = Store(root)
    for ticker, table in tables.items():
        origin = Provenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", exchange, table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    return store


# --- the arithmetic -------------------------------------------------------------------------------------------


def test_it_is_the_mean_of_what_each_days_log_variance_has_over_that_of_its_month():
    columns = {}
    for ticker, table in ADJUSTED.items():
        gap = np.log(table["open"] / table["close"].shift())
        variance = gap**2 + np.log(table["high"] / table["low"]) ** 2 / (4 * np.log(2))
        logs = np.log(variance.clip(lower=1e-8))
        columns[ticker] = logs - logs.rolling(22).mean()
    expected = pd.DataFrame(columns).mean(axis=1)
    assert expected.first_valid_index() == expected.index[22]
    np.testing.assert_allclose(MARKET.surprise, expected, atol=1e-12)
    np.testing.assert_array_equal(MARKET.known, expected.notna())
    np.testing.assert_array_equal(MARKET.beside(ADJUSTED["BBB"])["market"], MARKET.surprise)


@settings(max_examples=20, deadline=None)
@given(row=st.integers(30, 418), scales=st.lists(st.floats(0.1, 10), min_size=4, max_size=4))
def test_it_knows_no_later_bar_no_unit_and_no_order(row, scales):
    spoilt = []
    for table, scale in zip(reversed(ADJUSTED.values()), scales, strict=True):
        table = table * scale
        table.iloc[row + 1 :] *= np.random.default_rng(0).uniform(0.5, 2, (len(table) - row - 1, 1))
        spoilt.append(table)
    again = Market.of(spoilt)
    np.testing.assert_allclose(again.surprise[: row + 1], MARKET.surprise[: row + 1], atol=1e-9)


def test_where_few_tickers_have_a_bar_the_newest_value_before_goes_on():
    one, *rest = ADJUSTED.values()
    last = one.index[-1]
    extra = one.iloc[[-1]].set_axis([last + pd.Timedelta(days=1)])
    market = Market.of([pd.concat([one, extra]), *rest])
    assert market.known[-2] and not market.known[-1]
    assert market.surprise[-1] == market.surprise[-2] == MARKET.surprise[-1]
    assert market.newest_known(market.dates[-1]) == np.datetime64(last, "D")
    assert market.newest_known(market.dates[5]) is None


def test_tickers_that_are_listed_later_join_when_their_month_is_full():
    early, late = ADJUSTED["AAA"], ADJUSTED["BBB"].iloc[200:]
    market = Market.of([early, late])
    alone = day_surprise(early)
    np.testing.assert_array_equal(market.surprise[:222], alone[:222])
    np.testing.assert_allclose(market.surprise[222:], (alone[222:] + day_surprise(late)[22:]) / 2, atol=1e-12)
    assert market.known[22:].all()


def test_a_ticker_of_other_days_gets_what_was_known_then():
    days = ADJUSTED["AAA"].index
    friday = next(day for day in days[100:] if day.day_of_week == 4)
    bar = ADJUSTED["AAA"].iloc[[0]]
    saturday = bar.set_axis([friday + pd.Timedelta(days=1)])
    assert MARKET.beside(saturday)["market"].tolist() == [MARKET.surprise[days.get_loc(friday)]]
    before = bar.set_axis([days[0] - pd.Timedelta(days=9)])
    assert MARKET.beside(before)["market"].isna().all()


# --- what is fitted on it -------------------------------------------------------------------------------------


def test_the_baseline_that_knows_the_market_is_there_where_the_market_is_and_better_where_it_matters():
    n_insample = 300
    tables = [prices.adjusted(table) for table in tables_of_one_market(700, 8).values()]
    market = Market.of(tables)
    gains = []
    for adjusted in tables:
        bars = Bars.of(market.beside(adjusted))
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
    """A run that looks at the market, refitted."""
    from lstm_stock.workflow.trained import Reports, train

    config = load_config(None, [*SETTINGS, "training.refit=true"])
    return train(config, store, tmp_path_factory.mktemp("runs"), Reports.only_notes(lambda _: None))


def test_the_run_has_the_baseline_and_scalers_with_the_market(made):
    assert "har_market_t" in set(made.scores["model"])
    assert all(len(scaler.har.weights) == 7 for scaler in made.scalers.values())


def test_predict_says_what_the_test_period_had_said(cli, made, store):
    """The market is put together again from the store, and gives the forecast that was scored."""
    forecasts = made.forecasts
    rows = forecasts[(forecasts["model"] == "lstm") & (forecasts["ticker"] == "BBB")]
    cutoff = rows["cutoff"].unique()[40]
    said = cli(
        *("predict", "--ticker", "BBB", "--cutoff", f"{cutoff:%F}", "--format", "json"),
        *("--data-dir", store.root, "--runs-dir", made.path.parent),
    )
    assert said.code == 0
    then = rows[rows["cutoff"] == cutoff]
    now = pd.DataFrame(json.loads(said.out))
    for name in ("y_pred", *INTERVAL_COLUMNS):
        np.testing.assert_allclose(now[name], then[name], rtol=1e-5)
    assert "what the market did" not in said.err


def test_an_unseen_ticker_is_forecast_with_the_market_of_the_runs_and_warned_where_that_is_old(
    cli, made, store, tmp_path
):
    words = ("predict", "--ticker", "ZZZ", "--format", "json", "--runs-dir", made.path.parent, "--data-dir")
    said = cli(*words, store.root)
    assert said.code == 0
    old = stored(
        tmp_path / "old",
        {name: table if name == "ZZZ" else table.iloc[:-5] for name, table in TABLES.items()},
    )
    late = cli(*words, old.root)
    assert late.code == 0
    newest = f"{TABLES['AAA'].index[-6]:%F}"
    assert f"what the market did is taken to be as on {newest}" in late.err
    assert json.loads(late.out)[0]["hi_90"] != json.loads(said.out)[0]["hi_90"]
    alone = stored(tmp_path / "alone", {"ZZZ": TABLES["ZZZ"]})
    assert_told(cli(*words, alone.root), "AAA")
    tokyo = stored(tmp_path / "tokyo", TABLES, "XTKS")
    stored(tmp_path / "tokyo", {"AAA": TABLES["AAA"]})
    assert_told(cli(*words, tokyo.root), "AAA trades at XNYS, ZZZ at XTKS")


def test_a_backtest_gives_each_fold_the_market_too(store, tmp_path):
    config = load_config(None, SETTINGS)
    plan = Plan(1, "expanding", Engine("loky", 1))
    results, _ = backtest(config, store, tmp_path, plan, lambda *_: None, lambda _: None)
    assert "har_market_t" in set(results.scores["model"])


def test_what_the_market_did_does_not_leak_and_a_market_that_looks_ahead_is_named(store, monkeypatch):
    config = load_config(None, SETTINGS)
    tables = {ticker: TABLES[ticker] for ticker in TICKERS}
    dates = TABLES["AAA"].index.to_numpy().astype("datetime64[D]")
    in_test = dates[-20]
    network = leakcheck.train_briefly(config, tables)
    checked = check(road_of(config, network), tables, [in_test], lambda *_: None)
    assert checked.n_arrays["market"] == 4 * len(TICKERS)

    honest = Market.of.__func__

    def tomorrow(cls, each):
        market = honest(cls, each)
        return replace(market, surprise=np.append(market.surprise[1:], 0.0))

    monkeypatch.setattr(Market, "of", classmethod(tomorrow))
    with pytest.raises(LeakError, match=f"the market beside AAA on {in_test} moved"):
        check(road_of(config, network), tables, [in_test], lambda *_: None)


# --- what is refused ------------------------------------------------------------------------------------------


def test_one_ticker_is_no_market(cli, store, tmp_path):
    for command in ("train", "backtest", "leakcheck"):
        said = cli(command, "--config", "many", "--set", "data.tickers=[AAA]", "--data-dir", store.root)
        assert_told(said, "`target_scale: har_market` looks at all tickers of a run, and AAA is alone")
    config = load_config(None, SETTINGS)
    alone = config.model_copy(update={"data": config.data.model_copy(update={"tickers": ("AAA",)})})
    with pytest.raises(ConfigError, match="and AAA is alone"):
        split_what_fits(alone, PriceReader(alone.data, store), pytest.fail)
    words = [word for value in SETTINGS for word in ("--set", value)]
    each = cli("train", "--each", *words, "--data-dir", store.root, "--runs-dir", tmp_path / "runs")
    assert_told(each, "`--each` trains every ticker alone, and `target_scale: har_market` looks at all")


def test_other_scales_do_not_ask_for_it():
    config = load_config(None, [*SETTINGS, "target_scale=har"])
    assert with_market(config, pytest.fail) is pytest.fail


def test_sessions_that_end_at_other_hours_make_no_market(tmp_path):
    ends = {code: calendars.usual_end(code) for code in ("XNYS", "XTSE", "XLON", "XTKS", "24/7")}
    assert ends["XNYS"] == ends["XTSE"] == dt.timedelta(hours=21)
    assert ends["XLON"] == dt.timedelta(hours=16, minutes=30)
    assert ends["XTKS"] == dt.timedelta(hours=6)
    assert ends["24/7"] == dt.timedelta(hours=24)
    require_one_close({"A": "XNYS", "B": None, "C": "XTSE"})
    require_one_close({})
    with pytest.raises(ConfigError, match="sessions end together: A trades at XNYS, C at XLON"):
        require_one_close({"A": "XNYS", "B": None, "C": "XLON"})
    mixed = stored(tmp_path)
    stored(tmp_path, {"CCC": TABLES["CCC"]}, "XTKS")
    config = load_config(None, SETTINGS)
    with pytest.raises(ConfigError, match="AAA trades at XNYS, CCC at XTKS"):
        split_what_fits(config, PriceReader(config.data, mixed), pytest.fail)
