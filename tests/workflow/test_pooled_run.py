"""A run that is the regression over all tickers alone: shortcut, pooled scaler and no epochs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lstm_stock.config import load_config
from lstm_stock.dataset.build import build_dataset, refit_windows
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.scale import LharVolatility
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, adjusted, table_hash
from lstm_stock.runs.run import Run
from lstm_stock.workflow.fit import regressions_of
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.run_bars import RunBars
from lstm_stock.workflow.train import Reports, train
from tests.conftest import TINY
from tests.helpers import drop_slow_baselines, random_prices

TICKERS, UNSEEN = ("AAA", "BBB", "CCC"), "ZZZ"
CONFIG = load_config(
    None,
    [
        *(value for value in TINY if value != "--set"),
        f"data={{tickers: [{','.join(TICKERS)}], start: null, end: null}}",
        "features=[log_return,vol_month,log_trailing_vol]",
        "target_scale=lhar",
        "scaler=pooled",
        "window.horizon=2",
        "model={head: drift_t, shortcut: linear}",
        "training={epochs: 0, refit: true}",
    ],
)


@dataclass(frozen=True)
class Made:
    """A run, the prices that it was made from, and the notes of its training."""

    run: Run
    store: Store
    notes: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    root, notes = tmp_path_factory.mktemp("pooled"), []
    store = Store(root / "data")
    for i, ticker in enumerate((*TICKERS, UNSEEN)):
        table = random_prices(420, i, volatility=0.005 * 2**i)
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    with pytest.MonkeyPatch.context() as monkeypatch:
        drop_slow_baselines(monkeypatch)
        run = train(CONFIG, store, root / "runs", Reports.only_notes(notes.append))
    return Made(run, store, notes)


@pytest.fixture(scope="module")
def refitted(made):
    """The windows of all bars before the test period, and of the test period."""
    dataset = build_dataset(CONFIG, PriceReader(CONFIG.data, made.store), pytest.fail)
    return refit_windows(dataset.config, dataset.loader, dataset.windows.split)


def test_it_forecasts_as_the_regression_fitted_to_all_bars_before_the_test_period(made, refitted):
    regression = PooledT.fit(refitted.train)
    for test in refitted.test:
        table = made.run.forecasts_of(test.series.ticker)
        rows = table[table["model"] == "pooled_t"].pivot(index="cutoff", columns="step", values="nll")
        x = test.series.inputs[test.cutoffs].astype(np.float64)
        unit = 100 * test.volatility_scale
        for step in (1, 2):
            log_scale, raw = (x @ regression.slopes[:, step - 1] + regression.intercepts[step - 1]).T
            scale = unit[:, step - 1] * np.exp(log_scale)
            df, loc = 2.05 + np.log1p(np.exp(raw)), 0.04 * np.sqrt(step) * scale
            expected = -stats.t.logpdf(100 * test.returns[:, step - 1], df, loc, scale)
            np.testing.assert_allclose(rows[step], expected, rtol=1e-5, atol=1e-5)


def test_it_has_the_name_of_the_regression_and_no_baseline_is_the_same(made, refitted):
    run = made.run
    assert run.name.endswith("-AAA-BBB-CCC-pooled_t")
    assert (run.forecasts.groupby(["ticker", "model", "cutoff", "step"]).size() == 1).all()
    assert set(run.forecasts["model"]) > {"pooled_t", "naive", "lhar_t"} and "lstm" not in set(
        run.forecasts["model"]
    )
    compared = [one["baseline"] for one in run.verdict["distribution"]["comparisons"]]
    assert "har_range_t" in compared and "pooled_t" not in compared
    assert "pooled_t" in run.verdict["distribution"]["sentence"]
    assert regressions_of(CONFIG, refitted) == {}
    assert not [note for note in made.notes if "no epoch was better" in note]
    assert run.history["epoch"].tolist() == [0]


def test_a_ticker_it_never_saw_is_scaled_by_the_scaler_of_the_run(made, refitted):
    run, history = made.run, made.store.read(UNSEEN)
    cutoff, today = history.table.index[-10].date(), history.table.index[-1].date()
    found = predict(RunBars(run, made.store, cutoff), UNSEEN, today).table

    table = adjusted(history.table.iloc[:-9])
    bars = Bars.of(table)
    n_before_test = int((table.index < pd.Timestamp(run.provenance.test_start)).sum())
    volatility = LharVolatility.fit(bars, n_before_test).volatility(bars)
    raw = feature_table(bars, CONFIG.columns, volatility)[-1]
    scalers = [fitted.scaler for fitted in run.scalers.values()]
    assert all(scaler.to_json() == scalers[0].to_json() for scaler in scalers)
    x = np.clip((raw - scalers[0].offset) / scalers[0].scale, -4, 6)
    regression = PooledT.fit(refitted.train)
    for step in (1, 2):
        log_scale, _ = x @ regression.slopes[:, step - 1] + regression.intercepts[step - 1]
        median = (
            0.04 * step * volatility[-1] * np.exp(log_scale)
        )  # sqrt(k) of the drift, sqrt(k) of the scale
        row = found[found["step"] == step].iloc[0]
        assert np.log(row["y_pred"] / row["last_close"]) == pytest.approx(median, rel=1e-4)
