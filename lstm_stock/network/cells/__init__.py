"""Cells: functions that map a window to one vector.

To add one, write a function and one entry in `lstm_stock.config.cells.CELLS`.

- `recurrent`: rnn, lstm, gru, bilstm. `peephole`: an LSTM whose gates see the cell state.
- `attention`: an LSTM whose states are weighted. `transformer`: causal self-attention.
- `ntm`: an LSTM with a memory to read and write.
- `stacking`: layers on top of each other, with their regularisers.
"""
