"""Yahoo Finance through yfinance.

- `client`: requests. `session`: records responses. `failures`: errors by cause. `exchanges`: exchange names.
"""
