"""The example files show every field with unit and bounds, load as they are, and are what the models say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.config import Config
from models.config_kinds import ValueKind
from models.config_machine import VenueOptions
from models.config_parse import parse_config
from models.config_render import kind_of, render_yaml
from models.config_section import Section
from models.config_sets import Attested, Leg, SetEntry
from models.config_trading import Window

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "config.example.yaml").read_text(encoding="utf-8")


def read(text: str) -> Config:
    config = parse_config(text, "config.example.yaml")
    assert isinstance(config, Config), str(config)
    return config


def sections() -> list[type[Section]]:
    found = [Config, SetEntry, Leg, Attested, VenueOptions, Window]
    for section in found:
        for field in section.model_fields.values():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Section) and kind not in found:
                found.append(kind)
    return found


FIELDS = [(section, name) for section in sections() for name in section.model_fields]


@pytest.mark.parametrize(("section", "name"), FIELDS, ids=lambda part: getattr(part, "__name__", part))
def test_every_field_stands_in_the_example_with_meaning_unit_and_bounds(section: type[Section], name: str) -> None:
    field = section.model_fields[name]
    prose = re.sub(r"\n[ #]*", " ", EXAMPLE)

    assert re.search(rf"^[ #-]*(\w+: {{count: \d+, |\w+: {{)?{name}:", EXAMPLE, re.MULTILINE)
    assert field.description
    kind = kind_of(field)
    if kind is not None:
        assert isinstance(kind, ValueKind)
        assert kind.describe() in prose
    if section is not Window:
        assert field.description in prose


def test_the_example_loads_and_holds_the_defaults() -> None:
    config = read(EXAMPLE)

    assert config == Config(venue=config.venue, markets=config.markets)


def test_the_example_is_what_the_models_say() -> None:
    assert render_yaml(read(EXAMPLE)) == EXAMPLE, "models changed: python -m tests.models.test_config_render"


def test_the_commented_set_and_venue_of_the_example_load_when_uncommented() -> None:
    text = re.sub(r"^  # ?(?=  |- |polymarket)", "  ", EXAMPLE, flags=re.MULTILINE)
    text = text.replace("markets:\n", "markets:\n  - cup-lions\n  - cup-tigers\n  - cup-bears\n", 1)

    config = read(text)

    assert len(config.sets) == 1
    assert config.options("polymarket") == VenueOptions()


def test_a_configuration_with_everything_survives_writing_and_reading() -> None:
    config = read(
        "mode: paper\nvenue: polymarket\nmarkets: ['0x00ab', no, 'a\"b', 'c\\d', KX]\n"
        "sets:\n"
        "  - id: x-y\n"
        "    kind: cross_venue\n"
        "    legs: [{market: '0x00ab', outcome: yes}, {market: KX, outcome: no, venue: kalshi}]\n"
        "    payout: 0.999999\n"
        "    attested: {rules_match: true, statement: 'read: \"both\" # \\ \u00fc'}\n"
        "  - {id: b, kind: binary, legs: [{market: no, outcome: yes}, {market: no, outcome: no}]}\n"
        "data: {directory: 'my data: #1'}\n"
        "venues:\n  polymarket: {rest_url: 'http://127.0.0.1:1', ws_url: 'ws://127.0.0.1:2/ws', wallet_type: safe}\n"
        "  kalshi: {subaccount: 3}\n"
        "execution: {max_order_size: 12.5}\nrisk: {halt_on_partial_fill: false, halt_scope: market}\n"
    )

    assert read(render_yaml(config)) == config


if __name__ == "__main__":
    (ROOT / "config.example.yaml").write_text(render_yaml(read(EXAMPLE)), encoding="utf-8")
