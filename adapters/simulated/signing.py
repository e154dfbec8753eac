"""API keys of the simulated exchange: an HMAC over time, method, path and body, made here and verified here."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Protocol

KEY_HEADER: Final = "SIM-KEY"
TIME_HEADER: Final = "SIM-TIMESTAMP"
SIGNATURE_HEADER: Final = "SIM-SIGNATURE"

WINDOW_MS: Final = 30_000
"""How far a request's time may lie from the exchange's clock."""


class Headers(Protocol):
    """A request's headers; names are looked up without regard to case."""

    def get(self, name: str, failobj: str, /) -> str: ...


def signature(secret: str, timestamp_ms: int, method: str, path: str, body: bytes) -> str:
    """HMAC-SHA256 in hex over `timestamp method path` and the body; `path` includes the query."""
    message = f"{timestamp_ms}{method}{path}".encode() + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed_headers(
    api_key: str, secret: str, timestamp_ms: int, method: str, path: str, body: bytes = b""
) -> dict[str, str]:
    return {
        KEY_HEADER: api_key,
        TIME_HEADER: str(timestamp_ms),
        SIGNATURE_HEADER: signature(secret, timestamp_ms, method, path, body),
    }


def refusal(headers: Headers, secret: str, now_ms: int, method: str, path: str, body: bytes) -> str | None:
    """Why the request's signature is not good, None where it is. `secret` belongs to the request's key."""
    time_text = headers.get(TIME_HEADER, "")
    if not (time_text.isascii() and time_text.isdigit() and len(time_text) < 16):
        return "missing_timestamp"
    timestamp_ms = int(time_text)
    if abs(timestamp_ms - now_ms) > WINDOW_MS:
        return "stale_timestamp"
    expected = signature(secret, timestamp_ms, method, path, body)
    if not hmac.compare_digest(expected.encode(), headers.get(SIGNATURE_HEADER, "").encode()):
        return "bad_signature"
    return None
