"""What goes through the control socket: one JSON line each way, then the connection ends.

    -> {"verb": "halt", "args": ["fed-cut-dec", "--", "odd news"], "json": false, "width": 120}
    <- {"lines": ["..."], "document": null, "exit": 0, "question": null}

Both ends are the same program, so unknown fields are refused. Paths longer than the 107 bytes that a UNIX socket's
address holds are reached through a file descriptor of their directory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.operator.command import Question, Reply
from models.hostile import clean

REQUEST_LIMIT: Final = 16 * 1024
"""Bytes of a request; the longest honest one is a halt with a long reason."""

ANSWER_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of an answer: a report over years."""

_ADDRESS_MAX: Final = 100


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    verb: str
    args: list[str] = []
    json: bool = False
    width: int = 100
    until_s: float | None = None
    """`time.monotonic()` up to which the asker waits: what comes to be done later, but a halt, is not done at all. The
    clock is the machine's, so both processes read the same one.
    """


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lines: list[str]
    document: dict[str, Any] | None
    exit: int
    question: Asked | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`Question` on the wire."""

    prompt: str
    answers: dict[str, list[str]]
    otherwise: str


class WireError(ValueError):
    """The bytes are not a request (or an answer) of this program."""


_requests = msgspec.json.Decoder(Request)
_answers = msgspec.json.Decoder(Answer)


def encode_request(request: Request) -> bytes:
    return msgspec.json.encode(request) + b"\n"


def decode_request(line: bytes) -> Request:
    try:
        return _requests.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(clean(str(error))) from None


def encode_answer(reply: Reply, *, as_json: bool) -> bytes:
    """Lines or the document, not both: a large document is not sent where nobody asked for it."""
    question = reply.question
    answer = Answer(
        lines=[] if as_json and reply.document is not None else list(reply.lines),
        document=dict(reply.document) if as_json and reply.document is not None else None,
        exit=reply.exit_code,
        question=None
        if question is None
        else Asked(
            prompt=question.prompt,
            answers={typed: list(words) for typed, words in question.answers.items()},
            otherwise=question.otherwise,
        ),
    )
    return msgspec.json.encode(answer) + b"\n"


def decode_answer(line: bytes) -> Reply:
    try:
        answer = _answers.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(clean(str(error))) from None
    asked = answer.question
    return Reply(
        lines=tuple(answer.lines),
        document=answer.document,
        exit_code=answer.exit,
        question=None
        if asked is None
        else Question(
            prompt=asked.prompt,
            answers={typed: tuple(words) for typed, words in asked.answers.items()},
            otherwise=asked.otherwise,
        ),
    )


@contextlib.contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address for `bind` or `connect` that is short enough, valid inside the block. Raises `OSError`."""
    plain = os.fspath(path)
    if len(os.fsencode(plain)) <= _ADDRESS_MAX or not Path("/proc/self/fd").is_dir():
        yield plain
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
