"""Tapes: what is written is what is read, a cut end is told, damage is refused."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest

from adapters.tape import LINE_MAX, Tape, TapeError, TapeHeader
from adapters.tape_writer import TapeWriter
from models.clock import BootNs, WallNs
from tests.adapters.polymarket.examples import BINARY_TAPE, a_market

HEADER = {"tape": 1, "venue": "polymarket", "markets": [{"market_id": "m1"}]}
FRAME = {"t": 5, "x": "frame", "c": 1, "d": "[]"}


def write(path: Path, *lines: object) -> Path:
    path.write_bytes(gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))
    return path


def read(path: Path) -> tuple[Tape, list[Any]]:
    with Tape(path) as tape:
        return tape, [line.event for line in tape.lines()]


def test_a_recorded_feed_reads_back_as_it_was_received(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "t.gz", TapeHeader(tape=1, venue="polymarket", markets=[{"market_id": "m1"}]))
    writer.start()

    number = writer.opened(WallNs(10), [a_market()])
    writer.frame(number, '{"title":"Zürich \\u2028 \n"}'.encode(), WallNs(11))
    writer.rest("POST /books", b"[]", WallNs(12))
    writer.closed(number, WallNs(13))

    assert writer.stop()
    tape, events = read(tmp_path / "t.gz")
    assert tape.header.venue == "polymarket"
    assert not tape.cut
    assert [(event.t, event.x, event.c) for event in events] == [
        (10, "open", 1),
        (11, "frame", 1),
        (12, "rest", 0),
        (13, "close", 1),
    ]
    assert events[0].m == [a_market().market_id]
    assert events[1].d == '{"title":"Zürich \\u2028 \n"}'
    assert events[2].q == "POST /books"


def test_a_recording_never_overwrites_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t.gz", HEADER)

    with pytest.raises(FileExistsError):
        TapeWriter(path, TapeHeader(tape=1, venue="polymarket", markets=[]))


def test_what_a_slow_disk_cannot_take_closes_the_connection_on_the_tape(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "t.gz", TapeHeader(tape=1, venue="polymarket", markets=[]), queue_max=3)

    first = writer.opened(WallNs(0))  # the thread does not run yet: nothing leaves the queue
    for at in range(1, 6):
        writer.frame(first, b"x", WallNs(at))
    second = writer.opened(WallNs(6))

    assert writer.dropped == 3
    writer.start()
    assert writer.stop()
    events = read(tmp_path / "t.gz")[1]
    assert [(event.t, event.x, event.c) for event in events] == [
        (0, "open", first),
        (1, "frame", first),
        (2, "frame", first),
        (3, "close", first),
        (6, "open", second),
    ]


def test_a_recording_ends_at_its_size_limit_and_says_so(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "t.gz", TapeHeader(tape=1, venue="polymarket", markets=[]), bytes_max=1)
    number = writer.opened(WallNs(0))
    writer.start()

    assert writer.stop()
    assert writer.failed is not None
    writer.frame(number, b"x", WallNs(1))
    assert writer.dropped == 1
    assert [event.x for event in read(tmp_path / "t.gz")[1]] == ["open"]


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "t.gz", HEADER | {"mood": "good"}, FRAME | {"rssi": 7})

    tape, events = read(path)

    assert tape.header.markets == [{"market_id": "m1"}]
    assert events[0].d == "[]"


def test_several_gzip_members_are_one_tape(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(b"".join(gzip.compress(json.dumps(line).encode() + b"\n") for line in (HEADER, FRAME, FRAME)))

    assert len(read(path)[1]) == 2


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_tape_without_its_end_is_read_as_far_as_it_goes(tmp_path: Path, share: float) -> None:
    whole = BINARY_TAPE.read_bytes()
    path = tmp_path / "t.gz"
    path.write_bytes(whole[: int(len(whole) * share)])

    tape, events = read(path)

    assert tape.cut
    assert 0 < len(events) <= 121
    assert events == read(BINARY_TAPE)[1][: len(events)]


def test_a_killed_recorder_leaves_every_flushed_line(tmp_path: Path) -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    lines = b"".join(json.dumps(line).encode() + b"\n" for line in (HEADER, FRAME, FRAME))
    path = tmp_path / "t.gz"
    path.write_bytes(packer.compress(lines) + packer.flush(zlib.Z_SYNC_FLUSH) + packer.compress(b'{"t":6,"x":"fr'))

    tape, events = read(path)

    assert (tape.cut, len(events)) == (True, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 0 is not a tape's header"),
        (b"not gzip", "cannot be decompressed"),
        (gzip.compress(b'{"venue":"x"}\n', mtime=0), "line 1 is not a tape's header"),
        (gzip.compress(json.dumps(HEADER | {"tape": 2}).encode(), mtime=0), "says tape version 2"),
        (gzip.compress(json.dumps(HEADER).encode() + b'\n{"t":1,"x":"wave"}\n', mtime=0), "line 2 is not an event"),
        (gzip.compress(json.dumps(HEADER).encode() + b'\n{"t":1.5,"x":"frame"}\n', mtime=0), "line 2 is not an event"),
        (gzip.compress(json.dumps(HEADER).encode(), mtime=0) + b"trailing garbage", "cannot be decompressed"),
    ],
)
def test_what_is_no_tape_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(content)

    with pytest.raises(TapeError, match=message):
        read(path)


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    content = bytearray(BINARY_TAPE.read_bytes())
    content[len(content) // 2] ^= 4
    path = tmp_path / "t.gz"
    path.write_bytes(content)

    with pytest.raises(TapeError):
        read(path)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(json.dumps(HEADER).encode() + b"\n" + b"x" * (8 * LINE_MAX)))

    with pytest.raises(TapeError, match="line 2 is longer"):
        read(path)


class _Clock:
    def wall_ns(self) -> WallNs:
        return WallNs(99)

    def boot_ns(self) -> BootNs:
        return BootNs(1)

    def call_after(self, delay_ns: int, callback: Any) -> threading.Timer:
        raise NotImplementedError
