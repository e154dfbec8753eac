"""Twelve secrets that the whole test run carries about, and the search for them in everything that it leaves.

A plug-in of pytest (see `tests/conftest.py`). Tests hand the canaries to bots, exchanges and the environment of every
child; at the end of the run every file below pytest's base directory and every report of a test (captured output, log,
traceback) is searched for them, raw, as hex, as base64 at any alignment, and percent-encoded. One hit and the run
fails.

What keeps secrets on purpose is left out: `.env` and key files. `plant` adds a secret that a test has made itself, to
be looked for below one directory; `look` searches what a child has printed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

MARK: Final = "kanari-"
"""Begins every canary, so that one search for its few forms passes most files."""

CANARIES: Final = tuple(
    f"{MARK}{number:02}-{tail}"
    for number, tail in enumerate(
        (
            *("Hq7vTzX2pLw9", "mB4kRc8sJd1f", "Yt6gNe3uWa5x", "Pz9oQi2hVl7b"),
            *("Dk5rUy8jMf3c", "Gs1wEn6tXo4a", "Lb7pIv9zCq2h", "Rj3mKd5yTg8u"),
            *("Wf6xOl1eSn4z", "Ac2bHp7rVk9j", "Ue8tQy3oMi5d", "Nx4gLw6sZc1f"),
        )
    )
)
KEPT_ON_PURPOSE: Final = (".env", ".pem", ".key")
NEVER_WRITTEN: Final = ".reserve"
"""Room that a ledger keeps free: megabytes of nothing each."""
CHUNK: Final = 1 << 24

found: list[str] = []
"""Where a canary was seen, in words that do not repeat it."""
_planted: dict[Path, set[str]] = {}


def in_environment() -> dict[str, str]:
    """Eight of them, where an operator's secrets lie about: other venues' keys, other tools' tokens, a proxy's
    password.

    Every child may have them, and no child has any business with them.
    """
    return {
        "DUTCHBOOK_POLYMARKET_PRIVATE_KEY": CANARIES[0],
        "DUTCHBOOK_POLYMARKET_API_KEY": CANARIES[1],
        "DUTCHBOOK_POLYMARKET_API_SECRET": CANARIES[2],
        "DUTCHBOOK_POLYMARKET_API_PASSPHRASE": CANARIES[3],
        "DUTCHBOOK_KALSHI_KEY_ID": CANARIES[4],
        "AWS_SECRET_ACCESS_KEY": CANARIES[5],
        "SOME_TOKEN": CANARIES[6],
        "HTTP_PROXY": f"http://operator:{CANARIES[7]}@127.0.0.1:9",
    }


ACCOUNTS: Final = ((CANARIES[8], CANARIES[9]), (CANARIES[10], CANARIES[11]))
"""(API key, API secret) of accounts at simulated exchanges that tests make themselves: these are signed with."""


@cache
def forms(secret: str) -> tuple[bytes, ...]:
    """As it may be written: raw, hex, percent-encoded, and in a base64 text at each of its three alignments."""
    raw = secret.encode()
    encoded = [raw, raw.hex().encode(), raw.hex().upper().encode(), "".join(f"%{byte:02X}" for byte in raw).encode()]
    encoded.append(secret.replace("-", "%2D").encode())
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        encoded.append(text[(0, 2, 3)[shift] : len(text) - 4])  # without what its neighbours have a part in
    return tuple(encoded)


def leaks(content: bytes, secrets: tuple[str, ...] = CANARIES, *, marked: bool = True) -> list[int]:
    """Which of the secrets are in there, by number."""
    if marked and not any(form in content for form in _marks()):
        return []
    return [number for number, secret in enumerate(secrets) if any(form in content for form in forms(secret))]


@cache
def _marks() -> tuple[bytes, ...]:
    return tuple({form[:8] for secret in CANARIES for form in forms(secret)})


def look(text: str | bytes, where: str) -> None:
    """Search what somebody has printed; a hit fails the run."""
    content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    found.extend(f"canary {number} in {where}" for number in leaks(content))


def plant(directory: Path, *secrets: str) -> None:
    """From now on these must not be found in any file below `directory`, but for those that keep them on purpose."""
    _planted.setdefault(directory, set()).update(secrets)


def search(base: Path) -> tuple[int, int]:
    """Every file below the run's directory; how many files and bytes that were."""
    files = size = 0
    for path in base.rglob("*"):
        if path.is_symlink() or not path.is_file() or path.name.endswith((*KEPT_ON_PURPOSE, NEVER_WRITTEN)):
            continue
        files += 1
        for content in _pieces(path):
            size += len(content)
            look(content, str(path))
    for directory, secrets in _planted.items():
        for path in directory.rglob("*"):
            if path.is_symlink() or not path.is_file() or path.name.endswith(KEPT_ON_PURPOSE):
                continue
            for content in _pieces(path):
                hits = leaks(content, tuple(sorted(secrets)), marked=False)
                found.extend(f"a planted secret in {path}" for _ in hits)
    return files, size


def _pieces(path: Path) -> Iterator[bytes]:
    """The file in pieces that overlap by more than the longest form."""
    try:
        with path.open("rb") as file:
            kept = b""
            while part := file.read(CHUNK):
                yield kept + part
                kept = part[-512:]
    except OSError:
        return  # a pipe's other end, a file that goes away


# -- pytest's side


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    look("\n".join(f"{name}\n{content}" for name, content in report.sections), f"the output of {report.nodeid}")
    if report.longrepr is not None:
        look(str(report.longrepr), f"the traceback of {report.nodeid}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    factory = getattr(session.config, "_tmp_path_factory", None)
    base = None if factory is None else factory._basetemp
    files, size = (0, 0) if base is None else search(base)
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:  # a worker of xdist: its controller tells
        output["canaries"] = (files, size, found)
        return
    session.config.stash[_SEARCHED] = (files, size)
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_testnodedown(node: Any) -> None:
    """xdist's hook, in the controller: what a worker has found."""
    files, size, seen = getattr(node, "workeroutput", {}).get("canaries", (0, 0, []))
    known = node.config.stash.get(_WORKERS, (0, 0))
    node.config.stash[_WORKERS] = (known[0] + files, known[1] + size)
    found.extend(seen)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    files, size = (
        sum(pair) for pair in zip(config.stash.get(_SEARCHED, (0, 0)), config.stash.get(_WORKERS, (0, 0)), strict=True)
    )
    if found:
        terminalreporter.section("secrets that came out", red=True)
        for where in sorted(set(found)):
            terminalreporter.line(where)
    elif files:
        terminalreporter.line(
            f"no canary in {files} files ({size / 1e6:.0f} MB) and the output of every test", green=True
        )


_SEARCHED: Final = pytest.StashKey[tuple[int, int]]()
_WORKERS: Final = pytest.StashKey[tuple[int, int]]()
