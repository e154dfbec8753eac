"""HTTP between bot and venue in virtual time: the face of `GatedSession` and of `HttpReader`, and all that can go wrong
on the way.

`Http.send` is the one place where the bytes of a request leave the process: the checks of the last gate stand there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from requests.structures import CaseInsensitiveDict

from adapters.http import NO_HEADERS
from adapters.http_calls import AnswerLostError, GateClosedError, HttpAnswer, NotSentError
from adapters.simulated import web
from adapters.simulated.desk import Manner
from adapters.venue import VenueReadError, VenueReadRefusedError
from models.clock import SECOND, Timer
from tests.sim.rerun import Arrived, Stage

if TYPE_CHECKING:
    from tests.sim.world import Bot, World

TOTAL_NS = 5 * SECOND
REPEATABLE = frozenset({408, 425, 429})
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(slots=True)
class _Ticket:
    """One request on its way."""

    arrived: Arrived | None = None
    over: bool = False
    deadline: Timer | None = None


class Http:
    """One process's way to the venue. `send` from jobs only."""

    def __init__(self, world: World, bot: Bot) -> None:
        self._world = world
        self._bot = bot
        self._stage: Stage = bot.stage
        self.base = world.tongue.base

    # -- jobs' side

    def call(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, gate: Any, total_ns: int = TOTAL_NS
    ) -> HttpAnswer:
        """Raises what `GatedSession.call` raises."""
        stage = self._stage
        if stage.job is None:
            return self._at_start(web.Request(method, target, headers, body))
        if not stage.once(lambda: self._connects(method)):
            raise NotSentError("not sent: ConnectionError")
        request = web.Request(method, target, headers, body)
        with gate() if gate is not None else nullcontext(enter_result=True) as may_go:
            if not may_go:
                raise GateClosedError("the gate is closed")
            ticket = stage.once(lambda: self._send(request, total_ns))

        def expect(arrived: Arrived) -> None:
            ticket.arrived = arrived

        answer: HttpAnswer = stage.wait(expect)
        return answer

    def _at_start(self, request: web.Request) -> HttpAnswer:
        """What is read before the first actor runs: nothing is in the way, and it takes no time."""
        answer = self._world.venue.answer(request, self._world.now)
        return HttpAnswer(answer.status, CaseInsensitiveDict(answer.headers), answer.body)

    # -- on the way

    def _connects(self, method: str) -> bool:
        return not self._world.faults.hit("connect_refused", method)

    def _send(self, request: web.Request, total_ns: int) -> _Ticket:
        """The bytes leave."""
        world, ticket = self._world, _Ticket()
        world.port("send")
        world.judge.leaving(self._bot, request)
        world.trace.data(request.target.encode() + request.body)
        late = AnswerLostError("no complete answer in time")
        ticket.deadline = self._bot.clock.call_after(total_ns, lambda: self._finish(ticket, late))
        hit = world.faults.hit
        orders = request.method == "POST"
        if hit("request_lost", request.method):
            world.port("sent")
            return ticket
        delay = world.latency()
        if orders and hit("request_late", request.method):
            delay += int(world.rng.uniform(0.5, 4.0) * SECOND)
        elif world.tongue.orders_in(request) and hit("request_very_late", request.method):
            # Later than any venue promises: nobody can know, but what comes of it must be booked, mended and shouted.
            delay += int(world.rng.uniform(14.0, 22.0) * SECOND)
            world.judge.undead.update(world.tongue.orders_in(request))
        world.travel(request, 1)
        if world.tongue.orders_in(request) and hit("request_twice", request.method):
            first = world.rng.random() < 0.5
            world.after(delay, lambda: self._arrive(request, ticket if first else _Ticket(over=True)))
            world.after(delay + world.latency(), lambda: self._arrive_again(request, ticket))
        else:
            world.after(delay, lambda: self._arrive(request, ticket))
        world.port("sent")
        return ticket

    def _arrive_again(self, request: web.Request, ticket: _Ticket) -> None:
        """A copy that the network made. What was refused before is not tried once more by a network."""
        world = self._world
        if all(world.venue.order(i) is not None for i in world.tongue.orders_in(request)):
            world.travel(request, 1)
            # What the copy of an order that the venue has is told must be about that order: a refusal that is definite
            # for the copy (no quota left, say) would be read as one of the order, and the venue is the liar then.
            with world.venue.without("rate_limited", "refuse"):
                self._arrive(request, ticket)

    def _arrive(self, request: web.Request, ticket: _Ticket) -> None:
        world = self._world
        world.travel(request, -1)
        hit = world.faults.hit
        if hit("proxy_says_no", request.method):
            status, body = world.rng.choice([(429, b""), (425, b"engine restarting"), (503, HTML), (302, b"")])
            self._reply(ticket, HttpAnswer(status, {}, body), 0)
            return
        with world.about(request):
            answer = world.venue.answer(request, world.now)
        lost = AnswerLostError("no usable answer: ConnectionError")
        if hit("reply_lost", request.method):
            self._reply(ticket, lost, 0)
            return
        if hit("reply_never", request.method):
            return
        delay = answer.delay
        if hit("reply_late", request.method):
            delay += int(world.rng.uniform(0.8, 5.0) * SECOND)
        if world.tongue.merges(request) and hit("merge_late", request.method):
            delay += int(world.rng.uniform(0.5, 7.0) * SECOND)
        match answer.manner:
            case Manner.HANG | Manner.RESET:
                self._reply(ticket, lost, delay)
                return
            case Manner.ERROR:
                answer = replace(answer, status=500, body=b"")
            case Manner.HTML:
                answer = replace(answer, status=502, body=HTML)
            case Manner.TRUNCATED:
                answer = replace(answer, body=answer.body[: len(answer.body) // 2])
            case Manner.ANSWER:
                pass
        body = answer.body
        if hit("reply_broken", request.method):
            body = world.broken(body)
        self._reply(ticket, HttpAnswer(answer.status, CaseInsensitiveDict(answer.headers), body), delay)

    def _reply(self, ticket: _Ticket, outcome: object, delay: int) -> None:
        world = self._world
        world.after(delay + world.latency(), lambda: self._bot.hear(lambda: self._finish(ticket, outcome)))

    def _finish(self, ticket: _Ticket, outcome: object) -> None:
        if not ticket.over and ticket.arrived is not None:
            self._world.port("answer")
            ticket.over = True
            if ticket.deadline is not None:
                ticket.deadline.cancel()
            ticket.arrived(outcome)


class Session:
    """`adapters.http_calls.GatedSessions`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        gate: Any = None,
    ) -> HttpAnswer:
        assert url.startswith(self._http.base)
        return self._http.call(method, url[len(self._http.base) :], dict(headers or {}), body, gate)

    def close(self) -> None:
        pass


class Reader:
    """`adapters.http.HttpReader`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(
        self,
        url: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        on_header: Callable[[str, str], None] | None = None,
    ) -> bytes:
        return self._call("GET", url + (f"?{urlencode(params)}" if params else ""), headers, b"", on_header)

    def post(self, url: str, body: object) -> bytes:
        content = json.dumps(body, separators=(",", ":")).encode()
        return self._call("POST", url, {"Content-Type": "application/json"}, content, None)

    def close(self) -> None:
        pass

    def _call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        on_header: Callable[[str, str], None] | None,
    ) -> bytes:
        assert url.startswith(self._http.base)
        try:
            answer = self._http.call(method, url[len(self._http.base) :], headers, body, None)
        except (NotSentError, AnswerLostError) as error:
            raise VenueReadError(str(error)) from None
        if 200 <= answer.status < 300:
            for name, value in answer.headers.items():
                if on_header is not None:
                    on_header(name, value)
            return answer.body
        if answer.status >= 500 or answer.status in REPEATABLE:
            raise VenueReadError(f"HTTP {answer.status}")
        raise VenueReadRefusedError(f"HTTP {answer.status}")
