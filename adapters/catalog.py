"""What reading the catalogs of venues has in common: its error, and the instants in them. Pure."""

from __future__ import annotations

import datetime as dt

from models.clock import SECOND
from models.hostile import clean


class CatalogError(ValueError):
    """The venue's description of a market is incomplete, contradictory or of a kind that this program does not know."""


def instant_ms(text: str) -> int:
    """RFC 3339 with a zone -> ms since 1970 UTC. Raises `CatalogError`."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise CatalogError(f"a date that is none: {clean(text, 40)!r}") from None
    if moment.tzinfo is None:
        raise CatalogError(f"a date without a time zone: {clean(text, 40)!r}")
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def iso_date(wall_ns: int) -> str:
    """The UTC date of an instant, ns since 1970."""
    return dt.datetime.fromtimestamp(wall_ns // SECOND, dt.UTC).date().isoformat()
