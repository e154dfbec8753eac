"""`record` and `find` as an operator types them, against a recording that plays the venue."""

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

from adapters.replay import replay
from tests.adapters.polymarket.examples import BINARY_TAPE, BTC_TAPE
from tests.threads.test_tape_dialect import DOOR, simulating


def a_config(directory: Path, ready: dict[str, Any]) -> Path:
    path = directory / "config.yaml"
    path.write_text(
        "\n".join(
            [
                "venue: polymarket",
                "markets:",
                *(f'  - "{market}"' for market in ready["markets"]),
                "venues:",
                "  polymarket:",
                f"    rest_url: {ready['rest_url']}",
                f"    ws_url: {ready['ws_url']}",
                "",
            ]
        )
    )
    return path


def door(*arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DOOR), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def playing() -> Iterator[dict[str, Any]]:
    with simulating("--tape", str(BINARY_TAPE), "--speed", "max") as (_, ready):
        yield ready


def test_what_is_recorded_replays_as_what_was_played(tmp_path: Path) -> None:
    tape = tmp_path / "new.tape.jsonl.gz"
    with simulating("--tape", str(BINARY_TAPE), "--speed", "max") as (venue, ready):
        config = a_config(tmp_path, ready)
        command = [sys.executable, str(DOOR), "record", str(tape), "--config", str(config), "--for", "60s"]
        with running(command) as recorder:
            assert venue.stdout is not None
            assert json.loads(venue.stdout.readline())["tape_ended"]
            assert recorder.stderr is not None
            while "connection down" not in recorder.stderr.readline():
                pass
            recorder.send_signal(signal.SIGINT)
            summary = recorder.communicate(timeout=20)[0]

    recorded, played = replay(tape), replay(BINARY_TAPE)
    with simulating("--tape", str(tape)) as (_, again):
        assert again["markets"] == ready["markets"], "what record writes, simulate plays"

    assert recorder.returncode == 0
    assert "0 left out" in summary
    assert (recorded.frames, recorded.frames_unknown, recorded.frames_failed) == (119, 0, 0)
    assert (recorded.snapshots_checked, recorded.snapshots_equal) == (14, 14)
    assert recorded.markets == played.markets
    assert not recorded.cut


def test_a_recording_is_never_overwritten(tmp_path: Path, playing: dict[str, Any]) -> None:
    config = a_config(tmp_path, playing)
    taken = tmp_path / "taken.gz"
    taken.write_bytes(b"precious")

    finished = door("record", taken, "--config", config)

    assert finished.returncode == 2
    assert taken.read_bytes() == b"precious"


def test_a_venue_that_is_not_there_ends_with_69(tmp_path: Path) -> None:
    config = a_config(
        tmp_path, {"markets": ["0x" + "1" * 64], "rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1/"}
    )

    finished = door("record", tmp_path / "t.gz", "--config", config)

    assert finished.returncode == 69
    assert not (tmp_path / "t.gz").exists()


def test_found_markets_can_be_pasted_into_the_allow_list(tmp_path: Path) -> None:
    with simulating("--tape", str(BTC_TAPE)) as (_, ready):
        config = a_config(tmp_path, ready)
        text = door("find", "bitcoin", "5:15AM-5:30AM", "--config", config)
        document = json.loads(door("find", "bitcoin", "--config", config, "--json").stdout)

    assert text.stdout.startswith('  - "0x589c4f84e088209977f39f772779c3a035ca6ec826a0fe6045a7211b81548eb7"  # Bitcoin')
    assert "tick 0.01, lot 1, min 5, fee rate 0.07, ends 2026-09-28T09:30:00Z" in text.stdout
    assert len(text.stdout.splitlines()) == 1
    assert len(document["markets"]) == 9
    assert document["markets"][0]["fee_rate"] == "0.07"
