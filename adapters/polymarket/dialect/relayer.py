"""The relayer in front of the exchange: split and merge for deposit wallets, one action at a time, on a clock.

Source: polymarket.md 11.4 and 15.1.9 (read 2026-11-22); the body's own names are not published, so these are ours.
Redeeming is not needed (the exchange pays a resolved market out by itself, as the venue's auto-redeem does), and a
conversion changes what backs an event, which the engine does not model: both are told INVALID.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from adapters.polymarket import chain
from adapters.polymarket.chain import Call, batch_digest
from adapters.polymarket.dialect import replies, rows
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.replies import Problem
from adapters.polymarket.dialect.wallets import Wallet
from adapters.polymarket.eip712 import WORD, SignatureError, recover
from adapters.simulated.faults import LeverName
from adapters.simulated.settlement import SettlementError, merge, split
from adapters.simulated.signing import Headers
from adapters.simulated.web import Answer
from models.clock import MS, SECOND
from models.config_machine import WalletType
from models.market import MarketId, Outcome
from models.orders import FillState

STEP_NS: Final = 200 * MS
"""Between two states."""
KEY: Final = "RELAYER_API_KEY"
KEY_ADDRESS: Final = "RELAYER_API_KEY_ADDRESS"
BUSY: Final = Problem(400, "wallet busy")


class CallBody(msgspec.Struct, frozen=True):
    target: str
    data: str


class Submission(msgspec.Struct, frozen=True):
    type: str
    wallet: str
    nonce: int
    deadline: int
    calls: list[CallBody]
    signature: str


@dataclass(slots=True)
class Action:
    """One submission on its way."""

    account: str
    began: int
    state: str = "STATE_NEW"


_SUBMISSION: Final = msgspec.json.Decoder(Submission)
_FINAL: Final = ("STATE_CONFIRMED", "STATE_FAILED", "STATE_INVALID")


class Relayer:
    """Owned by whoever owns the exchange."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self._nonces: dict[str, int] = {}

    def nonce(self, wallet: Wallet) -> int:
        return self._nonces.get(wallet.account, 0)

    def submit(self, exchange: PolymarketExchange, wallet: Wallet, body: bytes, now: int) -> Answer:
        """`POST /submit`."""
        try:
            given = _SUBMISSION.decode(body)
            calls = [Call(one.target, bytes.fromhex(one.data.removeprefix("0x"))) for one in given.calls]
            signed = recover(
                batch_digest(given.wallet, given.nonce, given.deadline, calls),
                bytes.fromhex(given.signature.removeprefix("0x")),
            )
        except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError, SignatureError):
            return Problem(400, "invalid payload").answer()
        if given.type != "WALLET" or wallet.wallet_type is not WalletType.DEPOSIT:
            return Problem(400, "wallet type not supported").answer()
        if signed != wallet.address or given.wallet.lower() != wallet.funder.lower():
            return Problem(400, "invalid signature").answer()
        if exchange.levers.pull(LeverName.WALLET_BUSY, account=wallet.account) or self._busy(wallet.account):
            return BUSY.answer()
        if given.nonce != self.nonce(wallet) or given.deadline <= now // SECOND:
            return Problem(400, "nonce mismatch or past deadline").answer()
        self._nonces[wallet.account] = given.nonce + 1
        name = f"tx-{len(self._actions) + 1}"
        action = self._actions[name] = Action(wallet.account, now)
        exchange.later(now + STEP_NS, lambda _: self._to(action, "STATE_EXECUTED"))
        exchange.later(now + 2 * STEP_NS, lambda at: self._mine(exchange, action, calls, at))
        exchange.later(now + 3 * STEP_NS, lambda _: self._to(action, "STATE_CONFIRMED"))
        return replies.ok({"transactionID": name, "state": action.state})

    def state(self, name: str) -> Answer:
        """`GET /transaction?id=`."""
        action = self._actions.get(name)
        return (
            replies.NOT_FOUND.answer()
            if action is None
            else replies.ok([{"transactionID": name, "state": action.state}])
        )

    # -- inside

    def _busy(self, account: str) -> bool:
        return any(one.account == account and one.state not in _FINAL for one in self._actions.values())

    def _to(self, action: Action, state: str) -> None:
        if action.state not in _FINAL:
            action.state = state

    def _mine(self, exchange: PolymarketExchange, action: Action, calls: list[Call], now: int) -> None:
        if exchange.levers.pull(LeverName.RELAYER_FAILED, account=action.account):
            action.state = "STATE_FAILED"
            return
        before = exchange.engine.accounts[action.account].cash
        try:
            for call in calls:
                _carry_out(exchange, action.account, call, now)
        except KeyError:
            action.state = "STATE_INVALID"
            return
        except SettlementError:
            action.state = "STATE_FAILED"
            return
        if exchange.levers.pull(LeverName.STALE_BALANCE, account=action.account):
            exchange.stale_cash.setdefault(action.account, before)
        self._to(action, "STATE_MINED")


def caller(wallets: list[Wallet], headers: Headers) -> Wallet | None:
    """Whose relayer key it is."""
    key, address = headers.get(KEY, ""), headers.get(KEY_ADDRESS, "").lower()
    return next((w for w in wallets if w.relayer_key and (w.relayer_key, w.address.lower()) == (key, address)), None)


def _carry_out(exchange: PolymarketExchange, account: str, call: Call, now: int) -> None:
    """Raises `KeyError` for a call that nobody knows, `SettlementError` for one that the chain reverts."""
    kind = {chain.selector(chain.SPLIT): split, chain.selector(chain.MERGE): merge}[call.data[:4]]
    words = [call.data[4 + WORD * index : 4 + WORD * (index + 1)] for index in range(8)]
    market_id = MarketId("0x" + words[2].hex())
    listed = exchange.listed.by_condition[market_id]
    right = chain.NEG_RISK_ADAPTER if listed.neg_risk else chain.STANDARD_ADAPTER
    if call.target.lower() != right.lower():
        raise SettlementError("another contract")
    amount = int.from_bytes(words[4], "big")
    if kind is merge and amount > min(_mined(exchange, account, market_id, outcome, now) for outcome in Outcome):
        raise SettlementError("not that many are on the chain yet")
    kind(exchange.engine, account, market_id, amount, now)


def _mined(exchange: PolymarketExchange, account: str, market_id: MarketId, outcome: Outcome, now: int) -> int:
    """Shares that are on the chain: a match is not there before it is mined."""
    held = exchange.engine.accounts[account].free_shares((market_id, outcome), settled_only=False)
    waiting = [
        trade.size
        for trade in exchange.engine.unsettled
        for party in trade.parties
        if (party.order.account, trade.market_id, party.order.request.outcome) == (account, market_id, outcome)
        and trade.state is FillState.PROVISIONAL
        and now < rows.mined_at(trade)
    ]
    return held - sum(waiting)
