"""What a training or a backtest leaves on disk.

- `run`: save and load a run. `backtest`: the same for a backtest. `catalog`: find runs.
- `folder`: the folder of either. `files`: the files in it. `provenance`: what produced it.
"""
