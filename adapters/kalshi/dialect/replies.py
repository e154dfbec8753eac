"""The venue's answers: good ones, and its three shapes of an error (kalshi.md 4.1, read 2026-11-22)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

import msgspec

from adapters.simulated.desk import NEVER_ARRIVED, Manner
from adapters.simulated.orders import Refusal
from adapters.simulated.web import Answer
from models.clock import SECOND


@dataclass(frozen=True, slots=True)
class Problem:
    """A definite no."""

    status: int
    code: str
    message: str = ""
    details: str = ""
    bare: str = ""
    """The whole error is this text."""
    flat: bool = False
    """Without the envelope."""

    @property
    def error(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message or self.code.replace("_", " ")} | (
            {"details": self.details} if self.details else {}
        )

    @property
    def body(self) -> object:
        if self.bare:
            return {"error": self.bare}
        return self.error if self.flat else {"error": self.error}


def invalid_order(details: str) -> Problem:
    return Problem(400, "invalid_order", details=details)


INVALID_PARAMETERS: Final = Problem(400, "invalid_parameters")
NOT_FOUND: Final = Problem(404, "not_found")
MARKET_NOT_FOUND: Final = Problem(404, "market_not_found")
ALREADY_EXISTS: Final = Problem(409, "order_already_exists")
FOK_KILLED: Final = Problem(409, "fill_or_kill_insufficient_resting_volume")
TRADING_PAUSED: Final = Problem(409, "trading_is_paused")
EXCHANGE_PAUSED: Final = Problem(409, "exchange_is_paused")
MARKET_INACTIVE: Final = Problem(400, "market_inactive")
NO_CASH: Final = Problem(400, "available_balance_too_low")
INVALID_SIZE: Final = Problem(400, "invalid_order_size")
TOO_MANY: Final = Problem(429, "", bare="too many requests")
GROUP_LIMIT: Final = Problem(409, "exceeded_order_group_risk_limit")
NO_GROUP: Final = Problem(404, "order_group_not_found")
RISK: Final = Problem(400, "exceeded_per_market_risk_limit")

OF_REFUSAL: Final[Mapping[str, Problem]] = {
    Refusal.DUPLICATE.value: ALREADY_EXISTS,
    Refusal.UNKNOWN_MARKET.value: MARKET_NOT_FOUND,
    Refusal.MARKET_PAUSED.value: TRADING_PAUSED,
    Refusal.MARKET_CLOSED.value: MARKET_INACTIVE,
    Refusal.MARKET_RESOLVED.value: MARKET_INACTIVE,
    Refusal.POST_ONLY.value: EXCHANGE_PAUSED,
    Refusal.RESTARTING.value: EXCHANGE_PAUSED,
    Refusal.PRICE_RANGE.value: invalid_order("INVALID_PRICE"),
    Refusal.OFF_TICK.value: invalid_order("INVALID_PRICE"),
    Refusal.OFF_LOT.value: INVALID_SIZE,
    Refusal.BELOW_MIN_SIZE.value: INVALID_SIZE,
    Refusal.BELOW_MIN_NOTIONAL.value: INVALID_SIZE,
    Refusal.INSUFFICIENT_BALANCE.value: NO_CASH,
    Refusal.INSUFFICIENT_POSITION.value: invalid_order("REDUCE_ONLY"),
    Refusal.SELF_CROSS.value: invalid_order("SELF_CROSS_ATTEMPT"),
    Refusal.RATE_LIMITED.value: TOO_MANY,
    Refusal.RISK.value: RISK,
    Refusal.MALFORMED.value: INVALID_PARAMETERS,
    NEVER_ARRIVED: Problem(500, "internal_error"),
}
"""What the engine's refusals are called here."""


class RefusedError(Exception):
    """Ends a request with a `Problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def good(body: object, status: int = HTTPStatus.OK, manner: Manner = Manner.ANSWER, delay: int = 0) -> Answer:
    return Answer(status, msgspec.json.encode(body), manner, delay)


def bad(problem: Problem, manner: Manner = Manner.ANSWER, delay: int = 0) -> Answer:
    return Answer(problem.status, msgspec.json.encode(problem.body), manner, delay)


def dated(now: int) -> dict[str, str]:
    """The only clock that the venue shows over REST. `now` in ns."""
    return {"Date": formatdate(now // SECOND, usegmt=True)}


def page(rows: Sequence[Any], name: str, query: Mapping[str, list[str]], default: int = 100) -> dict[str, Any]:
    """One page of rows, and the cursor of the next; "" at the end. Raises `RefusedError`."""
    limit, cursor = query.get("limit", [str(default)])[0], query.get("cursor", ["0"])[0] or "0"
    if not (limit.isdigit() and cursor.isdigit() and 0 < int(limit) <= 1_000):
        raise RefusedError(INVALID_PARAMETERS)
    start, end = int(cursor), int(cursor) + int(limit)
    return {name: list(rows[start:end]), "cursor": str(end) if end < len(rows) else ""}
