"""The command line: parse, load the config, call, print.

Data goes to stdout, everything else to stderr. What computes is imported inside the commands, so that `--help`
and a mistyped option answer at once.
"""

from __future__ import annotations

import datetime as dt
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lstm_stock.errors import ConfigError, LstmStockError, RunError

if TYPE_CHECKING:
    from lstm_stock.config import Config
    from lstm_stock.fetching import FetchResult
    from lstm_stock.run import Run
    from lstm_stock.store import Store

HELP = "Forecast stocks with an LSTM, honestly: calibrated fans, every score beside a baseline."

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(
    help="Show, check and start config files.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


class SourceName(StrEnum):
    """Where prices come from."""

    yahoo = "yahoo"
    csv = "csv"
    sample = "sample"


class Format(StrEnum):
    """How a forecast is printed."""

    table = "table"
    csv = "csv"
    json = "json"


DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="LSTM_STOCK_DATA", help="Folder of the price store.", metavar="DIR"),
]
RunsDir = Annotated[
    Path, typer.Option("--runs-dir", envvar="LSTM_STOCK_RUNS", help="Folder of the runs.", metavar="DIR")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no notes.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="YAML file, or the packaged `default` or `classic`.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Override one key: model.units=[64,32]. Repeatable.",
        show_default=False,
    ),
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="Name or path of a run; the newest if left out.", show_default=False
    ),
]
"""Options that several commands share."""


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Forecast stocks with an LSTM, honestly: calibrated fans, every score beside a baseline."""
    if version:
        from importlib.metadata import version as installed

        print(f"lstm-stock {installed('lstm-stock')}")
        raise typer.Exit


@app.command()
def fetch(
    tickers: Annotated[
        list[str], typer.Argument(metavar="TICKER", help="Tickers as Yahoo spells them: AAPL, ^GSPC.")
    ],
    source: Annotated[
        SourceName | None, typer.Option(help="Where prices come from [default: yahoo].")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First date, YYYY-MM-DD.", metavar="DATE")] = None,
    end: Annotated[str | None, typer.Option(help="Last date, inclusive.", metavar="DATE")] = None,
    from_csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read a CSV file of yours, of any usual layout.")
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="How the CSV writes dates such as 03/04/2020."),
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(
            metavar="MIC", help="Exchange of a CSV's ticker, such as XNYS, XLON or 24/7; dates the forecasts."
        ),
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Replace what the store has.")] = False,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Download daily prices into the local store."""
    from lstm_stock.config import normalise_ticker
    from lstm_stock.fetching import FetchOptions, fetch_into

    if source is SourceName.csv and from_csv is None:
        raise ConfigError("`--source csv` needs a file", "name it: `--from-csv FILE`")
    if from_csv is not None and source not in (None, SourceName.csv):
        raise ConfigError(
            f"`--from-csv` and `--source {source}` contradict each other", "leave out one of them"
        )
    if from_csv is not None and len(tickers) > 1:
        raise ConfigError(
            f"`--from-csv` holds one ticker, but {len(tickers)} are named", "fetch one at a time"
        )
    options = FetchOptions(
        source="csv" if from_csv is not None else (source or SourceName.yahoo).value,
        start=_date(start, "--start"),
        end=_date(end, "--end"),
        csv_path=from_csv,
        day_first=day_first,
        exchange=exchange,
        refresh=refresh,
    )
    store = _store(data_dir)
    for ticker in tickers:
        _report_fetch(fetch_into(store, normalise_ticker(ticker), options), store, quiet)


@app.command()
def train(
    config: ConfigFile = None,
    overrides: Overrides = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Train the network, score it beside the baselines, and save the run."""
    from lstm_stock.config import load_config

    settings = load_config(config, overrides or [])
    _train(settings, _store(data_dir), runs_dir, quiet)


@app.command()
def predict(
    run: RunName = None,
    ticker: Annotated[
        str | None, typer.Option(help="One of the run's tickers; all of them if left out.")
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Forecast as of this past date, using nothing after it."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Forecast the next sessions, with intervals."""
    from lstm_stock.run import find_run

    as_of = _date(cutoff, "--cutoff")
    _predict(find_run(runs_dir, run), _store(data_dir), ticker, as_of, output, quiet)


@app.command()
def plot(
    run: RunName = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; the run's `plots` if left out.")
    ] = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Draw the run: training, test period, forecast fan, calibration, scores."""
    from lstm_stock.run import find_run

    _plot(find_run(runs_dir, run), _store(data_dir), output, quiet)


@app.command()
def runs(runs_dir: RunsDir = Path("runs"), quiet: Quiet = False) -> None:
    """List the runs with their key scores."""
    from lstm_stock import report, terminal
    from lstm_stock.run import list_runs

    found = list_runs(runs_dir)
    if not found:
        terminal.note(f"no runs in {runs_dir}; `lstm-stock train` makes one", quiet)
        return
    rows = []
    for run in found:
        try:
            rows.append(report.run_summary(run))
        except RunError as error:
            terminal.warn(error.message)
    terminal.show(report.runs_table(rows))


@app.command()
def demo(
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Do the main job on the shipped AAPL sample: fetch, train, predict, plot. Needs no network."""
    from lstm_stock import terminal
    from lstm_stock.config import Config
    from lstm_stock.fetching import FetchOptions, fetch_into
    from lstm_stock.sources import SAMPLE_TICKER

    store = _store(data_dir)
    terminal.note("[1/4] fetch: AAPL, the sample that comes with the package", quiet)
    _report_fetch(fetch_into(store, SAMPLE_TICKER, FetchOptions(source="sample")), store, quiet)
    terminal.note("\n[2/4] train: the default config", quiet)
    run = _train(Config(), store, runs_dir, quiet)
    terminal.note("\n[3/4] predict: the next five sessions", quiet)
    _predict(run, store, None, None, Format.table, quiet)
    terminal.note("\n[4/4] plot", quiet)
    _plot(run, store, None, quiet)
    terminal.note(
        "\nnext: `lstm-stock train --config classic` shows what the tutorial recipe is worth", quiet
    )


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
    from lstm_stock import terminal
    from lstm_stock.config import packaged_config

    # The first lines point editors at a schema that lies beside the packaged files, but not beside this one.
    text = packaged_config(base).partition("#\n")[2]
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", "choose another name, or delete it first") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", "choose another folder") from error
    terminal.note(f"wrote {path}; use it with `lstm-stock train --config {path}`", quiet=False)


def _train(config: Config, store: Store, runs_dir: Path, quiet: bool) -> Run:
    from lstm_stock import report, terminal

    for ticker in config.data.tickers:
        store.read(ticker)  # so that a missing ticker is told before TensorFlow takes its seconds to load
    terminal.load_tensorflow()
    from lstm_stock.workflow import train

    with terminal.training_progress(quiet) as on_progress:
        run = train(config, store, runs_dir, on_progress, lambda text: terminal.note(text, quiet))
    scores = run.scores
    for ticker in config.data.tickers:
        terminal.show(report.score_table(scores, config.model.cell, ticker))
        print(report.comparison(scores, config.model.cell, ticker))
    terminal.note(f"\nsaved {run.path}", quiet)
    return run


def _predict(
    run: Run, store: Store, ticker: str | None, cutoff: dt.date | None, output: Format, quiet: bool
) -> None:
    import json

    import pandas as pd

    from lstm_stock import report, terminal
    from lstm_stock.config import normalise_ticker
    from lstm_stock.run import records

    terminal.load_tensorflow()
    from lstm_stock.workflow import predict

    tickers = run.config.data.tickers if ticker is None else [normalise_ticker(ticker)]
    outlooks = [predict(run, store, one, cutoff, dt.date.today()) for one in tickers]
    for outlook in outlooks:
        for warning in outlook.warnings:
            terminal.warn(warning)
    forecast = pd.concat([outlook.table for outlook in outlooks], ignore_index=True)
    if output == Format.json:
        print(json.dumps(records(forecast), indent=2))
    elif output == Format.csv:
        print(forecast.to_csv(index=False), end="")
    else:
        for outlook in outlooks:
            terminal.show(report.outlook_table(outlook.table, outlook.currency))
        terminal.note("intervals are the model's own, in quoted prices. Not financial advice", quiet)


def _plot(run: Run, store: Store, output: Path | None, quiet: bool) -> None:
    from lstm_stock import terminal

    terminal.load_tensorflow()
    from lstm_stock.workflow import draw

    folder = output or run.path / "plots"
    for path in draw(run, store, folder, terminal.warn):
        terminal.note(f"wrote {path}", quiet)


def _report_fetch(done: FetchResult, store: Store, quiet: bool) -> None:
    from lstm_stock import terminal

    for note in done.notes:
        terminal.note(f"  {note}", quiet)
    table = done.history.table
    terminal.note(
        f"{done.history.ticker}: {len(table)} bars, {table.index[0]:%F} to {table.index[-1]:%F}, "
        f"in {store.path(done.history.ticker)}",
        quiet,
    )


def _store(data_dir: Path) -> Store:
    from lstm_stock.store import Store

    return Store(data_dir)


def _date(text: str | None, option: str) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{option}: got {text!r}, expected a date", "write it as YYYY-MM-DD: 2020-03-04"
        ) from error


def main() -> NoReturn:
    """Run the command line; this is what `lstm-stock` calls.

    Ends with 0 when done, 2 for the user's input, config or data, 3 for a source, 130 when interrupted. A bug
    of ours keeps its traceback and ends with 1.
    """
    try:
        code = app(standalone_mode=False)
    except LstmStockError as error:
        _fail(error.message, error.hint, error.exit_code)
    except typer.TyperException as error:
        _fail(error.format_message().rstrip("."), "`lstm-stock --help` lists the commands and options", 2)
    if code == INTERRUPTED:
        print("interrupted: nothing was saved", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, hint: str, code: int) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"\nhint: {hint}", file=sys.stderr)
    sys.exit(code)
