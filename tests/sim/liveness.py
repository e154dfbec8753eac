"""I18: once faults have stopped, everything comes right again within a bounded time, and stays right.

Safety alone does not see a bot that waits for ever. So every run ends with a calm: no fault, no gap, an operator who
looks in. Then the books have to be known and equal, every feed up and every open market's book ready, and nothing may
stand in the way of a resume that the operator could not name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.clock import SECOND
from models.market import MarketStatus, SetId
from models.reconcile import FindingKind
from models.set_state import Cooldown, Exposed, Idle
from tests.sim.invariants import Violation

if TYPE_CHECKING:
    from tests.sim.bot import Bot
    from tests.sim.world import World

FIRST_NS = 16 * SECOND
MORE_NS = 10 * SECOND
PATIENCE_NS = 130 * SECOND
"""An order that may have left just before a crash is unknown for the horizon; what is naked is worked on every fifteen
seconds; a comparison that differs is looked at for the horizon again."""


def come_to_rest(world: World) -> None:
    """Faults stop and nothing opens any more, until everything is known. Raises `Violation` (I18)."""
    world.faults.stop()
    world.venue.crowd.calm(world.venue.time(world.now))
    world.resting = True
    world.bot.gate.hold("the end", "end")
    world.run_for(FIRST_NS)
    waited = FIRST_NS
    while (left := unrest(world)) and waited < PATIENCE_NS:
        world.run_for(MORE_NS)
        waited += MORE_NS
    if left:
        raise Violation("I18", f"after {waited // SECOND} s of calm: {'; '.join(left)}")
    compare(world)


def unrest(world: World) -> list[str]:
    """What has not come right yet, one phrase each."""
    bot = world.bot
    if world.frozen or bot.over or bot.broken:
        return ["the process is down"]
    return [*open_questions(bot), *not_ready(world)]


def open_questions(bot: Bot) -> list[str]:
    """What the bot does not know yet, or is in the middle of. A residue that it holds because mending it would cost
    more than it may is none of these; in a patient run nothing costs too much.
    """
    found = []
    for executor in bot.network.executors.values():
        record = executor.record
        if isinstance(record, Idle | Cooldown):
            continue
        attempt = record.attempt
        known = attempt.quiet and attempt.detailed and not attempt.provisional
        if not known or not isinstance(record, Exposed) or _could_mend(bot.world, attempt.set_id, attempt.attempt_id):
            found.append(f"{attempt.attempt_id} {record.state.value}")
    return found


def _could_mend(world: World, set_id: SetId, attempt_id: str) -> bool:
    """Nothing costs too much, every market trades, and what is naked is enough for an order: then none may be left."""
    listings = world.venue.engine.listings
    markets = world.judge.terms[set_id].market_ids
    trades = all(listings[market_id].status is MarketStatus.OPEN for market_id in markets)
    return world.patient and trades and world.judge.exposure.way_out(attempt_id)


def not_ready(world: World) -> list[str]:
    """Feeds that are down, and books of open markets that nobody may trade on."""
    bot, found = world.bot, list[str]()
    found += [f"{feed.label} is down" for feed in bot.feeds if not feed.live]
    for market_id, top in bot.network.signal.tops.items():
        if top.not_ready is not None and world.venue.engine.listings[market_id].status is MarketStatus.OPEN:
            found.append(f"the book of {market_id} is {top.not_ready.value}")
    return found


def compare(world: World) -> None:
    """The bot's own comparison of ledger and venue ends, and finds them equal where they are."""
    world.bot.compare("at rest")
    for _ in range(40):
        world.run_for(SECOND)
        reconcile = world.bot.network.reconcile
        if reconcile is None or (reconcile._pass is None and not reconcile._wanted):
            break
    else:
        raise Violation("I18", "the comparison at rest does not end")
    if reconcile is None or world.meddled:
        return
    assert reconcile.outcome is not None
    # What a new process has found EXPOSED stays a finding; whether it may rest so was asked by `open_questions`.
    exposed = [
        e.record.attempt.attempt_id for e in world.bot.network.executors.values() if isinstance(e.record, Exposed)
    ]
    findings = [
        str(finding)
        for finding in reconcile.outcome.findings
        if finding.kind is not FindingKind.OPEN or not any(f" {attempt} " in finding.text for attempt in exposed)
    ]
    if findings:
        raise Violation("I8", f"at rest the bot finds {findings}")


def take_up_again(world: World) -> None:
    """The operator lets the bot trade again: nothing refuses it, and it does trade."""
    bot = world.bot
    if not world.setting.live or world.meddled or bot.open_items():
        return
    if bot.gate.tripped is not None and not bot.resume():
        raise Violation("I18", f"a resume is refused at rest: {bot.refusals()}")
    for market_id in list(bot.gate.market_halts):
        world.resume_market(market_id)
    bot.gate.release_hold("end")
    if bot.gate.held is not None:
        raise Violation("I18", f"the gate is held at rest: {bot.gate.held}")
