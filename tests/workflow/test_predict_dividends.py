"""Dividends in the prices of `predict`, in its table, its JSON and its figure."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lstm_stock.cli.app import parse_dividends
from lstm_stock.errors import ConfigError
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, table_hash
from lstm_stock.report import plots
from tests.conftest import Trained
from tests.helpers import AAPL_DIVIDENDS, assert_fits

PRICES = ["y_pred", *(f"{side}_{level}" for level in (50, 80, 90, 95) for side in ("lo", "hi"))]


@pytest.fixture(scope="module")
def paying(trained: Trained, tmp_path_factory) -> tuple[str, ...]:
    """Options of a store where the sample pays Apple's dividends."""
    history = Store(trained.data).read("AAPL")
    table = history.table.copy()
    for day, amount in AAPL_DIVIDENDS.items():
        table.loc[day, "dividends"] = amount
    folder = tmp_path_factory.mktemp("paying")
    provenance = history.provenance.__class__(**{**vars(history.provenance), "hash": table_hash(table)})
    Store(folder).write(PriceHistory("AAPL", table, provenance))
    return ("--data-dir", str(folder), "--runs-dir", str(trained.runs))


def rows(answer) -> pd.DataFrame:
    return pd.DataFrame(json.loads(answer.out))


def test_a_given_dividend_lowers_the_prices_from_its_ex_date_on(cli, trained: Trained):
    plain = rows(cli("predict", "--format", "json", *trained.options))
    assert plain["dividend"].tolist() == [0, 0, 0]
    given = ("--dividend", "2024-01-03=0.24", "--dividend", "2024-01-04=1.5")
    lower = rows(cli("predict", *given, "--format", "json", *trained.options))
    assert lower["dividend"].tolist() == pytest.approx([0, 0.24, 1.74])
    taken = np.array([[0], [0.24], [1.74]]) * np.ones(len(PRICES))
    np.testing.assert_allclose(plain[PRICES] - lower[PRICES], taken, rtol=0, atol=1e-9)
    table = cli("predict", *given, *trained.options)
    assert_fits(table)
    assert "1.74" in table.out
    assert "AAPL: from Wed 2024-01-03 on, prices are less the dividend of 0.24" in table.err


def test_a_dividend_whose_date_is_reliable_is_taken_off_and_named(cli, paying):
    options = ("--cutoff", "2022-02-03", *paying)
    answer = cli("predict", "--format", "json", *options)
    assert rows(answer)["dividend"].tolist() == [0.22] * 3
    total = rows(cli("predict", "--dividend", "2022-02-04=0", "--format", "json", *options))
    np.testing.assert_allclose(total[PRICES] - rows(answer)[PRICES], 0.22)
    assert (
        "usual dividend of 0.22, expected on that date (off by at most 1 day" in cli("predict", *options).err
    )


def test_a_dividend_whose_date_is_unreliable_is_named_and_not_taken_off(cli, paying):
    answer = cli("predict", "--cutoff", "2023-08-02", "--format", "json", *paying)
    assert not rows(answer)["dividend"].any()
    assert "AAPL: a dividend of about 0.24 is usual around Fri 2023-08-04, give or take 7 days" in answer.err
    assert "dividend of" not in cli("predict", "--cutoff", "2023-06-30", *paying).err


def test_the_figure_shows_the_prices_of_the_table(cli, trained: Trained, tmp_path, monkeypatch):
    drawn, draw = [], plots.forecast_fan
    monkeypatch.setattr(plots, "forecast_fan", lambda *args: drawn.append(args) or draw(*args))
    monkeypatch.setattr(plots, "save_figure", lambda *_: [])
    given = ("--dividend", "2024-01-03=0.24")
    assert cli("plot", *given, "--output", tmp_path, *trained.options).code == 0
    table = rows(cli("predict", *given, "--format", "json", *trained.options))
    ((recent, fan, *_),) = drawn
    np.testing.assert_allclose(fan[[*PRICES, "dividend"]], table[[*PRICES, "dividend"]])
    assert recent["close"].tolist() == Store(trained.data).read("AAPL").table["close"].tolist()


def test_a_dividend_needs_a_ticker_where_there_are_several():
    with pytest.raises(ConfigError) as error:
        parse_dividends(["2024-01-03=1"], ["AAPL", "MSFT"])
    assert "got 2 tickers, expected one" in error.value.message
    assert error.value.hint == "name it, such as AAPL"
    assert parse_dividends(["2024-01-03=1"], ["MSFT"]) is not None
    assert parse_dividends([], ["AAPL", "MSFT"]) is None
