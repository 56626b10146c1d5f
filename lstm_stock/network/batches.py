"""Batches of windows, gathered when Keras asks for them. Nothing here learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from lstm_stock.dataset.series import UNKNOWN_TICKER_ID
from lstm_stock.dataset.windows import Windows

UNKNOWN_SHARE = 0.1
"""Share of the train windows whose ticker is hidden, so that the network learns what to make of one it does not
know."""


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows, gathered one batch at a time, so that no array of all windows is ever held.

    Item i is an `x` of shape `(batch, look_back, n_features)` and a `y` of shape `(batch, horizon, 1)`; where the
    network is told the ticker, `x` is a pair, with the codes of shape `(batch,)`. With a seed the windows of all
    tickers are shuffled anew each epoch, and a share `UNKNOWN_SHARE` of the codes is hidden.
    """

    def __init__(self, parts: Sequence[Windows], batch_size: int, seed: int | None = None) -> None:
        super().__init__()
        self._parts = parts
        self._batch_size = batch_size
        self._random = None if seed is None else np.random.default_rng(seed)
        lengths = [len(part) for part in parts]
        self._owners = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)
        self._rows = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
        self._hidden = np.zeros(len(self._rows), bool)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        if self._random is not None:
            order = self._random.permutation(len(self._rows))
            self._owners, self._rows = self._owners[order], self._rows[order]
            if self._parts[0].spec.tickers:
                self._hidden = self._random.random(len(self._rows)) < UNKNOWN_SHARE

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray[Any, Any]]:
        """Gather batch `index`."""
        chosen = slice(index * self._batch_size, (index + 1) * self._batch_size)
        owners, rows = self._owners[chosen], self._rows[chosen]
        spec = self._parts[0].spec
        x = np.empty((len(rows), spec.look_back, len(spec.features)), np.float32)
        y = np.empty((len(rows), spec.horizon), np.float32)
        ticker_ids = np.empty(len(rows), np.int32)
        for owner in np.unique(owners):
            mine = owners == owner
            part = self._parts[owner]
            batch = replace(part, cutoffs=part.cutoffs[rows[mine]])
            x[mine], y[mine], ticker_ids[mine] = batch.inputs, batch.targets, batch.ticker_ids
        if not spec.tickers:
            return x, y[..., None]
        return (x, np.where(self._hidden[chosen], UNKNOWN_TICKER_ID, ticker_ids).astype(np.int32)), y[
            ..., None
        ]
