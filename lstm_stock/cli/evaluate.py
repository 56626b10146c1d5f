"""The command `evaluate`."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from lstm_stock.runs.evaluation import Evaluation


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
    from lstm_stock.workflow.evaluate import Reports, evaluate_into
    from lstm_stock.workflow.evaluate import evaluate as evaluate_run
    from lstm_stock.workflow.evaluation_plan import Wanted, plan_evaluation

    first, last = parse_date(start, "--start"), parse_date(end, "--end")
    names = None if tickers is None else parse_tickers(tickers)
    wanted = Wanted(run, names, first, last, in_sample, jobs or n_cores())
    plan = plan_evaluation(open_store(data_dir), runs_dir, wanted)
    if folder is not None:
        require_new(folder)
    few = len(plan.tickers) <= MAX_DETAILED_TICKERS
    with progress.counted_progress("tickers", quiet or few) as on_scored:
        reports = Reports(on_scored, lambda text: console.note(text, quiet), console.warn)
        if folder is None:
            evaluation, path = evaluate_run(plan, reports), None
        else:
            evaluation, path = evaluate_into(folder, plan, reports)
    _show(evaluation, output)
    if path is not None:
        console.note(f"\nsaved {path}", quiet)


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
