"""Bars to what the network is trained on; every value is fitted on train bars alone.

- `build`: from a config and a reader of prices to the windows of train, val and test.
- `loader`: a ticker's bars. `market`: what all tickers did on a date. `sessions`: which exchanges make a market.
- `features`: the columns that the network sees. `volatility`: trailing volatilities. `har`: a regression of it.
- `scale`: what returns are divided by. `scaler`: scales features. `split`: where val and test start; folds.
- `series`: one ticker, scaled. `windows`: its windows, as views.
"""
