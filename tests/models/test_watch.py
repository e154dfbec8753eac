"""One watched set: when an episode begins and ends, which states become rows, and what is proposed how often."""

from __future__ import annotations

from typing import Any

from models.book import NotReady
from models.clock import MS, SECOND, BootNs, WallNs
from models.market import BookModel, MarketId, MarketStatus, Outcome, SetId
from models.sets import CompleteSet, SetKind, SetLeg
from models.signal import Kind, SkipReason
from models.verdict import Verdict
from models.watch import REFUSED_PAUSE_NS, Evaluated, SetWatch
from tests.factories import a_market, a_top, a_watch, shares, terms, usd
from tests.fakes import START_BOOT, START_WALL


class Watching:
    """A set watch fed as SignalActor feeds it, with a time that the test moves."""

    def __init__(self, watch: SetWatch | None = None) -> None:
        self.watch = watch or a_watch()
        self.now = int(START_BOOT)
        self._episodes = 0

    def puts(self, **of_top: Any) -> bool:
        """A new top now, with evidence of now. Whether it leaves a gap."""
        top = a_top(**{"evidence_at": BootNs(self.now), **of_top})
        self.watch.put(top, self.watch.legs_of(top.market_id))
        return self.watch.gap()

    def top(self, **of_top: Any) -> Evaluated:
        """A new top that leaves a gap, judged."""
        assert self.puts(**of_top)
        return self.evaluate()

    def evaluate(self) -> Evaluated:
        self._episodes += 1
        wall = WallNs(START_WALL + self.now - START_BOOT)
        evaluated = self.watch.evaluate(BootNs(self.now), wall, f"e-{self._episodes}")
        assert evaluated is not None
        return evaluated

    def later(self, by_ns: int) -> None:
        self.now += by_ns


def nested_watch() -> SetWatch:
    legs = (SetLeg(MarketId("low"), Outcome.YES), SetLeg(MarketId("high"), Outcome.NO))
    nested = CompleteSet(set_id=SetId("s"), kind=SetKind.NESTED, legs=legs, payout=usd("1"), attestation="one source")
    return SetWatch(terms(nested, [a_market("low"), a_market("high")]))


# -- states and counts


def test_nothing_is_counted_before_every_leg_has_a_top() -> None:
    watching = Watching(nested_watch())

    assert not watching.puts(market_id="low")
    assert watching.watch.missing == 1
    assert watching.watch.sum_cost() is None

    assert watching.puts(market_id="high")
    assert watching.watch.take_counts() == (2, ((95, 1),))


def test_each_leg_takes_its_own_outcome_from_its_own_market() -> None:
    watch = nested_watch()

    assert (watch.legs_of(MarketId("low")), watch.legs_of(MarketId("high"))) == ((0,), (1,))
    assert watch.legs_of(MarketId("other")) == ()
    assert a_watch().legs_of(MarketId("m")) == (0, 1)
    watch.put(a_top("low", yes_ask="0.30", no_ask="0.99"), (0,))
    watch.put(a_top("high", yes_ask="0.99", no_ask="0.40"), (1,))
    assert watch.sum_cost() == usd("0.70")


def test_every_usable_state_is_counted_by_whole_cents_gap_or_not() -> None:
    watching = Watching()
    for no_ask in ("0.48", "0.489999", "0.55", "0.56"):
        watching.puts(no_ask=no_ask)
    watching.puts(no_ask=None)
    watching.puts(not_ready=NotReady.GAP)

    assert watching.watch.take_counts() == (6, ((95, 2), (102, 1), (103, 1)))
    assert watching.watch.take_counts() == (0, ())


def test_a_book_that_is_not_ready_has_no_cost() -> None:
    watching = Watching()
    watching.top()

    assert not watching.puts(not_ready=NotReady.FEED_DOWN)
    assert watching.watch.sum_cost() is None


def test_exactly_one_dollar_is_no_gap() -> None:
    watching = Watching()

    assert not watching.puts(yes_ask="0.52", no_ask="0.48")
    assert watching.puts(yes_ask="0.519999", no_ask="0.48")


# -- episodes


def test_rows_of_one_gap_share_an_episode_and_the_next_gap_begins_another() -> None:
    watching = Watching()
    watching.top()
    watching.top(yes_ask="0.46")
    first = watching.watch.end_episode()
    watching.puts(no_ask="0.60")
    watching.top()
    second = watching.watch.end_episode()

    assert first is not None
    assert second is not None
    assert (first.episode_id, first.rows, first.best_edge) == ("e-1", 2, usd("0.06"))
    assert second.episode_id != first.episode_id
    assert second.rows == 1
    assert watching.watch.end_episode() is None


def test_an_episode_keeps_its_best_edge_and_its_last_verdict() -> None:
    watching = Watching()
    watching.top(no_ask="0.45")
    watching.top(no_ask="0.50", intact=False)

    episode = watching.watch.end_episode()

    assert episode is not None
    assert episode.best_edge == usd("0.08")
    assert episode.verdict == Verdict.HALF_UPDATE.value


# -- rows


def test_only_a_new_top_or_a_new_decision_is_a_row() -> None:
    watching = Watching(a_watch(min_edge=usd("0.10")))

    assert watching.top().fresh
    assert not watching.top(version=2, received_at=BootNs(5)).fresh
    assert watching.top(yes_size="99").fresh
    assert watching.top(yes_ask="0.46").fresh
    assert not watching.top(yes_ask="0.46", yes_bid="0.44").fresh
    assert watching.top(yes_ask="0.46", intact=False).fresh
    assert watching.watch.episode is not None
    assert watching.watch.episode.rows == 4


def test_a_gap_that_goes_stale_by_itself_is_one_more_row() -> None:
    watching = Watching(a_watch(min_edge=usd("0.10")))
    watching.top()

    watching.later(6 * SECOND)
    old = watching.evaluate()

    assert (old.fresh, old.decision.reason) == (True, SkipReason.STALE)
    assert not watching.evaluate().fresh


def test_a_million_equal_tops_are_one_row() -> None:
    watching = Watching(a_watch(min_edge=usd("0.10")))

    fresh = [watching.top(version=version).fresh for version in range(2_000)]

    assert fresh == [True] + [False] * 1_999


# -- trading


def test_a_trade_puts_the_set_in_flight_until_it_is_released() -> None:
    watching = Watching()

    assert watching.top().decision.kind is Kind.TRADE
    assert watching.watch.in_flight

    again = watching.top(yes_ask="0.46")
    assert (again.fresh, again.decision.reason) == (True, SkipReason.IN_FLIGHT)


def test_after_the_release_the_set_cools_down_and_then_trades_the_gap_that_still_stands() -> None:
    watching = Watching()
    watching.top()

    watching.watch.released(BootNs(watching.now + SECOND))
    cooling = watching.evaluate()
    watching.later(SECOND)
    warm = watching.evaluate()

    assert (cooling.fresh, cooling.decision.reason) == (True, SkipReason.COOLDOWN)
    assert (warm.fresh, warm.decision.kind) == (True, Kind.TRADE)
    assert watching.watch.in_flight


def test_a_gap_is_traded_again_even_if_nobody_looked_during_flight_and_cooldown() -> None:
    watching = Watching()
    watching.top()

    watching.watch.released(BootNs(watching.now))
    again = watching.evaluate()

    assert (again.fresh, again.decision.kind) == (True, Kind.TRADE)


def test_a_refused_proposal_is_not_repeated_at_the_same_prices_at_once() -> None:
    watching = Watching()
    watching.top()
    watching.watch.refused(BootNs(watching.now))

    same = watching.top(version=2)

    assert (same.fresh, same.decision.kind, watching.watch.in_flight) == (False, Kind.TRADE, False)


def test_a_refused_proposal_is_made_again_at_new_prices_at_once() -> None:
    watching = Watching()
    watching.top()
    watching.watch.refused(BootNs(watching.now))

    better = watching.top(yes_ask="0.46")

    assert (better.fresh, better.decision.kind, watching.watch.in_flight) == (True, Kind.TRADE, True)


def test_a_refused_proposal_is_made_again_after_a_pause_so_that_a_resume_is_noticed() -> None:
    watching = Watching()
    watching.top()
    watching.watch.refused(BootNs(watching.now))

    watching.later(REFUSED_PAUSE_NS)
    again = watching.top()

    assert (again.fresh, again.decision.kind, watching.watch.in_flight) == (True, Kind.TRADE, True)


def test_a_halted_hour_of_one_standing_gap_is_not_a_flood_of_rows() -> None:
    watching = Watching()
    rows = 0
    for _ in range(3_600 * 4):
        evaluated = watching.top()
        rows += evaluated.fresh
        if evaluated.fresh:
            # As on the hot dispatcher under a burst: another look before risk's refusal arrives.
            rows += watching.top().fresh
            watching.watch.refused(BootNs(watching.now))
        watching.later(250 * MS)

    assert rows <= 2 * 3_600 * SECOND // REFUSED_PAUSE_NS


def test_a_new_episode_proposes_again_whatever_was_refused_before_it() -> None:
    watching = Watching()
    watching.top()
    watching.watch.refused(BootNs(watching.now))
    watching.watch.end_episode()

    assert watching.top().fresh
    assert watching.watch.in_flight


def test_the_end_of_an_attempt_ends_the_pause_of_an_earlier_refusal() -> None:
    watching = Watching()
    watching.top()
    watching.watch.refused(BootNs(watching.now))
    watching.top(yes_ask="0.46")

    watching.watch.released(BootNs(watching.now))
    again = watching.top(yes_ask="0.46")

    assert (again.fresh, again.decision.kind) == (True, Kind.TRADE)


def test_skips_leave_nothing_in_flight() -> None:
    watching = Watching()

    watching.top(intact=False)

    assert not watching.watch.in_flight


# -- confirmation


def test_an_unconfirmed_gap_asks_for_a_snapshot_once_per_episode() -> None:
    watching = Watching(a_watch(markets=[a_market(book_model=BookModel.UNIFIED)]))

    assert watching.top(confirmed=False).confirm
    assert not watching.top(confirmed=False, yes_ask="0.46").confirm
    watching.watch.end_episode()
    assert watching.top(confirmed=False).confirm


def test_it_asks_also_where_another_doubt_comes_first() -> None:
    watching = Watching(a_watch(markets=[a_market(book_model=BookModel.UNIFIED)]))

    evaluated = watching.top(confirmed=False, yes_bid="0.47")

    assert evaluated.decision.reason is SkipReason.CROSSED
    assert evaluated.confirm


def test_a_confirmed_gap_asks_for_nothing() -> None:
    assert not Watching(a_watch(markets=[a_market(book_model=BookModel.UNIFIED)])).top().confirm


# -- surroundings


def test_the_decision_knows_weather_flight_and_cooldown() -> None:
    watching = Watching()
    watching.watch.statuses = (MarketStatus.OPEN, MarketStatus.POST_ONLY)
    watching.watch.cooling_until = BootNs(watching.now + 1)

    evaluated = watching.top()

    assert evaluated.decision.reason is SkipReason.MARKET_STATUS
    assert evaluated.decision.also == (SkipReason.COOLDOWN,)
    assert evaluated.surroundings.wall_ms == START_WALL // MS


def test_a_cooldown_ends_at_its_instant() -> None:
    watching = Watching()
    watching.watch.cooling_until = BootNs(watching.now)

    assert watching.top().decision.kind is Kind.TRADE


def test_what_was_decided_from_travels_with_the_decision() -> None:
    watching = Watching(nested_watch())
    watching.puts(market_id="low", yes_ask="0.40", yes_bid=None)
    evaluated = watching.top(market_id="high", no_ask="0.41", no_bid=None)

    assert [top.market_id for top in evaluated.tops] == ["low", "high"]
    assert evaluated.decision.sum_cost == usd("0.81")
    assert evaluated.decision.size == shares("10")
