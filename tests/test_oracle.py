"""What the long harnesses count as wrong: an oracle that cannot see an order that was sent twice proves nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.oracle import strangers


def truth(orders=(), refused=()):
    return {"accounts": [{"orders": list(orders), "refused": list(refused)}]}


def ledger_with(path, *client_order_ids):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE order_intents (client_order_id TEXT)")
        connection.executemany("INSERT INTO order_intents VALUES (?)", [(own,) for own in client_order_ids])
    return path


def test_an_order_that_came_to_the_venue_twice_is_found_by_its_second_refusal(tmp_path):
    """The venue keeps one order per id, so the second one shows among what it refused and nowhere else."""
    ledger = ledger_with(tmp_path / "ledger.sqlite", "a")
    once = {"client_order_id": "a"}

    found = strangers(ledger, truth([once], [{**once, "code": "duplicate", "at_ms": 7}]))

    assert len(found) == 1
    assert "sent twice" in found[0]
    assert strangers(ledger, truth([once], [{**once, "code": "crossed", "at_ms": 7}])) == []


def test_an_order_that_the_ledger_does_not_know_is_an_orphan(tmp_path):
    ledger = ledger_with(tmp_path / "ledger.sqlite", "a")

    assert strangers(ledger, truth([{"client_order_id": "b"}])) == ["orphan b"]
    assert strangers(ledger, truth([{"client_order_id": "wire-a"}]), frozenset({"wire-a"})) == []
