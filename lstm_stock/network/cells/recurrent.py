"""Recurrent cells from layers of Keras: simple RNN, LSTM, GRU, bidirectional LSTM.

In the equations x_t are the features of bar t, h_t the output of the layer, C_t the cell state, sigma the logistic
function and * the product of elements. The first state is zero. m inputs, n units.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.stacking import lstm_layer, recurrent, stack


def rnn(x: Any, spec: Architecture) -> Any:
    """Stack simple recurrent layers.

    Elman 1990 (Cognitive Science 14): `h_t = tanh(W [h_{t-1}, x_t] + b)`. A layer has `(m + n + 1) n` parameters.
    Backpropagation multiplies the gradient by W and the slope of tanh at every bar, so it shrinks or grows
    exponentially (Bengio, Simard & Frasconi 1994, IEEE Trans. Neural Networks 5). Keras initialises the recurrent
    weights as an orthogonal matrix, which by itself does neither.
    """
    make = recurrent(spec.regularisers, layers.SimpleRNNCell, layers.SimpleRNN)
    return stack(x, spec, make, "rnn")


def lstm(x: Any, spec: Architecture) -> Any:
    """Stack LSTM layers.

    Hochreiter & Schmidhuber 1997 (Neural Computation 9) with the forget gate of Gers, Schmidhuber & Cummins 2000
    (Neural Computation 12):

        f_t = sigma(W_f [h_{t-1}, x_t] + b_f)      forget gate; b_f starts at 1
        i_t = sigma(W_i [h_{t-1}, x_t] + b_i)      input gate
        o_t = sigma(W_o [h_{t-1}, x_t] + b_o)      output gate
        C_t = f_t * C_{t-1} + i_t * tanh(W_C [h_{t-1}, x_t] + b_C)
        h_t = o_t * tanh(C_t)

    A layer has `4 (m + n + 1) n` parameters.
    """
    return stack(x, spec, recurrent(spec.regularisers, layers.LSTMCell, lstm_layer(spec)), "lstm")


def gru(x: Any, spec: Architecture) -> Any:
    """Stack gated recurrent units.

    Cho et al. 2014 (EMNLP), with the reset gate after the matrix product, the default of Keras:

        z_t = sigma(W_z [h_{t-1}, x_t] + b_z)      update gate
        r_t = sigma(W_r [h_{t-1}, x_t] + b_r)      reset gate
        h'_t = tanh(W_h x_t + b_h + r_t * (U_h h_{t-1} + c_h))
        h_t = z_t * h_{t-1} + (1 - z_t) * h'_t

    Keras adds a recurrent bias in all three, so a layer has `3 (m + n + 2) n` parameters.
    """
    return stack(x, spec, recurrent(spec.regularisers, layers.GRUCell, layers.GRU), "gru")


def bilstm(x: Any, spec: Architecture) -> Any:
    """Stack pairs of LSTM layers, one of which reads the window backwards; their outputs are concatenated.

    Schuster & Paliwal 1997 (IEEE Trans. Signal Processing 45); Graves & Schmidhuber 2005 (Neural Networks 18). The
    backward layer starts at the cutoff and ends at the first bar of the window, so it sees nothing after the
    cutoff. Each layer of the top pair returns its last output. A pair has `8 (m + n + 1) n` parameters and outputs
    2n numbers.
    """
    one_way = recurrent(spec.regularisers, layers.LSTMCell, lstm_layer(spec))

    def make(units: int, return_sequences: bool, name: str) -> Any:
        return layers.Bidirectional(one_way(units, return_sequences, "lstm"), merge_mode="concat", name=name)

    return stack(x, spec, make, "bilstm")
