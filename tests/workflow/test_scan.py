"""The scan of a store: the numbers of a forecast, in one table, with the calendar's part."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lstm_stock.distributions.questions import parse_questions, probability
from lstm_stock.prices.reader import Snapshot
from lstm_stock.report.scan import LIKELY_REPORT, scan_table
from lstm_stock.runs.pretrained import PretrainedFolder
from lstm_stock.workflow import scan as workflow
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.scan import SCAN_COLUMNS, Plan, scan
from lstm_stock.workflow.universal import Chooser
from tests.helpers import assert_fits, assert_user_error
from tests.workflow.test_pretrained import TRAINED, config, fill, folder, store  # noqa: F401 - fixtures

ignored = lambda _done, _all: None  # noqa: E731


@pytest.fixture(scope="module")
def found(folder: PretrainedFolder, store):  # noqa: F811
    return scan(Plan(folder, store.root, (*TRAINED, "YOUNG"), None, 0.01), 1, ignored)


def test_the_row_of_a_ticker_has_the_numbers_of_its_forecast(found, folder, store):  # noqa: F811
    row = found.table.set_index("ticker").loc["C"]
    forecast = predict(Chooser(folder, store, Snapshot(store)).choose("C").bars, "C", row["date"].date())
    first = forecast.table.iloc[0]
    assert (row["date"], row["cutoff"]) == (first["date"], first["cutoff"])
    width = 100 * (first["hi_90"] - first["lo_90"]) / first["last_close"]
    assert row["width_90"] == pytest.approx(width, rel=1e-6)
    (question,) = parse_questions(["move 1%"])
    asked = probability(question, forecast.returns, first["last_close"], np.zeros(2))
    assert row["p_move"] == pytest.approx(asked[0], rel=1e-6)
    assert list(found.table.columns) == list(SCAN_COLUMNS)


def test_the_width_is_compared_with_that_of_the_cutoffs_before(found, folder, store, monkeypatch):  # noqa: F811
    monkeypatch.setattr(workflow, "YEAR", 12)
    monkeypatch.setattr(workflow, "LEAST", 12)
    widths = []
    for day in store.read("C").table.index[-13:]:
        bars = Chooser(folder, store, Snapshot(store), day.date()).choose("C").bars
        row = predict(bars, "C", day.date()).table.iloc[0]
        widths.append((row["hi_90"] - row["lo_90"]) / row["last_close"])
    ratio = widths[-1] / np.median(widths[:-1])
    (row,) = scan(Plan(folder, store.root, ("C",), None, 0.01), 1, ignored).table.to_dict("records")
    # Adaptive intervals of an earlier cutoff follow other outcomes when they start earlier.
    assert row["against_year"] == pytest.approx(ratio, rel=0.01)
    assert np.isnan(found.table.set_index("ticker").loc["YOUNG", "against_year"])


def test_the_calendar_is_nothing_without_bars_of_earlier_quarters(found):
    by_ticker = found.table.set_index("ticker")["calendar"]
    assert by_ticker["YOUNG"] == pytest.approx(0, abs=1e-4)
    assert (by_ticker.drop("YOUNG").abs() > 1e-3).any()


def test_a_ticker_that_cannot_be_forecast_is_left_out_and_told(folder, store):  # noqa: F811
    done = []
    plan = Plan(folder, store.root, ("A", "NONE"), None, 0.05)
    found = scan(plan, 1, lambda n, n_all: done.append((n, n_all)))
    assert list(found.table["ticker"]) == ["A"]
    assert "NONE is not in the price store" in found.left_out["NONE"]
    assert done == [(0, 2), (2, 2)]


def test_workers_find_the_same(folder, store, found, monkeypatch):  # noqa: F811
    monkeypatch.setattr(workflow, "TICKERS_PER_CALL", 4)
    monkeypatch.setattr(workflow, "TICKERS_PER_WORKER", 5)
    again = scan(Plan(folder, store.root, (*TRAINED, "YOUNG"), None, 0.01), 2, ignored)
    np.testing.assert_allclose(again.table["width_90"], found.table["width_90"], rtol=1e-9)
    assert list(again.table["ticker"]) == [*TRAINED, "YOUNG"]


def test_the_command_prints_the_most_unusual_first(cli, folder, store, found):  # noqa: F811
    options = ("--run", folder.path, "--data-dir", store.root)
    answer = cli("scan", *options)
    assert answer.code == 0
    assert_fits(answer)
    rows = json.loads(cli("scan", *options, "--format", "json", "--sort", "width", "--top", "3").out)
    assert len(rows) == 3
    assert [row["width_90"] for row in rows] == sorted((row["width_90"] for row in rows), reverse=True)
    assert cli("scan", "A", *options, "--format", "csv").out.splitlines()[0] == ",".join(SCAN_COLUMNS)
    assert_user_error(cli("scan", "NONE", *options), "NONE is not in the price store")
    assert_user_error(cli("scan", "--run", "nothing", "--data-dir", store.root), "nothing is no folder")
    assert_user_error(cli("scan", "--run", folder.path, "--data-dir", folder.path), "has no shares")


def test_a_wide_calendar_is_called_a_likely_report(found):
    table = found.table.assign(calendar=[LIKELY_REPORT, *[0.0] * (len(found.table) - 1)])
    cells = list(scan_table(table, 0.05).columns[-2].cells)
    assert cells == ["+15 % *", *["+0 %  "] * (len(table) - 1)]


def test_other_exchanges_have_their_own_calendar(folder, tmp_path):  # noqa: F811
    other = fill(tmp_path, ("A", "TYO"))
    found = scan(Plan(folder, other.root, ("A", "TYO"), None, 0.05), 1, ignored)
    assert list(found.table["inputs"]) == ["^VIX", "^VIX"]
