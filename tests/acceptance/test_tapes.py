"""Recorded Polymarket frames through a real socket into the bot, and through `replay`."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stage import BINARY_TAPE, BITCOIN_TAPE, a_bot, a_venue, configure, document, until, verb


@pytest.mark.parametrize(("tape", "frames", "compared"), [(BINARY_TAPE, 119, 14), (BITCOIN_TAPE, 9_586, 0)])
def test_the_bot_on_paper_reads_every_recorded_frame_and_says_what_was_there(
    tmp_path: Path, tape: Path, frames: int, compared: int
) -> None:
    with a_venue("--dialect", "polymarket", "--tape", str(tape), "--speed", "max") as venue:
        venue.ready["tape"] = str(tape)
        configure(tmp_path, venue, "strategy:", "  min_minutes_to_close: 0")
        with a_bot(tmp_path) as bot:
            ended = venue.line()
            until("the end of the tape seen", lambda: bot.ask("status").get("feed", {}).get("state") == "down")
            code, out = bot.end()
            report = bot.report()
            text = verb(tmp_path, "report").stdout

    assert code == 0, out
    assert ended == {"tape_ended": True, "frames": frames}
    feed = report["feed"]
    assert (feed["frames"], feed["frames_unknown"], feed["frames_failed"]) == (frames, 0, 0)
    assert (feed["snapshots_checked"], feed["snapshots_equal"]) == (compared, compared)
    assert report["opportunities"]["by_verdict"].get("real", 0) == 0
    assert report["opportunities"]["traded"] == 0
    assert report["sum_cost"]["histogram"] != []
    assert "(0 unknown, 0 failed)" in text
    assert f"snapshots {compared}/{compared} equal" in text


def replayed(home: Path, tape: Path) -> dict[str, Any]:
    return document(home, "replay", str(tape), "--speed", "max")


def test_two_replays_in_two_processes_decide_alike_to_the_bit(tmp_path: Path) -> None:
    one, two = replayed(tmp_path, BINARY_TAPE), replayed(tmp_path, BINARY_TAPE)

    assert one == two
    assert len(one["decision_hash"]) == 64
    assert (one["frames"], one["frames_unknown"], one["frames_failed"]) == (119, 0, 0)
    assert (one["snapshots_checked"], one["snapshots_equal"]) == (14, 14)
    assert one["gaps"]["real"] == 0


def test_the_bitcoin_tape_replays_alike_and_shows_no_real_gap(tmp_path: Path) -> None:
    one, two = replayed(tmp_path, BITCOIN_TAPE), replayed(tmp_path, BITCOIN_TAPE)

    assert one["decision_hash"] == two["decision_hash"]
    assert (one["frames"], one["frames_unknown"], one["frames_failed"], one["snapshots_checked"]) == (9_586, 0, 0, 0)
    assert one["gaps"]["real"] == 0


@pytest.mark.parametrize("what", ["timestamp", "size"])
def test_one_changed_byte_gives_another_decision_hash(tmp_path: Path, what: str) -> None:
    changed = tmp_path / "changed.tape.jsonl.gz"
    with gzip.open(BINARY_TAPE, "rb") as tape:
        whole = tape.read()
    spoilt = with_one_byte_changed(whole, what)
    assert sum(a != b for a, b in zip(whole, spoilt, strict=True)) == 1
    changed.write_bytes(gzip.compress(spoilt, mtime=0))

    assert replayed(tmp_path, changed)["decision_hash"] != replayed(tmp_path, BINARY_TAPE)["decision_hash"]


def with_one_byte_changed(whole: bytes, what: str) -> bytes:
    """The last digit of the first change's exchange time, or of the size that it tells for a best price."""
    change = whole.index(b"price_changes")
    key = f'\\"{what}\\":\\"'.encode()
    end = whole.index(b'\\"', whole.index(key, change) + len(key))
    digit = b"4" if whole[end - 1 : end] != b"4" else b"5"
    return whole[: end - 1] + digit + whole[end:]
