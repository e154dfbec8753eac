"""The venues that `tests.live_faults` can trade on: the exchange in its own protocol, and in front of it every dialect.

A ground says how the exchange is started, with which configuration and keys a bot trades there, by which names the
venue knows the bot's orders, and which faults cannot exist on it. A further venue is one entry of `GROUNDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.kalshi.order_wire import wire_id
from adapters.ledger.unfinished import orders_named
from adapters.polymarket.account import make_account
from adapters.polymarket.terms import MarketTerms
from models.config_machine import VenueOptions, WalletType
from models.market import MarketId
from models.orders import ClientOrderId, OrderIntent
from tests.children import FAULTS_CONFIG, ROOT, VenueProcess
from tests.oracle import reading

Ready = Mapping[str, Any]


@dataclass(frozen=True)
class Ground:
    """One kind of venue to trade on."""

    name: str
    """The venue's name in the bot's configuration."""
    config: Path
    """Shipped; names the exchange at 127.0.0.1:8800."""
    secrets: Callable[[Ready], dict[str, str]]
    """What .env holds after `DUTCHBOOK_<NAME>_`, from the line that the exchange prints."""
    plan: str = "faults"
    simulate: tuple[str, ...] = ()
    """Further arguments of `run.py simulate`."""
    real: bool = True
    """The gate for real venues is in the way: a clean paper run, the typed name, and a typed `resume`."""
    order_names: Callable[[Path, VenueProcess], set[str]] = field(default=lambda ledger, _: own_names(ledger))
    """Every id under which an order of the ledger may stand in the venue's truth."""
    pays_out: bool = False
    """Sets are held to their resolution: when trading is over the markets resolve, and everything turns to cash."""
    impossible: Mapping[str, str] = field(default_factory=dict)
    """Lines of the count that cannot be on this venue, and why."""


def events_of(ready: Ready) -> list[list[str]]:
    """The venue's markets; those of one event, of which at most one comes true, together."""
    if "events" in ready:
        return [list(tickers) for tickers in ready["events"].values()]
    events: dict[str, list[str]] = {}
    for market in ready["markets"]:
        events.setdefault(market["event_id"] or market["market_id"], []).append(market["market_id"])
    return list(events.values())


def own_names(ledger: Path) -> set[str]:
    with closing(reading(ledger)) as connection:
        return {row[0] for row in connection.execute("SELECT client_order_id FROM order_intents")}


def intents(ledger: Path) -> list[OrderIntent]:
    """Everything that was ever committed."""
    with closing(reading(ledger)) as connection:
        rows = connection.execute("SELECT client_order_id FROM order_intents WHERE adopted = 0")
        own = [ClientOrderId(row[0]) for row in rows]
        return [order.intent for order in orders_named(connection, own, ())]


# -- the exchange's own protocol


def _simulated_secrets(ready: Ready) -> dict[str, str]:
    account = ready["accounts"][0]
    return {"API_KEY": account["api_key"], "API_SECRET": account["api_secret"]}


# -- Polymarket


def _polymarket_secrets(ready: Ready) -> dict[str, str]:
    account = ready["accounts"][0]
    names = ("private_key", "api_key", "api_secret", "api_passphrase")
    return {name.upper(): account[name] for name in names}


def _digests(ledger: Path, venue: VenueProcess) -> set[str]:
    """The venue knows an order by the digest of what was signed, which every intent in the ledger determines."""
    ready = venue.ready
    options = VenueOptions(
        rest_url=ready["rest_url"], ws_url=ready["ws_url"], wallet_type=WalletType(ready["accounts"][0]["wallet_type"])
    )
    account = make_account(options, _polymarket_secrets(ready))
    terms = {
        MarketId(listed["market_id"]): MarketTerms(*(int(token) for token in listed["tokens"]), listed["neg_risk"])
        for listed in ready["markets"]
    }
    return {account.order_id(intent, terms[intent.market_id]) for intent in intents(ledger)}


# -- Kalshi


def _kalshi_secrets(kind: str) -> Callable[[Ready], dict[str, str]]:
    """With the member's key of that kind: the venue takes RSA-PSS and Ed25519 signatures."""

    def secrets(ready: Ready) -> dict[str, str]:
        key = next(key for key in ready["accounts"][0]["keys"] if key["kind"] == kind)
        return {"KEY_ID": key["key_id"], "PRIVATE_KEY_PATH": key["private_key_path"]}

    return secrets


def _wire_ids(ledger: Path, _venue: VenueProcess) -> set[str]:
    """The venue repeats our own ids, in which a sale differs by one digit."""
    return {wire_id(intent) for intent in intents(ledger)}


def _kalshi(kind: str) -> Ground:
    return Ground(
        name="kalshi",
        config=ROOT / "docs" / "config.faults.kalshi.yaml",
        secrets=_kalshi_secrets(kind),
        plan="faults_kalshi",
        simulate=("--dialect", "kalshi"),
        order_names=_wire_ids,
        pays_out=True,
        impossible={
            "fills reversed by the venue": "its executions are final when they are told; nothing is settled later "
            "that could still be undone",
        },
    )


GROUNDS: Final[Mapping[str, Ground]] = {
    "simulated": Ground(name="simulated", config=FAULTS_CONFIG, secrets=_simulated_secrets, real=False),
    "polymarket": Ground(
        name="polymarket",
        config=ROOT / "docs" / "config.faults.polymarket.yaml",
        secrets=_polymarket_secrets,
        plan="faults_polymarket",
        simulate=("--dialect", "polymarket", "--markets", "18"),
        order_names=_digests,
        pays_out=True,
        impossible={
            "sequence gaps healed": "its frames carry no sequence number; a lost change shows in the next message's "
            "best prices, and the book is read anew",
        },
    ),
    "kalshi": _kalshi("ed25519"),
    "kalshi-rsa": _kalshi("rsa"),
}
