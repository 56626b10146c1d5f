"""Corrupt all bars after a cutoff, call what `train` and `backtest` call, and report the first value that changed.

- `check`: the leak check of a config or of a run. `training`: passes of a training and its forecasts.
- `folds`: passes of a backtest.
- `values`: what a cutoff may know of a dataset and a training. `compare`: compares two passes.
- `corruption`: changes the bars after a cutoff.
"""
