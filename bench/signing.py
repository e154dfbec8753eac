"""What building, signing and serialising one order costs, up to the bytes that are sent.

    python -m bench.signing polymarket|kalshi-ed25519|kalshi-rsa     prints one JSON line

The same work as a venue's published client does in `bench/client_*.py sign`: from price and size to a signed request.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from adapters.kalshi.order_wire import ORDERS_PATH, create_body
from adapters.kalshi.signing import PrivateKey, RequestSigner
from adapters.polymarket.account import Account
from adapters.polymarket.auth import api_key
from adapters.polymarket.eip712 import SigningKey
from adapters.polymarket.terms import MarketTerms
from models.clock import MS, WallNs
from models.config_machine import WalletType
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import AttemptId, ClientOrderId, OrderIntent, Purpose, TimeInForce

ROUNDS = 1_000
WARM = 100
NOW_MS = 1_795_334_400_000
KEY = 0xAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80
"""Published with the Hardhat tool; nobody funds it."""
TOKEN = 71321045679252212594626385532706912750332728571942532289631379312455583992563


def an_intent(venue: str, market: str) -> OrderIntent:
    return OrderIntent(
        client_order_id=ClientOrderId("c"),
        attempt_id=AttemptId("a-1"),
        set_id=SetId("s-1"),
        venue=VenueName(venue),
        market_id=MarketId(market),
        leg=0,
        outcome=Outcome.YES,
        action=Action.BUY,
        limit_price=PriceMicros(450_000),
        size=MicroShares(10 * MICRO),
        time_in_force=TimeInForce.IOC,
        purpose=Purpose.OPEN,
        at=WallNs(NOW_MS * MS),
    )


def polymarket() -> Callable[[OrderIntent], object]:
    account = Account(SigningKey(f"0x{KEY:064x}"), WalletType.EOA, None, api_key(str(uuid.UUID(int=1)), "AA==", "pass"))
    terms = MarketTerms(TOKEN, TOKEN + 1, neg_risk=False)
    return lambda intent: account.signed(intent, terms)


def kalshi(key: PrivateKey) -> Callable[[OrderIntent], object]:
    signer = RequestSigner(str(uuid.UUID(int=1)), key)
    path = f"/trade-api/v2{ORDERS_PATH}"
    return lambda intent: (create_body(intent, 0, None, 0), signer.headers(NOW_MS, "POST", path))


def measured(kind: str) -> list[float]:
    """Seconds of each order, sorted."""
    intent = an_intent("polymarket" if kind == "polymarket" else "kalshi", "0x" + "01" * 32)
    make = {
        "polymarket": polymarket,
        "kalshi-ed25519": lambda: kalshi(Ed25519PrivateKey.generate()),
        "kalshi-rsa": lambda: kalshi(generate_private_key(public_exponent=65_537, key_size=2_048)),
    }[kind]()
    took = []
    for number in range(ROUNDS + WARM):
        fresh = replace(intent, client_order_id=ClientOrderId(f"c-{number}"))
        began = time.perf_counter()
        make(fresh)
        took.append(time.perf_counter() - began)
    return sorted(took[WARM:])


if __name__ == "__main__":
    times = measured(sys.argv[1])
    print(json.dumps({"us": statistics.median(times) * 1e6, "p99_us": times[len(times) * 99 // 100] * 1e6}))
