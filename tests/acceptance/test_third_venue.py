"""A third venue is one folder and one line: the simulated one copied under another name, in a copy of the program."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.acceptance.stage import ROOT, a_venue, environment, rows

LINE = '    "kalshi": "adapters.kalshi.adapter",\n'


def a_program_with_a_third_venue(home: Path) -> Path:
    for room in ("actors", "adapters", "models", "requirements"):
        shutil.copytree(ROOT / room, home / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run.py", home)
    folder = shutil.copytree(home / "adapters" / "simulated", home / "adapters" / "copycat")
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace("adapters.simulated", "adapters.copycat")
        path.write_text(text.replace('VenueName("simulated")', 'VenueName("copycat")'), encoding="utf-8")
    registry = home / "adapters" / "registry.py"
    known = registry.read_text(encoding="utf-8")
    assert LINE in known
    registry.write_text(known.replace(LINE, LINE + LINE.replace("kalshi", "copycat")), encoding="utf-8")
    return home / "run.py"


def test_a_folder_and_a_line_are_all_that_a_third_venue_needs(tmp_path: Path) -> None:
    program = a_program_with_a_third_venue(tmp_path / "program")
    home = tmp_path / "home"
    home.mkdir()

    def verb(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(program), *words]
        own = {"DUTCHBOOK_COPYCAT_API_KEY": "a-key-of-its-own"}
        return subprocess.run(
            command, cwd=home, env=environment(home) | own, capture_output=True, text=True, timeout=60, check=False
        )

    with a_venue("--seed", "7") as venue:
        (home / "config.yaml").write_text(
            "mode: paper\nvenue: copycat\nmarkets: [fed-cut-dec]\nstrategy: {min_minutes_to_close: 0}\n"
            f"venues: {{copycat: {{rest_url: {venue.ready['rest_url']}, ws_url: {venue.ready['ws_url']}}}}}\n"
        )
        checked = verb("check")
        ran = verb("run", "--no-console", "--for", "4s")
        recorded = verb("record", "x.tape.gz", "--for", "1s")
        replayed = verb("replay", "x.tape.gz")

    for done in (checked, ran, recorded, replayed):
        assert done.returncode == 0, (done.args, done.stdout[-1000:], done.stderr[-1000:])
    assert "venue copycat" in checked.stdout
    assert rows(home / "data" / "ledger.sqlite", "SELECT venue FROM run_starts") == [{"venue": "copycat"}]
    assert rows(home / "data" / "ledger.sqlite", "SELECT 1 FROM events WHERE kind = 'ready'")
    assert "copycat" in replayed.stdout
