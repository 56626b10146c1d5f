"""How good a forecast is.

- `forecast_table`: forecasts beside outcomes. `metrics`: the formulas. `scores`: scores of a table.
- `significance/`: statistical tests. `verdict/`: their results in plain sentences.
- `lag_copy`: whether a forecast is an old price.
"""
