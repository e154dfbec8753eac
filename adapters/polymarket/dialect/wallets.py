"""Who may call: wallets with their keys and API triples, and the venue's two ways of checking them on exact bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from adapters.polymarket import auth
from adapters.polymarket.auth import decoded_secret, l1_digest, l2_signature
from adapters.polymarket.dialect.replies import Problem
from adapters.polymarket.eip712 import SignatureError, SigningKey, checksummed, recover
from adapters.simulated.signing import Headers
from models.clock import SECOND
from models.config_machine import WalletType

WINDOW_S: Final = 30
"""How far a signed call's time may lie from the venue's clock; the venue's own limit is not published."""
UNLIMITED: Final = (1 << 256) - 1

UNAUTHORIZED: Final = Problem(401, "Unauthorized/Invalid api key")
BAD_L1: Final = Problem(401, "Invalid L1 Request headers")


@dataclass(slots=True, eq=False)
class Wallet:
    """One trader. `account` is its name in the engine."""

    account: str
    private_key: str = field(repr=False)
    address: str
    wallet_type: WalletType
    funder: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    relayer_key: str = field(default="", repr=False)
    closed_only: bool = False
    banned: bool = False
    allowance: int = UNLIMITED
    """Of the exchange contracts over its dollars, in millionths."""
    shares_approved: bool = True
    """Whether those contracts may move its shares: without it, nothing can be sold."""

    def shown(self) -> dict[str, str]:
        """For the line that tells a bot how to trade here. All of it is worth nothing anywhere else."""
        return {
            "private_key": self.private_key,
            "address": self.address,
            "wallet_type": self.wallet_type.value,
            "funder": self.funder,
            "api_key": self.api_key,
            "api_secret": self.api_secret,
            "api_passphrase": self.passphrase,
            "relayer_api_key": self.relayer_key,
        }


def make_wallet(account: str, wallet_type: WalletType, entropy: Callable[[int], bytes]) -> Wallet:
    """Fresh keys. What is not an EOA pays from an address of its own."""
    private_key = "0x" + entropy(32).hex()
    address = SigningKey(private_key).address
    funder = address
    if wallet_type is not WalletType.EOA:
        funder = checksummed(hashlib.sha256(f"wallet/{address}".encode()).digest()[:20])
    return Wallet(
        account=account,
        private_key=private_key,
        address=address,
        wallet_type=wallet_type,
        funder=funder,
        api_key=str(uuid.UUID(bytes=entropy(16), version=4)),
        api_secret=base64.urlsafe_b64encode(entropy(32)).decode(),
        passphrase=entropy(32).hex(),
        relayer_key=str(uuid.UUID(bytes=entropy(16), version=4)),
    )


class Wallets:
    def __init__(self, wallets: list[Wallet]) -> None:
        self.all = wallets
        self._by_key = {wallet.api_key: wallet for wallet in wallets}
        self._by_address = {wallet.address.lower(): wallet for wallet in wallets}
        self._by_account = {wallet.account: wallet for wallet in wallets}

    def of_account(self, account: str) -> Wallet | None:
        """None for the house."""
        return self._by_account.get(account)

    def l2(self, headers: Headers, method: str, path: str, body: bytes, now: int) -> Wallet | Problem:
        """The caller of a private call. `path` without its query; `now` in ns."""
        wallet = self._by_key.get(headers.get(auth.API_KEY, ""))
        stamp = headers.get(auth.TIMESTAMP, "")
        if wallet is None or not _near(stamp, now):
            return UNAUTHORIZED
        expected = l2_signature(decoded_secret(wallet.api_secret), int(stamp), method, path, body)
        given = headers.get(auth.SIGNATURE, "")
        right = (
            hmac.compare_digest(expected.encode(), given.encode())
            and hmac.compare_digest(wallet.passphrase.encode(), headers.get(auth.PASSPHRASE, "").encode())
            and headers.get(auth.ADDRESS, "").lower() == wallet.address.lower()
        )
        return wallet if right else UNAUTHORIZED

    def l1(self, headers: Headers, now: int) -> Wallet | Problem:
        """The caller of `/auth/api-key` and `/auth/derive-api-key`: whoever holds the wallet's key."""
        address, stamp, nonce = (headers.get(name, "") for name in (auth.ADDRESS, auth.TIMESTAMP, auth.NONCE))
        wallet = self._by_address.get(address.lower())
        if wallet is None or not _near(stamp, now) or not (nonce.isascii() and nonce.isdigit()):
            return BAD_L1
        try:
            digest = l1_digest(wallet.address, int(stamp), int(nonce))
            signer = recover(digest, bytes.fromhex(headers.get(auth.SIGNATURE, "").removeprefix("0x")))
        except (SignatureError, ValueError):
            return BAD_L1
        return wallet if signer == wallet.address else BAD_L1

    def stream(self, api_key: str, secret: str, passphrase: str) -> Wallet | None:
        """The caller of the user channel, by the triple itself."""
        wallet = self._by_key.get(api_key)
        if wallet is None:
            return None
        right = hmac.compare_digest(wallet.api_secret.encode(), secret.encode())
        return wallet if right and hmac.compare_digest(wallet.passphrase.encode(), passphrase.encode()) else None


def _near(stamp: str, now: int) -> bool:
    return stamp.isascii() and stamp.isdigit() and len(stamp) < 12 and abs(int(stamp) - now // SECOND) <= WINDOW_S
