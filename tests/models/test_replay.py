"""The pure half of a replay: what is evaluated when, what counts as one gap, what the hash covers."""

from __future__ import annotations

import msgspec
import pytest

from models.book import NO_ASK, BookLost, BookSnapshot, BookUpdate, NotReady
from models.clock import MS, BootNs, WallNs
from models.market import MarketId, MarketStatus, Outcome, SetId
from models.messages import GenerationBegan, MarketResolved, StatusChanged, TickChanged
from models.replay import Replay
from models.sets import CompleteSet, SetKind, SetLeg, certain_payout
from models.verdict import Verdict
from tests.factories import a_market, levels, price, shares, terms

GEN = 1


def a_snapshot(market_id: str = "m", at_ms: int = 1_000, **sides: str) -> BookSnapshot:
    """Best prices by side name; a gap where YES and NO asks add up to less than one."""
    prices = {"yes_bid": "0.45", "yes_ask": "0.47", "no_bid": "0.50", "no_ask": "0.55"} | sides
    return BookSnapshot(
        market_id=MarketId(market_id),
        generation=GEN,
        yes_bids=levels((prices["yes_bid"], "100")),
        yes_asks=levels((prices["yes_ask"], "100")),
        no_bids=levels((prices["no_bid"], "100")),
        no_asks=levels((prices["no_ask"], "100")),
        exchange_ms=at_ms,
        received_at=BootNs(at_ms * MS),
    )


def no_ask(amount: str, size: str = "100", at_ms: int = 1_010, market_id: str = "m") -> BookUpdate:
    return BookUpdate(
        market_id=MarketId(market_id),
        generation=GEN,
        changes=((NO_ASK, price(amount), shares(size)),),
        exchange_ms=at_ms,
        received_at=BootNs(at_ms * MS),
    )


def a_replay(*market_ids: str) -> Replay:
    markets = [a_market(market_id) for market_id in market_ids or ("m",)]
    replay = Replay(markets, [terms(markets=[market]) for market in markets])
    replay.opened(GEN, [market.market_id for market in markets])
    return replay


def play(replay: Replay, *frames: tuple[int, list[object]]) -> Replay:
    for at_ms, events in frames:
        for event in events:
            replay.event(event)
        replay.settle(WallNs(at_ms * MS))
    return replay


def test_a_frame_is_evaluated_once_as_a_whole() -> None:
    replay = play(a_replay(), (1_000, [a_snapshot()]), (1_010, [no_ask("0.40"), no_ask("0.40", "0")]))

    replay.finish()

    assert replay.decisions == 2
    assert replay.gaps == [], "the gap existed only in the middle of the frame"


def test_an_uninterrupted_gap_is_one_episode_with_its_best_edge() -> None:
    replay = play(
        a_replay(),
        (1_000, [a_snapshot()]),
        (1_010, [no_ask("0.50", at_ms=1_010)]),
        (1_020, [no_ask("0.48", at_ms=1_020)]),
        (1_030, [no_ask("0.50", "0", at_ms=1_030), no_ask("0.48", "0", at_ms=1_030)]),
        (1_040, [no_ask("0.50", at_ms=1_040)]),
    )

    replay.finish()

    assert [(gap.began_ms, gap.lasted_ms, gap.evaluations, gap.best_edge) for gap in replay.gaps] == [
        (1_010, 10, 2, 50_000),
        (1_040, 0, 1, 30_000),
    ]
    assert (replay.opportunities, replay.decisions) == (3, 5)


def test_an_episode_that_was_ever_real_counts_as_real() -> None:
    crossed = msgspec.structs.replace(no_ask("0.50"), changes=((NO_ASK, price("0.50"), shares("1")),))
    uncrossed = msgspec.structs.replace(
        no_ask("0.51", at_ms=1_020),
        changes=((NO_ASK, price("0.50"), 0), (NO_ASK, price("0.51"), shares("100"))),
    )

    replay = play(a_replay(), (1_000, [a_snapshot()]), (1_010, [crossed]), (1_020, [uncrossed]))
    replay.finish()

    assert [(gap.evaluations, gap.verdict) for gap in replay.gaps] == [(2, Verdict.REAL)]


def test_a_trade_decision_does_not_silence_the_next_one() -> None:
    gap = a_snapshot(no_bid="0.40", no_ask="0.42")
    replay = play(a_replay(), (1_000, [gap]), (1_010, [no_ask("0.41")]))
    again = play(a_replay(), (1_000, [gap]), (1_010, [no_ask("0.41")]))

    assert replay.finish() == again.finish()
    assert replay.gaps[0].verdict is Verdict.REAL
    assert replay.gaps[0].evaluations == 2


@pytest.mark.parametrize(
    "event",
    [
        BookLost(market_id=MarketId("m"), generation=GEN, reason=NotReady.BAD_FRAME, received_at=BootNs(1)),
        TickChanged(MarketId("m"), GEN, 1_000, BootNs(1)),
    ],
)
def test_a_lost_book_ends_the_gap(event: object) -> None:
    replay = play(
        a_replay(), (1_000, [a_snapshot(no_bid="0.40", no_ask="0.42")]), (1_010, [event]), (1_020, [no_ask("0.41")])
    )

    replay.finish()

    assert [gap.lasted_ms for gap in replay.gaps] == [0]


def test_off_the_catalogs_grid_a_gap_is_no_trade() -> None:
    gap = a_snapshot(no_bid="0.40", no_ask="0.42")
    played = [(1_000, [gap]), (1_010, [no_ask("0.41")])]

    def hashed(*ticks: int) -> str:
        events = [TickChanged(MarketId("m"), GEN, tick, BootNs(1)) for tick in ticks]
        return play(a_replay(), (900, events), *played).finish()

    assert hashed(1_000, 10_000) == hashed(1_000, 1_000, 10_000) != hashed(1_000)


@pytest.mark.parametrize(
    "event",
    [
        StatusChanged(MarketId("m"), MarketStatus.PAUSED, "", BootNs(1)),
        MarketResolved(MarketId("m"), Outcome.YES, 1_000_000, BootNs(1)),
    ],
)
def test_a_market_that_is_not_open_changes_the_decision(event: object) -> None:
    frames = (1_000, [a_snapshot(no_bid="0.40", no_ask="0.42")])

    assert play(a_replay(), frames).finish() != play(a_replay(), (1_000, [event]), frames).finish()


def test_a_set_over_two_markets_is_evaluated_once_when_both_move() -> None:
    legs = (SetLeg(MarketId("a"), Outcome.NO), SetLeg(MarketId("b"), Outcome.NO))
    basket = CompleteSet(
        set_id=SetId("basket"),
        kind=SetKind.NO_BASKET,
        legs=legs,
        payout=certain_payout(SetKind.NO_BASKET, legs),
    )
    markets = [a_market("a"), a_market("b")]
    replay = Replay(markets, [terms(basket, markets)])
    replay.opened(GEN, [MarketId("a"), MarketId("b")])

    play(
        replay, (1_000, [a_snapshot("a", no_bid="0.40", no_ask="0.45"), a_snapshot("b", no_bid="0.40", no_ask="0.45")])
    )
    replay.finish()

    assert replay.decisions == 1
    assert [(gap.set_id, gap.verdict) for gap in replay.gaps] == [("basket", Verdict.REAL)]


def test_a_snapshot_is_compared_with_the_book_before_it_replaces_it() -> None:
    same = a_snapshot(at_ms=1_020)
    with_change = msgspec.structs.replace(same, no_asks=levels(("0.55", "100"), ("0.60", "5")))

    replay = play(
        a_replay(),
        (1_000, [a_snapshot()]),
        (1_005, [a_snapshot(at_ms=1_005)]),
        (1_010, [no_ask("0.60", "5")]),
        (1_020, [with_change]),
        (1_030, [msgspec.structs.replace(same, exchange_ms=1_030)]),
    )

    assert (replay.checked, replay.equal, replay.emptied) == (2, 1, 0)


def test_the_hash_covers_every_line_and_every_evaluation() -> None:
    frames = [(1_000, [a_snapshot()]), (1_010, [no_ask("0.60", "5")])]
    plain = play(a_replay(), *frames).finish()

    read = a_replay()
    read.line(b"{}")
    other_time = play(a_replay(), frames[0], (1_010, [no_ask("0.60", "5", at_ms=1_011)])).finish()
    other_top = play(a_replay(), frames[0], (1_010, [no_ask("0.54", "5")])).finish()

    assert play(a_replay(), *frames).finish() == plain
    assert len({plain, play(read, *frames).finish(), other_time, other_top}) == 4


def test_last_best_prices_stay_visible_after_the_connection_has_gone() -> None:
    replay = play(a_replay("m", "quiet"), (1_000, [a_snapshot()]))
    replay.closed([MarketId("m"), MarketId("quiet")])

    seen, quiet = replay.market_ends()

    assert (seen.yes_bid, seen.yes_ask, seen.no_bid, seen.no_ask) == tuple(
        price(p) for p in ("0.45", "0.47", "0.50", "0.55")
    )
    assert seen.not_ready is NotReady.FEED_DOWN
    assert (quiet.yes_bid, quiet.no_ask) == (None, None)


def test_a_message_that_no_session_sends_is_refused() -> None:
    with pytest.raises(TypeError):
        a_replay().event(GenerationBegan(MarketId("m"), 1, BootNs(1)))
