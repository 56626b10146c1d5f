"""Figures: training, test period, forecast fan, calibration, scores by step, skill by fold or ticker, and others.

Each function turns a table into a `Figure` whose title states the result. Lines differ in dash, marker and
lightness, not in hue alone, so that they can be told apart in greyscale. Nothing here reads a run or opens a
window; only `save_figure` writes.
"""

from __future__ import annotations

from lstm_stock.report.plots.attention import attention_by_lag
from lstm_stock.report.plots.folds import skill_by_fold
from lstm_stock.report.plots.forecasts import forecast_fan, test_period
from lstm_stock.report.plots.quality import calibration, scores_by_step
from lstm_stock.report.plots.reliability import reliability_of_rises
from lstm_stock.report.plots.style import save_figure
from lstm_stock.report.plots.tickers import skill_by_ticker
from lstm_stock.report.plots.training import training_history

__all__ = [
    "attention_by_lag",
    "calibration",
    "forecast_fan",
    "reliability_of_rises",
    "save_figure",
    "scores_by_step",
    "skill_by_fold",
    "skill_by_ticker",
    "test_period",
    "training_history",
]
