"""What the command line and the files ask for, before anything is opened."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from adapters.ledger.places import CONFIG_DEFAULT, DIRECTORY_DEFAULT
from adapters.operator.places import DOTENV, demo_directory
from adapters.settings import Secrets, load_config, load_secrets
from models.config import Config
from models.config_text import ConfigErrors
from models.exit_codes import EXIT_CONFIG


class CannotStartError(Exception):
    """The start ends here: what to say, and the exit code."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__(lines[0] if lines else "")
        self.code = code
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is made from besides its venues; `live` is what was asked for, not yet what is allowed."""

    config: Config | None
    """None: no file; the embedded venue names the markets."""
    secrets: Secrets
    demo: bool
    live: bool
    embedded: tuple[str, ...] | None
    """Arguments of the embedded venue, None where the venue is elsewhere."""
    state: Path
    ledger: Path


def wanted_bot(options: argparse.Namespace) -> Wanted:
    """Of `run`. Raises `CannotStartError`."""
    path: Path = options.config or CONFIG_DEFAULT
    secrets = load_secrets(os.environ, DOTENV)
    if isinstance(secrets, ConfigErrors):
        raise CannotStartError(EXIT_CONFIG, *secrets.lines())
    live = options.live and not options.paper
    if options.config is None and not path.exists():
        mode = "live" if live else "paper"
        sys.stdout.write(f"no {path}: using the embedded simulated venue in {mode} mode\n")
        return Wanted(
            config=None,
            secrets=secrets,
            demo=False,
            live=live,
            embedded=("--faults", "demo"),
            state=DIRECTORY_DEFAULT,
            ledger=DIRECTORY_DEFAULT / "ledger.sqlite",
        )
    config = load_config(path)
    if isinstance(config, ConfigErrors):
        raise CannotStartError(EXIT_CONFIG, *config.lines())
    embedded = ("--faults", "demo") if _is_embedded(config) else None
    return Wanted(
        config=config,
        secrets=secrets,
        demo=False,
        live=live,
        embedded=embedded,
        state=Path(config.data.directory),
        ledger=Path(config.data.sqlite_path),
    )


def wanted_demo(options: argparse.Namespace) -> Wanted:
    """Of `demo`: no secrets and no file, unless one is named. Raises `CannotStartError`."""
    config = None
    if options.config is not None:
        loaded = load_config(options.config)
        if isinstance(loaded, ConfigErrors):
            raise CannotStartError(EXIT_CONFIG, *loaded.lines())
        config = loaded
    return Wanted(
        config=config,
        secrets=Secrets({}),
        demo=True,
        live=False,
        embedded=("--seed", str(options.seed), "--faults", "demo"),
        state=demo_directory(DIRECTORY_DEFAULT),
        ledger=DIRECTORY_DEFAULT / "demo.sqlite",
    )


def _is_embedded(config: Config) -> bool:
    """The simulated venue without an address is the one that we bring along."""
    return config.venue == "simulated" and config.options("simulated").rest_url is None
