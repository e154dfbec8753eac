"""No type is read for the first time by two threads: msgspec would end the process."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parents[2]

ROUNDS = 300
MANY_THREADS = """
import sys, threading, types
import msgspec

TYPES = '''
import msgspec
from models.first_use import make_structs_ready

class Inner(msgspec.Struct):
    code: str
    text: str = ""

class Outer(msgspec.Struct):
    first: str = ""
    number: int = 0
    inner: Inner | None = None
    more: list[Inner] = []
'''
BODY = b'{"first":"x","number":1,"inner":{"code":"c"},"more":[]}'
sys.setswitchinterval(1e-6)
for number in range(int(sys.argv[2])):
    module = sys.modules["types_of_a_round"] = types.ModuleType("types_of_a_round")
    exec(TYPES + sys.argv[1], vars(module))
    barrier = threading.Barrier(3)

    def read():
        barrier.wait()
        for _ in range(3):
            msgspec.json.decode(BODY, type=module.Outer)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def ending(last_line: str) -> int:
    """How the process ends that reads new types with three threads at once, over and over."""
    command = [sys.executable, "-c", MANY_THREADS, last_line, str(ROUNDS)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode


def test_types_that_were_made_ready_are_read_by_many_threads_at_once() -> None:
    """Without its last line this program ends with a segmentation fault."""
    assert ending("make_structs_ready(globals())") == 0


def modules() -> list[Any]:
    found = []
    for room in ("models", "actors", "adapters"):
        package = importlib.import_module(room)
        found += [importlib.import_module(one.name) for one in pkgutil.walk_packages(package.__path__, f"{room}.")]
    return found


def structs_in(kind: Any) -> list[type]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in getattr(kind, "__args__", ()) for found in structs_in(part)]


def read_at_a_call(module: Any) -> list[type]:
    """Structs that a function of this module names as what it reads: `type=`, or a class among the arguments."""
    found: list[type] = []
    for call in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or ast.unparse(call.func).endswith("Decoder"):
            continue
        name = ast.unparse(call.func).rpartition(".")[2].lstrip("_")
        reads = name in ("convert", "decode", "decoded", "get", "read")
        named = [keyword.value for keyword in call.keywords if keyword.arg == "type"] + list(call.args if reads else ())
        for value in named:
            if isinstance(value, ast.Name | ast.Attribute | ast.Subscript):
                try:
                    found += structs_in(eval(ast.unparse(value), vars(module)))
                except (NameError, AttributeError, TypeError):
                    continue  # something of the function's own
    return found


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_what_a_function_reads_was_made_ready_where_it_was_defined(module: Any) -> None:
    for kind in read_at_a_call(module):
        source = Path(sys.modules[kind.__module__].__file__ or "").read_text(encoding="utf-8")
        assert "make_structs_ready(globals())" in source, f"{kind.__module__}.{kind.__name__}"


def test_the_types_that_are_read_at_a_call_are_found() -> None:
    assert sum(len(read_at_a_call(module)) for module in modules()) > 20
