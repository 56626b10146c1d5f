"""Batches equal, to the bit, what gathers each ticker's windows on their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lstm_stock.dataset.series import UNKNOWN_TICKER_ID
from lstm_stock.dataset.windows import Windows, windows_up_to
from lstm_stock.network.batches import UNKNOWN_SHARE, InputBatches, WindowBatches
from tests.network.test_training import RECIPE, parts_of


def tickers_of(names: tuple[str, ...]) -> list[Windows]:
    """Return train windows of three tickers; `names` are those that have an id."""
    spec = replace(RECIPE, tickers=names)
    windows = []
    for seed, name in enumerate(("AAA", "BBB", "CCC")):
        train = parts_of(seed)[0]
        series = replace(train.series, ticker=name)
        windows.append(Windows(series, spec, train.cutoffs[: len(train) - 70 * seed]))
    return windows


class PlainBatches:
    """The same batches, gathered ticker by ticker and window by window."""

    def __init__(self, tickers: list[Windows], batch_size: int, seed: int) -> None:
        self.tickers, self.batch_size = tickers, batch_size
        self.places = [(i, row) for i, windows in enumerate(tickers) for row in range(len(windows))]
        self.random = np.random.default_rng(seed)
        self.next_epoch()

    def next_epoch(self) -> None:
        self.places = [self.places[i] for i in self.random.permutation(len(self.places))]
        self.is_hidden = np.zeros(len(self.places), bool)
        if self.tickers[0].spec.tickers:
            self.is_hidden = self.random.random(len(self.places)) < UNKNOWN_SHARE

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = slice(index * self.batch_size, (index + 1) * self.batch_size)
        x, ids, y = [], [], []
        for (i, row), is_hidden in zip(self.places[chosen], self.is_hidden[chosen], strict=True):
            windows = self.tickers[i]
            one = replace(windows, cutoffs=windows.cutoffs[row : row + 1])
            x.append(one.inputs)
            ids.append([UNKNOWN_TICKER_ID] if is_hidden else one.ticker_ids)
            y.append(one.targets)
        return np.concatenate(x), np.concatenate(ids).astype(np.int32), np.concatenate(y)[..., None]


def assert_same(ours: np.ndarray, expected: np.ndarray) -> None:
    assert ours.dtype == expected.dtype
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("names", [(), ("AAA", "CCC")], ids=["no ids", "ids"])
@pytest.mark.parametrize("batch_size", [1, 32, 4096])
def test_a_seed_gives_the_batches_of_a_plain_gathering(names, batch_size):
    tickers = tickers_of(names)
    batches, plain = WindowBatches(tickers, batch_size, seed=3), PlainBatches(tickers, batch_size, seed=3)
    for _ in range(3):
        for i in range(0, len(batches), 1 + len(batches) // 20):
            inputs, y = batches[i]
            expected_x, expected_ids, expected_y = plain.batch(i)
            x, ids = inputs if names else (inputs, expected_ids)
            assert_same(x, expected_x)
            assert_same(ids, expected_ids)
            assert_same(y, expected_y)
        batches.next_epoch()
        plain.next_epoch()


@pytest.mark.parametrize("names", [(), ("AAA", "CCC")], ids=["no ids", "ids"])
def test_inputs_come_in_order_also_without_outcomes(names):
    last = [
        windows_up_to(windows.series, windows.spec, len(windows.series.close) - 1, first=300 + i)
        for i, windows in enumerate(tickers_of(names))
    ]
    inputs = list(InputBatches(last, batch_size=7))
    if names:
        ids = np.concatenate([ids for _, ids in inputs])
        assert_same(ids, np.concatenate([windows.ticker_ids for windows in last]))
        inputs = [x for x, _ in inputs]
    assert_same(np.concatenate(inputs), np.concatenate([windows.inputs for windows in last]))


def test_only_the_bars_of_the_windows_are_copied():
    train, val, _ = parts_of()
    for windows in (train, val):
        batches = InputBatches([windows], batch_size=32)
        n_bars = windows.cutoffs.max() - windows.cutoffs.min() + RECIPE.look_back
        assert batches.n_bytes == n_bars * len(RECIPE.features) * 4
