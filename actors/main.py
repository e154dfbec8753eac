"""The command line: which verb, which options, which exit code. Each verb imports only what it needs.

`run.py` calls `main`; nothing here knows how the bot works. Exit codes are those of design section 8.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TextIO

from models.clock import seconds_ns
from models.exit_codes import EXIT_OK, EXIT_UNEXPECTED, EXIT_UNREACHABLE, EXIT_USAGE

VERSION: Final = "0.2.1"


_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

REMOTE_VERBS: Final = (
    "status",
    "markets",
    "book",
    "halt",
    "resume",
    "positions",
    "orders",
    "trades",
    "opps",
    "log",
    "config",
    "quit",
    "version",
    "help",
)
"""Verbs that ask a running bot through its socket; their grammar is the console's (`adapters/operator/commands`)."""


STARTING_VERBS: Final = ("run", "demo")
DOOR_VERBS: Final[dict[str, str]] = {
    "setup": "make .venv from the hash-locked requirements; --dev with the tools for tests",
    "test": "lint, types, import arrows and tests; what follows goes to pytest",
}
"""Those of `run.py` itself, with their help."""

OFFLINE_VERBS: Final[dict[str, tuple[str, str]]] = {
    "report": ("adapters.operator.report_verb", "summary of the ledger as text, JSON, CSV or HTML"),
    "why": ("adapters.operator.why_verb", "the whole story of an opportunity, set or order, recomputed"),
    "watch": ("adapters.operator.watch", "full-screen view of a running bot"),
    "check": ("adapters.operator.check_verb", "check the configuration and print what is in force"),
    "doctor": ("adapters.operator.doctor_verb", "look at everything that trading needs, and trade nothing"),
    "find": ("adapters.operator.find_verb", "markets of a venue, as entries for the allow list"),
    "init": ("adapters.operator.init_verb", "write config.yaml and .env, never over existing ones"),
    "record": ("adapters.operator.record_verb", "record a venue's raw market data to a tape"),
    "replay": ("adapters.operator.replay_verb", "run a recorded tape through the decision, without a bot"),
    "drill": ("actors.drill", "put every kill condition to the test, away from the bot's own state"),
    "simulate": ("adapters.simulated.cli", "the simulated exchange as a server on this machine"),
}
"""name -> (module with `add_arguments(parser)` and `run(options) -> exit code`, help)."""


def main(argv: Sequence[str]) -> int:
    """Run one verb and return its exit code. No verb, or an option first, means `run`."""
    words = list(argv)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "run")
    try:
        code = _carried_out(words)
        _flush_last()
    except BrokenPipeError:  # `run.py report | head`: the reader has seen enough
        _drop(sys.stdout)
        return EXIT_OK
    except OSError as error:  # above all what nothing can be printed to: a full disk
        _drop(sys.stdout)
        place = f" ({error.filename})" if error.filename else ""
        try:
            sys.stderr.write(f"{words[0]}: {error.strerror or error}{place}\n")
        except OSError:
            _drop(sys.stderr)
        return EXIT_UNEXPECTED
    return code


def _carried_out(words: Sequence[str]) -> int:
    if words[0] == "help":
        return _help(words[1:])
    if words[0] in REMOTE_VERBS:
        from adapters.operator.client import client_main

        code = int(client_main(words))
        if words[0] == "version" and code == EXIT_UNREACHABLE and "--json" not in words:
            sys.stdout.write(f"dutchbook {VERSION}\n")
            return EXIT_OK
        return code
    if words[0] in OFFLINE_VERBS:
        return _offline(words[0], words[1:])
    if words[0] not in STARTING_VERBS and not words[0].startswith("-"):
        return _no_such_verb(words[0])
    options = build_parser().parse_args(words)
    verb: Callable[[argparse.Namespace], int] = options.verb
    return verb(options)


def _flush_last() -> None:
    """What was still to be printed. A terminal that was closed meanwhile takes nothing from the verb's exit code."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EIO or not stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode):
            raise
        _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    """Nothing more can be printed there, and nothing may be flushed at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _help(words: Sequence[str]) -> int:
    """`help` and `help VERB`, whether or not a bot runs: every verb of the command line, or the options of one."""
    if not words:
        from adapters.operator.client import remote_lines

        build_parser().print_help()
        sys.stdout.write("\n".join(("\nfor a running bot:", *remote_lines(REMOTE_VERBS), "")))
        return EXIT_OK
    if words[0] == "help":
        sys.stdout.write("help [VERB]: every verb, or the options of one\n")
        return EXIT_OK
    if words[0] in DOOR_VERBS:
        sys.stdout.write(f"{words[0]}: {DOOR_VERBS[words[0]]}\n")
        return EXIT_OK
    return _carried_out([words[0], "--help"])


def _no_such_verb(word: str) -> int:
    """Say so in one line, with the verb that was probably meant."""
    from adapters.operator.command import nearest
    from models.hostile import clean

    near = nearest(word, (*STARTING_VERBS, *DOOR_VERBS, *REMOTE_VERBS, *OFFLINE_VERBS))
    meant = f" Did you mean {near}?" if near else ""
    sys.stderr.write(f"no verb {clean(word, 40)!r}.{meant} All of them:  python3 run.py --help\n")
    return EXIT_USAGE


def _offline(name: str, words: Sequence[str]) -> int:
    """Run a verb that needs no running bot; its module adds its own options."""
    module_name, help_text = OFFLINE_VERBS[name]
    module = importlib.import_module(module_name)
    parser = argparse.ArgumentParser(prog=f"run.py {name}", description=help_text)
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(words)))


def duration_ns(words: str) -> int:
    """Nanoseconds of `90s`, `30m`, `6h`, `500ms`; a bare number is seconds."""
    for unit in sorted(_UNITS, key=len, reverse=True):
        if words.endswith(unit) and words[: -len(unit)].replace(".", "", 1).isdigit():
            return seconds_ns(float(words[: -len(unit)]) * _UNITS[unit])
    if words.replace(".", "", 1).isdigit():
        return seconds_ns(float(words))
    raise argparse.ArgumentTypeError(f"{words!r} is not a duration; write 90s, 30m or 6h")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Finds complete sets that cost less than they pay, buys them with guardrails, and proves it.",
        epilog=f"For a running bot: {', '.join(REMOTE_VERBS)}. `run.py help` lists them, `run.py VERB --help` tells "
        "more.",
    )
    parser.add_argument("--version", action="version", version=f"dutchbook {VERSION}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_run(verbs)
    _add_demo(verbs)
    for name, help_text in (*((name, text) for name, (_, text) in OFFLINE_VERBS.items()), *DOOR_VERBS.items()):
        verbs.add_parser(name, help=help_text)
    return parser


def _add_run(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = verbs.add_parser("run", help="start the bot with its console (paper unless told otherwise)")
    _add_bot_options(run)
    run.add_argument("--paper", action="store_true", help="send no order, whatever else is said here or in the file")
    run.add_argument("--live", action="store_true", help="send orders; a real venue also needs mode: live in the file")
    run.add_argument("--confirm-live", metavar="VENUE", help="the venue's name, typed, where there is no terminal")
    run.add_argument(
        "--adopt-account",
        metavar="REASON",
        default=None,
        help="live: take cash and positions as the venue shows them (after a deposit or a trade by hand)",
    )
    run.add_argument("--exit-on-halt", action="store_true", help="end with 4 once the kill switch has tripped")
    run.set_defaults(verb=_run)


def _add_demo(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = verbs.add_parser("demo", help="embedded venue, no files, no keys; shows every kind of event")
    _add_bot_options(demo)
    demo.add_argument("--seed", type=int, default=7, help="of the venue's script (default 7)")
    demo.set_defaults(verb=_demo, paper=True, live=False, confirm_live=None, adopt_account=None, exit_on_halt=False)


def _add_bot_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=None, metavar="F", help="default: config.yaml, if there is one")
    parser.add_argument("--no-console", action="store_true", help="no prompt, and nothing is read from stdin")
    parser.add_argument("--for", dest="for_ns", type=duration_ns, default=None, metavar="T", help="stop after 90s, 6h")


def _run(options: argparse.Namespace) -> int:
    from actors.start import run_bot

    return run_bot(options)


def _demo(options: argparse.Namespace) -> int:
    from actors.start import run_demo

    return run_demo(options)
