"""The YAML of the operator becomes text with places; everything clever in YAML is refused with its place."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config_text import MAX_BYTES, read_yaml


def complaints(text: str) -> list[str]:
    return [problem.text("c.yaml") for problem in read_yaml(text).problems]


def test_scalars_stay_text() -> None:
    reading = read_yaml("ids: [0x00ab, no, 0123, 12:30, true, 1.50, ~, null, 2026-11-22, .nan]\n")

    assert reading.tree == {"ids": ["0x00ab", "no", "0123", "12:30", "true", "1.50", "~", "null", "2026-11-22", ".nan"]}
    assert not reading.problems


def test_an_empty_value_is_none_and_an_empty_text_is_not() -> None:
    assert read_yaml("a:\nb: ''\n").tree == {"a": None, "b": ""}


def test_every_key_and_item_has_a_place() -> None:
    reading = read_yaml("a:\n  b: 1\nlist:\n  - x\n  - {y: 2}\n")

    assert reading.place(("a", "b")) == (2, 3)
    assert reading.place(("list", 0)) == (4, 5)
    assert reading.place(("list", 1, "y")) == (5, 6)
    assert reading.place(("a", "missing")) == (1, 1)


def test_a_double_key_keeps_the_first_and_is_reported_at_the_second() -> None:
    reading = read_yaml("s:\n  a: 1\n  b: 2\n  a: {c: 3}\n")

    assert reading.tree == {"s": {"a": "1", "b": "2"}}
    assert complaints("s:\n  a: 1\n  b: 2\n  a: {c: 3}\n") == [
        "c.yaml:4:3: s.a: is given twice (first on line 2); hint: keep one of the two"
    ]


def test_a_double_section_keeps_the_places_of_the_first() -> None:
    reading = read_yaml("s:\n  a: 1\ns:\n  a: 2\n  b: 3\n")

    assert reading.tree == {"s": {"a": "1"}}
    assert reading.place(("s", "a")) == (2, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x: &a 1\n", "c.yaml:1:4: x: has an anchor (&)"),
        ("x: 1\ny: *x\n", "c.yaml:2:4: y: uses an alias (*)"),
        ("x: !!python/object:os.system 1\n", "c.yaml:1:4: x: has a tag (!)"),
        ("x: !secret 1\n", "c.yaml:1:4: x: has a tag (!)"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2:1: holds more than one document"),
        ("- a\n", "c.yaml:1:1: must be a section of keys and values"),
        ("text\n", "c.yaml:1:1: must be a section of keys and values"),
        ("? [a]\n: b\n", "c.yaml:1:3: has a key that is not plain text"),
        ("a:\n\tb: c\n", "c.yaml:2:1: is not valid YAML: found character '\\t'"),
        ("a: [1\nb: 2\n", "c.yaml:2:2: is not valid YAML"),
        ("a: 'open\n", "is not valid YAML"),
        ("a: \x07\n", "c.yaml:1:4: holds a sign that is not allowed"),
        ("ok: 1\nb: \x00\n", "c.yaml:2:4: holds a sign that is not allowed"),
        ("a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}\n", "is nested deeper than 8 levels"),
        ("<<: {a: 1}\n<<: {b: 1}\n", "c.yaml:2:1: <<: is given twice"),
    ],
)
def test_clever_or_broken_yaml_is_refused_with_its_place(text: str, said: str) -> None:
    assert any(said in line for line in complaints(text)), complaints(text)


def test_a_file_of_comments_is_an_empty_section() -> None:
    assert read_yaml("# nothing\n").tree == {}
    assert complaints("# nothing\n") == []


def test_a_huge_text_is_refused_before_it_is_parsed() -> None:
    assert complaints("a: " + "b" * MAX_BYTES) == [
        "c.yaml: is larger than 1 MiB; hint: a configuration is a few hundred lines"
    ]


@pytest.mark.parametrize("text", ["[" * 500_000, "{a: " * 100_000, "- " * 200_000, "a:\n" * 50_000, "? " * 200_000])
def test_deep_or_repeated_nesting_ends_at_once(text: str) -> None:
    began = time.monotonic()

    reading = read_yaml(text)

    assert reading.problems
    assert time.monotonic() - began < 10


@given(st.text(max_size=60))
def test_any_text_gives_a_tree_or_problems(text: str) -> None:
    reading = read_yaml(text)

    assert reading.problems or isinstance(reading.tree, dict)


@given(st.text(alphabet=" \n-:[]{}&*!|>'\"#%@`,?ab0.\t<~", max_size=80))
def test_any_heap_of_yaml_signs_gives_a_tree_or_problems_with_places(text: str) -> None:
    reading = read_yaml(text)

    last_line = text.count("\n") + 2
    assert all(0 <= problem.line <= last_line for problem in reading.problems)
    assert all(problem.message and problem.hint for problem in reading.problems)
