"""Which executor hears of what, also when the venue speaks before its own acknowledgement."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace

import pytest

from actors.order_routes import KEPT, WAITING, OrderRoutes
from models.clock import BootNs
from models.messages import CommitFailed, FillSeen, OrderKnown, OrderUpdated, TradingHalted
from models.orders import AttemptId, ClientOrderId, OrderSeen, VenueOrderId, VenueOrderStatus
from tests.actors.paper_bot import Silent
from tests.stage import Stage, a_fill
from tests.trading import shares


def an_intent(number: int = 0):
    stage = Stage()
    stage.approve()
    intent = stage.intents[0]
    return replace(intent, client_order_id=ClientOrderId(f"c-{number}"), attempt_id=AttemptId(f"a-{number}"))


def an_update(venue_order_id: str, own: str | None = None) -> OrderUpdated:
    seen = OrderSeen(
        client_order_id=None if own is None else ClientOrderId(own),
        venue_order_id=VenueOrderId(venue_order_id),
        status=VenueOrderStatus.DONE,
        filled=shares(1),
    )
    return OrderUpdated(seen=seen, at=BootNs(0))


@pytest.fixture
def routes():
    strays: list[object] = []
    made = OrderRoutes(strays.append)
    made.strays = strays
    return made


def test_an_answer_goes_to_the_executor_of_its_attempt(routes):
    mine, other = Silent(), Silent()
    routes.own(AttemptId("a-1"), mine)
    routes.own(AttemptId("a-2"), other)

    routes.tell(CommitFailed(attempt_id=AttemptId("a-1"), why=""))

    assert (len(mine.heard), len(other.heard)) == (1, 0)


def test_a_fill_goes_to_the_executor_of_its_order(routes):
    executor = Silent()
    routes.own_orders([an_intent()], executor)
    fill = FillSeen(fill=replace(a_fill(an_intent(), 1), client_order_id=ClientOrderId("c-0")), at=BootNs(0))

    routes.tell(fill)

    assert executor.heard == [fill]


def test_news_under_the_venues_id_is_named_once_the_venue_has_acknowledged(routes):
    executor = Silent()
    routes.own_orders([an_intent()], executor)
    routes.tell(OrderKnown(client_order_id=ClientOrderId("c-0"), venue_order_id=VenueOrderId("v-0")))

    routes.tell(an_update("v-0"))

    assert executor.heard[0].seen.client_order_id == "c-0"


def test_news_before_the_acknowledgement_waits_for_it(routes):
    executor = Silent()
    routes.own_orders([an_intent()], executor)
    routes.tell(an_update("v-0"))
    assert executor.heard == []

    routes.tell(OrderKnown(client_order_id=ClientOrderId("c-0"), venue_order_id=VenueOrderId("v-0")))

    [news] = executor.heard
    assert news.seen.client_order_id == "c-0"
    assert routes.strays == []


def test_news_about_somebody_elses_order_is_a_stray(routes):
    routes.tell(an_update("v-9", own="c-9"))
    routes.tell(FillSeen(fill=a_fill(an_intent(), 1), at=BootNs(0)))

    assert len(routes.strays) == 2


def test_too_much_unnamed_news_gives_way_as_a_stray(routes):
    for number in range(WAITING + 2):
        routes.tell(an_update(f"v-{number}"))

    assert [m.seen.venue_order_id for m in routes.strays] == ["v-0", "v-1"]


def test_the_table_stays_bounded_and_forgets_the_oldest(routes):
    executor = Silent()
    for number in range(KEPT + 1):
        routes.own_orders([an_intent_like(number)], executor)

    routes.tell(CommitFailed(attempt_id=AttemptId("a-0"), why=""))
    routes.tell(CommitFailed(attempt_id=AttemptId(f"a-{KEPT}"), why=""))

    assert len(routes.strays) == 1
    assert len(executor.heard) == 1


TEMPLATE = an_intent()


def an_intent_like(number: int):
    return replace(TEMPLATE, client_order_id=ClientOrderId(f"c-{number}"), attempt_id=AttemptId(f"a-{number}"))


def test_what_belongs_to_no_attempt_is_an_error(routes):
    with pytest.raises(TypeError, match="belongs to no attempt"):
        routes.tell(TradingHalted(reason="", by="", at=0))


def test_acknowledgements_and_news_from_two_threads_never_lose_one_another(routes):
    executor = Silent()
    routes.own_orders([an_intent_like(n) for n in range(200)], executor)
    start = threading.Barrier(2)

    def acknowledge():
        start.wait()
        for n in range(200):
            own, theirs = ClientOrderId(f"c-{n}"), VenueOrderId(f"v-{n}")
            routes.tell(OrderKnown(client_order_id=own, venue_order_id=theirs))

    def speak():
        start.wait()
        for n in range(200):
            routes.tell(an_update(f"v-{n}"))

    threads = [threading.Thread(target=run) for run in (acknowledge, speak)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change places as often as they can
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert sorted(m.seen.client_order_id for m in executor.heard) == sorted(f"c-{n}" for n in range(200))
    assert routes.strays == []
