"""Corrupt all bars after a cutoff, rerun the pipeline, and report the first value that changed.

- `check`: of a run or a config. `pipeline`: every value known at a cutoff. `compare`: two passes. `corruption`.
"""
