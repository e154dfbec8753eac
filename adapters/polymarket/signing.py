"""Orders as the venue's contracts see them: the struct, its digest (which is the order's id), its signature.

Source: polymarket.md 1.3, 8.1, 8.2 and 8.4 (read 2026-11-22). The contract and the domain's version are chosen per
market: a signature for the wrong one is refused, and an order of the first generation (domain version "1") is dead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from adapters.polymarket.eip712 import (
    WORD,
    ZERO_WORD,
    Domain,
    SignatureError,
    SigningKey,
    address_word,
    keccak256,
    recover,
    text_hash,
    typed_digest,
    word,
)
from models.config_machine import WalletType

CHAIN_ID: Final = 137
DOMAIN_NAME: Final = "Polymarket CTF Exchange"

ORDER_TYPE: Final = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_ORDER_TYPE_HASH: Final = text_hash(ORDER_TYPE)

STANDARD: Final = Domain(
    name=DOMAIN_NAME, version="2", chain_id=CHAIN_ID, contract="0xE111180000d2663C0091e4f400237545B87B996B"
)
NEG_RISK: Final = Domain(
    name=DOMAIN_NAME, version="2", chain_id=CHAIN_ID, contract="0xe2222d279d744050d28e00520010520000310F59"
)
PROTOCOL_2: Final = Domain(
    name=DOMAIN_NAME, version="3", chain_id=CHAIN_ID, contract="0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"
)
"""Markets of the second protocol generation (ExchangeV3), neg-risk or not."""

BUY: Final = 0
SELL: Final = 1

_WALLET_DOMAIN: Final = ("DepositWallet", "1")
_WRAPPED_TYPE: Final = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + ORDER_TYPE
)
SALT_BITS: Final = 52
"""The salt travels as a JSON number, so it stays below 2^53."""


SIGNATURE_TYPES: Final = {
    WalletType.EOA: 0,
    WalletType.PROXY: 1,
    WalletType.SAFE: 2,
    WalletType.DEPOSIT: 3,
}
POLY_1271: Final = 3


def domain_for(token_id: int, *, neg_risk: bool) -> Domain:
    """The contract that settles a market. Its generation shows in the token's id (polymarket.md 2.1)."""
    if is_protocol_2(token_id):
        return PROTOCOL_2
    return NEG_RISK if neg_risk else STANDARD


def is_protocol_2(token_id: int) -> bool:
    """Position ids of the second generation have 64 zero bits; a hashed token id has them once in 2^64."""
    return token_id & (((1 << 64) - 1) << 40) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStruct:
    """What is signed. Amounts in millionths; BUY gives dollars and takes shares, SELL the other way round."""

    salt: int
    maker: str
    """The wallet that holds the money."""
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp_ms: int
    metadata: bytes = ZERO_WORD
    builder: bytes = ZERO_WORD

    def hash(self) -> bytes:
        return keccak256(
            b"".join(
                (
                    _ORDER_TYPE_HASH,
                    self.salt.to_bytes(WORD, "big"),
                    address_word(self.maker),
                    address_word(self.signer),
                    self.token_id.to_bytes(WORD, "big"),
                    self.maker_amount.to_bytes(WORD, "big"),
                    self.taker_amount.to_bytes(WORD, "big"),
                    self.side.to_bytes(WORD, "big"),
                    self.signature_type.to_bytes(WORD, "big"),
                    self.timestamp_ms.to_bytes(WORD, "big"),
                    word(self.metadata),
                    word(self.builder),
                )
            )
        )

    def digest(self, domain: Domain) -> bytes:
        return typed_digest(domain.separator, self.hash())


def order_id(digest: bytes) -> str:
    """The venue's id of an order: its digest in lower-case hex."""
    return "0x" + digest.hex()


def sign_order(key: SigningKey, domain: Domain, order: OrderStruct) -> tuple[str, str]:
    """(order id, signature), both `0x` and hex. Wallets that are contracts of their own get theirs wrapped (8.2)."""
    contents = order.hash()
    digest = typed_digest(domain.separator, contents)
    if order.signature_type != POLY_1271:
        return order_id(digest), "0x" + key.sign(digest).hex()
    inner = key.sign(typed_digest(domain.separator, _wrapped(domain, contents, order.signer)))
    tail = ORDER_TYPE.encode()
    signature = inner + domain.separator + contents + tail + len(tail).to_bytes(2, "big")
    return order_id(digest), "0x" + signature.hex()


def signer_of(domain: Domain, order: OrderStruct, signature: bytes) -> str:
    """The address of the key behind a signature, unwrapped where it is wrapped. Raises `SignatureError`."""
    contents = order.hash()
    if order.signature_type != POLY_1271:
        return recover(typed_digest(domain.separator, contents), signature)
    tail = ORDER_TYPE.encode()
    if signature[65:] != domain.separator + contents + tail + len(tail).to_bytes(2, "big"):
        raise SignatureError("not the wrapping of this order")
    return recover(typed_digest(domain.separator, _wrapped(domain, contents, order.signer)), signature[:65])


def salt_of(client_order_id: str) -> int:
    """Derived, not drawn: preparing an order again gives the same order, and so the same id (I3)."""
    return int.from_bytes(hashlib.sha256(f"salt/{client_order_id}".encode()).digest()) >> (256 - SALT_BITS) or 1


def _wrapped(domain: Domain, contents: bytes, wallet: str) -> bytes:
    """ERC-7739: the order inside the wallet's own domain, whose salt is zero."""
    name, version = _WALLET_DOMAIN
    fields = (
        text_hash(_WRAPPED_TYPE),
        contents,
        text_hash(name),
        text_hash(version),
        word(domain.chain_id),
        address_word(wallet),
        ZERO_WORD,
    )
    return keccak256(b"".join(fields))
