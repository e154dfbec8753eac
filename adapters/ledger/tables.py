"""The ledger's tables and views as peewee models.

The schema itself is made by `migrations/` (explicit SQL: STRICT, CHECKs, views). These models are for queries, and the
order of their fields is the order of the values that the writer binds and the chain hashes. A test compares models and
schema, so they cannot drift apart.
"""

from __future__ import annotations

from typing import Final

from peewee import BlobField, CompositeKey, IntegerField, Model, TextField

SCHEMA_VERSION: Final = 1
"""`PRAGMA user_version` after the last migration."""

SCHEMA_FINGERPRINT: Final = "f254e6b3c74b3d42"
"""`connection.fingerprint` of a ledger with all migrations applied."""


class Chained(Model):
    """A row of the chain: `seq` is unique over all chained tables and has no holes."""

    seq = IntegerField(primary_key=True)
    hash = BlobField()


class Top(Model):
    """The columns of one `TopOfBook`, in the order of its fields; market and ladders stand apart."""

    version = IntegerField()
    generation = IntegerField()
    book_seq = IntegerField(null=True)
    not_ready = TextField(null=True)
    yes_bid = IntegerField(null=True)
    yes_bid_size = IntegerField()
    yes_ask = IntegerField(null=True)
    yes_ask_size = IntegerField()
    no_bid = IntegerField(null=True)
    no_bid_size = IntegerField()
    no_ask = IntegerField(null=True)
    no_ask_size = IntegerField()
    yes_as_of_ms = IntegerField(null=True)
    no_as_of_ms = IntegerField(null=True)
    received_boot_ns = IntegerField()
    evidence_boot_ns = IntegerField()
    lag_ms = IntegerField(null=True)
    intact = IntegerField()
    confirmed = IntegerField()


class ConfigTable(Chained):
    config_hash = TextField(unique=True)
    at = IntegerField()
    code_version = TextField()
    effective = TextField()
    terms = TextField()

    class Meta:
        table_name = "configs"


class RunStartTable(Chained):
    run_id = TextField(unique=True)
    at = IntegerField()
    mode = TextField()
    venue = TextField()
    account = TextField(null=True)
    config_hash = TextField()

    class Meta:
        table_name = "run_starts"


class RunStopTable(Chained):
    run_id = TextField()
    at = IntegerField()
    why = TextField()
    left_open = IntegerField()

    class Meta:
        table_name = "run_stops"


class OpportunityTable(Chained):
    at = IntegerField()
    decision = TextField()
    reason = TextField(null=True)
    verdict = TextField()
    sum_cost = IntegerField()
    edge = IntegerField()
    net_edge = IntegerField()
    fees = IntegerField()
    size = IntegerField()
    opportunity_id = TextField(unique=True)
    set_id = TextField()
    market_id = TextField(null=True)
    episode_id = TextField()
    yes_ask = IntegerField(null=True)
    no_ask = IntegerField(null=True)
    yes_size = IntegerField(null=True)
    no_size = IntegerField(null=True)
    cost_buffer = IntegerField()
    config_hash = TextField()
    attempt_id = TextField(null=True)
    also = TextField()
    frame_boot_ns = IntegerField()
    surroundings = TextField()
    detail = TextField(null=True)
    risk_inputs = TextField(null=True)

    class Meta:
        table_name = "opportunities"


class OpportunityLegTable(Top):
    """What one leg of an opportunity was decided from. Covered by the hash of its opportunity."""

    opportunity = IntegerField()
    leg = IntegerField()
    market_id = TextField()
    outcome = TextField()
    yes_asks = TextField(null=True)
    no_asks = TextField(null=True)

    class Meta:
        table_name = "opportunity_legs"
        primary_key = CompositeKey("opportunity", "leg")


class EpisodeTable(Chained):
    episode_id = TextField(unique=True)
    set_id = TextField()
    began_at = IntegerField()
    ended_at = IntegerField()
    best_edge = IntegerField()
    rows = IntegerField()
    verdict = TextField()

    class Meta:
        table_name = "episodes"


class SetMinuteTable(Chained):
    set_id = TextField()
    minute = IntegerField()
    updates = IntegerField()
    evaluations = IntegerField()

    class Meta:
        table_name = "set_minutes"


class SetMinuteCostTable(Model):
    """One bar of a minute's `sum_cost` histogram. Covered by the hash of its minute."""

    set_minute = IntegerField()
    cents = IntegerField()
    evaluations = IntegerField()

    class Meta:
        table_name = "set_minute_costs"
        primary_key = CompositeKey("set_minute", "cents")


class MarketTickTable(Chained, Top):
    at = IntegerField()
    market_id = TextField()

    class Meta:
        table_name = "market_ticks"


class AttemptTable(Chained):
    attempt_id = TextField(unique=True)
    at = IntegerField()
    opportunity_id = TextField(null=True)
    set_id = TextField()
    market_id = TextField(null=True)
    mode = TextField()
    size = IntegerField()
    expected_payout = IntegerField()
    leg_policy = TextField()
    policy_reason = TextField()
    reserved = IntegerField()

    class Meta:
        table_name = "attempts"


class AttemptLegTable(Model):
    """One leg of an attempt. Covered by the hash of its attempt."""

    attempt = IntegerField()
    leg = IntegerField()
    market_id = TextField()
    outcome = TextField()

    class Meta:
        table_name = "attempt_legs"
        primary_key = CompositeKey("attempt", "leg")


class AttemptChangeTable(Chained):
    attempt_id = TextField()
    at = IntegerField()
    state = TextField()
    ending = TextField(null=True)
    filled = IntegerField()
    fees = IntegerField()
    realized_pnl = IntegerField(null=True)
    open_position = IntegerField()
    resolution = TextField()
    detail = TextField()

    class Meta:
        table_name = "attempt_changes"


class AttemptCostTable(Model):
    """What one leg has cost so far, as of one change. Covered by the hash of the change."""

    attempt_change = IntegerField()
    leg = IntegerField()
    cost = IntegerField()

    class Meta:
        table_name = "attempt_costs"
        primary_key = CompositeKey("attempt_change", "leg")


class OrderIntentTable(Chained):
    client_order_id = TextField(unique=True)
    attempt_id = TextField()
    intent_at = IntegerField()
    set_id = TextField()
    venue = TextField()
    market_id = TextField()
    leg = IntegerField()
    outcome = TextField()
    action = TextField()
    limit_price = IntegerField()
    size = IntegerField()
    time_in_force = TextField()
    purpose = TextField()
    adopted = IntegerField()

    class Meta:
        table_name = "order_intents"


class OrderChangeTable(Chained):
    client_order_id = TextField()
    at = IntegerField()
    phase = TextField()
    venue_order_id = TextField(null=True)
    filled = IntegerField()
    sent_at = IntegerField(null=True)
    acked_at = IntegerField(null=True)
    refusal = TextField(null=True)
    by_venue = IntegerField()
    detail = TextField()

    class Meta:
        table_name = "order_changes"


class FillReportTable(Chained):
    venue = TextField()
    venue_trade_id = TextField()
    client_order_id = TextField()
    at = IntegerField()
    venue_order_id = TextField(null=True)
    size = IntegerField()
    price = IntegerField()
    fee = IntegerField(null=True)
    state = TextField()
    exchange_ms = IntegerField(null=True)

    class Meta:
        table_name = "fill_reports"


class SettlementTable(Chained):
    at = IntegerField()
    attempt_id = TextField(null=True)
    set_id = TextField()
    market_id = TextField()
    kind = TextField()
    yes_size = IntegerField()
    no_size = IntegerField()
    cash = IntegerField()
    winner = TextField(null=True)

    class Meta:
        table_name = "settlements"


class PaperFillTable(Chained):
    attempt_id = TextField()
    at = IntegerField()
    model = TextField()
    filled = IntegerField()
    cost = IntegerField()
    fees = IntegerField()
    net_pnl = IntegerField(null=True)
    note = TextField()

    class Meta:
        table_name = "paper_fills"


class EventTable(Chained):
    at = IntegerField()
    kind = TextField()
    text = TextField()
    market_id = TextField(null=True)
    set_id = TextField(null=True)
    attempt_id = TextField(null=True)
    duration_ns = IntegerField(null=True)
    facts = TextField()

    class Meta:
        table_name = "events"


CHAINED: Final[tuple[type[Chained], ...]] = (
    ConfigTable,
    RunStartTable,
    RunStopTable,
    OpportunityTable,
    EpisodeTable,
    SetMinuteTable,
    MarketTickTable,
    AttemptTable,
    AttemptChangeTable,
    OrderIntentTable,
    OrderChangeTable,
    FillReportTable,
    SettlementTable,
    PaperFillTable,
    EventTable,
)
"""Parents before children: rows of one transaction are inserted table by table in this order."""

CHILDREN: Final[dict[type[Chained], type[Model]]] = {
    OpportunityTable: OpportunityLegTable,
    SetMinuteTable: SetMinuteCostTable,
    AttemptTable: AttemptLegTable,
    AttemptChangeTable: AttemptCostTable,
}
"""Tables whose rows belong to one parent row and are covered by its hash. Their first key column is the parent's
`seq`.
"""


def name_of(table: type[Model]) -> str:
    return str(table._meta.table_name)  # noqa: SLF001  peewee's documented way


def columns_of(table: type[Model]) -> tuple[str, ...]:
    """Column names in the order in which values are bound: for chained tables `seq` and `hash` come first."""
    return tuple(field.column_name for field in table._meta.sorted_fields)  # noqa: SLF001


def parent_column(child: type[Model]) -> str:
    """The column of a child table that holds its parent's `seq`."""
    return str(child._meta.primary_key.field_names[0])  # type: ignore[union-attr]  # noqa: SLF001


def order_column(child: type[Model]) -> str:
    """The column that tells the rows of one parent apart, and orders them."""
    return str(child._meta.primary_key.field_names[1])  # type: ignore[union-attr]  # noqa: SLF001
