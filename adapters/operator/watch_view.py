"""How the operator looks at the markets on the full screen: order, filter, selection, and what is open below. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from adapters.operator.events import Level
from adapters.operator.verbs_markets import market_state
from models.status import MarketRow, StatusSnapshot


class Sort(enum.StrEnum):
    EDGE = "edge"
    SUM = "sum"
    AGE = "age"
    STATE = "state"
    MARKET = "market"

    @property
    def next(self) -> Sort:
        order = list(Sort)
        return order[(order.index(self) + 1) % len(order)]


@dataclass(frozen=True, slots=True)
class View:
    """How the operator looks at it."""

    sort: Sort = Sort.EDGE
    filter: str = ""
    level: Level = Level.NORMAL
    chosen: str = ""
    """Id of the selected market; empty = the first one."""
    details: bool = False
    help: bool = False
    readonly: bool = False
    footer: str = ""
    """A question with what has been typed so far, or an answer; empty: the keys."""
    message: tuple[str, ...] = ()
    """Lines of an answer, shown in place of the lower panes until a key is pressed."""


def chosen_rows(status: StatusSnapshot, view: View) -> list[MarketRow]:
    """The markets that pass the filter, in the view's order; what has no figure comes last."""
    wanted = view.filter.casefold()
    rows = [r for r in status.markets if wanted in f"{r.market_id} {r.title} {market_state(r)}".casefold()]
    keys: dict[Sort, Callable[[MarketRow], tuple[object, ...]]] = {
        Sort.EDGE: lambda r: (r.edge is None, -(r.edge or 0), r.market_id),
        Sort.SUM: lambda r: (r.sum_cost is None, r.sum_cost or 0, r.market_id),
        Sort.AGE: lambda r: (r.age_ns is not None, -(r.age_ns or 0), r.market_id),
        Sort.STATE: lambda r: (market_state(r) == "IDLE", market_state(r), r.market_id),
        Sort.MARKET: lambda r: (r.market_id,),
    }
    return sorted(rows, key=keys[view.sort])
