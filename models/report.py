"""The report's figures from what the ledger says. Pure: facts in, figures out.

What is not known is None and is shown as unknown, never as zero (I22). Money is micro-dollars, sizes are micro-shares,
times are wall-clock nanoseconds.

- A set is *completed* when its attempt ended in success. `net_pnl` is what all attempts together have earned or lost
  for good, the protection of half-filled sets included, so `avg_net_pnl` (net_pnl per completed set whose money is
  back) is never flattered by leaving the accidents out. What is held and certain but not cash yet is `locked`, and
  stands apart.
- In paper mode money is the pessimistic fill's (design section 10); all three are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from models.clock import DAY
from models.lockup import lockup
from models.money import divide_down
from models.report_facts import AccountFacts, AttemptFacts, Gathered, OpportunityCount
from models.report_figures import Attempts, Evaluation, Opportunities, PaperLine, Report, SetLine, Sets, SumCost

QUOTED: Final = "pessimistic"
MODELS: Final = ("optimistic", "shifted", QUOTED)
ENDINGS: Final = ("success", "partial", "rejected", "missed")


def figure(facts: Gathered) -> Report:
    began, ended = _period(facts)
    up_ns = sum(_overlap(run.began, run.ended, began, ended) for run in facts.runs)
    down_ns = sum(_overlap(outage.began, outage.ended, began, ended) for outage in facts.outages)
    paper = {model: _paper_line(facts, model) for model in MODELS} if facts.mode == "paper" else {}
    curve = _curve(facts)
    sets = _sets(facts, paper, curve)
    violations = (*facts.violations, *_account_violations(facts.account))
    return Report(
        facts=facts,
        venue=facts.runs[-1].venue if facts.runs else None,
        began=began,
        ended=ended,
        up_ns=up_ns,
        uptime_ratio=_uptime(began, ended, up_ns, down_ns),
        opportunities=_opportunities(facts.opportunities, facts.episodes),
        attempts=_attempts(facts.attempts),
        sets=sets,
        paper=paper,
        lines=_lines(facts),
        sum_cost=_sum_cost(facts.sum_costs),
        curve=curve,
        down_ns=down_ns,
        difference=_difference(facts.account),
        evaluation=_evaluate(facts, sets, up_ns, violations),
        lockup=lockup(facts.attempts if facts.mode == "live" else (), ended),
        violations=violations,
    )


# -- time


def _period(facts: Gathered) -> tuple[int | None, int | None]:
    first = facts.runs[0].began if facts.runs else None
    began = facts.since if first is None or (facts.since is not None and facts.since > first) else first
    return began, facts.until if facts.until is not None else facts.last_sign


def _overlap(began: int, ended: int, low: int | None, high: int | None) -> int:
    return max(0, min(ended, ended if high is None else high) - max(began, began if low is None else low))


def _uptime(began: int | None, ended: int | None, up_ns: int, down_ns: int) -> float | None:
    if began is None or ended is None or ended <= began:
        return None
    return min(1.0, max(0, up_ns - down_ns) / (ended - began))


# -- counts


def _opportunities(counts: Sequence[OpportunityCount], episodes: int) -> Opportunities:
    detected = sum(count.count for count in counts)
    skipped = [count for count in counts if count.decision == "skipped"]
    return Opportunities(
        detected=detected,
        traded=detected - sum(count.count for count in skipped),
        by_reason=_ranked(skipped, lambda count: count.reason or "unknown"),
        by_verdict=_ranked(counts, lambda count: count.verdict),
        episodes=episodes,
        avg_edge=_mean(sum(count.edge_sum for count in counts), detected),
    )


def _ranked(counts: Iterable[OpportunityCount], key: Callable[[OpportunityCount], str]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total[key(count)] += count.count
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _attempts(attempts: Sequence[AttemptFacts]) -> Attempts:
    ended = Counter(attempt.ending for attempt in attempts if attempt.ending is not None)
    finished = sum(ended.values())
    return Attempts(
        total=len(attempts),
        endings={ending: ended.get(ending, 0) for ending in ENDINGS},
        in_doubt=sum(attempt.in_doubt for attempt in attempts),
        in_flight=len(attempts) - finished,
        success_rate=ended.get("success", 0) / finished if finished else None,
    )


def _sum_cost(counts: Sequence[tuple[int, int]]) -> SumCost:
    cent = 10_000
    total = sum(count for _, count in counts)
    median, seen = None, 0
    for cents, count in counts:
        seen += count
        if 2 * seen >= total:
            median = cents * cent
            break
    return SumCost(
        low=counts[0][0] * cent if counts else None,
        median=median,
        high=(counts[-1][0] + 1) * cent if counts else None,
        buckets=tuple((cents * cent, (cents + 1) * cent, count) for cents, count in counts),
    )


# -- money


def _sets(facts: Gathered, paper: dict[str, PaperLine], curve: Sequence[tuple[int, int]]) -> Sets:
    completed = [attempt for attempt in facts.attempts if attempt.ending == "success"]
    live = facts.mode == "live"
    settled = sum(attempt.realized is not None for attempt in completed) if live else len(completed)
    net = curve[-1][1] if curve else None
    held = [attempt for attempt in facts.attempts if live and attempt.certain is not None]
    edges = [attempt.edge for attempt in completed if attempt.edge is not None]
    if live:
        fees = sum(a.fees for a in facts.attempts if a.fees is not None) if facts.attempts else None
    else:
        fees = paper[QUOTED].fees if paper[QUOTED].attempts > paper[QUOTED].unknown else None
    return Sets(
        completed=len(completed),
        settled=settled,
        avg_edge=_mean(sum(edges), len(edges)),
        net_pnl=net,
        avg_net_pnl=None if net is None else _mean(net, settled),
        fees=fees,
        locked=sum(attempt.certain or 0 for attempt in held),
        locked_capital=sum((attempt.cost or 0) + (attempt.fees or 0) for attempt in held),
    )


def _paper_line(facts: Gathered, model: str) -> PaperLine:
    """One way to fill all attempts. An attempt whose fill was never worked out (the bot stopped) is unknown."""
    mine = [row for row in facts.paper if row.model == model]
    known = [row.net_pnl for row in mine if row.net_pnl is not None]
    return PaperLine(
        attempts=len(facts.attempts),
        sets=sum(row.filled > 0 for row in mine),
        cost=sum(row.cost for row in mine),
        fees=sum(row.fees for row in mine),
        net_pnl=sum(known) if known else None,
        unknown=len(facts.attempts) - len(known),
    )


def _curve(facts: Gathered) -> tuple[tuple[int, int], ...]:
    """Realized profits in live mode, pessimistic ones in paper mode, added up in the order of their times."""
    if facts.mode == "live":
        steps = [(a.changed or a.opened, a.realized) for a in facts.attempts if a.realized is not None]
    else:
        steps = [(p.at, p.net_pnl) for p in facts.paper if p.model == QUOTED and p.net_pnl is not None]
    points = []
    total = 0
    for at, profit in sorted(steps):
        total += profit
        points.append((at, total))
    return tuple(points)


def _lines(facts: Gathered) -> tuple[SetLine, ...]:
    seen, traded = Counter[str](), Counter[str]()
    for count in facts.opportunities:
        seen[count.set_id] += count.count
        traded[count.set_id] += count.count if count.decision == "traded" else 0
    money = {p.attempt_id: (p.fees, p.net_pnl) for p in facts.paper if p.model == QUOTED}
    by_set: dict[str, list[AttemptFacts]] = {}
    for attempt in facts.attempts:
        by_set.setdefault(attempt.set_id, []).append(attempt)
    lines = []
    for set_id in sorted(seen.keys() | by_set.keys(), key=lambda name: (-seen[name], name)):
        mine = by_set.get(set_id, [])
        if facts.mode == "live":
            amounts = [(attempt.fees, attempt.realized) for attempt in mine]
        else:
            amounts = [money.get(attempt.attempt_id, (None, None)) for attempt in mine]
        lines.append(
            SetLine(
                set_id=set_id,
                opportunities=seen[set_id],
                traded=traded[set_id],
                completed=sum(attempt.ending == "success" for attempt in mine),
                partial=sum(attempt.ending == "partial" for attempt in mine),
                fees=_known_sum(fees for fees, _ in amounts),
                net_pnl=_known_sum(net for _, net in amounts),
            )
        )
    return tuple(lines)


# -- judgement


def _difference(account: AccountFacts | None) -> int | None:
    if account is None or account.cash_ledger is None or account.cash_venue is None:
        return None
    return account.cash_ledger - account.cash_venue


def _account_violations(account: AccountFacts | None) -> list[str]:
    if account is None or account.cash_ledger is None or account.cash_recomputed is None:
        return []
    if account.cash_ledger == account.cash_recomputed:
        return []
    return [f"cash by the rows is {account.cash_recomputed}, the reconcile wrote {account.cash_ledger} micro-dollars"]


def _evaluate(facts: Gathered, sets: Sets, up_ns: int, violations: Sequence[str]) -> Evaluation:
    days = up_ns / DAY
    refused = _why_refused(facts, violations)
    goal = facts.goal
    quoted = _paper_line(facts, QUOTED) if facts.mode == "paper" else None
    # Money is judged by the quoted fills, so a set counts towards the window only where they made it one, too.
    counted = sets.completed if quoted is None else min(sets.completed, quoted.sets)
    if refused:
        verdict, reasons = "refused", refused
    elif goal is None:
        verdict, reasons = "unknown", ["the ledger holds no configuration with an evaluation window"]
    elif counted < goal.min_sets and days < goal.min_days:
        verdict = "too_early"
        reasons = [f"{counted} of {goal.min_sets} sets and {days:.2f} of {goal.min_days} days"]
    elif sets.avg_net_pnl is None:
        verdict, reasons = "fail", ["no completed set whose profit is known"]
    elif sets.avg_net_pnl > goal.target:
        verdict, reasons = "pass", ["average net profit per completed set is above the target"]
    else:
        verdict, reasons = "fail", ["average net profit per completed set is not above the target"]
    unknown = quoted.unknown if quoted is not None else 0
    if unknown:
        what = "paper attempt has" if unknown == 1 else "paper attempts have"
        reasons.append(f"{unknown} {what} no pessimistic figure (books not ready, or stopped) and count 0")
    return Evaluation(
        sets=counted,
        days=days,
        avg_net_pnl=sets.avg_net_pnl,
        target=None if goal is None else goal.target,
        verdict=verdict,
        reasons=tuple(reasons),
    )


def _why_refused(facts: Gathered, violations: Sequence[str]) -> list[str]:
    reasons = [f"{len(violations)} figures of the ledger do not add up"] if violations else []
    if facts.mode != "live" or not facts.attempts:
        return reasons
    account = facts.account
    if account is None:
        return [*reasons, "ledger and venue have never been compared"]
    difference = _difference(account)
    if difference is None or account.positions_equal is None:
        reasons.append("the last comparison with the venue could not be made")
    if difference:
        reasons.append(f"cash of ledger and venue differ by {difference} micro-dollars")
    if account.positions_equal is False:
        reasons.append("positions of ledger and venue differ")
    return reasons


def _mean(total: int, count: int) -> int | None:
    """Floored: an average profit is never stated better than it is."""
    return divide_down(total, count) if count else None


def _known_sum(amounts: Iterable[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
