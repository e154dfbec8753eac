"""The console where there is no terminal: lines of standard input are commands, everything printed is plain text.

The end of the input does not end the bot (a service manager gives it /dev/null); `quit` and the signals do. Also used
without any input (`--no-console`), as the log of what happens.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Sequence
from typing import Final, TextIO

from adapters.operator.command import (
    Caller,
    Commands,
    Place,
    Question,
    Reply,
    dispatch,
    words_of,
    wrong,
)
from adapters.operator.events import Selection
from adapters.operator.face import BotFace
from adapters.operator.render import banner, event_fragments, plain
from adapters.operator.signals import StopRequest
from adapters.operator.tables import safe
from models.exit_codes import EXIT_UNEXPECTED

logger = logging.getLogger(__name__)

NEWS_S: Final = 0.5
LINE_MAX: Final = 64 * 1024
WIDTH: Final = 120
BY_LINES: Final = "Commands are read line by line; try help."
FROM_A_SHELL: Final = "Commands from another shell:  python3 run.py help."
BY: Final = "operator (standard input)"


class PlainConsole:
    """`run()` in the main thread, once; it returns when stopping is requested."""

    def __init__(
        self, face: BotFace, stop: StopRequest, commands: Commands, out: TextIO, source: int | None = None
    ) -> None:
        """`source` is the file descriptor that commands are read from, None for none."""
        self._face = face
        self._stop = stop
        self._commands = commands
        self._out: TextIO | None = out
        self._source = source
        self._selection = Selection()
        self._received = b""
        self._question: Question | None = None
        self._left = False

    def run(self) -> None:
        self._print(banner(self._face.snapshot(), BY_LINES if self._source is not None else FROM_A_SHELL))
        while not self._stop.requested and not self._left:
            watched: list[int | StopRequest] = [self._stop]
            if self._source is not None:
                watched.append(self._source)
            ready, _, _ = select.select(watched, [], [], NEWS_S)
            if self._source in ready:
                self._read()
            self._news()

    def _read(self) -> None:
        assert self._source is not None
        try:
            part = os.read(self._source, LINE_MAX)
        except OSError:
            part = b""
        if not part:
            part = b"\n"  # the last line may have no end of its own
            self._source = None
        *lines, self._received = (self._received + part).split(b"\n")
        if len(self._received) > LINE_MAX:
            self._received = b""
        for line in lines:
            self._take(line.decode(errors="replace"))

    def _take(self, line: str) -> None:
        if self._left or self._stop.requested:
            return
        question, self._question = self._question, None
        if question is not None:
            words: Sequence[str] = question.answers.get(line.strip(), ())
            if not words:
                self._print([question.otherwise])
                return
        else:
            words = words_of(line)
        if words:
            reply = self._dispatch(words)
            self._print(reply.lines)
            self._question = reply.question
            self._left = reply.leave
            if reply.question is not None:
                self._print([reply.question.prompt])

    def _dispatch(self, words: Sequence[str]) -> Reply:
        caller = Caller(face=self._face, place=Place.CONSOLE, by=BY, width=WIDTH, selection=self._selection)
        try:
            return dispatch(self._commands, words, caller)
        except Exception:  # thread edge: one broken verb must not end the bot
            logger.exception("the command %r failed", words[0])
            return wrong(f"{words[0]} failed inside the bot; the log says why", exit_code=EXIT_UNEXPECTED)

    def _news(self) -> None:
        now = self._face.news()
        self._print([plain(event_fragments(line)) for line in self._selection.take(now.events, now.at)])

    def _print(self, lines: Sequence[str]) -> None:
        """A reader that has gone away ends the printing, not the bot."""
        if self._out is None or not lines:
            return
        try:
            for line in lines:
                self._out.write(safe(line) + "\n")
            self._out.flush()
        except (OSError, ValueError):
            self._out = None
