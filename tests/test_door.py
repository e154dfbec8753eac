"""run.py opens on a bare machine, enters its environment by itself, and says in one line what is missing."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

import run

ROOT = Path(__file__).resolve().parent.parent

SPY = """#!/bin/sh
echo "$@" >> "{log}"
exit {code}
"""


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with the door and the lock files and nothing else."""
    shutil.copy(ROOT / "run.py", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def spy_environment(house: Path, code: int = 0) -> Path:
    """An environment whose Python only writes down how it was called. Returns that record."""
    log = house / "calls"
    python = house / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(SPY.format(log=log, code=code))
    python.chmod(0o700)
    for name in run.PACKAGES:
        (house / ".venv" / "lib" / "python3.11" / "site-packages" / name).mkdir(parents=True)
    return log


def door(house: Path, *arguments: str, python: Path | str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(house), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(python), str(house / "run.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("arguments", [[], ["status"], ["--help"], ["report", "--json"]])
def test_without_an_environment_one_line_says_what_to_type(
    house: Path, bare_python: Path, arguments: list[str]
) -> None:
    result = door(house, *arguments, python=bare_python)

    assert result.returncode == 78
    assert result.stderr == "missing package: pykka. First run:  python3 run.py setup\n"
    assert result.stdout == ""


def test_any_verb_enters_the_environment_with_all_its_arguments(house: Path, bare_python: Path) -> None:
    log = spy_environment(house, code=7)

    result = door(house, "why", "ts-0009", "--json", python=bare_python)

    assert result.returncode == 7
    assert log.read_text() == f"{house / 'run.py'} why ts-0009 --json\n"


def test_an_environment_of_other_lock_files_is_not_entered(house: Path, bare_python: Path) -> None:
    log = spy_environment(house)
    (house / ".venv" / "dutchbook-setup.json").write_text(json.dumps({"run": "0" * 64}))

    result = door(house, "run", python=bare_python)

    assert result.returncode == 78
    assert result.stderr == "requirements/ changed since the last set-up. First run:  python3 run.py setup\n"
    assert not log.exists()


def test_the_door_hands_over_and_returns_what_the_bot_returns(house: Path) -> None:
    (house / "actors").mkdir()
    (house / "actors" / "main.py").write_text(
        "import os\n\n\ndef main(argv):\n    print(argv, oct(os.umask(0)))\n    return 5\n"
    )

    result = door(house, "halt", "m1", "--", "because")

    assert (result.returncode, result.stdout) == (5, "['halt', 'm1', '--', 'because'] 0o77\n")


def test_set_up_installs_from_the_hash_lock_and_nothing_else_and_only_once(house: Path) -> None:
    log = spy_environment(house)

    first, second = door(house, "setup"), door(house, "setup")

    assert (first.returncode, second.returncode) == (0, 0)
    (call,) = log.read_text().splitlines()
    assert call.endswith(f"--require-hashes --no-deps --only-binary :all: -r {house}/requirements/run.txt")
    assert second.stdout.startswith("Already set up.")


def test_development_includes_what_the_bot_needs(house: Path) -> None:
    log = spy_environment(house)

    outputs = [door(house, "setup").stdout, door(house, "setup", "--dev").stdout, door(house, "setup").stdout]

    assert [Path(call.split()[-1]).name for call in log.read_text().splitlines()] == ["run.txt", "dev.txt"]
    assert outputs[2].startswith("Already set up.")


def test_a_changed_lock_is_installed_again(house: Path) -> None:
    log = spy_environment(house)
    door(house, "setup")
    with (house / "requirements" / "run.txt").open("a") as lock:
        lock.write("# changed\n")

    door(house, "setup")

    assert len(log.read_text().splitlines()) == 2


def test_a_failed_install_says_so_and_is_tried_again(house: Path) -> None:
    log = spy_environment(house, code=1)

    results = [door(house, "setup") for _ in range(2)]

    assert [result.returncode for result in results] == [78, 78]
    assert "Set-up failed: the packages could not be installed; is the network there?" in results[0].stderr
    assert "Traceback" not in results[0].stderr
    assert len(log.read_text().splitlines()) == 2


def test_an_environment_that_lost_a_package_is_no_set_up_whatever_its_stamp_says(house: Path) -> None:
    """pip would find the package's metadata and bring nothing back."""
    spy_environment(house)
    assert door(house, "setup").returncode == 0
    (house / ".venv" / "lib" / "python3.11" / "site-packages" / run.PACKAGES[0]).rmdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(house), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}

    command = [sys.executable, str(house / "run.py"), "setup"]
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)

    assert again.returncode == 78, "no index was allowed, so the packages cannot have come"
    assert "Installing the packages" in again.stdout
    assert not (house / ".venv" / "dutchbook-setup.json").exists()


def test_an_environment_whose_python_is_gone_is_built_anew(house: Path, bare_python: Path) -> None:
    (house / ".venv" / "bin").mkdir(parents=True)
    (house / ".venv" / "bin" / "python").symlink_to(house / "gone")
    (house / ".venv" / "left-over").touch()

    environment = {"PATH": os.environ["PATH"], "HOME": str(house), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    command = [str(bare_python), str(house / "run.py"), "setup"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)

    assert result.returncode == 78, "no index was allowed, so the packages cannot have come"
    assert (house / ".venv" / "bin" / "python").exists()
    assert not (house / ".venv" / "left-over").exists()
    assert not (house / ".venv" / "dutchbook-setup.json").exists()
    assert (house / ".venv" / "bin").stat().st_mode & 0o077 == 0


def test_wrong_usage_of_set_up_is_2(house: Path) -> None:
    result = door(house, "setup", "--devel")

    assert (result.returncode, result.stderr) == (2, "usage: python3 run.py setup [--dev]\n")


CHECKS = [
    "-m ruff check .",
    "-m ruff format --check .",
    "-m mypy --strict run.py models adapters actors",
    "--no-logo",
    "-m pytest -k x",
]


@pytest.mark.parametrize("unclean", [None, *CHECKS])
def test_the_test_command_runs_every_check_and_fails_with_any_of_them(house: Path, unclean: str | None) -> None:
    log = spy_environment(house)
    door(house, "setup", "--dev")
    log.unlink()
    tool = f'#!/bin/sh\necho "$@" >> "{log}"\n[ "$*" != "{unclean}" ]\n'
    for name in ("python", "lint-imports"):
        (house / ".venv" / "bin" / name).write_text(tool)
        (house / ".venv" / "bin" / name).chmod(0o700)

    result = door(house, "test", "-k", "x")

    assert log.read_text().splitlines() == CHECKS
    assert result.returncode == (0 if unclean is None else 1)
    assert ("NOT CLEAN" in result.stdout) == (unclean in CHECKS[:-1])
    assert result.stdout.rstrip().endswith("--- python -m pytest -k x"), "pytest has the last word"


def test_an_old_python_is_told_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    monkeypatch.setattr(os, "umask", lambda mask: mask)

    assert run.main(["run"]) == 78

    said = capsys.readouterr().err
    assert said.startswith("Python 3.11 or newer is needed, this is 3.9.18 (")
    assert "sudo apt install python3.11 python3.11-venv" in said


def test_an_old_python_can_at_least_read_the_door() -> None:
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_a_python_without_venv_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "VENV_PYTHON", tmp_path / "none")
    monkeypatch.setattr(run, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)
    monkeypatch.setattr(os, "umask", lambda mask: mask)

    assert run.main(["setup"]) == 78

    version = ".".join(map(str, sys.version_info[:2]))
    assert f"sudo apt install python{version}-venv" in capsys.readouterr().err


def test_importing_any_module_starts_nothing_and_writes_nothing(tmp_path: Path) -> None:
    rooms = ("models", "adapters", "actors")
    modules = ["run"] + [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
    ]
    code = (
        "import importlib, os, sys, threading\n"
        "import requests  # its urllib3 binds a socket once to learn whether there is IPv6\n"
        "sys.addaudithook(lambda event, args: seen.append((event, args)) if event in watched else None)\n"
        "watched = {'socket.connect', 'socket.bind', 'subprocess.Popen', 'sqlite3.connect', 'os.mkdir'}\n"
        "seen, mask = [], os.umask(0o022)\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name.removesuffix('.__init__'))\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert not seen, seen\n"
        "assert os.umask(0o022) == 0o022\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(tmp_path),
    }

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_test_reaches_beyond_this_machine() -> None:
    with pytest.raises((SocketConnectBlockedError, UserWarning), match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 9), timeout=0.1)


@pytest.mark.parametrize("name", ["run", "dev"])
def test_every_locked_package_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())

    assert len(blocks) > 20
    for block in blocks:
        assert re.fullmatch(
            r"[a-z0-9._-]+==[^\s;]+( ; [^\\]+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\\n|$))+", block
        ), block
    assert not re.search(r"://|--(index|extra|find|trusted)|file:|@ ", text)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE))


def test_the_two_locks_agree_and_hold_all_that_was_asked_for() -> None:
    wanted = {
        name: re.findall(r"^([A-Za-z][A-Za-z0-9-]*)", (ROOT / "requirements" / f"{name}.in").read_text(), re.MULTILINE)
        for name in ("run", "dev")
    }

    assert pins("run").items() <= pins("dev").items()
    assert {package.lower() for package in wanted["run"]} <= pins("run").keys()
    assert {package.lower() for package in wanted["dev"]} <= pins("dev").keys()
    assert "pytest" not in pins("run")


def test_the_names_of_make_are_commands_that_exist() -> None:
    result = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True)

    targets = re.findall(r"^([a-z-]+) {2,}", result.stdout, re.MULTILINE)
    assert {"run", "test", "setup", "lock", "bench", "bench-peers", "prove", "soak", "crash", "fuzz"} <= set(targets)


def test_the_ci_line_is_the_readmes_test_command_in_a_fresh_environment() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "rm -rf .venv\n" in script
    assert script.rstrip().endswith('run.py test "$@"')
