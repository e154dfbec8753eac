"""The report as lines of text, at most `width` cells wide. Plain: colours are the terminal's business
(`report_verb`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from adapters.operator.amounts import UNKNOWN, bar, duration, number, plural, signed, spark, tick, usd
from adapters.operator.tables import folded, wrap
from models.clock import SECOND
from models.hostile import clean
from models.lockup import Lockup
from models.money import text
from models.protection import Remedy
from models.report_figures import Report

BUCKETS_MAX: Final = 16
"""Lines of the histogram; more cents are put together."""
INCIDENTS_SHOWN: Final = 10
SETS_SHOWN: Final = 20
GAP: Final = "   "
BESIDE_THE_BAR: Final = 62
"""Cells of a histogram's line without its bar: the bucket, count, share, sum of shares, and the trade line's mark."""


def lines_of(report: Report, width: int = 100) -> list[str]:
    """Everything on one page, the bad news first."""
    blocks = (
        _violations(report),
        _head(report, width),
        _summary(report, width),
        _paper(report, width),
        _histogram(report, width),
        _curve(report, width),
        _skips(report, width),
        _sets(report),
        _account(report),
        _incidents(report),
        _verdict(report),
    )
    lines: list[str] = []
    for block in blocks:
        found = list(block)
        if found:
            lines += [*found, ""]
    return [part for line in lines[:-1] for part in folded(clean_line(line), width)]


def empty_lines(ledger: str) -> list[str]:
    return [
        f"the ledger {ledger} is empty: no market has been seen yet.",
        "to get data: `python3 run.py demo --for 90s`, or `python3 run.py` with your config.yaml, then `report` again.",
    ]


def missing_lines(ledger: str | None) -> list[str]:
    where = "no ledger yet" if ledger is None else f"no ledger at {ledger}"
    return [
        f"{where}: the bot has not run here.",
        "start with `python3 run.py demo`, or `python3 run.py` for your markets.",
    ]


def clean_line(line: str) -> str:
    stripped = line.lstrip(" ")
    return " " * (len(line) - len(stripped)) + clean(stripped, 400) if stripped else ""


# -- blocks


def _violations(report: Report) -> Iterable[str]:
    for violation in report.violations:
        yield f"VIOLATION  {violation}"


def _head(report: Report, width: int) -> Iterable[str]:
    facts = report.facts
    span = f"{_day(report.began)} → {_day(report.ended)}"
    up = UNKNOWN if report.uptime_ratio is None else f"{100 * report.uptime_ratio:.1f} %"
    items = (
        "Complete-set report",
        facts.mode.upper(),
        report.venue or "no venue",
        f"{span} ({duration(report.up_ns)} in {plural(len(facts.runs), 'run')}, up {up})",
        *([f"only {facts.only}"] if facts.only else []),
        f"ledger {facts.ledger}",
    )
    yield from wrap(items, width, "  ")


def _summary(report: Report, width: int) -> Iterable[str]:
    seen, attempts, sets = report.opportunities, report.attempts, report.sets
    rate = UNKNOWN if attempts.success_rate is None else f"{100 * attempts.success_rate:.1f} %"
    yield from _columns(
        width,
        (
            f"opportunities {number(seen.detected)} in {plural(seen.episodes, 'episode')}",
            f"traded {number(seen.traded)}",
            f"skipped {number(seen.skipped)}",
        ),
        (
            f"attempts {number(attempts.total)}",
            f"sets done {number(sets.completed)} ({rate})",
            "   ".join(f"{ending} {attempts.endings[ending]}" for ending in ("partial", "rejected", "missed"))
            + f"   in doubt {attempts.in_doubt}",
        ),
        (
            f"avg edge {signed(seen.avg_edge, 4)} seen, {signed(sets.avg_edge, 4)} done",
            f"avg net / set {signed(sets.avg_net_pnl, 4)}",
            f"fees {usd(sets.fees)}   net PnL {signed(sets.net_pnl)}",
        ),
        (
            f"disconnects {report.facts.event_counts.get('disconnected', 0)} ({report.down_ns / SECOND:.1f} s down)",
            f"gaps {report.facts.event_counts.get('gap', 0)}   resyncs {report.facts.event_counts.get('resync', 0)}",
            f"order rejects {report.facts.order_rejects}",
        ),
    )
    yield _read(report.facts.event_counts)
    if report.facts.mode == "live":
        facts = report.facts
        ways = "   ".join(f"{remedy.value} {facts.protections.get(remedy.value, 0)}" for remedy in Remedy)
        yield f"half-filled sets   {ways}   orders in doubt {facts.orders_unknown}, resolved {facts.orders_resolved}"
        yield f"locked in held sets {signed(sets.locked)} on {usd(sets.locked_capital)} of capital, apart from net PnL"
        yield _lockup(report.lockup)


def _lockup(found: Lockup) -> str:
    """How long the money is away, and what it earns while it is."""
    back = UNKNOWN if found.returned_ns is None else duration(found.returned_ns)
    held = "" if found.held_ns is None else f", {found.held} held for {duration(found.held_ns)}"
    rate = ""  # of money that is back within seconds it would be a large number that says nothing
    if found.returned_ns is not None and found.returned_ns >= 60 * SECOND:
        rate = f"   net per $1 and day {signed(found.per_dollar_day, 4)}"
    return f"lock-up {back} until the money is back{held}{rate}"


def _paper(report: Report, width: int) -> Iterable[str]:
    if not report.paper:
        return
    for model, line in report.paper.items():
        items = [
            f"paper fill {model:<12} {line.sets:>6} of {line.attempts} filled",
            f"fees {usd(line.fees):>10}",
            f"net {signed(line.net_pnl):>10}",
            *([f"{line.unknown} unknown"] if line.unknown else []),
            *(["← quoted above"] if model == "pessimistic" else []),
        ]
        yield from wrap(items, width, " " * 24, GAP)


def _histogram(report: Report, width: int) -> Iterable[str]:
    buckets = _joined(report.sum_cost.buckets)
    if not buckets:
        return
    total = sum(count for _, _, count in buckets)
    most = max(count for _, _, count in buckets)
    cells = max(10, min(60, width - BESIDE_THE_BAR))
    yield f"{'sum_cost per $1 of payout':<{cells + 12}} {'n':>12}  share    cum"
    cumulated = 0
    line = report.facts.trade_line
    for low, high, count in buckets:
        cumulated += count
        mark = f"   ← trade line {text(line, 4)}" if line is not None and low <= line < high else ""
        shares = f"{_percent(count, total)} {_percent(cumulated, total)}"
        yield f"{text(low)}–{text(high)} │{bar(count, most, cells):<{cells}} {number(count):>12} {shares}{mark}"


def _curve(report: Report, width: int) -> Iterable[str]:
    if len(report.curve) >= 2:
        values = [value for _, value in report.curve]
        yield f"net PnL  {spark(values, max(10, min(60, width - 30)))}  {signed(report.sets.net_pnl)}"


def _skips(report: Report, width: int) -> Iterable[str]:
    seen = report.opportunities
    for title, counts in (("skip reasons", seen.by_reason), ("verdicts", seen.by_verdict)):
        if counts:
            items = [f"{name.replace('_', ' ')} {number(n)}" for name, n in counts.items()]
            yield from _titled(title, items, width)


def _sets(report: Report) -> Iterable[str]:
    if not report.lines:
        return
    names = [_short(line.set_id) for line in report.lines[:SETS_SHOWN]]
    wide = max(len("set"), *(len(name) for name in names))
    yield f"{'set':<{wide}}  {'opps':>9} {'traded':>7} {'sets':>6} {'partial':>7} {'fees':>10} {'net':>10}"
    for name, line in zip(names, report.lines, strict=False):
        yield (
            f"{name:<{wide}}  {number(line.opportunities):>9} {line.traded:>7} {line.completed:>6} {line.partial:>7} "
            f"{usd(line.fees) if line.fees is not None else '–':>10} "
            f"{signed(line.net_pnl) if line.net_pnl is not None else '–':>10}"
        )
    if len(report.lines) > SETS_SHOWN:
        yield f"and {len(report.lines) - SETS_SHOWN} more sets (all of them in --json and --csv)"


def _account(report: Report) -> Iterable[str]:
    account = report.facts.account
    if report.facts.mode != "live":
        return
    if account is None:
        yield "account   never compared with the venue"
        return
    equal = {True: "equal", False: "DIFFERENT", None: UNKNOWN}[account.positions_equal]
    yield (
        f"account   cash by the ledger {usd(account.cash_ledger, 6)}, by the venue {usd(account.cash_venue, 6)}, "
        f"difference {signed(report.difference, 6)}; positions {equal} ({_stamp(account.at)})"
    )


def _incidents(report: Report) -> Iterable[str]:
    incidents = report.facts.incidents
    if not incidents:
        return
    yield f"incidents ({len(incidents)}, newest last)"
    for event in incidents[-INCIDENTS_SHOWN:]:
        about = event.set_id or event.market_id or ""
        ask = f"   why {event.attempt_id}" if event.attempt_id else ""
        yield f"  {_stamp(event.at)}  {event.kind:<12} {_short(about)} {event.text}{ask}".rstrip()


def _verdict(report: Report) -> Iterable[str]:
    found = report.evaluation
    goal = report.facts.goal
    if goal is not None:
        sets = f"sets {found.sets}/{goal.min_sets} {tick(found.sets >= goal.min_sets)}"
        days = f"days {int(found.days * 10) / 10}/{goal.min_days} {tick(found.days >= goal.min_days)}"
        above = found.avg_net_pnl is not None and found.avg_net_pnl > goal.target
        average = f"avg net per set > {usd(goal.target)} {tick(above)}"
        yield f"PoC gate: {sets}   {days}   {average}   → {found.verdict.upper()}"
    else:
        yield f"PoC gate: {found.verdict.upper()}"
    for reason in found.reasons:
        yield f"  {reason}"


def _joined(buckets: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """At most `BUCKETS_MAX` buckets of equal width; cents without any evaluation stay visible as empty ones."""
    if not buckets:
        return []
    cent = 10_000
    low, high = buckets[0][0], buckets[-1][1]
    width = max(1, -(-(high - low) // cent // BUCKETS_MAX)) * cent
    counts = dict.fromkeys(range(low, high, width), 0)
    for start, _, count in buckets:
        counts[low + (start - low) // width * width] += count
    return [(start, start + width, count) for start, count in counts.items()]


def _columns(width: int, *rows: Sequence[str]) -> Iterable[str]:
    """Under each other where there is room, else one row after the other, broken between its figures."""
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [f"{row[0]:<{widths[0]}}{GAP}{row[1]:<{widths[1]}}{GAP}{row[2]}".rstrip() for row in rows]
    if max(map(len, lines)) <= width:
        yield from lines
        return
    for row in rows:
        yield from wrap(GAP.join(row).split(GAP), width, "  ", GAP)


def _titled(title: str, items: Sequence[str], width: int) -> Iterable[str]:
    at = 15
    for number_of, line in enumerate(wrap(items, width - at, "")):
        yield f"{'' if number_of else title:<{at}}{line}"


def _percent(part: int, total: int) -> str:
    return f"{100 * part / total:4.0f} %" if total else UNKNOWN


def _day(at: int | None) -> str:
    return UNKNOWN if at is None else f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%d %H:%M}"


def _stamp(at: int) -> str:
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%m-%d %H:%M:%S}"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:12]}…{name[-8:]}"


def _read(counts: Mapping[str, int]) -> str:
    """What the feeds could make of what they were sent."""
    frames = f"frames {number(counts.get('frames', 0))}"
    trouble = f"{counts.get('frames_unknown', 0)} unknown, {counts.get('frames_failed', 0)} failed"
    equal, checked = counts.get("snapshots_equal", 0), counts.get("snapshots_checked", 0)
    return f"{frames} ({trouble})   snapshots {equal}/{checked} equal"
