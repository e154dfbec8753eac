"""What a replay found, for people: tables on stdout, a progress bar on stderr where that is a terminal."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from adapters.replay import Progress
from models.hostile import clean
from models.money import text
from models.replay import GapSeen, MarketEnd, ReplayResult

GAPS_SHOWN: Final = 20
MISSING: Final = "-"


@contextmanager
def progress_bar(name: str) -> Iterator[Progress | None]:
    """A bar on stderr while the block runs; None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(clean(name, 40), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_result(result: ReplayResult) -> None:
    console = Console(highlight=False, soft_wrap=False)
    console.print(_summary(result))
    if result.gaps:
        console.print(_gaps(result.gaps))
    console.print(_markets(result.markets))


def _summary(result: ReplayResult) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    verdicts = ", ".join(f"{count} {verdict.value}" for verdict, count in result.gaps_by_verdict().items())
    checked = f"{result.snapshots_equal} of {result.snapshots_checked} equal to the maintained book"
    rows = [
        ("tape", f"{clean(result.venue, 20)}: {clean(result.source)}"),
        ("period", f"{_instant(result.began_ms)} to {_instant(result.ended_ms)}"),
        ("frames", f"{result.frames}, {result.frames_unknown} unknown, {result.frames_failed} failed"),
        ("snapshots", f"{checked}, {result.snapshots_emptied} emptied"),
        ("decisions", f"{result.decisions}, of which {result.opportunities} saw a gap"),
        ("gaps", f"{len(result.gaps)} ({verdicts})"),
        ("decision hash", result.decision_hash),
    ]
    if result.cut:
        rows.append(("note", "the tape's end is missing; everything before it was replayed"))
    for name, words in rows:
        table.add_row(name, Text(words))
    return table


def _gaps(gaps: tuple[GapSeen, ...]) -> Table:
    shown = f" (the first {GAPS_SHOWN} of {len(gaps)})" if len(gaps) > GAPS_SHOWN else ""
    table = Table(title=f"Gaps{shown}", title_justify="left")
    for name in ("began", "set", "verdict", "lasted", "evaluations", "best edge"):
        table.add_column(name, justify="left" if name in {"began", "set", "verdict"} else "right")
    for gap in gaps[:GAPS_SHOWN]:
        table.add_row(
            _instant(gap.began_ms),
            Text(_short(gap.set_id)),
            gap.verdict.value,
            f"{gap.lasted_ms / 1000:.3f} s",
            str(gap.evaluations),
            text(gap.best_edge),
        )
    return table


def _markets(markets: tuple[MarketEnd, ...]) -> Table:
    table = Table(title="Last best prices", title_justify="left")
    for name in ("market", "title", "YES bid", "YES ask", "NO bid", "NO ask"):
        table.add_column(name, justify="left" if name in {"market", "title"} else "right")
    for market in markets:
        prices = (market.yes_bid, market.yes_ask, market.no_bid, market.no_ask)
        table.add_row(
            Text(_short(market.market_id)),
            Text(clean(market.title, 60)),
            *(MISSING if price is None else text(price) for price in prices),
        )
    return table


def _instant(ms: int | None) -> str:
    if ms is None:
        return MISSING
    return f"{dt.datetime.fromtimestamp(ms / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}Z"


def _short(identifier: str) -> str:
    return identifier if len(identifier) <= 24 else f"{identifier[:12]}…{identifier[-6:]}"
