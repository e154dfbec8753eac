"""One trader's account: the key that signs, the wallet that pays, the API key that calls. Never built in paper mode.

Wallet forms (polymarket.md 8.2): an EOA signs and pays itself; a proxy or a Safe pays while its owner's key signs; a
deposit wallet is both maker and signer, and its owner's signature is wrapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.polymarket.amounts import exact_amounts
from adapters.polymarket.auth import ApiKey, SecretFormatError, api_key, l2_headers
from adapters.polymarket.eip712 import KeyFormatError, SigningKey, checksummed, is_address
from adapters.polymarket.order_wire import ORDER_TYPES, post_order
from adapters.polymarket.signing import (
    BUY,
    SELL,
    SIGNATURE_TYPES,
    OrderStruct,
    domain_for,
    order_id,
    salt_of,
    sign_order,
    signer_of,
)
from adapters.polymarket.terms import MarketTerms
from adapters.venue import MissingKeysError
from models.clock import MS
from models.config_machine import VenueOptions, WalletType
from models.market import Action
from models.orders import OrderIntent

NEEDED: Final = ("PRIVATE_KEY", "API_KEY", "API_SECRET", "API_PASSPHRASE")


class WalletError(ValueError):
    """The wallet's form and its address do not belong together. The text says what to change."""


class Account:
    """Signs orders and calls. Shows nothing but its addresses."""

    def __init__(self, key: SigningKey, wallet: WalletType, funder: str | None, credentials: ApiKey) -> None:
        """`funder` is the wallet that holds the money; None for an EOA. Raises `WalletError`."""
        self.address = key.address
        self.wallet = wallet
        self.funder = funder_of(key.address, wallet, funder)
        self.api_key_id = credentials.key
        self._key = key
        self._credentials = credentials
        self._signer = self.funder if wallet is WalletType.DEPOSIT else key.address
        self._type = SIGNATURE_TYPES[wallet]

    def __repr__(self) -> str:
        return f"Account({self.wallet.value} {self.funder})"

    @property
    def signature_type(self) -> int:
        return self._type

    def order(self, intent: OrderIntent, terms: MarketTerms) -> OrderStruct:
        """The order that an intent means; the same every time. Raises `InexactOrderError` or `ValueError`."""
        if intent.at <= 0:
            raise ValueError("an order that the ledger has not taken has no time to sign")
        amounts = exact_amounts(intent.action, intent.size, intent.limit_price, intent.time_in_force)
        return OrderStruct(
            salt=salt_of(intent.client_order_id),
            maker=self.funder,
            signer=self._signer,
            token_id=terms.token_id(intent.outcome),
            maker_amount=amounts.maker,
            taker_amount=amounts.taker,
            side=BUY if intent.action is Action.BUY else SELL,
            signature_type=self._type,
            timestamp_ms=intent.at // MS,
        )

    def order_id(self, intent: OrderIntent, terms: MarketTerms) -> str:
        """The venue's id of an intent's order, without signing it."""
        order = self.order(intent, terms)
        return order_id(order.digest(domain_for(order.token_id, neg_risk=terms.neg_risk)))

    def signed(self, intent: OrderIntent, terms: MarketTerms) -> tuple[str, bytes]:
        """(the venue's id, the bytes of the request). Raises as `order`."""
        order = self.order(intent, terms)
        own_id, signature = sign_order(self._key, domain_for(order.token_id, neg_risk=terms.neg_risk), order)
        return own_id, post_order(order, signature, ORDER_TYPES[intent.time_in_force], self.api_key_id)

    def test_signature(self, intent: OrderIntent, terms: MarketTerms) -> tuple[str, bool]:
        """(order id, whether the signature of it leads back to our key); nothing is serialised, nothing can be sent."""
        order = self.order(intent, terms)
        domain = domain_for(order.token_id, neg_risk=terms.neg_risk)
        own_id, signature = sign_order(self._key, domain, order)
        return own_id, signer_of(domain, order, bytes.fromhex(signature[2:])) == self.address

    def headers(self, timestamp_s: int, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        return l2_headers(self.address, self._credentials, timestamp_s, method, path, body)

    def stream_auth(self) -> dict[str, str]:
        """What the user stream wants in its first message: the triple itself, so it goes nowhere else."""
        credentials = self._credentials
        return {
            "apiKey": credentials.key,
            "secret": credentials.secret_text,
            "passphrase": credentials.passphrase,
        }


def funder_of(address: str, wallet: WalletType, funder: str | None) -> str:
    """The address that pays, checked against the wallet's form. Raises `WalletError`."""
    if funder and not is_address(funder):
        raise WalletError("DUTCHBOOK_POLYMARKET_FUNDER is no address (0x and 40 hex digits, in checksum case if mixed)")
    own = funder and funder.lower() == address.lower()
    if wallet is WalletType.EOA:
        if funder and not own:
            raise WalletError(
                "wallet_type eoa pays from the key's own address, but DUTCHBOOK_POLYMARKET_FUNDER names another: "
                "leave it empty, or state the form of that wallet (proxy, safe or deposit)"
            )
        return address
    if not funder:
        raise WalletError(
            f"wallet_type {wallet.value} pays from a wallet of its own: "
            "put its address (shown on the venue's profile page) into DUTCHBOOK_POLYMARKET_FUNDER"
        )
    if own:
        raise WalletError(
            f"wallet_type {wallet.value}, but DUTCHBOOK_POLYMARKET_FUNDER is the key's own address: "
            "state wallet_type: eoa, or the address of the wallet that holds the money"
        )
    return checksummed(bytes.fromhex(funder[2:]))


def make_account(options: VenueOptions, secrets: Mapping[str, str]) -> Account:
    """Raises `MissingKeysError`, whose text names variables and never shows a value."""
    missing = [f"DUTCHBOOK_POLYMARKET_{name}" for name in NEEDED if not secrets.get(name)]
    if missing:
        raise MissingKeysError(f"trading on Polymarket needs {', '.join(missing)} in .env")
    if options.wallet_type is None:
        raise MissingKeysError(
            "trading on Polymarket needs venues.polymarket.wallet_type (eoa, proxy, safe or deposit)"
        )
    try:
        return Account(
            SigningKey(secrets["PRIVATE_KEY"]),
            options.wallet_type,
            secrets.get("FUNDER") or None,
            api_key(secrets["API_KEY"], secrets["API_SECRET"], secrets["API_PASSPHRASE"]),
        )
    except KeyFormatError as error:
        raise MissingKeysError(f"DUTCHBOOK_POLYMARKET_PRIVATE_KEY: {error}") from None
    except SecretFormatError as error:
        raise MissingKeysError(f"DUTCHBOOK_POLYMARKET_API_SECRET: {error}") from None
    except WalletError as error:
        raise MissingKeysError(str(error)) from None
