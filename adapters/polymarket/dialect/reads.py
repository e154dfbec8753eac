"""What the venue tells about itself and about an account: books, catalog, orders, trades, balances, positions."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from adapters.polymarket.dialect import books, documents, replies, rows
from adapters.polymarket.dialect.documents import Facts
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.markets import LEAST_SIZE, Listed
from adapters.polymarket.dialect.wallets import UNLIMITED, Wallet
from adapters.polymarket.order_wire import LAST_CURSOR
from adapters.polymarket.signing import NEG_RISK, PROTOCOL_2, SIGNATURE_TYPES, STANDARD
from adapters.simulated import reads as engine_reads
from adapters.simulated.orders import OrderState, Trade, VenueOrder
from adapters.simulated.web import Answer
from models.clock import SECOND
from models.market import MarketId, MarketStatus, Outcome
from models.money import MICRO, MicroShares, to_decimal

BOOKS_MAX: Final = 500
PAGE: Final = 100
Query = Mapping[str, Sequence[str]]

_TOKENS: Final = msgspec.json.Decoder(list[dict[str, str]])


# -- public


def public(exchange: PolymarketExchange, method: str, parts: Sequence[str], query: Query, body: bytes) -> Answer | None:
    """The answer to a public read; None where the path is none."""
    if method == "POST":
        return _books(exchange, body) if parts == ["books"] else None
    return None if method != "GET" else _about_token(exchange, parts, query) or _about_market(exchange, parts, query)


def _about_token(exchange: PolymarketExchange, parts: Sequence[str], query: Query) -> Answer | None:
    match parts:
        case ["book"]:
            return _book(exchange, _first(query, "token_id"))
        case ["tick-size"]:
            return _of_token(exchange, query, lambda one: {"minimum_tick_size": to_decimal(one.tick)})
        case ["neg-risk"]:
            return _of_token(exchange, query, lambda one: {"neg_risk": one.neg_risk})
        case ["fee-rate"]:
            return _of_token(exchange, query, lambda _: {"base_fee": 1000})
        case ["midpoint" | "spread" | "last-trade-price" | "price" as what]:
            return _price(exchange, what, query)
    return None


def _about_market(exchange: PolymarketExchange, parts: Sequence[str], query: Query) -> Answer | None:
    match parts:
        case ["clob-markets", condition_id]:
            return _of_market(exchange, condition_id, documents.compact)
        case ["markets", "keyset"]:
            return _catalog(exchange, query)
        case ["markets" | "simplified-markets" | "sampling-markets" | "sampling-simplified-markets"]:
            return _pages(exchange, query)
        case ["markets", condition_id]:
            return _of_market(exchange, condition_id, documents.details)
        case ["markets-by-token", token]:
            found = exchange.listed.by_token.get(token)
            return replies.NO_MARKET.answer() if found is None else replies.ok({"condition_id": found[0].condition_id})
        case ["positions"]:
            return _positions(exchange, query)
    return None


def facts_of(exchange: PolymarketExchange, one: Listed) -> Facts:
    listing = exchange.engine.listings[one.market.market_id]
    return Facts(
        market=one.market,
        tick=one.tick,
        least_size=MicroShares(LEAST_SIZE),
        neg_risk=one.neg_risk,
        outcomes=one.outcomes,
        slug=one.slug,
        event_title=one.event_title,
        status=listing.status,
        taker_delay=one.taker_delay_ns > 0,
        yes_pays=listing.yes_pays,
    )


def _book(exchange: PolymarketExchange, token: str) -> Answer:
    document = _book_of(exchange, token)
    return replies.NO_BOOK.answer() if document is None else replies.ok(document)


def _books(exchange: PolymarketExchange, body: bytes) -> Answer:
    """Unknown tokens are left out."""
    try:
        wanted = _TOKENS.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return replies.Problem(400, "Invalid payload").answer()
    if len(wanted) > BOOKS_MAX:
        return replies.Problem(400, "Payload exceeds the limit").answer()
    found = [_book_of(exchange, item.get("token_id", "")) for item in wanted]
    return replies.ok([book for book in found if book is not None])


def _book_of(exchange: PolymarketExchange, token: str) -> object | None:
    found = exchange.listed.by_token.get(token)
    if found is None:
        return None
    one, outcome = found
    market_id = one.market.market_id
    listing = exchange.engine.listings[market_id]
    if listing.status is MarketStatus.RESOLVED:
        return None
    return books.book(one, listing, exchange.tapes[market_id], outcome)


def _of_token(exchange: PolymarketExchange, query: Query, tell: Callable[[Listed], dict[str, Any]]) -> Answer:
    found = exchange.listed.by_token.get(_first(query, "token_id"))
    return replies.NO_MARKET.answer() if found is None else replies.ok(tell(found[0]))


def _of_market(exchange: PolymarketExchange, condition_id: str, tell: Callable[[Facts], dict[str, Any]]) -> Answer:
    one = exchange.listed.by_condition.get(condition_id)
    return replies.NO_MARKET.answer() if one is None else replies.ok(tell(facts_of(exchange, one)))


def _catalog(exchange: PolymarketExchange, query: Query) -> Answer:
    ids, slugs = query.get("condition_ids", ()), query.get("slug", ())
    found = [documents.gamma(facts_of(exchange, one)) for one in exchange.listed.all]
    if ids or slugs:
        found = [entry for entry in found if entry["conditionId"] in ids or entry["slug"] in slugs]
    else:
        found = [entry for entry in found if not entry["closed"]]
    return replies.ok({"markets": found, "next_cursor": None})


def _pages(exchange: PolymarketExchange, query: Query) -> Answer:
    start = _cursor(_first(query, "next_cursor"))
    everything = [documents.details(facts_of(exchange, one)) for one in exchange.listed.all]
    return replies.ok(_page(everything, start))


def _price(exchange: PolymarketExchange, what: str, query: Query) -> Answer:
    found = exchange.listed.by_token.get(_first(query, "token_id"))
    if found is None:
        return replies.NO_BOOK.answer()
    one, outcome = found
    listing = exchange.engine.listings[one.market.market_id]
    bid, ask = (listing.best(side) for side in books.SIDES[outcome])
    if what == "last-trade-price":
        last = exchange.tapes[one.market.market_id].last_trade[outcome]
        return replies.ok({"price": last, "side": ""})
    if what == "price":
        best = bid if _first(query, "side") == "BUY" else ask
        return replies.ok({"price": "0" if best is None else books.price(best)})
    low, high = 0 if bid is None else bid, MICRO if ask is None else ask
    return replies.ok(
        {"mid": books.price((low + high) // 2)} if what == "midpoint" else {"spread": books.price(high - low)}
    )


def _positions(exchange: PolymarketExchange, query: Query) -> Answer:
    """The data interface: by wallet address, sizes as JSON numbers."""
    wallet = next((w for w in exchange.wallets.all if w.funder.lower() == _first(query, "user").lower()), None)
    if wallet is None:
        return replies.ok([])
    held = engine_reads.positions(exchange.engine, wallet.account, exchange.now)
    found = [
        {
            "proxyWallet": wallet.funder,
            "asset": exchange.listed.by_condition[market_id].token(outcome),
            "conditionId": market_id,
            "size": to_decimal(shares),
            "outcome": rows.label(exchange.listed.by_condition[market_id], outcome),
            "outcomeIndex": 0 if outcome is Outcome.YES else 1,
            "mergeable": False,
            "redeemable": False,
        }
        for (market_id, outcome), shares in sorted(held.items())
    ]
    start = _cursor(_first(query, "offset"), plain=True)
    limit = _cursor(_first(query, "limit"), plain=True) or PAGE
    return replies.ok(found[start : start + limit])


# -- private


def private(
    exchange: PolymarketExchange, wallet: Wallet, parts: Sequence[str], query: Query, now: int
) -> Answer | None:
    """The answer to a signed read; None where the path is none."""
    match parts:
        case ["data", "order", order_id]:
            return replies.ok(_order(exchange, wallet, order_id.lower(), now))
        case ["data", "orders"]:
            return _orders(exchange, wallet, query, now)
        case ["data", "trades"]:
            return _trades(exchange, wallet, query, now)
        case ["balance-allowance"]:
            return _balance(exchange, wallet, query, now)
        case ["balance-allowance", "update"]:
            exchange.stale_cash.pop(wallet.account, None)
            return replies.ok(None)
        case ["auth", "ban-status", "closed-only"]:
            return replies.ok({"closed_only": wallet.closed_only})
        case ["auth", "api-keys"]:
            return replies.ok({"apiKeys": [wallet.api_key]})
        case ["v1", "user", "rate-limit-tier"]:
            return replies.ok({"tier": "standard"})
    return None


def _order(exchange: PolymarketExchange, wallet: Wallet, order_id: str, now: int) -> dict[str, Any] | None:
    """Only what is active: an order that has ended is gone from here."""
    held = exchange.held.get((wallet.account, order_id))
    if held is not None:
        waiting = VenueOrder("", wallet.account, held.request, now, now)
        row = rows.order_row(waiting, held.checked, held.checked.listed, wallet)
        return {**row, "status": "ORDER_STATUS_DELAYED"}
    order = engine_reads.order_seen(exchange.engine, wallet.account, order_id, now)
    if order is None or order.state is OrderState.DONE:
        return None
    listed = exchange.listed.by_condition[order.request.market_id]
    return rows.order_row(order, exchange.checked.get(order_id), listed, wallet)


def _orders(exchange: PolymarketExchange, wallet: Wallet, query: Query, now: int) -> Answer:
    market, token, order_id = (_first(query, name) for name in ("market", "asset_id", "id"))
    found = []
    for order in engine_reads.open_orders(exchange.engine, wallet.account, now):
        own_id = order.request.client_order_id
        listed = exchange.listed.by_condition[order.request.market_id]
        row = rows.order_row(order, exchange.checked.get(own_id), listed, wallet)
        if market in ("", row["market"]) and token in ("", row["asset_id"]) and order_id in ("", own_id):
            found.append(row)
    return replies.ok(_page(found, _cursor(_first(query, "next_cursor"))))


def _trades(exchange: PolymarketExchange, wallet: Wallet, query: Query, now: int) -> Answer:
    """Newest first, as the venue has them."""
    market, token, wanted = (_first(query, name) for name in ("market", "asset_id", "id"))
    after, before = (_first(query, name) for name in ("after", "before"))
    found = []
    for trade in reversed(exchange.engine.trades):
        if not _shown(trade, wallet.account, now) or market not in ("", trade.market_id):
            continue
        seconds = trade.at // SECOND
        if (after.isdigit() and seconds < int(after)) or (before.isdigit() and seconds > int(before)):
            continue
        listed = exchange.listed.by_condition[MarketId(trade.market_id)]
        status = f"TRADE_STATUS_{exchange.trade_rows.status(trade, now)}"
        row = exchange.trade_rows.row(trade, wallet.account, listed, status)
        if wanted in ("", row["id"]) and token in ("", row["asset_id"]):
            found.append(row)
    return replies.ok(_page(found, _cursor(_first(query, "next_cursor"))))


def _shown(trade: Trade, account: str, now: int) -> bool:
    return any(party.order.account == account and party.order.visible_at <= now for party in trade.parties)


def _balance(exchange: PolymarketExchange, wallet: Wallet, query: Query, now: int) -> Answer:
    """Of the wallet that the signature type means: another form of it is another address, which holds nothing."""
    if _first(query, "asset_type") == "COLLATERAL":
        amount, _ = engine_reads.cash(exchange.engine, wallet.account, now)
        amount = exchange.stale_cash.get(wallet.account, amount)
        approved = min(wallet.allowance, UNLIMITED)
    else:
        found = exchange.listed.by_token.get(_first(query, "token_id"))
        if found is None:
            return replies.NO_MARKET.answer()
        held = engine_reads.positions(exchange.engine, wallet.account, now)
        amount = held.get((found[0].market.market_id, found[1]), 0)
        approved = UNLIMITED if wallet.shares_approved else 0
    contracts = (STANDARD.contract, NEG_RISK.contract, PROTOCOL_2.contract)
    own = _first(query, "signature_type") in ("", str(SIGNATURE_TYPES[wallet.wallet_type]))
    allowance = str(approved) if own else "0"
    shown = str(amount) if own else "0"
    return replies.ok({"balance": shown, "allowances": {str(contract): allowance for contract in contracts}})


# -- pages


def _page(everything: list[dict[str, Any]], start: int) -> dict[str, Any]:
    shown = everything[start : start + PAGE]
    more = start + PAGE < len(everything)
    cursor = base64.b64encode(str(start + PAGE).encode()).decode() if more else LAST_CURSOR
    return {"data": shown, "next_cursor": cursor, "limit": PAGE, "count": len(shown)}


def _cursor(text: str, *, plain: bool = False) -> int:
    try:
        digits = text if plain else base64.b64decode(text, validate=True).decode("ascii")
    except ValueError:
        return 0
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else 0


def _first(query: Query, name: str) -> str:
    return (query.get(name) or [""])[0]
