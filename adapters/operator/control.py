"""The bot's end of the control socket: a UNIX socket of mode 0600 in a directory of 0700, and no TCP port at all.

A halt must reach the latch while other threads keep the interpreter busy, and every system call in between is a chance
to lose it to them for a whole switch interval. So the door's thread does nothing but accept, wait a moment for what
comes, and trip: two calls, no queue, no other verb. Whatever is not a complete halt goes on to the thread that takes
connections apart, and from there to two small workers (one for what is quick, one for what reads the ledger) whose
queues are bounded: who comes when they are full is told so.

A connection lives for one request. It has a deadline in every state, its request is capped, and when the ninth one
comes the oldest that is not being worked on is dropped: no client, slow or hostile, keeps the operator's own from being
heard.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.operator.command import (
    Caller,
    Commands,
    Place,
    Reply,
    dispatch,
    wrong,
)
from adapters.operator.control_socket import ControlSocketError, identity, is_ours, listen_on
from adapters.operator.control_wire import (
    REQUEST_LIMIT,
    Request,
    WireError,
    decode_request,
    encode_answer,
)
from adapters.operator.control_worker import Worker
from adapters.operator.face import BotFace
from models.exit_codes import EXIT_UNEXPECTED, EXIT_UNREACHABLE

logger = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 8
READ_S: Final = 2.0
WORK_S: Final = 30.0
WRITE_S: Final = 5.0

BY: Final = "operator (shell)"
STOP_S: Final = 2.0
AT_THE_DOOR: Final = struct.pack("@ll", 0, 2_000)
"""How long the door waits for the words of one who has connected: 2 ms, as a `struct timeval`."""
LAST_S: Final = 1.0
"""How long a server that stops goes on with requests that have come: `quit` is answered by the bot that it ends."""
WIDTH_MOST: Final = 500


class _State(enum.Enum):
    READING = enum.auto()
    WORKING = enum.auto()
    WRITING = enum.auto()


class _Connection:
    """One client: its socket and how far it has come. Made by the door, then the server's thread's alone."""

    def __init__(self, peer: socket.socket, patience: Mapping[_State, float]) -> None:
        self.peer = peer
        self.received = bytearray()
        self.answer = memoryview(b"")
        self.halted: bytes | None = None
        """The answer to a halt that the door has carried out."""
        self._patience = patience
        self.enter(_State.READING)

    def enter(self, state: _State) -> None:
        self.state = state
        self.deadline = time.monotonic() + self._patience[state]


class ControlServer:
    """Serves `commands` of `face` on `path` between `start()` and `stop()`."""

    def __init__(
        self,
        path: Path,
        face: BotFace,
        commands: Commands,
        *,
        read_s: float = READ_S,
        work_s: float = WORK_S,
        write_s: float = WRITE_S,
    ) -> None:
        self._patience = {_State.READING: read_s, _State.WORKING: work_s, _State.WRITING: write_s}
        self._path = path
        self._face = face
        self._commands = commands
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._connections: list[_Connection] = []
        self._stopping = threading.Event()
        self._door_closed = threading.Event()
        self._done: queue.SimpleQueue[tuple[_Connection, bytes]] = queue.SimpleQueue()
        self._waking, self._woken = socket.socketpair()
        self._waking.setblocking(False)
        self._woken.setblocking(False)
        self._quick: Worker[_Connection, Request] = Worker("control-quick", self._work, self._finish)
        self._slow: Worker[_Connection, Request] = Worker("control-slow", self._work, self._finish)
        self._arrived: queue.SimpleQueue[_Connection] = queue.SimpleQueue()
        self._door = threading.Thread(target=self._open_door, name="control-door", daemon=True)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Bind and listen, or raise `ControlSocketError`. A socket left behind by a dead bot is replaced."""
        try:
            self._listener = listen_on(self._path)
            self._identity = identity(self._path)
        except OSError as error:
            raise ControlSocketError(f"{self._path}: {error.strerror or error}") from None
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._quick.start()
        self._slow.start()
        self._thread.start()
        self._door.start()

    def stop(self) -> None:
        """Answer who has asked already, close every connection and remove the socket's file. Twice is once."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread.ident is None:
            self._close()
        else:
            self._close_door()
            self._door_closed.set()
            self._wake()
            self._thread.join(STOP_S)
        self._quick.stop()
        self._slow.stop()
        with contextlib.suppress(OSError):
            if identity(self._path) == self._identity:
                self._path.unlink()

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._connections)

    # -- the door -------------------------------------------------------------------------------------------------

    def _open_door(self) -> None:
        assert self._listener is not None
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:  # out of descriptors, or the end: nobody who had connected waits any more
                if self._stopping.wait(0.05):
                    return
                continue
            try:
                self._let_in(peer)
            except Exception:  # thread edge: one odd client must not close the door
                logger.exception("a client of the control socket was dropped")
                peer.close()

    def _let_in(self, peer: socket.socket) -> None:
        """Trip at once if a complete halt has come, or comes while a shell that has connected writes it."""
        if not is_ours(peer):
            peer.close()
            return
        connection = _Connection(peer, self._patience)
        # The kernel's own time-out: one call, and so one chance to lose the interpreter, for looking and for waiting.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, AT_THE_DOOR)
        with contextlib.suppress(BlockingIOError):
            connection.received += peer.recv(REQUEST_LIMIT)
            line, newline, _ = connection.received.partition(b"\n")
            if newline and b"halt" in line:
                with contextlib.suppress(WireError):
                    request = decode_request(bytes(line))
                    connection.halted = self._work(request) if request.verb == "halt" else None
        peer.setblocking(False)
        self._arrived.put(connection)
        self._wake()

    def _close_door(self) -> None:
        """`shutdown` wakes the thread that waits in `accept`."""
        assert self._listener is not None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._door.join(STOP_S)

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._door_closed.is_set():
                self._turn()
            self._answer_the_last()
        except Exception:  # thread edge: without the socket `halt` still works through the files
            logger.exception("the control socket has failed; halt from a shell works through the files")
        finally:
            self._close()

    def _answer_the_last(self) -> None:
        until = time.monotonic() + LAST_S
        self._patience.update(dict.fromkeys(_State, LAST_S))
        while time.monotonic() < until:
            for connection in list(self._connections):
                connection.deadline = min(connection.deadline, until)
                if connection.state is _State.READING and not connection.received:
                    self._drop(connection)
            if not self._connections:
                return
            self._turn()

    def _close(self) -> None:
        for connection in list(self._connections):
            self._drop(connection)
        if self._listener is not None:
            self._listener.close()
        self._selector.close()
        self._waking.close()
        self._woken.close()

    def _turn(self) -> None:
        now = time.monotonic()
        nearest = min((c.deadline for c in self._connections), default=now + 60)
        for key, _ in self._selector.select(max(0.0, nearest - now)):
            if key.fileobj is self._woken:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
                self._take_arrivals()
                self._take_answers()
            elif key.data not in self._connections:
                continue  # dropped earlier in this turn to make room
            elif key.data.state is _State.READING:
                self._read(key.data)
            else:
                self._write(key.data)
        now = time.monotonic()
        for connection in [c for c in self._connections if c.deadline <= now]:
            self._drop(connection)

    def _take_arrivals(self) -> None:
        while not self._arrived.empty():
            connection = self._arrived.get()
            if len(self._connections) >= CONNECTIONS_MAX:
                self._make_room()
            self._connections.append(connection)
            self._selector.register(connection.peer, selectors.EVENT_READ, connection)
            if connection.halted is not None:
                self._reply(connection, connection.halted)
            elif connection.received:
                self._advance(connection, ended=False)

    def _make_room(self) -> None:
        idle = next((c for c in self._connections if c.state is not _State.WORKING), None)
        if idle is not None:
            self._drop(idle)

    def _read(self, connection: _Connection) -> None:
        try:
            part = connection.peer.recv(REQUEST_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        connection.received += part
        self._advance(connection, ended=not part)

    def _advance(self, connection: _Connection, *, ended: bool) -> None:
        """Go on with what has been received; `ended`: nothing more will come."""
        line, newline, _ = connection.received.partition(b"\n")
        if newline or (ended and line):
            self._take_request(connection, bytes(line))
        elif ended:
            self._drop(connection)
        elif len(connection.received) > REQUEST_LIMIT:
            self._reply(connection, encode_answer(wrong("the request is too long"), as_json=False))

    def _take_request(self, connection: _Connection, line: bytes) -> None:
        try:
            if len(line) > REQUEST_LIMIT:
                raise WireError("the request is too long")
            request = decode_request(line)
        except WireError as error:
            self._reply(connection, encode_answer(wrong(f"not a request: {error}"), as_json=False))
            return
        if request.verb == "halt":
            self._reply(connection, self._work(request))
            return
        command = self._commands.find(request.verb)
        worker = self._slow if command is not None and command.slow else self._quick
        self._selector.unregister(connection.peer)
        connection.enter(_State.WORKING)
        if not worker.take(connection, request):
            busy = wrong("the bot is busy with other requests; try again", exit_code=EXIT_UNREACHABLE)
            self._selector.register(connection.peer, selectors.EVENT_READ, connection)
            self._reply(connection, encode_answer(busy, as_json=request.json))

    def _work(self, request: Request) -> bytes:
        """Carry out one request; the server's own thread for `halt`, a worker's for the rest. Never raises."""
        width = max(40, min(request.width, WIDTH_MOST))
        caller = Caller(face=self._face, place=Place.REMOTE, by=BY, width=width, json=request.json)
        if request.verb != "halt" and request.until_s is not None and time.monotonic() > request.until_s:
            # The bot was hung or stopped meanwhile: a resume of minutes ago must not undo the halt that followed it.
            logger.warning("%s came too late: who asked has been told that there is no answer", request.verb)
            return encode_answer(wrong("too late", exit_code=EXIT_UNREACHABLE), as_json=request.json)
        try:
            reply = dispatch(self._commands, [request.verb, *request.args], caller)
            return encode_answer(reply, as_json=request.json)
        except Exception:  # thread edge: one broken verb must not end the socket
            logger.exception("the command %r failed", request.verb)
            return encode_answer(_broken(request.verb), as_json=request.json)

    def _finish(self, connection: _Connection, answer: bytes) -> None:
        """A worker's thread: hand the answer back to the server's."""
        self._done.put((connection, answer))
        self._wake()

    def _take_answers(self) -> None:
        while not self._done.empty():
            connection, answer = self._done.get()
            if connection in self._connections:
                self._selector.register(connection.peer, selectors.EVENT_WRITE, connection)
                self._reply(connection, answer)

    def _reply(self, connection: _Connection, answer: bytes) -> None:
        connection.answer = memoryview(answer)
        connection.enter(_State.WRITING)
        self._selector.modify(connection.peer, selectors.EVENT_WRITE, connection)
        self._write(connection)

    def _write(self, connection: _Connection) -> None:
        try:
            sent = connection.peer.send(connection.answer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        connection.answer = connection.answer[sent:]
        if not connection.answer:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.peer)
        connection.peer.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waking.send(b".")


def _broken(verb: str) -> Reply:
    return wrong(f"{verb} failed inside the bot; its log says why", exit_code=EXIT_UNEXPECTED)
