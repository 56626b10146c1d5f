"""Dividends of a price table, and those that a forecast takes off."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from lstm_stock.errors import ConfigError
from lstm_stock.prices.dividends import DividendsAhead, dividends_ahead, payments
from tests.helpers import AAPL_DIVIDENDS, random_prices

SESSIONS = pd.bdate_range("2022-02-04", "2022-02-10")


def paying(n_bars: int = 2000, end: str = "2022-02-03") -> pd.DataFrame:
    """Random prices that pay Apple's dividends, with the adjusted close of Yahoo."""
    table = random_prices(n_bars)
    table.index = pd.bdate_range(end=end, periods=n_bars, unit="s", name="date")
    paid = pd.Series(AAPL_DIVIDENDS)
    paid.index = pd.to_datetime(paid.index)
    table["dividends"] = paid.reindex(table.index, fill_value=0.0)
    # Each earlier price is multiplied by 1 - dividend / close of the day before the ex-date.
    factor = 1 - table["dividends"] / table["close"].shift(fill_value=1.0)
    later = factor.iloc[::-1].cumprod().iloc[::-1].shift(-1, fill_value=1.0)
    table["adj_close"] = table["close"] * later
    return table


def test_payments_are_those_of_the_column():
    days, amounts = payments(paying())
    known = {day: amount for day, amount in AAPL_DIVIDENDS.items() if day <= "2022-02-03"}
    assert dict(zip(days.astype(str).tolist(), amounts.tolist(), strict=True)) == known


@pytest.mark.parametrize("digits", [6, 12])
def test_payments_of_a_table_with_an_adjusted_close_alone(digits):
    table = paying()
    days, amounts = payments(table)
    table["dividends"] = 0.0
    table["adj_close"] = table["adj_close"].round(digits)
    inferred_days, inferred = payments(table)
    assert inferred_days.tolist() == days.tolist()
    np.testing.assert_allclose(inferred, amounts, atol=1e-4)


def test_rounded_prices_pay_no_dividends():
    table = paying()
    table["dividends"] = 0.0
    table[["close", "adj_close"]] /= 10
    table["adj_close"] = table["adj_close"].round(2)
    assert len(payments(table)[0]) == 0
    assert len(payments(random_prices(300))[0]) == 0


def test_a_reliable_dividend_is_taken_off_from_its_ex_date_on():
    ahead = dividends_ahead(paying(), SESSIONS, None)
    (one,) = ahead.usual
    assert (str(one.ex_date), one.amount, ahead.known, ahead.possible) == ("2022-02-04", 0.22, {}, ())
    assert ahead.taken_off(SESSIONS).tolist() == [0.22] * 5
    # After the Wednesday before, the ex-date is the third session.
    early = pd.bdate_range("2022-02-02", periods=5)
    assert (
        dividends_ahead(paying(end="2022-02-01"), early, None).taken_off(early).tolist()
        == [0, 0] + [0.22] * 3
    )


def test_a_dividend_that_may_fall_outside_is_not_taken_off():
    # Expected on 2022-02-04, within a day: that day may be the last session or the one after.
    sessions = pd.bdate_range("2022-02-02", "2022-02-04")
    ahead = dividends_ahead(paying(end="2022-02-01"), sessions, None)
    assert ahead.usual == ()
    assert [str(one.ex_date) for one in ahead.possible] == ["2022-02-04"]
    assert not ahead.taken_off(sessions).any()
    # Expected within a week.
    sessions = pd.bdate_range("2023-08-03", periods=20)
    ahead = dividends_ahead(paying(end="2023-08-02"), sessions, None)
    assert (ahead.usual, [one.uncertainty for one in ahead.possible]) == ((), [7])
    # One that should have come yesterday may still come.
    sessions = pd.bdate_range("2022-02-07", periods=5)
    late = paying(end="2022-02-04")
    late.loc["2022":, "dividends"] = 0.0
    ahead = dividends_ahead(late, sessions, None)
    assert (ahead.usual, [str(one.ex_date) for one in ahead.possible]) == ((), ["2022-02-04"])


def test_known_dividends_replace_the_usual_ones():
    known = {dt.date(2022, 2, 8): 1.0, dt.date(2022, 2, 10): 0.5}
    ahead = dividends_ahead(paying(), SESSIONS, known)
    assert ahead == DividendsAhead(known, (), ())
    assert ahead.taken_off(SESSIONS).tolist() == [0, 0, 1.0, 1.0, 1.5]
    assert not dividends_ahead(paying(), SESSIONS, {dt.date(2022, 2, 4): 0.0}).taken_off(SESSIONS).any()


@pytest.mark.parametrize(
    ("day", "amount", "message"),
    [
        ("2022-02-05", 1.0, "Sat 2022-02-05 is no session of the forecast, Fri 2022-02-04 to Thu 2022-02-10"),
        ("2022-02-11", 1.0, "Fri 2022-02-11 is not in the horizon of the forecast"),
        ("2022-02-03", 1.0, "Thu 2022-02-03 is not in the horizon of the forecast"),
        ("2022-02-04", 1e6, "got 1e+06, expected less than the last close"),
    ],
)
def test_a_known_dividend_that_cannot_be_taken_off(day, amount, message):
    with pytest.raises(ConfigError) as error:
        dividends_ahead(paying(), SESSIONS, {dt.date.fromisoformat(day): amount})
    assert message in error.value.message
    assert error.value.hint
