"""Published software in an environment of its own, outside the project, that is thrown away afterwards."""

from __future__ import annotations

import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

INSTALL_S = 600


@dataclass(frozen=True, slots=True)
class Scratch:
    """`python` runs with the package; None where it could not be installed, and `why` says it in one line."""

    python: Path | None
    why: str = ""


def install(directory: Path, *requirements: str) -> Scratch:
    """A fresh virtual environment with `requirements` (and options of pip) from the registry that pip is set up for."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        return Scratch(None, f"pip had not finished after {INSTALL_S} s")
    if done.returncode == 0:
        return Scratch(python)
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return Scratch(None, (errors[-1] if errors else "pip failed without a word")[:160])
