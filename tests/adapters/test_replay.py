"""A tape through the decision: what the recordings hold, the same twice, and never the same after a changed byte."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.replay import ReplayError, replay
from adapters.tape import TapeError
from models.config import Config
from models.replay import ReplayResult
from models.verdict import Verdict
from tests.adapters.polymarket.examples import BINARY_TAPE, BTC_TAPE

DOOR = Path(__file__).parents[2] / "run.py"


@pytest.fixture(scope="session")
def btc() -> ReplayResult:
    """The 30 MB recording, once for all tests."""
    return replay(BTC_TAPE)


@pytest.fixture(scope="module")
def binary() -> ReplayResult:
    return replay(BINARY_TAPE)


def test_every_recorded_snapshot_equals_the_maintained_book(binary: ReplayResult) -> None:
    assert (binary.frames, binary.frames_unknown, binary.frames_failed) == (119, 0, 0)
    assert (binary.snapshots_checked, binary.snapshots_equal, binary.snapshots_emptied) == (14, 14, 0)
    assert binary.gaps == ()


def test_a_tape_of_snapshots_checks_none_and_holds_no_real_gap(btc: ReplayResult) -> None:
    assert (btc.frames, btc.frames_unknown, btc.frames_failed) == (9_586, 0, 0)
    assert (btc.snapshots_checked, btc.snapshots_equal) == (0, 0)
    assert len(btc.markets) == 9
    gaps = btc.gaps_by_verdict()
    assert gaps[Verdict.REAL] == 0
    assert gaps[Verdict.CROSSED] == 1, "the one crossed book of the recording, gone at the next snapshot"
    assert sum(gaps.values()) == len(btc.gaps) == btc.opportunities


def test_the_last_best_prices_are_the_recordings(binary: ReplayResult) -> None:
    (market,) = binary.markets

    assert (market.yes_bid, market.yes_ask, market.no_bid, market.no_ask) == (480_000, 500_000, 500_000, 520_000)


def test_the_json_object_has_the_promised_keys(btc: ReplayResult) -> None:
    document = json.loads(json.dumps(btc.as_json()))

    assert {
        "frames",
        "frames_unknown",
        "frames_failed",
        "snapshots_checked",
        "snapshots_equal",
        "snapshots_emptied",
        "decisions",
        "gaps",
        "decision_hash",
        "markets",
    } <= document.keys()
    assert set(document["gaps"]) == {"real", "skew", "stale", "half_update", "crossed"}
    assert document["markets"][3]["best"] == {"yes_bid": "0.99", "yes_ask": None, "no_bid": None, "no_ask": "0.01"}
    assert len(document["decision_hash"]) == 64


def test_another_process_finds_the_same_hash(binary: ReplayResult) -> None:
    command = [sys.executable, str(DOOR), "replay", str(BINARY_TAPE), "--speed", "max", "--json"]

    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert json.loads(finished.stdout) == binary.as_json()


Change = Callable[[list[dict[str, Any]]], None]


def deepest_size(lines: list[dict[str, Any]]) -> None:
    lines[2]["d"] = lines[2]["d"].replace("655155.31", "655155.32")


def receive_time(lines: list[dict[str, Any]]) -> None:
    lines[40]["t"] += 1


def title(lines: list[dict[str, Any]]) -> None:
    lines[0]["markets"][0]["title"] = "recorded binary Market"


def unused_hash(lines: list[dict[str, Any]]) -> None:
    lines[3]["d"] = lines[3]["d"].replace('"hash":"', '"hash":"0', 1)


@pytest.mark.parametrize("change", [deepest_size, receive_time, title, unused_hash])
def test_a_changed_byte_changes_the_hash(tmp_path: Path, binary: ReplayResult, change: Change) -> None:
    untouched, changed = tmp_path / "untouched.gz", tmp_path / "changed.gz"
    lines = gzip.decompress(BINARY_TAPE.read_bytes()).splitlines()
    documents = [json.loads(line) for line in lines]
    change(documents)
    untouched.write_bytes(gzip.compress(b"\n".join(lines), mtime=1))
    altered = [
        line if json.loads(line) == new else json.dumps(new).encode()
        for line, new in zip(lines, documents, strict=True)
    ]
    assert altered != lines
    changed.write_bytes(gzip.compress(b"\n".join(altered)))

    assert replay(untouched).decision_hash == binary.decision_hash
    assert replay(changed).decision_hash != binary.decision_hash


def test_the_pace_changes_nothing_that_is_decided(binary: ReplayResult) -> None:
    assert replay(BINARY_TAPE, speed=1_000) == binary


def test_the_operators_numbers_decide(btc: ReplayResult, tmp_path: Path) -> None:
    """A configuration of other markets still gives its numbers; the markets are the tape's."""
    config = Config(venue="polymarket", markets=("0xother",), strategy={"cost_buffer": "0.01"})  # type: ignore[arg-type]
    head = gzip.decompress(BTC_TAPE.read_bytes()).splitlines()[:5_000]
    path = tmp_path / "head.gz"
    path.write_bytes(gzip.compress(b"\n".join(head), compresslevel=1))

    shipped, buffered = replay(path), replay(path, config=config)

    assert len(shipped.gaps) == len(buffered.gaps) > 0
    assert [gap.best_edge - other.best_edge for gap, other in zip(shipped.gaps, buffered.gaps, strict=True)] == [
        8_000
    ] * len(shipped.gaps)
    assert shipped.gaps[0].best_edge == btc.gaps[0].best_edge


# -- hand-made tapes


def a_tape(path: Path, *lines: dict[str, Any], venue: str = "polymarket") -> Path:
    market = {"market_id": "0xc0", "title": "hand-made", "tokens": ["1", "2"], "tick": "0.01", "min_size": "5"}
    header = {"tape": 1, "venue": venue, "source": "test", "markets": [market]}
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(line).encode() for line in (header, *lines))))
    return path


def book(token: str, bid: str, ask: str, at_ms: int = 1_000) -> dict[str, Any]:
    return {
        "event_type": "book",
        "market": "0xc0",
        "asset_id": token,
        "timestamp": str(at_ms),
        "bids": [{"price": bid, "size": "50"}] if bid else [],
        "asks": [{"price": ask, "size": "50"}] if ask else [],
    }


def change(token: str, side: str, price: str, size: str, at_ms: int) -> dict[str, Any]:
    entry = {"asset_id": token, "side": side, "price": price, "size": size}
    return {"event_type": "price_change", "market": "0xc0", "timestamp": str(at_ms), "price_changes": [entry]}


def frame(*events: dict[str, Any], at_ms: int = 1_000, connection: int = 1) -> dict[str, Any]:
    return {"t": at_ms * 1_000_000, "x": "frame", "c": connection, "d": json.dumps(list(events))}


OPEN = {"t": 1_000_000_000, "x": "open", "c": 1}
BOTH = (book("1", "0.48", "0.50"), book("2", "0.50", "0.52"))


def test_a_gap_that_lasts_over_several_frames_is_one_episode(tmp_path: Path) -> None:
    path = a_tape(
        tmp_path / "t.gz",
        OPEN,
        frame(*BOTH),
        frame(change("2", "SELL", "0.45", "20", 1_010), at_ms=1_010),
        frame(change("2", "SELL", "0.44", "20", 1_020), at_ms=1_020),
        frame(change("2", "SELL", "0.44", "0", 1_030), change("2", "SELL", "0.45", "0", 1_030), at_ms=1_030),
        frame(change("2", "SELL", "0.46", "20", 1_040), at_ms=1_040),
    )

    result = replay(path)

    assert [(gap.evaluations, gap.lasted_ms, gap.verdict) for gap in result.gaps] == [
        (2, 10, Verdict.CROSSED),
        (1, 0, Verdict.CROSSED),
    ]


def test_one_changed_outcome_alone_is_no_real_gap(tmp_path: Path) -> None:
    path = a_tape(
        tmp_path / "t.gz",
        OPEN,
        frame(book("1", "0.40", "0.42"), book("2", "0.58", "0.60")),
        frame(book("2", "0.50", "0.52", 1_010), at_ms=1_010),
    )

    (gap,) = replay(path).gaps

    assert gap.verdict is not Verdict.REAL


def test_a_lost_connection_ends_the_gap_and_the_next_one_starts_from_its_own_snapshot(tmp_path: Path) -> None:
    gap = change("2", "SELL", "0.45", "20", 1_010)
    path = a_tape(
        tmp_path / "t.gz",
        OPEN,
        frame(*BOTH),
        frame(gap, at_ms=1_010),
        {"t": 1_020_000_000, "x": "close", "c": 1},
        {"t": 1_030_000_000, "x": "open", "c": 2},
        frame(gap, at_ms=1_040, connection=2),
        frame(book("1", "0.48", "0.50", 1_050), book("2", "0.50", "0.52", 1_050), at_ms=1_050, connection=2),
    )

    result = replay(path)

    assert len(result.gaps) == 1
    assert result.snapshots_checked == 0, "the change came before the connection's first snapshot"


def test_a_snapshot_that_differs_from_the_maintained_book_is_counted_as_unequal(tmp_path: Path) -> None:
    path = a_tape(
        tmp_path / "t.gz",
        OPEN,
        frame(*BOTH),
        frame(change("1", "BUY", "0.47", "5", 1_010), at_ms=1_010),
        frame(book("1", "0.48", "0.50", 1_020), at_ms=1_020),
        frame(book("1", "", "", 1_030), at_ms=1_030),
    )

    result = replay(path)

    assert (result.snapshots_checked, result.snapshots_equal, result.snapshots_emptied) == (1, 0, 1)


def test_recorded_rest_books_heal_a_book_as_they_did_when_it_was_recorded(tmp_path: Path) -> None:
    rest = {"t": 1_005_000_000, "x": "rest", "q": "POST /books", "d": json.dumps(BOTH)}
    path = a_tape(tmp_path / "t.gz", OPEN, rest, {**rest, "d": "<html>"}, {**rest, "q": "GET /time", "d": "5"})

    (market,) = replay(path).markets

    assert (market.yes_bid, market.no_ask) == (480_000, 520_000)


def test_frames_that_cannot_be_read_are_counted_and_close_the_gap(tmp_path: Path) -> None:
    path = a_tape(
        tmp_path / "t.gz",
        OPEN,
        frame(*BOTH),
        frame(change("2", "SELL", "0.45", "20", 1_010), at_ms=1_010),
        {"t": 1_020_000_000, "x": "frame", "c": 1, "d": "{"},
        {"t": 1_030_000_000, "x": "frame", "c": 1, "d": '{"event_type":"sunrise"}'},
        {"t": 1_030_000_000, "x": "frame", "c": 1, "d": "PONG"},
        {"t": 1_040_000_000, "x": "frame", "c": 9, "d": "[]"},
    )

    result = replay(path)

    assert (result.frames, result.frames_unknown, result.frames_failed) == (6, 1, 2)
    assert [gap.lasted_ms for gap in result.gaps] == [0]


def test_a_resolved_market_trades_nothing_more(tmp_path: Path) -> None:
    resolved = {"event_type": "market_resolved", "market": "0xc0", "winning_asset_id": "1"}
    path = a_tape(tmp_path / "t.gz", OPEN, frame(*BOTH, resolved))

    assert replay(path).frames_failed == 0


@pytest.mark.parametrize(
    ("venue", "message"), [("nowhere", "no venue is called 'nowhere'"), ("../etc", "no venue is called")]
)
def test_a_tape_of_an_unknown_venue_is_refused(tmp_path: Path, venue: str, message: str) -> None:
    with pytest.raises(ReplayError, match=message):
        replay(a_tape(tmp_path / "t.gz", venue=venue))


def test_a_tape_cut_short_is_replayed_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    content = BINARY_TAPE.read_bytes()
    path.write_bytes(content[: len(content) // 2])

    result = replay(path)

    assert result.cut
    assert 0 < result.frames < 119


def test_a_damaged_tape_raises(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(b"no tape")

    with pytest.raises(TapeError):
        replay(path)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["/nowhere/tape.gz"], 2), ([str(DOOR)], 1), ([str(BINARY_TAPE), "--speed", "0"], 2)],
)
def test_the_verb_says_what_is_wrong_and_exits_without_a_traceback(arguments: list[str], code: int) -> None:
    finished = subprocess.run(
        [sys.executable, str(DOOR), "replay", *arguments], capture_output=True, text=True, check=False, timeout=60
    )

    assert finished.returncode == code
    assert finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_text_names_verdicts_and_markets() -> None:
    finished = subprocess.run(
        [sys.executable, str(DOOR), "replay", str(BINARY_TAPE)], capture_output=True, text=True, check=True, timeout=60
    )

    assert "14 of 14 equal to the maintained book" in finished.stdout
    assert "0 real" in finished.stdout
    assert "recorded binary" in finished.stdout
