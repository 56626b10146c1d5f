"""Cells: the part of a network that maps a window to one vector.

To add one, write a function and one entry in `lstm_stock.config.cells.CELLS`. `base` has the interface.

- `recurrent`: rnn, lstm, gru, bilstm. `peephole`: an LSTM whose gates see the cell state.
- `attention`: an LSTM whose outputs are averaged with learnt weights. `transformer`: causal self-attention.
- `ntm`: an LSTM with a memory. `token/`: a language model of returns.
- `stacking`: stacked layers and their regularisers.
"""
