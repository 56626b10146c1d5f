"""The token cell: a language model of returns, whose tokens are bins of a Student-t.

- `cell`: embedding and LSTM layers. `head`: the probability of each token, and the loss.
- `sampling`: the forecast of a horizon from a network that outputs the next bar only.

A return in units of the volatility known the day before, `y_t = r_t / sigma_{t-1}`, becomes a *token*: the
number of its bin, of n bins to which a Student-t with 5 degrees of freedom and unit variance gives equal
probability (see `lstm_stock.distributions.Binned`). The edges are fixed, so nothing is fitted. As in a text
generator, each token is embedded (Bengio et al. 2003, Journal of Machine Learning Research 3), recurrent layers
read the sequence, and a softmax gives the probability of the next token (Graves 2013, arXiv:1308.0850, section
2). Before training all tokens are about equally likely: the forecast starts near the reference distribution,
scaled by the EWMA volatility.
"""
