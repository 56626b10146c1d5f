"""Largest difference between the outputs of a Keras network and of its ONNX file, for every cell and head.

The networks have the default size and start weights with some noise; windows are random, and the newest of the
packaged sample.

python benchmarks/onnx_parity.py [CELL ...]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lstm_stock.config import Config, load_config
from lstm_stock.config.cells import CELLS
from lstm_stock.config.heads import HEADS
from lstm_stock.dataset.build import build_dataset
from lstm_stock.network.tensorflow_setup import load_tensorflow
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into

N_WINDOWS = 16
"""Random windows, and real ones."""


def real_windows(config: Config) -> np.ndarray:
    """Return the newest windows of the sample, `(N_WINDOWS, look_back, n_features)`."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        fetch_into(store, "AAPL", FetchOptions(source="sample"))
        dataset = build_dataset(config, PriceReader(config.data, store), lambda _: None)
    return dataset.windows.test[0].inputs[-N_WINDOWS:]


def main() -> None:
    """Measure and print a table."""
    load_tensorflow()
    from lstm_stock.network.build import build_ensemble, build_network
    from lstm_stock.network.onnx.export import export_network
    from lstm_stock.network.onnx.session import OnnxNetwork, signature_of
    from lstm_stock.workflow.forecast import architecture_of

    random = np.random.default_rng(0)
    real = real_windows(load_config(None, []))
    print("cell         head       largest    random      real   KiB   load  one window")
    for cell in sys.argv[1:] or [name for name, one in CELLS.items() if not one.one_step]:
        for head in [name for name, one in HEADS.items() if one.n_params is not None]:
            spec = architecture_of(load_config(None, [f"model.cell={cell}", f"model.head={head}"]))
            network = build_ensemble([build_network(spec)])
            network.set_weights([one + random.normal(0, 0.02, one.shape) for one in network.get_weights()])
            content = export_network(network, {})
            started = time.perf_counter()
            exported = OnnxNetwork(content, signature_of(spec))
            loaded = time.perf_counter() - started
            x = np.concatenate([random.normal(0, 2, real.shape).astype(np.float32), real])
            expected = np.asarray(network(x))
            difference = np.abs(exported.predict_on_batch(x) - expected)
            exported.predict_on_batch(x[:1])
            started = time.perf_counter()
            exported.predict_on_batch(x[:1])
            forecast = time.perf_counter() - started
            print(
                f"{cell:12} {head:9} {np.abs(expected).max():8.2f} {difference[:N_WINDOWS].max():9.1e} "
                f"{difference[N_WINDOWS:].max():9.1e} {len(content) / 1024:5.0f} {1e3 * loaded:3.0f} ms "
                f"{1e3 * forecast:6.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
