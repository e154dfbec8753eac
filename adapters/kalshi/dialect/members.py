"""Who may call: members with their keys, the check of a signature on exact bytes, and how much anybody may ask."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.kalshi.dialect.replies import Problem
from adapters.kalshi.fees import Precision
from adapters.kalshi.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER, PublicKey, message, verified
from adapters.simulated.signing import Headers
from models.clock import SECOND

WINDOW_MS: Final = 10_000
"""Times that are further off are refused; the venue's own limit lies between 10 and 30 s (kalshi.md 3)."""

MISSING: Final = Problem(401, "signature_is_missing_from_headers")
UNKNOWN_KEY: Final = Problem(401, "authentication_error", details="NOT_FOUND")
BAD_SIGNATURE: Final = Problem(401, "authentication_error", details="INCORRECT_API_KEY_SIGNATURE")
STALE: Final = Problem(401, "header_timestamp_expired")
NO_SCOPE: Final = Problem(403, "forbidden", details="insufficient permissions", flat=True)
TOO_MANY: Final = Problem(429, "", bare="too many requests")


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


@dataclass(slots=True, eq=False)
class Member:
    """One trader. Its money lies in one account of the engine per shard."""

    name: str
    key_id: str
    public_key: PublicKey = field(repr=False)
    private_pem: bytes | None = field(repr=False, default=None)
    may_trade: bool = True
    precision: Precision = Precision.DIRECT
    collateral_return: bool = False
    tier: Tier = PREMIER
    _buckets: dict[str, Bucket] = field(default_factory=dict, repr=False)

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
    key = Ed25519PrivateKey.from_private_bytes(entropy(32))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Member(name, str(uuid.UUID(bytes=entropy(16), version=4)), key.public_key(), pem)


def write_key(member: Member, directory: Path) -> Path:
    """Put a member's key where only this user can read it; it is worth nothing anywhere else."""
    assert member.private_pem is not None, "made here"
    path = directory / f"{member.name}.pem"
    path.touch(mode=0o600)
    path.write_bytes(member.private_pem)
    return path


class Members:
    def __init__(self, members: list[Member]) -> None:
        self.all = members
        self._by_key = {member.key_id: member for member in members}
        self.by_name = {member.name: member for member in members}

    def signed(self, headers: Headers, method: str, target: str, now_ms: int) -> Member | Problem:
        """Who signed a request, or why nobody did. `target` may have a query, which is not signed."""
        key_id, at, signature = (headers.get(name, "") for name in (KEY_HEADER, TIME_HEADER, SIGNATURE_HEADER))
        if not (key_id and at and signature):
            return MISSING
        member = self._by_key.get(key_id)
        if member is None:
            return UNKNOWN_KEY
        if not (at.isascii() and at.isdigit() and len(at) < 16) or abs(int(at) - now_ms) > WINDOW_MS:
            return STALE
        if not verified(member.public_key, message(int(at), method, target), signature):
            return BAD_SIGNATURE
        return member
