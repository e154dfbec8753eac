"""WebSocket frames of one feed connection: a fast walk for plain text frames, websocket-client for everything else.

Nearly every market-data frame is one whole, unfragmented text message. Those are cut out of the buffer here (RFC 6455
5.2). Fragments, control frames and faults go to websocket-client's own parser, but only when the whole frame lies in
the buffer, so that nothing in it ever waits; its handshake runs under one deadline over a bounded answer.

Stricter than websocket-client: a masked frame, a fragmented or long control frame, a message above the limit (announced
or in pieces) and one that takes too long all end the connection. Laxer on purpose: UTF-8 is the decoder's business
(`skip_utf8_validation`), and a length that is not the shortest possible harms nobody.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from enum import Enum
from typing import Final, cast

from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException

from adapters.feed_socket import FeedStopped, FeedTrouble, Stream
from models.clock import SECOND, BootNs, Clock
from models.hostile import clean

HANDSHAKE_BYTES: Final = 64 * 1024
"""Longest answer to an upgrade request, headers and error page together."""

_WHOLE_TEXT: Final = 0x81
_MASKED: Final = 0x80
_CONTROL: Final = 0x08
_CONTROL_BYTES: Final = 125


class Kind(Enum):
    """What a message that is no plain text frame turned out to be."""

    DATA = "data"
    PING = "ping"
    PONG = "pong"
    CLOSE = "close"
    PIECE = "piece"


_CONTROL_KINDS: Final = {
    ABNF.OPCODE_PING: Kind.PING,
    ABNF.OPCODE_PONG: Kind.PONG,
    ABNF.OPCODE_CLOSE: Kind.CLOSE,
}


class Frames:
    """One connection's frames, in both directions. Only the feed thread calls it."""

    def __init__(self, stream: Stream, clock: Clock, *, message_bytes: int, message_ns: int, send_ns: int) -> None:
        self._stream = stream
        self._clock = clock
        self._message_bytes = message_bytes
        self._message_ns = message_ns
        self._send_ns = send_ns
        self._ws = WebSocket(enable_multithread=False, skip_utf8_validation=True)
        self._ws.sock = cast("socket.socket", stream)
        self._fragments_bytes = 0
        self._since: BootNs | None = None
        self.binary = 0
        """Binary messages, for the reader to count and reset. They are handed on: the decoder knows what it can
        read."""

    def handshake(self, url: str, headers: Mapping[str, str], until: BootNs) -> None:
        """Upgrade to WebSocket before `until`, or `FeedTrouble`. Redirects are refused, proxies do not exist here."""
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if any(char in line for line in lines for char in "\r\n\x00"):
            raise FeedTrouble("a header of the handshake contains a line break")
        stream = self._stream
        stream.deadline = stream.send_deadline = until
        stream.budget = HANDSHAKE_BYTES
        try:
            self._ws.connect(url, socket=stream, header=lines, redirect_limit=0)  # type: ignore[no-untyped-call]
        except WebSocketBadStatusException as refused:
            raise FeedTrouble(f"the venue refused the handshake: HTTP {refused.status_code}") from None
        except (WebSocketException, ValueError):
            raise FeedTrouble(self._handshake_fault()) from None
        stream.budget = None

    def texts(self, limit: int) -> list[bytes]:
        """Up to `limit` whole, unfragmented text messages from the buffer, in order. Waits for nothing."""
        if self._ws.cont_frame.recving_frames:
            return []  # in the middle of a fragmented message, where a new one is a fault: `other` says so
        stream = self._stream
        buffer, position, end = stream.buffer, stream.position, len(stream.buffer)
        texts: list[bytes] = []
        while end - position >= 2 and buffer[position] == _WHOLE_TEXT and limit:
            length = buffer[position + 1]
            start = position + 2
            if length > 125:
                if length == 126:
                    start = position + 4
                elif length == 127:
                    start = position + 10
                else:
                    break  # masked
                if start > end:
                    break
                length = int.from_bytes(buffer[position + 2 : start])
            stop = start + length
            if stop > end or length > self._message_bytes:
                break
            texts.append(buffer[start:stop])
            position = stop
            limit -= 1
        stream.position = position
        if texts:
            self._since = None
        return texts

    def other(self) -> tuple[Kind, bytes] | None:
        """The next frame that is no plain text message; None when the buffer does not hold a whole frame.

        `FeedTrouble` for a frame that may not be, and for a message that has been incomplete for too long.
        """
        if not self._whole_frame_buffered():
            self._watch_the_clock()
            return None
        try:
            frame = self._ws.frame_buffer.recv_frame()
            return self._message(frame)
        except WebSocketException as fault:
            raise FeedTrouble(f"broken frame: {clean(str(fault), 80)}") from None

    def overdue_at(self) -> BootNs | None:
        """When the incomplete message in the buffer will have taken too long; None when there is none."""
        return None if self._since is None else BootNs(self._since + self._message_ns)

    def send_text(self, text: str) -> None:
        self._stream.send_deadline = BootNs(self._clock.boot_ns() + self._send_ns)
        self._ws.send(text)

    def ping(self, payload: bytes) -> None:
        self._stream.send_deadline = BootNs(self._clock.boot_ns() + self._send_ns)
        self._ws.ping(payload)

    def close(self) -> None:
        """Say goodbye if that costs no wait, and drop the connection. Never waits, never raises; twice is once."""
        self._stream.send_deadline = self._clock.boot_ns()
        if self._ws.connected:
            with contextlib.suppress(FeedTrouble, FeedStopped, WebSocketException):  # a courtesy, mostly to nobody
                self._ws.send_close()
        self._stream.close()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _whole_frame_buffered(self) -> bool:
        """Whether a whole frame lies in the buffer. Its header is judged as soon as it is there."""
        buffer, position = self._stream.buffer, self._stream.position
        if self._stream.unread < 2:
            return False
        first, second = buffer[position], buffer[position + 1]
        if second & _MASKED:
            raise FeedTrouble("a masked frame from the venue")
        length, header = second, 2
        if length > 125:
            header = 4 if length == 126 else 10
            if self._stream.unread < header:
                return False
            length = int.from_bytes(buffer[position + 2 : position + header])
        if first & _CONTROL:
            if length > _CONTROL_BYTES or not first & 0x80:
                raise FeedTrouble("a long or fragmented control frame")
        elif length + self._fragments_bytes > self._message_bytes:
            raise FeedTrouble(f"a message above the limit of {self._message_bytes} bytes")
        return self._stream.unread >= header + length

    def _message(self, frame: ABNF) -> tuple[Kind, bytes]:
        """What `WebSocket.recv_data_frame` does with one frame, without its loop, which waits for the next one."""
        data = frame.data if isinstance(frame.data, bytes) else frame.data.encode()
        pieces = self._ws.cont_frame
        if frame.opcode in _CONTROL_KINDS:
            if not pieces.recving_frames:
                self._since = None
            if frame.opcode == ABNF.OPCODE_PING:
                self._stream.send_deadline = BootNs(self._clock.boot_ns() + self._send_ns)
                self._ws.pong(data)
            return _CONTROL_KINDS[frame.opcode], data
        pieces.validate(frame)
        pieces.add(frame)
        if not pieces.is_fire(frame):
            self._fragments_bytes += len(data)
            self._watch_the_clock()
            return Kind.PIECE, b""
        opcode, whole = pieces.extract(frame)
        self._fragments_bytes = 0
        self._since = None
        self.binary += opcode == ABNF.OPCODE_BINARY
        return Kind.DATA, whole.data

    def _watch_the_clock(self) -> None:
        """Start, stop or judge the time that the incomplete message has taken."""
        if not self._stream.unread and not self._ws.cont_frame.recving_frames:
            self._since = None
            return
        now = self._clock.boot_ns()
        if self._since is None:
            self._since = now
        elif now - self._since >= self._message_ns:
            raise FeedTrouble(f"a message was not complete within {self._message_ns / SECOND:g} s")

    def _handshake_fault(self) -> str:
        answer = self._ws.handshake_response
        if answer is not None and answer.status != 101:
            return f"the venue redirects (HTTP {answer.status}); redirects are not followed"
        return "the venue's answer to the handshake is not a WebSocket upgrade"


def close_reason(data: bytes) -> str:
    """The venue's close frame in words; its text is theirs and is cleaned."""
    if len(data) < 2:
        return "the venue closed the connection without a code"
    code, text = int.from_bytes(data[:2]), clean(data[2:].decode(errors="replace"), 80)
    return f"the venue closed the connection: {code}" + (f" {text}" if text else "")
