"""Batches of windows, gathered one at a time. Nothing here trains.

Only `WindowBatches.dataset` loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_stock.dataset.series import UNKNOWN_TICKER_ID
from lstm_stock.dataset.windows import Windows, make_windows

if TYPE_CHECKING:
    import tensorflow as tf


UNKNOWN_SHARE = 0.1
"""Share of train windows whose ticker id is hidden, so that the network learns to forecast tickers that it was not
trained on."""


class InputBatches:
    """The network's inputs of the windows of all tickers, in order and without targets.

    Item i is the inputs of batch i: `x` of shape `(batch, look_back, n_features)`, or with a ticker embedding the
    pair of `x` and the ticker ids, of shape `(batch,)`. The windows of the first ticker come first, in the order
    of its cutoffs. Nothing after a cutoff is read: outcomes may be missing.

    Holds one copy of the bars that the windows need, `4 x n_features` bytes each: 56 MB for 500 tickers of 3,500
    bars and eight features. There is no array of all windows.

    Args:
        tickers: The windows of each ticker.
        batch_size: Windows per batch; the last batch may be smaller.
    """

    def __init__(self, tickers: Sequence[Windows], batch_size: int) -> None:
        self._tickers = tickers
        self._batch_size = batch_size
        self._spec = tickers[0].spec
        first_bars = [windows.cutoffs.min() - self._spec.look_back + 1 for windows in tickers]
        bars = [
            windows.series.inputs[first : windows.cutoffs.max() + 1]
            for windows, first in zip(tickers, first_bars, strict=True)
        ]
        joined = np.concatenate(bars)
        self.n_bytes = joined.nbytes
        """Size of the copy of the bars."""
        # A view of every `look_back` bars in a row; those that reach from one ticker into the next belong to no
        # window.
        self._pasts, _ = make_windows(joined, self._spec.look_back, horizon=0)
        offsets = np.cumsum([0, *map(len, bars)])[:-1]
        self._past_rows = np.concatenate(
            [
                (windows.cutoffs - windows.cutoffs.min() + offset).astype(np.int32)
                for windows, offset in zip(tickers, offsets, strict=True)
            ]
        )
        self._ticker_ids = np.concatenate([windows.ticker_ids for windows in tickers])

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self.n_windows // self._batch_size)

    @property
    def n_windows(self) -> int:
        """Number of windows of all tickers."""
        return len(self._past_rows)

    def __getitem__(self, index: int) -> Any:
        """Gather batch `index`; IndexError after the last one."""
        chosen = self._places(index)
        return self._inputs(chosen, self._ticker_ids[chosen])

    def _places(self, index: int) -> slice:
        if index >= len(self):
            raise IndexError(f"there are {len(self)} batches, got the index {index}")
        return slice(index * self._batch_size, (index + 1) * self._batch_size)

    def _inputs(self, chosen: slice | NDArray[np.int32], ticker_ids: NDArray[np.int32]) -> Any:
        x = self._pasts[self._past_rows[chosen]]
        return (x, ticker_ids) if self._spec.tickers else x


class WindowBatches(InputBatches):
    """Inputs and targets of the windows of all tickers; `dataset` is for `network.fit`.

    Item i is the pair of the inputs, as in `InputBatches`, and `y` of shape `(batch, horizon, 1)`. With a seed,
    each epoch has a new order of all windows, and a share `UNKNOWN_SHARE` of the ids is hidden.

    Holds also the targets of all windows, `4 x horizon` bytes each.

    Args:
        tickers: The windows of each ticker; the outcome of each is known.
        batch_size: Windows per batch; the last batch may be smaller.
        seed: Seed of the order; None keeps the windows in order.
    """

    def __init__(self, tickers: Sequence[Windows], batch_size: int, seed: int | None = None) -> None:
        super().__init__(tickers, batch_size)
        self._random = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(self.n_windows, dtype=np.int32)
        self._epoch_ids = self._ticker_ids
        self.next_epoch()

    @cached_property
    def _targets(self) -> NDArray[np.float32]:
        """The targets of all windows, shape `(n_windows, horizon, 1)`."""
        targets = np.empty((self.n_windows, self._spec.horizon, 1), np.float32)
        start = 0
        for windows in self._tickers:
            targets[start : start + len(windows), :, 0] = windows.targets
            start += len(windows)
        return targets

    def next_epoch(self) -> None:
        """Draw the order of the next epoch."""
        if self._random is None:
            return
        self._order = self._order[self._random.permutation(self.n_windows)]
        if self._spec.tickers:
            is_hidden = self._random.random(self.n_windows) < UNKNOWN_SHARE
            self._epoch_ids = np.where(is_hidden, UNKNOWN_TICKER_ID, self._ticker_ids[self._order]).astype(
                np.int32
            )

    def dataset(self) -> tf.data.Dataset:
        """Return a dataset whose every pass is all batches of the epoch.

        Keras would make one itself, with TensorFlow's autotuner. The end of an epoch often waits for the thread of
        the autotuner, which sleeps 10 ms, 20 ms, 40 ms and so on: such epochs take 1.3, 2.6, 5.1 or 10.2 s.
        """
        import tensorflow as tf

        x = tf.TensorSpec((None, *self._pasts.shape[1:]), tf.float32)
        inputs = (x, tf.TensorSpec((None,), tf.int32)) if self._spec.tickers else x
        targets = tf.TensorSpec((None, self._spec.horizon, 1), tf.float32)
        options = tf.data.Options()
        options.autotune.enabled = False
        batches = tf.data.Dataset.from_generator(lambda: iter(self), output_signature=(inputs, targets))
        counted = batches.apply(tf.data.experimental.assert_cardinality(len(self)))
        return counted.prefetch(2).with_options(options)

    def __getitem__(self, index: int) -> tuple[Any, NDArray[np.float32]]:
        """Gather batch `index` of the epoch; IndexError after the last one."""
        places = self._places(index)
        chosen = self._order[places]
        return self._inputs(chosen, self._epoch_ids[places]), self._targets[chosen]
