"""Tables print every cell in full, whatever the width of the terminal."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd

from lstm_stock.prices.table import PriceHistory, PriceProvenance
from lstm_stock.report import console, evaluation, price_tables, run_tables
from lstm_stock.report.table import new_table
from lstm_stock.report.text import group_messages, name_tickers
from lstm_stock.runs.evaluation import Evaluation


def test_left_columns_are_named_and_the_others_are_right(capsys):
    table = new_table(["name", "value"], left=("name",), title="t")
    table.add_row("a", "1")
    table.add_row("long name", "1000000")
    console.show(table)
    assert capsys.readouterr().out.splitlines()[-3:-1] == [
        " a                1",
        " long name  1000000",
    ]


def test_a_narrow_terminal_cuts_no_cell(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    table = new_table(["name", "value"], left=("name",))
    table.add_row("a" * 60, "1" * 60)
    console.show(table)
    out = capsys.readouterr().out
    assert "a" * 60 in out
    assert "1" * 60 in out


def test_only_wrapped_columns_wrap(capsys):
    table = new_table(["name", "text"], left=("name", "text"), wrapped={"text": 10})
    table.add_row("a b c d e f g h", "one two three four")
    console.show(table)
    out = capsys.readouterr().out
    assert "a b c d e f g h" in out
    assert "one two three four" not in out


def test_a_damaged_file_and_a_stored_ticker_have_a_row_each(capsys):
    dates = pd.date_range("2020-01-01", periods=2, unit="s")
    bars = pd.DataFrame({"close": [1.0, 2.0]}, index=dates)
    now = dt.datetime(2020, 1, 5, tzinfo=dt.UTC)
    origin = PriceProvenance(
        source="csv",
        fetched_at="2020-01-03T00:00:00+00:00",
        requested_start=None,
        requested_end=None,
        currency=None,
        exchange=None,
        hash="",
        partial="2020-01-02",
        notes=("odd",),
    )
    rows = price_tables.store_rows([PriceHistory("AAA", bars, origin), "BBB"], now)
    assert rows[0]["age"] == "2 d"
    assert rows[0]["notes"] == "the bar of 2020-01-02 was fetched before its session was over; odd"
    console.show(price_tables.store_table(rows))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith((" AAA", " BBB"))] == ["AAA", "BBB"]


def test_predictions_show_the_first_step_and_the_last(capsys):
    steps = [1, 2, 3]
    forecast = pd.concat(
        pd.DataFrame(
            {
                "ticker": ticker,
                "cutoff": pd.Timestamp("2020-01-03"),
                "step": steps,
                "date": pd.bdate_range("2020-01-06", periods=3),
                "last_close": 10.0,
                "y_pred": [10.0, 11.0, 12.0],
                "lo_50": np.nan,
                "hi_50": np.nan,
                "lo_90": [9.0, 8.0, 7.0],
                "hi_90": [11.0, 14.0, 17.0],
                "dividend": 0.0,
            }
        )
        for ticker in ("AAA", "BBB", "CCC", "DDD")
    )
    console.show(run_tables.predictions_table(forecast))
    out = capsys.readouterr().out
    assert "3 steps ahead" in out
    assert "7.00 to 17.00" in out
    assert "8.00 to 14.00" not in out
    console.show(run_tables.prediction_table(forecast[forecast["ticker"] == "AAA"], "USD"))
    out = capsys.readouterr().out
    assert "AAA: forecast after the close of 2020-01-03 (10.00 USD)" in out
    assert "Tue 2020-01-07   11.00     -  8.00 to 14.00" in out
    assert "dividend" not in out
    paying = forecast[forecast["ticker"] == "AAA"].assign(dividend=[0.0, 0.24, 0.24])
    console.show(run_tables.prediction_table(paying, "USD"))
    assert "Tue 2020-01-07   11.00     -  8.00 to 14.00      0.24" in capsys.readouterr().out


def test_messages_about_many_tickers_are_grouped():
    names = ["A", "B", "C", "D"]
    assert name_tickers(names) == "A, B, C and 1 more"
    assert group_messages([(name, f"{name} is late") for name in names]) == ["A, B, C and 1 more: A is late"]


def test_the_best_baseline_of_a_run_has_a_crps_for_every_ticker():
    rows = [("A", "lstm", 1.0), ("B", "lstm", 3.0), ("A", "ewma", 2.0), ("B", "ewma", 3.0)]
    rows += [("A", "har", 1.0), ("A", "odd", 0.5), ("B", "odd", np.nan)]
    scores = pd.DataFrame(rows, columns=["ticker", "model", "crps"]).assign(
        step=1, skill=0.0, coverage_90=0.9
    )
    run = SimpleNamespace(
        name="run",
        config=SimpleNamespace(model_name="lstm", model=SimpleNamespace(head="mixture")),
        scores=scores,
        provenance=SimpleNamespace(interrupted=False),
        verdict={},
    )
    summary = run_tables.run_summary(run)
    assert (summary["crps"], summary["best"]) == (2.0, "2.500 ewma")


def evaluation_of(*tickers: str, unseen: tuple[str, ...] = (), in_sample: bool = False) -> Evaluation:
    scores, dates = pd.DataFrame({"ticker": tickers}), ("2016-01-01", "2016-01-04", "2017-12-29")
    run = "20240101-000000-AAA-BBB-CCC-and-58-more-lstm"
    return Evaluation(run, "lstm", *dates, in_sample, unseen, {}, scores, {})


def test_the_heading_of_an_evaluation_names_the_period_and_what_is_unseen():
    many = evaluation.heading(evaluation_of("A", "B", "C", unseen=("B",)))
    assert max(map(len, many.splitlines())) < 80
    assert "before 2016-01-01: 3 tickers (1 not in training), 2016-01-04 to 2017-12-29" in " ".join(
        many.split()
    )
    assert ": A (not in training), 2016" in " ".join(
        evaluation.heading(evaluation_of("A", unseen=("A",))).split()
    )
    assert ": A, 2016" in " ".join(evaluation.heading(evaluation_of("A")).split())
    assert evaluation.heading(evaluation_of("A", in_sample=True)).startswith("IN SAMPLE: the network learned")


def test_the_table_against_the_baselines_fits_a_terminal(capsys):
    cells = {"crps_gap": -0.01234, "crps_better": 500, "crps_t": -12.34}
    cells |= {"nll_gap": np.nan, "nll_better": 0, "nll_t": np.nan}
    rows = pd.DataFrame([{"step": 10, "baseline": "har_market_t", "n_tickers": 500, **cells}])
    console.show(evaluation.against_table(rows, "attention"))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    (row,) = [line for line in out.splitlines() if "har_market_t" in line]
    assert row.split() == ["har_market_t", "500", "-0.0123", "500", "-12.3", "-", "0", "-"]


def test_the_coverage_of_the_first_step_and_the_last_is_told():
    rows = pd.DataFrame(
        {"step": [1, 2, 5], "coverage": [0.912, 0.8, 0.9], "n_tickers": [3, 3, 3], "n_within": [2, 0, 3]}
    )
    first, last = " ".join(evaluation.coverage_text(rows).split()).split("5 steps")
    assert first.startswith(
        "1 step ahead: the 90 % interval as trained contains 91.2 % of the outcomes, and 88 to"
    )
    assert first.endswith("92 % in 2 of 3 tickers ")
    assert last.endswith("in 3 of 3 tickers")
    assert "tickers" not in evaluation.coverage_text(rows.iloc[:1].assign(n_tickers=1))


def test_a_score_of_zero_is_no_divisor():
    from lstm_stock.report.text import _gap
    from lstm_stock.scoring.scores import gain

    assert _gap(1.0, 0.0, "crps") == "the best baseline is never wrong"
    assert _gap(0.0, 0.0, "crps") == "no difference"
    assert np.isnan(gain(1.0, 0.0))
    assert gain(1.0, 2.0) == 50
