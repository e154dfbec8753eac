"""The reader against a table of raw frames; labels name the Autobahn section that the case is taken from."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.raw_peer import BINARY, CLOSE, CONT, PING, PONG, QUICK, TEXT, Connection, a_feed, frame, raw_peer

BIG = b"m" * 65_536
LIMIT = QUICK.message_bytes


@dataclass(frozen=True)
class Case:
    """What the venue sends after the handshake, what comes out, and why the connection ends (None: it lives)."""

    label: str
    sent: bytes
    texts: tuple[bytes, ...] = ()
    ends: str | None = None


def text(payload: bytes) -> bytes:
    return frame(TEXT, payload)


SIZES = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, LIMIT]
LIVES = [
    *(Case(f"1.1 text of {size}", text(b"a" * size), (b"a" * size,)) for size in SIZES),
    *(Case(f"1.2 binary of {size}", frame(BINARY, b"a" * size), (b"a" * size,)) for size in (0, 126, 65_536)),
    Case(
        "1.1 a burst in one segment",
        b"".join(text(b"%d" % n) for n in range(2_000)),
        tuple(b"%d" % n for n in range(2_000)),
    ),
    Case("1.1 length in 16 bits that needs 7", b"\x81\x7e\x00\x03abc", (b"abc",)),
    Case("1.1 length in 64 bits that needs 7", b"\x81\x7f" + bytes(7) + b"\x03abc", (b"abc",)),
    Case("2.1 ping without payload", frame(PING)),
    Case("2.2 ping with payload", frame(PING, b"hello")),
    Case("2.4 ping of 125 bytes", frame(PING, b"p" * 125)),
    Case("2.7 pong nobody asked for", frame(PONG)),
    Case("2.8 pong nobody asked for, with payload", frame(PONG, b"x")),
    Case("2.10 ten pings", b"".join(frame(PING, b"%d" % n) for n in range(10))),
    Case("5.3 text in two fragments", frame(TEXT, b"ab", fin=False) + frame(CONT, b"cd"), (b"abcd",)),
    Case(
        "5.4 text in byte-sized fragments",
        frame(TEXT, b"a", fin=False) + frame(CONT, b"b", fin=False) * 20 + frame(CONT, b"c"),
        (b"a" + b"b" * 20 + b"c",),
    ),
    Case(
        "5.6 ping between fragments", frame(TEXT, b"ab", fin=False) + frame(PING, b"?") + frame(CONT, b"cd"), (b"abcd",)
    ),
    Case(
        "5.7 pong between fragments", frame(TEXT, b"ab", fin=False) + frame(PONG, b"?") + frame(CONT, b"cd"), (b"abcd",)
    ),
    Case("5.8 binary in two fragments", frame(BINARY, b"ab", fin=False) + frame(CONT, b"cd"), (b"abcd",)),
    Case("6.1 empty text", text(b""), (b"",)),
    Case("6.1 empty fragments", frame(TEXT, b"", fin=False) + frame(CONT, b"", fin=False) + frame(CONT, b""), (b"",)),
    Case("6.3 text that is no UTF-8", text(b"\xce\xba\xed\xa0\x80"), (b"\xce\xba\xed\xa0\x80",)),
    Case(
        "6.4 fragments split inside a character",
        frame(TEXT, b"\xe2\x82", fin=False) + frame(CONT, b"\xac"),
        (b"\xe2\x82\xac",),
    ),
    Case(
        "fragments then plain, twice",
        (frame(TEXT, b"a", fin=False) + frame(CONT, b"b") + text(b"c")) * 2,
        (b"ab", b"c", b"ab", b"c"),
    ),
    Case("9.1 large text", text(BIG * 15), (BIG * 15,)),
    Case(
        "9.3 large text in fragments",
        frame(TEXT, BIG, fin=False) + frame(CONT, BIG, fin=False) * 13 + frame(CONT, BIG),
        (BIG * 15,),
    ),
]
ENDS = [
    *(Case(f"3 reserved bits {bits}", frame(TEXT, b"x", rsv=bits), ends="broken frame") for bits in range(1, 8)),
    Case("3.3 reserved bits behind good text", text(b"ok") + frame(TEXT, b"x", rsv=4), (b"ok",), "broken frame"),
    Case("3.5 reserved bits on a ping", frame(PING, b"", rsv=1), ends="broken frame"),
    *(Case(f"4.1 reserved opcode {code}", frame(code, b"x"), ends="broken frame") for code in range(3, 8)),
    *(Case(f"4.2 reserved control opcode {code}", frame(code, b"x"), ends="broken frame") for code in range(11, 16)),
    Case("2.5 ping of 126 bytes", frame(PING, b"p" * 126), ends="long or fragmented control frame"),
    Case("5.1 fragmented ping", frame(PING, b"p", fin=False), ends="long or fragmented control frame"),
    Case("5.2 fragmented pong", frame(PONG, b"p", fin=False), ends="long or fragmented control frame"),
    Case("7.3 fragmented close", frame(CLOSE, b"", fin=False), ends="long or fragmented control frame"),
    Case("5.9 continuation of nothing", frame(CONT, b"x"), ends="broken frame"),
    Case("5.10 open continuation of nothing", frame(CONT, b"x", fin=False), ends="broken frame"),
    Case("5.11 text, then continuation of nothing", text(b"a") + frame(CONT, b"x"), (b"a",), "broken frame"),
    Case("5.18 text inside a fragmented text", frame(TEXT, b"a", fin=False) + text(b"b"), ends="broken frame"),
    Case(
        "5.18 binary inside a fragmented text", frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"), ends="broken frame"
    ),
    Case("5.18 new text fragment inside a fragmented text", frame(TEXT, b"a", fin=False) * 2, ends="broken frame"),
    Case("masked text", frame(TEXT, b"x", masked=True), ends="masked frame"),
    Case("masked ping", frame(PING, b"x", masked=True), ends="masked frame"),
    Case("masked text of 300 bytes", frame(TEXT, b"x" * 300, masked=True), ends="masked frame"),
    Case("a length of 1 TiB", b"\x81\x7f" + (1 << 40).to_bytes(8), ends="above the limit"),
    Case("a length with the highest bit", b"\x81\x7f" + b"\xff" * 8, ends="above the limit"),
    Case("a binary length of 1 TiB", b"\x82\x7f" + (1 << 40).to_bytes(8), ends="above the limit"),
    Case("a ping length of 1 TiB", b"\x89\x7f" + (1 << 40).to_bytes(8), ends="long or fragmented control frame"),
    Case("one byte above the limit", frame(TEXT, b"x" * (LIMIT + 1)), ends="above the limit"),
    Case(
        "fragments above the limit",
        frame(TEXT, BIG, fin=False) + frame(CONT, BIG, fin=False) * 16,
        ends="above the limit",
    ),
    Case(
        "last fragment above the limit",
        frame(TEXT, b"x", fin=False) + frame(CONT, b"x" * LIMIT),
        ends="above the limit",
    ),
    Case("7.1 close without a code", frame(CLOSE), ends="closed the connection without a code"),
    *(
        Case(f"7.7 close {code}", frame(CLOSE, code.to_bytes(2) + b"bye"), ends=f"closed the connection: {code} bye")
        for code in (1000, 1001, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4999)
    ),
    *(
        Case(f"7.9 close with the wrong code {code}", frame(CLOSE, code.to_bytes(2)), ends="broken frame")
        for code in (0, 999, 1004, 1005, 1006, 1016, 2999, 5000, 65535)
    ),
    Case("7.3 close with one byte", frame(CLOSE, b"\x03"), ends="broken frame"),
    Case("7.3 close of 126 bytes", frame(CLOSE, b"\x03\xe8" + b"x" * 124), ends="long or fragmented control frame"),
    Case(
        "7.5 close with a reason that is no UTF-8",
        frame(CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80"),
        ends="connection: 1000",
    ),
    Case(
        "close with a hostile reason",
        frame(CLOSE, b"\x03\xe8\x1b]0;owned\x07\nx"),
        ends="closed the connection: 1000 ]0;owned x",
    ),
    Case("7.1 text after close", text(b"a") + frame(CLOSE, b"\x03\xe8") + text(b"late"), (b"a",), "connection: 1000"),
    Case(
        "7.1 close inside a fragmented text",
        frame(TEXT, b"a", fin=False) + frame(CLOSE, b"\x03\xe9"),
        ends="connection: 1001",
    ),
    Case("plain HTTP instead of frames", b"HTTP/1.1 500 oops\r\n\r\n", ends="control frame"),
]


@pytest.mark.parametrize("case", LIVES, ids=lambda case: case.label)
def test_messages_come_out_whole_and_the_connection_lives(case: Case) -> None:
    def script(peer: Connection) -> None:
        peer.shake_hands()
        peer.sock.sendall(case.sent + text(b"END"))
        peer.hold()

    with raw_peer(script) as url, a_feed(url) as (feed, watch):
        watch.until(lambda: watch.texts[-1:] == [b"END"])

        assert watch.texts == [*case.texts, b"END"]
        assert watch.downs == []
        assert feed.counters.frames == len(watch.texts)


@pytest.mark.parametrize("case", LIVES, ids=lambda case: case.label)
def test_the_same_bytes_in_pieces_give_the_same_messages(case: Case) -> None:
    step = max(3, len(case.sent) // 40)

    def script(peer: Connection) -> None:
        peer.shake_hands()
        whole = case.sent + text(b"END")
        for at in range(0, len(whole), step):
            peer.sock.sendall(whole[at : at + step])
            peer.wait(0.0003)
        peer.hold()

    with raw_peer(script) as url, a_feed(url) as (_, watch):
        watch.until(lambda: watch.texts[-1:] == [b"END"])

        assert watch.texts == [*case.texts, b"END"]
        assert watch.downs == []


@pytest.mark.parametrize("case", ENDS, ids=lambda case: case.label)
def test_what_may_not_be_ends_the_connection_and_says_why(case: Case) -> None:
    def script(peer: Connection) -> None:
        peer.shake_hands()
        peer.sock.sendall(case.sent)
        peer.hold()

    with raw_peer(script, lambda peer: peer.hold()) as url, a_feed(url) as (_, watch):
        watch.until(lambda: watch.downs)

        assert case.ends is not None
        assert case.ends in watch.downs[0]
        assert watch.texts == list(case.texts)
        assert [state.kind for state in watch.states[:3]] == ["connecting", "live", "down"]


def test_a_ping_is_answered_with_its_payload_and_frames_of_the_client_are_masked() -> None:
    answers: list[tuple[int, bytes]] = []

    def script(peer: Connection) -> None:
        peer.shake_hands()
        peer.sock.sendall(frame(PING, b"are you there"))
        answers.append(peer.read_frame())
        peer.sock.sendall(text(b"END"))
        peer.hold()

    with raw_peer(script) as url, a_feed(url) as (_, watch):
        watch.until(lambda: watch.texts)

    assert answers == [(PONG, b"are you there")]


def test_frames_behind_the_handshake_in_the_same_segment_are_read() -> None:
    def script(peer: Connection) -> None:
        peer.shake_hands(then=text(b"first") + frame(TEXT, b"sec", fin=False))
        peer.sock.sendall(frame(CONT, b"ond"))
        peer.hold()

    with raw_peer(script) as url, a_feed(url) as (_, watch):
        watch.until(lambda: len(watch.texts) == 2)

        assert watch.texts == [b"first", b"second"]
