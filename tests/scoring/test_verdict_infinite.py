from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lstm_stock.report.text import comparison, verdict_text
from lstm_stock.scoring.scores import pooled_scores, score_table, ticker_scores
from lstm_stock.scoring.verdict import Subject, judge
from tests.scoring.forecasts import (
    NOISE,
    REALISED,
    VOLATILITY,
    baselines,
    rows,
    t_forecast,
)


def with_infinite(score: str, *models: str, value: float = np.inf) -> pd.DataFrame:
    network = t_forecast(VOLATILITY, 1e-5 * np.sign(NOISE))
    table = pd.concat([rows("lstm", network, REALISED), *baselines(REALISED)], ignore_index=True)
    rows_of = [table.index[table["model"] == model][5] for model in models]
    table.loc[rows_of, score] = value
    return table


@pytest.mark.parametrize(
    ("score", "models", "question", "outcome", "sentence"),
    [
        (
            "nll",
            ["lstm"],
            "distribution",
            "better",
            "The NLL of lstm is infinite: an outcome had a density of 0",
        ),
        ("nll", ["naive"], "distribution", "better", "The NLL of naive is infinite: an outcome"),
        ("nll", ["lstm", "naive"], "distribution", "better", "The NLL of lstm and naive is infinite"),
        ("crps", ["lstm"], "distribution", "not tested", "Not tested: the CRPS of lstm is infinite"),
        ("crps", ["naive"], "distribution", "better", ". Not compared with naive, whose CRPS is infinite"),
        ("crps", ["lstm", "naive", "constant_t"], "distribution", "not tested", "the CRPS of lstm and "),
        (
            "y_pred",
            ["lstm"],
            "point",
            "not tested",
            "the last close? Not tested: the RMSE of lstm is infinite",
        ),
        (
            "y_pred",
            ["naive"],
            "point",
            "not tested",
            "the last close? Not tested: the RMSE of naive is infinite",
        ),
    ],
)
def test_an_infinite_loss_is_stated_and_stops_nothing(score, models, question, outcome, sentence):
    table = with_infinite(score, *models)
    verdict = judge(table, Subject("lstm"))
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert sentence in verdict[question]["sentence"]
    assert verdict[question]["verdict"] == outcome
    assert "nan" not in verdict_text(verdict)
    scores = score_table(table)
    assert np.isinf(
        scores.set_index("model").loc[models, "rmse_percent" if score == "y_pred" else score]
    ).all()
    assert "nan" not in comparison(scores, "lstm", "AAA")
    pooled_scores(scores, "lstm")
    ticker_scores(scores, "lstm")


@pytest.mark.parametrize("value", [1e200, 1.7e308])
@pytest.mark.parametrize("score", ["nll", "crps", "y_pred"])
def test_a_loss_whose_square_overflows_counts_as_infinite(score, value):
    table = with_infinite(score, "lstm", value=value)
    text = verdict_text(judge(table, Subject("lstm")))
    assert "infinite" in text
    assert len(text) < 3000
    comparison(score_table(table), "lstm", "AAA")


def test_an_infinite_loss_of_one_of_several_tickers_is_stated():
    tables = [with_infinite("nll", "lstm").assign(ticker="A")]
    tables += [rows("lstm", t_forecast(VOLATILITY), REALISED, "B"), *baselines(REALISED, "B")]
    verdict = judge(pd.concat(tables), Subject("lstm"))
    assert "The NLL of lstm is infinite" in verdict["distribution"]["sentence"]
    assert "infinite" not in verdict["tickers"]["B"]["distribution"]["sentence"]


def test_an_interval_without_ends_covers_everything():
    table = with_infinite("hi_90", "lstm")
    table["lo_90"] = np.where(np.isinf(table["hi_90"]), -np.inf, table["lo_90"])
    assert judge(table, Subject("lstm"))["intervals"]["coverage"]["90"] > 0
    assert np.isinf(score_table(table)["width_90"][0])
