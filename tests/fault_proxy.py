"""A seeded TCP proxy that spoils a connection: what a network does, between two programs that are both well.

Loopback only, Toxiproxy's vocabulary: latency and jitter, bandwidth, slicer, limit_data, black hole, slow close, reset
peer; and besides half-close, duplicated bytes, a stall at byte N, refused connects. Faults are values per direction
(`down` = towards the client, `up` = towards the server), read when a connection is made; `reset_all`, `black_hole` and
`heal` act on the connections that are up.

    with FaultProxy(server_address, seed=7, down=Faults(latency_s=0.02, jitter_s=0.01)) as proxy:
        client.connect(proxy.address)
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PIECE = 64 * 1024
LOOK_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What happens to one direction of a connection. The default spoils nothing. Byte counts are per connection."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    slice_bytes: int | None = None
    """Hand on pieces of random size up to this, instead of what was read."""
    slice_gap_s: float = 0.0
    duplicate: float = 0.0
    """Chance that a piece is sent twice."""
    limit_bytes: int | None = None
    """Close (as `slow_close_s` says) after this many bytes."""
    reset_at: int | None = None
    """RST to both sides after this many bytes."""
    stall_at: int | None = None
    """Hand on this many bytes, then nothing more; the connection stays up."""
    half_close_at: int | None = None
    """End this direction after this many bytes, and keep the other going."""
    slow_close_s: float = 0.0


class FaultProxy:
    """The proxy; a context that is up between `__enter__` and `__exit__`. Levers may be used from any thread."""

    def __init__(self, server: tuple[str, int], *, seed: int, up: Faults = Faults(), down: Faults = Faults()) -> None:
        self.up = up
        self.down = down
        self.accepted = 0
        self._server = server
        self._rng = random.Random(seed)
        self._leaving = threading.Event()
        self._swallowing = threading.Event()
        self._refusing = False
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leaving.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()
        for thread in list(self._threads):
            thread.join(5)

    # -- levers ---------------------------------------------------------------------------------------------------

    def reset_all(self) -> None:
        """RST on every connection that is up."""
        self._end_all(reset=True)

    def drop_all(self) -> None:
        """FIN on every connection that is up."""
        self._end_all(reset=False)

    def black_hole(self) -> None:
        """From now on swallow every byte of every connection, both ways; nobody is told. The half-open link."""
        self._swallowing.set()

    def refuse(self, refusing: bool = True) -> None:
        """RST every new connection at once."""
        self._refusing = refusing

    def heal(self) -> None:
        """No faults for new connections; those that were swallowed go on, their lost bytes are lost."""
        self.up = self.down = Faults()
        self._refusing = False
        self._swallowing.clear()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._leaving.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._refusing:
                _reset(client)
                continue
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:
                _reset(client)
                continue
            # One generator per direction and connection, drawn in the order of accepting: threads cannot reorder them.
            seeds = self._rng.getrandbits(64), self._rng.getrandbits(64)
            with self._lock:
                self._sockets |= {client, server}
            self._start(self._pump, client, server, self.up, random.Random(seeds[0]))
            self._start(self._pump, server, client, self.down, random.Random(seeds[1]))

    def _pump(self, source: socket.socket, sink: socket.socket, faults: Faults, rng: random.Random) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            source.settimeout(LOOK_S)
            while not self._leaving.is_set():
                try:
                    data = source.recv(PIECE)
                except TimeoutError:
                    continue
                if not data:
                    break
                if self._swallowing.is_set():
                    continue
                for piece in _sliced(data, faults, rng):
                    if (ended := self._pass(piece, passed, sink, faults, rng)) is not None:
                        self._finish(ended, source, sink, faults)
                        return
                    passed += len(piece)
        self._finish("close", source, sink, faults)

    def _pass(self, piece: bytes, passed: int, sink: socket.socket, faults: Faults, rng: random.Random) -> str | None:
        """Hand one piece on; how this direction ends with it, or None."""
        marks = {
            "close": faults.limit_bytes,
            "reset": faults.reset_at,
            "stall": faults.stall_at,
            "half-close": faults.half_close_at,
        }
        reached = {how: mark for how, mark in marks.items() if mark is not None and passed + len(piece) >= mark}
        wait_s = faults.latency_s + rng.uniform(-faults.jitter_s, faults.jitter_s)
        if faults.bytes_per_s is not None:
            wait_s += len(piece) / faults.bytes_per_s
        if faults.slice_bytes is not None:
            wait_s += faults.slice_gap_s
        if wait_s > 0:
            self._leaving.wait(wait_s)
        how = min(reached, key=lambda name: reached[name], default=None)
        sink.sendall(piece if how is None else piece[: reached[how] - passed])
        if how is None and rng.random() < faults.duplicate:
            sink.sendall(piece)
        return how

    def _finish(self, how: str, source: socket.socket, sink: socket.socket, faults: Faults) -> None:
        match how:
            case "stall":
                with contextlib.suppress(OSError):  # keep reading, so that the sender notices nothing
                    while not self._leaving.is_set():
                        try:
                            if not source.recv(PIECE):
                                break
                        except TimeoutError:
                            continue
            case "half-close":
                with contextlib.suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)
                return
            case "reset":
                _reset(source)
                _reset(sink)
                return
        if faults.slow_close_s:
            self._leaving.wait(faults.slow_close_s)
        _close(source)
        _close(sink)

    def _end_all(self, *, reset: bool) -> None:
        with self._lock:
            ended, self._sockets = self._sockets, set()
        for sock in ended:
            _reset(sock) if reset else _close(sock)


def _sliced(data: bytes, faults: Faults, rng: random.Random) -> list[bytes]:
    if faults.slice_bytes is None:
        return [data]
    pieces: list[bytes] = []
    while data:
        size = rng.randint(1, faults.slice_bytes)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
