"""What `watch` draws: one snapshot and the operator's view of it -> exactly as many lines as the screen has. Pure.

From 100 columns on orders stand beside the events, from 60 on below them, under 60 there are only the markets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from adapters.operator.render import Fragments, badge, counted_since, feed_style, feed_words
from adapters.operator.screen import fitted, packed, restyled, rule, side
from adapters.operator.tables import (
    MISSING,
    age,
    bar,
    cells,
    clock_time,
    dollars,
    fit_middle,
    fixed,
    pad,
    price,
    shares,
    span,
    stopwatch,
)
from adapters.operator.verbs_markets import market_state
from adapters.operator.watch_panes import MARKETS_ONLY, SIDE_BY_SIDE, asked_text, foot, lower_height, panes_below
from adapters.operator.watch_view import Sort, View, chosen_rows
from models.hostile import clean
from models.market import MarketId
from models.status import Gauge, MarketRow, StatusSnapshot


def frame(status: StatusSnapshot | None, view: View, width: int, height: int, missing: str = "") -> list[Fragments]:
    """The whole screen. `missing` is the sentence in the header when the bot cannot be reached; the rest is dimmed."""
    width, height = max(20, width), max(6, height)
    if status is None:
        lines = _nothing_yet(width, missing or "connecting", view.message)
        body: list[Fragments] = []
    else:
        lines, body = _head(status, width, missing), _body(status, view, width, height)
        if missing:
            body = [restyled(line, "class:dim") for line in body]
    lines += body
    lines = lines[: height - 1] + [side([], width)] * (height - 1 - len(lines))
    return [*lines, rule(foot(view, width), [], width, "└┘")]


def _nothing_yet(width: int, missing: str, message: Sequence[str]) -> list[Fragments]:
    title = rule([("class:stale", f" NO BOT — {missing} ")], [], width, "┌┐")
    return [title, *(side([("", clean(text, 500))], width) for text in ("no data yet", *message))]


def _head(status: StatusSnapshot, width: int, missing: str) -> list[Fragments]:
    if missing:
        title: Fragments = [("class:stale", f" NO BOT — last data {clock_time(status.at)} ")]
        return [rule(title, [("class:dim", missing)], width, "┌┐"), *_figures(status, width)]
    trading = "Trading ON" if status.trading.on else f"HALTED: {status.trading.reason}"
    right: Fragments = [
        (feed_style(status.feed), feed_words(status.feed)),
        ("", f" · reconnects {status.feed.reconnects} · {stopwatch(status.uptime_ns)}"),
    ]
    if width < SIDE_BY_SIDE:
        right = right[:1]
    if width >= MARKETS_ONLY:
        right += [("", " · "), ("class:good" if status.trading.on else "class:halted", clean(trading, 40))]
    return [rule([*badge(status), ("", f" {status.venue}")], right, width, "┌┐"), *_figures(status, width)]


def _figures(status: StatusSnapshot, width: int) -> list[Fragments]:
    if width < MARKETS_ONLY:
        return []
    today = status.today
    earned = f"PnL {counted_since(status)} {dollars(today.net_pnl, sign=True)}"
    parts: list[Fragments] = [
        [("class:good" if today.net_pnl >= 0 else "class:bad", earned)],
        [("", f"sets {today.completed} ok / {today.partial} partial / {today.rejects} reject")],
        *[_limit(gauge) for gauge in status.limits],
    ]
    if status.open_items:
        parts.append([("class:warn", f"open: {', '.join(status.open_items)}")])
    conditions = [
        (
            "class:bad" if gauge.used >= gauge.limit else "",
            f"{gauge.name.replace('_', ' ')} {_amount(gauge, gauge.used)}/{_amount(gauge, gauge.limit)}"
            + (f" in {span(gauge.window_ns)}" if gauge.window_ns is not None else ""),
        )
        for gauge in status.kill_switch
    ]
    parts += [[("class:dim", "kill switch: "), conditions[0]], *([c] for c in conditions[1:])] if conditions else []
    return [side(line, width) for line in packed(parts, width - 4)]


def _amount(gauge: Gauge, value: int) -> str:
    return fixed(value, 0) if gauge.money else str(value)


def _limit(gauge: Gauge) -> Fragments:
    style = "class:bad" if gauge.used >= gauge.limit else "class:good"
    return [
        ("", f"{gauge.name.replace('_', ' ')} "),
        (style, bar(gauge.used, gauge.limit, 10)),
        ("", f" {_amount(gauge, gauge.used)}/{_amount(gauge, gauge.limit)}"),
    ]


# -- markets
# ---------------------------------------------------------------------------------------------------------------


def _body(status: StatusSnapshot, view: View, width: int, height: int) -> list[Fragments]:
    rows = chosen_rows(status, view)
    at = next((i for i, row in enumerate(rows) if row.market_id == view.chosen), 0)
    left = height - 1 - len(_head(status, width, "")) - 2
    asked = asked_text(status, view, rows[at] if rows else None)
    below = lower_height(left, len(rows), width, asked)
    room = max(1, left - below)
    first = max(0, min(at - room // 2, len(rows) - room))
    shown = rows[first : first + room]
    lines = [_markets_rule(view, first, len(shown), len(rows), width)]
    flying = {market_id: f.age_ns for f in status.in_flight for market_id in f.market_ids}
    heading, *texts = _aligned([_HEADINGS, *(_row_cells(row, flying) for row in shown)], width - 4)
    lines.append(side([("class:dim", heading)], width))
    for number, (row, text) in enumerate(zip(shown, texts, strict=True)):
        line = fitted([(_row_style(row), text)], width - 4)
        lines.append(side(restyled(line, "class:chosen") if first + number == at else line, width))
    if not rows:
        lines.append(side([("class:dim", "no market matches")], width))
    lines += [side([], width)] * (room - max(1, len(shown)))
    return lines + panes_below(status, view, width, below, asked)


def _markets_rule(view: View, first: int, shown: int, of: int, width: int) -> Fragments:
    more = f" {first + 1}–{first + shown} of {of}" if of > shown else ""
    title: Fragments = [("class:title", f"markets{more}")]
    if view.filter:
        title.append(("class:warn", f"  filter: {clean(view.filter, 30)}"))
    arrow = "▼" if view.sort is Sort.EDGE else "▲"
    return rule(title, [("", f"sort: {view.sort.value} {arrow} (s)")], width)


_HEADINGS: Final = ("market", "yes ask", "size", "no ask", "size", "sum", "edge", "age", "state")
_DROPS: Final = (0, 3, 4, 3, 4, 1, 0, 2, 0)
"""Columns with the highest number go first where it is narrow."""
_STATE: Final = len(_HEADINGS) - 1
_MARKET_LEAST: Final = 12
_STATE_LEAST: Final = 10


def _aligned(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Rows of all columns -> lines of those that have room; market and state shrink before a column is dropped."""
    sizes = [max(cells(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    kept = list(range(len(_HEADINGS)))
    for dropped in range(max(_DROPS) + 1, 0, -1):
        kept = [i for i in range(len(_HEADINGS)) if _DROPS[i] < dropped]
        over = sum(sizes[i] for i in kept) + 2 * (len(kept) - 1) - width
        give = max(0, sizes[0] - _MARKET_LEAST) + max(0, sizes[_STATE] - _STATE_LEAST)
        if over <= give:
            break
    for i, least in ((0, _MARKET_LEAST), (_STATE, _STATE_LEAST), (0, 6), (_STATE, 3)):
        over = sum(sizes[i] for i in kept) + 2 * (len(kept) - 1) - width
        sizes[i] = max(min(sizes[i], least), sizes[i] - max(0, over))
    return ["  ".join(pad(fit_middle(row[i], sizes[i]), sizes[i], right=0 < i < _STATE) for i in kept) for row in rows]


def _row_cells(row: MarketRow, flying: Mapping[MarketId, int]) -> tuple[str, ...]:
    state = market_state(row)
    if row.market_id in flying:
        state += f" {age(flying[row.market_id])}"
    return (
        clean(("*" if row.market_id in flying else "") + row.market_id),
        price(row.yes_ask),
        shares(row.yes_size) if row.yes_ask is not None else MISSING,
        price(row.no_ask),
        shares(row.no_size) if row.no_ask is not None else MISSING,
        price(row.sum_cost),
        fixed(row.edge, 4, sign=True),
        age(row.age_ns),
        clean(state),
    )


def _row_style(row: MarketRow) -> str:
    if row.halted:
        return "class:halted"
    if not row.ready:
        return "class:dim"
    return "class:good" if row.edge is not None and row.edge > 0 else ""
