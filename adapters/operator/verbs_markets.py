"""`markets` and `book`: what the bot sees of the venue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.operator.command import (
    Argument,
    Call,
    Command,
    Commands,
    Kind,
    Place,
    Reply,
    wrong,
)
from adapters.operator.tables import MISSING, Column, age, fixed, price, shares, table, wrap
from adapters.operator.verbs_control import market_named
from models.book import Levels, TopOfBook
from models.exit_codes import EXIT_UNREACHABLE
from models.messages import LaddersSeen
from models.money import text
from models.status import SCHEMA_VERSION, MarketRow, SetRow, StatusSnapshot
from models.status_json import markets_json

LADDER_TIMEOUT_S: Final = 1.0
LEVELS_SHOWN: Final = 5

MARKET_COLUMNS: Final = (
    Column("market", least=14, middle=True),
    Column("title", drop=3, least=12),
    Column("yes ask", right=True),
    Column("size", right=True, drop=1),
    Column("no ask", right=True),
    Column("size", right=True, drop=1),
    Column("sum", right=True),
    Column("edge", right=True),
    Column("age", right=True, drop=2),
    Column("state"),
)


def markets(call: Call) -> Reply:
    now = call.face.snapshot()
    wanted = call.values.get("FILTER", "").casefold()
    rows = [row for row in now.markets if wanted in f"{row.market_id} {row.title} {market_state(row)}".casefold()]
    document = {"schema_version": SCHEMA_VERSION, "markets": markets_json(rows)}
    if not rows:
        said = f"no market matches {wanted!r}" if wanted else "no market is watched"
        return Reply(lines=(said,), document=document)
    lines = markets_table(rows, now, call.caller.width)
    if now.sets and not wanted:
        lines += ["", *sets_table(now.sets, call.caller.width)]
    return Reply(lines=tuple(lines), document=document)


def market_state(row: MarketRow) -> str:
    """What keeps this market from trading, or what it does: the words of the `state` column."""
    if row.halted:
        return "HALTED"
    if not row.ready:
        return f"STALE {row.reason}".rstrip()
    return row.state


def markets_table(rows: Sequence[MarketRow], now: StatusSnapshot, width: int) -> list[str]:
    flying = {market_id for f in now.in_flight for market_id in f.market_ids}
    cells = [
        (
            ("*" if row.market_id in flying else "") + row.market_id,
            "" if row.title == row.market_id else row.title,
            price(row.yes_ask),
            shares(row.yes_size) if row.yes_ask is not None else MISSING,
            price(row.no_ask),
            shares(row.no_size) if row.no_ask is not None else MISSING,
            price(row.sum_cost),
            fixed(row.edge, 4, sign=True),
            age(row.age_ns),
            market_state(row),
        )
        for row in rows
    ]
    titled = [at for at in range(len(MARKET_COLUMNS)) if at != 1 or any(row[1] for row in cells)]
    return table([MARKET_COLUMNS[at] for at in titled], [[row[at] for at in titled] for row in cells], width)


def sets_table(rows: Sequence[SetRow], width: int) -> list[str]:
    columns = (
        Column("set", least=14, middle=True),
        Column("kind"),
        Column("markets", right=True, drop=1),
        Column("pays", right=True),
        Column("sum", right=True),
        Column("edge", right=True),
        Column("state"),
    )
    return table(
        columns,
        [
            (
                row.set_id,
                row.kind,
                str(len(row.market_ids)),
                fixed(row.payout, 2),
                price(row.sum_cost),
                fixed(row.edge, 4, sign=True),
                row.state,
            )
            for row in rows
        ],
        width,
    )


def book(call: Call) -> Reply:
    now = call.face.snapshot()
    market_id = market_named(now, call.values["M"])
    seen = call.face.ladders(market_id, LADDER_TIMEOUT_S)
    if seen is None:
        return wrong(f"the book of {market_id} gave no answer in {LADDER_TIMEOUT_S:.0f} s", exit_code=EXIT_UNREACHABLE)
    row = now.market(market_id)
    return Reply(lines=tuple(book_lines(seen, row, call.caller.width)), document=_book_json(seen))


def book_lines(seen: LaddersSeen, row: MarketRow | None, width: int) -> list[str]:
    top = seen.top
    ready = "ready" if top.not_ready is None else f"NOT READY: {top.not_ready.value}"
    facts = [
        f"{top.market_id}",
        ready,
        f"seq {MISSING if top.seq is None else top.seq}",
        f"connection {top.generation}",
        f"lag {MISSING if top.lag_ms is None else f'{top.lag_ms} ms'}",
        *([f"evidence {age(row.age_ns)} old"] if row is not None else []),
        *(["CROSSED"] if top.crossed else []),
        *([] if top.intact else ["MIRROR BROKEN"]),
        "confirmed by a snapshot" if top.confirmed else "moved since the last snapshot",
    ]
    lines = wrap(facts, width, "  ")
    if row is not None and row.sum_cost is not None:
        lines.append(f"sum {price(row.sum_cost)}   edge {fixed(row.edge, 4, sign=True)}   {row.state}")
    lines.append("")
    columns = (
        Column("YES bid", right=True, drop=1),
        Column("size", right=True, drop=1),
        Column("YES ask", right=True),
        Column("size", right=True),
        Column("NO ask", right=True),
        Column("size", right=True),
        Column("NO bid", right=True, drop=1),
        Column("size", right=True, drop=1),
    )
    sides = (seen.yes_bids, seen.yes_asks, seen.no_asks, seen.no_bids)
    depth = min(LEVELS_SHOWN, max(len(side) for side in sides))
    rows = [[cell for side in sides for cell in _level(side, at)] for at in range(depth)]
    lines += table(columns, rows, width) if rows else ["the book is empty"]
    return lines


def _level(side: Levels, at: int) -> tuple[str, str]:
    return (price(side[at][0]), shares(side[at][1])) if at < len(side) else ("", "")


def _book_json(seen: LaddersSeen) -> dict[str, object]:
    top: TopOfBook = seen.top

    def levels(side: Levels) -> list[list[str]]:
        return [[text(level_price), text(size, 0)] for level_price, size in side]

    return {
        "schema_version": SCHEMA_VERSION,
        "market_id": top.market_id,
        "ready": top.not_ready is None,
        "reason": "" if top.not_ready is None else top.not_ready.value,
        "seq": top.seq,
        "generation": top.generation,
        "lag_ms": top.lag_ms,
        "crossed": top.crossed,
        "intact": top.intact,
        "confirmed": top.confirmed,
        "yes": {"bids": levels(seen.yes_bids), "asks": levels(seen.yes_asks)},
        "no": {"bids": levels(seen.no_bids), "asks": levels(seen.no_asks)},
    }


def register(commands: Commands) -> None:
    everywhere = Place.CONSOLE | Place.REMOTE
    commands.add(
        Command(
            name="markets",
            summary="asks, sum, edge, age and state of every watched market; * is in flight",
            run=markets,
            places=everywhere,
            arguments=(Argument("FILTER", Kind.TEXT, optional=True),),
        )
    )
    commands.add(
        Command(
            name="book",
            summary="both ladders of a market, and whether they may be trusted",
            run=book,
            places=everywhere,
            arguments=(Argument("M", Kind.MARKET),),
            slow=True,
        )
    )
