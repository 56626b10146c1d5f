"""Run the command line as `python -m lstm_stock`."""

from __future__ import annotations

from lstm_stock.cli import main

if __name__ == "__main__":
    main()
