"""The tap before the ledger: lines name their market, the latest orders are kept, and each thing counts once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.news import LISTED, REMEMBERED, UNREAD, NewsTap
from actors.simulation import SimClock
from adapters.operator.events import EventBoard
from adapters.operator.render import event_lines, plain
from models.book import NotReady
from models.clock import MS, SECOND, BootNs, WallNs
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.messages import BookNews, CommitIntents, IncidentSeen, OpportunitySkipped, RecordRows
from models.money import MicroShares, MicroUsd, PriceMicros
from models.order_life import Phase
from models.orders import AttemptId, ClientOrderId, Fill, FillState, OrderIntent, Purpose, TimeInForce
from models.rows import AttemptChanged, AttemptOpened, Ending, FillReported, OrderChanged, PaperFilled
from models.status import EventKind
from tests.adapters.ledger.ledger_rows import a_top, an_opportunity

ATTEMPT = AttemptId("a-1")


class Told:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def tell(self, message: object) -> None:
        self.heard.append(message)


class Tapped:
    """A tap before a ledger that only listens."""

    def __init__(self) -> None:
        self.clock = SimClock()
        self.board = EventBoard(self.clock)
        self.ledger = Told()
        self.tap = NewsTap(self.clock, self.board)
        self.told = self.tap.before(self.ledger)

    def rows(self, *rows: object) -> None:
        self.told.tell(RecordRows(rows=rows))

    def lines(self) -> list[tuple[str, str, str]]:
        return [(line.kind.value, line.subject, line.text) for line in self.board.newest()]


def intent(number: int = 1, market: str = "m1", at: int = 0) -> OrderIntent:
    return OrderIntent(
        client_order_id=ClientOrderId(f"c-{number}"),
        attempt_id=ATTEMPT,
        set_id=SetId("basket"),
        venue=VenueName("simulated"),
        market_id=MarketId(market),
        leg=0,
        outcome=Outcome.NO,
        action=Action.BUY,
        limit_price=PriceMicros(430_000),
        size=MicroShares(10_000_000),
        time_in_force=TimeInForce.IOC,
        purpose=Purpose.OPEN,
        at=WallNs(at),
    )


def commit(*intents: OrderIntent, rows: tuple[object, ...] = ()) -> CommitIntents:
    return CommitIntents(attempt_id=ATTEMPT, intents=intents, together=False, rows=rows)


def opened(mode: str = "live") -> AttemptOpened:
    return AttemptOpened(
        attempt_id=ATTEMPT,
        at=WallNs(0),
        opportunity_id="o-1",
        set_id=SetId("basket"),
        mode=mode,
        legs=(),
        size=MicroShares(10_000_000),
        expected_payout=MicroUsd(10_000_000),
        leg_policy="together",
        policy_reason="",
        reserved=MicroUsd(0),
    )


def changed(ending: Ending | None, pnl: int | None = None, fees: int = 0, state: str = "SUCCESS") -> AttemptChanged:
    return AttemptChanged(
        attempt_id=ATTEMPT,
        at=WallNs(0),
        state=state,
        ending=ending,
        filled=MicroShares(10_000_000),
        leg_costs=(MicroUsd(9_000_000),),
        fees=MicroUsd(fees),
        realized_pnl=None if pnl is None else MicroUsd(pnl),
        open_position=False,
        resolution="",
    )


def order(number: int = 1, **fields: object) -> OrderChanged:
    plain = OrderChanged(
        client_order_id=ClientOrderId(f"c-{number}"),
        at=WallNs(0),
        phase=Phase.ENDED,
        venue_order_id=None,
        filled=MicroShares(0),
        sent_at=None,
        acked_at=None,
        refusal=None,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def filled(number: int = 1) -> FillReported:
    fill = Fill(
        venue_trade_id="t-1",
        client_order_id=ClientOrderId(f"c-{number}"),
        venue_order_id=None,
        size=MicroShares(10_000_000),
        price=PriceMicros(430_000),
        fee=MicroUsd(0),
        state=FillState.FINAL,
        exchange_ms=None,
    )
    return FillReported(venue=VenueName("simulated"), at=WallNs(0), fill=fill)


def test_every_message_reaches_the_ledger_as_it_is() -> None:
    stage = Tapped()
    messages = [commit(intent()), RecordRows(rows=(opened(),)), RecordRows(rows=(changed(Ending.SUCCESS),))]

    for message in messages:
        stage.told.tell(message)

    assert stage.ledger.heard == messages


def test_a_fill_and_a_refusal_name_the_market_of_their_order() -> None:
    stage = Tapped()
    stage.told.tell(commit(intent(1, "fed-cut"), intent(2, "cup")))

    stage.rows(filled(1))
    stage.rows(order(2, refusal="no_cash", detail="1 $ missing"))

    assert stage.lines() == [
        ("FILL", "fed-cut", "buy NO 10 @ 0.4300 final"),
        ("ORDER", "cup", "order refused: no_cash 1 $ missing"),
    ]


def test_the_last_line_of_an_attempt_names_its_set_also_where_it_came_with_the_commit() -> None:
    stage = Tapped()
    stage.told.tell(commit(intent(), rows=(opened(),)))

    stage.rows(changed(Ending.SUCCESS, pnl=400_000))

    [(kind, subject, text)] = stage.lines()
    assert (kind, subject) == ("DONE", "basket")
    assert "pnl +0.40" in text


def test_a_screen_of_eighty_columns_shows_reason_edge_fill_and_outcome() -> None:
    stage = Tapped()
    bought = replace(intent(), client_order_id=ClientOrderId("7b6fbde6-9aed-478a-a2bd-c60b9bbabeb9"))
    told = filled()
    seen = replace(an_opportunity(top=a_top(yes_ask=498_000)), opportunity_id="o-z5s4pqvs-0001m")
    stage.told.tell(OpportunitySkipped(opportunity=replace(seen, set_id=SetId("cpi-above-3-nov"))))
    stage.told.tell(commit(bought, rows=(replace(opened(), set_id=SetId("cpi-above-3-nov")),)))

    stage.rows(replace(told, fill=replace(told.fill, client_order_id=bought.client_order_id)))
    stage.rows(changed(Ending.SUCCESS, pnl=400_000))

    shown = [plain(line) for event in stage.board.newest() for line in event_lines(event, 80)]
    assert all(len(line) <= 80 for line in shown)
    skip, fill, done = shown
    assert "cpi-above-3-nov  edge · edge +0.00" in skip
    assert skip.endswith("  o-z5s4pqvs-0001m")
    assert "buy NO 10 @ 0.4300 final" in fill
    assert fill.endswith("  7b6fbde6")
    assert "success: pnl +0.40" in done


def test_on_a_very_narrow_screen_the_words_stand_and_the_id_goes() -> None:
    stage = Tapped()
    seen = replace(an_opportunity(top=a_top(yes_ask=498_000)), opportunity_id="o-z5s4pqvs-0001m")

    stage.told.tell(OpportunitySkipped(opportunity=replace(seen, set_id=SetId("fed-cut"))))

    [line] = event_lines(stage.board.newest()[0], 48)
    assert "fed-cut edge · edge +0.00" in plain(line)
    assert len(plain(line)) <= 48


def test_a_partial_fill_is_told_whole_however_narrow_the_screen() -> None:
    stage = Tapped()
    words = "10 shares of one leg without the others"

    stage.told.tell(IncidentSeen(kind="partial", set_id=SetId("cup-no-basket"), detail=words, at=BootNs(0)))

    [event] = stage.board.newest()
    lines = [plain(line) for line in event_lines(event, 60)]
    assert all(len(line) <= 60 for line in lines)
    assert words in " ".join(line.strip() for line in lines)


def test_news_about_an_order_of_another_process_is_shown_without_a_market() -> None:
    stage = Tapped()

    stage.rows(filled(9))

    assert stage.lines() == [("FILL", "", "10 @ 0.4300 final")]


def test_the_latest_orders_come_newest_first_with_their_last_word() -> None:
    stage = Tapped()
    stage.told.tell(commit(*(intent(n, at=SECOND) for n in range(LISTED + 5))))
    newest = LISTED + 4
    stage.rows(
        order(newest, filled=MicroShares(10_000_000), acked_at=WallNs(SECOND + 30 * MS)),
        order(newest - 1, filled=MicroShares(4_000_000)),
        order(newest - 2, refusal="no_cash"),
        order(newest - 3, refusal="halted", by_venue=False),
        order(newest - 4, phase=Phase.UNKNOWN),
        order(newest - 5),
    )

    rows = stage.tap.orders()

    assert len(rows) == LISTED
    assert [row.client_order_id for row in rows[:2]] == [f"c-{newest}", f"c-{newest - 1}"]
    words = ["FILLED", "PART", "REFUSED", "KEPT BACK", "UNKNOWN", "MISSED", "SENT"]
    assert [row.status for row in rows[:7]] == words
    assert rows[0].took_ns == 30 * MS
    assert rows[1].took_ns is None


def test_what_is_remembered_is_bounded() -> None:
    stage = Tapped()
    stage.told.tell(commit(*(intent(n) for n in range(REMEMBERED + 1))))

    stage.rows(filled(0), filled(1))

    assert [subject for _, subject, _ in stage.lines()] == ["", "m1"]


def test_an_attempt_that_is_told_of_again_counts_once_and_with_its_newest_figures() -> None:
    stage = Tapped()
    stage.rows(opened(), changed(None, state="IN_DOUBT"), changed(None, state="IN_DOUBT"))
    stage.rows(changed(Ending.SUCCESS, pnl=None, fees=10))
    stage.rows(changed(Ending.SUCCESS, pnl=400_000, fees=12))

    today, _ = stage.tap.counters()

    assert (today.attempts, today.completed, today.partial, today.in_doubt) == (1, 1, 0, 1)
    assert (today.fees, today.net_pnl) == (12, 400_000)


def test_on_paper_the_money_of_the_day_is_that_of_the_pessimistic_fill() -> None:
    stage = Tapped()
    stage.rows(opened("paper"), changed(Ending.SUCCESS, pnl=400_000, fees=10))
    for model, net in (("optimistic", 500_000), ("shifted", 400_000), ("pessimistic", 100_000)):
        stage.rows(
            PaperFilled(
                attempt_id=ATTEMPT,
                at=WallNs(0),
                model=model,
                filled=MicroShares(10_000_000),
                cost=MicroUsd(0),
                fees=MicroUsd(7),
                net_pnl=MicroUsd(net),
                note="",
            )
        )

    today, paper = stage.tap.counters()

    assert (today.completed, today.fees, today.net_pnl) == (1, 7, 100_000)
    assert (paper.sets, paper.optimistic, paper.shifted, paper.pessimistic) == (1, 500_000, 400_000, 100_000)


def test_counters_begin_anew_at_midnight_utc() -> None:
    stage = Tapped()
    stage.rows(opened(), changed(Ending.SUCCESS, pnl=1, fees=1))
    stage.clock.now += 86_400 * SECOND

    today, _ = stage.tap.counters()

    assert (today.attempts, today.completed, today.net_pnl) == (0, 0, 0)


def test_the_first_snapshot_of_a_book_is_no_resync() -> None:
    stage = Tapped()

    def book(not_ready: NotReady | None) -> None:
        stage.told.tell(BookNews(market_id=MarketId("m1"), not_ready=not_ready, generation=1, seq=None, at=WallNs(0)))

    book(None)
    assert stage.tap.losses() == (0, 0)
    book(NotReady.GAP)
    book(None)

    assert stage.tap.losses() == (1, 1)
    assert EventKind.WARN.value in [kind for kind, _, _ in stage.lines()]


def test_what_is_told_while_nobody_looks_is_bounded_and_none_of_it_is_lost() -> None:
    stage = Tapped()
    for _ in range(3 * UNREAD):
        stage.told.tell(
            BookNews(market_id=MarketId("m1"), not_ready=NotReady.GAP, generation=1, seq=None, at=WallNs(0))
        )

    assert len(stage.tap._unread) <= UNREAD
    assert stage.tap.losses() == (3 * UNREAD, 0)
    assert len(stage.tap._unread) == 0


def test_a_line_that_cannot_be_made_costs_nobody_else_his_line(caplog: pytest.LogCaptureFixture) -> None:
    stage = Tapped()

    stage.told.tell(RecordRows(rows=None))  # type: ignore[arg-type]
    stage.told.tell(BookNews(market_id=MarketId("m1"), not_ready=None, generation=1, seq=None, at=WallNs(0)))

    assert [subject for _, subject, _ in stage.lines()] == ["m1"]
    assert "a RecordRows could not be told" in caplog.text
