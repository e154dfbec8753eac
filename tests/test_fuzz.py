"""A slice of `python -m tests.fuzz`: some hundred hostile inputs into every parser, the same ones every time."""

from __future__ import annotations

import pytest

from tests.fuzz import Tally, feed, lines, run
from tests.fuzz_parsers import Parser
from tests.fuzz_targets import table
from tests.fuzz_truth import SECRETS

INPUTS = 150
PARSERS = table()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_hostile_bytes_end_in_a_typed_refusal_or_in_exact_money(parser: Parser) -> None:
    [tally] = run([parser], seed=7, inputs=INPUTS)

    assert tally.finding is None, tally.finding
    assert tally.accepted, "an honest input at least"
    assert tally.refused, "a hostile one at least"


def planted(read, **more) -> str | None:
    tally = Tally(Parser("planted", (b"x",), read, **more))
    feed(tally.parser, b'{"price": "0.45"}', tally)
    return tally.finding


def test_the_fuzzer_finds_what_it_looks_for() -> None:
    def leaks(_data: bytes) -> object:
        raise ValueError(f"cannot use {SECRETS[0]}")

    def untyped(_data: bytes) -> object:
        raise KeyError("price")

    found = [
        planted(leaks, typed=(ValueError,)),
        planted(untyped, typed=(ValueError,)),
        planted(lambda _data: 0.45),
        planted(lambda _data: 1 << 63),
        planted(lambda _data: ["\x1b[2J"]),
        planted(lambda _data: "x" * 1_000),
    ]

    assert [words is not None and words.split(" ")[:3] for words in found] == [
        ["a", "secret", "came"],
        ["KeyError", "leaves", "the"],
        ["a", "float", "came"],
        ["a", "number", "that"],
        ["a", "text", "that"],
        ["a", "text", "of"],
    ]
    assert planted(lambda _data: 45) is None


def test_the_table_names_every_parser_and_its_refusals() -> None:
    told = lines(run(PARSERS[:1], seed=1, inputs=20))

    assert told[0].split() == ["parser", "inputs", "accepted", "slowest", "refused"]
    assert "FeedTrouble" in told[1]
