"""Forecast a horizon by simulation with a network that outputs the distribution of the next bar only.

From the end of a window, each path draws a return from the forecast of the next bar, feeds it back as if it had
been observed, and so on to the horizon (Graves 2013, arXiv:1308.0850, section 2). The network's states after
the window are computed once; a path then costs one step of each layer per bar. The volatility that returns are
measured in is updated along each path as it is along observed prices.

The forecast of bar k is the mixture, over all paths, of the distributions that the network outputs for bar k
after the first k - 1 bars of a path. So the first bar needs no draw, and the forecast of a later one is
smoother than the histogram of the paths' ends (conditional Monte Carlo; Asmussen & Glynn 2007, Stochastic
Simulation, chapter V). Every step of the horizon becomes the log probability of each bin, in units of trailing
volatility x sqrt(k): see `lstm_stock.distributions.Binned`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lstm_stock.dataset.volatility import Array, next_volatility
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions.binned import bin_edges, reference_quantile
from lstm_stock.network.architecture import Architecture, Params, Sampling
from lstm_stock.network.cells.token.head import log_softmax

QUANTILES_PER_PATH = 8
"""Evenly spaced quantiles that represent the distribution of the last bar of a path."""

PREFIX_BATCH = 64
"""Windows per batch, the last batch padded: another batch size may change the last bits of the states."""

ROWS = 4096
"""Approximate number of paths per batch, padded likewise."""


@dataclass(frozen=True)
class PathStart:
    """The windows from which paths start.

    Attributes:
        inputs: The windows, shape `(n_windows, look_back, 1)`: log returns in units of the volatility known the
            day before.
        volatility: The trailing volatility at each cutoff, shape `(n_windows,)`.
        n_returns: How many returns that volatility averages, shape `(n_windows,)`.
    """

    inputs: NDArray[np.float32]
    volatility: Array
    n_returns: NDArray[np.int64]

    @classmethod
    def of(cls, windows: Windows) -> PathStart:
        """Start paths at the cutoffs of windows."""
        # The row of a bar is the number of returns up to it.
        volatility = windows.series.volatility_scale[windows.cutoffs].astype(np.float64)
        return cls(windows.inputs, volatility, windows.cutoffs)

    def take(self, rows: NDArray[np.intp]) -> PathStart:
        """Return the windows at `rows`."""
        return PathStart(self.inputs[rows], self.volatility[rows], self.n_returns[rows])


@dataclass(frozen=True)
class PathState:
    """The state of simulated paths before their next bar; arrays start with axes `(n_windows, n_paths)`.

    Before the first bar the paths of a window are all equal, and `n_paths` is 1.

    Attributes:
        log_probability: Of each next token, shape `(n_windows, n_paths, n_tokens)`.
        log_return: Since the cutoff.
        volatility: The unit of the next return.
    """

    log_probability: Array
    log_return: Array
    volatility: Array


def forecast(network: keras.Model, windows: Windows, spec: Architecture) -> Params:
    """Forecast every step of the horizon from windows: see `lstm_stock.network.cells.base.Cell`."""
    return forecast_paths(network, PathStart.of(windows), spec.horizon, spec.sampling)


def uniforms(n_paths: int, horizon: int, seed: int) -> Array:
    """Return numbers that fill the unit cube evenly, shape `(n_paths, horizon)`: column k draws bar k.

    Scrambled Sobol' points (Owen 1998, Journal of Complexity 14): each is uniform, and together they leave smaller
    gaps than independent points, so that fewer paths suffice.
    """
    from scipy.stats import qmc  # takes a second to import, and only this function needs it

    sequence = qmc.Sobol(horizon, scramble=True, seed=np.random.default_rng(seed))
    points = sequence.random_base2((n_paths - 1).bit_length())
    # 0 itself, the lower end of the lowest bin, would be minus infinity.
    return np.asarray(np.clip(points[:n_paths], 2.0**-33, 1 - 2.0**-33), np.float64)


def forecast_paths(network: keras.Model, start: PathStart, horizon: int, sampling: Sampling) -> Params:
    """Forecast every step of the horizon with a network that outputs the next bar only.

    Args:
        network: Members of the token cell, joined by `build_ensemble`.
        start: The windows, `n_windows` of them.
        horizon: Steps to forecast.
        sampling: How paths are drawn; member i draws with the seed `seed + i`.

    Returns:
        Log probabilities of the bins, shape `(n_windows, n_members, horizon, n_tokens)`.
    """
    members = []
    for i in range(network.output_shape[1]):
        u = uniforms(sampling.n_paths, horizon, sampling.seed + i)
        member = network.get_layer(f"member_{i + 1}")
        members.append(_forecast_member(member, start, u, sampling.temperature))
    return np.stack(members, axis=1)


def _forecast_member(
    member: keras.Model, start: PathStart, u: Array, temperature: float
) -> NDArray[np.float32]:
    """Return the log probabilities of the bins, shape `(n_windows, horizon, n_tokens)`."""
    batches = []
    for batch, states in simulate(member, start, u, temperature):
        steps = [
            state.log_probability[:, 0]
            if k == 1
            else _mean_over_paths(state, batch.volatility * np.sqrt(k), u[:, k - 1])
            for k, state in enumerate(states, start=1)
        ]
        batches.append(np.stack(steps, axis=1).astype(np.float32))
    return np.concatenate(batches)[: len(start.inputs)]


def simulate(
    member: keras.Model, start: PathStart, u: Array, temperature: float
) -> Iterator[tuple[PathStart, Iterator[PathState]]]:
    """Simulate paths from windows, one batch of windows at a time.

    Args:
        member: One network.
        start: The windows.
        u: Numbers from 0 to 1, shape `(n_paths, horizon)`; the last column is not used.
        temperature: Divisor of the logits.

    Yields:
        A batch of windows, in their order, and the state of their paths before each bar of the horizon. The last
        batch repeats the last window until it is full.
    """
    n_windows = len(start.inputs)
    prefix, one_bar = _prefix(member), _one_bar(member)
    logits, *layer_states = _read(prefix, start.inputs)
    size = max(1, ROWS // len(u))
    for first in range(0, n_windows, size):
        rows = np.minimum(np.arange(first, first + size), n_windows - 1)
        outputs = [logits[rows], *(state[rows] for state in layer_states)]
        yield start.take(rows), _path_states(one_bar, start.take(rows), outputs, u, temperature)


def _path_states(
    one_bar: keras.Model,
    start: PathStart,
    outputs: list[NDArray[np.float32]],
    u: Array,
    temperature: float,
) -> Iterator[PathState]:
    """Yield the state of the paths before each bar, from the logits and layer states after the windows."""
    n_windows, (n_paths, horizon) = len(start.inputs), u.shape
    logits, *layer_states = outputs
    volatility, total = start.volatility[:, None], np.zeros((n_windows, 1))
    for k in range(1, horizon + 1):
        shape = (*volatility.shape, logits.shape[-1])
        state = PathState(log_softmax(logits.reshape(shape) / temperature), total, volatility)
        yield state
        if k == horizon:
            return
        token, y = draw(state.log_probability, u[:, k - 1 : k])
        log_return = volatility * y[..., 0]
        total = total + log_return
        volatility = next_volatility(volatility, log_return, start.n_returns[:, None] + k - 1)
        if k == 1:  # from here on the paths of a window differ
            layer_states = [np.repeat(state, n_paths, axis=0) for state in layer_states]
        logits, *layer_states = one_bar.predict_on_batch([token.reshape(-1, 1), *layer_states])


def draw(log_probability: Array, probabilities: Array) -> tuple[NDArray[np.int32], Array]:
    """Return the quantiles of `Binned` at given probabilities, and the tokens that they fall into.

    One number decides both the token and the place inside its bin.

    Args:
        log_probability: Of the tokens, shape `(n_windows, n_paths or 1, n_tokens)`.
        probabilities: Between 0 and 1, shape `(n_paths, n_draws)`.

    Returns:
        Tokens and returns, each of shape `(n_windows, n_paths, n_draws)`.
    """
    n_tokens = log_probability.shape[-1]
    cumulative = np.cumsum(np.exp(log_probability), axis=-1)
    token = np.zeros(
        (*np.broadcast_shapes(cumulative.shape[:-1], probabilities.shape[:1]), probabilities.shape[1]),
        np.int32,
    )
    for i in range(n_tokens - 1):
        token += cumulative[..., i : i + 1] <= probabilities
    shape = (*token.shape[:-1], n_tokens)
    upper = np.take_along_axis(np.broadcast_to(cumulative, shape), token, axis=-1)
    width = np.exp(np.take_along_axis(np.broadcast_to(log_probability, shape), token, axis=-1))
    # A chosen token has a positive probability; rounding may still put the share outside 0 to 1.
    share = np.clip(1 - (upper - probabilities) / np.maximum(width, 1e-300), 1e-9, 1 - 1e-9)
    return token, _reference_quantile((token + share) / n_tokens)


def _mean_over_paths(state: PathState, unit: Array, u: Array) -> Array:
    """Return the log probabilities of the bins, averaged over paths, shape `(n_windows, n_tokens)`.

    A few quantiles represent the distribution of each path's last bar. One additional path with equal
    probabilities keeps every bin positive, so that no outcome is impossible.

    Args:
        state: The paths before the last bar.
        unit: The unit of the return since the cutoff, shape `(n_windows,)`.
        u: A number from 0 to 1 for each path, shape `(n_paths,)`: the quantiles are at `(i + u) / 8`.
    """
    n_windows, n_paths, n_tokens = state.log_probability.shape
    probabilities = (np.arange(QUANTILES_PER_PATH) + u[:, None]) / QUANTILES_PER_PATH
    y = draw(state.log_probability, probabilities)[1]
    ends = (state.log_return[..., None] + state.volatility[..., None] * y) / unit[:, None, None]
    bins = np.searchsorted(bin_edges(n_tokens), ends.reshape(n_windows, -1), side="right")
    bins += n_tokens * np.arange(n_windows)[:, None]
    counts = np.bincount(bins.ravel(), minlength=n_windows * n_tokens).reshape(n_windows, n_tokens)
    return np.asarray(np.log((counts / QUANTILES_PER_PATH + 1 / n_tokens) / (n_paths + 1)), np.float64)


TABLE_INTERVALS = 2**14
"""Intervals of the table in `_reference_quantile`."""


@lru_cache(maxsize=1)
def _table() -> tuple[Array, Array]:
    u = np.linspace(0, 1, TABLE_INTERVALS + 1)
    return u, reference_quantile(np.clip(u, 1e-12, 1 - 1e-12))


def _reference_quantile(u: Array) -> Array:
    """Return `reference_quantile(u)`, from a table except in the outer hundredth: five times as fast."""
    y = np.interp(u, *_table())
    outer = (u < 0.005) | (u > 0.995)
    y[outer] = reference_quantile(u[outer])
    return np.asarray(y, np.float64)


@lru_cache(maxsize=8)  # compiling takes longer than reading a few windows
def _prefix(member: keras.Model) -> keras.Model:
    """Build the model from a window to the logits and the states of every recurrent layer."""
    states = [state for layer in _recurrent(member) for state in layer.output[1:]]
    return keras.Model(member.input, [member.output, *states])


@lru_cache(maxsize=8)
def _one_bar(member: keras.Model) -> keras.Model:
    """Build the model from one token and states to logits and new states, with the weights of `member`."""
    token = keras.Input((1,), dtype="int32", name="token")
    x, inputs, outputs = member.get_layer("embedding")(token), [], []
    for layer in _recurrent(member):
        before = [keras.Input(state.shape[1:]) for state in layer.output[1:]]
        x, *after = layer(x, initial_state=before)
        inputs += before
        outputs += after
    for layer in member.layers:
        if isinstance(layer, keras.layers.Dense):
            x = layer(x)
    return keras.Model([token, *inputs], [x, *outputs])


def _recurrent(member: keras.Model) -> list[Any]:
    return [layer for layer in member.layers if isinstance(layer, keras.layers.RNN)]


def _read(prefix: keras.Model, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return logits `(n_windows, n_tokens)` and states after all windows, computed in batches of one size."""
    n_windows = len(inputs)
    rows = np.minimum(np.arange(-(-n_windows // PREFIX_BATCH) * PREFIX_BATCH), n_windows - 1)
    logits, *states = prefix.predict(inputs[rows], batch_size=PREFIX_BATCH, verbose=0)
    return [logits[:n_windows, 0], *(state[:n_windows] for state in states)]
