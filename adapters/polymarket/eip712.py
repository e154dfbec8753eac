"""Typed data of EIP-712 by hand, and the one signature scheme that the venue uses: secp256k1 over keccak-256.

No web3 and no venue SDK: what is signed here is money, and forty lines can be read. Everything is checked against
published vectors (tests/adapters/polymarket). An address is text, `0x` and 40 hex digits, in checksum case where we
make it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak

WORD: Final = 32
ZERO_WORD: Final = bytes(WORD)
_UINT_LIMIT: Final = 1 << 256

Value = int | bytes | str
"""A number, a word of 32 bytes (a hash, bytes32), or an address."""


class KeyFormatError(ValueError):
    """Not a private key. The text never contains what was given."""


class SignatureError(ValueError):
    """A signature that no key can have made."""


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


@lru_cache(maxsize=256)
def text_hash(text: str) -> bytes:
    """Hash of a `string` or of a type's description."""
    return keccak256(text.encode())


def word(value: Value) -> bytes:
    """One field, encoded to 32 bytes. Raises `ValueError` for what does not fit."""
    if isinstance(value, int):
        if not 0 <= value < _UINT_LIMIT:
            raise ValueError("a number outside of uint256")
        return value.to_bytes(WORD, "big")
    if isinstance(value, str):
        return address_word(value)
    if len(value) != WORD:
        raise ValueError("not a word of 32 bytes")
    return value


@lru_cache(maxsize=256)
def address_word(address: str) -> bytes:
    digits = address.removeprefix("0x")
    if len(digits) != 40 or digits == address:
        raise ValueError("not an address: 0x and 40 hex digits")
    return bytes(12) + bytes.fromhex(digits)


def struct_hash(type_text: str, values: Sequence[Value]) -> bytes:
    """`values` in the order of the type's fields; strings and structs are given as their hashes."""
    return keccak256(text_hash(type_text) + b"".join([word(value) for value in values]))


def typed_digest(separator: bytes, struct: bytes) -> bytes:
    """What is signed: a struct under a domain."""
    return keccak256(b"\x19\x01" + separator + struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Whom a signature is meant for. Without a contract for the venue's own log-in."""

    name: str
    version: str
    chain_id: int
    contract: str | None = None
    separator: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fields = "string name,string version,uint256 chainId"
        values: list[Value] = [text_hash(self.name), text_hash(self.version), self.chain_id]
        if self.contract is not None:
            fields += ",address verifyingContract"
            values.append(self.contract)
        object.__setattr__(self, "separator", struct_hash(f"EIP712Domain({fields})", values))


class SigningKey:
    """A private key that signs and never shows itself."""

    __slots__ = ("_key", "address")

    def __init__(self, text: str) -> None:
        """`text` is 64 hex digits, `0x` before them or not. Raises `KeyFormatError`."""
        digits = text.strip().removeprefix("0x")
        try:
            if len(digits) != 64:
                raise ValueError
            self._key = PrivateKey(bytes.fromhex(digits))
        except ValueError:
            raise KeyFormatError("a private key is 64 hex digits (0x may stand before them), not zero") from None
        self.address = address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"SigningKey({self.address})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not copied out of its process")

    def sign(self, digest: bytes) -> bytes:
        """r, s and v (27 or 28): 65 bytes. Deterministic (RFC 6979), so the same digest gives the same bytes."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))


def recover(digest: bytes, signature: bytes) -> str:
    """The address of the key that signed. Raises `SignatureError`."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise SignatureError("a signature is 65 bytes and ends in 27 or 28")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes((signature[64] - 27,)), digest, hasher=None)
    except Exception as error:  # coincurve raises bare Exceptions for points that are not on the curve
        raise SignatureError("no key can have made this signature") from error
    return address_of(key)


def address_of(key: PublicKey) -> str:
    """In checksum case."""
    return checksummed(keccak256(key.format(compressed=False)[1:])[12:])


def checksummed(address: bytes) -> str:
    """20 bytes as text in the mixed case of EIP-55."""
    digits = address.hex()
    cases = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(case, 16) >= 8 else digit for digit, case in zip(digits, cases, strict=False)
    )


def is_address(text: str) -> bool:
    """Well-formed; in mixed case also rightly checksummed."""
    digits = text.removeprefix("0x")
    if len(digits) != 40 or digits == text or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        return False
    return digits in (digits.lower(), digits.upper()) or checksummed(bytes.fromhex(digits)) == text
