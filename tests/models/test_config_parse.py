"""All mistakes of a configuration at once, each with file:line:col, what is wrong and what to do."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import Config
from models.config_kinds import ValueKind
from models.config_parse import MOST_LINES, parse_config
from models.config_render import kind_of
from models.config_section import Section
from models.config_text import ConfigErrors
from models.config_trading import Mode

SMALLEST = "venue: simulated\nmarkets: [m1]\n"
LINE = re.compile(r"config\.yaml:\d+:\d+: [a-z0-9_.]+: .+; hint: .+")


def read(text: str) -> Config:
    config = parse_config(text, "config.yaml")
    assert isinstance(config, Config), str(config)
    return config


def complaints(text: str) -> tuple[str, ...]:
    errors = parse_config(text, "config.yaml")
    assert isinstance(errors, ConfigErrors)
    return errors.lines()


def test_a_venue_and_a_market_are_enough_for_paper() -> None:
    config = read(SMALLEST)

    assert config.mode is Mode.PAPER
    assert config.markets == ("m1",)
    assert config.strategy.min_edge == Decimal("0.005")
    assert config.risk.halt_on_partial_fill is True
    assert config.execution.limit_ticks_through == 0


def test_ids_survive_as_text() -> None:
    config = read("venue: simulated\nmarkets: [0x00ab, no, 0123, 12:30, true, 1e5]\n")

    assert config.markets == ("0x00ab", "no", "0123", "12:30", "true", "1e5")


def test_empty_sections_and_lists_mean_their_defaults() -> None:
    assert read(SMALLEST + "sets:\nrisk:\nvenues:\n") == read(SMALLEST)


def test_ten_different_mistakes_give_ten_lines_with_place_and_hint() -> None:
    text = (
        "mode: Live\n"
        "venue: polymarkt\n"
        "markets: [0x00ab, no, 0x00ab]\n"
        "strategy:\n"
        "  min_edge: -0.01\n"
        "  min_egde: 0.01\n"
        "  cost_buffer: .nan\n"
        "  cost_buffer: 0.002\n"
        "execution:\n"
        "  order_timeout_seconds: 20\n"
        "risk:\n"
        "  halt_on_partial_fill: yes\n"
        "api_key: 0123456789abcdef\n"
    )

    lines = complaints(text)

    assert [(line.split(": ")[0], line.split(": ")[1]) for line in lines] == [
        ("config.yaml:1:1", "mode"),
        ("config.yaml:2:1", "venue"),
        ("config.yaml:3:23", "markets.2"),
        ("config.yaml:5:3", "strategy.min_edge"),
        ("config.yaml:6:3", "strategy.min_egde"),
        ("config.yaml:7:3", "strategy.cost_buffer"),
        ("config.yaml:8:3", "strategy.cost_buffer"),
        ("config.yaml:10:3", "execution.order_timeout_seconds"),
        ("config.yaml:12:3", "risk.halt_on_partial_fill"),
        ("config.yaml:13:1", "api_key"),
    ]
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert "must be greater than 0 (was -0.01)" in lines[3]
    assert "did you mean 'polymarket'?" in lines[1]
    assert "did you mean 'min_edge'?" in lines[4]
    assert "which is 15 (was 20)" in lines[7]
    assert "secrets belong in .env" in lines[9]
    assert "0123456789abcdef" not in "\n".join(lines)


def test_missing_values_are_said_at_the_section_that_lacks_them() -> None:
    lines = complaints("risk:\n  kill_switch_conditions:\n    partials: {count: 2}\n")

    assert lines[0].startswith("config.yaml:1:1: venue: is missing; hint: ")
    assert lines[1].startswith("config.yaml:1:1: markets: must name at least one market; hint: ")
    assert lines[2].startswith("config.yaml:3:5: risk.kill_switch_conditions.partials.minutes: is missing; hint: ")


def test_a_key_in_the_wrong_section_is_sent_home() -> None:
    (line,) = complaints(SMALLEST + "strategy:\n  order_size: 5\n")

    assert line.endswith(
        "strategy.order_size: is not a key of the configuration; hint: it belongs at execution.order_size"
    )


@pytest.mark.parametrize("text", ["strategy: 5\n", "strategy: [a]\n", "risk: no\n"])
def test_a_value_where_a_section_belongs_names_the_keys(text: str) -> None:
    (line,) = complaints(SMALLEST + text)

    assert "must be a section of keys and values; hint: its keys: " in line


@pytest.mark.parametrize("markets", ["m1", "{a: b}", "~"])
def test_a_value_where_a_list_belongs_is_said(markets: str) -> None:
    (line,) = complaints(f"venue: simulated\nmarkets: {markets}\n")

    assert "config.yaml:2:1: markets: must be a list; hint: " in line


@pytest.mark.parametrize(
    "key",
    ["api_key", "API-KEY".replace("-", "_"), "private_key", "passphrase", "secret", "password", "mnemonic", "key_id"],
)
@pytest.mark.parametrize(
    "where", ["{key}: {value}\n", "venues:\n  kalshi:\n    {key}: {value}\n", "venues:\n  {key}: {value}\n"]
)
def test_a_secret_in_the_file_is_sent_to_the_env_file_and_not_repeated(key: str, where: str) -> None:
    lines = complaints(SMALLEST + where.format(key=key, value="hunter2hunter2"))

    assert any("looks like a secret; hint: secrets belong in .env" in line for line in lines)
    assert "hunter2" not in "\n".join(lines)


def test_an_alias_is_reported_once_and_not_again_as_a_missing_value() -> None:
    lines = complaints(SMALLEST + "strategy:\n  min_edge: *x\n")

    assert any("uses an alias" in line or "undefined alias" in line for line in lines)
    assert not any("has no value" in line for line in lines)


def test_a_rule_is_not_said_where_one_of_its_values_is_wrong_by_itself() -> None:
    lines = complaints(SMALLEST + "execution:\n  order_timeout_seconds: 20\n  max_inflight_seconds: -1\n")

    assert [line.split(": ")[1] for line in lines] == ["execution.max_inflight_seconds"]


def test_venues_are_those_that_the_caller_knows() -> None:
    text = "venue: third\nmarkets: [m1]\nvenues:\n  third: {rest_url: 'https://a.example', ws_url: 'wss://a.example'}\n"

    assert isinstance(parse_config(text, "c", venues=("third",)), Config)
    assert len(complaints(text)) == 2


def test_a_file_full_of_mistakes_ends_after_a_readable_number_of_lines() -> None:
    lines = complaints("".join(f"key_{n}x: 1\n" for n in range(1_000)))

    assert len(lines) == MOST_LINES + 1
    assert "more mistakes follow" in lines[-1]


def test_no_value_of_the_file_but_a_word_selects_live() -> None:
    assert read(SMALLEST + "mode: paper\n").mode is Mode.PAPER
    for text in ("LIVE", "true", "1", "'live '", "[live]"):
        assert complaints(SMALLEST + f"mode: {text}\n")


def leaves(section: type[Section], path: str = "") -> list[tuple[str, ValueKind]]:
    found = []
    for name, field in section.model_fields.items():
        kind = kind_of(field)
        if kind is not None and field.annotation not in (dict, tuple):
            found.append((f"{path}{name}", kind))
        elif isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found += leaves(field.annotation, f"{path}{name}.")
    return found


def nested(path: str, value: str) -> str:
    parts = path.split(".")
    lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(parts)]
    return "\n".join(lines) + f" {value}\n"


SCALARS = [path for path, _ in leaves(Config) if path not in {"markets", "venues", "venue", "paper.latency_grid_ms"}]


@pytest.mark.parametrize("path", SCALARS)
@pytest.mark.parametrize("value", ['"\\u0001"', ".inf", "[1]", "{a: 1}", "１"])
def test_every_field_refuses_what_it_cannot_be(path: str, value: str) -> None:
    if path.startswith("data.") and value in {".inf", "１"}:
        value = "''"

    lines = complaints(SMALLEST + nested(path, value))

    assert [line for line in lines if f": {path}: " in line], lines


YAMLISH = st.recursive(
    st.sampled_from(
        ["1", "-1", "0.01", "true", "no", "''", "live", ".nan", "x", "*a", "&a b", "!t c", "https://a", ""]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(
                [*Config.model_fields, "min_edge", "order_size", "legs", "id", "kind", "market", "api_key"]
            ),
            inner,
            max_size=4,
        ).map(lambda d: "{" + ", ".join(f"{k}: {v}" for k, v in d.items()) + "}"),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*Config.model_fields]), YAMLISH, max_size=6))
def test_any_tree_of_known_names_gives_a_config_or_lines(tree: dict[str, str]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in tree.items())

    outcome = parse_config(text, "config.yaml")

    assert isinstance(outcome, Config) or (outcome.lines() and all("; hint: " in line for line in outcome.lines()))


@given(st.text(max_size=40))
def test_any_text_gives_a_config_or_lines(text: str) -> None:
    outcome = parse_config(text, "config.yaml")

    assert isinstance(outcome, Config) or outcome.lines()
