"""The command tree, to which each module of this package adds its commands."""

from __future__ import annotations

from typing import Annotated

import typer

HELP = "Forecast stocks with an LSTM, honestly: calibrated fans, every score beside a baseline."

app = typer.Typer(
    help=HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Show, check and export what is in the price store.", rich_markup_mode=None)
config_app = typer.Typer(help="Show, check and start config files.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Forecast stocks with an LSTM, honestly: calibrated fans, every score beside a baseline."""
    if version:
        from importlib.metadata import version as installed

        print(f"lstm-stock {installed('lstm-stock')}")
        raise typer.Exit
    _help_if_alone(context)


@config_app.callback(invoke_without_command=True)
def config_root(context: typer.Context) -> None:
    """Show, check and start config files."""
    _help_if_alone(context)


def _help_if_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit
