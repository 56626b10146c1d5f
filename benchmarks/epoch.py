"""Time and peak memory of an epoch: in Keras, with this package's training, and in PyTorch where it is installed.

    python benchmarks/epoch.py [N_ROUNDS] [CASE...]

The same network, windows, loss and optimizer are trained three ways, each in a process of its own. They take
turns: in each round each trains one epoch and computes its validation loss, while the others wait. The first
epoch, with all compiling, is shown apart; ratios are those of medians over the rounds after it. Cases: `aapl-32`
and `aapl-256`, the default config on the packaged AAPL sample at these batch sizes; `many-20` and `many-125`, the
config `many` on as many simulated tickers. `pip install '.[bench]'` installs PyTorch and so adds its rows.
"""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

N_BARS = 3500
CASES = ("aapl-32", "aapl-256", "many-20", "many-125")
WAYS = ("keras", "ours", "torch")


def main() -> None:
    """Start a worker for each way, let them take turns, and print a table for each case."""
    words = sys.argv[1:]
    n_rounds = int(words.pop(0)) if words and words[0].isdigit() else 5
    ways = [way for way in WAYS if way != "torch" or importlib.util.find_spec("torch")]
    for case in words or CASES:
        with tempfile.TemporaryDirectory() as folder:
            n_windows = prepare(Path(folder), case)
            workers = {way: start_worker(way, case, folder) for way in ways}
            first = {way: epoch_of(worker) for way, worker in workers.items()}
            rounds: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(n_rounds):
                for way, worker in workers.items():
                    rounds[way].append(epoch_of(worker))
            peaks = {way: end(worker) for way, worker in workers.items()}
        seconds = {way: median(values) for way, values in rounds.items()}
        print(f"{case}: {n_windows:,} train windows, medians of {n_rounds} alternating epochs")
        print(f"  {'':6} {'epoch':>8} {'range':>15} {'first':>8} {'windows/s':>10} {'memory':>10}  ratio")
        for way in ways:
            span = f"{min(rounds[way]):.2f} to {max(rounds[way]):.2f}"
            print(
                f"  {way:6} {seconds[way]:6.2f} s {span:>15} {first[way]:6.2f} s "
                f"{n_windows / seconds[way]:>10,.0f} {peaks[way]:>6.2f} GiB  {seconds[way] / seconds['ours']:.2f}",
                flush=True,
            )


def start_worker(way: str, case: str, folder: str) -> subprocess.Popen[str]:
    """Start a process that trains in one way, and wait until it is ready."""
    worker = subprocess.Popen(
        [sys.executable, __file__, "worker", way, case, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    read_line(worker)
    return worker


def epoch_of(worker: subprocess.Popen[str]) -> float:
    """Let a worker train one epoch; return its seconds."""
    assert worker.stdin is not None
    worker.stdin.write("epoch\n")
    worker.stdin.flush()
    return float(read_line(worker))


def end(worker: subprocess.Popen[str]) -> float:
    """End a worker and return its peak memory in GiB."""
    assert worker.stdin is not None
    worker.stdin.close()
    peak = float(read_line(worker))
    worker.wait()
    return peak


def read_line(worker: subprocess.Popen[str]) -> str:
    """Return the next line that a worker prints; exit if it has ended."""
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        sys.exit(f"error: the worker {' '.join(map(str, worker.args))} ended early")
    return line


def prepare(root: Path, case: str) -> int:
    """Write the prices of a case to a store and return the number of train windows."""
    from price_reading import simulated_store, write_prices

    from lstm_stock.prices.fetch import fetch_sample
    from lstm_stock.prices.sources import FetchOptions

    name, size = case.split("-")
    if name == "aapl":
        write_prices(root, "AAPL", fetch_sample("AAPL", FetchOptions("sample")).table)
    else:
        simulated_store(root, int(size), N_BARS)
    return sum(map(len, windows_of(root, case).train))


def windows_of(root: Path, case: str):
    """Return the windows of a case."""
    from lstm_stock.dataset.build import build_dataset
    from lstm_stock.prices.reader import PriceReader
    from lstm_stock.prices.store import Store

    config = config_of(root, case)
    return build_dataset(config, PriceReader(config.data, Store(root)), lambda _: None).windows


def config_of(root: Path, case: str):
    """Return the config of a case: one long training without early stopping."""
    from lstm_stock.config import load_config
    from lstm_stock.prices.store import Store

    name, size = case.split("-")
    endless = ["training.epochs=10000", "training.early_stopping=null", "training.reduce_lr=null"]
    if name == "aapl":
        return load_config(None, [*endless, f"training.batch_size={size}"])
    tickers = f"data.tickers=[{','.join(Store(root).tickers())}]"
    return load_config(Path("many"), [*endless, tickers, "data.start=null", "data.end=null"])


def work(way: str, case: str, folder: str) -> None:
    """Train one epoch for each line on stdin and print its seconds; at the end print the peak memory in GiB."""
    trainer = {"keras": keras_trainer, "ours": our_trainer, "torch": torch_trainer}[way]
    started = 0.0

    def next_turn() -> bool:
        """Report the epoch before, and wait for the next; False at the end."""
        nonlocal started
        if started:
            print(time.perf_counter() - started, flush=True)
        is_next = bool(sys.stdin.readline())
        started = time.perf_counter()
        return is_next

    from lstm_stock.network.tensorflow_setup import load_tensorflow

    if way == "ours":
        load_tensorflow()
    run = trainer(Path(folder), case)
    print("ready", flush=True)
    run(next_turn)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, flush=True)


class Ended(Exception):
    """There is no next epoch."""


def our_trainer(root: Path, case: str) -> Callable[[Callable[[], bool]], None]:
    """Return the training of the package, as the command `train` runs it, without writing checkpoints."""
    from lstm_stock.network.training import fit_network
    from lstm_stock.workflow.forecast import architecture_of

    config, windows = config_of(root, case), windows_of(root, case)

    def run(next_turn: Callable[[], bool]) -> None:
        class Turns:
            """Checkpoints that wait for the next turn instead of writing."""

            def read(self, member: int) -> None:
                return None

            def keep(self, member: int, state: object) -> None:
                if not next_turn():
                    raise Ended

            def flush(self) -> None:
                return

        spec = architecture_of(config)
        if next_turn():
            with suppress(Ended):
                fit_network(spec, windows, config.training, 0, None, Turns())

    return run


def keras_trainer(root: Path, case: str) -> Callable[[Callable[[], bool]], None]:
    """Return the training of the same network with the layers and `fit` of Keras, on arrays of all windows."""
    import keras

    from lstm_stock.network.build import build_network
    from lstm_stock.network.heads import training_loss
    from lstm_stock.workflow.forecast import architecture_of

    config = config_of(root, case)
    x, y, x_val, y_val = arrays_of(root, case)
    spec, training = architecture_of(config), config.training
    network = build_network(spec)
    optimizer = keras.optimizers.Adam(
        training.learning_rate, use_ema=True, ema_momentum=training.ema_momentum
    )
    network.compile(optimizer=optimizer, loss=training_loss(spec.head, spec.horizon))
    optimizer.build(network.trainable_variables)

    class Turns(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.model.stop_training = not next_turns[0]()

    next_turns: list[Callable[[], bool]] = []

    def run(next_turn: Callable[[], bool]) -> None:
        next_turns.append(next_turn)
        if next_turn():
            network.fit(
                x,
                y,
                batch_size=training.batch_size,
                validation_data=(x_val, y_val),
                validation_batch_size=1024,
                epochs=10_000,
                verbose=0,
                callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True), Turns()],
            )

    return run


def torch_trainer(root: Path, case: str) -> Callable[[Callable[[], bool]], None]:
    """Return the training of the same network in PyTorch, on tensors of all windows."""
    import torch
    from torch import nn

    from lstm_stock.network.heads import MIN_DF

    config = config_of(root, case)
    x, y, x_val, y_val = map(torch.from_numpy, arrays_of(root, case))
    model, training, horizon = config.model, config.training, config.window.horizon
    weights = 1 / torch.arange(1.0, horizon + 1)
    weights = weights / weights.mean()

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [x.shape[2], *model.units]
            self.lstms = nn.ModuleList(nn.LSTM(m, n, batch_first=True) for m, n in pairwise(widths))
            self.dropout = nn.Dropout(model.dropout)
            self.dense = nn.Linear(widths[-1], model.dense[0])
            self.head = nn.Linear(model.dense[0], 3 * horizon)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for lstm in self.lstms[:-1]:
                x = self.dropout(lstm(x)[0])
            x = self.dropout(self.lstms[-1](x)[0][:, -1])
            return self.head(torch.relu(self.dense(x))).view(-1, horizon, 3)

    def loss_of(y: torch.Tensor, params: torch.Tensor) -> torch.Tensor:
        """Return the negative log likelihood of the Student-t head."""
        df = MIN_DF + nn.functional.softplus(params[..., 2])
        z = (y[..., 0] - params[..., 0]) * torch.exp(-params[..., 1])
        step = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2)
        tail = (df + 1) / 2 * torch.log1p(z**2 / df)
        return ((params[..., 1] + 0.5 * torch.log(df * torch.pi) - step + tail) * weights).mean()

    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), training.learning_rate)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(training.ema_momentum)
    )

    def run(next_turn: Callable[[], bool]) -> None:
        while next_turn():
            network.train()
            for rows in torch.randperm(len(x)).split(training.batch_size):
                optimizer.zero_grad()
                loss = loss_of(y[rows], network(x[rows]))
                loss.backward()
                optimizer.step()
                averaged.update_parameters(network)
                float(loss.detach())
            averaged.eval()
            with torch.no_grad():
                for rows in torch.arange(len(x_val)).split(1024):
                    loss_of(y_val[rows], averaged(x_val[rows]))

    return run


def arrays_of(root: Path, case: str) -> list[np.ndarray]:
    """Return the windows and targets of train and val of a case, as arrays."""
    windows = windows_of(root, case)
    return [
        array
        for part in (windows.train, windows.val)
        for array in (
            np.concatenate([one.inputs for one in part]),
            np.concatenate([one.targets for one in part])[..., None],
        )
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(*sys.argv[2:])
    else:
        main()
