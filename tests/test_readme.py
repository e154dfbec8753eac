"""The README does not lie: its diagram is printed from the table, its verbs and files exist."""

from __future__ import annotations

import re
from pathlib import Path

from actors.main import OFFLINE_VERBS, REMOTE_VERBS
from models.tradeset import diagram

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_state_diagram_is_the_one_that_the_table_prints() -> None:
    shown = re.search(r"```mermaid\n(.*?)```", README, re.DOTALL)

    assert shown is not None
    assert shown.group(1).strip() == diagram().strip()


def test_every_file_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`((?:models|adapters|actors|tests)/[a-z_/]+\.py)`", README))

    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_verb_of_the_program_is_in_the_readme() -> None:
    missing = [verb for verb in (*OFFLINE_VERBS, *REMOTE_VERBS, "run", "demo") if f"`{verb}" not in README]

    assert missing == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in set(re.findall(r"`make ([a-z-]+)", README)):
        assert f"\n{target}:" in makefile, target
