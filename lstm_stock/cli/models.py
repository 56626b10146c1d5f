"""The command about cells: `models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_stock.cli.app import ConfigFile, Format, Overrides, app

if TYPE_CHECKING:
    from rich.table import Table

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
        from lstm_stock.report import console

        console.show(_table(rows, settings))


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


def _table(rows: list[dict[str, Any]], config: Config) -> Table:
    from rich import box
    from rich.table import Table

    from lstm_stock.config.cells import RECURRENT_OPTIONS

    model = config.model
    table = Table(
        title="cells: `model.cell` in a config, or `train --set model.cell=NAME`",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("cell", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("of a layer", width=20)
    table.add_column("what for; paper; options", width=31)
    for row in rows:
        is_all = set(row["options"]) == set(RECURRENT_OPTIONS)
        options = "all" if is_all else ", ".join(row["options"]) or "none"
        about = f"{row['purpose']}\n{row['paper']}\noptions: {options}"
        table.add_row(row["cell"], f"{row['parameters']:,}", row["formula"], about)
        table.add_section()
    units, dense = (f"[{', '.join(map(str, widths))}]" for widths in (model.units, model.dense))
    table.caption = (
        f"parameters: of the whole network with units {units}, dense {dense}, head {model.head}, "
        f"{len(config.features)} features, horizon {config.window.horizon} (token: its own head and feature). of "
        "a layer: m inputs, n units. "
        f"options: all are {', '.join(RECURRENT_OPTIONS)}, each a key of `model`; `dropout` is for every cell. "
        "docs/models.md has the equations"
    )
    return table
