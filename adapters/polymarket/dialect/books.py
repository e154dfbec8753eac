"""The engine's books as the venue shows them: exact texts, levels from worst to best, the venue's own hash. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from adapters.polymarket.book_hash import hash_of_book
from adapters.polymarket.dialect.markets import LEAST_SIZE, Listed
from adapters.polymarket.frames import BookFields, BookFrame, Level
from adapters.simulated.listing import Listing
from models.book import NO_ASK, NO_BID, YES_ASK, YES_BID, Change, Levels
from models.clock import MS
from models.market import Outcome
from models.money import MICRO, PriceMicros, text

SIDES: Final = {Outcome.YES: (YES_BID, YES_ASK), Outcome.NO: (NO_BID, NO_ASK)}
_OUTCOME_OF: Final = {YES_BID: Outcome.YES, YES_ASK: Outcome.YES, NO_BID: Outcome.NO, NO_ASK: Outcome.NO}
_BIDS: Final = (YES_BID, NO_BID)
EMPTY_BID: Final = "0"
EMPTY_ASK: Final = "1"

_ENCODER: Final = msgspec.json.Encoder()


class Tape:
    """What the venue remembers of one market besides its orders."""

    __slots__ = ("changed_at", "last_trade", "shown", "tick", "tops")

    def __init__(self, tick: PriceMicros, now: int) -> None:
        self.tick = tick
        self.changed_at = now
        """ns; of the last change of the book."""
        self.tops: dict[Outcome, tuple[str, str]] = {}
        """Best prices as last announced."""
        self.shown: dict[Outcome, BookFields] = {}
        """The last whole book that was published of each token."""
        self.last_trade: dict[Outcome, str] = {Outcome.YES: "0.5", Outcome.NO: "0.5"}


class EntryBody(msgspec.Struct, frozen=True):
    """One level in a `price_change`."""

    asset_id: str
    price: str
    size: str
    side: str
    hash: str
    best_bid: str
    best_ask: str


class PriceChangeBody(msgspec.Struct, frozen=True, tag_field="event_type", tag="price_change"):
    market: str
    timestamp: str
    price_changes: list[EntryBody]


def price(micros: int) -> str:
    return text(micros, 1)


def size(micros: int) -> str:
    return text(micros, 0)


def book(listed: Listed, listing: Listing, tape: Tape, outcome: Outcome) -> BookFields:
    """All ten fields, the hash right."""
    bids, asks = SIDES[outcome]
    fields = BookFields(
        market=listed.condition_id,
        asset_id=listed.token(outcome),
        timestamp=str(tape.changed_at // MS),
        bids=_worst_first(listing.levels(bids)),
        asks=_worst_first(listing.levels(asks)),
        min_order_size=size(LEAST_SIZE),
        tick_size=text(tape.tick),
        neg_risk=listed.neg_risk,
        last_trade_price=tape.last_trade[outcome],
    )
    return msgspec.structs.replace(fields, hash=hash_of_book(fields))


def book_frame(fields: BookFields) -> BookFrame:
    return BookFrame(**msgspec.structs.asdict(fields))


def price_change(listed: Listed, listing: Listing, tape: Tape, changes: Iterable[Change]) -> PriceChangeBody:
    """Every changed level of both tokens, with the tops and hashes as they are after all of them."""
    after = {outcome: book(listed, listing, tape, outcome) for outcome in Outcome}
    entries = []
    for side, level, total in changes:
        outcome = _OUTCOME_OF[side]
        shown = after[outcome]
        entries.append(
            EntryBody(
                asset_id=shown.asset_id,
                price=price(level),
                size=size(total),
                side="BUY" if side in _BIDS else "SELL",
                hash=shown.hash or "",
                best_bid=shown.bids[-1].price if shown.bids else EMPTY_BID,
                best_ask=shown.asks[-1].price if shown.asks else EMPTY_ASK,
            )
        )
    return PriceChangeBody(listed.condition_id, str(tape.changed_at // MS), entries)


def tops(listing: Listing, outcome: Outcome) -> tuple[str, str]:
    """(best bid, best ask) as texts, the venue's signs for an empty side included."""
    bids, asks = (listing.best(side) for side in SIDES[outcome])
    return EMPTY_BID if bids is None else price(bids), EMPTY_ASK if asks is None else price(asks)


def spread(listing: Listing, outcome: Outcome) -> str:
    """Of the whole dollar where a side is empty."""
    bid, ask = (listing.best(side) for side in SIDES[outcome])
    return price((MICRO if ask is None else ask) - (0 if bid is None else bid))


def encode(frames: object | Sequence[Any]) -> bytes:
    return _ENCODER.encode(frames)


def _worst_first(levels: Levels) -> list[Level]:
    return [Level(price(at), size(total)) for at, total in reversed(levels)]
