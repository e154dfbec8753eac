"""A venue that only sends, in its own process: `python -m bench.sender MARKETS FRAMES RATE`.

Prints its port, takes one WebSocket connection after another, answers the handshake by hand, sends the books, then
FRAMES changes as fast as the socket takes them (RATE 0) or at RATE per second, then waits for the peer to close.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import sys
import time

from bench.frames import change_texts, framed, markets, snapshot_text

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK = 64


def main(market_count: int, frame_count: int, rate: int) -> None:
    listed = markets(market_count)
    books = [framed(snapshot_text(market)) for market in listed]
    changes = [framed(text) for text in change_texts(listed, frame_count, seed=7)]
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        peer, _ = server.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), peer:
            _handshake(peer)
            peer.recv(1 << 20)  # the subscription
            for book in books:
                peer.sendall(book)
            time.sleep(0.3)
            if rate:
                _paced(peer, changes, rate)
            else:
                for start in range(0, len(changes), CHUNK):
                    peer.sendall(b"".join(changes[start : start + CHUNK]))
            while peer.recv(1 << 16):
                pass


def _paced(peer: socket.socket, changes: list[bytes], rate: int) -> None:
    began = time.perf_counter()
    for number, change in enumerate(changes):
        due = began + number / rate
        while (left := due - time.perf_counter()) > 0:
            if left > 0.0003:
                time.sleep(left - 0.0002)
        peer.sendall(change)


def _handshake(peer: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += peer.recv(4096)
    lines = request.decode("latin-1").split("\r\n")
    key = next(line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    peer.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
