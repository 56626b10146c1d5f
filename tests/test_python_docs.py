"""The Python code of the documents runs: that of the README and of docs/python.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lstm_stock.config import load_config
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.runs.pretrained import PretrainedFolder
from lstm_stock.workflow import backtest, forecast_tickers
from lstm_stock.workflow.pretrain import pretrain
from tests.conftest import Trained
from tests.helpers import drop_slow_baselines, random_prices
from tests.reused_networks import without_graph_optimizer

ROOT = Path(__file__).parent.parent


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> PretrainedFolder:
    """A small network for any ticker, in place of those of the package."""
    root = tmp_path_factory.mktemp("pretrained")
    store = Store(root / "data")
    for i, ticker in enumerate(("A", "B")):
        table = random_prices(300, i)
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    settings = ["data.tickers=[A, B]", "data.covariates=[]", "features=[log_return, vol_week]"]
    settings += ["window.look_back=3", "model.units=[1]", "split.val=0.2"]
    with without_graph_optimizer():
        return pretrain(load_config(Path("universal"), settings), store, root / "networks", lambda _: None)


@pytest.fixture
def in_new_folder(tmp_path, monkeypatch, networks, networks_traced_once):
    """Work in an empty folder, with few baselines, and without worker processes."""
    monkeypatch.chdir(tmp_path)
    for name in ("LSTM_STOCK_DATA", "LSTM_STOCK_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(forecast_tickers, "packaged_networks", lambda: networks)
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
