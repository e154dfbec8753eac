"""The first schema: append-only STRICT tables of integers and texts, and views that show the present state.

Frozen. `seq` counts rows over all chained tables from 1 without a hole; `hash` chains them (adapters/ledger/chain.py).
Child tables (`opportunity_legs`, `set_minute_costs`) are covered by the hash of their parent row. Times `*_at` and `at`
are wall-clock nanoseconds since 1970 UTC, `*_boot_ns` count since boot, `*_ms` are the exchange's milliseconds. Money
is micro-dollars, sizes are micro-shares.
"""

from __future__ import annotations

from typing import Any

CHAIN = "seq INTEGER PRIMARY KEY CHECK (seq > 0), hash BLOB NOT NULL CHECK (length(hash) = 32)"

TOP = """
    version INTEGER NOT NULL, generation INTEGER NOT NULL, book_seq INTEGER, not_ready TEXT,
    yes_bid INTEGER, yes_bid_size INTEGER NOT NULL, yes_ask INTEGER, yes_ask_size INTEGER NOT NULL,
    no_bid INTEGER, no_bid_size INTEGER NOT NULL, no_ask INTEGER, no_ask_size INTEGER NOT NULL,
    yes_as_of_ms INTEGER, no_as_of_ms INTEGER, received_boot_ns INTEGER NOT NULL, evidence_boot_ns INTEGER NOT NULL,
    lag_ms INTEGER, intact INTEGER NOT NULL CHECK (intact IN (0, 1)), confirmed INTEGER NOT NULL CHECK (confirmed IN (0,
    1))
"""

TABLES = (
    f"""CREATE TABLE configs ({CHAIN},
        config_hash TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, code_version TEXT NOT NULL,
        effective TEXT NOT NULL, terms TEXT NOT NULL
    ) STRICT""",
    f"""CREATE TABLE run_starts ({CHAIN},
        run_id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, mode TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
        venue TEXT NOT NULL, account TEXT, config_hash TEXT NOT NULL REFERENCES configs (config_hash)
    ) STRICT""",
    f"""CREATE TABLE run_stops ({CHAIN},
        run_id TEXT NOT NULL REFERENCES run_starts (run_id), at INTEGER NOT NULL, why TEXT NOT NULL,
        left_open INTEGER NOT NULL CHECK (left_open >= 0)
    ) STRICT""",
    f"""CREATE TABLE opportunities ({CHAIN},
        at INTEGER NOT NULL, decision TEXT NOT NULL CHECK (decision IN ('traded', 'skipped')), reason TEXT,
        verdict TEXT NOT NULL, sum_cost INTEGER NOT NULL CHECK (sum_cost > 0), edge INTEGER NOT NULL,
        net_edge INTEGER NOT NULL, fees INTEGER NOT NULL CHECK (fees >= 0), size INTEGER NOT NULL CHECK (size >= 0),
        opportunity_id TEXT NOT NULL UNIQUE, set_id TEXT NOT NULL, market_id TEXT, episode_id TEXT NOT NULL,
        yes_ask INTEGER CHECK (yes_ask BETWEEN 1 AND 999999), no_ask INTEGER CHECK (no_ask BETWEEN 1 AND 999999),
        yes_size INTEGER, no_size INTEGER, cost_buffer INTEGER NOT NULL,
        config_hash TEXT NOT NULL REFERENCES configs (config_hash), attempt_id TEXT, also TEXT NOT NULL,
        frame_boot_ns INTEGER NOT NULL, surroundings TEXT NOT NULL, detail TEXT, risk_inputs TEXT,
        CHECK ((decision = 'traded') = (reason IS NULL)), CHECK ((decision = 'traded') = (attempt_id IS NOT NULL))
    ) STRICT""",
    f"""CREATE TABLE opportunity_legs (
        opportunity INTEGER NOT NULL REFERENCES opportunities (seq), leg INTEGER NOT NULL CHECK (leg >= 0),
        market_id TEXT NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN ('YES', 'NO')), {TOP},
        yes_asks TEXT, no_asks TEXT,
        PRIMARY KEY (opportunity, leg)
    ) WITHOUT ROWID, STRICT""",
    f"""CREATE TABLE episodes ({CHAIN},
        episode_id TEXT NOT NULL UNIQUE, set_id TEXT NOT NULL, began_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
        best_edge INTEGER NOT NULL, rows INTEGER NOT NULL CHECK (rows > 0), verdict TEXT NOT NULL
    ) STRICT""",
    f"""CREATE TABLE set_minutes ({CHAIN},
        set_id TEXT NOT NULL, minute INTEGER NOT NULL, updates INTEGER NOT NULL CHECK (updates >= 0),
        evaluations INTEGER NOT NULL CHECK (evaluations >= 0)
    ) STRICT""",
    """CREATE TABLE set_minute_costs (
        set_minute INTEGER NOT NULL REFERENCES set_minutes (seq), cents INTEGER NOT NULL CHECK (cents >= 0),
        evaluations INTEGER NOT NULL CHECK (evaluations > 0),
        PRIMARY KEY (set_minute, cents)
    ) WITHOUT ROWID, STRICT""",
    f"""CREATE TABLE market_ticks ({CHAIN}, at INTEGER NOT NULL, market_id TEXT NOT NULL, {TOP}) STRICT""",
    f"""CREATE TABLE attempts ({CHAIN},
        attempt_id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,
        opportunity_id TEXT REFERENCES opportunities (opportunity_id), set_id TEXT NOT NULL, market_id TEXT,
        mode TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
        size INTEGER NOT NULL CHECK (size >= 0), expected_payout INTEGER NOT NULL CHECK (expected_payout >= 0),
        leg_policy TEXT NOT NULL, policy_reason TEXT NOT NULL, reserved INTEGER NOT NULL CHECK (reserved >= 0)
    ) STRICT""",
    """CREATE TABLE attempt_legs (
        attempt INTEGER NOT NULL REFERENCES attempts (seq), leg INTEGER NOT NULL CHECK (leg >= 0),
        market_id TEXT NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN ('YES', 'NO')),
        PRIMARY KEY (attempt, leg)
    ) WITHOUT ROWID, STRICT""",
    f"""CREATE TABLE attempt_changes ({CHAIN},
        attempt_id TEXT NOT NULL REFERENCES attempts (attempt_id), at INTEGER NOT NULL, state TEXT NOT NULL,
        ending TEXT CHECK (ending IN ('success', 'partial', 'rejected', 'missed')),
        filled INTEGER NOT NULL CHECK (filled >= 0),
        fees INTEGER NOT NULL, realized_pnl INTEGER, open_position INTEGER NOT NULL CHECK (open_position IN (0, 1)),
        resolution TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE attempt_costs (
        attempt_change INTEGER NOT NULL REFERENCES attempt_changes (seq), leg INTEGER NOT NULL CHECK (leg >= 0),
        cost INTEGER NOT NULL,
        PRIMARY KEY (attempt_change, leg)
    ) WITHOUT ROWID, STRICT""",
    f"""CREATE TABLE order_intents ({CHAIN},
        client_order_id TEXT NOT NULL UNIQUE, attempt_id TEXT NOT NULL REFERENCES attempts (attempt_id),
        intent_at INTEGER NOT NULL, set_id TEXT NOT NULL, venue TEXT NOT NULL, market_id TEXT NOT NULL,
        leg INTEGER NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN ('YES', 'NO')),
        action TEXT NOT NULL CHECK (action IN ('BUY', 'SELL')), limit_price INTEGER NOT NULL CHECK (limit_price BETWEEN
        1 AND 999999), size INTEGER NOT NULL CHECK (size > 0), time_in_force TEXT NOT NULL, purpose TEXT NOT NULL,
        adopted INTEGER NOT NULL CHECK (adopted IN (0, 1))
    ) STRICT""",
    f"""CREATE TABLE order_changes ({CHAIN},
        client_order_id TEXT NOT NULL REFERENCES order_intents (client_order_id), at INTEGER NOT NULL,
        phase TEXT NOT NULL, venue_order_id TEXT, filled INTEGER NOT NULL CHECK (filled >= 0),
        sent_at INTEGER, acked_at INTEGER, refusal TEXT, by_venue INTEGER NOT NULL CHECK (by_venue IN (0, 1)),
        detail TEXT NOT NULL
    ) STRICT""",
    f"""CREATE TABLE fill_reports ({CHAIN},
        venue TEXT NOT NULL, venue_trade_id TEXT NOT NULL,
        client_order_id TEXT NOT NULL REFERENCES order_intents (client_order_id), at INTEGER NOT NULL,
        venue_order_id TEXT, size INTEGER NOT NULL CHECK (size > 0),
        price INTEGER NOT NULL CHECK (price BETWEEN 1 AND 999999), fee INTEGER,
        state TEXT NOT NULL CHECK (state IN ('provisional', 'final', 'reversed')), exchange_ms INTEGER
    ) STRICT""",
    f"""CREATE TABLE settlements ({CHAIN},
        at INTEGER NOT NULL, attempt_id TEXT REFERENCES attempts (attempt_id), set_id TEXT NOT NULL,
        market_id TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('merge', 'netting', 'resolution')),
        yes_size INTEGER NOT NULL CHECK (yes_size >= 0), no_size INTEGER NOT NULL CHECK (no_size >= 0),
        cash INTEGER NOT NULL, winner TEXT CHECK (winner IN ('YES', 'NO'))
    ) STRICT""",
    f"""CREATE TABLE paper_fills ({CHAIN},
        attempt_id TEXT NOT NULL REFERENCES attempts (attempt_id), at INTEGER NOT NULL,
        model TEXT NOT NULL CHECK (model IN ('optimistic', 'shifted', 'pessimistic')),
        filled INTEGER NOT NULL CHECK (filled >= 0), cost INTEGER NOT NULL, fees INTEGER NOT NULL, net_pnl INTEGER,
        note TEXT NOT NULL,
        UNIQUE (attempt_id, model)
    ) STRICT""",
    f"""CREATE TABLE events ({CHAIN},
        at INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, market_id TEXT, set_id TEXT, attempt_id TEXT,
        duration_ns INTEGER CHECK (duration_ns >= 0), facts TEXT NOT NULL
    ) STRICT""",
)

INDEXES = (
    # Answers every count of the report without touching the wide rows.
    "CREATE INDEX opportunity_counts ON opportunities (set_id, decision, reason, verdict, at, edge)",
    "CREATE INDEX opportunity_episode ON opportunities (episode_id)",
    "CREATE INDEX opportunity_attempt ON opportunities (attempt_id) WHERE attempt_id IS NOT NULL",
    "CREATE INDEX opportunity_at ON opportunities (at)",
    "CREATE INDEX set_minute_minute ON set_minutes (minute)",
    "CREATE INDEX attempt_opportunity ON attempts (opportunity_id)",
    "CREATE INDEX attempt_change_attempt ON attempt_changes (attempt_id, seq)",
    "CREATE INDEX order_intent_attempt ON order_intents (attempt_id)",
    "CREATE INDEX order_change_order ON order_changes (client_order_id, seq)",
    "CREATE INDEX order_change_venue ON order_changes (venue_order_id) WHERE venue_order_id IS NOT NULL",
    "CREATE INDEX fill_report_order ON fill_reports (client_order_id, venue, venue_trade_id, seq)",
    "CREATE INDEX settlement_attempt ON settlements (attempt_id)",
    "CREATE INDEX event_kind ON events (kind, at)",
    "CREATE INDEX event_attempt ON events (attempt_id) WHERE attempt_id IS NOT NULL",
)

VIEWS = (
    """CREATE VIEW runs AS
        SELECT s.run_id, s.mode, s.venue, s.account, s.config_hash, s.at AS started_at,
            e.at AS stopped_at, e.why, e.left_open
        FROM run_starts s LEFT JOIN run_stops e ON e.run_id = s.run_id""",
    """CREATE VIEW orders AS
        SELECT c.venue_order_id AS order_id, i.client_order_id, i.attempt_id, i.set_id, i.venue, i.market_id, i.leg,
            i.outcome AS side, i.action, i.limit_price AS price, i.size, i.time_in_force, i.purpose, i.adopted,
            CASE WHEN c.refusal IS NOT NULL AND c.filled = 0 THEN 'refused' ELSE coalesce(c.phase, 'sent') END AS
            status, coalesce(c.filled, 0) AS filled, c.refusal, coalesce(c.by_venue, 1) AS by_venue, i.intent_at,
            c.sent_at, c.acked_at, c.at AS changed_at, coalesce(c.detail, '') AS detail
        FROM order_intents i LEFT JOIN order_changes c
            ON c.seq = (SELECT max(seq) FROM order_changes WHERE client_order_id = i.client_order_id)""",
    """CREATE VIEW fills AS
        SELECT f.venue || ':' || f.venue_trade_id AS fill_id, c.venue_order_id AS order_id, f.client_order_id, f.venue,
            f.venue_trade_id, i.attempt_id, i.market_id, i.leg, i.outcome AS side, i.action, f.size AS filled_size,
            f.price AS avg_price, f.fee, f.state, f.exchange_ms, f.at
        FROM fill_reports f JOIN order_intents i ON i.client_order_id = f.client_order_id
            LEFT JOIN order_changes c ON c.seq = (SELECT max(seq) FROM order_changes WHERE client_order_id =
            i.client_order_id)
        WHERE f.seq = (SELECT max(seq) FROM fill_reports g WHERE g.client_order_id = f.client_order_id
            AND g.venue = f.venue AND g.venue_trade_id = f.venue_trade_id)""",
    """CREATE VIEW attempt_now AS
        SELECT a.*, c.seq AS change_seq, c.at AS changed_at, coalesce(c.state, 'SIGNAL_DETECTED') AS state, c.ending,
            coalesce(c.filled, 0) AS filled, c.fees, c.realized_pnl, coalesce(c.open_position, 0) AS open_position
        FROM attempts a LEFT JOIN attempt_changes c
            ON c.seq = (SELECT max(seq) FROM attempt_changes WHERE attempt_id = a.attempt_id)""",
    # Costs are rounded against us per execution, as models/money.py does.
    """CREATE VIEW attempt_flows AS
        SELECT attempt_id, leg,
            sum(CASE action WHEN 'BUY' THEN (filled_size * avg_price + 999999) / 1000000
                ELSE -(filled_size * avg_price / 1000000) END) AS cost,
            sum(fee) AS fees, sum(fee IS NULL) AS fees_unknown
        FROM fills WHERE state <> 'reversed' GROUP BY attempt_id, leg""",
    """CREATE VIEW tradesets AS
        SELECT a.attempt_id AS tradeset_id, a.opportunity_id, a.set_id, a.market_id, a.mode,
            (SELECT group_concat(l.outcome || ' ' || l.market_id, ' + ') FROM attempt_legs l WHERE l.attempt = a.seq)
                AS legs,
            a.leg_policy, a.size, coalesce(c.state, 'SIGNAL_DETECTED') AS state, c.ending,
            coalesce(c.filled, 0) AS filled,
            CASE WHEN a.market_id IS NOT NULL THEN (
                SELECT k.cost FROM attempt_costs k JOIN attempt_legs l ON l.attempt = a.seq AND l.leg = k.leg
                WHERE k.attempt_change = c.seq AND l.outcome = 'YES') END AS yes_cost,
            CASE WHEN a.market_id IS NOT NULL THEN (
                SELECT k.cost FROM attempt_costs k JOIN attempt_legs l ON l.attempt = a.seq AND l.leg = k.leg
                WHERE k.attempt_change = c.seq AND l.outcome = 'NO') END AS no_cost,
            (SELECT sum(k.cost) FROM attempt_costs k WHERE k.attempt_change = c.seq) AS total_cost, c.fees,
            a.expected_payout, c.realized_pnl, coalesce(c.open_position, 0) AS open_position,
            coalesce(c.resolution, '') AS resolution, a.reserved, a.at AS opened_at, c.at AS changed_at,
            coalesce(c.detail, '') AS detail
        FROM attempts a LEFT JOIN attempt_changes c
            ON c.seq = (SELECT max(seq) FROM attempt_changes WHERE attempt_id = a.attempt_id)""",
)


def up(migrator: object, db: Any) -> None:  # noqa: ARG001  the signature is playhouse.migrations'
    for statement in (*TABLES, *INDEXES, *VIEWS):
        db.execute_sql(statement)
    db.execute_sql("PRAGMA user_version = 1")
