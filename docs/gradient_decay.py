"""Draw how the gradient decays towards earlier bars of a window, in a simple RNN and in an LSTM.

The gradient that reaches a bar limits what a network can learn from it: the norm of d loss / d x_t, by the
number of bars from t to the cutoff. It is averaged over the validation windows of the AAPL sample, relative
to that of the cutoff's own bar. One layer of 64 units, three seeds: before training, with Keras's initial
weights and with others, and after training from Keras's.

Run: python docs/gradient_decay.py [OUTPUT]
It writes docs/images/gradient_decay.png and prints the numbers; two minutes of one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lstm_stock.config import Config, load_config
from lstm_stock.network.tensorflow_setup import load_tensorflow
from lstm_stock.report.plots.style import DPI, STYLE

OUTPUT = Path(__file__).parent / "images" / "gradient_decay.png"
SEEDS = (0, 1, 2)
N_UNITS, N_EPOCHS = 64, 20
SETTINGS = (
    f"model.units=[{N_UNITS}]",
    "model.dense=[]",
    "model.dropout=0",
    f"training.epochs={N_EPOCHS}",
    "training.early_stopping=null",
    "training.reduce_lr=null",
)
LOWEST = 1e-8
"""Lower end of the y axis."""

Array: TypeAlias = NDArray[np.float64]


def as_built(weights: list[Any]) -> None:
    """Keep Keras's initial weights."""


def halved(weights: list[Any]) -> None:
    """Halve the RNN's recurrent weights: they are no longer a rotation."""
    weights[1] *= 0.5


def remembering(weights: list[Any]) -> None:
    """Start the LSTM's forget gates at sigma(4) = 0.98 instead of sigma(1) = 0.73."""
    weights[2][N_UNITS : 2 * N_UNITS] = 4


@dataclass(frozen=True)
class Case:
    """One curve: the cell, a change of its initial weights, whether it is trained, and the line."""

    cell: str
    start: Callable[[list[Any]], None]
    is_trained: bool
    color: str
    dashes: Any


CASES = {
    "rnn": Case("rnn", as_built, True, "#d55e00", (0, (6, 2))),
    "lstm": Case("lstm", as_built, True, "black", "-"),
    "rnn, recurrent weights halved": Case("rnn", halved, False, "#d55e00", (0, (1, 1.5))),
    "lstm, forget gates at 0.98": Case("lstm", remembering, False, "black", (0, (1, 1.5))),
}


def main() -> None:
    """Measure, print and draw."""
    load_tensorflow()
    before, after = measure()
    for stage, curves in (("before training", before), ("after training", after)):
        for name, lengths in curves.items():
            values = ", ".join(f"{lag}: {middle(lengths)[lag]:.1e}" for lag in (1, 5, 10, 20, 40, 59))
            print(f"{stage}, {name}, by bars before the cutoff: {values}")
    draw(before, after, Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)


def measure() -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the relative length of the gradient before and after training: a row a seed, a column a lag."""
    import keras

    from lstm_stock.dataset.build import windows_by_split
    from lstm_stock.dataset.loader import BarLoader
    from lstm_stock.dataset.series import window_spec
    from lstm_stock.dataset.split import split_of
    from lstm_stock.network.build import build_ensemble, build_network
    from lstm_stock.network.training import fit_network
    from lstm_stock.prices.fetch import fetch_prices
    from lstm_stock.prices.sources import SAMPLE_TICKER, FetchOptions
    from lstm_stock.prices.table import adjusted, days_of
    from lstm_stock.workflow.forecast import architecture_of

    table = adjusted(fetch_prices(SAMPLE_TICKER, FetchOptions("sample")).table)
    before: dict[str, list[Array]] = {}
    after: dict[str, list[Array]] = {}
    for name, case in CASES.items():
        for seed in SEEDS:
            config = load_config(None, [f"model.cell={case.cell}", f"seed={seed}", *SETTINGS])
            split = split_of(config.split, days_of(table))
            parts = windows_by_split([SAMPLE_TICKER], BarLoader(lambda _: table), window_spec(config), split)
            windows, targets = parts.val[0].inputs, parts.val[0].targets
            keras.utils.set_random_seed(seed)
            network = build_network(architecture_of(config))
            layer = network.get_layer(f"{case.cell}_1")
            weights = layer.get_weights()
            case.start(weights)
            layer.set_weights(weights)
            lengths = gradient_lengths(config, build_ensemble([network]), windows, targets)
            before.setdefault(name, []).append(lengths)
            if case.is_trained:
                fit = fit_network(
                    architecture_of(config), parts.train, parts.val, config.training, config.seed
                )
                lengths = gradient_lengths(config, fit.network, windows, targets)
                after.setdefault(name, []).append(lengths)
    return {name: np.stack(rows) for name, rows in before.items()}, {
        name: np.stack(rows) for name, rows in after.items()
    }


def gradient_lengths(config: Config, network: Any, windows: NDArray[Any], targets: NDArray[Any]) -> Array:
    """Return the mean length of d loss / d x_t over windows by lag, relative to that of lag 0."""
    import tensorflow as tf

    from lstm_stock.network.heads import training_loss

    x = tf.convert_to_tensor(windows)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = training_loss(config.model.head, config.window.horizon)(targets[..., None], network(x)[:, 0])
    # The loss is a mean over windows, each of which depends on its own bars alone.
    lengths = np.linalg.norm(tape.gradient(loss, x).numpy().astype(np.float64), axis=-1).mean(axis=0)[::-1]
    return lengths / lengths[0]


def middle(lengths: Array) -> Array:
    """Return the geometric mean over seeds."""
    return np.exp(np.log(np.maximum(lengths, 1e-300)).mean(axis=0))


def draw(before: dict[str, Array], after: dict[str, Array], path: Path) -> None:
    """Draw one panel before training and one after it."""
    with mpl.rc_context({**STYLE, "text.parse_math": True}):  # of powers of ten
        figure = Figure(figsize=(12, 5.8), dpi=DPI, layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        titles = ("Before training", f"After {N_EPOCHS} epochs, from Keras's start")
        for axes, curves, title in zip(panels, (before, after), titles, strict=True):
            for name, lengths in curves.items():
                case, lags = CASES[name], np.arange(lengths.shape[1])
                label = f"{name}, as Keras starts it" if case.is_trained and curves is before else name
                axes.plot(lags, middle(lengths), color=case.color, ls=case.dashes, lw=2.2, label=label)
                low, high = lengths.min(axis=0), lengths.max(axis=0)
                axes.fill_between(lags, low, high, color=case.color, alpha=0.18, lw=0)
            axes.set(xlabel="bars before the cutoff", yscale="log", xlim=(59, 0), ylim=(LOWEST, 5))
            axes.set_title(title)
            axes.legend(loc="lower left")
        panels[0].set_ylabel("length of d loss / d x, 1 at the cutoff")
        figure.suptitle(
            "How far the gradient reaches back is decided by how the weights start, not by the cell alone\n"
            f"AAPL, one layer of {N_UNITS}, mean and range of {len(SEEDS)} seeds",
            x=0.012,
            ha="left",
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


if __name__ == "__main__":
    main()
