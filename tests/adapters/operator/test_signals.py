from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adapters.operator.signals import StopRequest

PROGRAM = """
import sys
from adapters.operator.signals import StopRequest
stop = StopRequest()
stop.install()
print("ready", flush=True)
stop.wait()
print("stopping", stop.why, flush=True)
sys.stdin.read()  # an ordered stop that hangs
"""

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_for_the_ordered_stop_and_a_second_one_insists(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"stopping {number.name}\n"
        process.send_signal(number)  # together with the first: still one wish
        assert process.poll() is None

        threading.Event().wait(0.6)
        process.send_signal(number)

        assert process.wait(5) == 3


def test_whoever_waits_is_woken_and_later_ones_do_not_wait_at_all() -> None:
    stop = StopRequest()
    woken = []
    thread = threading.Thread(target=lambda: woken.append(stop.wait(10)))
    thread.start()

    stop.request("quit")
    thread.join(5)

    assert woken == [True]
    assert stop.wait(10)
    assert stop.why == "quit"


def test_the_first_reason_stays() -> None:
    stop = StopRequest()
    stop.request("first")
    stop.request("second")

    assert stop.why == "first"


def test_a_wait_ends_with_its_time() -> None:
    assert not StopRequest().wait(0.01)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop = StopRequest()
    stop.install()
    assert signal.getsignal(signal.SIGTERM) != before
    stop.restore()

    assert signal.getsignal(signal.SIGTERM) == before
