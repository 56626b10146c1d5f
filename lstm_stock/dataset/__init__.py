"""Bars to what the network is trained on; every value is fitted on train bars alone.

- `build`: from a config and a reader of prices to the windows of train, val and test.
- `features`: the columns that the network sees. `volatility`, `har`, `market`: the units of returns.
- `scaler`: fitted on train bars. `split`: where val and test start, and the folds of a backtest.
- `series`: one ticker, scaled. `windows`: its windows, as views.
"""
