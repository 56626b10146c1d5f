"""The Python code of the documents runs: that of the README, of docs/python.md and of the notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lstm_stock.workflow import backtest
from tests.conftest import Trained
from tests.helpers import drop_slow_baselines

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "docs" / "first_forecast.ipynb"


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def cells() -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def in_new_folder(tmp_path, monkeypatch, networks_traced_once):
    """Work in an empty folder, with few baselines, and without worker processes."""
    monkeypatch.chdir(tmp_path)
    for name in ("LSTM_STOCK_DATA", "LSTM_STOCK_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(backtest, "run_calls", lambda _, function, calls: (function(one) for one in calls))
    drop_slow_baselines(monkeypatch)


def run(sources: list[str], name: str) -> dict[str, Any]:
    """Run pieces of code one after another, as a notebook does, and return the names that they leave."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for i, source in enumerate(sources):
        exec(compile(source, f"{name}[{i}]", "exec"), namespace)
    return namespace


@pytest.mark.filterwarnings("ignore::lstm_stock.LstmStockWarning")
def test_the_examples_of_the_page_run(in_new_folder):
    found = run(blocks("docs/python.md"), "python.md")
    assert len(found["past"]) == 2
    assert set(found["backtest"].forecasts["fold"]) == {1, 2}


@pytest.mark.filterwarnings("ignore::lstm_stock.LstmStockWarning")
def test_the_example_of_the_readme_runs(in_new_folder, trained: Trained, monkeypatch):
    monkeypatch.setenv("LSTM_STOCK_RUNS", str(trained.runs))
    (example,) = blocks("README.md")
    assert len(run([example], "README.md")["forecast"]) == 10


@pytest.mark.filterwarnings("ignore::lstm_stock.LstmStockWarning")
def test_every_cell_of_the_notebook_runs(in_new_folder, monkeypatch):
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    found = run(["".join(cell["source"]) for cell in cells()], NOTEBOOK.name)
    assert len(plt.get_fignums()) == 2
    plt.close("all")
    assert len(found["forecast"]) == 10
    assert found["universal"].model == "universal"


def test_the_notebook_is_saved_as_it_ran():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 200 * 1024
    assert "/tmp/" not in text
    assert [cell["execution_count"] for cell in cells()] == list(range(1, len(cells()) + 1))
    for cell in cells():
        kinds = [(one["output_type"], one.get("name", "stdout")) for one in cell["outputs"]]
        assert all(kind != "error" and stream == "stdout" for kind, stream in kinds)


def test_every_function_of_the_interface_is_in_the_page():
    import inspect

    import lstm_stock as ls

    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for name in ("fetch", "prices", "predict", "load_config", "train", "load_run", "evaluate", "backtest"):
        parameters = inspect.signature(getattr(ls, name)).parameters.values()
        keywords = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
        others = [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY]
        marked = [*others, *(["*", *keywords] if keywords else [])]
        assert f"| `{name}({', '.join(marked)})` |" in page, name
    assert all(f"`{name}`" in page for name in ls.__all__ if name.endswith("Error"))
