"""Covariates: the last value known at each close, by the calendars of both exchanges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.config import load_config
from lstm_stock.config.covariates import COVARIATE_FEATURES
from lstm_stock.dataset.build import build_dataset, covariates_of
from lstm_stock.dataset.covariates import MAX_AGE, Covariate
from lstm_stock.dataset.series import apply_ticker, fit_ticker, window_spec
from lstm_stock.dataset.split import Split
from lstm_stock.errors import UnusableTickerError
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.table import PriceHistory, PriceProvenance, adjusted, days_of, table_hash
from lstm_stock.workflow.leakcheck.covariates import BEFORE_ALL, last_known
from lstm_stock.workflow.leakcheck.training import Prices
from tests.conftest import TINY
from tests.helpers import random_prices

NAMES = tuple(f"^VIX.{name}" for name in COVARIATE_FEATURES)


def bars_on(dates: list[str]) -> pd.DataFrame:
    """Bars whose close is the day of the month."""
    index = pd.DatetimeIndex(dates, name="date").as_unit("s")
    close = index.day.to_numpy(np.float64)
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), close), index=index)


def known(
    covariate: pd.DataFrame, exchange: str | None, dates: list[str], of_ticker: str | None
) -> list[float]:
    """The closes of a covariate that are known at the closes of some dates."""
    table = Covariate.of("^VIX", covariate, exchange, ["^VIX.log_close"])
    days = np.array(dates, "datetime64[D]")
    return np.exp(table.known_at(days, of_ticker)[:, 0]).round(6).tolist()


# New York: 1 to 5 July 2024 without the 4th, a holiday, and with an early close on the 3rd (17:00 UTC).
WEEK = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05"]
NAN = pytest.approx(np.nan, nan_ok=True)


@pytest.mark.parametrize(
    ("exchange", "of_ticker", "dates", "expected"),
    [
        # The same exchange: the same day.
        ("XNYS", "XNYS", WEEK, [1, 2, 3, 5]),
        # Tokyo's Tuesday ends before New York's begins; its Thursday knows Wednesday's.
        ("XNYS", "XTKS", ["2024-07-01", "2024-07-02", "2024-07-04", "2024-07-05"], [NAN, 1, 3, 3]),
        # London ends four hours before New York, and an hour and a half before the early close.
        ("XNYS", "XLON", ["2024-07-02", "2024-07-03", "2024-07-04", "2024-07-05"], [1, 2, 3, 3]),
        # New York knows Tokyo's day, and London's.
        ("XTKS", "XNYS", WEEK, [1, 2, 3, 5]),
        ("XLON", "XNYS", WEEK, [1, 2, 3, 5]),
        # Options on an index end at 16:15, a quarter of an hour after stocks; on the 3rd stocks end at 13:00.
        ("XCBF", "XNYS", WEEK, [1, 2, 2, 5]),
        # Futures end an hour after stocks, which is too late.
        ("CMES", "XNYS", WEEK, [NAN, 1, 2, 3]),
        # A market that never closes ends its day at midnight, UTC, after New York.
        ("XNYS", "24/7", [*WEEK, "2024-07-06"], [1, 2, 3, 5, 5]),
        ("24/7", "XNYS", WEEK, [NAN, 1, 2, 3]),
        # Of an unknown exchange: the same day if the other is unknown as well, else the day before.
        (None, None, WEEK, [1, 2, 3, 5]),
        (None, "XNYS", WEEK, [NAN, 1, 2, 3]),
        (None, "XTKS", WEEK, [NAN, 1, 2, 3]),
        (None, "24/7", WEEK, [NAN, 1, 2, 3]),
        ("XNYS", None, WEEK, [NAN, 1, 2, 3]),
        ("XTKS", None, WEEK, [NAN, 1, 2, 3]),
        # A date without a session: what was known when it began.
        ("XNYS", "XTKS", ["2024-07-06"], [5]),
    ],
)
def test_the_value_known_at_a_close_follows_from_both_calendars(exchange, of_ticker, dates, expected):
    assert known(bars_on(WEEK), exchange, dates, of_ticker) == expected


CODES = ["XNYS", "XTKS", "XLON", "XCBF", "CMES", "24/7", None]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(CODES), st.sampled_from(CODES), st.integers(0, 2**31))
def test_two_computations_of_what_is_known_agree(exchange, of_ticker, seed):
    random = np.random.default_rng(seed)
    table = random_prices(30, start="2023-10-20")
    some, others = (table.iloc[np.sort(random.choice(30, 25, replace=False))] for _ in range(2))
    covariate, ticker = history("^VIX", some, exchange), history("AAA", others, of_ticker)
    one = Covariate.of("^VIX", adjusted(some), exchange, ["^VIX.log_close"])
    for day in days_of(others):
        newest, _ = one.newest_known(day, of_ticker)
        assert (BEFORE_ALL if newest is None else newest) == last_known(covariate, ticker, day)


def test_missing_bars_are_filled_for_five_sessions_and_noted():
    sessions = pd.bdate_range("2024-03-04", "2024-03-28", unit="s")  # no holiday of New York
    missing = [*sessions[2:4], *sessions[8:14]]
    table = bars_on([str(day.date()) for day in sessions if day not in missing])
    found = known(table, "XNYS", [str(day.date()) for day in sessions], "XNYS")
    expected = [float(day.day) for day in sessions]
    expected[2:4] = [5.0, 5.0]
    expected[8:14] = [13.0] * MAX_AGE + [NAN]
    assert found == expected
    one = Covariate.of("^VIX", table, "XNYS", ["^VIX.log_close"])
    np.testing.assert_array_equal(
        one.missing(sessions.to_numpy().astype("datetime64[D]")), np.array(missing, "datetime64[D]")
    )


def test_the_last_bar_is_used_for_five_more_sessions():
    table = bars_on(["2024-03-27", "2024-03-28"])  # Easter: no session until Monday, the 1st
    later = ["2024-03-28", "2024-04-01", "2024-04-05", "2024-04-08", "2025-01-02"]
    assert known(table, "XNYS", later, "XNYS") == [28, 28, 28, NAN, NAN]
    one = Covariate.of("^VIX", table, "XNYS", ["^VIX.log_close"])
    assert one.newest_known(np.datetime64("2024-04-03"), "XNYS") == (np.datetime64("2024-03-28"), 3)
    assert one.newest_known(np.datetime64("2024-03-26"), "XNYS") == (None, 0)


def test_holidays_of_the_covariate_are_not_missing():
    table = bars_on(["2024-02-07", "2024-02-08", "2024-02-19"])  # Shanghai, New Year's week
    days = [str(day.date()) for day in pd.bdate_range("2024-02-08", "2024-02-20")]
    assert known(table, "XSHG", days, "XNYS")[:7] == [8.0] * 7
    one = Covariate.of("^VIX", table, "XSHG", ["^VIX.log_close"])
    assert len(one.missing(np.array(days, "datetime64[D]"))) == 1  # the 20th, after its last bar
    assert known(table, None, days, None)[:7] == [8.0] * 6 + [
        NAN
    ]  # Monday to Friday, if the exchange is unknown


# --- features ---------------------------------------------------------------------------------------------------


def history(ticker: str, table: pd.DataFrame, exchange: str | None = "XNYS") -> PriceHistory:
    origin = PriceProvenance(
        "csv", "2024-01-01T00:00:00+00:00", None, None, "USD", exchange, table_hash(table)
    )
    return PriceHistory(ticker, table, origin)


def test_features_are_those_of_the_formulas():
    table = random_prices(120, seed=5)
    one = Covariate.of("^VIX", adjusted(table), "XNYS", NAMES)
    row = 119
    values = dict(
        zip(COVARIATE_FEATURES, one.values[np.searchsorted(one.sessions, days_of(table)[row])], strict=True)
    )
    logs = np.log(table["close"].to_numpy())
    returns = np.diff(logs)
    units = []
    for i in range(20, row):  # the return of bar i + 1 in units of the volatility of bar i
        weights = 0.94 ** np.arange(i)
        units.append(returns[i] / np.sqrt(np.average(returns[:i][::-1] ** 2, weights=weights)))
    newest_first = np.array(units[::-1])
    assert values["log_close"] == logs[row]
    assert values["log_close_change"] == pytest.approx(logs[row] - logs[row - 21 : row + 1].mean())
    assert values["log_return"] == pytest.approx(newest_first[0])
    for name, half_life in (("trend_2", 2), ("trend_10", 10)):
        weights = 0.5 ** (np.arange(len(units)) / half_life)
        assert values[name] == pytest.approx(np.average(newest_first, weights=weights))
    weights = 0.94 ** np.arange(row)
    volatility = np.sqrt(np.average(returns[::-1] ** 2, weights=weights))
    assert values["log_trailing_vol"] == pytest.approx(np.log(volatility))


@pytest.mark.parametrize("of_ticker", ["XNYS", "XTKS"])
def test_bars_after_a_cutoff_change_no_value_before_it(of_ticker):
    table = adjusted(random_prices(200, seed=6))
    days = days_of(table)
    whole = Covariate.of("^VIX", table, "XNYS", NAMES)
    for n in (90, 150):
        lag = 0 if of_ticker == "XNYS" else 1
        cut = Covariate.of("^VIX", table.iloc[: n - lag], "XNYS", NAMES)
        np.testing.assert_array_equal(cut.known_at(days[:n], of_ticker), whole.known_at(days[:n], of_ticker))


# --- datasets ---------------------------------------------------------------------------------------------------


CONFIG = load_config(
    None,
    [
        *TINY[1::2],
        "data.tickers=[AAA,TYO]",
        "data.covariates=[^VIX,AAA]",
        "features=[log_return,^VIX.log_close,AAA.trend_2]",
        "data.start=null",
        "data.end=null",
    ],
)


def reader_of(**tables: tuple[pd.DataFrame, str | None]) -> PriceReader:
    names = {"VIX": "^VIX"}
    histories = {names.get(key, key): history(names.get(key, key), *value) for key, value in tables.items()}
    return PriceReader(CONFIG.data, Prices(histories))


def test_a_dataset_has_the_covariates_that_each_ticker_knows():
    vix = random_prices(420, seed=3)
    tables = {"AAA": (random_prices(420, seed=1), "XNYS"), "TYO": (random_prices(420, seed=2), "XTKS")}
    notes: list[str] = []
    reader = reader_of(**tables, VIX=(vix, "XNYS"))
    dataset = build_dataset(CONFIG, reader, notes.append)
    assert notes == []
    new_york, tokyo = (dataset.loader.adjusted(ticker) for ticker in ("AAA", "TYO"))
    np.testing.assert_array_equal(new_york["^VIX.log_close"], np.log(vix["close"]))
    np.testing.assert_array_equal(tokyo["^VIX.log_close"].iloc[1:], np.log(vix["close"]).iloc[:-1])
    for series in dataset.windows.series:
        assert series.fitted.scaler.features == CONFIG.features
        assert np.isfinite(series.inputs[series.first :]).all()


def test_notes_on_missing_bars_and_on_unknown_exchanges():
    vix = random_prices(420, seed=3)
    tables = {"AAA": (random_prices(420, seed=1), "XNYS"), "TYO": (random_prices(420, seed=2), None)}
    kept = vix.drop(vix.index[[200, 201, 300]])
    found = notes_of(reader_of(**tables, VIX=(kept, "XNYS")))
    assert "covariate ^VIX has no bar on 3 sessions" in found[0]
    assert f"from {vix.index[200]:%F} to {vix.index[300]:%F}" in found[0]
    assert found[1] == (
        "the exchange of 1 of 2 tickers is unknown: ^VIX of the day before is used (fetch with `--exchange`)"
    )
    found = notes_of(reader_of(**tables, VIX=(vix.iloc[30:], None)))
    assert found[0] == f"the covariate ^VIX begins on {vix.index[30]:%F}: earlier bars are warm-up"
    assert "the exchanges of the covariate ^VIX and of 1 of 2 tickers are unknown" in found[1]
    assert "the exchange of the covariate ^VIX is unknown: ^VIX of the day before" in found[2]


def notes_of(reader: PriceReader) -> list[str]:
    covariates = covariates_of(CONFIG, reader)
    assert covariates is not None
    return [
        text
        for text in covariates.notes(CONFIG.data.tickers, reader.dates(CONFIG.data.tickers))
        if "AAA" not in text
    ]


def test_a_covariate_that_ends_early_or_has_a_gap_is_an_error_that_names_it():
    vix, table = random_prices(420, seed=3), random_prices(420, seed=1)
    split = Split(days_of(table)[300], days_of(table)[360])
    spec = window_spec(CONFIG)
    for kept in (vix.iloc[:410], vix.drop(vix.index[200:210])):
        loader = build_loader(table, kept)
        with pytest.raises(
            UnusableTickerError, match=r"`\^VIX.log_close` has no value for AAA on .* bar"
        ) as caught:
            fit_ticker("AAA", loader, spec, split)
        assert "fetch ^VIX again" in caught.value.hint
    fitted = fit_ticker("AAA", build_loader(table, vix), spec, split).fitted
    after_gap = apply_ticker("AAA", build_loader(table, vix.drop(vix.index[200:210])), spec, fitted)
    assert after_gap.first == 210


def build_loader(table: pd.DataFrame, vix: pd.DataFrame) -> pd.DataFrame:
    """The bars of AAA with the columns of its covariates."""
    covariates = covariates_of(CONFIG, reader_of(AAA=(table, "XNYS"), VIX=(vix, "XNYS")))
    assert covariates is not None
    return covariates.with_columns("AAA", adjusted(table))
