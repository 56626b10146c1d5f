"""The command `evaluate`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import (
    DataDir,
    Format,
    Quiet,
    RunsDir,
    app,
    open_store,
    parse_date,
)
from lstm_stock.cli.train import show_score_tables
from lstm_stock.errors import ConfigError

if TYPE_CHECKING:
    from lstm_stock.dataset.market import Market
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.evaluation import Evaluation
    from lstm_stock.runs.run import Run


@app.command()
def evaluate(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Name or path of a run, `universal`, or a folder of `pretrain` [default: the newest run].",
            show_default=False,
        ),
    ] = None,
    tickers: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAMES",
            help="A .txt file of tickers, or names: AAPL,MSFT [default: those of the run].",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="First date forecast [default: the start of the run's test period]."
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Last date forecast, inclusive [default: the newest bar]."),
    ] = None,
    in_sample: Annotated[
        bool,
        typer.Option("--in-sample", help="Allow dates that the network learned from, and mark the scores."),
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="New folder for forecasts, scores and figures."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Workers that fit the baselines of many tickers [default: one per core].",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Score a saved network, weights frozen, on other tickers or newer dates, beside every baseline.

    The baselines are fitted to the bars before the period. `evaluate universal` scores the network of the package.
    """
    from lstm_stock.config.tickers import parse_tickers
    from lstm_stock.network.tensorflow_setup import n_cores
    from lstm_stock.report import console, progress
    from lstm_stock.report.text import MAX_DETAILED_TICKERS
    from lstm_stock.runs.evaluation import require_new

    first, last = parse_date(start, "--start"), parse_date(end, "--end")
    names = None if tickers is None else parse_tickers(tickers)
    found, market = _network(run, runs_dir, open_store(data_dir, names or ()), names, last)
    first = first or dt.date.fromisoformat(found.provenance.test_start)
    if last is not None and last < first:
        raise ConfigError(
            f"`--end {last}` is before the start of the period, {first}", "choose a later `--end`"
        )
    if not in_sample:
        found.require_unseen(first)
    config = found.config
    scored = [found.require_ticker(name) for name in names or config.data.tickers]
    of_market = config.data.tickers if config.needs_market and market is None else ()
    store = open_store(data_dir, [*scored, *of_market, *config.data.covariates])
    if folder is not None:
        require_new(folder)
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.workflow.evaluate import Plan, Reports, evaluate_into
    from lstm_stock.workflow.evaluate import evaluate as evaluate_run

    plan = Plan(found, Snapshot(store), scored, first, last, jobs or n_cores(), market)
    with progress.counted_progress("tickers", quiet or len(scored) <= MAX_DETAILED_TICKERS) as on_scored:
        reports = Reports(on_scored, lambda text: console.note(text, quiet), console.warn)
        if folder is None:
            evaluation, path = evaluate_run(plan, reports), None
        else:
            evaluation, path = evaluate_into(folder, plan, reports)
    _show(evaluation, output)
    if path is not None:
        console.note(f"\nsaved {path}", quiet)


def _network(
    name: str | None, runs_dir: Path, store: Store, tickers: list[str] | None, end: dt.date | None
) -> tuple[Run, Market | None]:
    """Return a run, or a pretrained network for some tickers with the market of the store that it reads.

    Raises:
        ConfigError: No tickers are named for a pretrained network, or one network does not forecast all of them.
        RunError: There is no such run.
    """
    from lstm_stock.runs.catalog import find_run
    from lstm_stock.runs.pretrained import find_pretrained

    folder = find_pretrained(name)
    if folder is None:
        return find_run(runs_dir, name), None
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.workflow.universal import Chooser

    if tickers is None:
        raise ConfigError(
            "--tickers: a pretrained network has no tickers of its own", "name some: `--tickers AAPL,MSFT`"
        )
    chooser = Chooser(folder, store, Snapshot(store), end)
    choices = {ticker: chooser.choose(ticker) for ticker in tickers}
    first = choices[tickers[0]]
    for ticker, choice in choices.items():
        if choice.bars is not first.bars:
            raise ConfigError(
                f"--tickers: {ticker} and {tickers[0]} are forecast by different networks, {choice.network.name} "
                f"and {first.network.name}, or with different markets",
                "evaluate them one after the other, or name one network: `universal/own`",
            )
    return first.network, first.bars.of_store


def _show(evaluation: Evaluation, output: Format) -> None:
    import json

    from lstm_stock.report import console
    from lstm_stock.report import evaluation as report
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, verdict_text
    from lstm_stock.scoring.summary import against_followers, coverage_by_step

    scores, verdict, model = evaluation.scores, evaluation.verdict, evaluation.model
    if output != Format.table:
        if evaluation.in_sample:
            console.warn(report.in_sample(evaluation))
        is_json = output == Format.json
        print(json.dumps(evaluation.to_json(), indent=2) if is_json else scores.to_csv(index=False).rstrip())
        return
    print(report.heading(evaluation) + "\n")
    show_score_tables(scores, verdict, model, "in sample" if evaluation.in_sample else "scores")
    if len(evaluation.tickers) <= MAX_DETAILED_TICKERS:
        print()  # a table of many tickers ends with an empty line
    against = against_followers(scores, verdict, model)
    for _, rows in against.groupby("step") if len(against) else ():
        console.show(report.against_table(rows, model))
    coverage = coverage_by_step(scores, model)
    if len(coverage):
        print(report.coverage_text(coverage))
    print("\n" + verdict_text(verdict))
