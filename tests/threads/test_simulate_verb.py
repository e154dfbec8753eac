"""`run.py simulate` as a process: two lines of JSON, one script per seed, no survivor."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str, **kwargs: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "run.py"), "simulate", "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.readline())
    return said


def truth_after(process: subprocess.Popen[str], number: signal.Signals) -> dict[str, Any]:
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    told: dict[str, Any] = json.loads(out)
    return told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_at_the_end_what_was_true(number: signal.Signals) -> None:
    process = start("--seed", "7", "--accounts", "2", "--cash", "500")
    ready = first_line(process)

    assert requests.get(f"{ready['rest_url']}/time", timeout=2).status_code == 200
    told = truth_after(process, number)

    assert ready["ready"] is True
    assert ready["rest_url"].endswith(f":{ready['port']}")
    assert {"ws_url", "user_ws_url", "markets"} <= set(ready)
    assert [account["cash"] for account in ready["accounts"]] == ["500.00", "500.00"]
    assert {"api_key", "api_secret", "name"} <= set(ready["accounts"][0])
    assert told["audit"] == []
    assert [account["name"] for account in told["accounts"]] == ["trader-1", "trader-2"]
    assert "api_secret" not in json.dumps(told)


def test_the_same_seed_has_the_same_script_in_two_processes() -> None:
    def script(seed: str) -> Any:
        process = start("--seed", seed, "--for", "1s", env={**os.environ, "PYTHONHASHSEED": seed * 2})
        out, _ = process.communicate(timeout=15)
        return json.loads(out.splitlines()[1])["script"]

    one, two, other = script("7"), script("7"), script("8")
    long = [start("--seed", "7"), start("--seed", "7")]
    for process in long:
        first_line(process)

    scripts = [truth_after(process, signal.SIGINT)["script"] for process in long]

    assert one == two
    assert scripts[0] == scripts[1]
    assert len(scripts[0]) > 100
    assert other != one or other == one == []


def test_it_ends_with_the_process_that_started_it() -> None:
    process = start("--with-parent", stdin=subprocess.PIPE)
    first_line(process)

    assert process.stdin is not None
    process.stdin.close()  # what the kernel does when the parent dies

    process.stdin = None
    process.communicate(timeout=5)
    assert process.returncode == 0


def test_a_parent_that_is_killed_takes_it_along() -> None:
    code = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, {str(ROOT / 'run.py')!r}, 'simulate', '--port', '0', '--with-parent'],"
        " stdin=subprocess.PIPE)\n"
        "p.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    port = first_line(parent)["port"]

    parent.kill()
    parent.wait()

    deadline = time.monotonic() + 5
    while _listens(port):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)
    parent.communicate()


def test_a_port_that_is_taken_and_a_plan_that_is_wrong_are_one_sentence_each(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("--port", str(taken.getsockname()[1]))
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (69, "")
    assert "in use" in err

    (tmp_path / "plan.yaml").write_text("levers: [{lever: nonsense}]")
    process = start("--faults", str(tmp_path / "plan.yaml"))
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (78, "")
    assert len(err.splitlines()) == 1
    assert "nonsense" in err


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
