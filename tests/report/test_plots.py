from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy import stats

from lstm_stock.errors import DataError, RunError
from lstm_stock.report import plots
from lstm_stock.report.plots.style import BASELINE_LINES, NETWORK_LINE, OTHER_LINES, lines_of
from lstm_stock.scoring.reliability import reliability
from lstm_stock.scoring.scores import score_table
from tests.report.made_up import (
    LEVELS,
    made_up_fan,
    made_up_forecasts,
    made_up_history,
    without_distribution,
)


@pytest.fixture(scope="module")
def forecasts():
    return made_up_forecasts()


@pytest.fixture(scope="module")
def of_point(forecasts):
    return without_distribution(forecasts)


def title(figure):
    return figure.get_suptitle()


def line(axes, label):
    (found,) = [each for each in axes.lines if each.get_label() == label]
    return found


def labels(axes):
    return list(axes.get_legend_handles_labels()[1])


def texts(axes):
    return [text.get_text() for text in axes.texts]


def band(axes, label):
    """Lower and upper edge of a filled band, by x."""
    (found,) = [each for each in axes.collections if each.get_label() == label]
    x, y = found.get_paths()[0].vertices.T
    return {at: (y[x == at].min(), y[x == at].max()) for at in np.unique(x)}


# Training


def test_training_marks_the_best_epoch_and_every_cut():
    figure = plots.training_history(made_up_history(), "lstm on AAA", "squared error")
    (axes,) = figure.axes
    assert title(figure) == "lstm on AAA: best epoch 12 of 22, validation loss 1.200"
    assert labels(axes) == ["train loss", "validation loss", "learning rate cut", "best epoch, kept"]
    assert line(axes, "validation loss").get_ydata()[0] == pytest.approx(1.321)
    assert line(axes, "train loss").get_ydata()[-1] == pytest.approx(1.1 + np.exp(-22 / 3))
    assert line(axes, "best epoch, kept").get_xydata().tolist() == [[12.0, pytest.approx(1.2)]]
    assert line(axes, "learning rate cut").get_xdata().tolist() == [15, 20]
    assert texts(axes) == ["to 1e-4", "to 1e-5"]
    assert axes.get_ylabel() == "squared error"
    assert axes.get_xlabel().startswith("epoch\ntrain loss: mean over an epoch in training")


def test_training_shows_the_start_as_epoch_0_and_may_keep_it():
    start = pd.DataFrame({"member": [1], "epoch": 0, "loss": np.nan, "val_loss": 1.1, "learning_rate": 1e-3})
    figure = plots.training_history(pd.concat([start, made_up_history()]), "lstm on AAA")
    (axes,) = figure.axes
    assert title(figure) == "lstm on AAA: best epoch 0 of 22, validation loss 1.100"
    assert line(axes, "best epoch, kept").get_xydata().tolist() == [[0.0, 1.1]]
    assert axes.get_xlim() == (-0.5, 22.5)
    assert line(axes, "learning rate cut").get_xdata().tolist() == [15, 20]


def test_training_of_several_members_names_each_kind_once():
    figure = plots.training_history(made_up_history(n_members=3), "lstm on AAA")
    (axes,) = figure.axes
    assert title(figure) == "lstm on AAA: 3 members, best epochs 12, 13, 14, validation loss 1.200 to 1.200"
    assert labels(axes) == ["train loss", "validation loss", "learning rate cut", "best epoch, kept"]
    assert len(axes.lines) == 12
    assert texts(axes) == []


def test_training_of_one_epoch_and_without_cuts():
    figure = plots.training_history(made_up_history(n_epochs=1))
    assert title(figure) == "network: best epoch 1 of 1, validation loss 1.321"
    assert labels(figure.axes[0]) == ["train loss", "validation loss", "best epoch, kept"]


# Attention


def test_attention_is_drawn_by_bars_before_the_cutoff():
    weights = np.stack([np.tile([0.1, 0.2, 0.3, 0.4], (2, 1)), np.tile([0.1, 0.0, 0.3, 0.6], (2, 1))])
    figure = plots.attention_by_lag(weights.astype(np.float32), "attention on AAA")
    (axes,) = figure.axes
    assert title(figure) == "attention on AAA, 2 windows: half of the attention is on the last bar"
    assert labels(axes) == ["90 % of windows", "mean over windows", "uniform"]
    mean = dict(line(axes, "mean over windows").get_xydata().tolist())
    assert mean == pytest.approx({3: 10, 2: 10, 1: 30, 0: 50})
    assert line(axes, "uniform").get_ydata()[0] == 25
    assert band(axes, "90 % of windows")[0] == pytest.approx((41, 59))
    assert axes.get_xlim() == (3.5, -0.5)
    with pytest.raises(DataError, match="got no window, expected at least one to draw its attention"):
        plots.attention_by_lag(weights[:0])


# The test period


def test_test_period_shows_prices_above_and_returns_below(forecasts):
    figure = plots.test_period(forecasts, "AAA", "lstm")
    prices, returns = figure.axes
    rows = forecasts[(forecasts["model"] == "lstm") & (forecasts["step"] == 1)]
    shown = rows.iloc[-250:]
    np.testing.assert_array_equal(line(prices, "actual").get_ydata(), shown["y_true"])
    np.testing.assert_array_equal(line(prices, "lstm, median").get_ydata(), shown["y_pred"])
    np.testing.assert_array_equal(line(prices, "naive").get_ydata(), shown["last_close"])
    np.testing.assert_allclose(
        line(returns, "lstm, median").get_ydata(), 100 * np.log(shown["y_pred"] / shown["last_close"])
    )
    inside = (shown["lo_90"] <= shown["y_true"]) & (shown["y_true"] <= shown["hi_90"])
    assert len(line(returns, "actual").get_ydata()) == inside.sum()
    assert len(line(returns, "actual, outside").get_ydata()) == (~inside).sum() > 0
    edges = np.array(list(band(prices, "lstm, 90 % interval").values()))
    np.testing.assert_allclose(edges, shown[["lo_90", "hi_90"]])
    assert prices.get_ylabel() == "close"
    assert returns.get_ylabel() == "1-bar log return, %"


def test_the_title_of_the_test_period_has_the_scores_of_all_cutoffs(forecasts):
    scores = score_table(forecasts).query("step == 1").set_index("model")
    text = title(plots.test_period(forecasts, "AAA", "lstm"))
    assert text == (
        "lstm on AAA, 1 step ahead: the last 250 of 700 test cutoffs\n"
        f"Over all 700: the 90 % interval shown covers {100 * scores.loc['lstm', 'coverage_90']:.1f} %; "
        f"RMSE: lstm {scores.loc['lstm', 'rmse_percent']:.3f} %, naive {scores.loc['naive', 'rmse_percent']:.3f} %"
    )
    whole = plots.test_period(made_up_forecasts(n=60), "AAA", "lstm")
    assert title(whole).startswith("lstm on AAA, 1 step ahead: the test period\nOver all 60: ")
    assert len(line(whole.axes[0], "actual").get_ydata()) == 60


def test_test_period_of_a_point_forecast_has_no_band(of_point):
    figure = plots.test_period(of_point, "AAA", "lstm")
    prices, returns = figure.axes
    assert "Over all 700: a point forecast without interval; RMSE: lstm " in title(figure)
    assert labels(prices) == ["lstm, point", "naive", "actual"]
    assert labels(returns) == ["lstm, point", "actual"]
    assert len(line(returns, "actual").get_ydata()) == 250


def test_test_period_without_naive(forecasts):
    figure = plots.test_period(forecasts[forecasts["model"] != "naive"], "AAA", "lstm")
    assert labels(figure.axes[0]) == ["lstm, 90 % interval", "lstm, median", "actual"]
    assert re.search(r"RMSE: lstm [\d.]+ %$", title(figure))


def test_figures_are_of_the_ticker_requested():
    table = made_up_forecasts(n=60, tickers=("AAA", "B.B"))
    figure = plots.test_period(table, "B.B", "ewma")
    assert title(figure).startswith("ewma on B.B, 1 step ahead")
    rows = table[(table["ticker"] == "B.B") & (table["model"] == "ewma") & (table["step"] == 1)]
    np.testing.assert_array_equal(line(figure.axes[0], "actual").get_ydata(), rows["y_true"])
    assert title(plots.calibration(table, "B.B", "lstm")).startswith("lstm on B.B, 1 step ahead")
    assert title(plots.scores_by_step(score_table(table), "B.B", "lstm")).startswith(
        "lstm on B.B, 60 test cutoffs"
    )


@pytest.mark.parametrize("draw", [plots.test_period, plots.calibration])
def test_missing_rows_are_an_error_that_lists_the_contents(forecasts, draw):
    with pytest.raises(DataError, match="there is no forecast of lstm on ZZZ at step 1") as caught:
        draw(forecasts, "ZZZ", "lstm")
    known = "the table has ticker AAA; model lstm, naive, drift, constant_t, ewma; step 1, 2, 3, 4, 5"
    assert caught.value.hint == known
    with pytest.raises(DataError, match="there is no forecast of gru on AAA at step 1"):
        draw(forecasts, "AAA", "gru")


# The fan


def test_fan_starts_at_the_last_bar_without_a_gap(forecasts):
    recent, fan = made_up_fan(forecasts)
    figure = plots.forecast_fan(recent, fan, "AAA")
    wide, close = figure.axes
    last, end = float(recent["close"].iloc[-1]), fan.iloc[-1]
    assert title(figure) == (
        f"AAA: forecast after the close of {recent.index[-1]:%F} ({last:.2f})\n"
        f"On {end['date']:%F} the median is {end['y_pred']:.2f}, "
        f"the 90 % interval {end['lo_90']:.2f} to {end['hi_90']:.2f}"
    )
    for axes, n_bars in ((wide, 120), (close, 12)):
        assert line(axes, "close").get_ydata().tolist() == recent["close"].iloc[-n_bars:].tolist()
        assert line(axes, "median").get_ydata().tolist() == [last, *fan["y_pred"]]
        assert line(axes, "median").get_xdata()[0] == line(axes, "close").get_xdata()[-1]
        assert line(axes, "last close (naive)").get_ydata().tolist() == [last, last]
        for level in LEVELS:
            edges = list(band(axes, f"{level} %").values())
            assert edges[0] == (last, last)
            np.testing.assert_allclose(edges[1:], fan[[f"lo_{level}", f"hi_{level}"]])
    assert (wide.get_title(loc="left"), close.get_title(loc="left")) == (
        "last 120 bars and the next 5",
        "last 12 bars and the next 5",
    )
    shades = [np.mean(each.get_facecolor()[0][:3]) for each in close.collections]
    assert shades == sorted(shades, reverse=True)  # the 95 % band first and lightest


def test_fan_of_one_step_of_few_bars_and_of_a_point(forecasts, of_point):
    recent, fan = made_up_fan(forecasts)
    figure = plots.forecast_fan(recent.iloc[-5:], fan.iloc[:1], "AAA")
    assert figure.axes[0].get_title(loc="left") == "last 5 bars and the next one"
    figure = plots.forecast_fan(*made_up_fan(of_point), "AAA")
    assert re.search(r"the point forecast is [\d.]+, without interval$", title(figure))
    assert labels(figure.axes[0]) == ["close", "point", "last close (naive)"]
    with pytest.raises(
        DataError, match="AAA: got 0 bars and 5 steps, expected at least one of each to draw a fan"
    ):
        plots.forecast_fan(recent.iloc[:0], fan, "AAA")


def test_the_title_of_a_fan_names_the_dividends_taken_off(forecasts):
    recent, fan = made_up_fan(forecasts)
    figure = plots.forecast_fan(recent, fan.assign(dividend=[0, 0, 0.24, 0.24, 0.24]), "AAA")
    assert re.search(r"interval [\d.]+ to [\d.]+, less dividends of 0\.24$", title(figure))


# Calibration


def test_calibration_counts_outcomes_by_probability_and_interval(forecasts):
    figure = plots.calibration(forecasts, "AAA", "lstm")
    left, right = figure.axes
    rows = forecasts[(forecasts["model"] == "lstm") & (forecasts["step"] == 1)]
    heights = [bar.get_height() for bar in left.patches if bar.get_width() == pytest.approx(0.05)]
    np.testing.assert_allclose(heights, np.histogram(rows["pit"], 20, (0, 1))[0] / 700 * 20)
    scores = score_table(forecasts).query("step == 1").set_index("model")
    for model in ("lstm", "naive", "ewma"):
        expected = [100 * scores.loc[model, f"coverage_{level}"] for level in LEVELS]
        assert line(right, model).get_ydata() == pytest.approx(expected)
    assert labels(right) == ["90 % of points, if calibrated", "calibrated", "lstm", "naive", "ewma"]
    assert len({line(right, model).get_marker() for model in ("lstm", "naive", "ewma")}) == 3
    coverage = 100 * scores.loc["lstm", "coverage_90"]
    assert (
        title(figure)
        == f"lstm on AAA, 1 step ahead: the 90 % interval covers {coverage:.1f} % of 700 outcomes"
    )


def test_calibrated_intervals_are_drawn_apart_from_the_trained_distribution(forecasts):
    network = forecasts["model"] == "lstm"
    wide = forecasts.assign(
        hi_90=forecasts["hi_90"].mask(network, 1e6), lo_90=forecasts["lo_90"].mask(network, 0)
    )
    figure = plots.calibration(wide, "AAA", "lstm")
    scores = score_table(wide).query("step == 1").set_index("model").loc["lstm"]
    shown, trained = line(figure.axes[1], "lstm, intervals shown"), line(figure.axes[1], "lstm")
    assert shown.get_ydata()[2] == 100
    assert trained.get_ydata()[2] == pytest.approx(100 * scores["coverage_trained_90"])
    assert title(figure).endswith("% of 700 outcomes, that shown 100.0 %")


def test_reliability_has_a_point_and_a_bar_for_each_bin(forecasts):
    figure = plots.reliability_of_rises(forecasts, "AAA", "lstm")
    rows = forecasts[
        (forecasts["ticker"] == "AAA") & (forecasts["model"] == "lstm") & (forecasts["step"] == 1)
    ]
    found = reliability(rows["p_up"], rows["y_true"] > rows["last_close"])
    upper, lower = figure.axes
    (points,) = (line for line in upper.get_lines() if line.get_label() == "lstm")
    np.testing.assert_allclose(points.get_xydata(), np.column_stack([found.forecast, found.observed]))
    (bars,) = upper.collections
    np.testing.assert_allclose(
        [one[:, 1] for one in bars.get_segments()], np.column_stack([found.low, found.high])
    )
    assert sum(patch.get_height() for patch in lower.patches) == len(rows)
    assert title(figure) == (
        f"lstm on AAA, 1 step ahead: Brier score of P(up) {found.brier:.4f}, of the share of rises "
        f"{found.uncertainty:.4f}"
    )


def test_reliability_of_a_point_forecast_says_so(of_point):
    figure = plots.reliability_of_rises(of_point, "AAA", "lstm")
    assert title(figure).endswith("no probability of a rise")


def test_calibration_band_is_binomial(forecasts):
    left, right = plots.calibration(forecasts, "AAA", "lstm").axes
    (span,) = [each for each in left.patches if each.get_label() == "90 % of bars, if calibrated"]
    low, high = stats.binom(700, 0.05).ppf([0.05, 0.95]) * 20 / 700
    assert (span.get_y(), span.get_y() + span.get_height()) == pytest.approx((low, high))
    edges = band(right, "90 % of points, if calibrated")
    at = min(edges, key=lambda x: abs(x - 90))
    assert edges[at] == pytest.approx(tuple(100 * stats.binom(700, at / 100).ppf([0.05, 0.95]) / 700))


def test_calibration_of_few_outcomes_has_fewer_bins():
    figure = plots.calibration(made_up_forecasts(n=80, horizon=3), "AAA", "lstm")
    heights = [bar.get_height() for bar in figure.axes[0].patches if bar.get_width() == pytest.approx(0.1)]
    assert len(heights) == 10


def test_calibration_of_a_point_forecast_says_so(of_point):
    figure = plots.calibration(of_point, "AAA", "lstm")
    left, right = figure.axes
    assert title(figure) == "lstm on AAA, 1 step ahead: a point forecast without interval"
    assert texts(left) == ["lstm is a point forecast:\nit has no PIT"]
    assert labels(right) == ["90 % of points, if calibrated", "calibrated", "naive", "ewma"]


# Scores by step


def test_scores_are_relative_to_a_baseline(forecasts):
    scores = score_table(forecasts)
    figure = plots.scores_by_step(scores, "AAA", "lstm")
    crps, nll, skill, coverage = figure.axes
    table = {name: scores.pivot(index="step", columns="model", values=name) for name in scores}
    names = [axes.get_title(loc="left") for axes in figure.axes]
    assert names == [
        "CRPS improvement over naive, %",
        "NLL improvement over constant_t",
        "RMSE improvement over naive, %",
        "Coverage of the trained 90 % interval, % (90 is best)",
    ]
    gained = 100 * (1 - table["crps"]["lstm"] / table["crps"]["naive"])
    np.testing.assert_allclose(line(crps, "lstm").get_ydata(), gained)
    np.testing.assert_allclose(
        line(nll, "lstm").get_ydata(), table["nll"]["constant_t"] - table["nll"]["lstm"]
    )
    np.testing.assert_allclose(line(skill, "drift").get_ydata(), table["skill"]["drift"])
    np.testing.assert_allclose(line(coverage, "ewma").get_ydata(), 100 * table["coverage_90"]["ewma"])
    assert labels(crps) == ["naive", "drift", "constant_t", "ewma", "lstm"]
    assert labels(nll) == ["constant_t", "ewma", "lstm"]  # the others have no density
    ours, theirs = table["crps"].loc[1, "lstm"], table["crps"].loc[1].drop("lstm")
    assert title(figure) == (
        f"lstm on AAA, 700 test cutoffs; 1 step ahead: CRPS {ours:.3f}, "
        f"best baseline {theirs.idxmin()} {theirs.min():.3f}"
    )


def test_a_model_that_would_lengthen_the_axis_is_named_as_text(of_point):
    scores = score_table(of_point)
    figure = plots.scores_by_step(scores, "AAA", "lstm")
    crps, nll, skill, coverage = figure.axes
    off = scores[scores["model"] == "lstm"]["skill"]
    assert off.max() < -100
    assert texts(skill) == [f"lstm: {off.min():.0f} to {off.max():.0f}, outside this axis"]
    assert "lstm" not in labels(skill)
    low, high = skill.get_ylim()
    assert -2 < low < 0 < high < 2
    for axes in (crps, nll, coverage):
        assert texts(axes) == ["lstm forecasts no distribution"]
    assert re.search(r"1 step ahead: RMSE [\d.]+ %, best baseline \w+ [\d.]+ %$", title(figure))


def test_a_fan_without_density_has_no_nll(forecasts):
    table = forecasts.copy()
    table.loc[table["model"] == "lstm", "nll"] = np.nan
    crps, nll, *_ = plots.scores_by_step(score_table(table), "AAA", "lstm").axes
    assert texts(nll) == ["lstm forecasts no density"]
    assert "lstm" in labels(crps)


def test_small_differences_do_not_fill_a_panel(forecasts):
    skill = plots.scores_by_step(score_table(forecasts), "AAA", "lstm").axes[2]
    low, high = skill.get_ylim()
    assert high - low >= 1 - 1e-12


def test_scores_of_one_step_and_of_the_network_alone():
    scores = score_table(made_up_forecasts(n=60, horizon=1))
    figure = plots.scores_by_step(scores, "AAA", "lstm")
    figure.draw_without_rendering()
    assert [tick for tick in figure.axes[2].get_xticks() if tick == 1] == [1]
    assert figure.axes[2].get_xlim() == pytest.approx((0.7, 1.3))
    alone = plots.scores_by_step(scores[scores["model"] == "lstm"], "AAA", "lstm")
    assert alone.axes[0].get_title(loc="left") == "CRPS of the return (lower is better)"
    assert title(alone) == "lstm on AAA, 60 test cutoffs"
    with pytest.raises(DataError, match="there are no scores of gru on AAA"):
        plots.scores_by_step(scores, "AAA", "gru")


# Style


def test_models_differ_without_colour():
    of_values = {"naive", "drift", "seasonal_naive", "ets", "ar"}
    of_prices = BASELINE_LINES.keys() - of_values | {"naive", "drift"}
    for names in (of_values, of_prices):  # no figure has baselines of both
        drawn = [NETWORK_LINE, *(BASELINE_LINES[name] for name in names), *OTHER_LINES]
        assert len({each.marker for each in drawn}) == len(drawn)
        assert len({str(each.linestyle) for each in drawn}) == len(drawn)
    drawn = [NETWORK_LINE, *BASELINE_LINES.values(), *OTHER_LINES]
    # Rec. 601 luminance: nothing so pale that it is lost on white.
    assert all(np.dot(to_rgb(each.color), (0.299, 0.587, 0.114)) < 0.75 for each in drawn)


def test_a_baseline_looks_alike_whoever_stands_beside_it():
    few, many = lines_of(["ewma"], "lstm"), lines_of(["naive", "garch", "ewma", "har"], "gru")
    assert few["ewma"] == many["ewma"] == BASELINE_LINES["ewma"]
    assert few["lstm"] == many["gru"] == NETWORK_LINE
    assert many["garch"] != many["har"]


# Files


def all_figures(forecasts):
    scores = score_table(forecasts)
    return {
        "training": plots.training_history(made_up_history()),
        "test_period": plots.test_period(forecasts, "AAA", "lstm"),
        "forecast": plots.forecast_fan(*made_up_fan(forecasts), "AAA"),
        "calibration": plots.calibration(forecasts, "AAA", "lstm"),
        "reliability": plots.reliability_of_rises(forecasts, "AAA", "lstm"),
        "scores_by_step": plots.scores_by_step(scores, "AAA", "lstm"),
    }


def test_figures_are_written_whole_and_again_with_the_same_bytes(forecasts, tmp_path):
    folder, first = tmp_path / "new" / "folder", {}
    for name, figure in all_figures(forecasts).items():
        assert isinstance(figure, Figure)
        written = plots.save_figure(figure, folder, name)
        first |= {path: path.read_bytes() for path in written}
        for path in written:
            path.write_bytes(b"of an earlier run")
    assert len(first) == 12
    for name, figure in all_figures(forecasts).items():
        for path in plots.save_figure(figure, folder, name):
            assert path.read_bytes() == first[path]
    assert set(folder.iterdir()) == set(first)
    for path, content in first.items():
        if path.suffix == ".png":
            assert content.startswith(b"\x89PNG\r\n\x1a\n")
            width = int.from_bytes(content[16:20], "big")
            assert width == 1200
        else:
            assert content.decode().rstrip().endswith("</svg>")
            assert "<dc:date>" not in content.decode()


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path):
    figure = plots.training_history(made_up_history())
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*file/training\.png: ") as caught:
        plots.save_figure(figure, tmp_path / "file", "training")
    assert caught.value.hint == "choose another folder with `--output`"
    (tmp_path / "plots" / "training.svg").mkdir(parents=True)
    with pytest.raises(RunError, match=r"cannot write .*training\.svg: Is a directory"):
        plots.save_figure(figure, tmp_path / "plots", "training")
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["training.png", "training.svg"]


def test_matplotlib_settings_stay_unchanged(forecasts, tmp_path):
    before = dict(mpl.rcParams)
    plots.save_figure(plots.calibration(forecasts, "AAA", "lstm"), tmp_path, "calibration")
    assert dict(mpl.rcParams) == before


def test_a_dollar_sign_in_a_ticker_is_no_formula(tmp_path):
    table = made_up_forecasts(n=40, horizon=1, tickers=("$A_B^$",))
    figure = plots.test_period(table, "$A_B^$", "lstm")
    plots.save_figure(figure, tmp_path, "test_period")
    assert title(figure).startswith("lstm on $A_B^$, 1 step ahead")


def test_cuts_with_overlapping_labels_have_one_label():
    rates = [1e-3] * 10 + [1e-4] * 4 + [1e-5] * 40 + [1e-6] * 6
    history = pd.DataFrame({"member": 1, "epoch": np.arange(1, 61), "loss": 1.0, "val_loss": 1.0})
    figure = plots.training_history(history.assign(learning_rate=rates))
    named = [text.get_text() for text in figure.axes[0].texts]
    assert named == ["to 1e-4", "to 1e-6"]
