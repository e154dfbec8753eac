"""The arrows between the rooms, read from the imports of every file: what ARCHITECTURE promises by absence."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("models", "adapters", "actors")
VENUES = ("simulated", "polymarket", "kalshi")

MODELS_MAY_IMPORT = {
    "__future__", "abc", "ast", "base64", "binascii", "bisect", "collections", "copy", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "itertools", "json", "logging",
    "math", "operator", "re", "statistics", "string", "struct", "textwrap", "types", "typing", "unicodedata",
    "urllib.parse",
}  # fmt: skip
"""Thought needs no thread, socket, file, process or database; what is not here has to be argued for."""

MODELS_LIBRARIES = {"msgspec": None, "pydantic": "config", "pydantic_core": "config", "yaml": "config"}
"""Library -> the files (by the start of their name) that may use it; None = any."""

CHANCE_AND_TIME = {"time", "random", "secrets", "uuid"}
SEEDED = "actors/simulation.py"
"""The simulator's scheduler is itself the source of chance: one `random.Random(seed)`, the seed passed in."""

BANNED_READS = {
    "threading.Timer", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
}  # fmt: skip


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere in it; `from a import b` counts as `a` and as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)}: import from the top name"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reads(path: Path) -> Iterator[str]:
    """Every dotted name that a file uses, such as `datetime.now`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("path", sources("models"), ids=named)
def test_models_import_only_models_and_libraries_of_thought(path: Path) -> None:
    for module in imports(path):
        top = module.partition(".")[0]
        if top in MODELS_LIBRARIES:
            allowed = MODELS_LIBRARIES[top]
            assert allowed is None or path.name.startswith(allowed), f"{module} belongs in models/{allowed}*.py"
        else:
            assert top == "models" or within(module, MODELS_MAY_IMPORT), module


@pytest.mark.parametrize("path", sources("adapters"), ids=named)
def test_adapters_never_import_actors(path: Path) -> None:
    assert not [module for module in imports(path) if within(module, {"actors", "run", "tests", "bench"})]


@pytest.mark.parametrize("path", sources("actors"), ids=named)
def test_actors_import_neither_the_door_nor_tests(path: Path) -> None:
    assert not [module for module in imports(path) if within(module, {"run", "tests", "bench"})]


@pytest.mark.parametrize("path", sources(*(f"adapters/{venue}" for venue in VENUES)), ids=named)
def test_a_venue_imports_no_other_venue(path: Path) -> None:
    home = path.relative_to(ROOT / "adapters").parts[0]
    others = {f"adapters.{venue}" for venue in VENUES if venue != home}
    if path.stem == "dialect" or "dialect" in path.parent.parts:
        others.discard("adapters.simulated")
    assert not [module for module in imports(path) if within(module, others)]


@pytest.mark.parametrize("path", sources("models", "actors"), ids=named)
def test_time_chance_and_ids_are_passed_in(path: Path) -> None:
    found = {module for module in imports(path) if within(module, CHANCE_AND_TIME)}
    if named(path) == SEEDED:
        assert {name for name in reads(path) if name.startswith("random.")} == {"random.Random"}
        found.discard("random")
    assert not found
    assert not BANNED_READS.intersection(imports(path))
    assert not BANNED_READS.intersection(reads(path))


@pytest.mark.parametrize("path", sources("models", "adapters", "actors"), ids=named)
def test_nothing_sleeps(path: Path) -> None:
    assert "time.sleep" not in {*reads(path), *imports(path)}, "wait on an event with a time limit"


def test_the_door_needs_only_the_standard_library_until_it_hands_over() -> None:
    tree = ast.parse((ROOT / "run.py").read_text(encoding="utf-8"))
    hand_over = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "hand_over")
    late = {id(node) for node in ast.walk(hand_over)}
    found = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in late
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }

    assert found <= sys.stdlib_module_names
    assert {module for module in imports(ROOT / "run.py") if within(module, set(ROOMS))} == {
        "actors.main",
        "actors.main.main",
    }


@pytest.mark.parametrize("room", ROOMS)
def test_no_drawer_without_a_subject(room: str) -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "data", "misc"}
    assert not [named(path) for path in sources(room) if path.stem in drawers or path.parent.name in drawers]


def test_a_wrong_arrow_would_be_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "def f():\n    from adapters import clock\n    import time\n    return datetime.now(time.sleep(1))\n"
    )

    assert {"adapters", "adapters.clock", "time"} == set(imports(wrong))
    assert {"datetime.now", "time.sleep"} <= set(reads(wrong))
