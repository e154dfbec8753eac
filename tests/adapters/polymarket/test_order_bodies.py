"""Order bodies byte for byte, and the promise that an intent has one order: the same after a restart, for one
purpose.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polymarket.account import Account, WalletError, make_account
from adapters.polymarket.amounts import InexactOrderError, taker_lot
from adapters.polymarket.eip712 import SigningKey
from adapters.polymarket.order_wire import cancel_one, post_order, post_orders
from adapters.polymarket.signing import NEG_RISK, STANDARD, OrderStruct, order_id, sign_order, signer_of
from adapters.polymarket.terms import MarketTerms
from adapters.venue import MissingKeysError
from models.clock import WallNs
from models.config_machine import VenueOptions, WalletType
from models.market import Action, Outcome
from models.money import MICRO, MicroShares, PriceMicros
from models.orders import ClientOrderId, TimeInForce
from tests.adapters.polymarket.private import MADE_MS, TERMS, WALLET, an_account, an_intent
from tests.adapters.polymarket.vectors import ADDRESS, BODY, KEY, L2_SECRET, ORDERS, OWNER, TOKEN

SECRETS = {"PRIVATE_KEY": KEY, "API_KEY": OWNER, "API_SECRET": L2_SECRET, "API_PASSPHRASE": "pass"}


def test_the_published_request_comes_out_byte_for_byte() -> None:
    vector = ORDERS["buy, standard"]
    _, signature = sign_order(SigningKey(KEY), vector.domain, vector.order)
    assert post_order(vector.order, signature, "FAK", OWNER) == BODY


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({}, ("BUY", "4500000", "10000000", TOKEN, "FAK")),
        ({"time_in_force": TimeInForce.FOK}, ("BUY", "4500000", "10000000", TOKEN, "FOK")),
        (
            {"time_in_force": TimeInForce.GTC, "size": MicroShares(12_340_000)},
            ("BUY", "5553000", "12340000", TOKEN, "GTC"),
        ),
        ({"action": Action.SELL, "size": MicroShares(3_270_000)}, ("SELL", "3270000", "1471500", TOKEN, "FAK")),
        (
            {"outcome": Outcome.NO, "limit_price": PriceMicros(999_000)},
            ("BUY", "9990000", "10000000", TOKEN + 1, "FAK"),
        ),
    ],
)
def test_an_intent_becomes_the_request_that_it_means(changes: dict, facts: tuple[str, str, str, int, str]) -> None:
    side, maker, taker, token, kind = facts
    own_id, body = an_account().signed(an_intent(**changes), TERMS)
    sent = json.loads(body)
    order = sent.pop("order")
    assert sent == {"deferExec": False, "orderType": kind, "owner": OWNER}
    assert (order["side"], order["makerAmount"], order["takerAmount"]) == (side, maker, taker)
    assert order["tokenId"] == str(token)
    assert order["timestamp"] == str(MADE_MS)
    assert (order["maker"], order["signer"], order["signatureType"]) == (ADDRESS, ADDRESS, 0)
    assert (order["expiration"], order["builder"], order["metadata"]) == ("0", "0x" + "00" * 32, "0x" + "00" * 32)
    assert 0 < order["salt"] < 1 << 53
    struct = struct_of(order)
    assert order_id(struct.digest(STANDARD)) == own_id
    assert signer_of(STANDARD, struct, bytes.fromhex(order["signature"][2:])) == ADDRESS


def struct_of(order: dict) -> OrderStruct:
    return OrderStruct(
        salt=order["salt"],
        maker=order["maker"],
        signer=order["signer"],
        token_id=int(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side=["BUY", "SELL"].index(order["side"]),
        signature_type=order["signatureType"],
        timestamp_ms=int(order["timestamp"]),
    )


GOLDEN = {
    "fak": "88e31664b18b47c1",
    "fok": "93cc0865ce3acbe8",
    "gtc": "9197bc0f2987584f",
    "sale": "0e55dd7ad23f18a8",
}


def test_golden_bodies_do_not_change_unnoticed() -> None:
    """One per kind of order; the figures are this program's own, fixed when every field had been checked."""
    kinds = {
        "fak": an_intent(),
        "fok": an_intent(time_in_force=TimeInForce.FOK),
        "gtc": an_intent(time_in_force=TimeInForce.GTC),
        "sale": an_intent(action=Action.SELL, outcome=Outcome.NO),
    }
    found = {
        name: hashlib.sha256(an_account().signed(intent, TERMS)[1]).hexdigest()[:16] for name, intent in kinds.items()
    }
    assert found == GOLDEN


def test_a_batch_is_the_very_bodies_in_brackets() -> None:
    bodies = [an_account().signed(an_intent(client_order_id=ClientOrderId(str(n))), TERMS)[1] for n in range(3)]
    assert json.loads(post_orders(bodies)) == [json.loads(body) for body in bodies]
    assert post_orders(bodies[:1]) == b"[" + bodies[0] + b"]"


def test_a_cancel_names_the_order_as_the_venue_spells_it() -> None:
    assert cancel_one("0xabc") == b'{"orderID":"0xabc"}'


# -- one intent, one order


def test_the_same_intent_is_the_same_order_in_another_process() -> None:
    once = an_account().signed(an_intent(), TERMS)
    again = an_account().signed(replace(an_intent()), TERMS)
    assert once == again
    assert an_account().order_id(an_intent(), TERMS) == once[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_order_id": ClientOrderId("c-2")},
        {"at": WallNs((MADE_MS + 1) * 1_000_000)},
        {"outcome": Outcome.NO},
        {"limit_price": PriceMicros(460_000)},
        {"size": MicroShares(11 * MICRO)},
    ],
)
def test_another_intent_is_another_order(changes: dict) -> None:
    account = an_account()
    assert account.order_id(an_intent(), TERMS) != account.order_id(an_intent(**changes), TERMS)


def test_the_contract_that_is_signed_for_is_the_markets() -> None:
    neg_risk = MarketTerms(TOKEN, TOKEN + 1, neg_risk=True)
    order = an_account().order(an_intent(), neg_risk)
    assert an_account().order_id(an_intent(), neg_risk) == order_id(order.digest(NEG_RISK))
    assert an_account().order_id(an_intent(), TERMS) == order_id(order.digest(STANDARD))


@given(
    st.sampled_from([100_000, 10_000, 5_000, 2_500, 1_000, 100]),
    st.integers(1, 300),
    st.data(),
    st.sampled_from(TimeInForce),
)
@settings(max_examples=60)
def test_every_purchase_on_the_markets_lot_can_be_made_and_means_its_shares(
    tick: int, lots: int, data: st.DataObject, force: TimeInForce
) -> None:
    price = PriceMicros(tick * data.draw(st.integers(1, MICRO // tick - 1)))
    size = MicroShares(taker_lot(PriceMicros(tick)) * lots)
    order = an_account().order(an_intent(limit_price=price, size=size, time_in_force=force), TERMS)
    assert order.taker_amount == size
    assert order.maker_amount * MICRO == price * size


def test_an_order_that_would_buy_other_shares_than_intended_is_not_made() -> None:
    with pytest.raises(InexactOrderError):
        an_account().signed(an_intent(size=MicroShares(3_270_000)), TERMS)


def test_an_intent_that_the_ledger_has_not_stamped_cannot_be_signed() -> None:
    with pytest.raises(ValueError, match="no time"):
        an_account().signed(an_intent(at=WallNs(0)), TERMS)


# -- wallets


def test_each_wallet_form_pays_signs_and_is_marked_as_documented() -> None:
    found = {}
    for wallet in WalletType:
        account = an_account(wallet, None if wallet is WalletType.EOA else WALLET)
        order = account.order(an_intent(), TERMS)
        found[wallet] = (order.maker, order.signer, order.signature_type)
        _, body = account.signed(an_intent(), TERMS)
        signature = bytes.fromhex(json.loads(body)["order"]["signature"][2:])
        assert signer_of(STANDARD, order, signature) == ADDRESS
        assert len(signature) == (317 if wallet is WalletType.DEPOSIT else 65)
    assert found == {
        WalletType.EOA: (ADDRESS, ADDRESS, 0),
        WalletType.PROXY: (WALLET, ADDRESS, 1),
        WalletType.SAFE: (WALLET, ADDRESS, 2),
        WalletType.DEPOSIT: (WALLET, WALLET, 3),
    }


@pytest.mark.parametrize(
    ("wallet", "funder", "remedy"),
    [
        (WalletType.EOA, WALLET, "leave it empty"),
        (WalletType.SAFE, None, "into DUTCHBOOK_POLYMARKET_FUNDER"),
        (WalletType.PROXY, ADDRESS, "wallet_type: eoa"),
        (WalletType.DEPOSIT, "0x1234", "no address"),
        (WalletType.DEPOSIT, WALLET[:-1] + "g", "no address"),
    ],
)
def test_a_wallet_and_a_form_that_do_not_fit_are_refused_with_the_remedy(
    wallet: WalletType, funder: str | None, remedy: str
) -> None:
    with pytest.raises(WalletError, match=remedy):
        an_account(wallet, funder)


def test_an_eoa_may_name_its_own_address() -> None:
    assert an_account(WalletType.EOA, ADDRESS.lower()).funder == ADDRESS


def test_missing_keys_are_named_and_wrong_ones_are_not_shown() -> None:
    options = VenueOptions(wallet_type=WalletType.EOA)
    assert isinstance(make_account(options, SECRETS), Account)
    with pytest.raises(MissingKeysError, match="DUTCHBOOK_POLYMARKET_API_SECRET"):
        make_account(options, {**SECRETS, "API_SECRET": ""})
    with pytest.raises(MissingKeysError, match="wallet_type"):
        make_account(VenueOptions(), SECRETS)
    wrong = KEY[:-1] + "z"
    with pytest.raises(MissingKeysError, match="PRIVATE_KEY") as refused:
        make_account(options, {**SECRETS, "PRIVATE_KEY": wrong})
    assert wrong[:12] not in str(refused.value)
    with pytest.raises(MissingKeysError, match="API_SECRET") as refused:
        make_account(options, {**SECRETS, "API_SECRET": "***"})
    assert "***" not in str(refused.value)


def test_an_account_prints_nothing_but_its_address() -> None:
    account = an_account()
    assert repr(account) == f"Account(eoa {ADDRESS})"
