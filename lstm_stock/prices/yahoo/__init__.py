"""Yahoo Finance through yfinance.

- `client`: requests. `session`: HTTP, with a record of the last response.
- `errors`: one per cause. `exchanges`: exchange names.
"""
