"""The number of parameters of the network that a config describes, counted without TensorFlow."""

from __future__ import annotations

from lstm_stock.config.cells import CELLS, TOKEN_WIDTH
from lstm_stock.config.heads import HEADS
from lstm_stock.config.schema import Config


def count_params(config: Config) -> int:
    """Count the parameters of ticker embedding, cell, dense layers, head and shortcut.

    >>> count_params(Config())
    121615
    """
    model, spec = config.model, CELLS[config.model.cell]
    n_columns = len(config.columns)
    n_params, width = spec.count(n_columns + model.ticker_embedding, model.units)
    n_tickers = len(config.data.tickers) + 1  # one more for tickers not trained on
    n_params += n_tickers * model.ticker_embedding
    per_step = HEADS[model.head].n_params
    if per_step is None:  # one logit and one embedding per token
        per_step = model.vocabulary
        n_params += TOKEN_WIDTH * model.vocabulary
    n_outputs = per_step * (1 if spec.one_step else config.window.horizon)
    if model.shortcut == "linear":
        n_params += (n_columns + 1) * n_outputs
    for n in (*model.dense, n_outputs):
        n_params += (width + 1) * n
        width = n
    return n_params


def with_cell(config: Config, cell: str) -> Config:
    """Return a config with another cell and what that cell requires; the rest stays.

    Settings that only the former cell required return to their defaults.

    >>> config = with_cell(Config(), "token")
    >>> config.features, config.model.head, with_cell(config, "lstm") == Config()
    (('log_return',), 'vocabulary', True)
    """
    former, spec, defaults = CELLS[config.model.cell], CELLS[cell], Config()
    head = defaults.model.head if former.head else config.model.head
    embedding = config.model.ticker_embedding if spec.has_ticker else 0
    model = {"cell": cell, "head": spec.head or head, "ticker_embedding": embedding}
    settings = {key: getattr(defaults, key) for key in former.requires} | dict(spec.requires)
    return config.model_copy(update={**settings, "model": config.model.model_copy(update=model)})
