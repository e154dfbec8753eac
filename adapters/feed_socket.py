"""The bytes of one feed connection: every wait has a deadline, every wait can be ended from another thread.

`Stream` reads the kernel in pieces of up to 256 KiB (websocket-client asks for a few bytes at a time, which alone costs
two thirds of the throughput) and looks enough like a socket for websocket-client's handshake and frame parser. Name
lookup, TCP and TLS happen here, on the feed's own thread: `getaddrinfo` knows no time-out, so no actor may call it.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import select
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import certifi

from models.clock import MS, BootNs, Clock
from models.hostile import clean

RECV_BYTES: Final = 256 * 1024
"""Asked from the kernel at once."""

_WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class FeedTrouble(Exception):  # noqa: N818  what ended a connection; its text is the reason shown to the operator
    """The connection is over. The text is ours: no header, URL or body of either side, and no secret, is in it."""


class FeedStopped(Exception):  # noqa: N818  the operator's wish, not a fault
    """`Wake.set` was called while the thread waited."""


class Wake:
    """Ends every wait of one feed thread, now and from then on, without touching its socket.

    Anyone may set it, also after it is closed; the thread that waits closes it, as a context.
    """

    def __init__(self) -> None:
        self._reading, self._writing = socket.socketpair()
        self.fd = self._reading.fileno()

    def set(self) -> None:
        with contextlib.suppress(OSError):  # closed already
            self._writing.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._reading.close()
        self._writing.close()


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect. Plain text only ever goes to this machine."""

    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a `wss://` URL, or a `ws://` one of a loopback host. `FeedTrouble` on anything else."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise FeedTrouble("the feed's URL cannot be read") from None
        if parts.scheme not in {"ws", "wss"} or not host:
            raise FeedTrouble("the feed's URL is not ws:// or wss://")
        if parts.username is not None or parts.password is not None:
            raise FeedTrouble("the feed's URL carries a password")
        secure = parts.scheme == "wss"
        if not secure and not _is_loopback(host):
            raise FeedTrouble(f"ws:// without TLS is for this machine only, not for {clean(host, 80)}")
        return cls(host, port or (443 if secure else 80), secure)


def verifying_context() -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name checked, system and certifi roots.

    Built by hand because `ssl.create_default_context` obeys SSLKEYLOGFILE, which writes the session's keys to a file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.load_verify_locations(certifi.where())
    return context


class Stream:
    """One connected socket, its unread bytes and its deadlines. Only the feed thread calls it.

    `buffer[position:]` is what was read and not yet taken. `arrived_at` bounds the arrival of the newest bytes from
    below: the last instant at which the kernel was known to hold nothing for us, or the wake-up where we had to wait.
    A backlog therefore makes frames look old, never fresh. `empty_at` is the last such instant.
    """

    def __init__(self, sock: socket.socket, wake: Wake, clock: Clock) -> None:
        self.buffer = b""
        self.position = 0
        self.arrived_at = self.empty_at = clock.boot_ns()
        self.deadline = self.arrived_at
        """Until when `recv` may wait. The owner sets it before it hands this object to websocket-client."""
        self.send_deadline = self.arrived_at
        self.budget: int | None = None
        """Bytes that `recv` may still hand out; None is no limit. Bounds a handshake's answer."""
        self._sock = sock
        # Kept for life: `recv(262144)` maps and unmaps that much memory each time, 16 us for a frame of 300 bytes.
        self._landing = memoryview(bytearray(RECV_BYTES))
        self._clock = clock
        self._drained = True
        self._short_read_drains = not isinstance(sock, ssl.SSLSocket)
        self._wake_fd = wake.fd
        self._poll = select.poll()
        self._poll.register(wake.fd, select.POLLIN)
        self._poll.register(sock.fileno(), select.POLLIN)

    @property
    def unread(self) -> int:
        return len(self.buffer) - self.position

    def fill(self, until: BootNs) -> bool:
        """Read once what the kernel has, waiting for it until `until`. False when nothing came.

        Raises `FeedTrouble` at the end of the stream and `FeedStopped` when the thread is to stop.
        """
        waited = False
        while True:
            if not self._drained:
                try:
                    size = self._sock.recv_into(self._landing)
                except _WOULD_BLOCK:
                    self._drained, self.empty_at = True, self._clock.boot_ns()
                except OSError as error:
                    raise FeedTrouble(_named(error)) from None
                else:
                    return self._take(size, waited=waited)
            if not self._ready(select.POLLIN, None):
                self.empty_at = self._clock.boot_ns()
                waited = True
                if not self._ready(select.POLLIN, until):
                    self.empty_at = self._clock.boot_ns()
                    return False
            self._drained = False

    def _take(self, size: int, *, waited: bool) -> bool:
        if not size:
            raise FeedTrouble("the venue ended the connection without a close frame")
        now = self._clock.boot_ns()
        self.arrived_at = now if waited else self.empty_at
        if self._short_read_drains and size < RECV_BYTES:
            self._drained, self.empty_at = True, now
        self.buffer = self.buffer[self.position :] + self._landing[:size]
        self.position = 0
        return True

    # -- what websocket-client calls ------------------------------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """At most `size` unread bytes, waiting for the first of them until `deadline`."""
        if self.budget is not None:
            self.budget -= size
            if self.budget < 0:
                raise FeedTrouble("the handshake's answer is too long")
        while not self.unread:
            if not self.fill(self.deadline):
                raise FeedTrouble("the venue stopped answering in the middle of something")
        start = self.position
        self.position = min(start + size, len(self.buffer))
        return self.buffer[start : self.position]

    def send(self, data: bytes) -> int:
        """Send all of `data` until `send_deadline`; a peer that does not read ends the connection."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except _WOULD_BLOCK as error:
                mask = select.POLLIN if isinstance(error, ssl.SSLWantReadError) else select.POLLOUT
                if not self._ready(mask, self.send_deadline):
                    raise FeedTrouble("the venue does not read what is sent to it") from None
            except OSError as error:
                raise FeedTrouble(_named(error)) from None
        return len(data)

    def gettimeout(self) -> float:
        """Zero tells websocket-client to add no waiting of its own; `recv` and `send` keep the deadlines."""
        return 0.0

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        """Drop the connection at once, from either side. Never waits, never raises; twice is once."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._sock.close()
        # websocket-client and this object refer to each other, so what a dead connection holds waits for the collector
        # of cycles, which counts objects and not bytes: a quarter of a megabyte each looks like a leak for an hour.
        self._landing = memoryview(bytearray())

    def _ready(self, mask: int, until: BootNs | None) -> bool:
        """Whether the socket is ready for `mask` before `until`; None looks without waiting."""
        if mask == select.POLLIN:
            return _found(self._poll, self._wake_fd, self._clock, until)
        self._poll.modify(self._sock.fileno(), mask)
        try:
            return _found(self._poll, self._wake_fd, self._clock, until)
        finally:
            self._poll.modify(self._sock.fileno(), select.POLLIN)


def open_stream(
    target: Target, context: ssl.SSLContext, wake: Wake, clock: Clock, connect_ns: int, until: BootNs
) -> Stream:
    """Look the name up, connect (each address within `connect_ns`, all before `until`) and start TLS if it is asked
    for.

    Raises `FeedTrouble` or `FeedStopped`. The lookup itself has no deadline; see the module's docstring.
    """
    for last, (family, address) in _addresses(target):
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            _connect(sock, address, wake, clock, min(until, BootNs(clock.boot_ns() + connect_ns)))
        except FeedTrouble:
            sock.close()
            if last:
                raise
            continue
        except BaseException:
            sock.close()
            raise
        return Stream(_secured(sock, context, target.host, wake, clock, until) if target.secure else sock, wake, clock)
    raise FeedTrouble("name lookup found no address")


def _addresses(target: Target) -> Iterator[tuple[bool, tuple[socket.AddressFamily, tuple[str, int]]]]:
    """The addresses of `target` in the resolver's order, each with whether it is the last."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FeedTrouble(f"name lookup failed: {_named(error)}") from None
    for number, (family, _, _, _, address) in enumerate(found, 1):
        if not target.secure and not _is_loopback(str(address[0])):
            raise FeedTrouble("a loopback name leads to another machine")
        yield number == len(found), (family, address)  # type: ignore[misc]  # AF_INET6 has two fields more


def _connect(sock: socket.socket, address: tuple[str, int], wake: Wake, clock: Clock, until: BootNs) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        if not _wait(sock, select.POLLOUT, wake, clock, until):
            raise FeedTrouble("connect not answered in time")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise FeedTrouble(_named(OSError(code, os.strerror(code))))


def _secured(
    plain: socket.socket, context: ssl.SSLContext, host: str, wake: Wake, clock: Clock, until: BootNs
) -> ssl.SSLSocket:
    """TLS over a connected socket, shaken hands before `until`. Closes the socket on any failure."""
    sock: socket.socket = plain
    try:
        sock = secured = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                secured.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                mask = select.POLLIN if isinstance(wanted, ssl.SSLWantReadError) else select.POLLOUT
                if not _wait(secured, mask, wake, clock, until):
                    raise FeedTrouble("TLS handshake not answered in time") from None
            else:
                return secured
    except (OSError, ValueError) as error:  # ValueError: a text that is no host name
        sock.close()
        raise FeedTrouble(_named(error)) from None
    except BaseException:
        sock.close()
        raise


def _wait(sock: socket.socket, mask: int, wake: Wake, clock: Clock, until: BootNs) -> bool:
    poll = select.poll()
    poll.register(wake.fd, select.POLLIN)
    poll.register(sock.fileno(), mask)
    return _found(poll, wake.fd, clock, until)


def _found(poll: select.poll, wake_fd: int, clock: Clock, until: BootNs | None) -> bool:
    # Rounded up to whole milliseconds: never early, so nobody spins on the last one.
    wait_ms = 0 if until is None else max(0, -((clock.boot_ns() - until) // MS))
    found = poll.poll(wait_ms)
    for fd, _ in found:
        if fd == wake_fd:
            raise FeedStopped
    return bool(found)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _named(error: Exception) -> str:
    """What went wrong, in words without addresses and URLs."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the venue's certificate is refused: {clean(error.verify_message or 'not valid', 100)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {clean(error.reason or 'no reason given', 60)}"
    if isinstance(error, OSError) and error.strerror:
        return clean(error.strerror, 80).lower()
    return type(error).__name__
