from __future__ import annotations

from dataclasses import replace

import pytest

from actors.main import DOOR_VERBS, OFFLINE_VERBS, STARTING_VERBS
from adapters.operator.command import SHELL_VERBS, Caller, Place, Reply, dispatch, words_of
from adapters.operator.commands import COMMANDS
from adapters.operator.events import Level, Selection
from adapters.operator.face import Leaving
from models.clock import SECOND, WallNs
from models.listing import TradeLine
from models.market import MarketId, SetId
from models.money import MicroShares, MicroUsd
from models.status import SetRow
from tests.adapters.operator.fake_bot import FakeBot, a_market, a_snapshot, an_opportunity


def give(bot: FakeBot, line: str, *, place: Place = Place.CONSOLE, width: int = 100) -> Reply:
    selection = Selection() if place is Place.CONSOLE else None
    return dispatch(
        COMMANDS, words_of(line), Caller(face=bot, place=place, by="operator", width=width, selection=selection)
    )


def test_every_verb_of_the_design_is_in_the_one_table() -> None:
    names = {command.name for command in COMMANDS.all()}

    assert names == {
        "status", "markets", "book", "halt", "resume", "positions", "orders", "trades", "opps", "why", "report",
        "set", "config", "log", "version", "help", "quit",
    }  # fmt: skip


def test_status_at_eighty_columns() -> None:
    assert list(give(FakeBot(), "status", width=80).lines) == [
        "mode        PAPER · up 00:31:07",
        "trading     ON since " + _local("11:31:11"),
        "venue       simulated",
        "ws          LIVE · lag 5 ms · last msg 0.1 s ago · reconnects 1 (11 s down)",
        "markets     4 watched · fresh 3 · stale 1 · halted 0",
        "in flight   1 · fed-cut-dec ts-0009 WAITING_FILLS 31 ms (limit 3.0 s)",
        "open        nothing",
        "since start opportunities 212 · attempts 10 · sets 9 · partial 0 · rejects 1",
        "            fees $0.31 · net +$0.87",
        "paper       9 sets · optimistic +$0.99 · shifted +$0.91",
        "            pessimistic +$0.87 (quoted)",
        "limits      daily notional 98.20 / 500 · open positions 2 / 5",
        "kill switch partials 0/2 in 10 m · rejects 1/5 in 10 m · disconnects 1/6 in 1 h",
        "latency     p50 0.04 ms · p99 0.21 ms frame to decision",
        "last error  none",
    ]


def test_markets_at_eighty_columns() -> None:
    assert list(give(FakeBot(), "markets", width=80).lines) == [
        "market        yes ask  size  no ask    size     sum     edge  state",
        "*fed-cut-dec   0.4300   120  0.5550      80  0.9850  +0.0110  WAITING_FILLS",
        "btc-100k-dec   0.4915   223  0.4999  339.50  0.9914  +0.0046  IDLE",
        "nyc-snow       0.3449   189  0.6531       6  0.9980  -0.0020  COOLDOWN",
        "sp500-6k            –     –       –       –       –        –  STALE silent",
    ]


WIDE = """\
market        title                               yes ask  size  no ask    size     sum     edge    age  state
*fed-cut-dec  Fed cuts in December                 0.4300   120  0.5550      80  0.9850  +0.0110  0.2 s  WAITING_FILLS
btc-100k-dec  Bitcoin above $100k on 31 December   0.4915   223  0.4999  339.50  0.9914  +0.0046  0.1 s  IDLE
nyc-snow      Snow in New York                     0.3449   189  0.6531       6  0.9980  -0.0020  1.4 s  COOLDOWN
sp500-6k      S&P 500 above 6000                        –     –       –       –       –        –   12 s  STALE silent
"""


def test_markets_at_a_hundred_and_twenty_columns() -> None:
    assert list(give(FakeBot(), "markets", width=120).lines) == WIDE.splitlines()


def test_markets_can_be_filtered_by_id_title_or_state() -> None:
    bot = FakeBot()

    assert len(give(bot, "markets snow").lines) == 2
    assert len(give(bot, "markets STALE").lines) == 2
    assert give(bot, "markets moon").lines == ("no market matches 'moon'",)


def test_sets_of_several_markets_are_listed_below_the_markets() -> None:
    bot = FakeBot()
    basket = SetRow(
        set_id=SetId("fed-basket"),
        kind="no_basket",
        market_ids=(MarketId("a"), MarketId("b"), MarketId("c")),
        payout=MicroUsd(2_000_000),
        sum_cost=MicroUsd(1_970_000),
        edge=MicroUsd(28_000),
        state="IDLE",
    )
    bot.now = replace(bot.now, sets=(basket,))

    assert give(bot, "markets").lines[-1].split() == [
        "fed-basket", "no_basket", "3", "2.00", "1.9700", "+0.0280", "IDLE",
    ]  # fmt: skip


def test_book_shows_both_ladders_and_whether_they_may_be_trusted() -> None:
    assert list(give(FakeBot(), "book fed-cut-dec").lines) == [
        "fed-cut-dec · ready · seq 911 · connection 2 · lag 5 ms · evidence 0.2 s old",
        "  confirmed by a snapshot",
        "sum 0.9850   edge +0.0110   WAITING_FILLS",
        "",
        "YES bid  size  YES ask   size  NO ask  size  NO bid  size",
        " 0.4250    50   0.4300    120  0.5550    80  0.5500    70",
        "                0.4400  12.50",
    ]


def test_a_book_that_does_not_answer_is_said_to_and_is_no_success() -> None:
    bot = FakeBot()
    bot.ladders_seen = None

    reply = give(bot, "book fed-cut-dec")

    assert reply.lines == ("the book of fed-cut-dec gave no answer in 1 s",)
    assert reply.exit_code == 69


def test_halting_a_market_says_what_goes_on_and_how_to_undo_it() -> None:
    bot = FakeBot()

    reply = give(bot, "halt fed-cut-dec -- odd news, says Reuters' desk")

    assert bot.halts == [("fed-cut-dec", "odd news, says Reuters' desk", "operator")]
    assert reply.lines == (
        "fed-cut-dec halted (by operator: odd news, says Reuters' desk). In flight ts-0009 finishes.",
        "  Survives restart. Undo: resume fed-cut-dec",
    )


def test_halting_twice_is_harmless_and_said() -> None:
    bot = FakeBot()

    give(bot, "halt -- first")
    reply = give(bot, "halt -- second")

    assert "was halted before" in reply.lines[0]
    assert len(bot.halts) == 2


def test_a_halt_that_the_disk_refused_says_so() -> None:
    bot = FakeBot()
    bot.persisted = False

    assert "NOT ON DISK" in " ".join(give(bot, "halt").lines)


def test_a_misspelt_market_is_not_guessed() -> None:
    bot = FakeBot()

    assert give(bot, "halt nyc").lines == ("no market 'nyc'. Did you mean nyc-snow?",)
    assert give(bot, "halt btc-10k-dec").lines == ("no market 'btc-10k-dec'. Did you mean btc-100k-dec?",)
    assert bot.halts == []


def test_a_reason_without_its_separator_is_refused_rather_than_taken_for_a_market() -> None:
    bot = FakeBot()

    reply = give(bot, "halt odd news")

    assert reply.exit_code == 2
    assert "a reason stands after --" in reply.lines[0]
    assert bot.halts == []


def test_resume_shows_what_tripped_and_waits_for_the_word() -> None:
    bot = FakeBot()
    give(bot, "halt -- odd")

    reply = give(bot, "resume -- looked at it")

    assert bot.resumes == []
    assert reply.lines == (
        "tripped    2 partials in 10 m, by kill switch, 12:00:03",
        "open       nothing is unknown, mismatched or unhedged",
    )
    assert reply.question is not None
    assert reply.question.prompt == "type RESUME to resume all trading: "
    assert set(reply.question.answers) == {"RESUME"}

    done = give(bot, " ".join(reply.question.answers["RESUME"]))
    assert done.lines == ("all trading resumed. The permit ends in 24 h.",)
    assert bot.resumes == [(None, "looked at it", "operator")]


def test_an_answer_to_one_halt_does_not_undo_the_next_one() -> None:
    bot = FakeBot()
    give(bot, "halt -- odd")
    asked = give(bot, "resume").question
    assert asked is not None

    give(bot, "halt -- something else is wrong")
    reply = give(bot, " ".join(asked.answers["RESUME"]))

    assert bot.resumes == []
    assert reply.exit_code == 4
    assert "another halt came in" in reply.lines[-1]


def test_resume_is_refused_with_the_whole_list_while_something_is_open() -> None:
    bot = FakeBot()
    give(bot, "halt")
    bot.refusals = ("order 9a1c is unknown", "5 YES of nyc-snow are naked")

    reply = give(bot, "resume --yes")

    assert bot.resumes == []
    assert reply.exit_code == 4
    assert reply.question is None
    assert reply.lines[-3:] == (
        "all trading stays halted. First settle:",
        "  - order 9a1c is unknown",
        "  - 5 YES of nyc-snow are naked",
    )


@pytest.mark.parametrize("words", ["halt --help", "halt -h", "help halt"])
def test_a_command_tells_its_use_and_is_not_carried_out(words: str) -> None:
    bot = FakeBot()

    lines = give(bot, words).lines

    assert lines[0] == "halt [M] [-- REASON]"
    assert bot.halts == []


def test_what_looks_like_help_in_a_reason_still_halts() -> None:
    bot = FakeBot()

    give(bot, "halt -- no --help left")

    assert len(bot.halts) == 1


def test_the_prompt_knows_the_verbs_of_the_shell() -> None:
    shell = {*STARTING_VERBS, *DOOR_VERBS, *OFFLINE_VERBS} - {command.name for command in COMMANDS.all()}

    assert set(SHELL_VERBS) == shell
    assert give(FakeBot(), "watch").lines == ("watch is typed in another shell:  python3 run.py watch",)
    assert "python3 run.py doctor --help" in give(FakeBot(), "help doctor").lines[0]
    assert give(FakeBot(), "help nix").lines == ("no command 'nix'. Type help for the list.",)


def test_help_fits_a_narrow_screen() -> None:
    lines = give(FakeBot(), "help halt", width=48).lines + give(FakeBot(), "help", width=48).lines[:-3]

    assert [line for line in lines[3:] if len(line) > 48] == []
    assert "halt [M] [-- REASON]" in lines


def test_no_open_order_is_not_no_order() -> None:
    assert give(FakeBot(), "orders").lines == ("no order yet",)
    assert give(FakeBot(), "orders --open").lines == ("no order is open",)


def test_resume_of_what_is_not_halted_changes_nothing() -> None:
    bot = FakeBot()

    assert give(bot, "resume --yes").lines == ("all trading is not halted.",)
    assert bot.resumes == []


def test_quit_asks_only_when_something_is_open() -> None:
    bot = FakeBot()

    assert give(bot, "quit").leave
    assert bot.left == [Leaving.PROTECT]

    bot.now = replace(bot.now, open_items=("2 open orders", "1 unhedged leg"))
    reply = give(bot, "quit")
    assert not reply.leave
    assert reply.question is not None
    assert reply.question.prompt == "2 open orders, 1 unhedged leg. [w]ait, [c]ancel+unwind, [s]tay? "
    assert give(bot, " ".join(reply.question.answers["w"])).leave
    assert bot.left == [Leaving.PROTECT, Leaving.WAIT]


def test_an_unknown_word_names_the_nearest_command() -> None:
    reply = give(FakeBot(), "statsu")

    assert reply.lines == ("unknown command 'statsu'. Did you mean status?",)
    assert reply.exit_code == 2


def test_a_command_of_the_prompt_is_not_offered_to_other_shells() -> None:
    assert give(FakeBot(), "set events all", place=Place.REMOTE).exit_code == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("why", "why needs ID"),
        ("opps many", "N must be a whole number from 1 to 1000"),
        ("opps 0", "N must be a whole number from 1 to 1000"),
        ("opps --skiped", "unknown option --skiped, did you mean --skipped?"),
        ("set events loud", "LEVEL must be one of quiet, normal, all"),
        ("report --since", "--since needs T"),
        ("status now", "status: 'now' is one word too many"),
        ("status -- please", "status takes no reason"),
    ],
)
def test_wrong_words_are_answered_with_what_is_wrong_and_the_usage(line: str, said: str) -> None:
    reply = give(FakeBot(), line)

    assert reply.exit_code == 2
    assert reply.lines[0] == said
    assert reply.lines[1].startswith("usage: ")


def test_status_from_a_shell_fails_with_four_while_halted() -> None:
    bot = FakeBot()
    assert give(bot, "status", place=Place.REMOTE).exit_code == 0

    give(bot, "halt -- odd")

    reply = give(bot, "status", place=Place.REMOTE)
    assert reply.exit_code == 4
    assert reply.document is not None
    assert reply.lines[1].endswith("by operator: odd")
    assert give(bot, "status").exit_code == 0


def test_positions_show_unpaired_legs_loudly() -> None:
    lines = give(FakeBot(), "positions").lines

    assert lines[0].split()[:6] == ["set", "sets", "cost", "pays", "locked", "UNPAIRED"]
    assert "5 YES @ 0.345" in lines[2]
    assert lines[3] == "1 with unpaired legs: exposed until unwound or completed"


def test_opportunities_are_listed_with_their_reasons() -> None:
    bot = FakeBot()
    bot.opps = [an_opportunity(1), an_opportunity(2, "TRADE", ""), an_opportunity(3)]

    assert [line.split()[-1] for line in give(bot, "opps").lines] == ["decision", "edge", "TRADE", "edge"]
    assert len(give(bot, "opps 1").lines) == 2
    assert len(give(bot, "opps --skipped").lines) == 3
    document = give(bot, "opps").document
    assert document is not None
    assert document["opportunities"][0]["edge"] == "-0.002"  # type: ignore[index]


def test_a_list_of_paper_trades_says_whose_money_it_shows() -> None:
    def trade(mode: str) -> TradeLine:
        return TradeLine(
            at=WallNs(1),
            tradeset_id=f"a-{mode}",
            set_id="m1",
            mode=mode,
            state="success",
            size=MicroShares(10),
            cost=MicroUsd(0),
            fees=MicroUsd(0),
            pnl=MicroUsd(0),
        )

    bot = FakeBot()
    bot.trades = lambda limit: [trade("live")]  # type: ignore[method-assign]
    assert not give(bot, "trades").lines[-1].startswith("paper:")
    bot.trades = lambda limit: [trade("live"), trade("paper")]  # type: ignore[method-assign]
    assert give(bot, "trades").lines[-1].startswith("paper: ")


def test_empty_lists_say_that_they_are_empty() -> None:
    assert give(FakeBot(), "trades").lines == ("no attempt yet",)
    assert give(FakeBot(), "orders").lines == ("no order yet",)


def test_the_log_is_shown_as_sentences_and_stays_json_for_scripts() -> None:
    bot = FakeBot()
    raw = (
        '{"event": "gap on \\u001b[2J m1", "level": "warning", "logger": "adapters.feed", '
        '"wall_s": "1795348931.5", "thread": "feed", "market_id": "m1"}'
    )
    bot.log = [raw, "not json", '{"half": ', '{"level": 5, "logger": "x", "event": "y", "wall_s": "never"}']

    reply = give(bot, "log")

    assert reply.lines[0].startswith(_local("12:02:11") + " WARNING adapters.feed: gap on")
    assert reply.lines[0].endswith("m1 market_id=m1")
    assert reply.lines[1:] == tuple(bot.log[1:])
    assert reply.document is not None
    assert reply.document["log"] == bot.log


def test_set_events_changes_the_level_of_this_screen() -> None:
    selection = Selection()
    caller = Caller(face=FakeBot(), place=Place.CONSOLE, by="x", selection=selection)

    reply = dispatch(COMMANDS, ["set", "events", "quiet"], caller)

    assert selection.level is Level.QUIET
    assert reply.lines == ("events quiet: only what was done or wants attention",)


def test_help_lists_every_command_of_the_place_and_explains_one() -> None:
    lines = give(FakeBot(), "help", width=200).lines

    assert {line.split()[0] for line in lines[: len(COMMANDS.at(Place.CONSOLE))]} == {
        command.name for command in COMMANDS.at(Place.CONSOLE)
    }
    assert any("F9" in line for line in lines)
    assert give(FakeBot(), "help halt").lines[0] == "halt [M] [-- REASON]"
    assert give(FakeBot(), "help hlt").lines == ("no command 'hlt'. Did you mean halt?",)


@pytest.mark.parametrize("name", [command.name for command in COMMANDS.all()])
def test_every_command_is_described_in_one_sentence(name: str) -> None:
    command = COMMANDS.find(name)

    assert command is not None
    assert 10 < len(command.summary) < 120
    assert command.usage().startswith(name)


def test_hostile_titles_cannot_reach_the_screen() -> None:
    bot = FakeBot()
    bot.now = a_snapshot(markets=(a_market("m", title="\x1b[2J\u202eevil\nline"),))

    lines = give(bot, "markets", width=160).lines

    assert len(lines) == 2
    assert "\x1b" not in lines[1]
    assert "\u202e" not in lines[1]


def test_the_words_after_the_separator_stay_one_reason() -> None:
    assert words_of("  halt  fed -- it's  a -- test ") == ["halt", "fed", "--", "it's  a -- test"]
    assert words_of("halt --") == ["halt", "--", ""]
    assert words_of("   ") == []


def _local(utc: str) -> str:
    from datetime import UTC, datetime

    hour, minute, second = map(int, utc.split(":"))
    return datetime(2026, 11, 22, hour, minute, second, tzinfo=UTC).astimezone().strftime("%H:%M:%S")


def test_counters_are_the_days_only_where_the_bot_ran_at_midnight() -> None:
    bot = FakeBot()
    assert any(line.startswith("since start opportunities") for line in give(bot, "status").lines)

    bot.now = replace(bot.now, uptime_ns=40 * 3_600 * SECOND)
    assert any(line.startswith("today       opportunities") for line in give(bot, "status").lines)
