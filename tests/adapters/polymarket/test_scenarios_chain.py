"""polymarket.md 11, 15.1.9 and the chain's faults of 15.2: calls, selectors, the batch signature, and the relayer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from adapters.polymarket import chain
from adapters.polymarket.chain import Call
from adapters.polymarket.eip712 import SigningKey, is_address, keccak256, recover
from models.config_machine import WalletType
from models.market import Outcome
from models.money import MICRO
from tests.adapters.polymarket.dialect_stage import CASH, DialectStage, dialect
from tests.adapters.polymarket.test_scenarios_account import SLUG
from tests.adapters.polymarket.vectors import ADDRESS, KEY
from tests.polling import until

CONDITION = "0x" + "ab" * 32
WALLET = "0x1111111111111111111111111111111111111111"


@pytest.fixture
def stage() -> Iterator[DialectStage]:
    with dialect(WalletType.DEPOSIT, settlement="1s") as running:
        yield running


# -- calls


@pytest.mark.parametrize(
    ("signature", "published"),
    [
        (chain.SPLIT, "72ce4275"),
        (chain.MERGE, "9e7212ad"),
        (chain.REDEEM, "01b7037c"),
        (chain.CONVERT, "c64748c4"),
        (chain.SPLIT_2, "82d3b9f1"),
        (chain.MERGE_2, "5b63685e"),
        (chain.REDEEM_2, "d217a3cc"),
        ("splitPosition(bytes32,uint256)", "a3d7da1d"),
        ("mergePositions(bytes32,uint256)", "b10c5c17"),
        ("redeemPositions(bytes32,uint256[])", "dbeccb23"),
    ],
)
def test_11_the_selectors_are_the_published_ones(signature: str, published: str) -> None:
    assert chain.selector(signature).hex() == published


def test_11_calls_go_to_the_published_contracts_and_no_others() -> None:
    """polymarket.md 1.3: a wrong digit here would be money sent to nobody."""
    named = (chain.COLLATERAL, chain.STANDARD_ADAPTER, chain.NEG_RISK_ADAPTER, chain.ROUTER)
    assert named == (
        "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB",
        "0xAdA100Db00Ca00073811820692005400218FcE1f",
        "0xadA2005600Dec949baf300f4C6120000bDB6eAab",
        "0x12121212006e4CD160D18e3f00711DA5c3372600",
    )
    assert all(is_address(address) for address in named)
    assert chain.sets_call(chain.SPLIT, CONDITION, 1, neg_risk=True).target == named[2]
    assert chain.redeem_call(CONDITION, neg_risk=False).target == named[1]
    assert chain.convert_call(CONDITION, [0], 1).target == named[2]
    assert chain.router_call(chain.MERGE_2, bytes(31), 1).target == named[3]


def words(call: Call) -> list[str]:
    body = call.data[4:]
    assert len(body) % 32 == 0
    return [body[at : at + 32].hex() for at in range(0, len(body), 32)]


def number(value: int) -> str:
    return f"{value:064x}"


def test_11_a_merge_names_collateral_condition_both_outcomes_and_the_amount() -> None:
    call = chain.sets_call(chain.MERGE, CONDITION, 10 * MICRO, neg_risk=False)
    collateral = "00" * 12 + chain.COLLATERAL[2:].lower()
    expected = [collateral, number(0), "ab" * 32, number(0xA0), number(10 * MICRO), number(2), number(1), number(2)]
    assert call.target == "0xAdA100Db00Ca00073811820692005400218FcE1f"
    assert call.data[:4].hex() == "9e7212ad"
    assert words(call) == expected
    assert chain.sets_call(chain.MERGE, CONDITION, 1, neg_risk=True).target == chain.NEG_RISK_ADAPTER


def test_11_redeeming_converting_and_the_second_generation() -> None:
    assert words(chain.redeem_call(CONDITION, neg_risk=True))[3:] == [number(0x80), number(2), number(1), number(2)]
    assert words(chain.convert_call(CONDITION, [0, 2], 7)) == ["ab" * 32, number(0b101), number(7)]
    assert words(chain.router_call(chain.MERGE_2, b"\xcd" * 31, 5)) == ["cd" * 31 + "00", number(5)]
    with pytest.raises(ValueError, match="31 bytes"):
        chain.router_call(chain.MERGE_2, b"\xcd" * 32, 5)


def test_11_4_a_batch_is_signed_for_one_wallet_nonce_deadline_and_these_calls() -> None:
    """By the rules of EIP-712, written out once more without the program's own helpers."""
    call = chain.sets_call(chain.MERGE, CONDITION, 10 * MICRO, neg_risk=False)

    def padded(address: str) -> bytes:
        return bytes(12) + bytes.fromhex(address[2:])

    call_type = b"Call(address target,uint256 value,bytes data)"
    batch_type = b"Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls)" + call_type
    one = keccak256(keccak256(call_type) + padded(call.target) + bytes(32) + keccak256(call.data))
    struct = keccak256(
        keccak256(batch_type) + padded(WALLET) + (3).to_bytes(32, "big") + (99).to_bytes(32, "big") + keccak256(one)
    )
    domain_type = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    separator = keccak256(
        keccak256(domain_type) + keccak256(b"DepositWallet") + keccak256(b"1") + (137).to_bytes(32, "big")
        + padded(WALLET)
    )  # fmt: skip
    expected = keccak256(b"\x19\x01" + separator + struct)
    assert chain.batch_digest(WALLET, 3, 99, [call]) == expected
    signature = chain.signed_batch(SigningKey(KEY), WALLET, 3, 99, [call])
    assert recover(expected, bytes.fromhex(signature[2:])) == ADDRESS
    assert chain.batch_digest(WALLET, 4, 99, [call]) != expected


# -- the relayer


def relay(stage: DialectStage, *calls: Call, key: str | None = None, **changes: Any) -> requests.Response:
    wallet = stage.wallet()
    nonce = requests.get(f"{stage.url}/nonce", headers=auth(stage), timeout=2).json()["nonce"]
    deadline = int(time.time()) + chain.DEADLINE_S
    body: dict[str, Any] = {
        "type": "WALLET",
        "wallet": wallet.funder,
        "nonce": nonce,
        "deadline": deadline,
        "calls": [{"target": call.target, "data": "0x" + call.data.hex()} for call in calls],
        "signature": chain.signed_batch(SigningKey(key or wallet.private_key), wallet.funder, nonce, deadline, calls),
    }
    return requests.post(f"{stage.url}/submit", data=json.dumps(body | changes), headers=auth(stage), timeout=2)


def auth(stage: DialectStage) -> dict[str, str]:
    return {"RELAYER_API_KEY": stage.wallet().relayer_key, "RELAYER_API_KEY_ADDRESS": stage.wallet().address}


def state(stage: DialectStage, answer: requests.Response) -> str:
    name = answer.json()["transactionID"]
    (row,) = requests.get(f"{stage.url}/transaction?id={name}", headers=auth(stage), timeout=2).json()
    return str(row["state"])


def ended(stage: DialectStage, answer: requests.Response) -> str:
    until(lambda: state(stage, answer) in ("STATE_CONFIRMED", "STATE_FAILED", "STATE_INVALID"), "it has ended")
    return state(stage, answer)


def a_call(stage: DialectStage, signature: str, amount: int = 10) -> Call:
    return chain.sets_call(signature, stage.listed(SLUG).condition_id, amount * MICRO, neg_risk=False)


def balance(stage: DialectStage) -> int:
    return int(stage.ask("GET", "/balance-allowance?asset_type=COLLATERAL&signature_type=3").json()["balance"])


def test_15_1_9_a_split_and_a_merge_go_through_their_states_and_move_the_money(stage: DialectStage) -> None:
    answer = relay(stage, a_call(stage, chain.SPLIT))
    assert answer.json()["state"] == "STATE_NEW"
    seen = [state(stage, answer)]

    def confirmed() -> bool:
        seen.append(state(stage, answer))
        return seen[-1] == "STATE_CONFIRMED"

    until(confirmed, "the split is final")
    assert list(dict.fromkeys(seen)) == ["STATE_NEW", "STATE_EXECUTED", "STATE_MINED", "STATE_CONFIRMED"]
    assert balance(stage) == (CASH - 10) * MICRO
    held = {position.outcome: position.size for position in stage.orders().positions()}
    assert held == {Outcome.YES: 10 * MICRO, Outcome.NO: 10 * MICRO}

    assert ended(stage, relay(stage, a_call(stage, chain.MERGE))) == "STATE_CONFIRMED"
    assert balance(stage) == CASH * MICRO
    assert stage.orders().positions() == []


def test_15_1_9_only_the_owner_of_the_wallet_moves_it_and_only_once(stage: DialectStage) -> None:
    split = a_call(stage, chain.SPLIT)
    assert relay(stage, split, key="0x" + "12" * 32).json()["error"] == "invalid signature"
    assert relay(stage, split, nonce=7).status_code == 400
    assert relay(stage, split, type="SAFE").json()["error"] == "wallet type not supported"
    stranger = requests.post(f"{stage.url}/submit", data=b"{}", timeout=2)
    assert (stranger.status_code, balance(stage)) == (401, CASH * MICRO)


def test_15_1_7_matched_shares_cannot_be_merged_before_they_are_mined(stage: DialectStage) -> None:
    listed = stage.quoted(SLUG)
    own = {"signer": stage.wallet().funder}
    for no, price in ((False, "0.45"), (True, "0.60")):
        answer = stage.place(stage.body(listed, "BUY", price, "10", "FAK", no=no, **own))
        assert answer.status_code == 200, answer.text
    assert ended(stage, relay(stage, a_call(stage, chain.MERGE))) == "STATE_FAILED", "mined after half a second"
    until(
        lambda: all(r["status"] == "TRADE_STATUS_CONFIRMED" for r in stage.ask("GET", "/data/trades").json()["data"]),
        "they are on the chain",
    )
    assert ended(stage, relay(stage, a_call(stage, chain.MERGE))) == "STATE_CONFIRMED"


def test_15_2_chain_1_a_wallet_has_one_action_in_flight(stage: DialectStage) -> None:
    first = relay(stage, a_call(stage, chain.SPLIT))
    second = relay(stage, a_call(stage, chain.SPLIT))
    assert (second.status_code, second.json()["error"]) == (400, "wallet busy")
    assert ended(stage, first) == "STATE_CONFIRMED"
    stage.pull("wallet_busy")
    assert relay(stage, a_call(stage, chain.SPLIT)).json()["error"] == "wallet busy"
    assert ended(stage, relay(stage, a_call(stage, chain.SPLIT))) == "STATE_CONFIRMED"


def test_15_2_chain_2_an_action_that_fails_moves_nothing(stage: DialectStage) -> None:
    stage.pull("relayer_failed")
    assert ended(stage, relay(stage, a_call(stage, chain.SPLIT))) == "STATE_FAILED"
    assert balance(stage) == CASH * MICRO
    assert ended(stage, relay(stage, a_call(stage, chain.MERGE))) == "STATE_FAILED", "nothing to merge"
    convert = chain.convert_call(stage.listed("summit-geneva").market.event_id or "", [0, 1], MICRO)
    assert ended(stage, relay(stage, convert)) == "STATE_INVALID"


def test_15_2_chain_3_the_balance_is_stale_until_the_venue_is_told_to_look(stage: DialectStage) -> None:
    stage.pull("stale_balance")
    assert ended(stage, relay(stage, a_call(stage, chain.SPLIT))) == "STATE_CONFIRMED"
    assert balance(stage) == CASH * MICRO
    assert stage.ask("GET", "/balance-allowance/update?asset_type=COLLATERAL&signature_type=3").status_code == 200
    assert balance(stage) == (CASH - 10) * MICRO
