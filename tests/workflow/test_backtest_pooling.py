"""What a backtest makes of its folds: pooled scores, the figure and the table of folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.errors import DataError
from lstm_stock.report import score_tables
from lstm_stock.report.plots import skill_by_fold
from lstm_stock.runs.backtest import FoldPart
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS
from lstm_stock.scoring.scores import score_table
from lstm_stock.workflow.backtest import (
    _without_dropouts,
    pool,
    score_by_fold,
)
from lstm_stock.workflow.backtest_worker import PartName


def made_up_forecasts(model: str = "lstm", n: int = 40, error: float = 1.0, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(index=range(n), columns=list(FORECAST_COLUMNS), dtype=float)
    y_true = 100 + random.normal(0, 1, n)
    dates = pd.bdate_range("2020-01-01", periods=n, unit="s")
    return table.assign(
        ticker="AAA",
        model=model,
        step=1,
        cutoff=dates,
        date=dates,
        last_close=100.0,
        y_true=y_true,
        y_pred=y_true + error,
        lo_50=99.0,
        hi_50=101.0,
        lo_90=90.0,
        hi_90=110.0,
        crps=error,
        nll=error,
        insample_mae=2.0,
    )


def made_up_parts(errors: dict[str, tuple[float, ...]]) -> dict[PartName, FoldPart]:
    parts = {}
    for i in range(2):
        network = made_up_forecasts(error=errors["lstm"][i], seed=i)
        rest = [
            made_up_forecasts(name, error=each[i], seed=i)
            for name, each in errors.items()
            if name != "lstm" and i < len(each)
        ]
        parts[PartName(i + 1, None)] = FoldPart(network, {})
        parts[PartName(i + 1, "AAA")] = FoldPart(pd.concat(rest, ignore_index=True), {})
    return parts


def test_pooled_scores_are_over_all_cutoffs_and_a_fold_s_over_its_own():
    forecasts = pool(made_up_parts({"lstm": (1.0, 3.0), "naive": (2.0, 2.0)}))
    scores = score_table(forecasts).set_index("model")
    assert scores["n"].tolist() == [80, 80]
    assert scores.loc["lstm", "mae"] == pytest.approx(2.0)
    assert scores.loc["lstm", "rmse"] == pytest.approx(np.sqrt(5.0))
    by_fold = score_by_fold(forecasts).set_index(["fold", "model"])
    assert by_fold.loc[(1, "lstm"), "skill"] == pytest.approx(50.0)
    assert by_fold.loc[(2, "lstm"), "skill"] == pytest.approx(-50.0)


def test_mase_takes_each_fold_by_its_own_train_bars():
    forecasts = pool(made_up_parts({"lstm": (1.0, 3.0), "naive": (2.0, 2.0)}))
    forecasts.loc[forecasts["fold"] == 2, "insample_mae"] = 6.0
    scores = score_table(forecasts).set_index("model")
    assert scores.loc["lstm", "mase"] == pytest.approx((1.0 / 2 + 3.0 / 6) / 2)


def test_a_baseline_that_lacks_a_fold_is_left_out_of_all():
    notes = []
    forecasts = pool(made_up_parts({"lstm": (1.0, 1.0), "naive": (2.0, 2.0), "garch": (1.0,)}))
    kept = _without_dropouts(forecasts, "lstm", notes.append)
    assert set(kept["model"]) == {"lstm", "naive"}
    assert notes == ["AAA: garch has no forecast in some folds and is left out of all"]
    whole = pool(made_up_parts({"lstm": (1.0, 1.0), "naive": (2.0, 2.0)}))
    assert _without_dropouts(whole, "lstm", notes.append) is whole


FOLDS = pd.DataFrame(
    {
        "fold": [1, 2],
        "test_start": pd.to_datetime(["2020-01-01", "2020-03-01"]),
        "test_end": pd.to_datetime(["2020-02-28", "2020-04-30"]),
    }
)
ERRORS = {
    "lstm": (1.0, 3.0),
    "naive": (2.0, 2.0),
    "a": (1.5, 1.5),
    "b": (1.9, 1.9),
    "c": (2.5, 2.5),
    "d": (9.0, 9.0),
}


def test_the_figure_shows_the_network_and_the_best_baselines():
    forecasts = pool(made_up_parts(ERRORS))
    figure = skill_by_fold(score_by_fold(forecasts), score_table(forecasts), FOLDS, "AAA", "lstm")
    top, bottom = figure.axes
    lines = {line.get_label(): line for line in top.get_lines() if not line.get_label().startswith("_")}
    assert set(lines) == {"lstm", "a", "b", "c"}
    np.testing.assert_allclose(lines["lstm"].get_ydata(), [50.0, -50.0])
    assert [label.get_text() for label in bottom.get_xticklabels()] == [
        "1\nJan 2020",
        "2\nMar 2020",
        "all\nfolds",
    ]
    title = figure.get_suptitle()
    assert "refitted in each of 2 folds: CRPS against the best baseline, a:\n" in title
    assert title.endswith("better in 1 folds, 33.33 % worse over all folds")


def test_the_figure_of_a_point_forecast_tells_of_points():
    forecasts = pool(made_up_parts({"lstm": (1.0, 3.0), "naive": (2.0, 2.0)}))
    forecasts.loc[forecasts["model"] == "lstm", ["crps", "nll"]] = np.nan
    figure = skill_by_fold(score_by_fold(forecasts), score_table(forecasts), FOLDS, "AAA", "lstm")
    assert "RMSE against the best baseline, naive:" in figure.get_suptitle()
    assert "lstm forecasts no distribution" in [text.get_text() for text in figure.axes[0].texts]


def test_the_figure_of_nothing_is_told():
    forecasts = pool(made_up_parts({"lstm": (1.0, 3.0), "naive": (2.0, 2.0)}))
    with pytest.raises(DataError, match="there are no scores of lstm and naive on ZZZ"):
        skill_by_fold(score_by_fold(forecasts), score_table(forecasts), FOLDS, "ZZZ", "lstm")


def test_the_table_of_folds_names_each_fold_s_best_baseline(capsys):
    from lstm_stock.report import console

    forecasts = pool(made_up_parts({"lstm": (1.0, 3.0), "naive": (2.0, 2.0), "ewma": (4.0, 1.0)}))
    console.show(score_tables.fold_table(score_by_fold(forecasts), FOLDS, "lstm", "AAA"))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    first, second = (line for line in lines if line and line[0] in ("1", "2"))
    assert " ".join(first) == "1 2020-01-01 40 50.00 1.000 100.0 naive 2.000 50.00"
    assert " ".join(second) == "2 2020-03-01 40 -50.00 3.000 100.0 ewma 1.000 -200.00"
