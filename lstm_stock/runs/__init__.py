"""What a training or a backtest leaves on disk.

- `run`: save and load a run. `backtest`: the same for a backtest. `catalog`: find runs.
- `files`: the files in them. `provenance`: what produced them.
"""
