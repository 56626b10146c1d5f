"""End-to-end pipelines, one module per command; each calls the rooms below in the order the data flows.

- `train`: config and prices to a saved run. `train_each`: the same for each ticker alone.
- `predict`: a run to a forecast of the next sessions. `plot`: a run to its figures.
- `backtest`: refits at several folds; `backtest_worker` does its parts, and `parallel` runs the workers.
- `leakcheck`: the leak check. `fit`: fit and forecast one split, for `train` and `backtest`.
"""
