"""`check`: is the configuration right, and what would be in force. Opens no connection and changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final

from adapters.ledger.places import CONFIG_DEFAULT
from adapters.operator.places import DOTENV
from adapters.registry import VENUES, wrong_id
from adapters.settings import load_config, load_secrets
from models.config import Config, canonical_json, config_hash
from models.config_render import render_yaml
from models.config_rules import cautions
from models.config_text import ConfigErrors
from models.exit_codes import EXIT_CONFIG, EXIT_OK

SCHEMA_VERSION: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG_DEFAULT, metavar="F", help="default: config.yaml")
    parser.add_argument("--print", action="store_true", help="the whole effective configuration, defaults included")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run(options: argparse.Namespace) -> int:
    """0 right (cautions may follow), 78 wrong: every mistake on a line of its own."""
    config = load_config(options.config, tuple(VENUES))
    secrets = load_secrets(os.environ, DOTENV)
    mistakes = [*_lines(config), *_lines(secrets)]
    if isinstance(config, Config):
        mistakes += [f"{options.config}: markets: {problem}" for problem in _wrong_ids(config)]
    if options.json:
        print(json.dumps(_document(config, mistakes)))
    elif mistakes:
        for line in mistakes:
            print(line, file=sys.stderr)
    elif isinstance(config, Config):
        _tell(config, options)
    return EXIT_CONFIG if mistakes else EXIT_OK


def _lines(loaded: object) -> list[str]:
    return list(loaded.lines()) if isinstance(loaded, ConfigErrors) else []


def _wrong_ids(config: Config) -> list[str]:
    found = (wrong_id(venue, market_id) for market_id, venue in config.market_venues().items())
    return [problem for problem in found if problem is not None]


def _tell(config: Config, options: argparse.Namespace) -> None:
    if options.print:
        print(render_yaml(config), end="")
        return
    sets = len(config.complete_sets())
    print(
        f"{options.config}: right. {config.mode.value} · venue {config.venue} · {len(config.markets)} markets · ",
        end="",
    )
    print(f"{sets} sets · {config_hash(config)[:12]}")
    for caution in cautions(config):
        print(f"caution: {caution}")


def _document(config: Config | ConfigErrors, mistakes: list[str]) -> dict[str, object]:
    document: dict[str, object] = {"schema_version": SCHEMA_VERSION, "ok": not mistakes, "errors": mistakes}
    if isinstance(config, Config):
        document["config_hash"] = config_hash(config)
        document["cautions"] = list(cautions(config))
        document["config"] = json.loads(canonical_json(config))
    return document
