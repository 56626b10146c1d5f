"""The command about cells: `models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_stock.cli.app import ConfigFile, Format, Overrides, app

if TYPE_CHECKING:
    from lstm_stock.config import Config
    from lstm_stock.config.cells import NetworkSize


@app.command()
def models(
    config: ConfigFile = None,
    overrides: Overrides = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
) -> None:
    """List the cells: parameters at the config's size, what each is for, options that apply."""
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
    """Return what is known of each cell, and the parameters of its network at the config's size."""
    from lstm_stock.config.cells import CELLS, count_params

    return [
        {
            "cell": cell,
            "parameters": count_params(_size(config, cell)),
            "formula": facts.formula,
            "purpose": facts.purpose,
            "paper": facts.paper,
            "options": list(facts.options),
        }
        for cell, facts in CELLS.items()
    ]


def _size(config: Config, cell: str) -> NetworkSize:
    """Take from the config the size of the network that it would have with another cell."""
    from lstm_stock.config import TOKEN_HEAD, Config
    from lstm_stock.config.cells import NetworkSize

    # `token` has its own head and features, and no other cell has them.
    default = Config()
    is_token = config.model.cell == "token"
    model, features = config.model, default.features if is_token else config.features
    head = TOKEN_HEAD if cell == "token" else default.model.head if is_token else model.head
    embedding = 0 if cell == "token" else model.ticker_embedding  # which `token` refuses
    return NetworkSize(
        cell,
        model.units,
        model.dense,
        head,
        model.vocabulary,
        len(features),
        config.window.horizon,
        len(config.data.tickers) if embedding else 0,
        embedding,
    )
