"""The named troubles of an attempt, whole bot against the simulated exchange: the venue's truth, the three protection
numbers, the final exposure.

Each test says what the venue did (`bot.venue`: the bot's orders as the venue has them), what the ledger says that
completing, unwinding and holding would have brought (`bot.numbers()`, micro-dollars), and what is held in the end at
the venue. `bot.ended()` compares ledger and venue to the micro-dollar and lets the bot do the same. The same troubles
on the state machine alone are in `tests/models/test_tradeset_stories.py`.
"""

from __future__ import annotations

from models.market import Action, Outcome
from models.sets import LegPolicy
from tests.actors.troubled_bot import FAR, AtVenue, Numbers, Troubled, troubled
from tests.trading import levels

YES, NO, BUY, SELL = Outcome.YES, Outcome.NO, Action.BUY, Action.SELL

AS_IT_WAS = Numbers("complete", 1_000_000, -100_000, -4_500_000, 10)
"""Ten YES at 0.45 are naked and the books are still those of the gap."""


def gone(bot: Troubled, **asks_and_bids) -> None:
    """NO is out of reach: 0.56 is beyond break-even, 0.43 is what YES sells for."""
    bot.show(**{"no_asks": levels(("0.56", 100)), "yes_bids": levels(("0.43", 100)), **asks_and_bids})


def assert_complete(bot: Troubled, sets: float) -> None:
    assert bot.held == (sets, sets), "equal shares of both outcomes pay a dollar a share whatever happens"
    assert not bot.halted


def assert_flat(bot: Troubled) -> None:
    assert bot.held == (0, 0)
    assert not bot.halted


def test_second_leg_rejected_and_completing_costs_less():
    with troubled() as bot:
        bot.lever("refuse", leg="second")
        bot.when("refuse", lambda: gone(bot))
        bot.show()
        bot.ended()

        # The refused order never was; the first round met a book that had just moved.
        assert bot.venue == [
            AtVenue(YES, BUY, "0.45", 10, 10),
            AtVenue(NO, BUY, "0.45", 10, 0),
            AtVenue(NO, BUY, "0.56", 10, 10),
        ]
        assert bot.numbers() == [AS_IT_WAS, Numbers("complete", -100_000, -200_000, -4_500_000, 10)]
        assert_complete(bot, 10)
        assert bot.cash == -4_500_000 - 5_600_000
        assert bot.story()[1:] == ["PARTIAL_FILL_PROTECT", "SUCCESS", "COOLDOWN", "ending: partial"]


def test_second_leg_rejected_and_selling_back_costs_less():
    with troubled() as bot:
        bot.lever("refuse", leg="second")
        bot.when("refuse", lambda: bot.show(no_asks=levels(("0.70", 100))))
        bot.show()
        bot.ended()

        assert bot.venue[-1] == AtVenue(YES, SELL, "0.44", 10, 10)
        assert bot.numbers() == [AS_IT_WAS, Numbers("unwind", -1_500_000, -100_000, -4_500_000, 10)]
        assert_flat(bot)
        assert bot.cash == -100_000


def test_second_leg_partial_keeps_the_sets_and_mends_the_rest():
    with troubled() as bot:
        bot.lever("partial", leg="second", fraction=0.6)
        bot.when("partial", lambda: bot.show(no_asks=levels(("0.70", 100))))
        bot.show(no_asks=levels(("0.45", 100)))
        bot.ended()

        assert bot.venue == [
            AtVenue(YES, BUY, "0.45", 10, 10),
            AtVenue(NO, BUY, "0.55", 10, 4),
            AtVenue(NO, BUY, "0.45", 6, 0),
            AtVenue(YES, SELL, "0.44", 6, 6),
        ]
        assert bot.numbers() == [
            Numbers("complete", 600_000, -60_000, -2_700_000, 6),
            Numbers("unwind", -900_000, -60_000, -2_700_000, 6),
        ]
        assert_complete(bot, 4)
        assert bot.cash == -3_600_000 - 60_000


def test_both_legs_partial_and_unequal_are_levelled():
    with troubled(policy=LegPolicy.TOGETHER) as bot:
        bot.lever("partial", leg="first", fraction=0.7)
        bot.lever("partial", leg="second", fraction=0.2)
        bot.when("partial", lambda: bot.show(yes_asks=levels(("0.50", 100)), no_bids=levels(("0.30", 100))))
        bot.show(yes_asks=levels(("0.45", 10)), no_asks=levels(("0.45", 10)))
        bot.ended()

        assert bot.venue == [
            AtVenue(YES, BUY, "0.45", 10, 3),
            AtVenue(NO, BUY, "0.45", 10, 8),
            AtVenue(NO, SELL, "0.44", 5, 0),
            AtVenue(YES, BUY, "0.50", 5, 5),
        ]
        assert bot.numbers() == [
            Numbers("unwind", None, -50_000, -2_250_000, 5),
            Numbers("complete", 250_000, -750_000, -2_250_000, 5),
        ]
        assert_complete(bot, 8)


def test_ack_lost_but_filled_is_found_by_asking_and_mended():
    with troubled() as bot:
        bot.lever("ack_lost")
        bot.lever("user_drop", count=2)
        bot.when("ack_lost", lambda: gone(bot))
        bot.show()
        bot.ended()

        assert bot.venue == [
            AtVenue(YES, BUY, "0.45", 10, 10),
            AtVenue(NO, BUY, "0.55", 10, 0),
            AtVenue(NO, BUY, "0.56", 10, 10),
        ]
        assert bot.told(0) == [("unknown", 0), ("ended", 10)], "never failed, never sent again"
        assert bot.numbers() == [Numbers("complete", -100_000, -200_000, -4_500_000, 10)]
        assert_complete(bot, 10)


def test_fill_before_ack_is_one_fill_and_the_other_leg_does_not_wait_for_the_ack():
    with troubled() as bot:
        bot.lever("fill_before_ack", leg="first", delay="1500ms")
        bot.when("fill_before_ack", lambda: gone(bot))
        bot.show()
        bot.run(1)
        assert bot.held[0] == 10
        assert len(bot.venue) >= 2, "the stream's fill is enough"
        bot.ended()

        assert bot.venue[0] == AtVenue(YES, BUY, "0.45", 10, 10)
        assert bot.venue[-1] == AtVenue(NO, BUY, "0.56", 10, 10)
        assert bot.numbers()[-1] == Numbers("complete", -100_000, -200_000, -4_500_000, 10)
        assert_complete(bot, 10)


def test_fill_after_cancel_counts_and_the_other_leg_follows_for_exactly_that():
    with troubled(resting=True) as bot:
        bot.lever("thief", leg="first")
        bot.show()
        bot.run(1.9)
        assert bot.venue == [AtVenue(YES, BUY, "0.45", 10, 0)]
        bot.lever("user_delay", count=2, delay="2500ms")
        bot.takes_from_bot(YES, "0.45", 4)
        gone(bot, yes_asks=FAR)
        bot.ended()

        assert bot.told(0) == [("live", 0), ("closing", 0), ("ended", 4)], "cancelled first, and filled all the same"
        assert bot.venue[:2] == [AtVenue(YES, BUY, "0.45", 10, 4), AtVenue(NO, BUY, "0.55", 4, 0)]
        assert bot.numbers()[-1] == Numbers("complete", -40_000, -80_000, -1_800_000, 4)
        assert_complete(bot, 4)


def test_cancel_refused_because_it_is_already_filled_is_asked_about():
    with troubled(resting=True) as bot:
        bot.lever("thief", leg="first")
        bot.lever("fill_before_cancel")
        bot.when("fill_before_cancel", lambda: gone(bot))
        bot.lever("user_delay", count=2, delay="2500ms")
        bot.show()
        bot.ended()

        assert bot.world.venue.exchange.levers.fired["fill_before_cancel"] == 1
        assert bot.venue[:2] == [AtVenue(YES, BUY, "0.45", 10, 10), AtVenue(NO, BUY, "0.55", 10, 0)]
        assert bot.numbers()[-1] == Numbers("complete", -100_000, -200_000, -4_500_000, 10)
        assert_complete(bot, 10)


def test_unwind_refused_is_sent_anew_under_another_id_and_the_exposure_ends():
    with troubled() as bot:
        bot.lever("refuse", leg="second")

        def no_way_but_out() -> None:
            bot.show(no_asks=())
            bot.lever("refuse", leg="first")  # whatever completes counts as second

        bot.when("refuse", no_way_but_out)
        bot.show()
        bot.ended()

        assert len([text for text in bot.incidents() if "refused" in text]) == 2
        assert bot.venue[-1] == AtVenue(YES, SELL, "0.44", 10, 10)
        assert bot.numbers() == [AS_IT_WAS, *[Numbers("unwind", None, -100_000, -4_500_000, 10)] * 2]
        assert_flat(bot)


def test_unwind_refused_for_ever_is_exposed_halted_and_still_worked():
    with troubled() as bot:
        bot.lever("refuse", leg="second")

        def nothing_is_taken() -> None:
            bot.show(no_asks=())
            bot.world.venue.pull(bot.world.now, lever="refuse", chance=1.0)

        bot.when("refuse", nothing_is_taken)
        bot.show()
        bot.until(lambda: bot.state == "EXPOSED")
        assert bot.halted
        assert bot.held == (10, 0)
        bot.world.venue.calm()
        bot.ended()

        assert bot.venue[-1] == AtVenue(YES, SELL, "0.44", 10, 10)
        assert bot.numbers()[-1] == Numbers("unwind", None, -100_000, -4_500_000, 10)
        assert bot.held == (0, 0)
        assert bot.halted, "only the operator resumes"


def test_unwind_refused_for_half_an_hour_gains_few_rows_and_ends_soon_after_the_book_offers_more():
    with troubled() as bot:
        bot.lever("refuse", leg="second")

        def nothing_is_taken() -> None:
            bot.show(no_asks=())
            bot.world.venue.pull(bot.world.now, lever="refuse", chance=1.0)

        bot.when("refuse", nothing_is_taken)
        bot.show()
        bot.until(lambda: bot.state == "EXPOSED")
        before = bot.rows("order_intents"), len(bot.numbers())
        bot.run(1800)

        assert bot.state == "EXPOSED"
        assert 5 <= bot.rows("order_intents") - before[0] <= 8, "it was 120"
        assert len(bot.numbers()) - before[1] <= 8
        assert any("still naked" in text for text in bot.incidents()), "the operator hears of it again"
        bot.world.venue.calm()
        bot.show(no_asks=(), yes_asks=FAR, yes_bids=levels(("0.46", 100)))
        bot.until(lambda: bot.state == "COOLDOWN", within_s=20)

        bot.ended()
        assert bot.venue[-1] == AtVenue(YES, SELL, "0.46", 10, 10)
        assert bot.held == (0, 0)
        assert bot.halted, "only the operator resumes"


def test_unwind_partial_goes_on_for_the_exact_rest():
    with troubled() as bot:
        bot.lever("refuse", leg="second")

        def thin_way_out() -> None:
            bot.show(no_asks=())
            bot.lever("partial", fraction=0.6)
            bot.when("partial", lambda: bot.show(no_asks=(), yes_bids=levels(("0.42", 100))))

        bot.when("refuse", thin_way_out)
        bot.show()
        bot.ended()

        assert bot.venue[-2:] == [AtVenue(YES, SELL, "0.44", 10, 4), AtVenue(YES, SELL, "0.42", 6, 6)]
        assert bot.numbers() == [
            AS_IT_WAS,
            Numbers("unwind", None, -100_000, -4_500_000, 10),
            Numbers("unwind", None, -180_000, -2_700_000, 6),
        ]
        assert_flat(bot)
        assert bot.cash == -40_000 - 180_000


def test_provisional_fill_reversed_leaves_the_other_leg_naked_and_it_is_sold_not_bought_again():
    with troubled(settlement_s=5) as bot:
        bot.lever("reverse_fill", leg="first", delay="3s")
        bot.show()
        bot.until(lambda: bot.state == "SUCCESS")
        bot.show(yes_asks=levels(("0.60", 100)), no_asks=levels(("0.60", 100)), no_bids=levels(("0.52", 100)))
        assert bot.held == (10, 10)
        bot.ended()

        assert bot.venue[-1] == AtVenue(NO, SELL, "0.52", 10, 10)
        assert bot.numbers() == [Numbers("unwind", -500_000, 700_000, -4_500_000, 10)]
        assert [order.action for order in bot.venue if order.outcome is YES] == [BUY], "a ghost is not repaired"
        assert_flat(bot)
        assert bot.cash == 700_000, "the reversed fill gave its money back"


def test_order_visible_only_after_five_seconds_stays_unknown_until_it_is_seen():
    with troubled() as bot:
        bot.lever("ack_lost")
        bot.lever("late_visibility", delay="5s")
        bot.lever("user_drop", count=2)
        bot.when("ack_lost", lambda: gone(bot))
        bot.show()
        bot.run(4.9)
        assert bot.state == "IN_DOUBT"
        assert bot.venue == [AtVenue(YES, BUY, "0.45", 10, 10)], "the venue has it, nothing else was sent"
        bot.ended()

        assert bot.told(0) == [("unknown", 0), ("ended", 10)]
        assert bot.venue[1:] == [AtVenue(NO, BUY, "0.55", 10, 0), AtVenue(NO, BUY, "0.56", 10, 10)]
        assert bot.numbers() == [Numbers("complete", -100_000, -200_000, -4_500_000, 10)]
        assert_complete(bot, 10)
