"""The leak check passes on the code as it is, and names every leak that a test puts into `train` or `backtest`."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lstm_stock import baselines
from lstm_stock.config import load_config
from lstm_stock.config.features import FEATURES, FeatureSpec
from lstm_stock.dataset import build, features, loader, market
from lstm_stock.dataset.build import build_dataset, with_tickers
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.series import fit_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import windows_of
from lstm_stock.distributions import Empirical, intervals
from lstm_stock.errors import DataError, LeakError
from lstm_stock.prices.reader import PriceReader, all_dates, days_of
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.workflow import backtest_worker, scoring
from lstm_stock.workflow import fit as fit_module
from lstm_stock.workflow import forecast as forecast_module
from lstm_stock.workflow.leakcheck import check
from lstm_stock.workflow.leakcheck import training as training_passes
from lstm_stock.workflow.leakcheck.check import Extent, check_config, sample_cutoffs
from lstm_stock.workflow.leakcheck.compare import Checked, Corruption, Value, compare_values
from lstm_stock.workflow.leakcheck.corruption import DATES
from lstm_stock.workflow.leakcheck.folds import FoldPasses
from lstm_stock.workflow.leakcheck.training import Prices, Reference, TrainingPasses, fit
from tests.conftest import TINY
from tests.helpers import drop_slow_baselines, keep_corruptions, leave_out_scores, random_prices
from tests.reused_networks import reused_networks

pytestmark = pytest.mark.usefixtures("networks_traced_once")

SETTINGS = (
    *(value for value in TINY if value != "--set"),
    "data.tickers=[AAA,BBB]",
    "training.batch_size=64",
    "training.epochs=1",
)
POOLED = ("scaler=pooled", "model.head=drift_t", "model.shortcut=linear")
"""A network that starts from the regression over all tickers."""

CONFIG = load_config(None, [*SETTINGS])
TABLES = {"AAA": random_prices(420, seed=1), "BBB": random_prices(400, seed=2, start="2015-02-01")}
HISTORIES = {
    ticker: PriceHistory(
        ticker,
        table,
        PriceProvenance("csv", "2024-01-01T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)),
    )
    for ticker, table in TABLES.items()
}
DATES_OF_ALL = all_dates([days_of(table) for table in TABLES.values()])
READER = PriceReader(CONFIG.data, Prices(HISTORIES))
SPLIT = build.split_of(CONFIG.split, DATES_OF_ALL)
VAL, TEST = SPLIT.first_rows(DATES_OF_ALL)
TRAIN_END, VAL_END, IN_TEST = DATES_OF_ALL[VAL - 1], DATES_OF_ALL[TEST - 1], DATES_OF_ALL[TEST + 30]


@pytest.fixture(autouse=True)
def few_baselines_and_no_scores(monkeypatch):
    drop_slow_baselines(monkeypatch)
    leave_out_scores(monkeypatch)


def dataset_of(*overrides: str):
    config = load_config(None, [*SETTINGS, *overrides])
    return build_dataset(config, PriceReader(config.data, Prices(HISTORIES)), lambda _: None)


@pytest.fixture(scope="module")
def forecaster(shared_networks):
    with reused_networks(shared_networks):
        return fit(dataset_of())


def passes() -> TrainingPasses:
    return TrainingPasses(HISTORIES, Checked())


def leak_in_dataset(cutoff, *overrides: str, how: str = "noise") -> str:
    """Build the dataset under the leak that a test has put in, and return the name that the check gives."""
    reference = Reference(dataset_of(*overrides), None, {})
    with pytest.raises(LeakError) as caught:
        passes().compare_dataset(reference, Corruption(cutoff, how))
    return caught.value.message


def leak_in_forecasts(forecaster, cutoff=IN_TEST) -> str:
    dataset = dataset_of()
    reference = Reference.of(dataset, replace(forecaster, windows=dataset.windows))
    with pytest.raises(LeakError) as caught:
        passes().compare_forecasts(reference, Corruption(cutoff, "noise"))
    return caught.value.message


def leak_in_training(*overrides: str) -> str:
    dataset = dataset_of(*overrides)
    reference = Reference.of(dataset, fit(dataset))
    with pytest.raises(LeakError) as caught:
        passes().compare_training(reference, Corruption(VAL_END, "noise"))
    return caught.value.message


def leak_in_fold() -> str:
    dataset = dataset_of()
    folds = FoldPasses.of(Reference(dataset, None, {}), HISTORIES, 2, "expanding", Checked())
    (plan, _) = folds.plans()
    fold = folds.reference_of(plan)
    with pytest.raises(LeakError) as caught:
        folds.compare(fold, Corruption(folds.cutoffs(plan)[0], "noise"))
    return caught.value.message


# --- the code as it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "n_folds"),
    [((), 1), ((*POOLED, "training.refit=true", "calibration=conformal", "target_scale=har_market"), 0)],
)
def test_the_code_as_it_is_has_no_leak_and_everything_is_compared(tmp_path, monkeypatch, overrides, n_folds):
    keep_corruptions(monkeypatch, "noise", *(["scale"] if n_folds else []))
    for history in HISTORIES.values():
        Store(tmp_path).write(history)
    progress = []
    config = load_config(None, [*SETTINGS, *overrides])
    checked = check_config(
        config, Store(tmp_path), Extent(1, n_folds), lambda *done: progress.append(done), lambda _: None
    )
    assert progress[-1][0] == progress[-1][1] == len(progress) - 1
    kinds = "split tickers volatility scaler windows inputs targets forecast baseline"
    assert {*kinds.split(), "history", "calibration", "weights"} <= set(checked.n_values)
    assert ("market" in checked.n_values) == bool(overrides)
    assert checked.n_folds == n_folds
    assert ("fold" in checked.n_values) == bool(n_folds)


def test_of_several_folds_the_first_and_the_last_are_checked(tmp_path, monkeypatch):
    for history in HISTORIES.values():
        Store(tmp_path).write(history)
    shown, progress = [], []
    monkeypatch.setattr(check, "fit", lambda _: None)
    monkeypatch.setattr(Reference, "of", lambda dataset, _: Reference(dataset, None, {}))
    monkeypatch.setattr(FoldPasses, "reference_of", lambda _, plan: shown.append(plan.fold.number))
    for passes, name in (
        (FoldPasses, "compare"),
        *((TrainingPasses, f"compare_{of}") for of in ("dataset", "forecasts", "training")),
    ):
        monkeypatch.setattr(passes, name, lambda *_: None)
    checked = check_config(
        CONFIG, Store(tmp_path), Extent(1, 3), lambda *done: progress.append(done), lambda _: None
    )
    assert shown == [1, 3] and checked.n_folds == 2
    assert progress[-1][0] == progress[-1][1] == len(progress) - 1


# --- leaks put in on purpose ------------------------------------------------------------------------------------


def more_cutoffs(monkeypatch, module, part: str, n: int) -> None:
    """Let the windows of one part reach `n` cutoffs further, as far as there are bars."""

    def leaky(series, spec, split, name):
        cut = windows_of(series, spec, split, name)
        if name != part:
            return cut
        end = min(int(cut.cutoffs[-1]) + 1 + n, len(series.dates) - spec.horizon)
        return replace(cut, cutoffs=np.arange(cut.cutoffs[0], end))

    monkeypatch.setattr(module, "windows_of", leaky)


def test_train_labels_that_reach_into_val(monkeypatch):
    more_cutoffs(monkeypatch, build, "train", CONFIG.window.horizon - 1)
    assert "leak: the targets of the train windows of AAA" in leak_in_dataset(TRAIN_END)


def test_val_labels_that_reach_into_test(monkeypatch):
    more_cutoffs(monkeypatch, build, "val", CONFIG.window.horizon - 1)
    assert "leak: the targets of the val windows of AAA" in leak_in_dataset(VAL_END)


def test_train_windows_that_include_test(monkeypatch):
    more_cutoffs(monkeypatch, build, "train", 10**6)
    assert "in the train windows of AAA" in leak_in_dataset(VAL_END)


@pytest.mark.parametrize(("through", "cutoff"), [("all", IN_TEST), ("val", TRAIN_END)])
def test_a_scaler_fitted_on_other_bars_than_train(monkeypatch, through, cutoff):
    def leaky(ticker, adjusted, spec, split):
        end = split.test_start if through == "val" else days_of(adjusted)[-1]
        return fit_ticker(ticker, adjusted, spec, Split(end, end))

    monkeypatch.setattr(build, "fit_ticker", leaky)
    assert "leak: the scaler of the feature" in leak_in_dataset(cutoff)


def test_a_feature_that_looks_one_bar_ahead(monkeypatch):
    def tomorrow(bars):
        return np.append(features.log_range(bars)[1:], 0.0)

    monkeypatch.setitem(FEATURES, "log_range", FeatureSpec("looks ahead", "log_range", tomorrow))
    found = leak_in_dataset(IN_TEST, how="shuffle")  # noise changes a bar's high and low alike
    assert "leak: the feature `log_range` in the test windows of AAA on" in found


def test_a_feature_centred_on_the_mean_of_all_bars(monkeypatch):
    def centred(bars):
        return np.log((bars.volume + 1) / (np.mean(bars.volume) + 1))

    monkeypatch.setitem(FEATURES, "log_volume_ratio", FeatureSpec("looks ahead", "plain", centred))
    assert "of the feature `log_volume_ratio` of AAA" in leak_in_dataset(IN_TEST)


def test_a_market_that_looks_one_bar_ahead(monkeypatch):
    logs = market._log_variances
    monkeypatch.setattr(market, "_log_variances", lambda table: [one.shift(-1) for one in logs(table)])
    assert "leak: `volatility_surprise` of the market on" in leak_in_dataset(
        IN_TEST, "target_scale=har_market"
    )


def test_sessions_that_follow_the_next_row_and_not_the_calendar(monkeypatch):
    """That the next session will be missing is not known before."""

    def next_rows(adjusted, exchange, horizon):
        days = pd.Series(adjusted.index, adjusted.index)
        return adjusted.assign(**{f"session_{k}": days.shift(-k).ffill() for k in range(1, horizon + 1)})

    monkeypatch.setattr(loader, "with_session_columns", next_rows)
    found = leak_in_dataset(IN_TEST, "features=[log_return, seasonal_vol_13w]", how=DATES)
    assert "`seasonal_vol_13w" in found


def test_a_split_that_looks_at_prices(monkeypatch):
    read = PriceReader.table

    def dates(self, tickers):
        table = read(self, "AAA")
        return days_of(table)[: 300 + int(100 * table["close"].iloc[-1]) % 100]

    monkeypatch.setattr(PriceReader, "dates", dates)
    assert "leak: the split" in leak_in_dataset(days_of(TABLES["AAA"])[250])


def test_a_ticker_that_ends_before_test_dropped_from_the_training(monkeypatch):
    drop = build.drop_without_bars

    def survivors(config, reader, on_note):
        config = drop(config, reader, on_note)
        last = max(reader.table(ticker).index[-1] for ticker in config.data.tickers)
        days = pd.Timedelta(days=30)
        return with_tickers(
            config, [t for t in config.data.tickers if reader.table(t).index[-1] > last - days]
        )

    monkeypatch.setattr(build, "drop_without_bars", survivors)
    assert "leak: the list of the tickers trained on" in leak_in_dataset(VAL_END, how=DATES)


def with_test_as_val(windows, split):
    return [replace(one, cutoffs=windows_of(one.series, one.spec, split, "test").cutoffs) for one in windows]


def test_early_stopping_on_test(monkeypatch):
    fit_network = fit_module.fit_network
    monkeypatch.setattr(
        fit_module,
        "fit_network",
        lambda spec, windows, *rest: fit_network(
            spec, replace(windows, val=with_test_as_val(windows.val, SPLIT)), *rest
        ),
    )
    assert "leak: `val_loss` in the history of the training" in leak_in_training()


def test_intervals_fitted_on_test(monkeypatch):
    fit_calibrators = fit_module.fit_calibrators
    monkeypatch.setattr(
        fit_module,
        "fit_calibrators",
        lambda config, network, windows: fit_calibrators(config, network, replace(windows, val=windows.test)),
    )
    assert "leak: the calibration of the intervals of AAA" in leak_in_training()


def test_a_refit_on_test(monkeypatch):
    refit_windows = fit_module.refit_windows

    def leaky(config, loader, split, start):
        wide = refit_windows(config, loader, split, start)
        more = [
            replace(one, cutoffs=np.append(one.cutoffs, test.cutoffs))
            for one, test in zip(wide.train, wide.test, strict=True)
        ]
        return replace(wide, train=more)

    monkeypatch.setattr(fit_module, "refit_windows", leaky)
    assert "in the refit windows of AAA" in leak_in_training("training.refit=true")


def test_a_network_that_forecasts_from_the_next_bar(monkeypatch, forecaster):
    forecast_tickers = forecast_module.forecast_tickers

    def peek(network, spec, tickers):
        return forecast_tickers(network, spec, [replace(one, cutoffs=one.cutoffs + 1) for one in tickers])

    monkeypatch.setattr(forecast_module, "forecast_tickers", peek)
    assert "leak: the forecast of lstm for AAA" in leak_in_forecasts(forecaster)


def test_half_of_the_outcome_in_the_test_table(monkeypatch, forecaster):
    forecast_table = scoring.forecast_table

    def leaky(*arguments):
        table = forecast_table(*arguments)
        return table.assign(y_pred=(table["y_pred"] + table["y_true"]) / 2)

    monkeypatch.setattr(scoring, "forecast_table", leaky)
    assert "leak: the forecast of lstm for AAA (`y_pred`, step " in leak_in_forecasts(forecaster)


def test_an_adaptive_interval_that_knows_the_outcome_one_bar_too_early(monkeypatch, forecaster):
    adaptive_factors = intervals.adaptive_factors

    def early(*arguments):
        factors = adaptive_factors(*arguments)
        return np.concatenate([factors[1:], factors[-1:]])

    monkeypatch.setattr(intervals, "adaptive_factors", early)
    assert re.search(r"the forecast of lstm for AAA \(`(lo|hi)_", leak_in_forecasts(forecaster))


@pytest.mark.parametrize("how", ["one bar ahead", "fitted on all bars"])
def test_a_baseline_that_looks_ahead(monkeypatch, forecaster, how):
    def leaky(task):
        if how == "one bar ahead":
            return baselines.ewma(replace(task, cutoffs=task.cutoffs + 1))
        returns = np.diff(np.log(task.bars.close))
        return Empirical(np.repeat(returns[:, None], task.horizon, axis=1), len(task.cutoffs))

    monkeypatch.setitem(baselines.BASELINES, "leaky", baselines.BaselineSpec(leaky))
    assert "leak: the forecast of the baseline `leaky` for AAA" in leak_in_forecasts(forecaster)


def test_baselines_fitted_on_the_test_period(monkeypatch, forecaster):
    baseline_task = scoring.baseline_task
    monkeypatch.setattr(
        scoring,
        "baseline_task",
        lambda *arguments: replace(baseline_task(*arguments), n_insample=len(arguments[1])),
    )
    assert "leak: the forecast of the baseline" in leak_in_forecasts(forecaster)


def test_the_regression_over_all_tickers_fitted_on_the_test_period(monkeypatch, forecaster):
    monkeypatch.setattr(
        training_passes,
        "regressions_of",
        lambda _, windows: {"pooled_t": PooledT.fit([*windows.train, *windows.test])},
    )
    assert "leak: the forecast of the baseline `pooled_t` for AAA" in leak_in_forecasts(forecaster)


def test_a_fold_trained_on_its_block(monkeypatch):
    cut = backtest_worker.windows_by_split

    def leaky(*arguments):
        windows = cut(*arguments)
        more = [
            replace(one, cutoffs=np.append(one.cutoffs, test.cutoffs))
            for one, test in zip(windows.train, windows.test, strict=True)
        ]
        return replace(windows, train=more)

    monkeypatch.setattr(backtest_worker, "windows_by_split", leaky)
    assert re.search("leak: (the forecast of lstm|`[a-z_]+` of fold 1)", leak_in_fold())


def test_baselines_of_a_fold_fitted_on_its_block(monkeypatch):
    baseline_tables = backtest_worker.baseline_tables

    def leaky(windows, adjusted, split, on_note):
        later = Split(split.val_start, days_of(adjusted)[-1])
        return baseline_tables(windows, adjusted, later, on_note)

    monkeypatch.setattr(backtest_worker, "baseline_tables", leaky)
    assert "leak: the forecast of the baseline" in leak_in_fold()


def test_a_single_bit_counts_and_a_missing_value_too():
    one, other = (Value("a", "the first", np.array([value])) for value in (1.0, 1.0 + 2**-52))
    with pytest.raises(LeakError, match="leak: the first changes"):
        compare_values([one], [other], Corruption(IN_TEST, "noise"), Checked())
    with pytest.raises(LeakError, match="leak: the first is missing"):
        compare_values([one], [], Corruption(IN_TEST, "noise"), Checked())


# --- cutoffs ----------------------------------------------------------------------------------------------------


def test_cutoffs_hold_both_borders_and_leave_bars_to_corrupt():
    cutoffs = sample_cutoffs(DATES_OF_ALL, SPLIT, horizon=3, n=6, seed=7)
    assert cutoffs[:2] == [TRAIN_END, VAL_END]
    assert len(cutoffs) == len(set(cutoffs)) == 8
    assert max(cutoffs) <= DATES_OF_ALL[-4]


def test_a_series_without_test_period_is_told():
    with pytest.raises(DataError, match="there is nothing to check"):
        sample_cutoffs(DATES_OF_ALL, Split(DATES_OF_ALL[-2], DATES_OF_ALL[-1]), horizon=3, n=2, seed=7)
