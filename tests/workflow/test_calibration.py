"""The factors that adaptive intervals start the test period with are those of a pass over the val outcomes."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_stock.dataset.series import apply_ticker, window_spec
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.distributions.intervals import LEVELS, MIN_FACTOR, RATE
from lstm_stock.prices import table as price_table
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.run import Run
from lstm_stock.workflow.forecast import fit_calibrator, forecast_network
from lstm_stock.workflow.leakcheck.corruption import corrupt
from tests.conftest import Trained


@pytest.fixture
def run(trained: Trained) -> Run:
    return find_run(trained.runs, None)


def val_windows(run: Run, table) -> Windows:
    spec = window_spec(run.config)
    series = apply_ticker("AAPL", price_table.adjusted(table), spec, run.scalers["AAPL"])
    return windows_of(series, spec, run.provenance.split, "val")


def test_a_run_saves_the_factors_that_a_pass_over_val_ends_with(run, trained):
    val = val_windows(run, Store(trained.data).read("AAPL").table)
    returns = forecast_network(run.config, run.network, val)
    centre, y_true = returns.quantile(0.5), val.returns
    for i, level in enumerate(LEVELS):
        alpha = 1 - level / 100
        low, high = returns.quantile(alpha / 2), returns.quantile(1 - alpha / 2)
        for k in range(1, run.config.window.horizon + 1):
            used, factor = {}, 1.0
            for bar in range(len(val) + k):  # bar after bar: first what became known, then the next interval
                if bar >= k:
                    error = y_true[bar - k, k - 1] - centre[bar - k, k - 1]
                    side = (high if error > 0 else low)[bar - k, k - 1] - centre[bar - k, k - 1]
                    missed = error / side > used[bar - k]
                    factor = max(factor + RATE * (missed - alpha), MIN_FACTOR)
                used[bar] = factor
            assert run.calibrators["AAPL"].factors[k - 1, i] == pytest.approx(factor, abs=1e-9)


@pytest.mark.parametrize("how", ["scale", "noise"])
def test_nothing_after_val_changes_the_factors(run, trained, how):
    table = Store(trained.data).read("AAPL").table
    test_row = run.provenance.split.first_rows(table.index.to_numpy("datetime64[D]"))[1]

    def factors(corrupted_after: int):
        last = table.index[corrupted_after].to_datetime64().astype("datetime64[D]")
        return fit_calibrator(run.config, run.network, val_windows(run, corrupt(table, last, how))).factors

    saved = run.calibrators["AAPL"].factors
    np.testing.assert_allclose(factors(test_row - 1), saved, atol=1e-9)
    assert not np.allclose(factors(test_row - 60), saved, atol=1e-9)
