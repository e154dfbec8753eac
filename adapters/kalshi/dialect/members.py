"""Who may call: members with their keys, the check of a signature on exact bytes, and how much anybody may ask."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.kalshi.dialect.replies import Problem
from adapters.kalshi.fees import Precision
from adapters.kalshi.signing import (
    KEY_HEADER,
    RSA_BITS_MIN,
    SIGNATURE_HEADER,
    TIME_HEADER,
    TRADES,
    PrivateKey,
    PublicKey,
    message,
    verified,
)
from adapters.simulated.signing import Headers
from models.clock import SECOND

WINDOW_MS: Final = 10_000
"""Times that are further off are refused; the venue's own limit lies between 10 and 30 s (kalshi.md 3)."""

MISSING: Final = Problem(401, "signature_is_missing_from_headers")
UNKNOWN_KEY: Final = Problem(401, "authentication_error", details="NOT_FOUND")
BAD_SIGNATURE: Final = Problem(401, "authentication_error", details="INCORRECT_API_KEY_SIGNATURE")
STALE: Final = Problem(401, "header_timestamp_expired")
ALL_SCOPES: Final = frozenset(("read", "write"))
READ_ONLY: Final = frozenset(("read",))
NO_SCOPE: Final = Problem(403, "forbidden", details="insufficient permissions", flat=True)
NO_REGION: Final = Problem(403, "forbidden", details="the account has to attest its location", flat=True)


@dataclass(frozen=True, slots=True)
class Tier:
    """Tokens a second and bucket sizes (4.4)."""

    name: str
    read: int
    read_capacity: int
    write: int
    write_capacity: int


BASIC: Final = Tier("basic", 200, 600, 100, 100)
PREMIER: Final = Tier("premier", 1_200, 1_200, 1_200, 3_600)
PRESTIGE: Final = Tier("prestige", 12_000, 12_000, 9_600, 28_800)


class Bucket:
    """Tokens that come with time. Times in ns."""

    __slots__ = ("_as_of", "_capacity", "_level", "_rate")

    def __init__(self, rate: int, capacity: int, now: int) -> None:
        self._rate = rate
        self._capacity = capacity * SECOND
        self._level = self._capacity
        self._as_of = now

    def has(self, cost: int, now: int) -> bool:
        self._level = min(self._capacity, self._level + (now - self._as_of) * self._rate)
        self._as_of = now
        return self._level >= cost * SECOND

    def take(self, cost: int) -> None:
        """After `has` said yes."""
        self._level -= cost * SECOND


@dataclass(frozen=True, slots=True, eq=False)
class ApiKey:
    """One of a member's keys. The venue knows the public half only; the other one is worth nothing anywhere else."""

    key_id: str
    public_key: PublicKey = field(repr=False)
    private_pem: bytes = field(repr=False)
    scopes: frozenset[str] = ALL_SCOPES

    @property
    def kind(self) -> str:
        return "ed25519" if isinstance(self.public_key, Ed25519PublicKey) else "rsa"

    @property
    def may_trade(self) -> bool:
        return not self.scopes.isdisjoint(TRADES)


@dataclass(slots=True, eq=False)
class Member:
    """One trader. Its money lies in one account of the engine per shard."""

    name: str
    keys: list[ApiKey]
    region_expires_s: int | None = None
    """Unix time at which the attested place of the account runs out, and trading with it (3)."""
    precision: Precision = Precision.DIRECT
    collateral_return: bool = False
    tier: Tier = PREMIER
    _buckets: dict[str, Bucket] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> ApiKey:
        """The one that a bot is given."""
        return self.keys[0]

    def account(self, shard: int) -> str:
        """The engine's account for a shard."""
        return self.name if shard == 0 else f"{self.name}@{shard}"

    def may_read(self, now: int, cost: int = 10) -> bool:
        return self._spend(("read",), cost, now)

    def may_write(self, shards: tuple[int, ...], cost: int, now: int) -> bool:
        """`shards` whose buckets are billed; a batch bills the one that is nobody's in particular, which is 0's."""
        return self._spend(tuple(f"write/{shard}" for shard in shards), cost, now)

    def _spend(self, names: tuple[str, ...], cost: int, now: int) -> bool:
        buckets = [self._bucket(name, now) for name in names]
        if not all(bucket.has(cost, now) for bucket in buckets):
            return False
        for bucket in buckets:
            bucket.take(cost)
        return True

    def _bucket(self, name: str, now: int) -> Bucket:
        if name not in self._buckets:
            tier = self.tier
            rate, capacity = (tier.read, tier.read_capacity) if name == "read" else (tier.write, tier.write_capacity)
            self._buckets[name] = Bucket(rate, capacity, now)
        return self._buckets[name]


def owner_of(account: str) -> str:
    """The member's name behind an account of the engine."""
    return account.partition("@")[0]


def make_member(name: str, entropy: Callable[[int], bytes]) -> Member:
    """With a fresh Ed25519 key, as the venue's web page makes them."""
    return Member(name, [ed25519_key(entropy)])


def ed25519_key(entropy: Callable[[int], bytes], scopes: frozenset[str] = ALL_SCOPES) -> ApiKey:
    return _key(Ed25519PrivateKey.from_private_bytes(entropy(32)), entropy, scopes)


def rsa_key(entropy: Callable[[int], bytes], scopes: frozenset[str] = ALL_SCOPES) -> ApiKey:
    """The kind that accounts had before; its numbers are the library's own choice."""
    return _key(generate_private_key(public_exponent=65_537, key_size=RSA_BITS_MIN), entropy, scopes)


def _key(key: PrivateKey, entropy: Callable[[int], bytes], scopes: frozenset[str]) -> ApiKey:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ApiKey(str(uuid.UUID(bytes=entropy(16), version=4)), key.public_key(), pem, scopes)


def write_key(key: ApiKey, directory: Path) -> Path:
    """Put a key where only this user can read it."""
    path = directory / f"{key.key_id}.pem"
    path.touch(mode=0o600)
    path.write_bytes(key.private_pem)
    return path


class Members:
    def __init__(self, members: list[Member]) -> None:
        self.all = members
        self.by_name = {member.name: member for member in members}

    def signed(self, headers: Headers, method: str, target: str, now_ms: int) -> tuple[Member, ApiKey] | Problem:
        """Who signed a request with which key, or why nobody did. `target` may have a query, which is not signed."""
        key_id, at, signature = (headers.get(name, "") for name in (KEY_HEADER, TIME_HEADER, SIGNATURE_HEADER))
        if not (key_id and at and signature):
            return MISSING
        found = next(((member, key) for member in self.all for key in member.keys if key.key_id == key_id), None)
        if found is None:
            return UNKNOWN_KEY
        if not (at.isascii() and at.isdigit() and len(at) < 16) or abs(int(at) - now_ms) > WINDOW_MS:
            return STALE
        if not verified(found[1].public_key, message(int(at), method, target), signature):
            return BAD_SIGNATURE
        return found
