"""What `fetch` does with a store and a source, with a simulated instrument in the source's place."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_stock.errors import DataError, SourceError, UnknownTickerError
from lstm_stock.prices.incremental import OVERLAP
from lstm_stock.prices.sources import SOURCES, Fetched, FetchOptions, SourceSpec
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import table_hash
from lstm_stock.prices.update import FetchResult, fetch_into
from tests.simulated_yahoo import Instrument, sessions

DAYS = sessions(dt.date(2015, 1, 1), dt.date(2017, 12, 29))


class FakeYahoo:
    """Stands in for the source `yahoo`; keeps what it was asked for."""

    def __init__(self, instrument: Instrument, today: dt.date) -> None:
        self.instrument = instrument
        self.today = today
        self.asked: list[tuple[dt.date | None, dt.date | None]] = []
        self.exchange: str | None = "XNYS"
        self.partial: dt.date | None = None
        self.change: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table

    def __call__(self, ticker: str, options: FetchOptions) -> Fetched:
        self.asked.append((options.start, options.end))
        if ticker != "X":
            raise UnknownTickerError(f"no {ticker}", "spell it right")
        table = self.change(self.instrument.visible(self.today))
        first, last = (
            pd.Timestamp(day or other)
            for day, other in ((options.start, "1900-01-01"), (options.end, "2100-01-01"))
        )
        table = table[(table.index >= first) & (table.index <= last)]
        if table.empty:
            raise SourceError("no prices", "other dates")
        partial = (
            self.partial
            if self.partial is not None and table.index[-1] == pd.Timestamp(self.partial)
            else None
        )
        if partial is not None and not options.include_partial:
            table, partial = table.iloc[:-1], None
        return Fetched(table, "USD", options.exchange or self.exchange, (), partial)

    @property
    def now(self) -> dt.datetime:
        """Late in the evening."""
        return dt.datetime.combine(self.today, dt.time(23), dt.UTC)


@pytest.fixture
def yahoo(monkeypatch) -> FakeYahoo:
    fake = FakeYahoo(Instrument(DAYS), DAYS[500])
    monkeypatch.setitem(SOURCES, "yahoo", SourceSpec("a fake", fake, is_incremental=True))
    return fake


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "data")


def fetch(
    yahoo: FakeYahoo, store: Store, start: str | None = None, end: str | None = None, **more
) -> FetchResult:
    first, last = (None if day is None else dt.date.fromisoformat(day) for day in (start, end))
    return fetch_into(store, "X", FetchOptions("yahoo", first, last, now=yahoo.now, **more))


def assert_stored(store: Store, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(store.read("X").table, expected, check_freq=False, check_exact=True)


# --- only what is new -------------------------------------------------------------------------------------------


def test_a_second_fetch_asks_for_the_new_days_and_an_overlap(yahoo, store):
    assert fetch(yahoo, store).n_new == 501
    yahoo.today = DAYS[503]
    done = fetch(yahoo, store)
    assert (done.n_new, done.notes) == (3, ())
    assert yahoo.asked == [(None, None), (DAYS[500 - OVERLAP + 1], None)]
    assert_stored(store, yahoo.instrument.visible(DAYS[503]))


def test_a_start_after_the_end_is_an_error(yahoo, store):
    with pytest.raises(DataError, match="start 2016-02-01 is after end 2016-01-01"):
        fetch(yahoo, store, "2016-02-01", "2016-01-01")
    assert yahoo.asked == []


def test_a_closed_range_that_is_there_is_not_asked_for(yahoo, store):
    fetch(yahoo, store, "2015-03-01", "2016-06-30")
    before = store.path("X").read_bytes()
    for start, end in (
        ("2015-03-01", "2016-06-30"),
        (None, "2016-06-30"),
        ("2015-04-01", "2015-05-01"),
        ("2015-02-28", "2016-06-30"),  # a Saturday: there is nothing to fill in
    ):
        done = fetch(yahoo, store, start, end)
        assert (done.was_requested, done.n_new) == (False, 0)
    assert len(yahoo.asked) == 1
    assert store.path("X").read_bytes() == before


def test_a_range_that_ends_on_a_holiday_is_closed_too(yahoo, store):
    fetch(yahoo, store, "2015-06-01", "2016-07-03")  # Friday 2016-07-01 is its last session, 07-04 a holiday
    assert not fetch(yahoo, store, None, "2016-07-04").was_requested
    assert fetch(yahoo, store, None, "2016-07-05").n_new == 1


def test_without_a_calendar_a_range_is_closed_once_it_was_answered(yahoo, store):
    yahoo.exchange = None
    fetch(yahoo, store, "2015-06-01", "2016-07-03")
    assert not fetch(yahoo, store, None, "2016-07-03").was_requested
    assert fetch(yahoo, store, None, "2016-07-05").was_requested


def test_a_range_up_to_today_is_never_closed(yahoo, store):
    fetch(yahoo, store)
    assert fetch(yahoo, store, None, f"{DAYS[500]}").was_requested
    assert fetch(yahoo, store).was_requested


def test_a_narrower_request_never_shrinks_the_store(yahoo, store):
    fetch(yahoo, store, "2015-03-01")
    whole = store.read("X").table
    for more in ({}, {"refresh": True}):
        fetch(yahoo, store, "2016-01-01", "2016-03-01", **more)
        assert_stored(store, whole)


def test_an_earlier_start_and_a_gap_are_filled_in(yahoo, store):
    fetch(yahoo, store, "2016-01-04", "2016-02-01")
    fetch(yahoo, store, "2015-06-01", "2015-07-01")
    everything = yahoo.instrument.visible(yahoo.today)
    assert_stored(store, everything.loc["2015-06-01":"2016-02-01"])
    fetch(yahoo, store, "2016-08-01", "2016-09-01")
    assert_stored(store, everything.loc["2015-06-01":"2016-09-01"])


def test_without_a_start_the_store_keeps_its_own(yahoo, store):
    fetch(yahoo, store, "2016-01-04")
    for more in ({}, {"refresh": True}):
        fetch(yahoo, store, **more)
        assert store.read("X").table.index[0] == pd.Timestamp("2016-01-04")


def test_refresh_asks_for_all(yahoo, store):
    fetch(yahoo, store, "2015-03-01", "2016-06-30")
    fetch(yahoo, store, None, "2016-06-30", refresh=True)
    assert yahoo.asked[1] == (dt.date(2015, 3, 1), dt.date(2016, 6, 30))


# --- the past changes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "word"),
    [("splits", "a split, or"), ("dividends", "a dividend, or"), ("tiny", "another dividend")],
)
def test_a_split_or_a_dividend_brings_everything_again(yahoo, store, event, word):
    fetch(yahoo, store)
    day = DAYS[503]
    if event == "splits":
        yahoo.instrument.splits[day] = 4.0
    else:
        yahoo.instrument.dividends[day] = 0.005 if event == "dividends" else 1e-7
    yahoo.today = DAYS[505]
    done = fetch(yahoo, store)
    assert word in done.notes[0]
    assert "all bars were fetched again" in done.notes[0]
    assert yahoo.asked[1:] == [(DAYS[500 - OVERLAP + 1], None), (None, None)]
    assert_stored(store, yahoo.instrument.visible(DAYS[505]))


def test_volume_that_is_adjusted_after_the_prices_brings_everything_again(yahoo, store):
    fetch(yahoo, store)
    split = DAYS[503]
    yahoo.instrument.splits[split] = 4.0
    yahoo.today = DAYS[505]
    yahoo.change = lambda table: table.assign(
        volume=table["volume"].where(table.index >= pd.Timestamp(split), table["volume"] / 4)
    )
    fetch(yahoo, store)
    yahoo.change = lambda table: table
    yahoo.today = DAYS[510]
    done = fetch(yahoo, store)
    assert "all bars were fetched again, because past bars changed: the volume of" in done.notes[0]
    assert_stored(store, yahoo.instrument.visible(DAYS[510]))


def test_a_corrected_volume_is_no_split(yahoo, store):
    fetch(yahoo, store)
    late = pd.Timestamp(DAYS[490])
    yahoo.change = lambda table: table.assign(
        volume=table["volume"].where(table.index != late, table["volume"] * 1.5) * 1.04
    )
    yahoo.today = DAYS[501]
    fetch(yahoo, store)
    assert len(yahoo.asked) == 2


def test_bars_are_neither_mixed_nor_lost_where_the_past_changed_and_some_are_gone(yahoo, store):
    fetch(yahoo, store)
    before = store.path("X").read_bytes()
    yahoo.instrument.splits[DAYS[503]] = 2.0
    yahoo.today = DAYS[505]
    yahoo.change = lambda table: table.iloc[300:]
    with pytest.raises(SourceError) as caught:
        fetch(yahoo, store)
    assert "no longer has 300 bars that the store has, the first of 2015-01-02" in caught.value.message
    assert "--refresh" in caught.value.hint
    assert store.path("X").read_bytes() == before
    fetch(yahoo, store, refresh=True)
    assert_stored(store, yahoo.instrument.visible(DAYS[505]).iloc[300:])


def test_a_bar_that_is_gone_stays_while_the_past_is_the_same(yahoo, store):
    fetch(yahoo, store)
    yahoo.instrument.holes.add(DAYS[490])
    yahoo.today = DAYS[502]
    done = fetch(yahoo, store)
    assert done.notes[0] == f"kept 1 bar that yahoo no longer has, the first of {DAYS[490]}"
    yahoo.instrument.holes.clear()
    assert_stored(store, yahoo.instrument.visible(DAYS[502]))


def test_rounding_below_a_dollar_is_no_change(yahoo, store):
    yahoo.instrument.start_price = 0.05
    yahoo.change = lambda table: table.round(6)
    fetch(yahoo, store)
    yahoo.change = lambda table: table.assign(
        **{name: table[name].round(6) + 1e-6 for name in ("open", "high", "low", "close", "adj_close")}
    )
    yahoo.today = DAYS[501]
    fetch(yahoo, store)
    assert len(yahoo.asked) == 2


# --- sessions ---------------------------------------------------------------------------------------------------


def test_a_missing_session_is_reported_requested_again_once(yahoo, store):
    hole = DAYS[100]
    yahoo.instrument.holes.add(hole)
    first = fetch(yahoo, store, None, f"{DAYS[450]}")
    assert first.notes == (f"1 session of XNYS without a bar: {hole}; the next fetch requests them again",)
    second = fetch(yahoo, store, None, f"{DAYS[450]}")
    assert yahoo.asked[1] == (hole, DAYS[450])
    assert second.notes == (f"1 session of XNYS without a bar: {hole}; a second request changed nothing",)
    assert store.read("X").provenance.notes == second.notes
    assert not fetch(yahoo, store, None, f"{DAYS[450]}").was_requested
    assert len(store.read("X").table) == 450, "nothing is filled in"


def test_a_session_that_comes_late_is_taken(yahoo, store):
    yahoo.instrument.holes.add(DAYS[100])
    fetch(yahoo, store)
    yahoo.instrument.holes.clear()
    yahoo.today = DAYS[501]
    done = fetch(yahoo, store)
    assert (done.n_new, done.notes) == (2, ())
    assert_stored(store, yahoo.instrument.visible(DAYS[501]))


def test_a_bar_without_a_session_is_reported_and_removed_with_the_source(yahoo, store):
    holiday = dt.date(2016, 12, 26)
    yahoo.instrument.days = sorted([*DAYS, holiday])
    yahoo.today = dt.date(2017, 1, 10)
    assert fetch(yahoo, store).notes == (
        f"1 bar on a day without a session of XNYS: {holiday}; the next fetch requests them again",
    )
    yahoo.instrument.days = DAYS
    yahoo.change = lambda table: table
    stored = store.read("X").table
    yahoo.change = lambda table: stored[stored.index != pd.Timestamp(holiday)]
    done = fetch(yahoo, store)
    assert done.notes == (f"removed 1 bar without a session, which yahoo no longer has: {holiday}",)
    assert pd.Timestamp(holiday) not in store.read("X").table.index


def test_no_fetch_is_announced_for_missing_sessions_of_a_file(store, tmp_path):
    path = tmp_path / "x.csv"
    rows = "".join(f"2020-01-{day:02},1,3,1,2,5\n" for day in (2, 3, 6, 8, 20))
    path.write_text("Date,Open,High,Low,Close,Volume\n" + rows)
    for _ in range(2):
        done = fetch_into(store, "X", FetchOptions("csv", csv_path=path, exchange="XNYS"))
        assert done.history.provenance.notes == (
            "8 sessions of XNYS without a bar: 2020-01-07, 2020-01-09, 2020-01-10 and 5 more; "
            "not requested again: the source csv is read completely each time",
            "1 bar on a day without a session of XNYS: 2020-01-20; "
            "not requested again: the source csv is read completely each time",
        )


def test_an_unknown_exchange_is_not_checked(yahoo, store):
    yahoo.exchange = None
    yahoo.instrument.holes.add(DAYS[100])
    assert fetch(yahoo, store).notes == ()


def test_an_exchange_that_was_named_stays(yahoo, store):
    yahoo.exchange = None
    fetch(yahoo, store, exchange="XNYS")
    yahoo.today = DAYS[501]
    fetch(yahoo, store)
    assert store.read("X").provenance.exchange == "XNYS"
    fetch(yahoo, store, end=f"{DAYS[400]}", exchange="XLON")
    assert store.read("X").provenance.exchange == "XLON"


def test_sessions_after_the_newest_bar_are_reported(yahoo, store):
    class Later(FakeYahoo):
        now = dt.datetime.combine(DAYS[503], dt.time(23), dt.UTC)

    yahoo.__class__ = Later
    assert fetch(yahoo, store).notes == (
        f"the newest bar is {DAYS[500]}, but 3 sessions of XNYS have ended since",
    )


def test_a_partial_bar_is_replaced_by_the_whole_one(yahoo, store):
    yahoo.partial = DAYS[500]
    yahoo.change = lambda table: table.assign(
        close=table["close"].where(table.index != table.index[-1], 98.0)
    )
    fetch(yahoo, store, include_partial=True)
    assert store.read("X").provenance.partial == f"{DAYS[500]}"
    assert store.read("X").table["close"].iloc[-1] == 98.0
    yahoo.change = lambda table: table
    yahoo.partial = None
    yahoo.today = DAYS[501]
    done = fetch(yahoo, store)
    assert (done.n_new, done.notes, len(yahoo.asked)) == (2, (), 2)
    assert_stored(store, yahoo.instrument.visible(DAYS[501]))
    assert store.read("X").provenance.partial is None


def test_a_partial_bar_goes_where_it_is_no_longer_wanted(yahoo, store):
    yahoo.partial = DAYS[500]
    fetch(yahoo, store, include_partial=True)
    fetch(yahoo, store)
    assert store.read("X").table.index[-1] == pd.Timestamp(DAYS[499])


# --- failures ---------------------------------------------------------------------------------------------------


def test_a_failure_leaves_the_store_as_it_was(yahoo, store):
    fetch(yahoo, store)
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}

    def fail(table: pd.DataFrame) -> pd.DataFrame:
        raise SourceError("no", "later")

    yahoo.change = fail
    yahoo.today = DAYS[501]
    with pytest.raises(SourceError):
        fetch(yahoo, store)
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before


def test_a_failure_before_there_is_a_store_makes_none(yahoo, store):
    with pytest.raises(UnknownTickerError):
        fetch_into(store, "NOPE", FetchOptions("yahoo", now=yahoo.now))
    assert not store.root.exists()
    fetch(yahoo, store)
    with pytest.raises(UnknownTickerError) as caught:
        fetch_into(store, "XX", FetchOptions("yahoo", now=yahoo.now))
    assert caught.value.message == "no XX; the store has X"
    assert [path.name for path in (store.root / "prices" / ".locks").iterdir()] == ["X.lock"]


def test_a_damaged_file_is_named_and_refresh_heals_it(yahoo, store):
    fetch(yahoo, store, "2015-06-01")
    store.path("X").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError) as caught:
        fetch(yahoo, store)
    assert str(store.path("X")) in caught.value.message
    assert "fetch X --refresh" in caught.value.hint
    fetch(yahoo, store, "2015-06-01", refresh=True)
    assert_stored(store, yahoo.instrument.visible(yahoo.today).loc["2015-06-01":])


def test_a_file_of_the_first_format_is_read_and_continued(yahoo, store):
    fetch(yahoo, store)
    arrow = pq.read_table(store.path("X"))
    facts = json.loads(arrow.schema.metadata[b"lstm_stock"]) | {"format": 1}
    for name in ("partial", "asked_again", "notes"):
        del facts[name]
    pq.write_table(arrow.replace_schema_metadata({b"lstm_stock": json.dumps(facts)}), store.path("X"))
    assert store.read("X").provenance.confirmed_mismatches == ()
    yahoo.today = DAYS[501]
    assert fetch(yahoo, store).n_new == 1


# --- any sequence -----------------------------------------------------------------------------------------------


@st.composite
def lives(draw) -> tuple[Instrument, list[int]]:
    """An instrument with random events, and the days on which it is fetched."""
    some_days = st.sampled_from(DAYS[1:260])
    return (
        Instrument(
            DAYS[:260],
            seed=draw(st.integers(0, 10**6)),
            start_price=draw(st.sampled_from([0.02, 0.9, 30.0, 4000.0])),
            splits=draw(st.dictionaries(some_days, st.sampled_from([2.0, 3.0, 1.5, 0.1, 20.0]), max_size=4)),
            dividends=draw(st.dictionaries(some_days, st.floats(1e-7, 0.05), max_size=8)),
        ),
        sorted(draw(st.lists(st.integers(5, 259), min_size=1, max_size=6))),
    )


requests = st.tuples(
    st.one_of(st.none(), st.integers(0, 259)), st.one_of(st.none(), st.integers(0, 259)), st.booleans()
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=lives(), data=st.data())
def test_any_sequence_of_partial_fetches_ends_in_the_table_of_one_full_fetch(tmp_path_factory, life, data):
    instrument, todays = life
    yahoo = FakeYahoo(instrument, DAYS[0])
    store = Store(tmp_path_factory.mktemp("any"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES, "yahoo", SourceSpec("a fake", yahoo, is_incremental=True))
        starts = []
        for today in todays:
            yahoo.today = DAYS[today]
            first, last, refresh = data.draw(requests)
            start = None if first is None else DAYS[first]
            end = None if last is None else DAYS[last]
            try:
                fetch_into(store, "X", FetchOptions("yahoo", start, end, refresh=refresh, now=yahoo.now))
            except (DataError, SourceError) as error:
                assert (
                    not isinstance(error, DataError)
                    or "after end" in error.message
                    or "one bar" in error.message
                )
                continue
            starts.append(start)
        if not starts:
            return
        fetch_into(store, "X", FetchOptions("yahoo", now=yahoo.now))
        named = [day for day in starts[1:] if day is not None]
        start = None if starts[0] is None else min([starts[0], *named])
        whole = Store(tmp_path_factory.mktemp("whole"))
        fetch_into(whole, "X", FetchOptions("yahoo", start, now=yahoo.now))
    pieces, full = store.read("X"), whole.read("X")
    assert pieces.table.index.equals(full.table.index)
    np.testing.assert_array_equal(pieces.table.to_numpy(), full.table.to_numpy())
    assert table_hash(pieces.table) == table_hash(full.table)
    assert pieces.provenance == replace(full.provenance, fetched_at=pieces.provenance.fetched_at)
