"""The table of cells that `models` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from lstm_stock.config import Config
from lstm_stock.config.cells import RECURRENT_OPTIONS
from lstm_stock.report.table import new_table


def cells_table(rows: Sequence[dict[str, Any]], config: Config) -> Table:
    """Return the table of cells.

    Args:
        rows: One row per cell: `cell parameters formula purpose paper options`.
        config: The config whose size the parameters were counted at.
    """
    table = new_table(
        ["cell", "parameters", "of a layer", "purpose; paper; options"],
        left=("cell", "of a layer", "purpose; paper; options"),
        title="cells: `model.cell` in a config, or `train --set model.cell=NAME`",
        wrapped={"of a layer": 20, "purpose; paper; options": 31},
    )
    for row in rows:
        has_all = set(row["options"]) == set(RECURRENT_OPTIONS)
        options = "all" if has_all else ", ".join(row["options"]) or "none"
        about = f"{row['purpose']}\n{row['paper']}\noptions: {options}"
        table.add_row(row["cell"], f"{row['parameters']:,}", row["formula"], about)
        table.add_section()
    model = config.model
    units, dense = (f"[{', '.join(map(str, widths))}]" for widths in (model.units, model.dense))
    table.caption = (
        f"parameters: of the whole network with units {units}, dense {dense}, head {model.head}, "
        f"{len(config.columns)} features, horizon {config.window.horizon} (token: its own head and feature). of "
        "a layer: with m inputs and n units. "
        f"options: keys of `model`; all are {', '.join(RECURRENT_OPTIONS)}; `dropout` applies to every cell. "
        "docs/models.md has the equations"
    )
    return table
