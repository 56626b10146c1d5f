"""The expressions of an export give the distribution that the package forecasts."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_stock.config.heads import HEADS
from lstm_stock.distributions import Mixture
from lstm_stock.network.forecast import to_distribution
from lstm_stock.network.heads import head_of
from lstm_stock.network.onnx.meaning import MEANINGS

UNIT = np.array([0.01, 0.015])


def values(head: str, params: np.ndarray, is_price: bool) -> dict[str, np.ndarray]:
    if head_of(head).averages_params:
        params = params.mean(axis=0, keepdims=True)
    names = {"np": np, "params": params, "unit": UNIT, "price_offset": 0.5, "last_close": 1.2}
    return {name: eval(text, names) for name, text in MEANINGS[head].expressions(is_price).items()}


@pytest.mark.parametrize("head", MEANINGS)
def test_the_expressions_are_those_of_the_distribution(head):
    meaning = MEANINGS[head]
    params = np.random.default_rng(2).normal(size=(3, 2, len(meaning.parameters)))
    forecast = to_distribution(head, params[None]).rescale(UNIT)
    members = forecast.components if isinstance(forecast, Mixture) else [forecast]
    expected = [meaning.values(one) for one in members]
    for name, got in values(head, params, is_price=False).items():
        assert got.shape[:2] == (len(expected), 2)
        np.testing.assert_allclose(got, [one[name][0] for one in expected], rtol=1e-12)


@pytest.mark.parametrize("head", [name for name, one in HEADS.items() if one.forecasts_prices])
def test_a_price_is_expressed_as_a_log_return(head):
    params = np.random.default_rng(2).normal(size=(1, 2, len(MEANINGS[head].parameters)))
    (name, standard), *_ = values(head, params, is_price=False).items()
    expected = np.log(np.maximum((0.5 + standard) / 1.2, 0.01))
    np.testing.assert_allclose(values(head, params, is_price=True)[name], expected)


def test_every_head_of_any_cell_has_a_meaning_with_as_many_parameters_as_it_has():
    described = {name: len(one.parameters) for name, one in MEANINGS.items()}
    assert described == {name: one.n_params for name, one in HEADS.items() if one.n_params is not None}
