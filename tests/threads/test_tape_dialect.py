"""`simulate --dialect polymarket --tape F` as an operator types it, seen by a client that is not ours."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.adapters.polymarket.examples import BINARY_TAPE

DOOR = Path(__file__).parents[2] / "run.py"
TOKENS = [
    "70771354585365381988139008309072205730081182435161568795508496003376222185889",
    "46746822541461330721074821991383617225657173789584499857683753079229786702095",
]


@contextmanager
def simulating(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, str(DOOR), "simulate", "--dialect", "polymarket", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def subscribe(socket: ClientConnection, tokens: list[str]) -> None:
    socket.send(json.dumps({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True}))


def frames_until_close(socket: ClientConnection) -> list[str]:
    frames = []
    try:
        while True:
            frames.append(str(socket.recv(timeout=20)))
    except ConnectionClosed:
        return frames


def test_the_tape_plays_once_somebody_subscribes_and_the_server_tells_its_truth() -> None:
    with simulating("--tape", str(BINARY_TAPE), "--speed", "max") as (process, ready):
        assert process.stdout is not None
        assert {"ready", "port", "rest_url", "ws_url", "user_ws_url", "markets", "accounts"} <= ready.keys()
        with connect(ready["ws_url"]) as socket:
            socket.send("PING")
            assert socket.recv(timeout=5) == "PONG", "and nothing else before a subscription"
            subscribe(socket, TOKENS)
            frames = frames_until_close(socket)

        ended = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        truth = json.loads(process.stdout.readline())

        assert len(frames) == 119
        assert len(json.loads(frames[0])) == 2
        assert ended == {"tape_ended": True, "frames": 119}
        assert (truth["frames"], truth["ended"], truth["accounts"]) == (119, True, [])
        assert truth["markets"][0]["best"] == {
            "yes_bid": "0.48",
            "yes_ask": "0.5",
            "no_bid": "0.5",
            "no_ask": "0.52",
        }
        assert process.wait(5) == 0


def test_after_the_tape_nobody_is_let_in_any_more() -> None:
    with simulating("--tape", str(BINARY_TAPE), "--speed", "max") as (_, ready):
        with connect(ready["ws_url"]) as socket:
            subscribe(socket, TOKENS)
            frames_until_close(socket)

        with pytest.raises(InvalidStatus, match="503"):
            connect(ready["ws_url"])


def test_only_subscribed_tokens_are_sent() -> None:
    with (
        simulating("--tape", str(BINARY_TAPE), "--speed", "max") as (_, ready),
        connect(ready["ws_url"]) as stranger,
        connect(ready["ws_url"]) as reader,
    ):
        subscribe(stranger, ["123"])
        subscribe(reader, TOKENS[:1])
        read, strange = frames_until_close(reader), frames_until_close(stranger)

    assert strange == []
    assert len(read) == 1 + 97 + 7 + 5, "first books, changes, its own books, its own trades"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--tape", "/nowhere.gz"], 2, "No such file"),
        (["--tape", str(DOOR)], 78, "damaged, or no gzip file"),
        (["--tape", str(BINARY_TAPE), "--speed", "fast"], 2, "is no speed"),
    ],
)
def test_a_tape_that_cannot_be_played_is_one_sentence(arguments: list[str], code: int, message: str) -> None:
    command = [sys.executable, str(DOOR), "simulate", "--dialect", "polymarket", "--port", "0", *arguments]

    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert finished.returncode == code
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr
