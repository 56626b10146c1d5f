"""Adjusted bars to the windows that the network is trained on; every fit uses train bars only.

- `build`: from a config and a reader of prices to the windows of train, val and test.
- `loader`: a ticker's bars. `market`: what all tickers did on a date. `sessions`: which exchanges make a market.
- `features`: the columns that the network sees. `volatility`: trailing volatilities. `har`: a regression of it.
- `scale`: what returns are divided by. `scaler`: scales features. `split`: where val and test start; folds.
- `series`: one ticker, scaled. `windows`: its windows, as views.
"""
