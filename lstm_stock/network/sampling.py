"""Paths: how a network that forecasts one bar goes on to forecast many, by reading its own draws.

From the end of a window, each path draws a return from the forecast of the next bar, feeds it back as if it had
come, and so on to the horizon (Graves 2013, arXiv:1308.0850, section 2). The network's states after the window are
computed once; a path then costs one step of each cell a bar. The volatility that returns are measured in is
followed along each path, as it is along the real prices.

The forecast of bar k is the mixture, over all paths, of the distributions that the network gives for bar k after
a path's first k - 1 bars. So the first bar's needs no draw at all, and a later one's is smoother than the ends of
the paths (conditional Monte Carlo; Asmussen & Glynn 2007, Stochastic Simulation, chapter V). Every step of the
horizon ends as the log probability of each bin, in units of trailing volatility x sqrt(k), as if the network had
output it: see `lstm_stock.distributions.Binned`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lstm_stock.dataset.volatility import next_volatility
from lstm_stock.distributions.binned import bin_edges, reference_quantile
from lstm_stock.network.token import log_softmax

Array = NDArray[np.float64]

LAST_STEPS = 8
"""Values, evenly spread, that stand for the distribution in which a path ends."""

PREFIX_BATCH = 64
"""Windows read at once, always as many: with another number the last bits of the states may differ."""

ROWS = 4096
"""Paths that go on at once, about, likewise."""


@dataclass(frozen=True)
class Sampling:
    """How paths are drawn.

    Attributes:
        n_paths: Of each window.
        temperature: What the logits are divided by: below 1 likely tokens become likelier, above 1 all become
            alike (Ackley, Hinton & Sejnowski 1985, Cognitive Science 9).
        seed: Of the random numbers, which are the same for all windows: the forecast of one does not depend on
            which others are asked for.
    """

    n_paths: int
    temperature: float
    seed: int


@dataclass(frozen=True)
class PathStart:
    """Where windows end.

    Attributes:
        inputs: The windows, shape `(n_windows, look_back, 1)`: log returns in units of the volatility known the
            day before.
        volatility: The trailing volatility at each cutoff, shape `(n_windows,)`.
        n_returns: How many returns it is the average of, shape `(n_windows,)`.
    """

    inputs: NDArray[np.float32]
    volatility: Array
    n_returns: NDArray[np.int64]

    def take(self, rows: NDArray[np.intp]) -> PathStart:
        """Return some of the windows."""
        return PathStart(self.inputs[rows], self.volatility[rows], self.n_returns[rows])


@dataclass(frozen=True)
class PathState:
    """Where paths stand before their next bar; the first axes are `(n_windows, n_paths)`.

    Before the first bar all paths of a window stand together, and there is only one.

    Attributes:
        log_probability: Of each next token, shape `(n_windows, n_paths, n_tokens)`.
        log_return: Since the cutoff.
        volatility: What the next return is measured in.
    """

    log_probability: Array
    log_return: Array
    volatility: Array


def uniforms(n_paths: int, horizon: int, seed: int) -> Array:
    """Return numbers that fill the unit cube evenly, shape `(n_paths, horizon)`: column k draws bar k.

    Scrambled Sobol' points (Owen 1998, Journal of Complexity 14): each is uniform, and together they leave fewer
    gaps than independent ones, so that fewer paths will do.
    """
    from scipy.stats import qmc  # takes a second to import, and only this needs it

    sequence = qmc.Sobol(horizon, scramble=True, seed=np.random.default_rng(seed))
    points = sequence.random_base2((n_paths - 1).bit_length())
    # 0 itself, the lower end of the lowest bin, would be minus infinity.
    return np.asarray(np.clip(points[:n_paths], 2.0**-33, 1 - 2.0**-33), np.float64)


def forecast_paths(
    network: keras.Model, start: PathStart, horizon: int, sampling: Sampling
) -> NDArray[np.float32]:
    """Forecast every step of the horizon with a network that outputs the next bar only.

    Args:
        network: Members with the cell `token` and the head `vocabulary`, joined by `build_ensemble`.
        start: Where the windows end.
        horizon: Steps to forecast.
        sampling: How paths are drawn; member i draws from the seed `seed + i`.

    Returns:
        Log probabilities of the bins, shape `(n_windows, n_members, horizon, n_tokens)`, to be read as `Params`.
    """
    parts = []
    for i in range(network.output_shape[1]):
        draws = uniforms(sampling.n_paths, horizon, sampling.seed + i)
        parts.append(
            _forecast_member(network.get_layer(f"member_{i + 1}"), start, draws, sampling.temperature)
        )
    return np.stack(parts, axis=1)


def _forecast_member(
    member: keras.Model, start: PathStart, draws: Array, temperature: float
) -> NDArray[np.float32]:
    """Return the log probabilities of the bins, shape `(n_windows, horizon, n_tokens)`."""
    batches = []
    for batch, stands in walk(member, start, draws, temperature):
        steps = [
            stand.log_probability[:, 0]
            if k == 1
            else _average(stand, batch.volatility * np.sqrt(k), draws[:, k - 1])
            for k, stand in enumerate(stands, start=1)
        ]
        batches.append(np.stack(steps, axis=1).astype(np.float32))
    return np.concatenate(batches)[: len(start.inputs)]


def walk(
    member: keras.Model, start: PathStart, draws: Array, temperature: float
) -> Iterator[tuple[PathStart, Iterator[PathState]]]:
    """Let paths go on from windows, some windows at a time.

    Args:
        member: One network.
        start: Where the windows end.
        draws: Numbers from 0 to 1, shape `(n_paths, horizon)`; the last column is not used.
        temperature: What the logits are divided by.

    Yields:
        Windows, in their order, and for each bar of the horizon where their paths stand before it. The last ones
        repeat the last window until they are as many as always.
    """
    n_windows = len(start.inputs)
    prefix, one_bar = _prefix(member), _one_bar(member)
    logits, *states = _read(prefix, start.inputs)
    size = max(1, ROWS // len(draws))
    for first in range(0, n_windows, size):
        rows = np.minimum(np.arange(first, first + size), n_windows - 1)
        now = [logits[rows], *(state[rows] for state in states)]
        yield start.take(rows), _stands(one_bar, start.take(rows), now, draws, temperature)


def _stands(
    one_bar: keras.Model,
    start: PathStart,
    now: list[NDArray[np.float32]],
    draws: Array,
    temperature: float,
) -> Iterator[PathState]:
    n_windows, (n_paths, horizon) = len(start.inputs), draws.shape
    logits, *states = now
    volatility, travelled = start.volatility[:, None], np.zeros((n_windows, 1))
    for k in range(1, horizon + 1):
        shape = (*volatility.shape, logits.shape[-1])
        stand = PathState(log_softmax(logits.reshape(shape) / temperature), travelled, volatility)
        yield stand
        if k == horizon:
            return
        which, y = draw(stand.log_probability, draws[:, k - 1 : k])
        log_return = volatility * y[..., 0]
        travelled = travelled + log_return
        volatility = next_volatility(volatility, log_return, start.n_returns[:, None] + k - 1)
        if k == 1:  # from here on each path is alone
            states = [np.repeat(state, n_paths, axis=0) for state in states]
        logits, *states = one_bar.predict_on_batch([which.reshape(-1, 1), *states])


def draw(log_probability: Array, levels: Array) -> tuple[NDArray[np.int32], Array]:
    """Return tokens and returns at given probabilities: the quantiles of `Binned`.

    One number decides both which token, and where inside its bin.

    Args:
        log_probability: Of the tokens, shape `(n_windows, n_paths or 1, n_tokens)`.
        levels: Probabilities, between 0 and 1, shape `(n_paths, n_levels)`.

    Returns:
        Each of shape `(n_windows, n_paths, n_levels)`.
    """
    n_tokens = log_probability.shape[-1]
    cumulative = np.cumsum(np.exp(log_probability), axis=-1)
    which = np.zeros(
        (*np.broadcast_shapes(cumulative.shape[:-1], levels.shape[:1]), levels.shape[1]), np.int32
    )
    for i in range(n_tokens - 1):
        which += cumulative[..., i : i + 1] <= levels
    shape = (*which.shape[:-1], n_tokens)
    above = np.take_along_axis(np.broadcast_to(cumulative, shape), which, axis=-1)
    inside = np.exp(np.take_along_axis(np.broadcast_to(log_probability, shape), which, axis=-1))
    # A token that a level falls into has a probability; the last digits may still put the share outside of it.
    share = np.clip(1 - (above - levels) / np.maximum(inside, 1e-300), 1e-9, 1 - 1e-9)
    return which, _quantile((which + share) / n_tokens)


def _average(stand: PathState, unit: Array, levels: Array) -> Array:
    """Return the log probabilities of the bins for the average path, shape `(n_windows, n_tokens)`.

    What a path's last distribution gives to each bin is counted with a few of its quantiles. A further path that
    is as likely to end in any bin keeps every probability positive, so that no outcome is impossible.

    Args:
        stand: Where the paths stand before the last bar.
        unit: What the return since the cutoff is measured in, shape `(n_windows,)`.
        levels: A number from 0 to 1 for each path, shape `(n_paths,)`: the quantiles are at `(i + level) / 8`.
    """
    n_windows, n_paths, n_tokens = stand.log_probability.shape
    spread = (np.arange(LAST_STEPS) + levels[:, None]) / LAST_STEPS
    y = draw(stand.log_probability, spread)[1]
    ends = (stand.log_return[..., None] + stand.volatility[..., None] * y) / unit[:, None, None]
    which = np.searchsorted(bin_edges(n_tokens), ends.reshape(n_windows, -1), side="right")
    which += n_tokens * np.arange(n_windows)[:, None]
    counts = np.bincount(which.ravel(), minlength=n_windows * n_tokens).reshape(n_windows, n_tokens)
    return np.asarray(np.log((counts / LAST_STEPS + 1 / n_tokens) / (n_paths + 1)), np.float64)


TABLE = 2**14
"""Intervals of the table that `_quantile` reads from."""


@lru_cache(maxsize=1)
def _table() -> tuple[Array, Array]:
    u = np.linspace(0, 1, TABLE + 1)
    return u, reference_quantile(np.clip(u, 1e-12, 1 - 1e-12))


def _quantile(u: Array) -> Array:
    """Return `reference_quantile`, five times as fast: read from a table, but for the outer hundredth."""
    y = np.interp(u, *_table())
    outer = (u < 0.005) | (u > 0.995)
    y[outer] = reference_quantile(u[outer])
    return np.asarray(y, np.float64)


@lru_cache(maxsize=8)  # compiling takes longer than reading a few windows
def _prefix(member: keras.Model) -> keras.Model:
    """Build what reads a window: to the logits, and the states of every recurrent layer."""
    states = [state for layer in _recurrent(member) for state in layer.output[1:]]
    return keras.Model(member.input, [member.output, *states])


@lru_cache(maxsize=8)
def _one_bar(member: keras.Model) -> keras.Model:
    """Build what reads one more token, with the weights of `member`: from states to logits and the new states."""
    which = keras.Input((1,), dtype="int32", name="which")
    x, inputs, outputs = member.get_layer("embedding")(which), [], []
    for layer in _recurrent(member):
        before = [keras.Input(state.shape[1:]) for state in layer.output[1:]]
        x, *after = layer(x, initial_state=before)
        inputs += before
        outputs += after
    for layer in member.layers:
        if isinstance(layer, keras.layers.Dense):
            x = layer(x)
    return keras.Model([which, *inputs], [x, *outputs])


def _recurrent(member: keras.Model) -> list[Any]:
    return [layer for layer in member.layers if isinstance(layer, keras.layers.RNN)]


def _read(prefix: keras.Model, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return logits `(n_windows, n_tokens)` and states of all windows, read in batches of one size."""
    n_windows = len(inputs)
    rows = np.minimum(np.arange(-(-n_windows // PREFIX_BATCH) * PREFIX_BATCH), n_windows - 1)
    logits, *states = prefix.predict(inputs[rows], batch_size=PREFIX_BATCH, verbose=0)
    return [logits[:n_windows, 0], *(state[:n_windows] for state in states)]
