"""The command `models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_stock.cli.app import ConfigFile, Format, Overrides, app

if TYPE_CHECKING:
    from lstm_stock.config import Config


@app.command()
def models(
    config: ConfigFile = None,
    overrides: Overrides = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
) -> None:
    """List the cells: parameters at the config's size, purpose, options that apply."""
    import csv
    import json
    import sys

    from lstm_stock.config import load_config

    settings = load_config(config, overrides or [])
    rows = model_rows(settings)
    if output == Format.json:
        print(json.dumps(rows, indent=2))
    elif output == Format.csv:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "options": " ".join(row["options"])} for row in rows)
    else:
        from lstm_stock.report import cell_tables, console

        console.show(cell_tables.cells_table(rows, settings))


def model_rows(config: Config) -> list[dict[str, Any]]:
    """Return one row per cell: its facts, and the parameters of its network at the config's size."""
    from lstm_stock.config.cells import CELLS
    from lstm_stock.config.size import count_params, with_cell

    return [
        {
            "cell": cell,
            "parameters": count_params(with_cell(config, cell)),
            "formula": spec.formula,
            "purpose": spec.purpose,
            "paper": spec.paper,
            "options": list(spec.options),
        }
        for cell, spec in CELLS.items()
    ]
