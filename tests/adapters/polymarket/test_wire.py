"""Frames in, domain events out: the documented shapes, the recorded ones, and what no venue should send."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polymarket.wire import FrameDecoder
from models.book import NO_ASK, NO_BID, UNSAID, YES_BID, BookLost, BookSnapshot, BookUpdate, NotReady
from models.clock import MS, BootNs
from models.market import Market, Outcome
from models.messages import MarketResolved, TickChanged
from tests.adapters.polymarket.examples import a_market

AT = BootNs(7 * MS)


def entry(token: str, side: str, price: str, size: str = "10", **more: str) -> dict[str, str]:
    return {"asset_id": token, "side": side, "price": price, "size": size, "hash": "9c1f", **more}


def price_change(market: Market, *entries: dict[str, str], timestamp: str = "1795334400456") -> dict[str, Any]:
    return {
        "market": market.market_id,
        "price_changes": list(entries),
        "timestamp": timestamp,
        "event_type": "price_change",
    }


def book(market: Market, token: str, *, timestamp: str = "1795334400123", **more: Any) -> dict[str, Any]:
    levels = {
        "bids": [{"price": "0.47", "size": "120"}, {"price": ".48", "size": "30.5"}],
        "asks": [{"price": "0.53", "size": "60"}, {"price": "0.52", "size": "25"}],
    }
    return {"event_type": "book", "market": market.market_id, "asset_id": token, "timestamp": timestamp} | levels | more


def decode(decoder: FrameDecoder, frame: object) -> list[Any]:
    return list(decoder.decode(json.dumps(frame).encode(), AT))


def test_both_mirrored_entries_of_a_price_change_travel_in_one_update(market: Market) -> None:
    decoder = FrameDecoder([market], 3)

    events = decode(
        decoder,
        price_change(
            market,
            entry("11", "BUY", "0.48", "10.5", best_bid="0.48", best_ask="0.52"),
            entry("12", "SELL", "0.52", "10.5", best_bid="0.48", best_ask="0.52"),
        ),
    )

    assert events == [
        BookUpdate(
            market_id=market.market_id,
            generation=3,
            changes=((YES_BID, 480_000, 10_500_000), (NO_ASK, 520_000, 10_500_000)),
            whole=True,
            exchange_ms=1_795_334_400_456,
            received_at=AT,
            lag_ms=0,
            claimed=(480_000, 520_000, 480_000, 520_000),
        )
    ]


def test_a_price_change_of_one_token_speaks_for_that_outcome_only(market: Market) -> None:
    (event,) = decode(FrameDecoder([market], 1), price_change(market, entry("12", "BUY", "0.4", "0")))

    assert event.changes == ((NO_BID, 400_000, 0),)
    assert not event.whole
    assert event.claimed is None


@pytest.mark.parametrize(("best_bid", "best_ask"), [("0", "1"), ("0.00", "1.000"), ("1", "0")])
def test_the_sentinels_of_an_empty_side_become_none(market: Market, best_bid: str, best_ask: str) -> None:
    (event,) = decode(
        FrameDecoder([market], 1),
        price_change(market, entry("11", "BUY", "0.48", "0", best_bid=best_bid, best_ask=best_ask)),
    )

    assert event.claimed == (None, None, UNSAID, UNSAID)


def test_the_last_word_of_a_token_on_its_best_prices_counts(market: Market) -> None:
    (event,) = decode(
        FrameDecoder([market], 1),
        price_change(
            market,
            entry("11", "BUY", "0.48", best_bid="0.48", best_ask="0.52"),
            entry("11", "BUY", "0.49", best_bid="0.49", best_ask="0.52"),
            entry("11", "SELL", "0.51", best_bid="0.49", best_ask="0.51"),
        ),
    )

    assert event.claimed == (490_000, 510_000, UNSAID, UNSAID)


def test_books_of_both_tokens_of_one_instant_become_one_snapshot(market: Market, other_market: Market) -> None:
    decoder = FrameDecoder([market, other_market], 1)

    events = decode(decoder, [book(market, "12"), book(other_market, "21"), book(market, "11", asks=[])])

    first, second = events
    assert first.market_id == market.market_id
    assert first.yes_bids == first.no_bids == ((470_000, 120_000_000), (480_000, 30_500_000))
    assert first.yes_asks == ()
    assert first.no_asks == ((530_000, 60_000_000), (520_000, 25_000_000))
    assert second.market_id == other_market.market_id
    assert second.yes_bids is not None
    assert second.no_bids is None
    assert second.no_asks is None


def test_books_of_different_instants_stay_apart(market: Market) -> None:
    events = decode(FrameDecoder([market], 1), [book(market, "11"), book(market, "12", timestamp="1795334400124")])

    assert [event.exchange_ms for event in events] == [1_795_334_400_123, 1_795_334_400_124]


def test_a_book_behind_a_change_of_its_market_is_not_pulled_before_it(market: Market) -> None:
    frame = [book(market, "11"), price_change(market, entry("12", "BUY", "0.4")), book(market, "12")]

    events = decode(FrameDecoder([market], 1), frame)

    assert [type(event) for event in events] == [BookSnapshot, BookUpdate, BookSnapshot]


def test_a_tick_change_is_announced_once_although_each_token_repeats_it(market: Market) -> None:
    decoder = FrameDecoder([market], 2)
    change = {
        "event_type": "tick_size_change",
        "market": market.market_id,
        "asset_id": "11",
        "old_tick_size": "0.01",
        "new_tick_size": "0.001",
        "timestamp": "1795334400789",
    }

    events = [*decode(decoder, change), *decode(decoder, change | {"asset_id": "12"})]

    assert events == [TickChanged(market.market_id, 2, 1_000, AT)]


def test_a_book_on_another_tick_than_the_known_one_announces_the_missed_change_first(market: Market) -> None:
    events = decode(FrameDecoder([market], 1), [book(market, "11", tick_size="0.001"), book(market, "12")])

    assert [type(event) for event in events] == [TickChanged, BookSnapshot]
    assert events[1].no_bids is not None


@pytest.mark.parametrize(("winner", "outcome", "yes_pays"), [("11", Outcome.YES, 1_000_000), ("12", Outcome.NO, 0)])
def test_a_watched_market_resolves_for_the_winning_token(
    market: Market, winner: str, outcome: Outcome, yes_pays: int
) -> None:
    resolved = {
        "event_type": "market_resolved",
        "id": "123",
        "market": market.market_id,
        "assets_ids": ["11", "12"],
        "winning_asset_id": winner,
        "winning_outcome": "Yes",
        "timestamp": "1795334400792",
        "tags": [],
    }

    assert decode(FrameDecoder([market], 1), resolved) == [MarketResolved(market.market_id, outcome, yes_pays, AT)]


def test_a_resolution_for_a_token_that_is_not_the_markets_loses_its_book(market: Market) -> None:
    resolved = {"event_type": "market_resolved", "market": market.market_id, "winning_asset_id": ""}

    (event,) = decode(FrameDecoder([market], 1), resolved)

    assert event.reason is NotReady.BAD_FRAME


@pytest.mark.parametrize(
    "frame",
    [
        b"PONG",
        b"NO NEW ASSETS",
        b"[]",
        b'{"event_type":"last_trade_price","market":"0xc0","asset_id":"7","price":"0.52","size":"25"}',
        b'{"event_type":"best_bid_ask","market":"0xc0","asset_id":"7","best_bid":"0.48","best_ask":"0.53"}',
        b'{"event_type":"new_market","id":"124","market":"0xd0","assets_ids":["1","2"],"outcomes":["Yes","No"]}',
        b'{"event_type":"market_resolved","market":"0xd0","winning_asset_id":"1","assets_ids":["1","2"]}',
        b'{"event_type":"tick_size_change","market":"0xd0","asset_id":"1","new_tick_size":"0.001"}',
    ],
)
def test_legal_frames_that_change_no_watched_book_are_neither_unknown_nor_failed(market: Market, frame: bytes) -> None:
    decoder = FrameDecoder([market], 1)

    assert decoder.decode(frame, AT) == []
    assert (decoder.counts.frames, decoder.counts.unknown, decoder.counts.failed) == (1, 0, 0)


def test_an_unknown_event_is_counted_and_its_neighbours_are_read(market: Market) -> None:
    decoder = FrameDecoder([market], 1)

    events = decode(decoder, [{"event_type": "sunrise", "market": market.market_id}, book(market, "11")])

    assert [type(event) for event in events] == [BookSnapshot]
    assert (decoder.counts.unknown, decoder.counts.failed) == (1, 0)


def test_an_unknown_event_on_its_own_loses_nothing(market: Market) -> None:
    decoder = FrameDecoder([market], 1)

    assert decode(decoder, {"event_type": "sunrise", "market": market.market_id}) == []
    assert (decoder.counts.unknown, decoder.counts.failed) == (1, 0)


def test_a_token_that_nobody_watches_is_dropped_and_counted(market: Market) -> None:
    decoder = FrameDecoder([market], 1)

    events = decode(decoder, price_change(market, entry("99", "BUY", "0.4"), entry("11", "BUY", "0.4")))

    assert events[0].changes == ((YES_BID, 400_000, 10_000_000),)
    assert decode(decoder, book(market, "99")) == []
    assert decoder.counts.unknown_assets == 2


WRONG_PRICES = [
    "NaN",
    "Infinity",
    "1e-1",
    "-0.4",
    "0",
    "1",
    "1.2",
    "",
    " 0.4",
    "0,4",
    "٠.٤",
    "0.4_0",
    "0.0000001",
    "+0.4",
]
WRONG_SIZES = ["NaN", "1e3", "-1", "-0", "", "1_0", "１", "0.1234567x", "0." + "1" * 19, "9" * 40]


@pytest.mark.parametrize("price", WRONG_PRICES)
def test_a_price_that_is_no_price_loses_the_book(market: Market, price: str) -> None:
    decoder = FrameDecoder([market], 4)

    events = decode(decoder, price_change(market, entry("11", "BUY", price)))

    assert events == [
        BookLost(market_id=market.market_id, generation=4, reason=NotReady.BAD_FRAME, received_at=AT),
    ]
    assert decoder.counts.failed == 1


@pytest.mark.parametrize("size", WRONG_SIZES)
def test_a_size_that_is_no_size_loses_the_book(market: Market, size: str) -> None:
    (event,) = decode(FrameDecoder([market], 1), book(market, "11", bids=[{"price": "0.4", "size": size}]))

    assert isinstance(event, BookLost)


@pytest.mark.parametrize(
    ("size", "micros"),
    [
        ("1.9300000000000002", 1_930_000),
        ("7.6899999999999995", 7_689_999),
        ("0.0000009", 0),
        ("655155.31", 655_155_310_000),
    ],
)
def test_a_size_with_the_noise_of_floats_is_rounded_down(market: Market, size: str, micros: int) -> None:
    (event,) = decode(FrameDecoder([market], 1), book(market, "11", bids=[{"price": "0.4", "size": size}]))

    assert event.yes_bids == ((400_000, micros),)


@pytest.mark.parametrize("timestamp", ["", "-5", "1e12", "12.5", "９９", "9" * 30])
def test_a_time_that_is_no_time_loses_the_book(market: Market, timestamp: str) -> None:
    (event,) = decode(FrameDecoder([market], 1), price_change(market, entry("11", "BUY", "0.4"), timestamp=timestamp))

    assert isinstance(event, BookLost)


def test_numbers_that_are_not_strings_lose_the_book(market: Market) -> None:
    broken = entry("11", "BUY", "0.4") | {"price": 0.4}

    (event,) = decode(FrameDecoder([market], 1), price_change(market, broken))

    assert (event.market_id, event.reason) == (market.market_id, NotReady.BAD_FRAME)


def test_only_the_markets_that_a_broken_event_names_are_lost(market: Market, other_market: Market) -> None:
    decoder = FrameDecoder([market, other_market], 1)

    events = decode(decoder, [book(market, "11") | {"bids": None}, book(other_market, "21")])

    assert [(type(event), event.market_id) for event in events] == [
        (BookLost, market.market_id),
        (BookSnapshot, other_market.market_id),
    ]


def test_a_token_under_another_markets_id_loses_both(market: Market, other_market: Market) -> None:
    events = decode(FrameDecoder([market, other_market], 1), price_change(market, entry("21", "BUY", "0.4")))

    assert {event.market_id for event in events} == {market.market_id, other_market.market_id}
    assert {event.reason for event in events} == {NotReady.BAD_FRAME}


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf[]",
        b"\xff\xfe",
        b"{}{}",
        b"null",
        b"17",
        b'"PONG"',
        b"pong",
        b"<html>502</html>",
        b'{"x":' + b"[" * 100_000,
        b'{"event_type":"book"}',
        b'{"event_type":7,"market":7}',
    ],
)
def test_a_frame_that_names_no_market_and_cannot_be_read_loses_every_book(
    market: Market, other_market: Market, frame: bytes
) -> None:
    decoder = FrameDecoder([market, other_market], 1)

    events = decoder.decode(frame, AT)

    assert {event.market_id for event in events} == {market.market_id, other_market.market_id}
    assert decoder.counts.failed == 1


def test_a_broken_event_of_a_foreign_market_loses_nothing(market: Market) -> None:
    decoder = FrameDecoder([market], 1)

    assert decode(decoder, {"event_type": "book", "market": "0xd0", "asset_id": 5}) == []
    assert decoder.counts.failed == 1


def test_lag_is_measured_against_the_fastest_delivery(market: Market) -> None:
    decoder = FrameDecoder([market], 1)
    frames = [price_change(market, entry("11", "BUY", "0.4"), timestamp=str(1_000 + 10 * n)) for n in range(3)]

    lags = [
        decoder.decode(json.dumps(frame).encode(), BootNs(received_ms * MS))[0].lag_ms  # type: ignore[union-attr]
        for frame, received_ms in zip(frames, (500, 505, 3_515), strict=True)
    ]

    assert lags == [0, 0, 3_000]


def test_every_frame_of_the_recording_is_read(market: Market, binary_tape: list[dict[str, Any]]) -> None:
    header, *lines = binary_tape
    yes, no = header["markets"][0]["tokens"]
    recorded = dataclasses.replace(
        market, market_id=header["markets"][0]["market_id"], yes_instrument=yes, no_instrument=no
    )
    decoder = FrameDecoder([recorded], 1)

    events = [
        event
        for line in lines
        if line["x"] == "frame"
        for event in decoder.decode(line["d"].encode(), BootNs(line["t"]))
    ]

    updates = [event for event in events if isinstance(event, BookUpdate)]
    assert (decoder.counts.frames, decoder.counts.unknown, decoder.counts.failed) == (119, 0, 0)
    assert len(updates) == 97
    assert all(update.whole and update.claimed and UNSAID not in update.claimed for update in updates)
    assert sum(isinstance(event, BookSnapshot) for event in events) == 15
    assert not any(isinstance(event, BookLost) for event in events)


texts = st.one_of(
    st.sampled_from([a_market().market_id, "0.48", ".5", "0", "1", "1e5", "NaN", "", "11", "12", "BUY", "book"]),
    st.text(),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
events = st.dictionaries(
    st.sampled_from(
        ["event_type", "market", "asset_id", "timestamp", "bids", "asks", "price_changes", "side", "price", "size"]
    ),
    st.one_of(scalars, st.lists(st.dictionaries(st.sampled_from(["price", "size", "asset_id", "side"]), scalars))),
)


@given(frame=st.one_of(st.binary(max_size=200), st.one_of(events, st.lists(events, max_size=3)).map(json.dumps)))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_the_decoder_raise_or_let_a_wrong_price_through(frame: bytes | str) -> None:
    decoder = FrameDecoder([a_market()], 1)

    for event in decoder.decode(frame, AT):
        levels = event.changes if isinstance(event, BookUpdate) else ()
        assert all(0 < price < 1_000_000 and size >= 0 for _, price, size in levels)
