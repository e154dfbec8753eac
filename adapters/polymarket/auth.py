"""Who is calling: L1, a signature of the wallet's key, for making API keys; L2, an HMAC, on every private call.

Source: polymarket.md 6 (venue page "Authentication", read 2026-11-22). `path` has no query; `body` is the very bytes
that are sent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from adapters.polymarket.eip712 import Domain, SigningKey, struct_hash, text_hash, typed_digest
from adapters.polymarket.signing import CHAIN_ID

ADDRESS: Final = "POLY_ADDRESS"
SIGNATURE: Final = "POLY_SIGNATURE"
TIMESTAMP: Final = "POLY_TIMESTAMP"
NONCE: Final = "POLY_NONCE"
API_KEY: Final = "POLY_API_KEY"
PASSPHRASE: Final = "POLY_PASSPHRASE"  # noqa: S105  the name of a header

L1_TYPE: Final = "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
L1_MESSAGE: Final = "This message attests that I control the given wallet"


class SecretFormatError(ValueError):
    """The API secret is not base64. The text never contains it."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The triple that the venue gave out. Printing it shows none of it."""

    key: str = field(repr=False)
    secret: bytes = field(repr=False)
    passphrase: str = field(repr=False)
    secret_text: str = field(repr=False)
    """As the venue wrote it, for the one message that carries it (the user stream's first)."""


def api_key(key: str, secret: str, passphrase: str) -> ApiKey:
    """Raises `SecretFormatError`."""
    return ApiKey(key, decoded_secret(secret), passphrase, secret)


def decoded_secret(secret: str) -> bytes:
    """URL-safe base64, its padding there or not."""
    padded = secret.strip().rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SecretFormatError("an API secret is URL-safe base64") from None


def l2_signature(secret: bytes, timestamp_s: int, method: str, path: str, body: bytes = b"") -> str:
    message = f"{timestamp_s}{method}{path}".encode() + body
    return base64.urlsafe_b64encode(hmac.digest(secret, message, hashlib.sha256)).decode()


def l2_headers(
    address: str, credentials: ApiKey, timestamp_s: int, method: str, path: str, body: bytes = b""
) -> dict[str, str]:
    """`address` is the key's own one, also where the money lies in another wallet."""
    return {
        ADDRESS: address,
        SIGNATURE: l2_signature(credentials.secret, timestamp_s, method, path, body),
        TIMESTAMP: str(timestamp_s),
        API_KEY: credentials.key,
        PASSPHRASE: credentials.passphrase,
    }


def l1_digest(address: str, timestamp_s: int, nonce: int = 0, chain_id: int = CHAIN_ID) -> bytes:
    domain = Domain(name="ClobAuthDomain", version="1", chain_id=chain_id)
    fields = (address, text_hash(str(timestamp_s)), nonce, text_hash(L1_MESSAGE))
    return typed_digest(domain.separator, struct_hash(L1_TYPE, fields))


def l1_headers(key: SigningKey, timestamp_s: int, nonce: int = 0, chain_id: int = CHAIN_ID) -> dict[str, str]:
    return {
        ADDRESS: key.address,
        SIGNATURE: "0x" + key.sign(l1_digest(key.address, timestamp_s, nonce, chain_id)).hex(),
        TIMESTAMP: str(timestamp_s),
        NONCE: str(nonce),
    }
