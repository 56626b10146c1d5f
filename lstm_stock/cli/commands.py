"""The whole command tree, for `--help`, for commands with subcommands, and for a mistyped command."""

from __future__ import annotations

from lstm_stock.cli import (  # noqa: F401 - each adds its command
    backtest,
    config,
    data,
    demo,
    evaluate,
    export,
    fetch,
    journal,
    leakcheck,
    models,
    plot,
    predict,
    pretrain,
    runs,
    scan,
    train,
)
from lstm_stock.cli.app import COMMANDS, app, config_app, data_app, journal_app

app.registered_commands.sort(
    key=lambda command: COMMANDS.index(str(getattr(command.callback, "__name__", "")))
)
app.add_typer(journal_app, name="journal")
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")
