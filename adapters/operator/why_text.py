"""The story of one id as lines for people. Pure: a `Story` and what the recheck found go in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from adapters.ledger.story import Record, Story
from models.clock import MS, SECOND
from models.hostile import clean
from models.market import Outcome
from models.money import text
from models.why import Mismatch, StoredOpportunity, age_ms, cost_per_set, gates, surroundings_of

LINE_LIMIT: Final = 2_000
TELL_ROWS: Final = 12
"""Opportunities of an episode that are shown in full; the others are one line each."""


def lines_of(
    story: Story, mismatches: Sequence[tuple[str, Mismatch]] | None, broken: Sequence[tuple[str, int]]
) -> list[str]:
    """The chain from book to profit, oldest first, then what was checked. No colours: it also goes into a pipe.

    `mismatches` None: nothing was checked, and nothing is said about it.
    """
    first_at = story.opportunities[0].at if story.opportunities else (story.attempt or {}).get("opened_at", 0)
    lines = [f"{story.kind} {story.ident}   {_day(first_at)} UTC"]
    for index, row in enumerate(story.opportunities):
        lines += _opportunity(row) if index < TELL_ROWS else [_short(row)]
    if story.left_out:
        lines.append(f"{'':14}and {story.left_out} more rows of this episode")
    lines += _attempt(story)
    lines += _settings(story)
    if mismatches is not None:
        lines += _verdict(story, mismatches, broken)
    return [clean(line, LINE_LIMIT) if line.strip() == line else _indented(line) for line in lines]


# -- lines


def _opportunity(row: StoredOpportunity) -> Iterable[str]:
    at = _time(row.at)
    yield _line(at, "book", "  ".join(_book(row, index) for index in range(len(row.legs))))
    cost = cost_per_set(row)
    payout = cost + row.edge + row.cost_buffer
    words = (
        f"{row.opportunity_id} {row.set_id} sum {_usd(row.sum_cost)}  "
        f"edge {_usd(payout, 0)}−{_usd(cost)}−{_usd(row.cost_buffer)} = {_signed(row.edge)}  "
        f"fees {_usd(row.fees)}  net {_signed(row.net_edge)}  "
        + " ".join(f"{name} {'✓' if is_open else '✗'}" for name, is_open in gates(row))
    )
    yield _line(at, "opp", words)
    if row.decision == "traded":
        average = "" if cost == row.sum_cost else f", down the ladders at {_usd(cost)} a set"
        yield _line(at, "TRADE", f"{row.attempt_id} size {_shares(row.size)} of each leg{average}")
        return
    also = f", also {row.also.replace(',', ', ')}" if row.also else ""
    detail = f": {row.detail}" if row.detail else ""
    who = "risk" if row.risk_inputs is not None else "signal"
    yield _line(at, "SKIP", f"{row.reason}{detail}{also} ({who}; verdict {row.verdict})")


def _short(row: StoredOpportunity) -> str:
    word = row.attempt_id if row.decision == "traded" else row.reason
    return _line(
        _time(row.at), "opp", f"{row.opportunity_id} sum {_usd(row.sum_cost)} net {_signed(row.net_edge)} {word}"
    )


def _book(row: StoredOpportunity, index: int) -> str:
    leg = row.legs[index]
    outcome = Outcome(leg.outcome)
    ask = leg.top.ask(outcome)
    where = "" if row.market_id is not None else f"{leg.market_id} "
    seq = f"seq {leg.top.seq}" if leg.top.seq is not None else f"top {leg.top.version}"
    try:
        age = f"age {age_ms(leg.top, surroundings_of(row).now):.0f} ms"
    except ValueError:
        age = "age unknown"
    lag = "" if leg.top.lag_ms is None else f", lag {leg.top.lag_ms} ms"
    price = "none" if ask is None else f"{_usd(ask)}×{_shares(leg.top.ask_size(outcome))}"
    return f"{where}{leg.outcome} {price} ({seq}, {age}{lag})"


def _attempt(story: Story) -> Iterable[str]:
    """Orders, fills, protections, changes and paper fills of the attempt, in the order of their times."""
    told: list[tuple[int, str]] = []
    for order in story.orders:
        told.append((order["intent_at"], _line(_time(order["intent_at"]), "order", _order(order))))
        if order["acked_at"] is not None:
            told.append((order["acked_at"], _line(_time(order["acked_at"]), "answer", _answer(order))))
    told += [(fill["at"], _line(_time(fill["at"]), "fill", _fill(fill))) for fill in story.fills]
    told += [(e["at"], _line(_time(e["at"]), str(e["kind"])[:9], _event(e))) for e in story.events]
    told += [(p["at"], _line(_time(p["at"]), "paper", _paper(p))) for p in story.paper]
    told += [(s["at"], _line(_time(s["at"]), s["kind"][:9], _settled(s))) for s in story.settlements]
    previous = ""
    for change in story.changes:
        words = _change(change)
        if f"{change['state']} {words}" != previous:
            told.append((change["at"], _line(_time(change["at"]), change["state"], words)))
        previous = f"{change['state']} {words}"
    return [line for _, line in sorted(told, key=lambda entry: entry[0])]


def _order(order: Record) -> str:
    return (
        f"{order['client_order_id'][:8]} {order['action']} {order['side']} {_shares(order['size'])} "
        f"@ {_usd(order['price'])} {order['time_in_force']} ({order['purpose']})"
        + (" found at the venue" if order["adopted"] else "")
    )


def _answer(order: Record) -> str:
    took = "" if order["sent_at"] is None else f" after {(order['acked_at'] - order['sent_at']) / MS:.0f} ms"
    refusal = "" if order["refusal"] is None else f" {order['refusal']} by {'venue' if order['by_venue'] else 'us'}"
    detail = f": {order['detail']}" if order["detail"] else ""
    return (
        f"{order['client_order_id'][:8]} {order['side']} {order['status']}{took}{refusal}{detail}, "
        f"filled {_shares(order['filled'])}"
    )


def _fill(fill: Record) -> str:
    fee = "fee unknown" if fill["fee"] is None else f"fee {_usd(fill['fee'])}"
    return (
        f"{fill['client_order_id'][:8]} {fill['action']} {fill['side']} {_shares(fill['filled_size'])} "
        f"@ {_usd(fill['avg_price'])} {fee} ({fill['state']}, {fill['fill_id']})"
    )


def _event(event: Record) -> str:
    facts = event["facts"]
    if event["kind"] != "protection":
        return str(event["text"])
    numbers = (
        f"{name} {'unavailable' if facts.get(name) is None else _signed(facts[name])}"
        for name in ("complete", "unwind", "hold")
    )
    return f"{' · '.join(numbers)}  → {event['text']}"


def _paper(paper: Record) -> str:
    net = "net unknown" if paper["net_pnl"] is None else f"net {_signed(paper['net_pnl'])}"
    note = f" ({paper['note']})" if paper["note"] else ""
    return f"{paper['model']} {_shares(paper['filled'])} sets, cost {_usd(paper['cost'])}, {net}{note}"


def _settled(row: Record) -> str:
    return (
        f"{_shares(row['yes_size'])} YES and {_shares(row['no_size'])} NO of {row['market_id']} for {_usd(row['cash'])}"
    )


def _change(change: Record) -> str:
    words = []
    if any(change["leg_costs"]) or change["filled"]:
        words.append(f"cost {_usd(sum(change['leg_costs']))} + fees {_usd(change['fees'])}")
    if change["filled"]:
        words.append(f"{_shares(change['filled'])} complete sets")
    if change["realized_pnl"] is not None:
        words.append(f"realized {_signed(change['realized_pnl'])}")
    if change["resolution"]:
        words.append(f"by {change['resolution']}")
    if change["ending"]:
        words.append(f"ending {change['ending']}")
    if change["detail"]:
        words.append(change["detail"])
    return ", ".join(words)


def _settings(story: Story) -> Iterable[str]:
    if story.config is None:
        return
    effective = story.config["effective"]
    strategy = effective.get("strategy", {}) if isinstance(effective, Mapping) else {}
    execution = effective.get("execution", {}) if isinstance(effective, Mapping) else {}
    named = {**{k: strategy[k] for k in ("min_edge", "cost_buffer", "min_depth") if k in strategy}}
    named |= {k: execution[k] for k in ("order_size",) if k in execution}
    words = " ".join(f"{name} {value}" for name, value in named.items())
    yield _line("", "settings", f"config {story.config['config_hash']}, code {story.config['code_version']}: {words}")


def _verdict(
    story: Story, mismatches: Sequence[tuple[str, Mismatch]], broken: Sequence[tuple[str, int]]
) -> Iterable[str]:
    if broken:
        names = ", ".join(f"row {seq} of {name}" for name, seq in broken[:5])
        yield _line("", "CHAIN", f"{names} does not fit the hash chain: changed after it was written")
    elif story.seqs:
        yield _line("", "chain", f"{len(story.seqs)} rows fit the hash chain")
    for ident, mismatch in mismatches[:10]:
        yield _line("", "DIFFERS", f"{ident} {mismatch}")
    if mismatches:
        yield _line("", "", "the stored inputs do not give the stored decision: a row, or the code, was changed")
    elif story.opportunities:
        what = "decision" if len(story.opportunities) == 1 else f"{len(story.opportunities)} decisions"
        yield _line("", "recomputed", f"the same {what} from the stored inputs, bit for bit")


def _line(at: str, word: str, words: str) -> str:
    return f"{at:12}  {word:<10} {words}".rstrip()


def _indented(line: str) -> str:
    stripped = line.lstrip(" ")
    return " " * (len(line) - len(stripped)) + clean(stripped, LINE_LIMIT)


# -- words and numbers


def _time(at: int) -> str:
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    return f"{moment:%H:%M:%S}.{at % SECOND // MS:03d}"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%d}"


def _usd(micros: int, places: int = 4) -> str:
    return text(micros, places)


def _signed(micros: int) -> str:
    return f"{'+' if micros >= 0 else ''}{text(micros, 4)}"


def _shares(micros: int) -> str:
    return text(micros, 0)
