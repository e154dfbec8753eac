"""The control socket over a real UNIX socket, with clients of every temper."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.operator.client import NoBotError, ask
from adapters.operator.commands import COMMANDS
from adapters.operator.control import CONNECTIONS_MAX, ControlServer
from adapters.operator.control_socket import ControlSocketError
from adapters.operator.control_wire import REQUEST_LIMIT, Request
from adapters.operator.control_worker import WAITING_MAX
from adapters.operator.face import Told
from tests.adapters.operator.fake_bot import FakeBot
from tests.polling import until


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()


@pytest.fixture
def server(tmp_path: Path, bot: FakeBot) -> Iterator[ControlServer]:
    server = ControlServer(tmp_path / "data" / "control.sock", bot, COMMANDS, read_s=2, write_s=0.3)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def path(tmp_path: Path, server: ControlServer) -> Path:
    return tmp_path / "data" / "control.sock"


def connect(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(10)
    peer.connect(os.fspath(path))
    return peer


def answer_of(peer: socket.socket) -> dict[str, object]:
    received = b""
    while part := peer.recv(65_536):
        received += part
    document = json.loads(received)
    assert isinstance(document, dict)
    return document


def test_the_socket_is_the_operators_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_verb_is_answered_with_lines_or_with_one_object(path: Path) -> None:
    lines = ask(path, Request(verb="status"), 5)
    assert lines.lines[0].startswith("mode        PAPER")
    assert lines.document is None

    reply = ask(path, Request(verb="status", json=True), 5)
    assert reply.lines == ()
    assert reply.document is not None
    assert reply.document["mode"] == "paper"


def test_a_halt_reaches_the_bot_with_its_reason_and_its_author(path: Path, bot: FakeBot) -> None:
    reply = ask(path, Request(verb="halt", args=["fed-cut-dec", "--", "odd news"]), 5)

    assert bot.halts == [("fed-cut-dec", "odd news", "operator (shell)")]
    assert reply.exit_code == 0


def test_a_question_travels_with_its_answers(path: Path, bot: FakeBot) -> None:
    ask(path, Request(verb="halt"), 5)

    reply = ask(path, Request(verb="resume"), 5)

    assert reply.question is not None
    [words] = reply.question.answers.values()
    assert bot.resumes == []
    ask(path, Request(verb=words[0], args=list(words[1:])), 5)
    assert len(bot.resumes) == 1


def test_what_is_read_after_its_asker_has_given_up_is_not_done_but_a_halt_is(path: Path, bot: FakeBot) -> None:
    """U02: a bot that was stopped for a minute finds a resume from before the halt, and a quit, in its socket."""
    late = time.monotonic() - 1
    ask(path, Request(verb="halt"), 5)

    for verb, args in (("resume", ["--yes"]), ("quit", ["--wait"])):
        assert ask(path, Request(verb=verb, args=args, until_s=late), 5).exit_code == 69
    ask(path, Request(verb="halt", until_s=late), 5)

    assert (bot.resumes, bot.left) == ([], [])
    assert len(bot.halts) == 2


def test_whoever_asks_says_how_long_they_wait(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(os.fspath(tmp_path / "control.sock"))
        deaf.listen()
        before = time.monotonic()
        with pytest.raises(NoBotError):
            ask(tmp_path / "control.sock", Request(verb="resume", args=["--yes"]), 0.2)
        peer, _ = deaf.accept()
        with peer:
            asked = json.loads(peer.recv(4096))

    assert before < asked["until_s"] < before + 5


def test_a_halt_overtakes_a_report_that_takes_for_ever(path: Path, bot: FakeBot) -> None:
    reading, released = threading.Event(), threading.Event()

    def hang() -> None:
        reading.set()
        released.wait(10)

    bot.slow_gate = hang
    with connect(path) as slow:
        slow.sendall(b'{"verb": "report"}\n')
        assert reading.wait(5)

        ask(path, Request(verb="halt"), 5)
        status = ask(path, Request(verb="status"), 5)

        assert len(bot.halts) == 1
        assert status.exit_code == 4
        released.set()
        assert answer_of(slow)["lines"] == ["the whole story"]


def test_when_its_workers_are_full_the_bot_says_busy_and_still_halts(
    server: ControlServer, path: Path, bot: FakeBot
) -> None:
    reading, released = threading.Event(), threading.Event()

    def hang() -> None:
        reading.set()
        released.wait(10)

    bot.slow_gate = hang
    with ExitStack() as stack:
        first = stack.enter_context(connect(path))
        first.sendall(b'{"verb": "report"}\n')
        assert reading.wait(5)
        for _ in range(WAITING_MAX):
            waiting = stack.enter_context(connect(path))
            waiting.sendall(b'{"verb": "report"}\n')
        until(lambda: server._slow.full)

        assert ask(path, Request(verb="why", args=["x"]), 5).exit_code == 69
        ask(path, Request(verb="halt"), 5)

        assert len(bot.halts) == 1
        released.set()


@pytest.mark.parametrize(
    "sent",
    [
        b"not json\n",
        b"{}\n",
        b"[" * 10_000 + b"\n",
        b'{"verb": "halt", "args": "fed"}\n',
        b'{"verb": "halt", "surprise": 1}\n',
        b'{"verb": 5}\n',
        b'"halt"\n',
        b"\xff\xfe\x00\n",
        b"\n",
        b'{"verb": "halt"',
        b'{"verb": "' + b"x" * 200_000 + b'"}\n',
    ],
)
def test_what_is_no_request_is_refused_and_halts_nothing(path: Path, bot: FakeBot, sent: bytes) -> None:
    with connect(path) as peer:
        try:
            peer.sendall(sent)
            peer.shutdown(socket.SHUT_WR)
            answer = answer_of(peer)
        except (BrokenPipeError, ConnectionResetError):
            answer = {"exit": 2}

    assert answer["exit"] == 2
    assert bot.halts == []
    assert ask(path, Request(verb="version"), 5).exit_code == 0


def test_a_request_without_end_is_cut_off_at_its_limit(path: Path) -> None:
    with connect(path) as peer:
        peer.sendall(b"x" * (REQUEST_LIMIT + 1))

        assert answer_of(peer)["lines"] == ["the request is too long"]


def test_eight_idle_clients_do_not_keep_the_operator_out(path: Path, bot: FakeBot) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(path)) for _ in range(CONNECTIONS_MAX)]
        for peer in idle:
            peer.sendall(b'{"verb": "ha')

        assert ask(path, Request(verb="halt"), 5).exit_code == 0

        assert len(bot.halts) == 1
        assert idle[0].recv(1) == b""  # the oldest had to make room


def test_a_client_that_never_finishes_its_request_is_dropped(tmp_path: Path, bot: FakeBot) -> None:
    server = ControlServer(tmp_path / "control.sock", bot, COMMANDS, read_s=0.05)
    server.start()
    try:
        with connect(tmp_path / "control.sock") as peer:
            peer.sendall(b'{"verb": "halt"')

            assert peer.recv(1) == b""
    finally:
        server.stop()
    assert bot.halts == []


def test_a_client_that_does_not_read_is_dropped_and_holds_nobody(
    server: ControlServer, path: Path, bot: FakeBot
) -> None:
    bot.told = Told(lines=tuple("x" * 1_000 for _ in range(5_000)), document={})
    with connect(path) as peer:
        peer.sendall(b'{"verb": "report"}\n')
        assert peer.recv(1) == b"{"

        assert ask(path, Request(verb="halt"), 5).exit_code == 0

        until(lambda: server.connections == 0)
        rest = b""
        while part := peer.recv(1 << 20):
            rest += part
        assert len(rest) < 5_000_000  # cut off: the rest was never sent


def test_a_client_that_leaves_before_its_answer_does_no_harm(path: Path, bot: FakeBot) -> None:
    reading, released = threading.Event(), threading.Event()

    def hang() -> None:
        reading.set()
        released.wait(10)

    bot.slow_gate = hang
    peer = connect(path)
    peer.sendall(b'{"verb": "report"}\n')
    assert reading.wait(5)
    peer.close()
    released.set()

    assert ask(path, Request(verb="status"), 5).exit_code == 0


def test_a_verb_that_fails_inside_is_an_answer_and_not_the_end(path: Path, bot: FakeBot) -> None:
    def broken() -> None:
        raise RuntimeError("planted")

    bot.slow_gate = broken

    reply = ask(path, Request(verb="report"), 5)

    assert reply.exit_code == 1
    assert reply.lines == ("report failed inside the bot; its log says why",)
    assert ask(path, Request(verb="status"), 5).exit_code == 0


def test_a_dead_bots_socket_is_replaced_and_a_live_ones_is_not(tmp_path: Path, bot: FakeBot) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    first = ControlServer(path, bot, COMMANDS)
    first.start()
    try:
        second = ControlServer(path, bot, COMMANDS)
        with pytest.raises(ControlSocketError, match="another bot answers"):
            second.start()
        second.stop()
        assert ask(path, Request(verb="status"), 5).exit_code == 0
    finally:
        first.stop()
    assert not path.exists()


def test_a_file_in_the_sockets_place_is_left_alone(tmp_path: Path, bot: FakeBot) -> None:
    path = tmp_path / "control.sock"
    path.write_text("mine")
    server = ControlServer(path, bot, COMMANDS)

    with pytest.raises(ControlSocketError, match="is not a socket"):
        server.start()

    server.stop()
    assert path.read_text() == "mine"


def test_a_path_longer_than_a_socket_address_works(tmp_path: Path, bot: FakeBot) -> None:
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    server = ControlServer(deep / "control.sock", bot, COMMANDS)
    server.start()
    try:
        assert ask(deep / "control.sock", Request(verb="status"), 5).exit_code == 0
    finally:
        server.stop()


def test_who_has_asked_is_answered_by_a_server_that_stops(path: Path, bot: FakeBot, server: ControlServer) -> None:
    reading, released = threading.Event(), threading.Event()

    def hang() -> None:
        reading.set()
        released.wait(10)

    bot.slow_gate = hang
    with connect(path) as slow, connect(path) as idle:
        slow.sendall(b'{"verb": "report"}\n')
        assert reading.wait(5)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert idle.recv(1) == b""  # it stops: who has asked for nothing is let go

        released.set()

        assert answer_of(slow)["lines"] == ["the whole story"]
        stopping.join(10)


def test_a_request_without_end_does_not_hold_up_the_stop(path: Path, bot: FakeBot, server: ControlServer) -> None:
    reading, released = threading.Event(), threading.Event()

    def hang() -> None:
        reading.set()
        released.wait(30)

    bot.slow_gate = hang
    with connect(path) as slow:
        slow.sendall(b'{"verb": "report"}\n')
        assert reading.wait(5)

        server.stop()

        assert not released.is_set()
        assert slow.recv(1) == b""
        released.set()


def test_after_stop_nobody_answers(tmp_path: Path, bot: FakeBot) -> None:
    server = ControlServer(tmp_path / "control.sock", bot, COMMANDS)
    server.start()
    server.stop()
    server.stop()

    with pytest.raises(NoBotError) as missing:
        ask(tmp_path / "control.sock", Request(verb="status"), 1)
    assert missing.value.gone


def test_no_tcp_port_is_opened(path: Path) -> None:
    import psutil

    listening = [c for c in psutil.Process().net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]

    assert ask(path, Request(verb="status"), 5).exit_code == 0
    assert listening == []


@pytest.mark.usefixtures("server")
def test_the_door_waits_for_the_words_of_a_shell_that_has_just_connected(path: Path, bot: FakeBot) -> None:
    """A halt that has to be handed on to the other thread costs two more wake-ups."""
    served_by: list[str] = []
    bot.halt_gate = lambda: served_by.append(threading.current_thread().name)

    for _ in range(20):
        with connect(path) as peer:
            time.sleep(0.000_5)  # the door has looked by now; on a busy machine it may even have given up
            peer.sendall(b'{"verb": "halt"}\n')
            answer_of(peer)

    assert "control-door" in served_by


def test_who_had_connected_before_the_end_is_answered_though_the_door_was_busy(
    path: Path, bot: FakeBot, server: ControlServer
) -> None:
    at_the_door, released = threading.Event(), threading.Event()

    def hang() -> None:
        at_the_door.set()
        released.wait(10)

    bot.halt_gate = hang
    with connect(path) as first, connect(path) as second:
        first.sendall(b'{"verb": "halt"}\n')
        assert at_the_door.wait(5)
        second.sendall(b'{"verb": "version"}\n')
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until(server._stopping.is_set)
        released.set()

        assert answer_of(first)["lines"]
        assert answer_of(second)["lines"]
        stopping.join(10)
