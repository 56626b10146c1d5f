"""Corrupt all bars after a cutoff, rerun the pipeline, and report the first value that changed.

- `check`: the leak check of a run or of a config. `pipeline`: every value available at a cutoff.
- `compare`: compares two passes of it. `corruption`: changes the bars after a cutoff.
"""
