"""`replay FILE`: what a tape holds, as text or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from adapters.operator.replay_text import print_result, progress_bar
from adapters.registry import VENUES
from adapters.replay import ReplayError, parse_speed, replay
from adapters.settings import load_config
from adapters.tape import TapeError
from models.config import Config
from models.config_text import ConfigErrors
from models.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a tape, as `record` writes it")
    parser.add_argument("--speed", type=speed_of, default=None, metavar="N|max", help="times the recorded pace (max)")
    parser.add_argument("--config", type=Path, default=None, metavar="F", help="numbers and sets to decide with")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def speed_of(words: str) -> float | None:
    """`parse_speed` for argparse."""
    try:
        return parse_speed(words)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 the tape is damaged, 2 there is no such tape, 78 the configuration is wrong."""
    config: Config | None = None
    if options.config is not None:
        loaded = load_config(options.config, tuple(VENUES))
        if isinstance(loaded, ConfigErrors):
            print(loaded, file=sys.stderr)
            return EXIT_CONFIG
        config = loaded
    try:
        with progress_bar(options.file.name) as progress:
            result = replay(options.file, options.speed, config, progress)
    except (TapeError, ReplayError) as error:
        print(error, file=sys.stderr)
        return EXIT_UNEXPECTED
    except OSError as error:
        print(f"{options.file}: {error.strerror or type(error).__name__}", file=sys.stderr)
        return EXIT_USAGE
    if options.json:
        print(json.dumps(result.as_json()))
    else:
        print_result(result)
    return EXIT_OK
