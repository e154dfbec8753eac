"""Words and colours of the console: event lines, toolbar, banner. Pure: a snapshot in, styled fragments out.

Every colour stands beside a word that says the same, so that a terminal without colours (or NO_COLOR) loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from adapters.operator.events import SCREEN_FOLD_NS, Level
from adapters.operator.tables import (
    MISSING,
    age,
    cells,
    clock_time,
    dollars,
    fit,
    fit_middle,
    fixed,
    folded,
    pad,
    stopwatch,
)
from models.clock import DAY, SECOND, BootNs
from models.status import STALE_NS, EventKind, EventLine, FeedState, FeedStatus, StatusSnapshot

Fragment = tuple[str, str]
Fragments = list[Fragment]

STYLES: Final[Mapping[str, str]] = {
    "paper": "bg:ansicyan fg:ansiblack bold",
    "demo": "bg:ansimagenta fg:ansiwhite bold",
    "live": "bg:#b00000 fg:#ffffff bold",
    "halted": "bg:ansiyellow fg:ansiblack bold",
    "stale": "bg:ansired fg:ansiwhite bold",
    "bad": "fg:ansired bold",
    "warn": "fg:ansiyellow",
    "good": "fg:ansigreen",
    "dim": "fg:ansibrightblack",
    "title": "bold",
    "chosen": "reverse",
    "bottom-toolbar": "noreverse bg:default",
    "key": "reverse",
}
"""Class names of the fragments; `prompt_toolkit.styles.Style.from_dict` takes it as it is."""

_KIND_STYLE: Final[Mapping[EventKind, str]] = {
    EventKind.SKIP: "class:dim",
    EventKind.INFO: "",
    EventKind.OPP: "",
    EventKind.ORDER: "",
    EventKind.FILL: "class:good",
    EventKind.DONE: "class:good",
    EventKind.RESUME: "class:good",
    EventKind.WARN: "class:warn",
    EventKind.PARTIAL: "class:bad",
    EventKind.HALT: "class:halted",
    EventKind.ERROR: "class:bad",
}

AT_THE_PROMPT: Final = "Type help, Tab completes, Ctrl-R searches history, F9 halts."
SUBJECT_CELLS: Final = 16
SUBJECT_MAX: Final = 24
SUBJECT_ALIGNED: Final = 72
"""Narrower than this, the text follows the subject at once."""
BODY_CELLS: Final = 24
"""What an id may not take from the subject and the text."""
IDENT_CELLS: Final = 20
IDENT_BEGINNING: Final = 8
"""On a line of limited width a longer id (an order's) shows its beginning, which `why` takes for the whole."""
WHOLE: Final = frozenset({EventKind.HALT, EventKind.PARTIAL, EventKind.ERROR})
"""Never cut at the prompt: what they say is what the operator has to act on."""


def plain(fragments: Iterable[Fragment]) -> str:
    return "".join(text for _, text in fragments)


def event_fragments(line: EventLine, width: int = 0, ident_cells: int = 0) -> Fragments:
    """`time KIND subject text ident`, cut to `width` cells where one is given. Count and id survive the cut.

    `ident_cells` > 0 keeps only the two ends of a long id, where it cannot be copied from the screen anyway.
    """
    style = _KIND_STYLE[line.kind]
    aligned = 0 if 0 < width < SUBJECT_ALIGNED else SUBJECT_CELLS
    subject = pad(fit_middle(line.subject, SUBJECT_MAX), aligned)
    head: Fragments = [
        ("class:dim", clock_time(line.at) + " "),
        (style or "class:title", f"{line.kind.value:<7}"),
        ("", " "),
    ]
    body = f"{subject} {line.text}" if line.subject else line.text
    count = ""
    if line.times > 1:
        count = f"   (×{line.times} in {SCREEN_FOLD_NS // SECOND} s)" if line.fold else f"   (×{line.times})"
    ident = f"  {_ident(line.ident, width, ident_cells)}" if line.ident else ""
    if ident and width and width - cells(plain(head) + count + ident) < BODY_CELLS:
        ident = ""
    if width:
        body = fit(body, max(8, width - cells(plain(head) + count + ident)))
    return [*head, ("class:dim" if line.kind is EventKind.SKIP else "", body + count), ("class:dim", ident)]


def event_lines(line: EventLine, width: int) -> list[Fragments]:
    """The line as the prompt prints it: cut to the screen, but whole on several lines where it must be read."""
    whole = event_fragments(line)
    if line.kind not in WHOLE or cells(plain(whole)) <= width:
        return [event_fragments(line, width)]
    style = _KIND_STYLE[line.kind]
    return [[(style, part)] for part in folded(plain(whole), width)]


def _ident(ident: str, width: int, most: int) -> str:
    if most:
        return fit_middle(ident, most)
    return ident[:IDENT_BEGINNING] if width and cells(ident) > IDENT_CELLS else ident


def badge_style(status: StatusSnapshot) -> str:
    if not status.trading.on:
        return "class:halted"
    return {"LIVE": "class:live", "DEMO": "class:demo"}.get(status.badge, "class:paper")


def badge(status: StatusSnapshot) -> Fragments:
    """The mode, and over everything a halt: `LIVE HALTED`."""
    words = status.badge if status.trading.on else f"{status.badge} HALTED"
    return [(badge_style(status), f" {words} ")]


def feed_words(feed: FeedStatus) -> str:
    """`ws LIVE 5 ms`: the lag where the venue's clock gives one, else how long ago the last frame came."""
    if feed.state is not FeedState.LIVE:
        return f"ws {feed.state.value.upper()}"
    recent = f"{feed.lag_ms} ms" if feed.lag_ms is not None else age(feed.age_ns)
    return f"ws LIVE {recent}"


def feed_style(feed: FeedStatus) -> str:
    return {FeedState.LIVE: "class:good", FeedState.CONNECTING: "class:warn"}.get(feed.state, "class:bad")


def notional_words(status: StatusSnapshot) -> str:
    gauge = status.gauge("daily_notional")
    return "notional –" if gauge is None else f"notional {fixed(gauge.used, 0)}/{fixed(gauge.limit, 0)}"


def toolbar(status: StatusSnapshot, now: BootNs, level: Level, width: int) -> Fragments:
    """One line under the prompt. Parts that do not fit go from the right, except the badge and the warnings."""
    parts: Fragments = []
    late = now - status.taken
    if late > STALE_NS:
        parts.append(("class:stale", f" status {age(late)} old "))
    if not status.trading.on:
        parts.append(("class:halted", fit(f" {status.trading.reason or 'no permit'} ", 40)))
    elif status.halted_markets:
        parts.append(("class:halted", f" {status.halted_markets} halted "))
    open_words = ("class:warn", f" open: {', '.join(status.open_items)} ") if status.open_items else None
    parts.append((feed_style(status.feed), f" {feed_words(status.feed)} "))
    fresh, watched = status.fresh_markets, len(status.markets)
    parts.append(("" if fresh == watched else "class:warn", f" {fresh}/{watched} fresh "))
    parts.append(("", f" sets {status.today.completed} "))
    parts.append(("", f" PnL {dollars(status.today.net_pnl, sign=True)} "))
    parts.append(("", f" inflight {len(status.in_flight)} "))
    if open_words:
        parts.append(open_words)
    parts.append(("", f" {notional_words(status)} "))
    parts.append(("", f" halted {status.halted_markets} "))
    if level is not Level.NORMAL:
        parts.append(("class:dim", f" events {level.value} "))
    parts.append(("class:dim", f" {stopwatch(status.uptime_ns)} "))
    line = badge(status)
    used = len(plain(line))
    for style, text in parts:
        if width and used + 1 + len(text) > width:
            break
        line += [("class:dim", "│"), (style, text)]
        used += 1 + len(text)
    return line


def prompt_words(status: StatusSnapshot) -> Fragments:
    """`arb> `, with LIVE in front where real orders may go out."""
    if status.badge == "LIVE":
        return [("class:live", "LIVE"), ("", " arb> ")]
    return [("", "arb> ")]


def banner(status: StatusSnapshot, how: str = AT_THE_PROMPT) -> list[str]:
    """What runs on what, in two lines, before anything else. `how`: where commands are given."""
    count = len(status.markets)
    parts = [
        f"dutchbook {status.version}   {status.badge} · venue {status.venue}",
        f"{count} market{'' if count == 1 else 's'}",
    ]
    if status.config_hash:
        parts.append(f"config {status.config_hash[:8]}")
    if status.ledger:
        parts.append(f"ledger {status.ledger}")
    state = f"HALTED ({status.trading.reason}); `resume` turns it on"
    if status.trading.on:
        state = "ON"
    elif status.trading.waits:
        state = f"not yet ({status.trading.reason})"
    return [" · ".join(parts), f"{how} Trading: {state}"]


def counted_since(status: StatusSnapshot) -> str:
    """What the counters cover: the UTC day, and for a bot that has started on it, the time since then."""
    midnight = status.at - status.at % DAY
    return "today" if status.at - status.uptime_ns < midnight else "since start"


def trading_words(status: StatusSnapshot) -> str:
    trading = status.trading
    since = f" since {clock_time(trading.since)}" if trading.since is not None else ""
    if trading.on:
        return f"ON{since}"
    by = f" by {trading.by}" if trading.by else ""
    return f"HALTED{since}{by}: {trading.reason or MISSING}"
