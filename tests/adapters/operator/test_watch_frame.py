from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.operator.events import Level
from adapters.operator.render import plain
from adapters.operator.screen import cells
from adapters.operator.watch_frame import frame
from adapters.operator.watch_view import Sort, View, chosen_rows
from models.clock import SECOND, WallNs
from models.status import EventKind, StatusSnapshot, Trading
from tests.adapters.operator.fake_bot import NOON, FakeBot, a_market, a_snapshot


def drawn(status: StatusSnapshot | None, view: View, width: int, height: int, missing: str = "") -> list[str]:
    return [plain(line) for line in frame(status, view, width, height, missing)]


def with_news() -> StatusSnapshot:
    bot = FakeBot()
    bot.board.post(EventKind.OPP, "fed-cut-dec", "edge +0.0110 → TRADE", ident="o-1")
    for _ in range(3):
        bot.board.post(EventKind.SKIP, "nyc-snow", "edge < min_edge", fold="s")
        bot.clock.pass_s(2)
    return bot.snapshot()


WIDE = """\
┌  PAPER  simulated ────────────────────────── ws LIVE 5 ms · reconnects 1 · 00:31:07 · Trading ON ┐
│ PnL since start +$0.87   sets 9 ok / 0 partial / 1 reject   daily notional █░░░░░░░░░ 98/500     │
│ open positions ████░░░░░░ 2/5   kill switch: partials 0/2 in 10 m   rejects 1/5 in 10 m          │
│ disconnects 1/6 in 1 h                                                                           │
├ markets ─────────────────────────────────────────────────────────────────────── sort: edge ▼ (s) ┤
│ market        yes ask  size  no ask    size     sum     edge    age  state                       │
│ *fed-cut-dec   0.4300   120  0.5550      80  0.9850  +0.0110  0.2 s  WAITING_FILLS 31 ms         │
│ btc-100k-dec   0.4915   223  0.4999  339.50  0.9914  +0.0046  0.1 s  IDLE                        │
│ nyc-snow       0.3449   189  0.6531       6  0.9980  -0.0020  1.4 s  COOLDOWN                    │
│ sp500-6k            –     –       –       –       –        –   12 s  STALE silent                │
├ orders ───────────────────────────────┬─────────────────────────────────────── events normal (e) ┤
"""

NARROW = """\
┌  PAPER  simulated ─────────────────────── ws LIVE 5 ms ┐
├ markets ───────────────────────────── sort: edge ▼ (s) ┤
│ market           sum     edge    age  state            │
│ *fed-cut-dec  0.9850  +0.0110  0.2 s  WAITING_…S 31 ms │
│ btc-100k-dec  0.9914  +0.0046  0.1 s  IDLE             │
│ nyc-snow      0.9980  -0.0020  1.4 s  COOLDOWN         │
│ sp500-6k           –        –   12 s  STALE silent     │
"""


def test_a_hundred_columns_put_orders_beside_the_events() -> None:
    lines = drawn(with_news(), View(), 100, 20)

    assert lines[:11] == WIDE.splitlines()
    assert lines[11].startswith("│ 9a1c YES buy 10@0.4300 FILLED 18 ms   │ ")
    assert lines[11].endswith("OPP     fed-cut-dec edge +0.0110 → TRADE  o-1   │")
    assert "(×3)" in lines[12]
    assert lines[19].startswith("└ ?help")


def test_eighty_columns_put_orders_below_the_events() -> None:
    lines = drawn(with_news(), View(), 80, 24)

    events = next(i for i, line in enumerate(lines) if line.startswith("├ events"))
    orders = next(i for i, line in enumerate(lines) if line.startswith("├ orders"))
    assert events < orders
    assert lines[orders + 1].startswith("│ 9a1c YES buy 10@0.4300 FILLED 18 ms")


def test_under_sixty_columns_there_are_only_the_markets() -> None:
    assert drawn(with_news(), View(), 58, 14)[:7] == NARROW.splitlines()
    assert not any("events ─" in line or "orders" in line for line in drawn(with_news(), View(), 58, 14))


views = st.builds(
    View,
    sort=st.sampled_from(Sort),
    filter=st.sampled_from(["", "snow", "nothing at all"]),
    level=st.sampled_from(Level),
    chosen=st.sampled_from(["", "nyc-snow", "gone"]),
    details=st.booleans(),
    help=st.booleans(),
    footer=st.sampled_from(["", "HALT [m] nyc-snow only   [a] everything   any other key: no"]),
    message=st.sampled_from([(), ("one line", "two \x1b[2J lines")]),
)


@example(view=View(sort=Sort.MARKET), width=20, height=6, missing="", markets=4, known=True)
@given(
    view=views,
    width=st.integers(min_value=20, max_value=170),
    height=st.integers(min_value=6, max_value=60),
    missing=st.sampled_from(["", "no answer in 2 s"]),
    markets=st.integers(min_value=0, max_value=70),
    known=st.booleans(),
)
def test_every_screen_is_filled_exactly(
    view: View, width: int, height: int, missing: str, markets: int, known: bool
) -> None:
    rows = tuple(a_market(f"0x{n:02x}" + "東" * (n % 4), title="\x1b[31m" + "t" * n) for n in range(markets))
    status = replace(with_news(), markets=rows) if markets != 4 else with_news()

    lines = frame(status if known else None, view, width, height, missing)

    assert len(lines) == height
    assert {cells(line) for line in lines} == {width}
    assert not any("\x1b" in text for line in lines for _, text in line)


def test_a_bot_that_cannot_be_reached_leaves_its_last_figures_dimmed_under_a_clear_header() -> None:
    lines = frame(with_news(), View(), 100, 20, "no answer in 2 s")

    assert "NO BOT — last data" in plain(lines[0])
    assert "no answer in 2 s" in plain(lines[0])
    row = next(line for line in lines if "btc-100k-dec" in plain(line))
    assert {style for style, _ in row} == {"class:dim"}


def test_before_any_data_the_screen_says_what_to_do() -> None:
    assert "NO BOT — start one: python3 run.py" in drawn(None, View(), 80, 10, "start one: python3 run.py")[0]


def test_a_halt_stands_over_everything_with_its_reason() -> None:
    halted = replace(with_news(), trading=Trading(on=False, reason="2 partials in 10 m", by="risk", since=NOON))

    assert "PAPER HALTED" in drawn(halted, View(), 100, 20)[0]
    assert "HALTED: 2 partials in 10 m" in drawn(halted, View(), 100, 20)[0]
    assert "PAPER HALTED" in drawn(halted, View(), 50, 20)[0]


def test_a_halted_market_and_a_live_badge_are_words_not_only_colours() -> None:
    live = a_snapshot(mode="live", markets=(a_market("m", halted=True, halt_reason="odd news"),))

    assert "LIVE" in drawn(live, View(), 80, 20)[0]
    assert any("HALTED" in line for line in drawn(live, View(), 80, 20))
    assert any("yes: odd news" in line for line in drawn(live, View(details=True), 80, 20))


@pytest.mark.parametrize(
    ("sort", "first"),
    [(Sort.EDGE, "fed-cut-dec"), (Sort.SUM, "fed-cut-dec"), (Sort.AGE, "sp500-6k"), (Sort.MARKET, "btc-100k-dec")],
)
def test_sorting_puts_what_one_looks_for_first_and_the_unknown_last(sort: Sort, first: str) -> None:
    rows = chosen_rows(a_snapshot(), View(sort=sort))

    assert rows[0].market_id == first
    if sort in {Sort.EDGE, Sort.SUM}:
        assert rows[-1].market_id == "sp500-6k"


def test_the_chosen_market_stays_in_sight_in_a_long_list() -> None:
    many = a_snapshot(markets=tuple(a_market(f"m-{n:03}") for n in range(200)))

    lines = frame(many, View(sort=Sort.MARKET, chosen="m-150"), 80, 24)

    row = next(line for line in lines if "m-150" in plain(line))
    assert any(style == "class:chosen" for style, _ in row)
    assert any("of 200" in plain(line) for line in lines)


def test_old_positions_of_days_do_not_break_the_header() -> None:
    old = replace(with_news(), uptime_ns=12 * 86_400 * SECOND, at=WallNs(NOON + 86_400 * SECOND))

    assert "12d 00:00:00" in drawn(old, View(), 110, 20)[0]
