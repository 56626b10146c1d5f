"""How well past dividends predict the next one, and what it does to the prices of a forecast.

    python benchmarks/dividends.py FOLDER

FOLDER holds one CSV file per ticker with a close and an adjusted close, or with dividends. Each payment is
predicted from those before it. Then, at every seventh bar and for 5 and 20 sessions, the dividends that a forecast
takes off are compared with those that were paid.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.reader import read_csv
from lstm_stock.prices.dividends import dividends_ahead, payments
from lstm_stock.prices.table import days_of
from lstm_stock.prices.usual_dividends import MAX_ERROR_TAKEN, usual_dividends

YEARS_AHEAD = dt.timedelta(days=730)
HORIZONS, STRIDE = (5, 20), 7


def main(folder: Path) -> None:
    """Print the errors of the rule and of the prices."""
    tables = {}
    for file in sorted(folder.glob("*.csv")):
        try:
            tables[file.stem] = read_csv(file).table
        except DataError as error:
            print(f"{file.stem} left out: {error.message.splitlines()[0]}")
    predictions = pd.concat([predicted(table) for table in tables.values()], ignore_index=True)
    print(f"{len(tables)} tickers, {len(predictions)} payments predicted")
    for name, rows in (("all", predictions), ("reliable", predictions[predictions["is_reliable"]])):
        errors, amounts = rows["error"], rows["amount_error"]
        print(
            f"{name}: {len(rows)}, date within 1 day {(errors <= 1).mean():.3f}, {MAX_ERROR_TAKEN} days "
            f"{(errors <= MAX_ERROR_TAKEN).mean():.3f}, 7 days {(errors <= 7).mean():.3f}, within the uncertainty "
            f"{(errors <= rows['uncertainty']).mean():.3f}; amount: median error {amounts.median():.3f}, "
            f"within 10 % {(amounts <= 0.1).mean():.3f}"
        )
    for horizon in HORIZONS:
        rows = pd.concat([in_prices(table, horizon) for table in tables.values()], ignore_index=True)
        is_paid, is_taken = rows["paid"] > 0, rows["taken"] > 0
        is_said = rows["said"] & ~is_taken
        print(
            f"{horizon} sessions: {len(rows)} forecasts, {is_paid.sum()} with a dividend, on average of "
            f"{rows.loc[is_paid, 'paid'].mean():.2f} %\n"
            f"  where one was paid: taken off {is_taken[is_paid].mean():.3f}, said {is_said[is_paid].mean():.3f}\n"
            f"  where none was: taken off {is_taken[~is_paid].mean():.4f}, said {is_said[~is_paid].mean():.3f}\n"
            f"  error of the prices, % of the close, mean over steps: {rows['error_without'].mean():.4f} if "
            f"nothing is taken off, {rows['error'].mean():.4f}"
        )


def predicted(table: pd.DataFrame) -> pd.DataFrame:
    """Predict each payment of a table from those before it; one row per prediction."""
    days, amounts = payments(table)
    rows = []
    for i in range(1, len(days)):
        after = days[i - 1].astype(object)
        for one in usual_dividends(days[:i], amounts[:i], after, after + YEARS_AHEAD)[:1]:
            nearest = i + int(np.argmin(np.abs(days[i:] - np.datetime64(one.ex_date))))
            error = abs((days[nearest].astype(object) - one.ex_date).days)
            amount_error = abs(one.amount / amounts[nearest] - 1)
            rows.append((error, one.uncertainty, one.is_reliable, amount_error))
    return pd.DataFrame(rows, columns=["error", "uncertainty", "is_reliable", "amount_error"])


def in_prices(table: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Compare the dividends taken off with those paid, at every seventh bar; one row per forecast."""
    days, amounts = payments(table)
    paid = pd.Series(amounts, days).reindex(days_of(table), fill_value=0.0).to_numpy()
    rows = []
    for cutoff in range(250, len(table) - horizon, STRIDE):
        close = table["close"].iloc[cutoff] / 100
        steps = slice(cutoff + 1, cutoff + 1 + horizon)
        ahead = dividends_ahead(table.iloc[: cutoff + 1], table.index[steps], None)
        taken, true = ahead.taken_off(table.index[steps]) / close, np.cumsum(paid[steps]) / close
        error, without = np.abs(taken - true).mean(), true.mean()
        rows.append((true[-1], taken[-1], bool(ahead.possible), error, without))
    return pd.DataFrame(rows, columns=["paid", "taken", "said", "error", "error_without"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
