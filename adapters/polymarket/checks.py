"""Everything about an account that can be looked at without trading: keys, wallet, clock, place, funds, approvals.

`doctor` prints it, and live trading starts only where all of it is fine. An order is signed and verified, never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from adapters.checkup import (
    ACCOUNT,
    API_KEY,
    CLOCK,
    FUNDS,
    KEYS,
    LOWEST_FUNDS,
    SIGNING,
    asked,
    compared_clocks,
)
from adapters.http import HttpReader
from adapters.polymarket.account import Account, make_account
from adapters.polymarket.adapter import CLOB_URL, PolymarketVenue
from adapters.polymarket.order_wire import Balance
from adapters.polymarket.rest import PolymarketRest
from adapters.polymarket.signing import NEG_RISK, STANDARD
from adapters.polymarket.terms import MarketTerms
from adapters.polymarket.trading import PolymarketOrders
from adapters.rate import RateBudget
from adapters.venue import MissingKeysError, VenueReadError, VenueReadRefusedError
from models.checkup import Check, Grade, fine, skipped, unreachable, wrong
from models.clock import Clock, WallNs
from models.config_machine import VenueOptions
from models.market import Action, MarketId, Outcome, SetId, VenueName
from models.money import MICRO, MicroShares, PriceMicros, text
from models.orders import AttemptId, ClientOrderId, OrderIntent, Purpose, TimeInForce

PLACE: Final = "place"
APPROVALS: Final = "approvals"
ONLINE: Final = (CLOCK, PLACE, API_KEY, ACCOUNT, FUNDS, APPROVALS)

_CONTRACTS: Final = {"standard markets": STANDARD, "neg-risk markets": NEG_RISK}


def checks(
    options: VenueOptions, secrets: Mapping[str, str], clock: Clock, *, offline: bool, max_skew_ms: int
) -> Iterator[Check]:
    """In the order in which they make sense; what depends on a failed one is skipped."""
    try:
        account = make_account(options, secrets)
    except MissingKeysError as error:
        yield wrong(KEYS, str(error), "put it right in .env (or venues.polymarket in config.yaml), then try again")
        yield from (skipped(name, "needs the keys") for name in (SIGNING, *ONLINE))
        return
    yield fine(KEYS, f"{account.wallet.value} wallet {account.funder}, signed for by {account.address}")
    yield _signing(account, clock)
    if offline:
        yield from (skipped(name, "not asked for (--offline)") for name in ONLINE)
        return
    orders = PolymarketOrders(options, account, clock)
    try:
        yield from _online(options, orders, clock, max_skew_ms)
    finally:
        orders.close()


def _online(options: VenueOptions, orders: PolymarketOrders, clock: Clock, max_skew_ms: int) -> Iterator[Check]:
    yield _clock(options, clock, max_skew_ms)
    yield _asked(PLACE, lambda: _place(orders))
    key = _asked(API_KEY, lambda: _api_key(orders))
    yield key
    if key.grade is not Grade.FINE:
        yield from (skipped(name, "needs an API key that is accepted") for name in (ACCOUNT, FUNDS, APPROVALS))
        return
    yield _asked(ACCOUNT, lambda: _account(orders))
    funds = _asked(FUNDS, lambda: _funds(orders))
    yield funds
    if funds.grade is Grade.WRONG:  # perhaps another wallet is meant, and that one has its own approvals
        yield skipped(APPROVALS, "looked at when the funds are there")
    else:
        yield _asked(APPROVALS, lambda: _approvals(options, orders, clock))


def _signing(account: Account, clock: Clock) -> Check:
    """Sign an order that nobody will see, and find the key behind it again."""
    intent = OrderIntent(
        client_order_id=ClientOrderId("doctor"),
        attempt_id=AttemptId("doctor"),
        set_id=SetId("doctor"),
        venue=VenueName("polymarket"),
        market_id=MarketId("0x" + "00" * 32),
        leg=0,
        outcome=Outcome.YES,
        action=Action.BUY,
        limit_price=PriceMicros(500_000),
        size=MicroShares(10 * MICRO),
        time_in_force=TimeInForce.FOK,
        purpose=Purpose.OPEN,
        at=WallNs(clock.wall_ns()),
    )
    terms = MarketTerms(1 << 255, (1 << 255) + 1, neg_risk=False)
    order_id, verified = account.test_signature(intent, terms)
    if not verified:
        return wrong(SIGNING, "a test order's signature leads to another key", "report this; nothing was sent")
    return fine(SIGNING, f"a test order was signed and verified ({order_id[:10]}…), and not sent")


def _clock(options: VenueOptions, clock: Clock, max_skew_ms: int) -> Check:
    clob = (options.rest_url or CLOB_URL).rstrip("/")
    reader = HttpReader(RateBudget(clock, 5))
    try:
        return compared_clocks(clock, PolymarketRest(reader, clob, clob).time_ms, max_skew_ms)
    except (VenueReadError, VenueReadRefusedError) as error:
        return unreachable(CLOCK, f"the venue's clock could not be read ({error})")
    finally:
        reader.close()


def _place(orders: PolymarketOrders) -> Check:
    here = orders.rest.geoblock()
    if here.blocked:
        where = "-".join(part for part in (here.country, here.region) if part) or "here"
        return wrong(
            PLACE,
            f"the venue does not take orders from this place ({where})",
            "trade from a place where the venue allows it; there is no switch for this",
        )
    return fine(PLACE, "the venue takes orders from here")


def _api_key(orders: PolymarketOrders) -> Check:
    """Any signed question shows whether key, secret, passphrase and private key belong together."""
    orders.rest.closed_only()
    return fine(API_KEY, "accepted")


def _account(orders: PolymarketOrders) -> Check:
    if orders.rest.closed_only():
        return wrong(
            ACCOUNT,
            "the venue lets this account close positions only",
            "ask the venue's support why; until then run with --paper",
        )
    return fine(ACCOUNT, "may open positions")


def _funds(orders: PolymarketOrders) -> Check:
    cash = orders.balances()
    if cash < LOWEST_FUNDS:
        return wrong(
            FUNDS,
            f"{text(cash)} pUSD in the wallet that wallet_type and FUNDER name",
            "deposit pUSD; if it is there, state the wallet_type and FUNDER of the wallet that holds it",
        )
    return fine(FUNDS, f"{text(cash)} pUSD")


def _approvals(options: VenueOptions, orders: PolymarketOrders, clock: Clock) -> Check:
    """The exchange contracts may only move what the wallet has approved: dollars to buy, shares to sell back."""
    if missing := _not_approved(orders.rest.balance("COLLATERAL")):
        return wrong(
            APPROVALS,
            f"the wallet has not approved pUSD for the exchange of {' and of '.join(missing)}",
            "approve it once, on the venue's web page or by a call of approve() on the pUSD contract",
        )
    token = _some_token(options, clock)
    if token is None:
        return unreachable(APPROVALS, "pUSD is approved; no open market was found to ask about shares")
    if missing := _not_approved(orders.rest.balance("CONDITIONAL", token)):
        return wrong(
            APPROVALS,
            f"the wallet has not approved its shares for the exchange of {' and of '.join(missing)}: a half-filled set "
            "could not be sold back",
            "approve them once, on the venue's web page or by setApprovalForAll() on the conditional tokens contract",
        )
    return fine(APPROVALS, "pUSD and shares are approved for the exchanges")


def _some_token(options: VenueOptions, clock: Clock) -> str | None:
    """A share of any open market: the approval is for all of them, but the venue wants one named."""
    venue = PolymarketVenue(options, clock, 5)
    try:
        listed = venue.find("")
    finally:
        venue.close()
    return listed[0].yes_instrument if listed else None


def _not_approved(balance: Balance) -> list[str]:
    allowed = {address.lower(): amount for address, amount in balance.allowances.items()}
    return [name for name, domain in _CONTRACTS.items() if not _positive(allowed.get(str(domain.contract).lower(), ""))]


def _positive(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and int(digits) > 0


def _asked(name: str, ask: Callable[[], Check]) -> Check:
    return asked(name, ask, _refused)


def _refused(name: str, words: str) -> Check:
    if "HTTP 401" in words:
        return wrong(
            name,
            "the venue does not accept the API key, its secret or passphrase for this private key",
            "make the API key anew with this private key and put all four into .env; a wrong clock does this, too",
        )
    return wrong(name, f"the venue refused the question ({words})", "look at the venue's status page")
