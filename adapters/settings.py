"""The two loaders, kept apart on purpose: config.yaml holds parameters, the environment and .env hold secrets.

Nothing here lets an environment variable change a parameter: live mode comes from the file and the command line alone.
Both loaders hand back either the value or every mistake at once; the caller prints them and exits with 78.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream
from pydantic import SecretStr

from adapters.redaction import SHORTEST
from adapters.registry import VENUES
from models.config import Config
from models.config_kinds import closest
from models.config_parse import parse_config
from models.config_text import MAX_BYTES, ConfigErrors, ConfigProblem

PREFIX: Final = "DUTCHBOOK_"
MAX_DOTENV_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(r"[A-Z_]{1,40}")

SECRET_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "simulated": ("API_KEY", "API_SECRET"),
    "polymarket": ("PRIVATE_KEY", "API_KEY", "API_SECRET", "API_PASSPHRASE", "FUNDER"),
    "kalshi": ("KEY_ID", "PRIVATE_KEY_PATH"),
}
"""What each venue may be told, after `DUTCHBOOK_<VENUE>_`. A venue that is not listed may be told anything."""


class Secrets:
    """The operator's secrets. Never shown: printing it says which are set, not what they are."""

    def __init__(self, values: Mapping[tuple[str, str], SecretStr]) -> None:
        self._values = dict(values)

    def get(self, venue: str, name: str) -> SecretStr | None:
        """The secret, such as `get("kalshi", "KEY_ID")`; None where it is not set."""
        return self._values.get((venue, name))

    def of(self, venue: str) -> dict[str, str]:
        """All secrets of one venue in the clear, for the venue's own module. For nothing else."""
        return {name: value.get_secret_value() for (of, name), value in self._values.items() if of == venue}

    def missing(self, venue: str, names: Collection[str]) -> tuple[str, ...]:
        """The full names of those that are not set, for the message that asks for them."""
        return tuple(variable(venue, name) for name in names if (venue, name) not in self._values)

    def texts(self) -> tuple[str, ...]:
        """Every secret in the clear, for the log filter that hides them. For nothing else.

        Where a key lies is no secret: the words of a path are everybody's, and would go missing from every line.
        """
        return tuple(v.get_secret_value() for (_, name), v in self._values.items() if not name.endswith("_PATH"))

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(variable(*key) for key in self._values))})"


def variable(venue: str, name: str) -> str:
    """`DUTCHBOOK_KALSHI_KEY_ID` for `("kalshi", "KEY_ID")`."""
    return f"{PREFIX}{venue.upper()}_{name}"


def load_config(path: Path, venues: Collection[str] = tuple(VENUES)) -> Config | ConfigErrors:
    """Read and check config.yaml. `venues` are the names that it may use."""
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "write one with  python3 run.py init  or copy config.example.yaml"
        return _one_error(name, f"cannot be read: {os.strerror(error.errno or errno.EIO)}", hint)
    if len(content) > MAX_BYTES:
        return _one_error(name, "is larger than 1 MiB", "a configuration is a few hundred lines")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        problem = ConfigProblem(line, column, "", "is not UTF-8 text", "save the file as UTF-8")
        return ConfigErrors(name, (problem,))
    return parse_config(text, name, venues)


def _one_error(name: str, message: str, hint: str) -> ConfigErrors:
    return ConfigErrors(name, (ConfigProblem(0, 0, "", message, hint),))


def load_secrets(
    environ: Mapping[str, str], dotenv_path: Path | None, venues: Collection[str] = tuple(VENUES)
) -> Secrets | ConfigErrors:
    """Secrets from the environment, which wins, and from `dotenv_path` where that file exists. No value is ever shown.

    The file must be a plain file of this user that nobody else can read. A variable that begins with `DUTCHBOOK_` and
    that the program does not know is a mistake: it is either misspelt, or a parameter that belongs in config.yaml.
    """
    name = str(dotenv_path) if dotenv_path is not None else "environment"
    problems: list[ConfigProblem] = []
    found: dict[str, tuple[str, int]] = {}
    if dotenv_path is not None:
        content = _private_text(dotenv_path)
        if isinstance(content, ConfigProblem):
            return ConfigErrors(name, (content,))
        found, problems = _read_dotenv(content)
    values: dict[tuple[str, str], SecretStr] = {}
    for key, (text, line) in {**found, **{k: (v, 0) for k, v in environ.items() if k.startswith(PREFIX)}}.items():
        known = _split(key, venues)
        if known is None:
            problems.append(_unknown(key, line))
        elif text and not key.endswith("_PATH") and len(text) < SHORTEST:
            problems.append(_too_short(key, line))
        elif text:
            values[known] = SecretStr(text)
    if problems:
        return ConfigErrors(name, tuple(sorted(problems, key=lambda p: (p.line, p.path))))
    return Secrets(values)


def _read_dotenv(content: str) -> tuple[dict[str, tuple[str, int]], list[ConfigProblem]]:
    """Our variables with their lines, and what is wrong with the file. Other tools' variables are left alone."""
    found: dict[str, tuple[str, int]] = {}
    problems = []
    for binding in parse_stream(io.StringIO(content)):
        line = binding.original.line + len(binding.original.string) - len(binding.original.string.lstrip("\n"))
        if binding.error:
            problems.append(ConfigProblem(line, 1, "", "cannot be read", "write  NAME=value  on one line"))
        elif binding.key is None or not binding.key.startswith(PREFIX):
            continue
        elif binding.key in found:
            first = found[binding.key][1]
            hint = "keep one of the two"
            problems.append(
                ConfigProblem(line, 1, _shown(binding.key), f"is given twice (first on line {first})", hint)
            )
        elif binding.value is None:
            problems.append(
                ConfigProblem(line, 1, _shown(binding.key), "has no =", "write  NAME=value, or  NAME=  for not set")
            )
        else:
            found[binding.key] = (binding.value, line)
    return found, problems


def _split(key: str, venues: Collection[str]) -> tuple[str, str] | None:
    """`DUTCHBOOK_KALSHI_KEY_ID` -> `("kalshi", "KEY_ID")`; None where there is no such secret."""
    for venue in venues:
        name = key.removeprefix(f"{PREFIX}{venue.upper()}_")
        if name != key and name and name in SECRET_NAMES.get(venue, (name,)):
            return venue, name
    return None


def _shown(key: str) -> str:
    """A variable's name as far as it is one: where = is missing, the value that nobody may see stands behind it."""
    known = (variable(venue, name) for venue, group in SECRET_NAMES.items() for name in group)
    longest = max((name for name in known if key.startswith(name)), key=len, default=None)
    if longest is not None:
        return longest if longest == key else f"{longest}..."
    words = _NAME.match(key)
    name = "" if words is None else words[0]
    return name if name == key else f"{name}..."


def _unknown(key: str, line: int) -> ConfigProblem:
    names = [variable(venue, name) for venue, group in SECRET_NAMES.items() for name in group]
    ours = {name.removeprefix(PREFIX): name for name in names}  # what all have in common makes nothing alike
    near = ours.get(closest(key.removeprefix(PREFIX), list(ours)) or "")
    hint = f"did you mean {near}?" if near else "parameters, the mode above all, are read from config.yaml only"
    path = _shown(key) if line else f"{_shown(key)} (environment)"
    return ConfigProblem(line, 1 if line else 0, path, "is not a variable of this program", hint)


def _too_short(key: str, line: int) -> ConfigProblem:
    """Of `abc` every line is full: it cannot be taken out of what is printed."""
    path = key if line else f"{key} (environment)"
    return ConfigProblem(line, 1 if line else 0, path, f"has fewer than {SHORTEST} characters", "copy the whole of it")


def _private_text(path: Path) -> str | ConfigProblem:
    """The file's text, "" where there is none. The checks are on the opened file, so nobody can swap it in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno == errno.ELOOP:
            return ConfigProblem(0, 0, "", "is a symbolic link", "put the file itself there")
        return ConfigProblem(0, 0, "", f"cannot be read: {os.strerror(error.errno or errno.EIO)}", "check its owner")
    try:
        problem = _exposed(path, os.fstat(descriptor))
        content = b"" if problem else os.read(descriptor, MAX_DOTENV_BYTES + 1)
    finally:
        os.close(descriptor)
    if problem:
        return problem
    if len(content) > MAX_DOTENV_BYTES:
        return ConfigProblem(0, 0, "", "is larger than 64 KiB", "it holds a handful of lines")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return ConfigProblem(0, 0, "", "is not UTF-8 text", "save the file as UTF-8")


def _exposed(path: Path, facts: os.stat_result) -> ConfigProblem | None:
    """Why a file may not hold secrets, None where it may."""
    if not stat.S_ISREG(facts.st_mode):
        return ConfigProblem(0, 0, "", "is not a plain file", "put a text file there")
    if facts.st_mode & 0o077:
        mode = f"{stat.S_IMODE(facts.st_mode):04o}"
        return ConfigProblem(0, 0, "", f"can be read by others (mode {mode})", f"chmod 600 {path}")
    if facts.st_uid not in {os.geteuid(), 0}:
        return ConfigProblem(0, 0, "", "belongs to another user", f"chown it to yourself, then chmod 600 {path}")
    return None
