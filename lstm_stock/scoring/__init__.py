"""Scores of forecasts, tests of their differences, and a verdict.

- `forecast_table`: forecasts with their outcomes. `metrics`: the formulas. `scores`: scores of a table.
- `significance/`: statistical tests. `verdict/`: their results in plain sentences.
- `lag_copy`: whether a forecast is an old price.
"""
