"""Hostile and odd frames into the session: nothing raises, nothing is guessed, everything is counted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.catalog import market_list
from adapters.simulated.session import MarketSession, UserSession
from models.book import YES_ASK, BookLost, BookSnapshot, BookUpdate, NotReady
from models.clock import BootNs
from models.market import BookModel

AT = BootNs(1_000_000_000)
MARKETS = market_list(2, BookModel.SEPARATE, 0)
NAMES = [market.market_id for market in MARKETS]
SNAPSHOT = {
    "type": "snapshot",
    "market_id": NAMES[0],
    "seq": 4,
    "ts": 1_795_334_400_000,
    "status": "open",
    "yes": {"bids": [["0.46", "120"]], "asks": [["0.48", "0.5"]]},
    "no": {"bids": [], "asks": [["0.53", "12"]]},
}
DELTA = {
    "type": "delta",
    "market_id": NAMES[0],
    "seq": 5,
    "ts": 1_795_334_400_100,
    "changes": [["yes_ask", "0.48", "0"], ["no_bid", "0.51", "7.25"]],
}


def a_session() -> MarketSession:
    return MarketSession(MARKETS, 3)


def frame(base: dict[str, object], **changes: object) -> bytes:
    return json.dumps({**base, **changes}).encode()


def test_a_snapshot_and_a_delta_become_exact_integers() -> None:
    session = a_session()

    snapshot, status = session.on_text(frame(SNAPSHOT), AT)
    (update,) = session.on_text(frame(DELTA), AT)

    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.yes_bids, snapshot.yes_asks) == (((460_000, 120_000_000),), ((480_000, 500_000),))
    assert (snapshot.no_bids, snapshot.no_asks, snapshot.seq) == ((), ((530_000, 12_000_000),), 4)
    assert type(status).__name__ == "StatusChanged"
    assert isinstance(update, BookUpdate)
    assert update.changes == ((YES_ASK, 480_000, 0), (2, 510_000, 7_250_000))
    assert (update.seq, update.generation, update.whole, update.exchange_ms) == (5, 3, True, 1_795_334_400_100)


BAD_DELTAS = [
    {"changes": [["yes_ask", "1.00", "1"]]},
    {"changes": [["yes_ask", "0", "1"]]},
    {"changes": [["yes_ask", "0.4800001", "1"]]},
    {"changes": [["yes_ask", "１.５", "1"]]},
    {"changes": [["yes_ask", "1_0", "1"]]},
    {"changes": [["yes_ask", "NaN", "1"]]},
    {"changes": [["yes_ask", "4e-1", "1"]]},
    {"changes": [["yes_ask", "0.48", "-1"]]},
    {"changes": [["sideways", "0.48", "1"]]},
    {"changes": [["yes_ask", 0.48, "1"]]},
    {"changes": "none"},
    {"seq": "5"},
    {"seq": None},
    {"ts": 1.5},
]


@pytest.mark.parametrize("change", BAD_DELTAS)
def test_a_delta_that_cannot_be_true_loses_its_book_only(change: dict[str, object]) -> None:
    session = a_session()

    (event,) = session.on_text(frame(DELTA, **change), AT)

    assert isinstance(event, BookLost)
    assert (event.market_id, event.reason) == (NAMES[0], NotReady.BAD_FRAME)
    assert session.counts.failed == 1
    assert list(session.outgoing()) == ['{"op":"resubscribe","markets":["fed-cut-dec"]}']
    assert list(session.outgoing()) == [], "asked once"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[]", b'{"a":1}{"b":2}', b"null", b"[" * 100_000, b'{"type":5}'],
)
def test_bytes_that_say_nothing_lose_every_book(raw: bytes) -> None:
    session = a_session()

    events = session.on_text(raw, AT)

    assert [event.market_id for event in events] == NAMES
    assert session.counts.failed == 1


def test_an_unknown_type_is_counted_and_changes_nothing() -> None:
    session = a_session()

    assert session.on_text(b'{"type":"lottery","market_id":"fed-cut-dec"}', AT) == ()
    assert (session.counts.unknown, session.counts.failed) == (1, 0)


def test_a_market_that_was_not_asked_for_is_counted_and_ignored() -> None:
    session = a_session()

    assert session.on_text(frame(SNAPSHOT, market_id="cup-bears"), AT) == ()
    assert session.on_text(frame(DELTA, market_id="cup-bears"), AT) == ()
    assert session.counts.foreign == 2


def test_extra_fields_are_ignored() -> None:
    session = a_session()

    assert len(session.on_text(frame(DELTA, more={"deep": [1]}), AT)) == 1


def test_a_hole_in_the_numbers_asks_for_a_snapshot_once() -> None:
    session = a_session()
    session.on_text(frame(SNAPSHOT), AT)
    session.on_text(frame(DELTA, seq=7), AT)
    session.on_text(frame(DELTA, seq=8), AT)
    session.on_text(frame(DELTA, seq=6), AT)

    assert len(session.outgoing()) == 1
    assert session.outgoing() == ()


def test_a_status_is_told_once_until_it_changes() -> None:
    session = a_session()

    told = [len(session.on_text(frame(SNAPSHOT, status=s), AT)) for s in ("open", "open", "paused", "paused", "open")]

    assert told == [2, 1, 2, 1, 2]


def test_a_status_that_nobody_knows_is_a_failure() -> None:
    session = a_session()

    (event,) = session.on_text(frame(SNAPSHOT, status="on_fire"), AT)

    assert isinstance(event, BookLost)


@given(st.binary(max_size=200))
def test_no_bytes_make_a_session_raise(raw: bytes) -> None:
    a_session().on_text(raw, AT)
    UserSession().on_text(raw, AT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([SNAPSHOT, DELTA]), st.sampled_from(sorted({*SNAPSHOT, *DELTA})), JSON)
def test_no_field_makes_a_session_raise(base: dict[str, object], key: str, value: object) -> None:
    events = a_session().on_text(frame(base, **{key: value}), AT)

    assert isinstance(events, tuple)
