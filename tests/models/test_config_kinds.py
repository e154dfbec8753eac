"""Every scalar of the file is read strictly: one way to write a number, a flag, a choice, an address."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from models.config_kinds import REFUSED, Amount, Bounds, Count, Flag, Seconds, Url, ValueKind, Word, closest
from models.config_sets import IDENTIFIER, VENUE_NAME
from models.money import text

EDGE = Amount("USD", Bounds(above="0", at_most="0.5"))
PAUSE = Seconds(Bounds(at_least="0", at_most="60"))
TRIES = Count("attempts", 1, 20)
REST = Url("https", "http")
MODE = Word({"paper": 1, "live": 2})


def refused(kind: ValueKind, raw: object) -> str:
    with pytest.raises(PydanticCustomError) as caught:
        kind.check(raw)
    assert caught.value.type == REFUSED
    assert caught.value.context is not None
    assert caught.value.context["hint"]
    return str(caught.value.context["message"])


@pytest.mark.parametrize(
    ("raw", "value"), [("0.005", "0.005"), (".25", "0.25"), ("0.500000", "0.5"), (Decimal("0.1"), "0.1")]
)
def test_an_amount_is_exact(raw: object, value: str) -> None:
    assert EDGE.check(raw) == Decimal(value)


@pytest.mark.parametrize(
    "raw",
    ["1e-3", ".nan", ".inf", "nan", "Infinity", "0,005", "+0.1", " 0.1", "0.1 ", "0x1", "1_0", "００.1", "１", "",
     "0.0000001", ".", "-", "-.", "00.1", "0.1USD", "--0.1", "true", 0.1, True, ["0.1"], {"a": "b"}],
)  # fmt: skip
def test_anything_but_a_plain_decimal_is_refused(raw: object) -> None:
    assert "must be a plain decimal number" in refused(EDGE, raw)


def test_bounds_are_said_in_words_with_the_value() -> None:
    assert refused(EDGE, "-0.01") == "must be greater than 0 (was -0.01)"
    assert refused(EDGE, "0") == "must be greater than 0 (was 0)"
    assert refused(EDGE, "0.500001") == "must be at most 0.5 (was 0.500001)"
    assert refused(PAUSE, "-1") == "must be at least 0 (was -1)"


@given(st.integers(min_value=1, max_value=500_000))
def test_every_amount_inside_the_bounds_survives_writing_and_reading(micros: int) -> None:
    value = EDGE.check(text(micros))

    assert EDGE.check(EDGE.write(value)) == value  # type: ignore[arg-type]


@given(st.decimals(min_value=0, max_value=60, places=6))
def test_every_duration_survives_writing_and_reading(seconds: Decimal) -> None:
    value = PAUSE.check(f"{seconds:f}")

    assert isinstance(value, float)
    assert PAUSE.check(PAUSE.write(value)) == value


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), "nan", "1e3", True])
def test_a_duration_is_a_finite_plain_number(raw: object) -> None:
    assert refused(PAUSE, raw)


@pytest.mark.parametrize("raw", ["2.0", "1e1", "", "0x10", "1_0", "３", "010", True, 2.0, "9" * 400])
def test_a_count_is_a_whole_number(raw: object) -> None:
    assert "must be a whole number" in refused(TRIES, raw)


def test_a_count_has_bounds() -> None:
    assert TRIES.check("20") == 20
    assert refused(TRIES, "0") == "must be at least 1 (was 0)"
    assert refused(TRIES, "21") == "must be at most 20 (was 21)"


@pytest.mark.parametrize("raw", ["yes", "no", "on", "off", "True", "TRUE", "1", "0", 1, 0, ""])
def test_a_flag_is_true_or_false_and_nothing_else(raw: object) -> None:
    assert "must be true or false" in refused(Flag(), raw)


def test_a_flag_reads_true_and_false() -> None:
    assert (Flag().check("true"), Flag().check("false")) == (True, False)
    assert (Flag().check(True), Flag().check(False)) == (True, False)


def test_a_misspelt_choice_is_answered_with_the_nearest() -> None:
    assert MODE.check("live") == 2
    with pytest.raises(PydanticCustomError) as caught:
        MODE.check("Papr")
    assert caught.value.context == {
        "message": "must be one of paper, live (was 'Papr')",
        "hint": "did you mean 'paper'?",
    }


@pytest.mark.parametrize("market", ["0x00ab", "no", "0123", "12:30", "KXFED-26DEC-T4.00", "true", "~", "null"])
def test_ids_stay_the_text_that_they_are(market: str) -> None:
    assert IDENTIFIER.check(market) == market


@pytest.mark.parametrize("market", ["", "a b", "a\n", "tеst", "x" * 201, "\x1b[31m", 12])
def test_ids_are_visible_ascii(market: object) -> None:
    assert refused(IDENTIFIER, market)


def test_a_venue_name_is_lower_case() -> None:
    assert refused(VENUE_NAME, "Kalshi")


@pytest.mark.parametrize(
    "raw", ["https://a.example/x", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9"]
)
def test_an_address_is_encrypted_or_on_this_machine(raw: str) -> None:
    assert REST.check(raw) == raw


@pytest.mark.parametrize(
    "raw",
    ["http://a.example", "http://127.0.0.1.a.example", "http://localhost.a.example", "ftp://a", "https://", "a.example",
     "https://user:pw@a.example", "https://a.example?key=1", "https://a.example#x", "https://a b", "https://[::1",
     "https://a.example:99999999", "wss://a.example", "http://127.0.0.1@a.example", "//a.example", 5],
)  # fmt: skip
def test_any_other_address_is_refused(raw: object) -> None:
    assert refused(REST, raw)


def test_empty_means_not_set_only_where_that_is_allowed() -> None:
    assert REST.check(None) is None
    assert refused(EDGE, None) == "has no value"


@pytest.mark.parametrize("kind", [EDGE, PAUSE, TRIES, Flag(), MODE, IDENTIFIER])
def test_a_long_value_is_never_repeated(kind: ValueKind) -> None:
    key = "0x" + "deadbeef" * 8 + " "

    assert "deadbeef" not in refused(kind, key)


def test_the_nearest_word_ignores_case_and_gives_up_on_strangers() -> None:
    assert closest("MIN_EGDE", ("min_edge", "sizing")) == "min_edge"
    assert closest("zzzz", ("min_edge", "sizing")) is None
