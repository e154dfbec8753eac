"""Whatever bytes come, and however TCP cuts them: the same messages, one typed end, nothing else."""

from __future__ import annotations

import gc
import socket
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.clock import SystemClock
from adapters.feed_frames import Frames, Kind
from adapters.feed_socket import FeedTrouble, Stream, Wake
from models.clock import SECOND
from tests.raw_peer import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame

CLOCK = SystemClock()
LIMIT = 2_000

PAYLOADS = st.binary(max_size=300) | st.integers(0, 2_500).map(lambda size: b"x" * size)
FRAMES = st.builds(
    frame,
    st.sampled_from([TEXT, TEXT, TEXT, CONT, BINARY, PING, PONG, CLOSE, 3, 11]),
    PAYLOADS,
    fin=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 0, 0, 1]),
    masked=st.sampled_from([False] * 9 + [True]),
)
STREAMS = st.one_of(
    st.lists(FRAMES, max_size=12).map(b"".join),
    st.binary(max_size=400),
    st.builds(
        lambda frames, at, byte: _spoilt(b"".join(frames), at, byte),
        st.lists(FRAMES),
        st.integers(0),
        st.binary(max_size=3),
    ),
)


def _spoilt(data: bytes, at: int, put: bytes) -> bytes:
    at %= len(data) + 1
    return data[:at] + put + data[at + len(put) :]


def read(chunks: Sequence[bytes]) -> tuple[list[bytes], str]:
    """Every message that comes out of the chunks, and how it ended ("" while the connection lives)."""
    messages: list[bytes] = []
    ours, theirs = socket.socketpair()
    with ours, theirs, Wake() as wake:
        ours.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        stream = Stream(ours, wake, CLOCK)
        frames = Frames(stream, CLOCK, message_bytes=LIMIT, message_ns=60 * SECOND, send_ns=SECOND)
        try:
            for chunk in chunks:
                theirs.sendall(chunk)
                assert stream.fill(CLOCK.boot_ns()) or not chunk
                while True:
                    if texts := frames.texts(4):
                        messages += texts
                    elif (found := frames.other()) is None:
                        break
                    elif found[0] is Kind.CLOSE:
                        return messages, "closed"
                    elif found[0] is Kind.DATA:
                        messages.append(found[1])
        except FeedTrouble as trouble:
            return messages, str(trouble)
    return messages, ""


@given(data=STREAMS, cuts=st.lists(st.integers(0, 4_000), max_size=12))
@example(data=frame(TEXT, b"a" * 126) + frame(CLOSE, b"\x03\xe8"), cuts=[1, 2, 3, 4])
def test_the_cuts_of_tcp_do_not_matter(data: bytes, cuts: list[int]) -> None:
    ends = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    whole = read([data])

    assert read([data[start:end] for start, end in pairwise(ends)]) == whole
    assert all(len(message) <= LIMIT for message in whole[0])


@given(payloads=st.lists(st.binary(max_size=LIMIT), max_size=30))
def test_what_is_sent_as_text_frames_comes_out_as_it_was(payloads: list[bytes]) -> None:
    assert read([b"".join(frame(TEXT, payload) for payload in payloads)]) == (payloads, "")


def test_a_closed_connection_gives_its_memory_back_before_any_collector_runs() -> None:
    """Connection and websocket-client refer to each other; dead ones looked like a leak of 14 MB an hour."""
    gc.disable()
    tracemalloc.start()
    try:
        kept = 0
        for number in range(13):
            ours, theirs = socket.socketpair()
            with theirs, Wake() as wake:
                ours.setblocking(False)
                stream = Stream(ours, wake, CLOCK)
                frames = Frames(stream, CLOCK, message_bytes=LIMIT, message_ns=60 * SECOND, send_ns=SECOND)
                theirs.sendall(frame(TEXT, b"x"))
                assert stream.fill(CLOCK.boot_ns())
                frames.close()
            if number == 2:  # what only the first ones allocate is there now
                kept = tracemalloc.get_traced_memory()[0]
        assert tracemalloc.get_traced_memory()[0] - kept < 10 * 8_000
    finally:
        tracemalloc.stop()
        gc.enable()
