"""The rules between a cell and other settings come from its spec: a new cell is one entry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lstm_stock.config import Config, load_config
from lstm_stock.config.cells import CELLS
from lstm_stock.config.heads import HEADS
from lstm_stock.config.size import count_params, with_cell
from lstm_stock.errors import ConfigError


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> str:
    """A new cell with a head of its own and two required settings."""
    own = replace(CELLS["gru"], head="mine", requires={"scaler": "robust", "calibration": "none"})
    monkeypatch.setitem(HEADS, "mine", HEADS["gaussian"])
    monkeypatch.setitem(CELLS, "new", replace(own, has_ticker=False))
    return "new"


def test_a_cell_sets_what_it_requires(cell: str) -> None:
    config = load_config(None, ["model.cell=new"])
    assert (config.model.head, config.scaler, config.calibration) == ("mine", "robust", "none")
    assert count_params(config) == count_params(load_config(None, ["model.cell=gru", "model.head=gaussian"]))
    assert with_cell(Config(), "new") == config
    assert with_cell(config, "lstm") == Config()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.cell=new", "scaler=minmax"], "--set scaler: cell new needs scaler: robust, not minmax"),
        (["model.cell=new", "model.head=point"], "--set model.head: got 'point', must be mine (or left out)"),
        (["model.head=mine"], "--set model.head: got 'mine', which only model.cell: new has"),
        (["model.cell=new", "model.ticker_embedding=2"], "with cell new, which does not read the ticker"),
    ],
)
def test_what_a_cell_does_not_allow_is_refused(cell: str, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, overrides)
    assert message in caught.value.message
