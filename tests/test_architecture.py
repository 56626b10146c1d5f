"""The shape of the house: what may import what, and what must stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lstm_stock

PACKAGE = Path(lstm_stock.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    "tensorflow",
    "keras",
    "sklearn",
    "matplotlib",
    "yfinance",
    "arch",
    "statsmodels",
    "pandas",
    "numpy",
    "scipy",
    "rich",
)


def test_importing_the_package_loads_nothing_heavy():
    heavy = (*HEAVY, "pydantic", "yaml", "importlib.metadata", "lstm_stock.api")
    code = (
        f"import sys, lstm_stock; dir(lstm_stock); print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = (*HEAVY, "pydantic", "yaml", "filelock", "asyncio")
    code = f"import sys, lstm_stock.cli.commands; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_modules_of_a_forecast_load_nothing_that_it_does_not_use():
    modules = (
        *("cli.predict", "prices.calendars", "prices.reader", "prices.dividends", "distributions.intervals"),
        *("dataset.covariates", "dataset.loader", "dataset.pooled", "dataset.sessions", "dataset.windows"),
        *("runs.catalog", "scoring.forecast_table", "workflow.forecast_tickers", "workflow.predict"),
        *("report.console", "report.dividends", "report.run_tables", "report.text"),
    )
    unused = (*HEAVY, "exchange_calendars", "filelock", "joblib", "pyarrow.dataset", "threadpoolctl")
    unused = tuple(name for name in unused if name not in ("numpy", "pandas"))
    code = (
        f"import sys, importlib\nfor name in {modules}: importlib.import_module('lstm_stock.' + name)\n"
        f"print([name for name in {unused} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module", ["network", "network.tensorflow_setup", "network.architecture", "workflow.journal_scores"]
)
def test_importing_it_loads_neither_keras_nor_tensorflow(module):
    code = f"import sys, lstm_stock.{module}; print({{'keras', 'tensorflow'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_config_error_loads_nothing_heavy(tmp_path):
    (tmp_path / "bad.yaml").write_text("window: {lookback: 3}\n")
    code = (
        "import sys\nfrom lstm_stock.cli import main\n"
        f"sys.argv = ['lstm-stock', 'train', '--config', {str(tmp_path / 'bad.yaml')!r}]\n"
        f"try:\n    main()\nfinally:\n    print([name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout.strip() == "[]"


def test_a_forecast_of_a_run_needs_no_package_that_trains_fetches_or_draws(trained, cli):
    assert cli("predict", *trained.options).code == 0  # the first forecast builds the calendar's file
    unneeded = (
        *("tensorflow", "keras", "sklearn", "matplotlib", "yfinance", "arch", "statsmodels", "onnx"),
        *("scipy", "exchange_calendars", "filelock", "rich"),
    )
    code = (
        "import sys\nfrom lstm_stock.cli import main\n"
        f"sys.argv = ['lstm-stock', 'predict', '--format', 'csv', *{trained.options}]\n"
        f"try:\n    main()\nfinally:\n    print([name for name in {unneeded} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *forecast, loaded = done.stdout.splitlines()
    assert len(forecast) == 4
    assert loaded == "[]"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 500
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), "no docstring says what would be lost with this file"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_function_tunnels_keywords_and_only_commands_take_many_arguments(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            assert node.args.kwarg is None, node.name
            names = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
            n_arguments = len([name for name in names if name not in ("self", "cls")])
            is_command = any("command" in ast.unparse(decorator) for decorator in node.decorator_list)
            assert n_arguments <= 7 or is_command, node.name


def test_no_pickle_anywhere():
    for path in MODULES:
        assert "pickle" not in {
            alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
