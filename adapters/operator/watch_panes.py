"""What stands under the markets on the full screen: events and orders, or one text that was asked for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.operator.events import pane
from adapters.operator.render import Fragments, event_fragments
from adapters.operator.screen import pair, rule, side
from adapters.operator.tables import MISSING, age, clock_time, fit_middle, fixed, price, shares
from adapters.operator.watch_view import View
from models.hostile import clean
from models.status import MarketRow, OrderRow, StatusSnapshot

SIDE_BY_SIDE: Final = 100
MARKETS_ONLY: Final = 60
PANE_LEAST: Final = 3
IDENT_CELLS: Final = 13
MARKETS_LEAST: Final = 4
PANE_MOST: Final = 14

HELP: Final = (
    "↑ ↓ PgUp PgDn  choose a market          ⏎  its details",
    "/  filter by id, title or state         s  next order: edge, sum, age, state, market",
    "e  events quiet, normal, all            F9 halt everything, no question",
    "h  halt the chosen market or all        r  resume, after the word is typed",
    "q  leave; the bot goes on",
)


Asked = tuple[str, Sequence[str]]
"""Title and lines of a text that the operator asked for."""


def asked_text(status: StatusSnapshot, view: View, chosen: MarketRow | None) -> Asked | None:
    """What stands below instead of events and orders; None where nothing was asked for."""
    if view.message:
        return "answer (any key)", view.message
    if view.help:
        return "keys", HELP
    if view.details and chosen is not None:
        return f"details of {clean(chosen.market_id)}", _details(chosen, status)
    return None


def lower_height(left: int, rows: int, width: int, asked: Asked | None) -> int:
    """Lines for what stands under the markets, title included, out of `left`; the markets get what they need first."""
    if asked is not None:
        return max(0, min(left - MARKETS_LEAST, len(asked[1]) + 1))
    if width < MARKETS_ONLY or left < PANE_LEAST + MARKETS_LEAST + 1:
        return 0
    most = PANE_MOST if width >= SIDE_BY_SIDE else PANE_MOST + 6
    return max(PANE_LEAST + 1, min(most, left - max(rows, MARKETS_LEAST)))


def panes_below(status: StatusSnapshot, view: View, width: int, height: int, asked: Asked | None) -> list[Fragments]:
    """Exactly `height` lines, the title's rule first."""
    if height <= 1:
        return [side([], width)] * height
    if asked is not None:
        return _text_pane(*asked, width, height)
    if width >= SIDE_BY_SIDE and status.orders:
        return _two_panes(status, view, width, height)
    orders = min(len(status.orders) + 1, height // 3)
    orders = orders if orders > 1 else 0
    lines = _events_pane(status, view, width, height - orders)
    if orders:
        lines.append(rule([("class:title", "orders")], [], width))
        lines += [side(_order(row), width) for row in status.orders[: orders - 1]]
    return lines


def _text_pane(title: str, texts: Sequence[str], width: int, height: int) -> list[Fragments]:
    lines = [rule([("class:title", title)], [], width)]
    lines += [side([("", clean(text, 500))], width) for text in texts[: height - 1]]
    return lines + [side([], width)] * (height - len(lines))


def _events_pane(status: StatusSnapshot, view: View, width: int, height: int) -> list[Fragments]:
    lines = [rule([("class:title", "events")], [("", f"{view.level.value} (e)")], width)]
    lines += [
        side(event_fragments(e, width - 4, IDENT_CELLS), width) for e in pane(status.events, view.level, height - 1)
    ]
    return lines + [side([], width)] * (height - len(lines))


def _two_panes(status: StatusSnapshot, view: View, width: int, height: int) -> list[Fragments]:
    at = min(44, width * 2 // 5)
    title: Fragments = [("class:title", "orders")]
    heading: Fragments = [("class:title", "events"), ("", f" {view.level.value} (e)")]
    lines = [rule(title, heading, width, cross=at)]
    events = [event_fragments(e, width - at - 4, IDENT_CELLS) for e in pane(status.events, view.level, height - 1)]
    for number in range(height - 1):
        order = _order(status.orders[number]) if number < len(status.orders) else []
        lines.append(pair(order, events[number] if number < len(events) else [], at, width))
    return lines


def _order(row: OrderRow) -> Fragments:
    style = {"FILLED": "class:good", "UNKNOWN": "class:bad", "REFUSED": "class:warn"}.get(row.status.upper(), "")
    words = f"{fit_middle(row.client_order_id, 8)} {row.outcome:<3} {row.action.lower()} {shares(row.size)}"
    took = "" if row.took_ns is None else f" {age(row.took_ns)}"
    return [("", f"{words}@{price(row.price)} "), (style, clean(row.status, 20)), ("class:dim", took)]


def _details(row: MarketRow, status: StatusSnapshot) -> list[str]:
    lines = [
        f"{row.title}",
        f"book      {'ready' if row.ready else f'not ready: {row.reason}'}, evidence {age(row.age_ns)} old",
        f"asks      YES {price(row.yes_ask)} × {shares(row.yes_size)}   NO {price(row.no_ask)} × {shares(row.no_size)}",
        f"own set   sum {price(row.sum_cost)}   edge {fixed(row.edge, 4, sign=True)}   {row.state or MISSING}",
        f"halted    {'yes: ' + row.halt_reason if row.halted else 'no'}",
    ]
    lines += [
        f"set       {s.set_id} ({s.kind}) sum {price(s.sum_cost)} of {fixed(s.payout, 2)}, "
        f"edge {fixed(s.edge, 4, sign=True)}"
        for s in status.sets
        if row.market_id in s.market_ids
    ]
    lines += [
        f"in flight {f.attempt_id} {f.state} {age(f.age_ns)}" for f in status.in_flight if row.market_id in f.market_ids
    ]
    last = [e for e in status.events if e.subject == row.market_id][-3:]
    return [*lines, *(f"{clock_time(e.at)}  {e.kind.value} {e.text}" for e in reversed(last))]


def foot(view: View, width: int) -> Fragments:
    """The lower border's text: a question with what has been typed, an answer, or the keys."""
    if view.footer:
        return [("class:warn", clean(view.footer, 200))]
    acts = "" if view.readonly else "h halt… r resume… " if width < SIDE_BY_SIDE else "  h halt…  r resume…  "
    end = "q leave (read only)" if view.readonly else "q leave" if width < SIDE_BY_SIDE else "q leave (bot goes on)"
    looks = (
        "?help /filter ⏎details s sort e events "
        if width < SIDE_BY_SIDE
        else ("?help  /filter  ⏎ details  s sort  e events")
    )
    return [("class:dim", f"{looks}{acts or '  '}{end}")]
