"""The table of a scan."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rich.table import Table

from lstm_stock.report.table import new_table
from lstm_stock.report.text import price_text

LIKELY_REPORT = 15.0
"""Percent by which the calendar widens a forecast, from which on a report is called likely."""


def scan_table(table: pd.DataFrame, move: float) -> Table:
    """Return the table of a scan, in the order of its rows.

    Args:
        table: Columns of `lstm_stock.workflow.scan.SCAN_COLUMNS`.
        move: The move of `p_move`, as a share.
    """
    cutoffs = sorted({f"{cutoff:%F}" for cutoff in table["cutoff"]})
    dates = cutoffs[0] if len(cutoffs) == 1 else f"{cutoffs[0]} to {cutoffs[-1]}"
    moves = f"P(> {100 * move:g} %)"
    shown = new_table(
        ["ticker", "next", "close", "90 % width", "of its year", "calendar", moves],
        left=("ticker", "next"),
        title=f"{len(table)} tickers: the session after the close of {dates}",
    )
    for row in table.to_dict("records"):
        mark = "*" if row["calendar"] >= LIKELY_REPORT else " "
        shown.add_row(
            row["ticker"],
            f"{row['date']:%a %F}",
            price_text(row["last_close"]),
            f"{row['width_90']:.1f} %",
            "-" if np.isnan(row["against_year"]) else f"{row['against_year']:.2f}",
            f"{round(row['calendar']):+d} % {mark}",
            f"{100 * row['p_move']:.1f} %",
        )
    shown.caption = (
        "90 % width: of the 90 % interval, percent of the close. of its year: that width divided by the median of "
        "the last 250 sessions. calendar: how much of the width comes from the same weekday of earlier quarters, "
        f"which was wide where the company reported; *: a report is likely. {moves}: probability of a larger "
        "move, up or down"
    )
    return shown
