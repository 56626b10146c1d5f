"""The command `journal` and its subcommand, and the option `--journal` of `predict`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import (
    DataDir,
    Format,
    JournalDir,
    Quiet,
    journal_app,
    open_store,
    print_error,
    require_none_before,
)
from lstm_stock.errors import JournalError

if TYPE_CHECKING:
    from lstm_stock.prices.reader import PriceSource
    from lstm_stock.runs.journal import Record
    from lstm_stock.runs.run import Run
    from lstm_stock.workflow.journal_scores import JournalScores
    from lstm_stock.workflow.predict import Prediction

MAX_FAULTS = 20
"""Faults that are printed; more are counted."""


def now() -> dt.datetime:
    """Return the present time, UTC."""
    return dt.datetime.now(dt.UTC)


def write_journal(
    folder: Path,
    networks: Mapping[str, Run],
    predictions: Mapping[str, Prediction],
    prices: PriceSource,
    quiet: bool,
    clock: Callable[[], dt.datetime] = now,
) -> None:
    """Append forecasts to a journal, beside those of the baselines.

    Args:
        folder: The journal.
        networks: What made the forecast of each ticker.
        predictions: The forecast of each ticker.
        prices: The prices that they were made from.
        quiet: Print no notes.
        clock: Returns the present time, with its zone.

    Raises:
        JournalError: None of them is before the fact, or the journal cannot be written to.
    """
    from lstm_stock.report import console, progress
    from lstm_stock.report import journal as report
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, group_messages
    from lstm_stock.runs.journal import append
    from lstm_stock.workflow.journal import network_of, record_of

    hashed = {run: network_of(run) for run in set(networks.values())}
    records: list[Record] = []
    failures: dict[str, JournalError] = {}
    with progress.counted_progress("tickers", quiet or len(predictions) <= MAX_DETAILED_TICKERS) as on_fitted:
        on_fitted(0, len(predictions))
        for i, (ticker, prediction) in enumerate(predictions.items(), 1):
            try:
                records.append(record_of(prediction, prices.read(ticker), hashed[networks[ticker]], clock()))
            except JournalError as error:  # those of other tickers may still be before the fact
                failures[ticker] = error
            on_fitted(i, len(predictions))
    if not records:
        raise next(iter(failures.values()))
    done = append(folder, records, clock)
    if done.mended:
        console.warn(done.mended)
    for text in group_messages([(ticker, error.message) for ticker, error in failures.items()]):
        console.warn(text)
    for text in report.appended(folder, done):
        console.note(text, quiet)


@journal_app.callback(invoke_without_command=True)
def journal(
    context: typer.Context,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    journal_dir: JournalDir = Path("journal"),
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Score the forecasts of `predict --journal` as closes come, beside the baselines made at the same hour."""
    if context.invoked_subcommand is not None:
        require_none_before(context, ("output", "journal_dir", "data_dir", "quiet"))
        return
    from lstm_stock.config.interval import DAILY
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.report import console, progress
    from lstm_stock.report.text import MAX_DETAILED_TICKERS
    from lstm_stock.workflow.journal_scores import score_journal

    store = open_store(data_dir, interval=DAILY.name)
    with progress.counted_progress("tickers", quiet) as show:

        def on_scored(n_done: int, n_all: int) -> None:
            if n_all > MAX_DETAILED_TICKERS:
                show(n_done, n_all)

        scores = score_journal(journal_dir, Snapshot(store), on_scored)
    for text in scores.notes:
        console.warn(text)
    if output is Format.table:
        _show(scores)
    elif output is Format.json:
        _print_json(scores)
    else:
        _print_csv(scores)


@journal_app.command("verify")
def journal_verify(
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="A hash that was published: it must be that of a line.",
            show_default=False,
        ),
    ] = None,
    journal_dir: JournalDir = Path("journal"),
    quiet: Quiet = False,
) -> None:
    """Check that no line was changed, removed, moved, inserted or backdated; ends with 2 if one was.

    The check does not find a journal whose last lines were all replaced, together with `head.json`. To prove that
    this did not happen, publish the hash of the newest line now, and check it later with `--head`.
    """
    from lstm_stock.report import console
    from lstm_stock.report.journal import heading
    from lstm_stock.runs.journal_chain import Fault, walk
    from lstm_stock.runs.journal_line import FIRST_HEAD

    newest, n_faults, is_known = FIRST_HEAD, 0, head is None
    for one in walk(journal_dir):
        if not isinstance(one, Fault):
            newest = one.line.head
            is_known = is_known or newest.hash == head
        elif one.is_unfinished:
            console.warn(f"{one}; the next `predict --journal` removes it")
        else:
            n_faults += 1
            if n_faults <= MAX_FAULTS:
                print(one)
    if n_faults > MAX_FAULTS:
        print(f"and {n_faults - MAX_FAULTS} more")
    if n_faults or not is_known:
        if not is_known:
            print(f"no line has the hash {head}: the lines up to it were removed or replaced")
        print_error(f"the journal {journal_dir} is not as it was written")
        raise typer.Exit(JournalError.exit_code)
    print(heading(newest))
    console.note(
        "every line follows the one before it; publish the hash to prove the lines up to it later", quiet
    )


def _show(scores: JournalScores) -> None:
    from lstm_stock.report import console
    from lstm_stock.report import journal as report
    from lstm_stock.report.text import verdict_text

    print(report.heading(scores.head))
    for one in scores.networks:
        tickers = [str(ticker) for ticker in one.scores["ticker"].unique()]
        named = tickers[1:] if len(tickers) > 1 else tickers
        print("\n" + report.network_heading(one.network, one.fingerprint, one.n_forecasts, named, one.n_days))
        if len(one.scores):
            console.show(report.score_table(one.scores[one.scores["ticker"] == tickers[0]], one.model))
        if one.verdict is not None:
            print(verdict_text(one.verdict))
        print(report.judgement(one.verdict, one.n_days))
    if len(scores.pending):
        print()
        console.show(report.pending_table(scores.pending))


def _print_json(scores: JournalScores) -> None:
    import json

    from lstm_stock.runs.files import records

    networks = [
        {
            **{name: getattr(one, name) for name in ("network", "fingerprint", "model", "horizon")},
            **{name: getattr(one, name) for name in ("n_forecasts", "n_days", "verdict")},
            "scores": records(one.scores),
        }
        for one in scores.networks
    ]
    found = {"head": vars(scores.head), "networks": networks, "pending": records(scores.pending)}
    print(json.dumps(found | {"notes": list(scores.notes)}, indent=2))


def _print_csv(scores: JournalScores) -> None:
    import pandas as pd

    from lstm_stock.scoring.scores import SCORE_COLUMNS

    tables = [one.scores.assign(network=one.network, fingerprint=one.fingerprint) for one in scores.networks]
    columns = ["network", "fingerprint", *SCORE_COLUMNS]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    print(table[columns].to_csv(index=False), end="")
