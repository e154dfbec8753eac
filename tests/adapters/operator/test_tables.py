from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from adapters.operator.tables import (
    Column,
    age,
    bar,
    dollars,
    fit,
    fit_middle,
    fixed,
    folded,
    safe,
    shares,
    span,
    stopwatch,
    table,
    wrap,
)
from models.clock import MS, SECOND

COLUMNS = (Column("id", least=9, middle=True), Column("title", drop=2, least=8), Column("sum", right=True))


def test_columns_line_up_and_numbers_stand_to_the_right() -> None:
    rows = [("fed", "Fed cuts", "0.9850"), ("nyc-snow", "Snow", "1.00")]

    assert table(COLUMNS, rows, 80) == [
        "id        title        sum",
        "fed       Fed cuts  0.9850",
        "nyc-snow  Snow        1.00",
    ]


def test_a_narrow_screen_loses_the_columns_that_may_go_and_shortens_ids_in_the_middle() -> None:
    rows = [("0x3f2a6c9e01b7d4f59c1e", "a title that is long", "0.9850")]

    assert table(COLUMNS, rows, 20) == ["id               sum", "0x3f2a…59c1e  0.9850"]
    assert all(get_cwidth(line) <= 20 for line in table(COLUMNS, rows, 20))
    assert "title" not in table(COLUMNS, rows, 20)[0]


def test_wide_letters_count_for_two_cells() -> None:
    rows = [("東京", "雪", "1"), ("abcd", "x", "22")]

    lines = table(COLUMNS, rows, 60)

    assert {get_cwidth(line) for line in lines[1:]} == {get_cwidth(lines[1])}


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40), st.text(max_size=8)), max_size=5))
def test_no_cell_brings_control_bytes_or_line_breaks_to_the_screen(rows: list[tuple[str, str, str]]) -> None:
    for line in table(COLUMNS, rows, 60):
        assert line == safe(line)
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)


@given(st.text(max_size=60), st.integers(min_value=1, max_value=30))
def test_a_shortened_text_fits_its_cells(text: str, width: int) -> None:
    kept = safe(text).strip()

    assert get_cwidth(fit(kept, width)) <= width
    assert get_cwidth(fit_middle(kept, width)) <= width


def test_ids_keep_both_ends() -> None:
    assert fit_middle("0x3f2a6c9e01b7d4f59c1e", 11) == "0x3f2…59c1e"


def test_items_are_never_broken_inside() -> None:
    assert wrap(["one two", "three", "four"], 14, "  ") == ["one two", "  three · four"]


@pytest.mark.parametrize(
    ("micros", "places", "shown"),
    [
        (985_000, 4, "0.9850"),
        (-2_000, 4, "-0.0020"),
        (11_000, 4, "+0.0110"),
        (-4, 2, "+0.00"),
        (1_234_567_890, 2, "+1234.57"),
        (499_999, 0, "+0"),
        (500_000, 0, "+1"),
    ],
)
def test_amounts_have_a_fixed_number_of_digits(micros: int, places: int, shown: str) -> None:
    assert fixed(micros, places, sign=True) in {shown, "+" + shown}


def test_missing_figures_are_dashes_not_zeros() -> None:
    assert fixed(None, 2) == "–"
    assert dollars(None) == "–"
    assert age(None) == "–"


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "0 ms"),
        (41 * MS, "41 ms"),
        (450 * MS, "0.4 s"),
        (12 * SECOND, "12 s"),
        (200 * SECOND, "3 m"),
        (2 * 3600 * SECOND + 300 * SECOND, "2 h 05 m"),
        (5 * 86_400 * SECOND, "5 d"),
        (-5, "0 ms"),
    ],
)
def test_ages_are_short_words(ns: int, shown: str) -> None:
    assert age(ns) == shown


def test_other_short_forms() -> None:
    assert dollars(-1_200_000, sign=True) == "-$1.20"
    assert dollars(870_000, sign=True) == "+$0.87"
    assert shares(10_000_000) == "10"
    assert shares(12_500_000) == "12.50"
    assert stopwatch(1_867 * SECOND) == "00:31:07"
    assert stopwatch(90_061 * SECOND) == "1d 01:01:01"
    assert span(600 * SECOND) == "10 m"
    assert span(3_600 * SECOND) == "1 h"
    assert span(90 * SECOND) == "90 s"


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=1, max_value=10**9))
def test_a_bar_is_never_empty_when_used_nor_full_before_the_limit(used: int, limit: int) -> None:
    drawn = bar(used, limit, 12)

    assert len(drawn) == 12
    assert ("█" in drawn) == (used > 0)
    assert ("░" not in drawn) == (used >= limit)


def test_a_printed_line_keeps_its_indentation_and_loses_what_a_terminal_obeys() -> None:
    assert safe("  - \x1b]0;owned\x07 naked\u202e leg\n") == "  - ]0;owned naked leg"


def test_a_long_line_is_broken_between_words_and_goes_on_under_its_last_column() -> None:
    line = (
        "00:24:02.893  opp        o-z5s4 fed-cut-dec sum 0.9600  edge 1−0.9600−0.0020 = +0.0380  verdict real ✓ edge ✓"
    )

    assert folded(line, 80) == [
        "00:24:02.893  opp        o-z5s4 fed-cut-dec sum 0.9600  edge 1−0.9600−0.0020 =",
        "                         +0.0380  verdict real ✓ edge ✓",
    ]


def test_a_long_comment_goes_on_as_a_comment_and_a_sentence_a_little_further_in() -> None:
    assert folded("  # Opening orders. Cancels have their own.", 24) == [
        "  # Opening orders.",
        "  # Cancels have their",
        "  # own.",
    ]
    assert folded("all trading was halted before", 20) == ["all trading was", "  halted before"]
    assert folded("short", 80) == ["short"]
    assert folded("", 80) == [""]


@given(st.from_regex(r" {0,120}#? ?[ab#東é ]{0,120}", fullmatch=True), st.integers(min_value=8, max_value=90))
def test_a_folded_line_fits_the_screen_and_loses_no_letter(line: str, width: int) -> None:
    lines = folded(line, width)

    assert all(get_cwidth(part) <= width for part in lines)
    assert "".join(lines).replace(" ", "").replace("#", "") == line.replace(" ", "").replace("#", "")
