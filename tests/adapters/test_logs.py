"""The log file: what reaches it, what does not, and what happens when it cannot be written."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pykka
import pytest

from adapters import logs as logs_module
from adapters.logs import FIELD_CHARS, Logs
from adapters.redaction import MARK, Redactor

CANARY = "canary-secret-0123456789abcdef"
ENCODED = [CANARY, CANARY.encode().hex(), "Y2FuYXJ5LXNlY3JldC0wMTIzNDU2Nzg5YWJjZGVm", CANARY.replace("-", "%2D")]

logger = logging.getLogger("tests.logs")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def a_log(tmp_path: Path, **options: Any) -> Logs:
    return Logs(tmp_path / "data" / "bot.log", Redactor([CANARY]), **options)


def test_a_line_is_json_with_level_logger_thread_time_and_extra_fields(tmp_path: Path) -> None:
    with a_log(tmp_path) as logs:
        logger.info("market %s is ready", "m1", extra={"market_id": "m1"})
        logger.debug("not at this level")

    (line,) = lines(logs.path)
    assert float(line.pop("wall_s")) > 1e9
    assert line == {
        "event": "market m1 is ready",
        "level": "info",
        "logger": "tests.logs",
        "market_id": "m1",
        "thread": threading.current_thread().name,
    }


def test_arguments_are_fixed_when_the_call_is_made(tmp_path: Path) -> None:
    with a_log(tmp_path) as logs:
        book = {"ask": 47}
        for ask in range(50):
            book["ask"] = ask
            logger.info("book %s", book)

    assert [line["event"] for line in lines(logs.path)] == [f"book {{'ask': {ask}}}" for ask in range(50)]


def test_no_secret_reaches_the_file_by_argument_exception_traceback_extra_or_warning(tmp_path: Path) -> None:
    class Venue:
        def __repr__(self) -> str:
            return f"Venue(key={CANARY})"

    with a_log(tmp_path) as logs:
        for secret in ENCODED:
            logger.info("argument %s", secret)
            logger.info(f"message {secret}")  # noqa: G004  somebody always does
            logger.info("extra", extra={"url": f"https://venue/?k={secret}", "nested": {"k": [secret]}})
            try:
                raise RuntimeError(f"GET https://venue/?key={secret}")
            except RuntimeError:
                logger.exception("call failed")
            try:
                try:
                    raise KeyError(secret)
                except KeyError as inner:
                    raise ValueError("outer") from inner
            except ValueError:
                logger.exception("chained")
        logger.info("an object %r", Venue(), extra={"venue": Venue()})
        logger.info("headers %s", {"Authorization": "Bearer unknown-to-us", "KALSHI-ACCESS-SIGNATURE": "also"})
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"deprecated {CANARY}", stacklevel=1)

    text = logs.path.read_text()
    assert not [secret for secret in ENCODED if secret in text or secret[:10] in text]
    assert "unknown-to-us" not in text
    assert "also" not in text
    assert text.count(MARK) >= len(ENCODED) * 5
    assert len(lines(logs.path)) == 5 * len(ENCODED) + 3
    assert logs.lost == 0


def test_hostile_text_becomes_plain_ascii_on_one_line(tmp_path: Path) -> None:
    with a_log(tmp_path) as logs:
        logger.info("title %s", "\x1b]0;owned\x07\n\u202eevil\x9b2J")

    raw = logs.path.read_bytes()
    assert raw.count(b"\n") == 1
    assert all(32 <= byte < 127 for byte in raw.rstrip(b"\n"))


def test_a_record_of_a_megabyte_is_cut(tmp_path: Path) -> None:
    with a_log(tmp_path) as logs:
        logger.info("%s", "x" * 1_000_000)

    (line,) = lines(logs.path)
    assert len(line["event"]) < FIELD_CHARS + 100
    assert line["event"].endswith("characters more")


def test_the_files_are_private_rotate_and_stay_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_module, "FILE_BYTES", 2_000)
    old = os.umask(0)
    try:
        with a_log(tmp_path) as logs:
            for number in range(300):
                logger.info("line %d", number)
    finally:
        os.umask(old)

    files = sorted(logs.path.parent.iterdir())
    assert len(files) == logs_module.FILES_KEPT + 1
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(logs.path.parent.stat().st_mode) == 0o700
    assert lines(logs.path)[-1]["event"] == "line 299"


def test_a_full_queue_drops_lines_and_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_module, "QUEUE_LINES", 10)
    rendering, hold = threading.Event(), threading.Event()

    with a_log(tmp_path) as logs:
        # An extra field is rendered by the writer's thread: it hangs there while we go on logging.
        logger.info("first", extra={"slow": Blocks(rendering, hold)})
        assert rendering.wait(5)
        for number in range(100):
            logger.info("line %d", number)
        dropped = logs.lost
        hold.set()

    assert dropped == 90
    assert len(lines(logs.path)) == 11


class Blocks:
    """Cannot be rendered until `hold` is set."""

    def __init__(self, rendering: threading.Event, hold: threading.Event) -> None:
        self._rendering = rendering
        self._hold = hold

    def __repr__(self) -> str:
        self._rendering.set()
        self._hold.wait(5)
        return "at last"


def test_an_exception_in_a_thread_is_logged_and_told_without_secrets(tmp_path: Path) -> None:
    told: list[str] = []

    def fails() -> None:
        raise RuntimeError(f"key {CANARY}")

    with a_log(tmp_path, on_trouble=told.append) as logs:
        thread = threading.Thread(target=fails, name="lane-1")
        thread.start()
        thread.join()
        leaving = threading.Thread(target=sys.exit)
        leaving.start()
        leaving.join()

    assert told == [f"uncaught RuntimeError in lane-1: key {MARK}"]
    (line,) = lines(logs.path)
    assert line["level"] == "critical"
    assert "Traceback" in line["exception"]
    assert CANARY not in json.dumps(line)


def test_a_listener_that_fails_is_logged(tmp_path: Path) -> None:
    def fails(text: str) -> None:
        raise OSError("gate is gone")

    with a_log(tmp_path, on_trouble=fails) as logs:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()

    assert lines(logs.path)[0]["event"].startswith("nobody could be told of: uncaught ZeroDivisionError")


class Fragile(pykka.ThreadingActor):
    def on_receive(self, message: Any) -> Any:
        if message == "unexpected":
            return super().on_receive(message)
        raise ValueError(f"{message} {CANARY}")


def ask_in_vain(ref: pykka.ActorRef[Any]) -> None:
    with pytest.raises(ValueError, match="asked"):
        ref.ask("asked", timeout=5)


@pytest.mark.parametrize(
    ("send", "heard"),
    [
        (lambda ref: ref.tell("told"), "Unhandled exception in"),
        (ask_in_vain, "Exception returned from"),
        (lambda ref: ref.ask("unexpected", timeout=5), "Unexpected message received"),
    ],
    ids=["a tell that dies", "an ask that fails quietly", "a message nobody handles"],
)
def test_what_pykka_whispers_is_told(tmp_path: Path, send: Callable[[Any], None], heard: str) -> None:
    told: list[str] = []
    came = threading.Event()

    def hear(text: str) -> None:
        told.append(text)
        came.set()

    with a_log(tmp_path, on_trouble=hear):
        ref = Fragile.start()
        try:
            send(ref)
            assert came.wait(5)
        finally:
            ref.stop(timeout=5)

    assert heard in told[0]
    assert CANARY not in told[0]


def test_stopping_gives_everything_back(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), sys.excepthook, threading.excepthook, sys.unraisablehook)

    logs = a_log(tmp_path)
    logs.start()
    logs.stop()
    logs.stop()

    assert before == (root.level, list(root.handlers), sys.excepthook, threading.excepthook, sys.unraisablehook)


CHILD = """
    import logging, resource, signal, sys
    from pathlib import Path
    from adapters.logs import Logs
    from adapters.redaction import Redactor
    logs = Logs(Path(sys.argv[1]), Redactor([sys.argv[2]]), on_trouble=lambda text: print("told:", text))
    logs.start()
    {body}
"""


def in_a_child(path: Path, body: str) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(CHILD).format(body=body)
    return subprocess.run(
        [sys.executable, "-c", script, str(path), CANARY],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
        check=False,
    )


def test_the_main_threads_last_words_are_one_line_without_secrets_and_the_traceback_is_in_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bot.log"

    done = in_a_child(path, "import atexit; atexit.register(logs.stop); raise RuntimeError('key ' + sys.argv[2])")

    assert done.returncode == 1
    assert done.stderr == f"unexpected RuntimeError: key {MARK}\nThe traceback is in {path}\n"
    assert done.stdout == f"told: uncaught RuntimeError in the main thread: key {MARK}\n"
    assert "Traceback" in lines(path)[0]["exception"]
    assert CANARY not in path.read_text()


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    body = (
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
        "[logging.warning('x') for _ in range(20)]; logs.stop(); print(logs.lost)"
    )

    done = in_a_child(tmp_path / "bot.log", body)

    assert (done.returncode, done.stdout, done.stderr) == (0, "20\n", "")


def test_a_record_whose_arguments_do_not_fit_is_counted_and_the_next_one_is_written(tmp_path: Path) -> None:
    body = "logging.info('two %s %s', 'one'); logging.info('fine'); logs.stop(); print(logs.lost)"

    done = in_a_child(tmp_path / "bot.log", body)

    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert [line["event"] for line in lines(tmp_path / "bot.log")] == ["fine"]
