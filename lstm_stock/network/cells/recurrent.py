"""Recurrent cells that Keras has: the simple RNN, LSTM, GRU, and the LSTM that reads from both ends.

In the equations x_t are the features of bar t, h_t what the layer outputs, C_t what it keeps to itself, sigma the
logistic function and * the product of elements. The first state is zero. m inputs, n units.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.stacking import recurrent, stack


def rnn(x: Any, shape: Architecture) -> Any:
    """Stack simple recurrent layers.

    Elman 1990 (Cognitive Science 14): `h_t = tanh(W [h_{t-1}, x_t] + b)`. A layer has `(m + n + 1) n` parameters.
    On its way back the gradient passes through W and tanh at every bar, so it shrinks or grows like a power
    (Bengio, Simard & Frasconi 1994, IEEE Trans. Neural Networks 5). Keras starts the recurrent weights as a
    rotation, which by itself does neither.
    """
    make = recurrent(shape.regularisers, layers.SimpleRNNCell, layers.SimpleRNN)
    return stack(x, shape, make, "rnn")


def lstm(x: Any, shape: Architecture) -> Any:
    """Stack LSTM layers.

    Hochreiter & Schmidhuber 1997 (Neural Computation 9) with the forget gate of Gers, Schmidhuber & Cummins 2000
    (Neural Computation 12):

        f_t = sigma(W_f [h_{t-1}, x_t] + b_f)      what to keep; b_f starts at 1
        i_t = sigma(W_i [h_{t-1}, x_t] + b_i)      what to let in
        o_t = sigma(W_o [h_{t-1}, x_t] + b_o)      what to show
        C_t = f_t * C_{t-1} + i_t * tanh(W_C [h_{t-1}, x_t] + b_C)
        h_t = o_t * tanh(C_t)

    A layer has `4 (m + n + 1) n` parameters.
    """
    return stack(x, shape, recurrent(shape.regularisers, layers.LSTMCell, layers.LSTM), "lstm")


def gru(x: Any, shape: Architecture) -> Any:
    """Stack gated recurrent units.

    Cho et al. 2014 (EMNLP), with the reset gate after the product, as Keras has it by default:

        z_t = sigma(W_z [h_{t-1}, x_t] + b_z)      what to keep
        r_t = sigma(W_r [h_{t-1}, x_t] + b_r)      what to look back at
        h'_t = tanh(W_h x_t + b_h + r_t * (U_h h_{t-1} + c_h))
        h_t = z_t * h_{t-1} + (1 - z_t) * h'_t

    Keras gives the former state a bias of its own in all three, so a layer has `3 (m + n + 2) n` parameters.
    """
    return stack(x, shape, recurrent(shape.regularisers, layers.GRUCell, layers.GRU), "gru")


def bilstm(x: Any, shape: Architecture) -> Any:
    """Stack pairs of LSTM layers, one of which reads the window backwards; outputs stand side by side.

    Schuster & Paliwal 1997 (IEEE Trans. Signal Processing 45); Graves & Schmidhuber 2005 (Neural Networks 18). The
    backward layer begins at the cutoff and ends at the window's first bar: both stay inside the window, so nothing
    after the cutoff is seen. Of the top pair each gives the state at its own end. A pair has `8 (m + n + 1) n`
    parameters and outputs 2n numbers.
    """
    one_way = recurrent(shape.regularisers, layers.LSTMCell, layers.LSTM)

    def make(units: int, every_bar: bool, name: str) -> Any:
        return layers.Bidirectional(one_way(units, every_bar, "lstm"), merge_mode="concat", name=name)

    return stack(x, shape, make, "bilstm")
