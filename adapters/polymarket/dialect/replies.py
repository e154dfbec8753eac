"""The venue's refusals with its own sentences and statuses (polymarket.md 5.5), and how they leave. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from adapters.simulated.desk import Manner
from adapters.simulated.orders import Refusal
from adapters.simulated.web import Answer
from models.clock import SECOND

OK: Final = 200
TOO_EARLY: Final = 425
"""The engine restarts."""

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal: status, sentence, and what else is in its body and headers."""

    status: int
    text: str
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self) -> Answer:
        return Answer(self.status, _ENCODER.encode({"error": self.text, **self.more}), headers=self.headers)


INVALID_PAYLOAD: Final = Problem(400, "Invalid order payload")
NO_BOOK: Final = Problem(404, "No orderbook exists for the requested token id")
NO_MARKET: Final = Problem(404, "market not found")
NOT_FOUND: Final = Problem(404, "not found")
POST_ONLY: Final = Problem(
    503,
    "post-only mode: only post-only orders and cancels are allowed",
    {"code": "post_only_mode", "retry_after_seconds": 2},
)
DISABLED: Final = Problem(503, "Trading is currently disabled")
CANCEL_ONLY: Final = Problem(503, "Trading is currently cancel-only")
NOT_READY: Final = Problem(400, "the market is not yet ready to process new orders")
NO_FUNDS: Final = Problem(400, "not enough balance / allowance")
CROSSES: Final = Problem(400, "invalid post-only order: order crosses book")
VERSION: Final = Problem(400, "order_version_mismatch")
EXPIRATION: Final = Problem(400, "invalid expiration")
FOK_KILLED: Final = Problem(400, "order couldn't be fully filled. FOK orders are fully filled or killed.")
FAK_KILLED: Final = Problem(
    400, "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
)
WRONG_OWNER: Final = Problem(400, "the order owner has to be the owner of the API KEY")
WRONG_SIGNER: Final = Problem(400, "the order signer address has to be the address of the API KEY")

RATE_HEADERS: Final = {"Poly-RateLimit-Remaining": "0", "Poly-RateLimit-Tier": "standard", "Retry-After": "1"}
TOO_MANY: Final = Problem(429, "too many requests", headers=RATE_HEADERS)
EDGE_LIMIT: Final = Problem(429, "too many requests")

BARE_TOO_EARLY: Final = Problem(TOO_EARLY, "Too Early")
"""As it may also come: without a word on when to come again."""


def restarting(left_ns: int) -> Problem:
    """`left_ns`: until the engine is back."""
    return Problem(TOO_EARLY, "Too Early", headers={"Retry-After": str(max(1, -(-left_ns // SECOND)))})


def off_tick(order_id: str, price: str, tick: str) -> Problem:
    return Problem(400, f"order {order_id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}")


def too_small(order_id: str, size: str, least: str) -> Problem:
    return Problem(400, f"order {order_id} is invalid. Size ({size}) lower than the minimum: {least}")


def below_a_dollar(dollars: str) -> Problem:
    return Problem(400, f"invalid amount for a marketable BUY order (${dollars}), min size: $1")


def duplicated(order_id: str) -> Problem:
    return Problem(400, f"order {order_id} is invalid. Duplicated.")


def banned(address: str) -> Problem:
    return Problem(400, f"'{address}' address banned")


def closed_only(address: str) -> Problem:
    return Problem(400, f"'{address}' address in closed only mode")


def too_many_orders(count: int, most: int) -> Problem:
    return Problem(400, f"Too many orders in payload: {count}, max allowed: {most}")


def of_refusal(code: str, order_id: str, price: str, size: str, tick: str) -> Problem:
    """The engine's refusal in the venue's words."""
    match code:
        case Refusal.DUPLICATE:
            return duplicated(order_id)
        case Refusal.UNKNOWN_MARKET | Refusal.MARKET_CLOSED | Refusal.MARKET_RESOLVED:
            return NO_BOOK
        case Refusal.POST_ONLY:
            return POST_ONLY
        case Refusal.RESTARTING:
            return restarting(0)
        case Refusal.PRICE_RANGE | Refusal.OFF_TICK:
            return off_tick(order_id, price, tick)
        case Refusal.OFF_LOT | Refusal.MALFORMED:
            return INVALID_PAYLOAD
        case Refusal.BELOW_MIN_SIZE:
            return too_small(order_id, size, "5")
        case Refusal.RATE_LIMITED:
            return TOO_MANY
        case Refusal.MARKET_PAUSED | Refusal.RISK:
            return NOT_READY
        case _:
            return NO_FUNDS


def ok(document: object, manner: Manner = Manner.ANSWER, delay: int = 0) -> Answer:
    return Answer(OK, _ENCODER.encode(document), manner, delay)


def encode(document: object) -> bytes:
    return _ENCODER.encode(document)
