"""The fault proxy does what its levers say: a test tool that spoils nothing would make every test behind it a lie."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fault_proxy import FaultProxy, Faults
from tests.polling import until

DATA = bytes(range(256)) * 40


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    """Reads one request line, answers with `DATA`, then keeps the connection until its client goes."""
    leaving = threading.Event()
    served: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while not leaving.is_set():
                sock, _ = listener.accept()
                served.append(sock)
                with contextlib.suppress(OSError):
                    if sock.recv(100):
                        sock.sendall(DATA)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()
        leaving.set()
        listener.shutdown(socket.SHUT_RDWR)
        for sock in served:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for sock in served:
            sock.close()


def fetch(address: tuple[str, int], wait_s: float = 0.2) -> tuple[bytes, str]:
    """Everything that comes for a request, and how it ended."""
    got = b""
    try:
        # A reset may come as early as the connect.
        with socket.create_connection(address, timeout=wait_s) as sock:
            sock.sendall(b"please\n")
            while len(got) < 2 * len(DATA):
                data = sock.recv(65536)
                if not data:
                    return got, "closed"
                got += data
    except ConnectionResetError:
        return got, "reset"
    except TimeoutError:
        return got, "silent"
    return got, "endless"


def drain(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(), (DATA, "silent")),
        (Faults(slice_bytes=100), (DATA, "silent")),
        (Faults(stall_at=1_000), (DATA[:1_000], "silent")),
        (Faults(stall_at=0), (b"", "silent")),
        (Faults(limit_bytes=1_000), (DATA[:1_000], "closed")),
        (Faults(half_close_at=1_000), (DATA[:1_000], "closed")),
        (Faults(limit_bytes=1_000, stall_at=500), (DATA[:500], "silent")),
    ],
)
def test_a_fault_falls_on_its_byte(server: tuple[str, int], faults: Faults, expected: tuple[bytes, str]) -> None:
    with FaultProxy(server, seed=7, down=faults) as proxy:
        assert fetch(proxy.address) == expected


def test_a_reset_is_a_reset(server: tuple[str, int]) -> None:
    with FaultProxy(server, seed=7, down=Faults(reset_at=1_000)) as proxy:
        got, ended = fetch(proxy.address)

    assert ended == "reset"
    assert DATA.startswith(got)


def test_duplicates_come_from_the_seed(server: tuple[str, int]) -> None:
    spoilt = []
    for seed in (7, 7, 8):
        with FaultProxy(server, seed=seed, down=Faults(slice_bytes=500, duplicate=0.3)) as proxy:
            spoilt.append(fetch(proxy.address)[0])

    assert spoilt[0] == spoilt[1] != spoilt[2]
    assert len(spoilt[0]) > len(DATA)


def test_latency_delays_and_bandwidth_limits(server: tuple[str, int]) -> None:
    for faults in (Faults(latency_s=0.1), Faults(bytes_per_s=len(DATA) * 10)):
        with FaultProxy(server, seed=7, down=faults) as proxy:
            began = time.monotonic()
            with socket.create_connection(proxy.address, timeout=5) as sock:
                sock.sendall(b"please\n")
                sock.recv(1)
            assert time.monotonic() - began >= 0.09


def test_levers_act_on_what_is_up_and_on_what_comes(server: tuple[str, int]) -> None:
    with FaultProxy(server, seed=7) as proxy:
        with socket.create_connection(proxy.address, timeout=1) as sock:
            sock.sendall(b"please\n")
            assert sock.recv(1)
            proxy.reset_all()
            with pytest.raises(ConnectionResetError):
                drain(sock)

        proxy.black_hole()
        assert fetch(proxy.address) == (b"", "silent")
        proxy.refuse()
        assert fetch(proxy.address)[1] == "reset"
        proxy.heal()
        assert fetch(proxy.address) == (DATA, "silent")
        until(lambda: proxy.accepted == 4)
