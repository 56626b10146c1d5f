"""Networks of one's own: `load_config`, `train`, `load_run`, `evaluate`, `backtest`."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lstm_stock.api.arguments import date_of, tickers_of
from lstm_stock.api.forecasts import name_of
from lstm_stock.api.notes import note, warn
from lstm_stock.api.results import Result
from lstm_stock.config import Config

if TYPE_CHECKING:
    import pandas as pd

    from lstm_stock.runs.run import Run


def load_config(file: str | Path | None = None, overrides: Mapping[str, Any] | Sequence[str] = ()) -> Config:
    """Return a config: the defaults, changed by a YAML file, changed by overrides.

    Args:
        file: The file, or the name of a packaged config such as `many`; None for the defaults alone.
        overrides: Values by dotted key, such as `{"window.horizon": 10, "data.tickers": ["MSFT"]}`, or texts as
            `--set` takes them: `window.horizon=10`.

    Raises:
        ConfigError: The file cannot be read, or settings are wrong; one line for each.
    """
    from lstm_stock import config

    if isinstance(overrides, Mapping):
        # JSON is YAML; a date is one without the quotes of a text.
        overrides = [
            f"{key}={value if isinstance(value, dt.date) else json.dumps(value, default=str)}"
            for key, value in overrides.items()
        ]
    return config.load_config(None if file is None else Path(file), list(overrides))


def train(
    config: Config | None = None,
    *,
    resume: bool = False,
    jobs: int | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
) -> Result:
    """Train one network on the tickers of a config, score it beside the baselines, and save the run.

    The default config trains on AAPL; it takes about a minute. An interruption (Ctrl-C, `Interrupt` in a notebook)
    stops the training, and scores and saves the best weights.

    Args:
        config: All settings; None for the defaults.
        resume: Continue the same training after its last saved epoch, if it was killed.
        jobs: Number of processes that fit the baselines of many tickers; None is one per core.
        data_dir: Folder of the store; None is the environment variable `LSTM_STOCK_DATA`, or `data`.
        runs_dir: Folder of the runs; None is the environment variable `LSTM_STOCK_RUNS`, or `runs`.

    Raises:
        ConfigError: The config needs more tickers, or the training diverged.
        DataError: Prices are missing or too few.
        RunError: The run cannot be saved.
    """
    from lstm_stock.config.schema import require_market
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.prices.store import Store, data_folder
    from lstm_stock.runs.folder import require_writable, runs_folder

    config = config or Config()
    require_market(config)
    store, folder = Store(data_folder(data_dir), config.data.interval), runs_folder(runs_dir)
    store.require(config.data.all_tickers)
    require_writable(folder)
    load_tensorflow()
    from lstm_stock.workflow.train import Reports
    from lstm_stock.workflow.train import train as train_run

    return _of_run(train_run(config, store, folder, Reports.only_notes(note), resume, jobs))


def load_run(name: str | Path | None = None, *, runs_dir: str | Path | None = None) -> Result:
    """Return a saved run, of `train` or of the command line.

    Args:
        name: Its name or path; None for the newest.
        runs_dir: Folder of the runs; None is the environment variable `LSTM_STOCK_RUNS`, or `runs`.

    Raises:
        RunError: There is none, or files of it are missing.
    """
    from lstm_stock.runs.catalog import find_run
    from lstm_stock.runs.folder import runs_folder

    return _of_run(find_run(runs_folder(runs_dir), name_of(name)))


def evaluate(
    run: str | Path | Result | None = None,
    *,
    tickers: str | Sequence[str] | None = None,
    start: str | dt.date | None = None,
    end: str | dt.date | None = None,
    in_sample: bool = False,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
) -> Result:
    """Score a saved network, weights frozen, on other tickers or newer dates, beside every baseline.

    The baselines are fitted to the bars before the period. All forecasts are in memory; for hundreds of tickers,
    `lstm-stock evaluate --output` writes them to a file instead.

    Args:
        run: A result of `train` or `load_run`, the name or path of a run, `universal`, or a folder of
            `lstm-stock pretrain`; None is the newest run.
        tickers: One or several; None for those of the run.
        start: First date of the period; None is the start of the run's test period.
        end: Last date, inclusive; None is each ticker's newest bar.
        in_sample: Allow dates that the network learned from, with a warning.
        data_dir: Folder of the store; None is the environment variable `LSTM_STOCK_DATA`, or `data`.
        runs_dir: Folder of the runs; None is the environment variable `LSTM_STOCK_RUNS`, or `runs`.

    Raises:
        ConfigError: The network learned from prices of the period, or a date is none.
        ShortHistoryError: No ticker can be scored.
        DataError: Prices are missing.
        RunError: There is no such run, or it cannot be read, or cannot forecast one of the tickers.
    """
    import pandas as pd

    from lstm_stock.network.tensorflow_setup import n_cores
    from lstm_stock.prices.store import Store, data_folder
    from lstm_stock.report.evaluation import in_sample as sentence
    from lstm_stock.runs.folder import runs_folder
    from lstm_stock.workflow.evaluate import Reports
    from lstm_stock.workflow.evaluate import evaluate as evaluate_plan
    from lstm_stock.workflow.evaluation_plan import Wanted, plan_evaluation

    names = None if tickers is None else tickers_of(tickers)
    first, last = date_of(start, "start"), date_of(end, "end")
    wanted = Wanted(name_of(run), names, first, last, in_sample, n_cores())
    plan = plan_evaluation(Store(data_folder(data_dir)), runs_folder(runs_dir), wanted)
    tables: list[pd.DataFrame] = []
    found = evaluate_plan(plan, Reports(lambda _done, _all: None, note, warn, tables.append))
    if found.in_sample:
        warn(sentence(found))
    return Result(
        name=found.run,
        path=None,
        config=plan.run.config,
        model=found.model,
        _forecasts=lambda: pd.concat(tables, ignore_index=True),
        _scores=lambda: found.scores,
        _verdict=lambda: found.verdict,
    )


def backtest(
    config: Config | None = None,
    *,
    folds: int = 8,
    window: Literal["expanding", "rolling"] = "expanding",
    jobs: int | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
) -> Result:
    """Refit scaler, network and baselines at each of several folds, forecast the next block, score all together.

    The blocks tile the test period of the config's `split`. After an interruption, the same call continues.

    Args:
        config: All settings; None for the defaults.
        folds: Number of blocks.
        window: Train on all bars before a block, or on as many as the first fold has (`rolling`).
        jobs: Number of processes; None is one per core.
        data_dir: Folder of the store; None is the environment variable `LSTM_STOCK_DATA`, or `data`.
        runs_dir: Folder of the runs; None is the environment variable `LSTM_STOCK_RUNS`, or `runs`.

    Returns:
        The pooled blocks; the column `fold` of its forecasts has their numbers, from 1.

    Raises:
        ConfigError: The config needs more tickers, an argument is out of range, or a training diverged.
        DataError: Prices are missing, or too few for the folds.
        RunError: The results cannot be saved.
    """
    from lstm_stock.config.schema import require_market
    from lstm_stock.errors import ConfigError
    from lstm_stock.network.tensorflow_setup import n_cores
    from lstm_stock.prices.store import Store, data_folder
    from lstm_stock.runs.folder import require_writable, runs_folder
    from lstm_stock.workflow.backtest import Plan
    from lstm_stock.workflow.backtest import backtest as backtest_config
    from lstm_stock.workflow.parallel import Engine

    if folds < 1 or window not in ("expanding", "rolling"):
        raise ConfigError(
            f"got folds {folds} and window {window!r}, expected 1 or more, and expanding or rolling"
        )
    config = config or Config()
    require_market(config)
    store, folder = Store(data_folder(data_dir), config.data.interval), runs_folder(runs_dir)
    store.require(config.data.all_tickers)
    require_writable(folder)
    plan = Plan(folds, window, Engine("loky", jobs or n_cores(), None))
    found, path = backtest_config(config, store, folder, plan, lambda _done, _all: None, note)
    return Result(
        name=path.name,
        path=path,
        config=found.config,
        model=found.config.model_name,
        _forecasts=lambda: found.forecasts,
        _scores=lambda: found.scores,
        _verdict=lambda: found.verdict,
    )


def _of_run(run: Run) -> Result:
    return Result(
        name=run.name,
        path=run.path,
        config=run.config,
        model=run.model_name,
        _forecasts=lambda: run.forecasts,
        _scores=lambda: run.scores,
        _verdict=lambda: run.verdict,
    )
