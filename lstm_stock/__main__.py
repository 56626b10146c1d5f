"""Let `python -m lstm_stock` do what `lstm-stock` does."""

from __future__ import annotations

from lstm_stock.cli import main

if __name__ == "__main__":
    main()
