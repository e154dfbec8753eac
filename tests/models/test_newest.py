"""What is remembered does not grow, and what is spoken of again stays."""

from __future__ import annotations

from models.newest import Newest


def test_the_oldest_gives_way() -> None:
    newest: Newest[str, int] = Newest(2)
    for number, key in enumerate("abc"):
        newest.put(key, number)

    assert [newest.get(key) for key in "abc"] == [None, 1, 2]
    assert "a" not in newest
    assert newest.last(9) == [2, 1]
    assert newest.last(1) == [2]


def test_what_is_put_again_is_new_again() -> None:
    newest: Newest[str, int] = Newest(2)
    for number, key in enumerate("abac"):
        newest.put(key, number)

    assert newest.get("b") is None
    assert newest.last(9) == [3, 2]


def test_what_is_dropped_is_gone_and_dropping_it_twice_is_once() -> None:
    newest: Newest[str, int] = Newest(2)
    newest.put("a", 1)

    newest.drop("a")
    newest.drop("a")

    assert "a" not in newest
