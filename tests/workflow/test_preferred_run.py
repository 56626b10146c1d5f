"""Which run forecasts where none is named, and what is said of its verdict."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lstm_stock.config import Config
from lstm_stock.errors import RunError
from lstm_stock.scoring.short_verdict import is_worse
from lstm_stock.workflow.forecast_tickers import preferred_run, verdict_line

WORSE = {"point": {"verdict": "worse"}}
WORSE_LATER = {"point": {"verdict": "no evidence"}, "last": {"step": 5, "distribution": {"verdict": "worse"}}}
GOOD = {"point": {"verdict": "no evidence"}, "distribution": {"verdict": "better"}}


def run(name, verdict, ticker="AAPL", interval="1d"):
    data = Config().data.model_copy(update={"tickers": (ticker,), "interval": interval})
    return SimpleNamespace(name=name, saved_verdict=verdict, config=SimpleNamespace(data=data))


class Broken:
    name = "broken"

    @property
    def config(self):
        raise RunError("it cannot be read")


def test_a_verdict_is_worse_at_any_step_and_question():
    assert [is_worse(one) for one in (WORSE, WORSE_LATER, GOOD, {})] == [True, True, False, False]


@pytest.mark.parametrize(
    ("runs", "name"),
    [
        ([run("a", GOOD), run("b", GOOD)], "b"),
        ([run("a", GOOD), run("b", WORSE)], "a"),
        ([run("a", GOOD), Broken(), run("b", WORSE_LATER), run("c", WORSE)], "a"),
        ([run("a", GOOD, "MSFT"), run("b", WORSE)], "b"),
        ([run("a", GOOD, interval="1wk"), run("b", WORSE)], "b"),
        ([run("a", WORSE), run("b", WORSE)], "b"),
        ([run("a", {}), run("b", WORSE)], "b"),
    ],
)
def test_a_run_that_was_not_worse_goes_before_a_newer_one_that_was(runs, name):
    chosen, told = preferred_run(runs)
    assert chosen.name == name
    assert (told is not None) == (chosen is not runs[-1])
    if told is not None:
        assert runs[-1].name in told
        assert "--run newest" in told


def test_the_verdict_in_a_line():
    assert verdict_line(run("a", WORSE)) == "run a, verdict on its test period: worse point"
