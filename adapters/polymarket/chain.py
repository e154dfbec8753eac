"""Calls on the chain that turn complete sets into dollars and back: built and signed here, sent by nobody.

Source: polymarket.md 1.3, 11.1, 11.2 and 11.4 (read 2026-11-22). The capability is off: it needs a deposit wallet, a
relayer key and settled shares, and a call is final. The sheet knows two pairs of adapter addresses, so the code at an
address has to be looked at before anything is sent there. Amounts are millionths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapters.polymarket.eip712 import WORD, ZERO_WORD, Domain, SigningKey, keccak256, struct_hash, typed_digest, word
from adapters.polymarket.signing import CHAIN_ID

COLLATERAL: Final = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
STANDARD_ADAPTER: Final = "0xAdA100Db00Ca00073811820692005400218FcE1f"
NEG_RISK_ADAPTER: Final = "0xadA2005600Dec949baf300f4C6120000bDB6eAab"
ROUTER: Final = "0x12121212006e4CD160D18e3f00711DA5c3372600"
"""Of markets of the second generation."""

SPLIT: Final = "splitPosition(address,bytes32,bytes32,uint256[],uint256)"
MERGE: Final = "mergePositions(address,bytes32,bytes32,uint256[],uint256)"
REDEEM: Final = "redeemPositions(address,bytes32,bytes32,uint256[])"
CONVERT: Final = "convertPositions(bytes32,uint256,uint256)"
SPLIT_2: Final = "split(bytes31,uint256)"
MERGE_2: Final = "merge(bytes31,uint256)"
REDEEM_2: Final = "redeem(bytes31,uint256,uint256)"

BOTH: Final = (1, 2)
"""The index sets of YES and NO."""
CALL_TYPE: Final = "Call(address target,uint256 value,bytes data)"
BATCH_TYPE: Final = "Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls)" + CALL_TYPE
DEADLINE_S: Final = 600


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a contract; no coins are sent along."""

    target: str
    data: bytes


def selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]


def sets_call(signature: str, condition_id: str, amount: int, *, neg_risk: bool) -> Call:
    """`SPLIT` or `MERGE` of `amount` sets of a first-generation market."""
    head = (COLLATERAL, ZERO_WORD, _bytes32(condition_id), 5 * WORD, amount)
    return _call(_adapter(neg_risk=neg_risk), signature, [*head, len(BOTH), *BOTH])


def redeem_call(condition_id: str, *, neg_risk: bool) -> Call:
    """Everything that the wallet holds of a resolved market."""
    head = (COLLATERAL, ZERO_WORD, _bytes32(condition_id), 4 * WORD)
    return _call(_adapter(neg_risk=neg_risk), REDEEM, [*head, len(BOTH), *BOTH])


def convert_call(event_id: str, no_legs: Sequence[int], amount: int) -> Call:
    """`amount` NO of each of the outcomes with these indexes into dollars and YES of all others (neg-risk only)."""
    index_set = 0
    for index in no_legs:
        index_set |= 1 << index
    return _call(NEG_RISK_ADAPTER, CONVERT, [_bytes32(event_id), index_set, amount])


def router_call(signature: str, condition: bytes, amount: int) -> Call:
    """`SPLIT_2` or `MERGE_2` of a second-generation market; its condition has 31 bytes."""
    if len(condition) != WORD - 1:
        raise ValueError("a condition of the second generation has 31 bytes")
    return _call(ROUTER, signature, [condition + b"\x00", amount])


def batch_digest(wallet: str, nonce: int, deadline_s: int, calls: Sequence[Call]) -> bytes:
    """What a deposit wallet's owner signs for the relayer. Raises `ValueError`."""
    hashes = [struct_hash(CALL_TYPE, [call.target, 0, keccak256(call.data)]) for call in calls]
    batch = struct_hash(BATCH_TYPE, [wallet, nonce, deadline_s, keccak256(b"".join(hashes))])
    domain = Domain(name="DepositWallet", version="1", chain_id=CHAIN_ID, contract=wallet)
    return typed_digest(domain.separator, batch)


def signed_batch(key: SigningKey, wallet: str, nonce: int, deadline_s: int, calls: Sequence[Call]) -> str:
    return "0x" + key.sign(batch_digest(wallet, nonce, deadline_s, calls)).hex()


def _adapter(*, neg_risk: bool) -> str:
    return NEG_RISK_ADAPTER if neg_risk else STANDARD_ADAPTER


def _call(target: str, signature: str, words: Sequence[int | bytes | str]) -> Call:
    return Call(target, selector(signature) + b"".join(word(value) for value in words))


def _bytes32(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
