"""One WebSocket of the exchange: a reader (the HTTP server's own thread) and a writer thread behind a bounded outbox.

The protocol's rules come from `websockets`' Sans-I/O half; the bytes are ours, because faults need them to stop in the
middle of a frame. A client that does not read fills its outbox and is dropped with 1008; nobody else notices.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

OUTBOX_BYTES: Final = 8 << 20
MESSAGE_BYTES: Final = 1 << 20
READ_BYTES: Final = 1 << 16
SEND_SLICE_S: Final = 0.2
CLOSE_GRACE_S: Final = 1.0
SLOW_CONSUMER: Final = 1008
ABNORMAL: Final = 1006
ANSWERED: Final = 0
"""No close code: the client began, and the answer is in the outbox already."""

_HANG_UP: Final = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class SocketPeer:
    """`send`, `close` and `freeze` may be called from any thread and never block."""

    def __init__(self, sock: socket.socket, outbox_bytes: int = OUTBOX_BYTES) -> None:
        self._socket = sock
        self._limit = outbox_bytes
        self._outbox: deque[bytes] = deque()
        self._queued = 0
        self._changed = threading.Condition()
        self._closing: int | None = None
        self._frozen = False
        self._ended = threading.Event()
        self._protocol = ServerProtocol(max_size=MESSAGE_BYTES)

    def serve(self, handshake: bytes, on_open: Callable[[], bool], on_text: Callable[[bytes], None]) -> None:
        """Answer the handshake and read until the connection ends. `on_open` may refuse by returning False."""
        protocol = self._protocol
        protocol.receive_data(handshake)
        (request,) = protocol.events_received()
        assert isinstance(request, Request), "a handshake is a request"
        response = protocol.accept(request)
        protocol.send_response(response)
        self._socket.settimeout(None)
        self._flush()
        writer = threading.Thread(target=self._write, name="ws-writer", daemon=True)
        writer.start()
        try:
            if protocol.state is State.OPEN and on_open():
                self._read(on_text)
        finally:
            self._end()
            writer.join(CLOSE_GRACE_S + 1.0)

    def send(self, data: bytes) -> None:
        """Queue one text frame."""
        self.send_raw(text_header(len(data)) + data)

    def send_raw(self, frames: bytes) -> None:
        """Queue bytes that are whole frames already."""
        with self._changed:
            if self._closing is not None or self._frozen:
                return
            if self._queued + len(frames) > self._limit:
                self._outbox.clear()
                self._closing = SLOW_CONSUMER
            else:
                self._outbox.append(frames)
                self._queued += len(frames)
            self._changed.notify()

    @property
    def queued_bytes(self) -> int:
        """What waits for the writer; a sender that must not lose its reader paces itself by it."""
        return self._queued

    def close(self, code: int) -> None:
        with self._changed:
            if self._closing is None:
                self._closing = code
            self._changed.notify()

    def freeze(self, part: bytes) -> None:
        """Send the first half of a frame (if any), then neither read nor write; the socket stays."""
        with self._changed:
            if part:
                frame = text_header(2 * len(part)) + part
                self._outbox.append(frame)
                self._queued += len(frame)
            self._frozen = True
            self._changed.notify()

    # -- inside

    def _read(self, on_text: Callable[[bytes], None]) -> None:
        protocol = self._protocol
        message = bytearray()
        while not self._ended.is_set():
            try:
                data = self._socket.recv(READ_BYTES)
            except OSError:
                return
            if self._frozen:
                self._wait_for_hang_up()
                return
            if not data:
                return
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.CONT):
                    message += event.data
                    if event.fin:
                        on_text(bytes(message))
                        message.clear()
            self._flush()
            if protocol.state is not State.OPEN:
                self._part()
                return

    def _part(self) -> None:
        """The client has said goodbye: it gets its answer and the end of the connection at once, as RFC 6455 wants it
        of a server. Where we said it first, its frame is the answer.
        """
        with self._changed:
            first = self._closing is None
            if first:
                self._closing = ANSWERED
            self._changed.notify()
        if first:
            self._ended.wait(CLOSE_GRACE_S)

    def _flush(self) -> None:
        """Queue what the protocol itself has to say: handshake, pongs, the answer to a close."""
        with self._changed:
            for data in self._protocol.data_to_send():
                if data:
                    self._outbox.append(data)
                    self._queued += len(data)
            self._changed.notify()

    def _write(self) -> None:
        try:
            self._socket.settimeout(None)
            while True:
                with self._changed:
                    while not self._outbox and self._closing is None and not self._ended.is_set():
                        self._changed.wait()
                    data = b"".join(self._outbox)
                    self._outbox.clear()
                    self._queued = 0
                    closing = self._closing
                if data and not self._write_all(data):
                    return
                if self._ended.is_set():
                    return
                if closing is not None:
                    if not self._frozen and closing != ANSWERED:
                        self._say_goodbye(closing)
                    return
        finally:
            self._end()

    def _write_all(self, data: bytes) -> bool:
        """False where the peer stopped reading and is being dropped, or is gone."""
        view = memoryview(data)
        while view:
            try:
                select.select((), (self._socket,), (), SEND_SLICE_S)
                sent = self._socket.send(view, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if self._closing is not None:
                    return False
                continue
            except OSError:
                return False
            view = view[sent:]
        return True

    def _say_goodbye(self, code: int) -> None:
        """A close frame, and a moment for the client's; 1006 stands for a peer that is gone without a word."""
        if code == ABNORMAL:
            linger = struct.pack("ii", 1, 0)  # an RST instead of a FIN
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self._socket.close()
            return
        frame = Frame(Opcode.CLOSE, code.to_bytes(2, "big"))
        if self._write_all(frame.serialize(mask=False)):
            self._ended.wait(CLOSE_GRACE_S)

    def _wait_for_hang_up(self) -> None:
        """Read nothing, but notice when the client has given up."""
        poller = select.poll()
        poller.register(self._socket, _HANG_UP)
        while not self._ended.is_set() and not poller.poll(500):
            pass

    def _end(self) -> None:
        self._ended.set()
        with self._changed:
            self._changed.notify()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def text_header(length: int) -> bytes:
    """Header of an unmasked, final text frame."""
    if length < 126:
        return bytes((0x81, length))
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


def ping_frame(body: bytes) -> bytes:
    """An unmasked ping; `body` has at most 125 bytes."""
    return bytes((0x89, len(body))) + body
