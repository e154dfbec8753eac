"""What goes wrong in a run: a catalogue, a seeded choice from it, and the counters that prove what was reached.

Swarm: each seed switches a random part of the catalogue on, with random rates, so that no fault hides behind another.
Names in brackets are those of the fault catalogue that the design was made against (T transport, P protocol, V venue,
O order lifecycle, A actors, L ledger, K clock, U operator).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.sim.world import World

CHANCES: Final[dict[str, tuple[str, float, float]]] = {
    # name: (catalogue, smallest, largest chance per occasion); an occasion is a request, a frame, a connection
    "connect_refused": ("T02", 0.02, 0.3),
    "request_lost": ("T11 O02", 0.02, 0.3),
    "request_late": ("O01", 0.05, 0.4),
    "request_very_late": ("O01 O05", 0.02, 0.15),
    "merge_late": ("T13 V01", 0.1, 0.8),
    "request_twice": ("T13 V10 O03", 0.05, 0.3),
    "reply_lost": ("T13", 0.02, 0.3),
    "reply_never": ("T13 O01 O11 O14", 0.02, 0.25),
    "reply_late": ("T14", 0.05, 0.4),
    "reply_broken": ("P01 P02 P03 T13", 0.02, 0.25),
    "proxy_says_no": ("P11 T15", 0.02, 0.2),
    "link_refused": ("T02 T09", 0.1, 0.6),
    "handshake_stall": ("T04", 0.1, 0.4),
    "old_frames": ("T10", 0.2, 1.0),
    "frame_broken": ("P01 P02 P03", 0.01, 0.1),
}

LEVERS: Final[dict[str, tuple[str, float, float, dict[str, Any]]]] = {
    # levers of the exchange itself that wait for an occasion: chance per order, cancel, frame or private message
    "rate_limited": ("P11", 0.02, 0.2, {}),
    "refuse": ("O08", 0.02, 0.3, {"leg": "second"}),
    "thief": ("O08 O12", 0.05, 0.5, {"leg": "second"}),
    "partial": ("O09 O13", 0.05, 0.5, {}),
    "timeout_before_accept": ("T11", 0.02, 0.2, {"delay": "4s"}),
    "timeout_after_accept": ("T13", 0.02, 0.2, {"delay": "4s"}),
    "error_before_accept": ("T13", 0.02, 0.2, {}),
    "error_after_accept": ("T13", 0.02, 0.2, {}),
    "ack_lost": ("T13", 0.02, 0.2, {}),
    "truncated_json": ("T13 P01", 0.02, 0.2, {}),
    "html_body": ("T13", 0.02, 0.2, {}),
    "fill_before_ack": ("O04", 0.1, 0.6, {"delay": "700ms"}),
    "late_visibility": ("V08", 0.05, 0.4, {"delay": "5s"}),
    "reverse_fill": ("V07", 0.02, 0.2, {"delay": "3s"}),
    "fill_before_cancel": ("O05 O10", 0.2, 0.9, {}),
    "cancel_timeout": ("O11", 0.2, 0.9, {"delay": "4s"}),
    "user_drop": ("O06", 0.05, 0.6, {}),
    "user_duplicate": ("O03 O06", 0.05, 0.6, {}),
    "user_delay": ("O05 O07 O15", 0.05, 0.5, {"delay": "2500ms"}),
    "drop": ("P05", 0.01, 0.1, {}),
    "gap": ("P05", 0.01, 0.1, {}),
    "duplicate": ("P05", 0.02, 0.2, {}),
    "reorder": ("P05", 0.02, 0.2, {}),
    "garbage": ("P01", 0.01, 0.1, {}),
    "unknown_type": ("P03", 0.02, 0.2, {}),
}

TIMED: Final[dict[str, tuple[str, float]]] = {
    # name: (catalogue, mean seconds between two)
    "link_drop": ("T08", 15),
    "half_open": ("T05", 25),
    "frame_stall": ("T06", 25),
    "user_link_drop": ("T08", 15),
    "user_half_open": ("T05", 25),
    "slow_network": ("T14", 20),
    "silent": ("P08 P09", 30),
    "lag": ("P08", 30),
    "burst": ("P10", 15),
    "pause": ("V01", 30),
    "close_market": ("V01", 60),
    "resolve": ("V01", 60),
    "restart": ("V02", 40),
    "short_cash": ("V04", 25),
    "fee_drift": ("V05", 30),
    "key_revoked": ("V12", 40),
    "bids_gone": ("O12", 12),
    "stranger": ("O20", 40),
    "wall_step": ("K01", 20),
    "midnight": ("K03", 40),
    "suspend": ("K02", 40),
    "freeze": ("K04", 25),
    "stall": ("A04", 10),
    "actor_raises": ("A01 A03", 50),
    "ledger_fails": ("L07 L03", 60),
    "ledger_busy": ("L04", 30),
    "kill": ("L01", 30),
    "kill_in_step": ("L01", 25),
    "halt": ("U01 A09", 20),
    "halt_from_shell": ("U02", 30),
    "halt_market": ("U01", 30),
    "resume": ("U03", 6),
}

ALL: Final = (*CHANCES, *LEVERS, *TIMED)

AT_CANCELS: Final = frozenset({"fill_before_cancel", "cancel_timeout"})
"""Wait for a cancel, which only a venue without IOC ever sees: chosen more often where orders rest."""
FOR_A_MERGE = 0.3
"""Share of what lurks that lets an opening order pass and waits for the next merge."""

BOMBS: Final = ("kill_at_send", "kill_at_sent", "kill_at_answer", "kill_at_commit", "kill_at_committed")
REACHABLE: Final = (*(name for name in ALL if name != "kill_in_step"), *BOMBS)
"""What a long enough proof has to have met."""

NOT_ON_PAPER: Final = frozenset(
    {
        *(name for name, (_, _, _, _) in LEVERS.items() if name not in ("drop", "gap", "duplicate", "reorder")),
        "request_late",
        "request_very_late",
        "request_twice",
        "merge_late",
        "user_link_drop",
        "user_half_open",
        "short_cash",
        "key_revoked",
        "stranger",
    }
) - {"garbage", "unknown_type"}


class Reached(Counter[tuple[str, str]]):
    """How often each fault met each state of a set's execution."""

    def faults(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (fault, _), times in self.items():
            found[fault] += times
        return found


class Faults:
    """One seed's plan. `hit` is asked at every occasion."""

    def __init__(
        self,
        world: World,
        seed: int,
        *,
        live: bool,
        only: frozenset[str] | None = None,
        also: frozenset[str] = frozenset(),
    ) -> None:
        """`only` restricts the swarm to these names, all of them on; `also` are on beside whatever the seed chooses."""
        self._world = world
        self._rng = random.Random(f"{seed}/swarm")
        self._chances: dict[str, float] = {}
        self._levers: list[dict[str, Any]] = []
        self._timed: dict[str, float] = {}
        self._midnight_at: int | None = None
        self._lurking: list[tuple[str, float]] = []
        self._for_merges: list[tuple[str, float]] = []
        self._era = 0
        self._on = True
        self.reached = Reached()
        missing = world.tongue.missing
        self._names = [name for name in ALL if name not in missing and (live or name not in NOT_ON_PAPER)]
        self._also = also
        self._draw(only)

    def _draw(self, only: frozenset[str] | None) -> None:
        density = self._rng.choice([0.0, 0.05, 0.1, 0.2, 0.35])
        for name in self._names:
            often = 3 if name in AT_CANCELS and self._world.setting.rests else 1
            wanted = self._rng.random() < density * often if only is None else name in only
            strength = self._rng.random()
            if name in self._also:
                strength = 0.0 if name in TIMED else 1.0  # as often as the catalogue allows
            elif not wanted:
                continue
            if name in CHANCES:
                _, low, high = CHANCES[name]
                self._chances[name] = low + (high - low) * strength**2
            elif name in LEVERS:
                _, low, high, more = LEVERS[name]
                self._levers.append({"lever": name, "chance": low + (high - low) * strength**2, **more})
            else:
                self._timed[name] = TIMED[name][1] * (0.5 + strength)
        for name, (low, high, more) in self._world.tongue.levers.items():
            wanted = self._rng.random() < density if only is None else name in only
            chance = low + (high - low) * self._rng.random() ** 2
            if wanted:
                self._levers.append({"lever": name, "chance": chance, **more})
        if "midnight" in self._timed and only is None and self._rng.random() < 0.5:
            self._timed.setdefault("wall_step", TIMED["wall_step"][1] / 2)  # a day that ends twice (K03)

    def midnight_in(self, at_ns: int | None) -> int:
        """By how much to move the run's day so that a UTC day ends in the middle of it, at virtual time `at_ns` if that
        is given; 0 in most runs.
        """
        mean_s = self._timed.pop("midnight", None)
        if mean_s is None and at_ns is None:
            return 0
        if at_ns is None:
            at_ns = int(self._rng.uniform(2, 35) * 1_000_000_000)
        self._midnight_at = at_ns
        return 12 * 3600 * 1_000_000_000 - at_ns

    def begin(self) -> None:
        """Put the levers in and set the first times. Called once, after the world stands."""
        world = self._world
        for lever in self._levers:
            world.venue.pull(world.now, **lever)
        for name, mean_s in self._timed.items():
            self._again(name, mean_s)
        if self._midnight_at is not None:
            world.at(self._midnight_at, lambda: self.note("midnight"))
            self._midnight_at = None

    def change(self, without: frozenset[str]) -> None:
        """Another part of the catalogue, with other rates; what was wrong is put right first. For long runs."""
        self._era += 1
        self._world.venue.calm()
        self._world.mischief.make_good()
        self._world.bomb = None
        for plan in (self._chances, self._levers, self._timed, self._lurking, self._for_merges):
            plan.clear()
        kept, self._names = self._names, [name for name in self._names if name not in without]
        self._draw(None)
        self._names = kept
        self._timed.pop("midnight", None)
        self._timed.setdefault("resume", TIMED["resume"][1])
        self.begin()

    def stop(self) -> None:
        """From now on nothing goes wrong any more."""
        self._on = False
        self._world.bomb = None
        self._world.venue.calm()
        self._world.mischief.make_good()

    def hit(self, name: str, _about: str = "") -> bool:
        chance = self._chances.get(name)
        if chance is None or not self._on or self._rng.random() >= chance:
            return False
        self.note(name)
        return True

    def note(self, name: str) -> None:
        """A fault has happened: count it with the state of whoever is concerned."""
        world = self._world
        for state in world.states():
            self.reached[name, state] += 1
        world.trace.fact(f"fault {name}")

    def _again(self, name: str, mean_s: float) -> None:
        wait_ns, era = 1 + int(self._rng.expovariate(1.0 / mean_s) * 1_000_000_000), self._era
        self._world.after(wait_ns, lambda: self._strike(name, mean_s, era))

    def _strike(self, name: str, mean_s: float, era: int) -> None:
        if not self._on or era != self._era:
            return
        if self._world.bot.over:
            self._again(name, mean_s)
            return
        if self._patient(name) and not self._world.busy() and self._rng.random() < 0.75:
            self._lurking.append((name, mean_s))
            return
        self._hit_now(name, mean_s, era)

    def _patient(self, name: str) -> bool:
        """Most faults wait for something to be in flight: at rest they meet little that could break."""
        return self._world.setting.live and name != "resume"

    def order_leaves(self) -> None:
        """An opening order is on its way: what has lurked strikes somewhere in the following moments."""
        lurking, self._lurking = self._lurking, []
        for name, mean_s in lurking:
            if self._rng.random() < FOR_A_MERGE and self._world.setting.merges:
                self._for_merges.append((name, mean_s))
            else:
                self._soon(name, mean_s)

    def merge_leaves(self) -> None:
        """The same for a merge."""
        lurking, self._for_merges = self._for_merges, []
        for name, mean_s in lurking:
            self._soon(name, mean_s)

    def _soon(self, name: str, mean_s: float) -> None:
        wait_ns, era = int(self._rng.random() ** 3 * 2_000_000_000), self._era
        self._world.after(wait_ns, lambda: self._hit_now(name, mean_s, era))

    def _hit_now(self, name: str, mean_s: float, era: int) -> None:
        if not self._on or era != self._era or self._world.bot.over:
            return
        strike: Callable[[], bool] = getattr(self._world.mischief, name)
        if strike():
            self.note(name)
        self._again(name, mean_s)
