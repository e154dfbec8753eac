from __future__ import annotations

import threading

from adapters.operator.events import EventBoard, Level, Selection
from adapters.operator.render import event_fragments, plain
from models.status import EventKind
from tests.adapters.operator.fake_bot import HandClock


def test_lines_are_numbered_and_made_safe() -> None:
    board = EventBoard(HandClock())

    board.post(EventKind.INFO, "", "ws connected\n\x1b[2J")
    board.post(EventKind.WARN, "btc", "gap", ident="e-1")

    lines = board.newest()
    assert [line.serial for line in lines] == [1, 2]
    assert lines[0].text == "ws connected [2J"


def test_a_storm_of_one_skip_costs_one_line_a_second_and_loses_no_count() -> None:
    clock = HandClock()
    board = EventBoard(clock)
    made = []

    def text() -> str:
        made.append(1)
        return "edge too small"

    for _ in range(1_000):
        board.post(EventKind.SKIP, "nyc-snow", text, fold="skip/nyc-snow/edge")
    assert len(board.newest()) == 1
    clock.pass_s(1.1)
    lines = board.newest()

    assert [line.times for line in lines] == [1, 999]
    assert len(made) == 2


def test_the_screen_shows_a_repeated_skip_once_a_minute_with_its_count() -> None:
    clock = HandClock()
    board = EventBoard(clock)
    selection = Selection()
    shown = []
    for _ in range(15):
        board.post(EventKind.SKIP, "nyc-snow", "edge +0.0020 < min_edge 0.0050", fold="skip/nyc-snow/edge")
        shown += selection.take(board.newest(), clock.wall)
        clock.pass_s(2)
    clock.pass_s(31)
    shown += selection.take(board.newest(), clock.wall)

    assert [line.times for line in shown] == [1, 14]
    assert plain(event_fragments(shown[1])).endswith(
        "SKIP    nyc-snow         edge +0.0020 < min_edge 0.0050   (×14 in 60 s)"
    )


def test_different_reasons_are_not_folded_into_each_other() -> None:
    board = EventBoard(HandClock())
    board.post(EventKind.SKIP, "a", "edge", fold="skip/a/edge")
    board.post(EventKind.SKIP, "a", "depth", fold="skip/a/depth")

    assert [line.text for line in Selection().take(board.newest(), HandClock().wall)] == ["edge", "depth"]


def test_quiet_shows_what_was_done_or_wants_attention_and_all_hides_nothing() -> None:
    clock = HandClock()
    board = EventBoard(clock)
    for kind in EventKind:
        board.post(kind, "m", kind.value, fold="skip" if kind is EventKind.SKIP else "")

    quiet = [line.kind for line in Selection(Level.QUIET).take(board.newest(), clock.wall)]
    everything = [line.kind for line in Selection(Level.ALL).take(board.newest(), clock.wall)]

    assert quiet == [k for k in EventKind if k.value in {"DONE", "RESUME", "WARN", "PARTIAL", "HALT", "ERROR"}]
    assert everything == list(EventKind)


def test_each_line_is_printed_once_and_a_hole_in_the_numbers_is_said() -> None:
    clock = HandClock()
    board = EventBoard(clock, kept=3)
    selection = Selection()
    board.post(EventKind.INFO, "", "first")
    assert [line.text for line in selection.take(board.newest(), clock.wall)] == ["first"]
    assert selection.take(board.newest(), clock.wall) == []
    for number in range(10):
        board.post(EventKind.INFO, "", f"line {number}")

    assert [line.text for line in selection.take(board.newest(), clock.wall)] == [
        "… 7 more lines, see log",
        "line 7",
        "line 8",
        "line 9",
    ]


def test_the_wall_clock_set_back_does_not_hold_folded_lines_for_ever() -> None:
    clock = HandClock()
    board = EventBoard(clock)
    selection = Selection()
    board.post(EventKind.SKIP, "a", "edge", fold="f")
    selection.take(board.newest(), clock.wall)
    clock.pass_s(2)
    board.post(EventKind.SKIP, "a", "edge", fold="f")
    selection.take(board.newest(), clock.wall)
    clock.pass_s(-3_600)

    assert [line.times for line in selection.take(board.newest(), clock.wall)] == [1]


def test_many_threads_post_without_losing_or_repeating_a_number() -> None:
    board = EventBoard(HandClock(), kept=10_000)

    def post() -> None:
        for _ in range(500):
            board.post(EventKind.INFO, "", "x")

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [line.serial for line in board.newest()] == list(range(1, 2_001))


def test_a_long_line_is_cut_before_its_id() -> None:
    board = EventBoard(HandClock())
    board.post(EventKind.OPP, "fed-cut-dec", "0.4300 + 0.5550 = 0.9850   edge +0.0110  → TRADE " * 3, ident="o-7f31")

    line = plain(event_fragments(board.newest()[0], 60))

    assert len(line) == 60
    assert line.endswith("…  o-7f31")
