"""Real processes for the benchmarks: an exchange (`run.py simulate`) and a bot that watches all its markets."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOOR = Path(__file__).resolve().parent.parent / "run.py"

FREELY = """\
strategy: {min_edge: 0.005, cost_buffer: 0.002, min_minutes_to_close: 0}
execution: {order_size: 10, max_unwind_loss: 1, cooldown_seconds: 0}
risk: {price_collar: 0.2, max_daily_notional: 10000000, max_open_positions: 10000, max_orders_per_minute: 6000,
  duplicate_window_seconds: 0, halt_on_partial_fill: false,
  kill_switch_conditions: {partials: {count: 1000000, minutes: 1}, rejects: {count: 1000000, minutes: 1},
    disconnects: {count: 1000000, minutes: 1}, daily_notional: false}}
"""
"""Limits that no benchmark reaches."""


@dataclass(frozen=True, slots=True)
class Exchange:
    process: subprocess.Popen[str]
    ready: dict[str, Any]


@contextmanager
def exchange(*words: str) -> Iterator[Exchange]:
    command = [sys.executable, str(DOOR), "simulate", "--port", "0", "--with-parent", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Exchange(process, json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.communicate()  # what it says at the end is longer than a pipe holds


@contextmanager
def bot(
    home: Path, venue: Exchange, *words: str, more: str = "", seconds: int = 600
) -> Iterator[subprocess.Popen[Any]]:
    """`run.py run` in `home`, with the keys of the exchange's first account; stopped in order at the end."""
    ready = venue.ready
    account = ready["accounts"][0]
    lines = [f"mode: {'live' if '--live' in words else 'paper'}", "venue: simulated"]
    lines += ["markets:", *(f"  - {market}" for market in ready["markets"])]
    lines += ["venues:", "  simulated:"]
    lines += [f"    {key}: {ready[key]}" for key in ("rest_url", "ws_url", "user_ws_url")]
    (home / "config.yaml").write_text("\n".join(lines) + "\n" + more, encoding="utf-8")
    secrets = home / ".env"
    secrets.touch(mode=0o600)
    names = ("api_key", "api_secret")
    secrets.write_text("".join(f"DUTCHBOOK_SIMULATED_{name.upper()}={account[name]}\n" for name in names))
    command = [sys.executable, str(DOOR), "run", "--no-console", "--for", f"{seconds}s", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DUTCHBOOK_")}
    process = subprocess.Popen(command, cwd=home, env=clean, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


def within(seconds: float, look: Any, what: str) -> Any:
    """Poll until `look` gives something true."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > ends:
            raise SystemExit(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return found
