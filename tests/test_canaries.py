"""The search for canaries finds them: in what tests print, in the files they leave, in every encoding."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canaries import CANARIES, forms, in_environment, leaks

ROOT = Path(__file__).resolve().parents[1]

LEAKY = """
import sqlite3
from pathlib import Path
from tests.canaries import CANARIES, plant

def test_prints(): print("key", CANARIES[0])

def test_logs(caplog):
    import logging
    logging.getLogger("x").warning("token %s", CANARIES[1].encode().hex())

def test_leaves_a_ledger(tmp_path):
    with sqlite3.connect(tmp_path / "l.sqlite") as connection:
        connection.execute("CREATE TABLE t (text TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", ("a" * 5_000 + CANARIES[2],))
    connection.close()

def test_fails_with_a_traceback():
    secret = CANARIES[3]
    assert secret == "something else"

def test_keeps_one_on_purpose(tmp_path):
    (tmp_path / ".env").write_text(f"KEY={CANARIES[4]}")

def test_plants_one_of_its_own(tmp_path):
    plant(tmp_path, "f00d5ec2e7f00d5ec2e7")
    (tmp_path / "log.jsonl").write_text("url=http://x/?sig=f00d5ec2e7f00d5ec2e7")
"""


def test_there_are_twelve_of_them_and_none_is_a_piece_of_another():
    assert len(set(CANARIES)) == 12
    assert not [(a, b) for a in CANARIES for b in CANARIES if a != b and a in b]
    assert set(in_environment().values()) >= set(CANARIES[:7])


@given(number=st.integers(0, 11), before=st.binary(max_size=40), after=st.binary(max_size=40), way=st.integers(0, 4))
def test_a_canary_is_found_in_whatever_surrounds_it_and_however_it_is_encoded(number, before, after, way):
    secret = CANARIES[number].encode()
    ways = (
        lambda: before + secret + after,
        lambda: (before + secret + after).hex().encode(),
        lambda: base64.b64encode(before + secret + after),
        lambda: quote(before + secret + after, safe="").encode(),
        lambda: "".join(f"%{byte:02X}" for byte in before + secret + after).encode(),
    )

    assert leaks(ways[way]()) == [number]


@given(st.binary(max_size=300))
def test_other_bytes_are_no_canary(content):
    assert leaks(content) == []


def test_pieces_are_judged_without_the_mark_where_a_test_has_made_the_secret():
    assert leaks(b"x 1234567890abcdef y", ("1234567890abcdef",), marked=False) == [0]
    assert len(forms("1234567890abcdef")) == 8


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Outside of what the outer run searches."""
    with TemporaryDirectory(prefix="dutchbook-canaries-") as directory:
        yield Path(directory)


def a_run(directory: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_them.py").write_text(tests)
    (directory / "conftest.py").write_text("pytest_plugins = ['tests.canaries']\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--rootdir=."]
    command += ["-c", os.devnull, "--basetemp", "made", "--tb=no", "-rN", "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_run_with_a_leak_fails_and_says_where_without_repeating_it(elsewhere):
    run = a_run(elsewhere, LEAKY)

    told = [line for line in run.stdout.splitlines() if line.startswith(("canary", "a planted"))]
    assert run.returncode == 1
    assert [line.split(" in ")[0] for line in told] == [
        "a planted secret",
        *(f"canary {number}" for number in (0, 1, 2, 3)),
    ]
    assert "the output of" in told[1]
    assert "the output of" in told[2]
    assert told[3].endswith("l.sqlite")
    assert "the traceback of" in told[4]
    assert not leaks("".join(told).encode())


@pytest.mark.slow
def test_a_run_without_one_passes_and_says_how_much_was_searched(elsewhere):
    run = a_run(elsewhere, "def test_it(tmp_path): (tmp_path / 'a').write_text('nothing')\n")

    assert run.returncode == 0, run.stdout
    assert "no canary in 1 files (0 MB) and the output of every test" in run.stdout
