"""Bugs in what guards an order: books, limits, halts, the ledger, the start after a crash."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.risk import RiskActor
from adapters.gate import Gate
from adapters.permit import StateDirectory
from models import attempt as attempts
from models import recovery, risk, set_rules, set_steps, set_turn, signal, verdict
from models.book_keeping import Book, Effect
from models.money import MicroShares
from models.order_life import OrderLife
from models.set_state import Idle
from tests.sim.planting import Patch, bug, rule

# -- books


@bug("I11", "I18", under=("old_frames", "link_drop"))
def applies_frames_of_an_old_connection() -> list[Patch]:
    whole = Book.update

    def update(self: Book, event: Any) -> Effect:
        self.generation = event.generation
        return whole(self, event)

    return [(Book, "update", update)]


@bug("I11", under=("gap", "drop"))
def jumps_over_gaps() -> list[Patch]:
    whole = Book.update

    def update(self: Book, event: Any) -> Effect:
        if self.not_ready is None and event.seq is not None and self.seq is not None and event.seq > self.seq:
            self.seq = event.seq - 1
        return whole(self, event)

    return [(Book, "update", update)]


@bug("I11", under=("silent", "half_open"))
def never_finds_a_book_old() -> list[Patch]:
    def old(*_: Any) -> bool:
        return False

    return [(verdict, "_old", old), (signal, "doubts", lambda *_: ())]


@bug("I11", "I10", under=("reply_late", "slow_network", "link_drop"))
def takes_any_snapshot() -> list[Patch]:
    def older(self: Book, event: Any) -> bool:
        return False

    return [(Book, "_older", older)]


# -- risk, gate, ledger, recovery


@bug("I4")
def forgets_that_markets_are_taken() -> list[Patch]:
    kept = tuple(c for c in risk.CHECKS if c.__name__ not in ("markets_free", "markets_resolved"))
    return [(risk, "CHECKS", kept)]


@bug("I9")
def forgets_the_day() -> list[Patch]:
    return [(risk, "CHECKS", tuple(c for c in risk.CHECKS if c.__name__ != "daily_notional_allowed"))]


@bug("I9")
def forgets_the_order_rate() -> list[Patch]:
    return [(risk, "CHECKS", tuple(c for c in risk.CHECKS if c.__name__ != "order_rate_allowed"))]


@bug("I9")
def forgets_the_positions() -> list[Patch]:
    return [(risk, "CHECKS", tuple(c for c in risk.CHECKS if c.__name__ != "positions_allowed"))]


@bug("I6", under=("halt_market",))
def forgets_halts_of_markets() -> list[Patch]:
    """Risk and gate only know the halt of everything."""
    kept = tuple(c for c in risk.CHECKS if c.__name__ != "markets_not_halted")
    whole = Gate.enter_opening
    return [(risk, "CHECKS", kept), (Gate, "enter_opening", lambda self, market_ids: whole(self, ()))]


@bug("I6", under=("halt", "resume"))
def halts_by_message() -> list[Patch]:
    """The latch is only asked by risk: what is on its way goes out."""
    return [(Gate, "_open_to", lambda self, market_ids: True)]


@bug("I6", "I7", under=("halt", "kill"))
def keeps_the_halt_in_memory() -> list[Patch]:
    return [(StateDirectory, "store_halt", lambda self, record: True)]


@bug("I4", "I8", "I15")
def opens_before_it_has_reconciled() -> list[Patch]:
    """Two guards at once: what is spendable is not known either before the venue has been asked."""
    kept = tuple(c for c in risk.CHECKS if c.__name__ != "cash_enough")
    return [(Gate, "hold", lambda self, reason, key="start": None), (risk, "CHECKS", kept)]


@bug("I2", "I8", "I4", "I5", "I18", under=("kill", "kill_in_step"))
def comes_up_empty() -> list[Patch]:
    return [(set_steps, "recover", lambda found, unfinished, turn: Idle(past=tuple(found)))]


@bug("I2", "I3", "I4", "I5", "I8", under=("kill", "kill_in_step", "reply_never"))
def takes_the_unanswered_for_unsent() -> list[Patch]:
    """After a restart: no word from the venue, so it never left."""
    whole = recovery.life_from

    def life(stored: Any, terms: Any, now: Any) -> OrderLife:
        made = whole(stored, terms, now)
        unheard = made.doubted and not made.accepted and not made.fills
        return replace(made, final_count=MicroShares(0), finished=True) if unheard else made

    return [(recovery, "life_from", life)]


@bug("I8", "I5", under=("user_drop", "user_link_drop"))
def never_asks_after_a_lost_stream() -> list[Patch]:
    """Whatever the user stream missed is missed for good: no question, no comparison."""
    return [
        *rule(set_rules.ask_all, lambda record, event, turn: record),
        (attempts.Attempt, "detailed", property(lambda self: True)),
        (attempts.Attempt, "provisional", property(lambda self: False)),
    ]


@bug("I16", "I8", "I13")
def loses_rows_of_fills() -> list[Patch]:
    whole = set_turn.Turn.write

    def write(self: Any, *rows: Any) -> None:
        kept = [row for row in rows if not isinstance(row, set_turn.FillReported)]
        if kept:
            whole(self, *kept)

    return [(set_turn.Turn, "write", write)]


@bug("I4", "I9", "I3")
def releases_too_early() -> list[Patch]:
    """A set is free again as soon as its orders are out."""
    whole = RiskActor.receive

    def receive(self: Any, message: Any) -> None:
        whole(self, message)
        if type(message).__name__ == "SetProposed":
            self._state = replace(self._state, reservations=())

    return [(RiskActor, "receive", receive)]
