"""Which part of a change that waited for a snapshot is not in the snapshot yet. For `models/book_keeping.py`."""

from __future__ import annotations

import msgspec

from models.book import YES_ASK, BookUpdate


def outcomes_changed(event: BookUpdate) -> tuple[bool, bool]:
    """Whether the event has a change of YES, and one of NO."""
    return any(side <= YES_ASK for side, _, _ in event.changes), any(side > YES_ASK for side, _, _ in event.changes)


def lacking(event: BookUpdate, yes_ms: int | None, no_ms: int | None, *, in_stream: bool) -> BookUpdate | None:
    """The part of an unnumbered `event` of totals that snapshots as of `yes_ms` and `no_ms` lack; None for nothing.

    The outcomes are judged apart, because their snapshots may be of different instants. `in_stream`: the snapshot came
    in the stream behind the event, so it contains what cannot be dated; a REST answer may not. Totals of the same
    millisecond are written again, which is harmless.
    """
    at = event.exchange_ms

    def contained(as_of: int | None) -> bool:
        return in_stream if at is None or as_of is None else at < as_of

    yes_contained, no_contained = contained(yes_ms), contained(no_ms)
    if yes_contained and no_contained:
        return None
    if not (yes_contained or no_contained):
        return event
    changes = tuple(c for c in event.changes if not (yes_contained if c[0] <= YES_ASK else no_contained))
    return msgspec.structs.replace(event, changes=changes, whole=False, claimed=None) if changes else None
