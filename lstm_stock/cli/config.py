"""The commands `config show`, `config schema` and `config init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_stock.cli.app import ConfigFile, Overrides, config_app, write_output


@config_app.command("show")
def config_show(config: ConfigFile = None, overrides: Overrides = None) -> None:
    """Print the resolved config: every key with its value."""
    from lstm_stock.config import dump_yaml, load_config

    print(dump_yaml(load_config(config, overrides or [])), end="")


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of config files, for editors."""
    from lstm_stock.config import json_schema

    print(json_schema(), end="")


@config_app.command("init")
def config_init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("lstm-stock.yaml"),
    base: Annotated[
        str, typer.Option("--from", metavar="NAME", help="Packaged config to start from.")
    ] = "default",
) -> None:
    """Write a commented config file to start from; never over an existing one."""
    from lstm_stock.config import packaged_config
    from lstm_stock.report import console

    # The first line names a schema for editors that is beside the packaged files, but not beside this one.
    lines = packaged_config(base).splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("# yaml-language-server"))
    write_output(path, text)
    console.note(f"wrote {path}; use it with `lstm-stock train --config {path}`", quiet=False)
