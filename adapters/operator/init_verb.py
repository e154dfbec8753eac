"""`init`: writes config.yaml and .env from the examples' own source, and never over a file that is there."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from adapters.ledger.places import CONFIG_DEFAULT
from models.exit_codes import EXIT_CONFIG, EXIT_OK

_HERE: Final = Path(__file__).resolve().parent.parent.parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--directory", type=Path, default=Path(), metavar="D", help="where to (default: here)")


def run(options: argparse.Namespace) -> int:
    """0 written, 78 something is there already or cannot be written; nothing is overwritten."""
    wanted = {
        options.directory / CONFIG_DEFAULT.name: _HERE / "config.example.yaml",
        options.directory / ".env": _HERE / ".env.example",
    }
    there = [path for path in wanted if path.exists()]
    if there:
        print(f"{there[0]} exists; nothing was written", file=sys.stderr)
        return EXIT_CONFIG
    try:
        for path, example in wanted.items():
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as target, example.open("rb") as source:
                shutil.copyfileobj(source, target)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_CONFIG
    for path in wanted:
        print(f"wrote {path}")
    print("next: edit them, then  python3 run.py check")
    return EXIT_OK
