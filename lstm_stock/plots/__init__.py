"""Figures: training, test period, forecast fan, calibration, scores by step, skill by fold or ticker, attention.

Each function turns a table into a `Figure` whose title says what is seen. Lines differ in dash, marker and
lightness, never in hue alone, so that they hold in greyscale. Nothing here reads a run or opens a window; only
`save_figure` writes.
"""

from __future__ import annotations

from lstm_stock.plots.attention import attention_by_lag
from lstm_stock.plots.folds import skill_by_fold
from lstm_stock.plots.forecasts import forecast_fan, test_period
from lstm_stock.plots.quality import calibration, scores_by_step
from lstm_stock.plots.style import save_figure
from lstm_stock.plots.tickers import skill_by_ticker
from lstm_stock.plots.training import training_history

__all__ = [
    "attention_by_lag",
    "calibration",
    "forecast_fan",
    "save_figure",
    "scores_by_step",
    "skill_by_fold",
    "skill_by_ticker",
    "test_period",
    "training_history",
]
