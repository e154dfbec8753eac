"""Table rows -> stored opportunities, exactly as they were written. The inverse of `encode.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from adapters.ledger.tables import OpportunityTable, Top, columns_of
from models.book import Levels, NotReady, TopOfBook
from models.rows import terms_from
from models.signal import SetTerms
from models.why import StoredLeg, StoredOpportunity

_ROW: Final = tuple(column for column in columns_of(OpportunityTable) if column != "hash")
_TOP: Final = tuple(column for column in columns_of(Top) if column != "id")
_LEG: Final = ("opportunity", "market_id", "outcome", *_TOP, "yes_asks", "no_asks")
_ROWS: Final = f"SELECT {', '.join(_ROW)} FROM opportunities"  # noqa: S608  our own names
_LEGS: Final = f"SELECT {', '.join(_LEG)} FROM opportunity_legs"  # noqa: S608


def opportunities(
    connection: sqlite3.Connection, where: str = "1", parameters: tuple[object, ...] = ()
) -> Iterator[StoredOpportunity]:
    """The opportunities that fit, in the order in which they were written, one at a time.

    `where` is SQL of ours over columns of `opportunities`.
    """
    rows = connection.execute(f"{_ROWS} WHERE {where} ORDER BY seq", parameters)
    inner = f"SELECT seq FROM opportunities WHERE {where}"  # noqa: S608
    legs = connection.execute(f"{_LEGS} WHERE opportunity IN ({inner}) ORDER BY opportunity, leg", parameters)
    waiting = legs.fetchone()
    for row in rows:
        mine = []
        while waiting is not None and waiting[0] == row[0]:
            mine.append(waiting)
            waiting = legs.fetchone()
        yield StoredOpportunity(**dict(zip(_ROW, row, strict=True)), legs=_stored_legs(mine))


def _stored_legs(rows: list[tuple[Any, ...]]) -> tuple[StoredLeg, ...]:
    """The legs; none at all where one of them is not what the writer can have written."""
    try:
        return tuple(
            StoredLeg(market, outcome, top_from(market, top, yes, no)) for _, market, outcome, *top, yes, no in rows
        )
    except (ValueError, msgspec.DecodeError):
        return ()


def terms_of(connection: sqlite3.Connection, config_hash: str) -> dict[str, SetTerms]:
    """The terms of every set under one configuration; empty where the ledger does not have it or cannot read it."""
    found = connection.execute("SELECT terms FROM configs WHERE config_hash = ?", (config_hash,)).fetchone()
    try:
        return {} if found is None else terms_from(found[0])
    except msgspec.DecodeError:
        return {}


def top_from(market_id: str, top: list[Any], yes_asks: str | None = None, no_asks: str | None = None) -> TopOfBook:
    """A top from the columns of `tables.Top`, in their order. Raises `ValueError` for what no book can have said."""
    not_ready = None if top[3] is None else NotReady(top[3])
    fields: list[Any] = [market_id, *top[:3], not_ready, *top[4:-2], bool(top[-2]), bool(top[-1])]
    return TopOfBook(*fields, *(_ladder(text) for text in (yes_asks, no_asks)))


def _ladder(text: str | None) -> Levels:
    return () if text is None else msgspec.json.decode(text, type=Levels)
