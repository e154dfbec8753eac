"""Hand-made tapes through the decision: what crosses inside one exchange time is no gap."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.replay import replay
from models.config import Config
from models.config_parse import parse_config
from models.replay import ReplayResult
from models.verdict import Verdict
from tests.adapters.kalshi.examples import OTHER, TICKER, TS, delta, snapshot, subscribed, tape_entry

SECOND_NS = 1_000_000_000
START = TS * 1_000_000


def play(
    tmp_path: Path, *frames: tuple[float, dict[str, Any]], config: Config | None = None, **header: Any
) -> ReplayResult:
    """Frames with their seconds after the start, on one connection."""
    head = {"tape": 1, "venue": "kalshi", "markets": [tape_entry()], "use_yes_price": False} | header
    lines: list[dict[str, Any]] = [head, {"t": START, "x": "open", "c": 1}]
    lines += [{"t": START + round(s * SECOND_NS), "x": "frame", "c": 1, "d": json.dumps(f)} for s, f in frames]
    path = tmp_path / "t.tape.jsonl.gz"
    with gzip.open(path, "wt") as tape:
        tape.writelines(json.dumps(line) + "\n" for line in lines)
    return replay(path, config=config)


def crossing(first_ts: int, second_ts: int) -> list[tuple[float, dict[str, Any]]]:
    """A buyer at 0.45 takes the 10 that NO bids at 0.58 offer as YES at 0.42; his order shows before theirs is gone."""
    return [
        (0.0, subscribed()),
        (0.0, snapshot(1)),
        (1.0, delta(2, "yes", "0.4500", "10.00", ts=first_ts)),
        (1.001, delta(3, "no", "0.5800", "-10.00", ts=second_ts)),
        (1.001, delta(4, "yes", "0.4500", "-10.00", ts=second_ts)),
        (1.001, delta(5, "no", "0.5700", "4.00", ts=second_ts)),
        (2.0, delta(6, "yes", "0.3900", "1.00", ts=second_ts + 1_000)),
    ]


def test_deltas_of_one_time_that_cross_in_between_are_no_gap(tmp_path: Path) -> None:
    result = play(tmp_path, *crossing(TS + 1_000, TS + 1_000))

    assert (result.frames, result.frames_unknown, result.frames_failed) == (7, 0, 0)
    assert result.opportunities == 0
    assert result.gaps == ()
    (market,) = result.markets
    assert (market.yes_bid, market.yes_ask, market.no_bid, market.no_ask) == (400_000, 430_000, 570_000, 600_000)


def test_the_same_deltas_at_two_times_would_be_a_crossed_book_and_never_real(tmp_path: Path) -> None:
    result = play(tmp_path, *crossing(TS + 1_000, TS + 1_001))

    assert result.gaps_by_verdict()[Verdict.CROSSED] == 1
    assert result.gaps_by_verdict()[Verdict.REAL] == 0


def test_silence_ends_a_matching_event_at_its_own_moment(tmp_path: Path) -> None:
    """An hour later would be an hour of staleness: the book is judged fifty milliseconds after its last delta."""
    frames = crossing(TS + 1_000, TS + 1_001)
    frames[3:6] = [(3600.0, frame) for _, frame in frames[3:6]]
    result = play(tmp_path, *frames[:6])

    (gap,) = result.gaps
    assert gap.began_ms == TS + 1_050
    assert gap.verdict is Verdict.CROSSED


def test_the_last_deltas_of_a_tape_belong_to_its_end(tmp_path: Path) -> None:
    result = play(tmp_path, (0.0, subscribed()), (0.0, snapshot(1)), (0.0, delta(2, "yes", "0.4100", "1.00")))

    assert result.markets[0].yes_bid == 410_000


def test_snapshots_within_the_stream_are_checked_against_the_book(tmp_path: Path) -> None:
    whole = snapshot(3, yes=[("0.3900", "5.00"), ("0.4000", "25.00"), ("0.4100", "1.00")], no=[("0.5800", "10.00")])
    wrong = snapshot(5, yes=[("0.3900", "6.00")], no=[("0.5800", "10.00")])
    result = play(
        tmp_path,
        (0.0, subscribed()),
        (0.0, snapshot(1)),
        (1.0, delta(2, "yes", "0.4100", "1.00")),
        (2.0, whole),
        (3.0, delta(4, "yes", "0.4100", "1.00", ts=TS + 5)),
        (4.0, wrong),
    )

    assert (result.snapshots_checked, result.snapshots_equal) == (2, 1)


def test_a_gap_in_the_recording_leaves_books_not_ready_until_their_snapshots(tmp_path: Path) -> None:
    result = play(
        tmp_path,
        (0.0, subscribed()),
        (0.0, snapshot(1)),
        (1.0, delta(9, "yes", "0.4500", "1.00")),
        (1.5, delta(10, "yes", "0.5900", "1.00")),
        (2.0, {**snapshot(11, yes=[("0.4400", "1.00")]), "id": 7}),
        (3.0, delta(12, "yes", "0.4000", "3.00", ts=TS + 9)),
    )

    assert result.frames_failed == 0
    assert result.markets[0].yes_bid == 440_000


@pytest.mark.parametrize("priced_as_yes", [True, False])
def test_the_header_says_how_no_is_priced(tmp_path: Path, priced_as_yes: bool) -> None:
    no = "0.4200" if priced_as_yes else "0.5800"
    book = snapshot(1, yes=[("0.4000", "1.00")], no=[(no, "2.00")])
    result = play(tmp_path, (0.0, subscribed()), (0.0, book), use_yes_price=priced_as_yes)

    assert (result.markets[0].no_bid, result.markets[0].yes_ask) == (580_000, 420_000)


BASKET = """
venue: kalshi
markets: [KXSIM-26DEC31-A, KXSIM-26DEC31-B, KXSIM-26DEC31-C]
sets:
  - id: basket
    kind: no_basket
    legs:
      - {market: KXSIM-26DEC31-A, outcome: no}
      - {market: KXSIM-26DEC31-B, outcome: no}
      - {market: KXSIM-26DEC31-C, outcome: no}
strategy: {min_edge: 0.005, cost_buffer: 0, min_depth: 1, min_minutes_to_close: 0}
execution: {order_size: 10}
"""


def test_a_no_basket_is_believed_once_every_leg_was_seen_whole_since_it_opened(tmp_path: Path) -> None:
    """YES bids of 0.40 + 0.35 + 0.30: three NOs cost 1.95 and pay 2 at least."""
    tickers = (TICKER, OTHER, "KXSIM-26DEC31-C")
    bids = dict(zip(tickers, ("0.3000", "0.3500", "0.3000"), strict=True))
    first = [(0.0, snapshot(n, t, yes=[(bids[t], "100.00")], no=())) for n, t in enumerate(tickers, 1)]
    opens = (0.1, delta(4, "yes", "0.4000", "100.00"))
    whole = [(0.2 + n / 100, snapshot(4 + n, t, yes=[(bids[t], "100.00")], no=())) for n, t in enumerate(tickers, 1)]
    whole[0] = (0.21, snapshot(5, TICKER, yes=[("0.3000", "100.00"), ("0.4000", "100.00")], no=()))
    config = parse_config(BASKET, "basket")
    assert isinstance(config, Config), config
    markets = [tape_entry(ticker, fee_multiplier="0") for ticker in tickers]

    doubted = play(tmp_path, (0.0, subscribed()), *first, opens, config=config, markets=markets)
    believed = play(tmp_path, (0.0, subscribed()), *first, opens, *whole, config=config, markets=markets)

    assert [(gap.set_id, gap.verdict) for gap in doubted.gaps] == [("basket", Verdict.STALE)]
    assert [(gap.set_id, gap.verdict, gap.best_edge) for gap in believed.gaps] == [("basket", Verdict.REAL, 50_000)]
