"""Batches of windows for Keras, gathered one at a time. Nothing here trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from lstm_stock.dataset.series import UNKNOWN_TICKER_ID
from lstm_stock.dataset.windows import Windows

UNKNOWN_SHARE = 0.1
"""Share of train windows whose ticker id is hidden, so that the network learns to forecast tickers that it was not
trained on."""


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of the windows of all tickers; no array of all windows is ever made.

    Item i is an `x` of shape `(batch, look_back, n_features)` and a `y` of shape `(batch, horizon, 1)`; with a
    ticker embedding `x` is a pair, with the ticker ids of shape `(batch,)`. With a seed, each epoch has a new
    order of all windows, and a share `UNKNOWN_SHARE` of the ids is hidden.

    Args:
        tickers: The windows of each ticker.
        batch_size: Windows per batch; the last batch may be smaller.
        seed: Seed of the order; None keeps the windows in order.
    """

    def __init__(self, tickers: Sequence[Windows], batch_size: int, seed: int | None = None) -> None:
        super().__init__()
        self._tickers = tickers
        self._batch_size = batch_size
        self._random = None if seed is None else np.random.default_rng(seed)
        lengths = [len(windows) for windows in tickers]
        # Window i of the epoch is row `_rows[i]` of ticker `_owners[i]`.
        self._owners = np.repeat(np.arange(len(tickers), dtype=np.int32), lengths)
        self._rows = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
        self._hidden = np.zeros(len(self._rows), bool)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        if self._random is not None:
            order = self._random.permutation(len(self._rows))
            self._owners, self._rows = self._owners[order], self._rows[order]
            if self._tickers[0].spec.tickers:
                self._hidden = self._random.random(len(self._rows)) < UNKNOWN_SHARE

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray[Any, Any]]:
        """Gather batch `index`."""
        chosen = slice(index * self._batch_size, (index + 1) * self._batch_size)
        owners, rows = self._owners[chosen], self._rows[chosen]
        spec = self._tickers[0].spec
        x = np.empty((len(rows), spec.look_back, len(spec.features)), np.float32)
        y = np.empty((len(rows), spec.horizon), np.float32)
        ids = np.empty(len(rows), np.int32)
        for owner in np.unique(owners):
            places = owners == owner
            windows = self._tickers[owner]
            batch = replace(windows, cutoffs=windows.cutoffs[rows[places]])
            x[places], y[places], ids[places] = batch.inputs, batch.targets, batch.ticker_ids
        if not spec.tickers:
            return x, y[..., None]
        return (x, np.where(self._hidden[chosen], UNKNOWN_TICKER_ID, ids).astype(np.int32)), y[..., None]
