#!/usr/bin/env python3
"""The door: stand up the environment, then hand the arguments over to `actors.main`. No logic of the bot is here.

Only the standard library is used, but for `hand_over`, so that it also runs on a machine where nothing is installed:

    python3 run.py setup [--dev]   create .venv and install the hash-locked packages; does nothing when they are there
    python3 run.py test [ARGS]     set up for development, then lint, types, import arrows, pytest (ARGS go to pytest)
    python3 run.py [VERB ...]      every other verb, `python3 run.py --help` lists them
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "dutchbook-setup.json"
"""What `setup` last installed completely: SHA-256 by lock file. Missing = not set up by us, or cut off."""

OLDEST_PYTHON = (3, 11)
PACKAGES = ("pykka", "websocket", "requests", "pydantic", "peewee", "yaml", "dotenv", "prompt_toolkit", "msgspec")
"""Import names that tell whether this Python has the locked packages; the rest of the lock comes with them."""

EXIT_SETUP_WRONG = 78
EXIT_INTERRUPTED = 130
SETUP_COMMAND = "python3 run.py setup"


class SetupError(Exception):
    """The environment cannot be made or used. The text says what is wrong and what to type."""


def main(argv: list[str]) -> int:
    """Run one command line and return the exit code: 78 where the set-up is wrong, else what the verb returns."""
    open_closed_streams()
    show_what_can_be_shown()
    os.umask(0o077)  # ledger, socket, permit and environment are the operator's alone
    if argv[:1] in (["setup"], ["test"]) and {"-h", "--help"} & set(argv):
        print(__doc__)
        return 0
    try:
        refuse_old_python()
        if argv[:1] == ["setup"]:
            return set_up_verb(argv[1:])
        if argv[:1] == ["test"]:
            return run_checks(argv[1:])
        enter_environment()
    except (SetupError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_SETUP_WRONG
    except KeyboardInterrupt:
        print("interrupted; the set-up can be run again", file=sys.stderr)
        return EXIT_INTERRUPTED
    return hand_over(argv)


def hand_over(argv: list[str]) -> int:
    """Parse and run every verb of the bot. Imported late: the door must open where no package is installed."""
    from actors.main import main as bot_main

    return bot_main(argv)


def open_closed_streams() -> None:
    """Point closed standard streams (`0<&-`) to /dev/null: else the next file or socket takes their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def show_what_can_be_shown() -> None:
    """A terminal or a locale of few letters gets `?` for the others, never an error in the middle of a table."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def refuse_old_python() -> None:
    """Raise `SetupError` on a Python that the locked packages no longer support."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        wanted, found = ".".join(map(str, OLDEST_PYTHON)), ".".join(map(str, sys.version_info[:3]))
        raise SetupError(
            f"Python {wanted} or newer is needed, this is {found} ({sys.executable}).\n"
            f"On Debian or Ubuntu:  sudo apt install python{wanted} python{wanted}-venv\n"
            f"then:  python{wanted} run.py setup"
        )


def enter_environment() -> None:
    """Return when this Python has the packages, else become .venv's Python (never returns), else raise `SetupError`."""
    inside = Path(sys.prefix).resolve() == VENV.resolve()
    if inside or os.access(VENV_PYTHON, os.X_OK):
        stamp = read_stamp()
        if stamp and stamp != locks(dev="dev" in stamp):
            raise SetupError(f"requirements/ changed since the last set-up. First run:  {SETUP_COMMAND}")
    missing = next((name for name in PACKAGES if importlib.util.find_spec(name) is None), None)
    if missing is None:
        return
    if not inside and os.access(VENV_PYTHON, os.X_OK):
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.orig_argv[1:]])
    raise SetupError(f"missing package: {missing}. First run:  {SETUP_COMMAND}")


def set_up_verb(arguments: list[str]) -> int:
    """`setup [--dev]`: 0 done, 2 wrong usage."""
    if arguments not in ([], ["--dev"]):
        print(f"usage: {SETUP_COMMAND} [--dev]", file=sys.stderr)
        return 2
    fresh = set_up(dev=bool(arguments))
    print("Set up. Next:  python3 run.py" if fresh else "Already set up. Next:  python3 run.py")
    return 0


def set_up(*, dev: bool) -> bool:
    """Make .venv hold exactly what the lock files say; False when it did already. Raises `SetupError`."""
    wanted = locks(dev=dev)
    usable = os.access(VENV_PYTHON, os.X_OK) and (is_whole() or not read_stamp())
    if usable and wanted.items() <= read_stamp().items():
        return False
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            version = ".".join(map(str, sys.version_info[:2]))
            raise SetupError(
                f"This Python lacks the module {module}. On Debian or Ubuntu:  sudo apt install python{version}-venv\n"
                f"then again:  {SETUP_COMMAND}"
            )
    if not usable:
        command([sys.executable, "-m", "venv", "--clear", str(VENV)], "the virtual environment could not be created")
    lock = HERE / "requirements" / ("dev.txt" if dev else "run.txt")
    print(f"Installing the packages of requirements/{lock.name} into .venv (hash-locked, 10 to 60 s) ...", flush=True)
    STAMP.unlink(missing_ok=True)
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "install"]
    locked = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    command([*pip, *locked], "the packages could not be installed; is the network there?")
    STAMP.write_text(json.dumps(wanted), encoding="ascii")
    return True


def is_whole() -> bool:
    """Whether .venv has the packages that the door looks for: pip would not bring a folder back that was deleted."""
    rooms = list(VENV.glob("lib/python*/site-packages"))
    return all(any((room / name).exists() or (room / f"{name}.py").exists() for room in rooms) for name in PACKAGES)


def command(arguments: list[str], trouble: str) -> None:
    """Run one step of the set-up with its output on the terminal; raise `SetupError(trouble)` when it fails."""
    misleading = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH"}
    environment = {name: value for name, value in os.environ.items() if name not in misleading}
    finished = subprocess.run(arguments, env=environment, check=False)
    if finished.returncode != 0:
        raise SetupError(f"Set-up failed: {trouble} (exit {finished.returncode} of {' '.join(arguments[:4])} ...)")


def locks(*, dev: bool) -> dict[str, str]:
    """SHA-256 of the lock files that an environment is made from. dev.txt holds run.txt's packages too."""
    names = ("run", "dev") if dev else ("run",)
    return {name: hashlib.sha256((HERE / "requirements" / f"{name}.txt").read_bytes()).hexdigest() for name in names}


def read_stamp() -> dict[str, str]:
    """The last complete set-up, {} where there is none that can be read."""
    try:
        stamp = json.loads(STAMP.read_bytes())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def run_checks(pytest_arguments: list[str]) -> int:
    """The whole test command: every check runs, pytest last, and 0 means that all of them were clean."""
    set_up(dev=True)
    python = str(VENV_PYTHON)
    checks = (
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [python, "-m", "mypy", "--strict", "run.py", "models", "adapters", "actors"],
        [str(VENV_PYTHON.with_name("lint-imports")), "--no-logo"],
    )
    failed = [name for name in (failed_check(check) for check in checks) if name]
    if failed:
        print("--- NOT CLEAN, whatever the tests say:", *failed, sep="\n    ", flush=True)
    verdict = failed_check([python, "-m", "pytest", *pytest_arguments])
    return 1 if failed or verdict else 0


def failed_check(check: list[str]) -> str | None:
    """Run one tool with its output on the terminal. Its command line where it found something, else None."""
    name = " ".join([Path(check[0]).name, *check[1:]])
    print(f"--- {name}", flush=True)
    return name if subprocess.run(check, cwd=HERE, check=False).returncode != 0 else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
