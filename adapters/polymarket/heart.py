"""The dead-man switch: while something rests, the venue hears from us every five seconds, or cancels all of it.

`POST /v1/heartbeats` answers with the id that the next beat must carry; ten to fifteen seconds without one and every
open order of the account is cancelled (polymarket.md 5.3, read 2026-11-22). An order that takes and ends needs none.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from adapters.http_calls import AnswerLostError, HttpAnswer, NotSentError
from adapters.polymarket.order_wire import Heart
from adapters.polymarket.wire import UNREADABLE

logger = logging.getLogger(__name__)

PATH: Final = "/v1/heartbeats"
PERIOD_S: Final = 5.0

_HEART: Final = msgspec.json.Decoder(Heart)

Post = Callable[[str, bytes], HttpAnswer]


class Heartbeat:
    """One thread once it is started, until `stop`. Starting twice does nothing."""

    def __init__(self, post: Post, period_s: float = PERIOD_S) -> None:
        """`post` sends one signed call; it is used on the heartbeat's own thread only."""
        self._post = post
        self._period_s = period_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._id = ""
        self.beats = 0
        self.missed = 0
        """Beats without a good answer."""

    def start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="polymarket-heart", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def beat(self) -> bool:
        """One beat. A wrong id is put right by the venue's own answer and told again at once."""
        for _ in range(2):
            try:
                answer = self._post(PATH, json.dumps({"heartbeat_id": self._id}, separators=(",", ":")).encode())
            except (NotSentError, AnswerLostError) as error:
                logger.warning("heartbeat: %s", error)
                break
            try:
                said = _HEART.decode(answer.body)
            except UNREADABLE:
                logger.warning("heartbeat: HTTP %s, unreadable", answer.status)
                break
            self._id = said.heartbeat_id or self._id
            if answer.status == 200:
                self.beats += 1
                return True
            logger.warning("heartbeat: HTTP %s", answer.status)
        self.missed += 1
        return False

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.beat()
            self._stopping.wait(self._period_s)
