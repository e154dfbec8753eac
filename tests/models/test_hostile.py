"""Hostile text becomes one plain, bounded line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hostile import TEXT_LIMIT, clean, says_twice


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("Will BTC close above $100,000?", "Will BTC close above $100,000?"),
        ("¿Ganará Müller? — ключ 日本 🎯", "¿Ganará Müller? — ключ 日本 🎯"),
        ("\x1b[2J\x1b]0;owned\x07title", "[2J]0;ownedtitle"),
        ("\x9b31mred\x9d0;x\x9c", "31mred0;x"),
        ("a\x7fb\x00c", "abc"),
        ("pay \u202etxt.exe\u202c now", "pay txt.exe now"),
        ("\u2066isolate\u2069\u200e\u200f\u061c", "isolate"),
        ("zero\u200bwidth\u200c\u200d\u2060\ufeff\u00ad", "zerowidth"),
        ("tags\U000e0041\U000e007f", "tags"),
        ("blank\u3164\u115f\u1160\uffa0\u2800letters", "blankletters"),
        ("line\nbreak\r\nand\ttab\u2028sep\x85nel", "line break  and tab sep nel"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("z\u0301\u0302\u0303\u0304\u0305\u0306algo", "z\u0301\u0302\u0303algo"),
        ("[bold]markup[/x] =1+1 <b>", "[bold]markup[/x] =1+1 <b>"),
        ("", ""),
        ("\x1b\x1b\x1b", ""),
    ],
)
def test_what_is_shown(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clean("x" * 300) == "x" * (TEXT_LIMIT - 1) + "…"
    assert clean("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT
    assert clean("word " * 3, limit=8) == "word wo…"
    assert clean("\u200b" * 10_000_000) == "…"


TEXTS = st.text(st.characters(), max_size=400) | st.text(
    st.sampled_from("\x1b\x07\x9b\u202e\u200b\n a\u0301"), max_size=400
)


@given(text=TEXTS, limit=st.integers(1, 250))
def test_the_result_is_bounded_visible_and_cleaning_it_again_changes_nothing(text: str, limit: int) -> None:
    shown = clean(text, limit)

    assert len(shown) <= limit
    assert clean(shown, limit) == shown
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@given(text=st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=TEXT_LIMIT))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("document", "twice"),
    [
        (b'{"price": "0.45", "price": "0.54"}', True),
        (b'[{"a": {"b": 1, "b": 1}}]', True),
        (b'{"a": 1, "\\u0061": 2}', True),
        (b'{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}', False),
        (b'{"a": ' + b"9" * 10_000 + b"}", False),
        (b"[" * 100_000, False),
        (b"<html>", False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_a_key_that_comes_twice_is_noticed_at_any_depth(document: bytes, twice: bool) -> None:
    assert says_twice(document) is twice
