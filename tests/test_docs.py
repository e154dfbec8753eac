"""What the pages in docs/ name is there: tests, files of tests, and everything else of the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def defined() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    return {name for source in sources for name in re.findall(r"^ *(?:async )?def (test_\w+)\(", source, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    words = set(re.findall(r"\btest_\w+\b(?!\.py|/)", (ROOT / "docs" / page).read_text(encoding="utf-8")))
    modules = {path.stem for path in (ROOT / "tests").rglob("*.py")}

    assert words - defined() - modules == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    paths = re.findall(r"\b(?:tests|docs|adapters|actors|models|bench)/[\w./-]*[\w/]", text)

    assert [path for path in paths if not (ROOT / path).exists()] == []
