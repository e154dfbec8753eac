"""Values that are fine alone and wrong together; what live mode must state; what a set must prove."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from models.config import Config, canonical_json, config_hash
from models.config_parse import parse_config
from models.config_rules import LIVE_LIMITS, cautions
from models.config_section import shares, usd
from models.config_text import ConfigErrors
from models.market import MarketId, Outcome
from models.money import MICRO
from models.sets import LegPolicy, SetKind, SetLeg

SMALLEST = "venue: simulated\nmarkets: [m1, m2, m3]\n"
LIVE = (
    "mode: live\nvenue: simulated\nmarkets: [m1]\n"
    "strategy: {min_edge: 0.01, cost_buffer: 0.002}\n"
    "execution: {order_size: 5, max_unwind_loss: 0.03}\n"
    "risk:\n"
    "  max_daily_notional: 100\n"
    "  max_open_positions: 2\n"
    "  max_orders_per_minute: 30\n"
    "  price_collar: 0.01\n"
    "  halt_on_partial_fill: true\n"
    "  kill_switch_conditions: {partials: {count: 1, minutes: 60}}\n"
)


def said(text: str) -> list[str]:
    """`path: message` of every complaint."""
    errors = parse_config(text, "c")
    assert isinstance(errors, ConfigErrors), "accepted"
    return [f"{problem.path}: {problem.message}" for problem in errors.problems]


def read(text: str) -> Config:
    config = parse_config(text, "c")
    assert isinstance(config, Config), str(config)
    return config


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "execution: {order_timeout_seconds: 4, max_inflight_seconds: 3.5}",
            "execution.order_timeout_seconds: must be at most execution.max_inflight_seconds, which is 3.5 (was 4)",
        ),
        (
            "runtime: {reconnect: {initial_backoff_seconds: 50}}",
            "runtime.reconnect.initial_backoff_seconds: "
            + "must be at most runtime.reconnect.max_backoff_seconds, which is 30 (was 50)",
        ),
        (
            "execution: {order_size: 10, max_order_size: 5}",
            "execution.order_size: must be at most execution.max_order_size, which is 5 (was 10)",
        ),
        (
            "execution: {order_size: 600}",
            "execution.order_size: must be at most risk.max_daily_notional, which is 500 (was 600)",
        ),
        ("paper: {latency_grid_ms: [100, 50]}", "paper.latency_grid_ms: must rise from number to number"),
        ("paper: {latency_grid_ms: []}", "paper.latency_grid_ms: must rise from number to number"),
        ("venues: {kalshi: {rest_url: 'https://a.example'}}", "venues.kalshi.ws_url: must be stated too"),
        (
            "venues: {kalshi: {rest_url: 'https://demo-api.kalshi.co', ws_url: 'wss://api.elections.kalshi.com'}}",
            "venues.kalshi.ws_url: points at production, rest_url at a demo",
        ),
        (
            "venues: {kalshi: {rest_url: 'http://127.0.0.1:1', ws_url: 'wss://api.elections.kalshi.com'}}",
            "venues.kalshi.ws_url: points at production, rest_url at this machine",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_said_at_one_of_them(text: str, complaint: str) -> None:
    assert said(SMALLEST + text) == [complaint]


def test_limits_have_no_silent_default_in_live_mode() -> None:
    assert said("mode: live\nvenue: simulated\nmarkets: [m1]\n") == [
        f"{'.'.join(map(str, loc))}: must be stated in mode: live" for loc in LIVE_LIMITS
    ]
    assert read(LIVE).mode == "live"


@pytest.mark.parametrize("loc", LIVE_LIMITS, ids=".".join)
def test_each_limit_of_live_mode_is_asked_for(loc: tuple[str, str]) -> None:
    section, name = loc
    dumped = read(LIVE).model_dump(mode="json")
    del dumped[section][name]

    with pytest.raises(ValidationError, match=f"{section}.{name}: must be stated"):
        Config.model_validate(dumped)


SET = "sets:\n  - id: s\n    kind: {kind}\n    legs: [{legs}]\n    {more}\n"


def a_set(kind: str, legs: str, more: str = "") -> str:
    written = ", ".join(f"{{market: {m}, outcome: {o}}}" for m, o in (leg.split("/") for leg in legs.split()))
    return SMALLEST + SET.replace("{kind}", kind).replace("{legs}", written).replace("{more}", more)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (a_set("binary", "m1/yes m2/no"), "sets.0.legs: the legs do not form a binary set"),
        (a_set("binary", "m1/yes m1/yes"), "sets.0.legs: a leg is listed twice"),
        (a_set("no_basket", "m1/no"), "sets.0.legs: the legs do not form a no_basket set"),
        (a_set("no_basket", "m1/no m2/no m3/no", "payout: 2.01"), "sets.0.payout: must be at most 2.00 (was 2.010000)"),
        (a_set("yes_basket", "m1/yes m2/yes"), "sets.0.attested: must say exhaustive: true for a yes_basket set"),
        (a_set("nested", "m1/yes m2/no"), "sets.0.attested: must say rules_match: true for a nested set"),
        (a_set("nested", "m1/yes m2/no", "attested: {rules_match: true}"), "sets.0.attested: needs a statement"),
        (a_set("no_basket", "m1/no m9/no"), "sets.0.legs.1.market: is not in the allow list"),
        (
            a_set("cross_venue", "m1/yes m2/no", "attested: {rules_match: true, statement: read}"),
            "sets.0.legs: must lie on two venues",
        ),
        (a_set("binary", "m1/yes m1/no") + a_set("binary", "m2/yes m2/no").split("sets:\n")[1],
         "sets.1.id: is the id of an earlier set too"),
    ],
)  # fmt: skip
def test_a_set_that_proves_nothing_is_refused(text: str, complaint: str) -> None:
    assert complaint in said(text)


def test_a_cross_venue_set_knows_its_venues() -> None:
    config = read(
        "venue: polymarket\nmarkets: ['0xab', KXFED]\n"
        "sets:\n  - id: x\n    kind: cross_venue\n"
        "    legs: [{market: '0xab', outcome: yes}, {market: KXFED, outcome: no, venue: kalshi}]\n"
        "    attested: {rules_match: true, statement: both rule-books read}\n"
        "    leg_policy: together\n"
    )

    (complete_set,) = config.complete_sets()

    assert complete_set.kind is SetKind.CROSS_VENUE
    assert complete_set.legs == (SetLeg(MarketId("0xab"), Outcome.YES), SetLeg(MarketId("KXFED"), Outcome.NO))
    assert complete_set.payout == MICRO
    assert complete_set.leg_policy is LegPolicy.TOGETHER
    assert complete_set.attestation == "rules_match: both rule-books read"
    assert config.market_venues() == {"0xab": "polymarket", "KXFED": "kalshi"}


def test_one_market_on_two_venues_is_refused() -> None:
    text = a_set("no_basket", "m1/no m2/no") + (
        "  - id: t\n    kind: no_basket\n"
        "    legs: [{market: m1, outcome: no, venue: kalshi}, {market: m3, outcome: no, venue: kalshi}]\n"
    )

    assert said(text) == ["sets.1.legs.0.venue: differs from an earlier leg of the same market"]


def test_without_sets_every_market_gives_its_yes_and_no() -> None:
    sets = read(SMALLEST + "execution: {leg_policy: together}\n").complete_sets()

    assert [(s.set_id, s.kind, s.payout, s.leg_policy) for s in sets] == [
        (name, SetKind.BINARY, MICRO, LegPolicy.TOGETHER) for name in ("m1", "m2", "m3")
    ]


def test_the_proved_payout_is_taken_where_none_is_stated() -> None:
    (complete_set,) = read(a_set("no_basket", "m1/no m2/no m3/no")).complete_sets()

    assert complete_set.payout == 2 * MICRO


def test_integers_for_the_program_are_exact() -> None:
    config = read(SMALLEST + "strategy: {min_edge: 0.012345, min_depth: 1.5}\nexecution: {order_size: 2.5}\n")

    assert config.strategy.min_edge_micros == 12_345
    assert config.strategy.min_depth_micros == 1_500_000
    assert config.execution.order_size_micros == config.execution.max_order_size_micros == 2_500_000
    assert config.execution.order_timeout_ns == 3_000_000_000
    assert config.risk.kill_switch_conditions.partials.window_ns == 3_600 * 10**9
    assert usd(Decimal("-0.000001")) == -1
    assert shares(Decimal(1)) == MICRO


def test_the_stored_text_gives_the_same_configuration_back() -> None:
    for text in (SMALLEST, LIVE, a_set("no_basket", "m1/no m2/no", "payout: 0.99")):
        config = read(text)

        again = Config.model_validate_json(canonical_json(config))

        assert again == config
        assert canonical_json(again) == canonical_json(config)
        assert config_hash(again) == config_hash(config)


def test_equal_values_written_differently_have_one_hash_and_any_change_another() -> None:
    plain = config_hash(read(SMALLEST))

    assert config_hash(read(SMALLEST + "strategy:\n  min_edge: .005000\n")) == plain
    assert config_hash(read(SMALLEST + "strategy:\n  min_edge: 0.005001\n")) != plain
    assert config_hash(read(SMALLEST.replace("m3", "m4"))) != plain
    assert len(plain) == 64


def test_a_configuration_cannot_be_changed() -> None:
    config = read(SMALLEST)

    with pytest.raises(ValidationError, match="frozen"):
        config.strategy.min_edge = Decimal(1)  # type: ignore[misc]


def test_code_passes_the_same_rules_as_the_file() -> None:
    with pytest.raises(ValidationError, match="must name at least one market"):
        Config(venue="simulated")


def test_the_defaults_give_no_cause_for_caution() -> None:
    assert list(cautions(read(SMALLEST))) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("strategy: {min_depth: 9}", "min_depth"),
        ("execution: {max_order_size: 20}", "max_order_size"),
        ("strategy: {cost_buffer: 0}", "cost_buffer"),
        ("runtime: {heartbeat_seconds: 7}", "10 s"),
        ("execution: {confirm_gap_with_snapshot: false}", "faults of the data"),
        ("risk: {halt_on_partial_fill: false}", "half-filled"),
    ],
)
def test_what_is_allowed_and_probably_not_meant_is_said(text: str, word: str) -> None:
    (caution,) = cautions(read(SMALLEST + text))

    assert word in caution


def test_replaced_addresses_are_said_in_live_mode() -> None:
    addresses = "venues: {simulated: {rest_url: 'http://127.0.0.1:1', ws_url: 'ws://127.0.0.1:1'}}\n"

    assert any("addresses" in caution for caution in cautions(read(LIVE + addresses)))
    assert not list(cautions(read(SMALLEST + addresses)))
