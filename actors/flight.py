"""What the executors have under way, as a reconcile has to know it. Reads their records, which are immutable."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from actors.base import Address
from models.attempt import Attempt
from models.market import MarketId, SetId
from models.orders import AttemptId
from models.reconcile import Finding, FindingKind
from models.set_state import Cooldown, Idle, Record, State, attempts_of
from models.strangers import Stranger


class Executor(Protocol):
    """What is looked at of an `ExecutorActor`."""

    @property
    def record(self) -> Record: ...

    @property
    def address(self) -> Address: ...


class Flight:
    def __init__(
        self,
        executors: Mapping[SetId, Executor],
        markets: Mapping[SetId, Sequence[MarketId]],
        unfinished: Collection[AttemptId],
    ) -> None:
        """`unfinished` are attempts that this process has taken up at its start."""
        self.executors = executors
        self._markets = markets
        self._unfinished = frozenset(unfinished)

    def anything(self) -> bool:
        return bool(self._under_way())

    def moving(self, *, at_start: bool) -> bool:
        """Something will come to rest by itself, or (at start) was left open and has to be settled first. A residue
        that waits for a way out is at rest.
        """
        for _, state, attempt in self._under_way():
            resting = state is State.EXPOSED and attempt.quiet
            if not resting or (at_start and attempt.attempt_id in self._unfinished):
                return True
        return False

    def busy_markets(self) -> frozenset[MarketId]:
        """Markets with orders of ours that have not ended, or with a merge on its way."""
        busy: set[MarketId] = set()
        for set_id, _, attempt in self._under_way():
            if not attempt.quiet or attempt.merging:
                busy.update(self._markets[set_id])
        return frozenset(busy)

    def left_open(
        self, strangers: Sequence[Stranger], unsettled: Sequence[Stranger] = (), *, at_start: bool
    ) -> list[Finding]:
        """What nobody can work on, what nobody works on before the next start, and what a first pass did not see come
        to rest.
        """
        gone = [one for one in strangers if one.ending is None]
        gone += [one for one in unsettled if one.set_id not in self.executors and one not in gone]
        words = [
            f"attempt {one.attempt_id} is unfinished and its set {one.set_id} is not configured any more"
            for one in gone
        ]
        words += [
            f"attempt {one.attempt_id} of {one.set_id} is not over and nobody works on it: start the bot again"
            for one in unsettled
            if one not in gone and not self._in_hand(one)
        ]
        if at_start:
            words += [
                f"attempt {attempt.attempt_id} of {attempt.set_id} is {state.value}"
                for _, state, attempt in self._under_way()
                if attempt.attempt_id in self._unfinished
            ]
        return [Finding(FindingKind.OPEN, each) for each in words]

    def _in_hand(self, one: Stranger) -> bool:
        """Whether an executor would hear of it, or has just taken it up."""
        known = attempts_of(self.executors[one.set_id].record)
        return any(attempt.attempt_id == one.attempt_id for attempt in known)

    def _under_way(self) -> list[tuple[SetId, State, Attempt]]:
        records = ((set_id, executor.record) for set_id, executor in self.executors.items())
        return [(s, record.state, record.attempt) for s, record in records if not isinstance(record, Idle | Cooldown)]
