"""The shell's end of the control socket: `python3 run.py status | halt | resume | ...` against a running bot.

`halt` must always work. Where no bot answers in time it takes the bot's permit away in the files (`adapters.gate`),
which a running but hung bot obeys at its next order and a stopped one at its next start, and says so.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import msgspec

from adapters.clock import SystemClock
from adapters.operator.command import (
    HELP_OPTIONS,
    SEPARATOR,
    Command,
    Place,
    Reply,
    without_reason,
    wrong,
)
from adapters.operator.commands import COMMANDS
from adapters.operator.control_wire import (
    ANSWER_LIMIT,
    Request,
    WireError,
    decode_answer,
    encode_request,
    socket_address,
)
from adapters.operator.offline import halt_in_files, instance_runs, reply_without_bot
from adapters.operator.places import SOCKET_NAME, demo_directory, state_directory
from adapters.operator.printing import print_lines, width_of
from adapters.operator.tables import safe
from adapters.operator.verbs_words import entry
from models.clock import Clock
from models.exit_codes import EXIT_LEFT_OPEN, EXIT_OK, EXIT_UNEXPECTED, EXIT_UNREACHABLE, EXIT_USAGE
from models.hostile import clean, letters

ANSWER_S: Final = 4.0
SLOW_ANSWER_S: Final = 40.0
HALT_ANSWER_S: Final = 1.0
"""A halt that is not confirmed by then is made sure of through the files."""


class NoBotError(Exception):
    """Nobody answered. The text says what was tried; `gone` is True where there is no listening bot at all."""

    def __init__(self, why: str, *, gone: bool) -> None:
        super().__init__(why)
        self.gone = gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Where a verb was typed, and where the bot that it means keeps its state."""

    directory: Path
    """The bot's state directory."""
    clock: Clock
    out: TextIO
    err: TextIO
    type_in: Callable[[str], str] | None = None
    """Puts a question to a person and returns the typed line; None where nobody is there."""

    @property
    def socket(self) -> Path:
        return self.directory / SOCKET_NAME


def client_main(words: Sequence[str]) -> int:
    """`python3 run.py VERB ... [--json] [--config F] [--demo]`: the command line's way in. Returns the exit code.

    Without `--demo` the demo is meant only where it is the one bot that runs.
    """
    try:
        words, config, demo = _without_place(words)
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return EXIT_USAGE
    if not HELP_OPTIONS.isdisjoint(without_reason(words)):
        return _usage(words)
    directory, warning = state_directory(config)
    if warning:
        print(warning, file=sys.stderr)
    if demo or (not instance_runs(directory) and instance_runs(demo_directory(directory))):
        directory = demo_directory(directory)
    return run_verb(words, terminal_shell(directory, SystemClock()))


def terminal_shell(directory: Path, clock: Clock) -> Shell:
    """The process's own streams; questions only where both ends are a terminal."""
    person = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return Shell(directory=directory, clock=clock, out=sys.stdout, err=sys.stderr, type_in=input if person else None)


def run_verb(words: Sequence[str], shell: Shell) -> int:
    """Carry out one remote verb with all its words, and return the exit code. Never raises for a missing bot."""
    words, as_json = _without_json(_sendable(words))
    command = COMMANDS.find(words[0]) if words else None
    if command is None or Place.REMOTE not in command.places:
        near = COMMANDS.nearest(words[0], Place.REMOTE) if words else None
        return _tell(wrong(f"no such verb. Did you mean {near}?" if near else "no such verb"), as_json, shell)
    patience = _patience(command)
    request = Request(
        verb=command.name,
        args=list(words[1:]),
        json=as_json,
        width=width_of(shell.out),
    )
    try:
        reply = ask(shell.socket, request, patience, meanwhile=in_files_too(request, shell))
    except NoBotError as missing:
        reply = reply_without_bot(command, request.args, missing, shell.directory, shell.clock)
        return _tell(reply, as_json, shell)
    except WireError as error:
        reply = wrong(f"the bot's answer cannot be read ({error}): is it of another version?", exit_code=1)
        if command.name == "halt":
            reply = halt_in_files(request.args, str(error), shell.directory, shell.clock)
    if reply.question is not None:
        return _put_question(reply, command, as_json, shell)
    return _tell(reply, as_json, shell)


def in_files_too(request: Request, shell: Shell) -> Callable[[], object] | None:
    """For a halt of everything: take the permit away while the bot is still reading the request.

    A bot that hangs, or whose threads fight for the interpreter, finds it gone at its very next order. A halt of one
    market waits for the bot's word instead, because only the bot knows whether there is such a market.
    """
    if request.verb != "halt" or (request.args and request.args[0] != SEPARATOR):
        return None
    return lambda: halt_in_files(request.args, "it was told so twice", shell.directory, shell.clock)


def ask(path: Path, request: Request, timeout_s: float, *, meanwhile: Callable[[], object] | None = None) -> Reply:
    """One request, one reply, within `timeout_s` in all; `meanwhile` runs once the request is on its way.

    Raises `NoBotError`, `WireError`.
    """
    ends = time.monotonic() + timeout_s
    if request.until_s is None:
        request = msgspec.structs.replace(request, until_s=ends)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, socket_address(path) as address:
            peer.settimeout(timeout_s)
            peer.connect(address)
            peer.sendall(encode_request(request))
            if meanwhile is not None:
                meanwhile()
            received = bytearray()
            while not received.endswith(b"\n"):
                peer.settimeout(max(0.001, ends - time.monotonic()))
                part = peer.recv(1 << 16)
                if not part:
                    raise NoBotError("the bot hung up without an answer", gone=False)
                received += part
                if len(received) > ANSWER_LIMIT:
                    raise WireError("endless")
                if time.monotonic() > ends:
                    raise TimeoutError
    except TimeoutError:
        raise NoBotError(f"no answer in {timeout_s:g} s", gone=False) from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoBotError(f"no bot listens on {path}", gone=True) from None
    except OSError as error:
        raise NoBotError(f"{path}: {error.strerror or error}", gone=False) from None
    return decode_answer(bytes(received))


# -- talking
# ---------------------------------------------------------------------------------------------------------------


def _put_question(reply: Reply, command: Command, as_json: bool, shell: Shell) -> int:
    assert reply.question is not None
    if shell.type_in is None or as_json:
        _tell(reply, as_json, shell)
        hint = "--yes" if command.name == "resume" else "--wait or --protect"
        print(f"{command.name}: nobody is here to be asked; add {hint}", file=shell.err)
        return EXIT_USAGE if command.name == "resume" else EXIT_LEFT_OPEN
    _tell(reply, as_json, shell)
    try:
        typed = shell.type_in(reply.question.prompt).strip()
    except (EOFError, KeyboardInterrupt):
        typed = ""
    words = reply.question.answers.get(typed)
    if words:
        return run_verb(words, shell)
    print(reply.question.otherwise, file=shell.out)
    return reply.exit_code


def _tell(reply: Reply, as_json: bool, shell: Shell) -> int:
    """Print the answer; errors go to the error stream, unless JSON was asked for."""
    try:
        if as_json and reply.document is not None:
            print(msgspec.json.encode(reply.document).decode(), file=shell.out)
        else:
            stream = shell.err if reply.exit_code in {EXIT_USAGE, EXIT_UNEXPECTED, EXIT_UNREACHABLE} else shell.out
            print_lines(map(safe, reply.lines), stream)
        shell.out.flush()
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Nothing may be flushed to the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return reply.exit_code


def _without_json(words: Sequence[str]) -> tuple[list[str], bool]:
    """The words without `--json`, and whether it was among them."""
    end = len(without_reason(words))
    head = [word for word in words[:end] if word != "--json"]
    return [*head, *words[end:]], len(head) < end


def _sendable(words: Sequence[str]) -> list[str]:
    """The words with `�` for bytes that are no letters, and the reason as the bot will keep it: no halt fails for its
    words.
    """
    head = len(without_reason(words))
    told = [letters(word) for word in words]
    return [*told[: head + 1], *([clean(" ".join(told[head + 1 :]))] if told[head + 1 :] else [])]


def _without_place(words: Sequence[str]) -> tuple[list[str], Path | None, bool]:
    """The words without `--config F` and `--demo`, which say which bot is meant. Raises `ValueError`."""
    kept: list[str] = []
    config: Path | None = None
    demo = False
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == SEPARATOR:
            kept += [word, *rest]
            break
        if word == "--demo":
            demo = True
        elif word == "--config" or word.startswith("--config="):
            name = word.removeprefix("--config").removeprefix("=") or (rest.pop(0) if rest else "")
            if not name:
                raise ValueError("--config needs a file")
            config = Path(name)
        else:
            kept.append(word)
    return kept, config, demo


def remote_lines(verbs: Sequence[str]) -> list[str]:
    """One line about each of `verbs`."""
    found = [command for verb in verbs if (command := COMMANDS.find(verb)) is not None]
    width = width_of(sys.stdout)
    return [f"  {line}" for command in found for line in entry(command, width - 2)]


def _usage(words: Sequence[str]) -> int:
    command = COMMANDS.find(words[0])
    if command is None:
        return EXIT_USAGE
    usage = command.usage("[--json]", "[--config F]", "[--demo]")
    print_lines((f"usage: run.py {usage}", "", command.summary, *command.notes), sys.stdout)
    return EXIT_OK


def _patience(command: Command) -> float:
    if command.name == "halt":
        return HALT_ANSWER_S
    return SLOW_ANSWER_S if command.slow else ANSWER_S
