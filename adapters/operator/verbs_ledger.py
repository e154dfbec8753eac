"""Commands that read the ledger through the bot: positions, orders, trades, opps, why, report.

`report` and `why` are verbs of the ledger itself and also work where no bot runs; here their finished text is passed
on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, Final

from adapters.operator.command import Argument, Call, Command, Commands, Kind, Option, Place, Reply
from adapters.operator.face import Told
from adapters.operator.tables import MISSING, Column, dollars, fixed, price, shares, table, when
from models.listing import OpportunityLine, OrderLine, PositionLine, TradeLine
from models.money import text
from models.status import SCHEMA_VERSION
from models.status_rows import iso

SHOWN_DEFAULT: Final = 12
SHOWN_MOST: Final = 1_000

PAPER_MONEY: Final = "paper: the state is the shifted fill's, the money the pessimistic one's ($0.00: that one missed)"

PAPER_HOLDS: Final = "nothing is held at a venue: this is paper (what its sets would hold counts in `status` as open)"


def positions(call: Call) -> Reply:
    status = call.face.snapshot()
    now, live = status.at, status.badge == "LIVE"
    rows = call.face.positions()
    columns = (
        Column("set", least=14, middle=True),
        Column("sets", right=True),
        Column("cost", right=True, drop=1),
        Column("pays", right=True),
        Column("locked", right=True),
        Column("UNPAIRED"),
        Column("opened", drop=2),
        Column("state"),
    )
    cells = [
        (
            row.set_id,
            shares(row.sets),
            dollars(row.cost) if row.sets else MISSING,
            dollars(row.pays) if row.sets else MISSING,
            dollars(row.locked, sign=True) if row.sets else MISSING,
            ", ".join(row.unpaired) or MISSING,
            when(row.opened, now),
            row.state,
        )
        for row in rows
    ]
    naked = sum(1 for row in rows if row.unpaired)
    tail = [f"{naked} with unpaired legs: exposed until unwound or completed"] if naked else []
    return _listed("positions", rows, columns, cells, call, "nothing is held" if live else PAPER_HOLDS, tail)


def orders(call: Call) -> Reply:
    now = call.face.snapshot().at
    rows = call.face.orders(call.count("N", SHOWN_DEFAULT, SHOWN_MOST), open_only="open" in call.options)
    columns = (
        Column("time", drop=1),
        Column("order", least=9, middle=True),
        Column("market", least=14, middle=True),
        Column("leg"),
        Column("does"),
        Column("size", right=True),
        Column("at", right=True),
        Column("filled", right=True),
        Column("status"),
        Column("set", drop=2, least=9, middle=True),
    )
    cells = [
        (
            when(row.at, now),
            row.client_order_id,
            row.market_id,
            row.outcome,
            row.action,
            shares(row.size),
            price(row.price),
            shares(row.filled),
            row.status + (" *" if row.open else ""),
            row.tradeset_id,
        )
        for row in rows
    ]
    empty = "no order is open" if "open" in call.options else "no order yet"
    return _listed("orders", rows, columns, cells, call, empty, [])


def trades(call: Call) -> Reply:
    now = call.face.snapshot().at
    rows = call.face.trades(call.count("N", SHOWN_DEFAULT, SHOWN_MOST))
    columns = (
        Column("time", drop=1),
        Column("id", least=9, middle=True),
        Column("set", least=14, middle=True),
        Column("mode", drop=2),
        Column("state"),
        Column("size", right=True),
        Column("cost", right=True),
        Column("fees", right=True),
        Column("pnl", right=True),
    )
    cells = [
        (
            when(row.at, now),
            row.tradeset_id,
            row.set_id,
            row.mode,
            row.state,
            shares(row.size),
            dollars(row.cost),
            dollars(row.fees),
            dollars(row.pnl, sign=True),
        )
        for row in rows
    ]
    tail = [PAPER_MONEY] if any(row.mode == "paper" for row in rows) else []
    return _listed("trades", rows, columns, cells, call, "no attempt yet", tail)


def opps(call: Call) -> Reply:
    skipped = "skipped" in call.options
    now = call.face.snapshot().at
    rows = call.face.opportunities(call.count("N", SHOWN_DEFAULT, SHOWN_MOST), skipped_only=skipped)
    columns = (
        Column("time", drop=1),
        Column("id", least=9, middle=True),
        Column("set", least=14, middle=True),
        Column("sum", right=True),
        Column("edge", right=True),
        Column("net", right=True),
        Column("size", right=True, drop=3),
        Column("verdict", drop=2),
        Column("decision"),
    )
    cells = [
        (
            when(row.at, now),
            row.opportunity_id,
            row.set_id,
            price(row.sum_cost),
            fixed(row.edge, 4, sign=True),
            fixed(row.net_edge, 4, sign=True),
            shares(row.size),
            row.verdict,
            f"{row.decision} {row.reason}".rstrip(),
        )
        for row in rows
    ]
    empty = "no skipped opportunity yet" if skipped else "no opportunity yet"
    return _listed("opportunities", rows, columns, cells, call, empty, [])


def why(call: Call) -> Reply:
    return _told(call.face.why(call.values["ID"]))


def report(call: Call) -> Reply:
    return _told(call.face.report(call.options.get("since"), call.caller.width))


def _told(told: Told) -> Reply:
    return Reply(lines=told.lines, document=told.document, exit_code=told.exit_code)


Line = OpportunityLine | OrderLine | PositionLine | TradeLine


def _listed(
    key: str,
    rows: Sequence[Line],
    columns: Sequence[Column],
    cells: Sequence[Sequence[str]],
    call: Call,
    empty: str,
    tail: Sequence[str],
) -> Reply:
    document = {"schema_version": SCHEMA_VERSION, key: [line_json(row) for row in rows]}
    if not rows:
        return Reply(lines=(empty,), document=document)
    return Reply(lines=(*table(columns, cells, call.caller.width), *tail), document=document)


_WRITTEN: Final[Mapping[str, Callable[[Any], object]]] = {
    "at": iso,
    "opened": iso,
    "sum_cost": text,
    "edge": text,
    "net_edge": text,
    "cost": text,
    "fees": text,
    "pnl": text,
    "price": text,
    "pays": text,
    "size": lambda micros: text(micros, 0),
    "filled": lambda micros: text(micros, 0),
    "sets": lambda micros: text(micros, 0),
}
"""Money and times of a line by field name; everything else is text or a flag already."""


def line_json(row: Line) -> dict[str, object]:
    """The row for `--json`: money and shares as decimal strings, instants as ISO 8601."""
    assert is_dataclass(row)
    return {
        name: value if value is None or name not in _WRITTEN else _WRITTEN[name](value)
        for name, value in asdict(row).items()
    }


def register(commands: Commands) -> None:
    everywhere = Place.CONSOLE | Place.REMOTE
    count = Argument("N", Kind.COUNT, optional=True)
    for command in (
        Command(
            name="positions",
            summary="complete sets held, unpaired legs, locked profit",
            run=positions,
            places=everywhere,
            slow=True,
        ),
        Command(
            name="orders",
            summary="the last orders; * may still fill",
            run=orders,
            places=everywhere,
            arguments=(count,),
            options=(Option("open"),),
            slow=True,
        ),
        Command(
            name="trades",
            summary="the last attempts and what came of them",
            run=trades,
            places=everywhere,
            arguments=(count,),
            slow=True,
        ),
        Command(
            name="opps",
            summary="the last opportunities, and why each was skipped",
            run=opps,
            places=everywhere,
            arguments=(count,),
            options=(Option("skipped"),),
            slow=True,
        ),
        Command(
            name="why",
            summary="the whole story of an opportunity, set or order, recomputed from what was stored",
            run=why,
            places=everywhere | Place.OFFLINE,
            arguments=(Argument("ID", Kind.IDENT),),
            slow=True,
        ),
        Command(
            name="report",
            summary="figures from the ledger",
            run=report,
            places=everywhere | Place.OFFLINE,
            options=(Option("since", "T"),),
            slow=True,
        ),
    ):
        commands.add(command)
