"""What the kill switch reads back at a restart: incidents by kind, since the last resume, in the longest window."""

from __future__ import annotations

from adapters.ledger.connection import Ledger, open_reader
from adapters.ledger.unfinished import recent_incidents
from models.clock import SECOND, WallNs
from models.events import incident
from models.market import MarketId
from models.rows import Event, EventKind
from tests.adapters.ledger.ledger_rows import T0

AT = WallNs(T0)


def at(seconds: int) -> WallNs:
    return WallNs(T0 + seconds * SECOND)


def read(ledger: Ledger, since: int) -> list[tuple[str, WallNs]]:
    ledger.writer.flush(AT)
    reader = open_reader(ledger.path)
    try:
        return recent_incidents(reader, at(since))
    finally:
        reader.close()


def test_incidents_come_back_oldest_first_and_alarms_are_none(ledger: Ledger) -> None:
    ledger.writer.take(incident(at(1), "reject", "no funds"), AT)
    ledger.writer.take(incident(at(2), "partial", "half"), AT)
    ledger.writer.take(Event(at=at(3), kind=EventKind.INCIDENT, text="alarm", facts=(("alarm", "overfill"),)), AT)
    ledger.writer.take(incident(at(4), "reject", "again"), AT)

    assert read(ledger, 0) == [("reject", at(1)), ("partial", at(2)), ("reject", at(4))]
    assert read(ledger, 2) == [("partial", at(2)), ("reject", at(4))]


def test_a_resume_of_everything_forgets_what_was_before_it_and_one_of_a_market_does_not(ledger: Ledger) -> None:
    ledger.writer.take(incident(at(1), "reject", ""), AT)
    ledger.writer.take(Event(at=at(2), kind=EventKind.RESUMED, text="", market_id=MarketId("m1")), AT)
    assert len(read(ledger, 0)) == 1

    ledger.writer.take(Event(at=at(3), kind=EventKind.RESUMED, text="looked at it"), AT)
    ledger.writer.take(incident(at(4), "disconnect", ""), AT)
    assert read(ledger, 0) == [("disconnect", at(4))]
