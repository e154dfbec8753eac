"""Signed requests: the key's file, the message, the three headers (kalshi.md 3, read 2026-11-22).

The message is `timestamp + METHOD + path`, the path from the root and without its query. RSA keys sign with PSS
(SHA-256, salt of 32 bytes), Ed25519 keys as they are; which one it is, the file says. The key never leaves this
module's objects.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

KEY_HEADER: Final = "KALSHI-ACCESS-KEY"
TIME_HEADER: Final = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER: Final = "KALSHI-ACCESS-SIGNATURE"

TRADES: Final = frozenset(("write", "write::trade"))
"""Scopes of a key, one of which is enough to trade."""

KEY_FILE_MAX: Final = 16 * 1024
RSA_BITS_MIN: Final = 2048

_SHA256: Final = SHA256()
_PSS: Final = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=32)

PrivateKey = RSAPrivateKey | Ed25519PrivateKey
PublicKey = RSAPublicKey | Ed25519PublicKey


class KeyFileError(ValueError):
    """The private key cannot be used. The text names the file's trouble, never its content."""


class RequestSigner:
    """Signs requests of one API key. Any thread."""

    def __init__(self, key_id: str, key: PrivateKey) -> None:
        self._key_id = key_id
        self._key = key

    def __repr__(self) -> str:
        return "RequestSigner(<key>)"

    def headers(self, timestamp_ms: int, method: str, path: str) -> dict[str, str]:
        """`path` as in the request line; a query is left out of what is signed."""
        return {
            KEY_HEADER: self._key_id,
            TIME_HEADER: str(timestamp_ms),
            SIGNATURE_HEADER: signature(self._key, message(timestamp_ms, method, path)),
        }

    def headers_for(self, timestamp_ms: int, method: str, url: str) -> dict[str, str]:
        return self.headers(timestamp_ms, method, urlsplit(url).path)


def message(timestamp_ms: int, method: str, path: str) -> bytes:
    return f"{timestamp_ms}{method.upper()}{path.partition('?')[0]}".encode()


def signature(key: PrivateKey, signed: bytes) -> str:
    """Base64 with padding. Ed25519 gives the same text for the same message, RSA-PSS never does."""
    raw = key.sign(signed) if isinstance(key, Ed25519PrivateKey) else key.sign(signed, _PSS, _SHA256)
    return base64.b64encode(raw).decode()


def verified(key: PublicKey, signed: bytes, signature_text: str) -> bool:
    try:
        raw = base64.b64decode(signature_text, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, signed)
        else:
            key.verify(raw, signed, _PSS, _SHA256)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def load_key(path: Path) -> PrivateKey:
    """The private key in a PEM file that only this user can read. Raises `KeyFileError`."""
    return parse_key(_private_bytes(path))


def parse_key(pem: bytes) -> PrivateKey:
    """Raises `KeyFileError`."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError("is no private key in PEM form, or is encrypted") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise KeyFileError("is neither an RSA nor an Ed25519 key")
    if key.key_size < RSA_BITS_MIN:
        raise KeyFileError(f"is an RSA key of {key.key_size} bits; {RSA_BITS_MIN} are needed")
    return key


def _private_bytes(path: Path) -> bytes:
    """The checks are on the opened file, so nobody can swap it in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(f"cannot be opened: {error.strerror}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise KeyFileError("is not a plain file")
        if facts.st_mode & 0o077:
            raise KeyFileError(f"can be read by others (mode {stat.S_IMODE(facts.st_mode):04o}); chmod 600")
        if facts.st_uid not in {os.geteuid(), 0}:
            raise KeyFileError("belongs to another user")
        content = os.read(descriptor, KEY_FILE_MAX + 1)
    except OSError as error:
        raise KeyFileError(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(content) > KEY_FILE_MAX:
        raise KeyFileError("is too large for a key")
    return content
