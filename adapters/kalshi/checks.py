"""Everything about an account that can be looked at without trading: key, signature, clock, exchange, account, funds.

`doctor` prints it, and live trading starts only where all of it is fine. A request is signed and verified; what is sent
are questions only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
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
from adapters.kalshi.adapter import REST_URL, WS_URL
from adapters.kalshi.order_wire import ORDERS_PATH
from adapters.kalshi.private_rest import PrivateRest
from adapters.kalshi.rest import KalshiRest
from adapters.kalshi.signing import (
    TRADES,
    KeyFileError,
    PrivateKey,
    RequestSigner,
    load_key,
    message,
    signature,
    verified,
)
from adapters.rate import RateBudget
from adapters.venue import VenueReadRefusedError
from models.checkup import Check, Grade, fine, skipped, unreachable, wrong
from models.clock import MS, SECOND, Clock
from models.config_machine import VenueOptions
from models.hostile import clean
from models.money import MoneyError, parse_micros, text

EXCHANGE: Final = "exchange"
ONLINE: Final = (CLOCK, EXCHANGE, API_KEY, ACCOUNT, FUNDS)

TOTAL_S: Final = 5.0


def checks(
    options: VenueOptions, secrets: Mapping[str, str], clock: Clock, *, offline: bool, max_skew_ms: int
) -> Iterator[Check]:
    """In the order in which they make sense; what depends on a failed one is skipped."""
    key = _key(secrets)
    if isinstance(key, Check):
        yield key
        yield from (skipped(name, "needs the keys") for name in (SIGNING, *ONLINE))
        return
    yield fine(KEYS, f"{_kind(key)}, readable by you only")
    yield _signing(key, clock)
    if offline:
        yield from (skipped(name, "not asked for (--offline)") for name in ONLINE)
        return
    signer = RequestSigner(secrets["KEY_ID"], key)
    base = options.rest_url or REST_URL
    rest = PrivateRest(signer, base, clock, subaccount=options.subaccount, total_s=TOTAL_S)
    try:
        yield from _online(rest, base, clock, secrets["KEY_ID"], options.subaccount or 0, max_skew_ms)
    finally:
        rest.close()


def _online(
    rest: PrivateRest, base: str, clock: Clock, key_id: str, subaccount: int, max_skew_ms: int
) -> Iterator[Check]:
    """One trouble is told once: with a wrong clock every signature is refused, with a wrong key every question."""
    reader = HttpReader(RateBudget(clock, 5))
    public = KalshiRest(reader, base, None, clock)
    try:
        in_time = _asked(CLOCK, lambda: compared_clocks(clock, public.time_ms, max_skew_ms))
        exchange = _asked(EXCHANGE, lambda: _exchange(public))
    finally:
        reader.close()
    yield in_time
    if in_time.grade is Grade.WRONG:
        yield from (skipped(name, "needs the right time") for name in ONLINE[1:])
        return
    if in_time.grade is Grade.UNREACHABLE:
        yield from (skipped(name, "needs the venue") for name in ONLINE[1:])
        return
    yield exchange
    key = _asked(API_KEY, lambda: _api_key(rest, key_id, clock.wall_ns() // SECOND))
    yield key
    if key.grade is Grade.FINE:
        yield _asked(ACCOUNT, lambda: _account(rest, subaccount))
        yield _asked(FUNDS, lambda: _funds(rest))
    else:
        yield from (skipped(name, "needs a key that works") for name in (ACCOUNT, FUNDS))


def _key(secrets: Mapping[str, str]) -> PrivateKey | Check:
    missing = [name for name in ("KEY_ID", "PRIVATE_KEY_PATH") if not secrets.get(name)]
    if missing:
        names = " and ".join(f"DUTCHBOOK_KALSHI_{name}" for name in missing)
        return wrong(KEYS, f"not set: {names}", "make a key in the account's settings and name it in .env")
    try:
        return load_key(Path(secrets["PRIVATE_KEY_PATH"]))
    except KeyFileError as error:
        return wrong(
            KEYS,
            f"the file of DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH {error}",
            "name the PEM file that the venue let you download, mode 0600",
        )


def _kind(key: PrivateKey) -> str:
    size = getattr(key, "key_size", None)
    return "an Ed25519 key" if size is None else f"an RSA key of {size} bits"


def _signing(key: PrivateKey, clock: Clock) -> Check:
    """Sign a request that nobody will send."""
    signed = message(clock.wall_ns() // MS, "POST", f"/trade-api/v2{ORDERS_PATH}")
    if not verified(key.public_key(), signed, signature(key, signed)):
        return wrong(SIGNING, "a test signature does not verify", "report this; nothing was sent")
    return fine(SIGNING, "a test request was signed and verified, and not sent")


def _exchange(public: KalshiRest) -> Check:
    """Asked without a signature, so that a key that does not fit is the key's trouble alone."""
    status = public.status()
    if not (status.exchange_active and status.trading_active):
        return unreachable(
            EXCHANGE, "the exchange does not trade now", "wait; Thursdays 03:00 to 05:00 ET it never does"
        )
    closed = [s.exchange_index for s in status.exchange_index_statuses or () if not status.trades(s.exchange_index)]
    return fine(EXCHANGE, f"trades, but for shards {closed}" if closed else "trades")


def _api_key(rest: PrivateRest, key_id: str, now_s: int) -> Check:
    """Any signed question shows whether key id and file belong together; the venue's list of keys, what this one may
    do. A key that may not ask for the list is found out by the first write, which makes the order groups.
    """
    rest.balance()
    try:
        listed = rest.api_keys()
    except VenueReadRefusedError:
        return fine(API_KEY, "accepted; it may not ask what it may do")
    own = next((key for key in listed.api_keys or () if key.api_key_id == key_id), None)
    scopes = None if own is None else own.scopes
    if scopes is not None and TRADES.isdisjoint(scopes):
        return wrong(
            API_KEY,
            f"the key may not trade (its scopes: {clean(', '.join(scopes), 60) or 'none'})",
            "for live trading make a key with the scope write, or write::trade; on paper this one is enough",
        )
    expires = listed.api_key_region_expiration_ts
    if expires is not None and expires <= now_s:
        return wrong(
            API_KEY,
            "what the account has said about its place is out of date, and keys may not trade until it is said again",
            "confirm the place on the venue's own page, from where you really are",
        )
    return fine(API_KEY, "accepted" if scopes is None else f"accepted, scopes {clean(', '.join(sorted(scopes)), 60)}")


def _account(rest: PrivateRest, subaccount: int) -> Check:
    """With collateral return on, cash moves and legs may not be sold in ways that the ledger does not reckon with."""
    configs = rest.netting().netting_configs or ()
    if any(config.enabled and config.subaccount_number == subaccount for config in configs):
        return wrong(
            ACCOUNT,
            "collateral return (netting across an event's markets) is on for this account",
            "switch it off in the account's settings, then sell or hold what was bought under it by hand",
        )
    return fine(ACCOUNT, f"subaccount {subaccount}, collateral return is off")


def _funds(rest: PrivateRest) -> Check:
    balance = rest.balance()
    try:
        cash = parse_micros(balance.balance_dollars)
        shards = {row.exchange_index: parse_micros(row.balance) for row in balance.balance_breakdown or ()}
    except MoneyError:
        return unreachable(FUNDS, "the venue's answer could not be read")
    where = ", ".join(f"{text(amount)} on shard {shard}" for shard, amount in sorted(shards.items()))
    if cash < LOWEST_FUNDS:
        return wrong(FUNDS, f"{text(cash)} dollars in the account", "deposit, and move cash to the shards you trade on")
    return fine(FUNDS, f"{text(cash)} dollars ({where})" if where else f"{text(cash)} dollars")


def _asked(name: str, ask: Callable[[], Check]) -> Check:
    return asked(name, ask, _refused)


def _refused(name: str, words: str) -> Check:
    what, _, remedy = words.partition(": ")
    return wrong(name, what, remedy or f"look at the venue's answer and its status page ({WS_URL.split('/')[2]})")
