"""Let `python -m lstm_stock` do what `lstm-stock` does."""

from lstm_stock.cli import main

if __name__ == "__main__":
    main()
