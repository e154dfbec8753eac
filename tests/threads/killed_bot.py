"""`run.py run` that kills itself with SIGKILL at a named point: `python killed_bot.py POINT [options of run]`.

Not a test. The exchange of these tests hides nothing from reads, so its visibility horizon is one second here: absence
can be believed soon, and a restart with an order in doubt does not take long.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from actors.main import main
from adapters.order_lanes import OrderLanes
from adapters.simulated.adapter import SimulatedVenue
from adapters.simulated.trading import SimulatedOrders
from models.messages import SendOrders
from models.orders import CommittedIntent, Purpose


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: type, name: str, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Die when `owner.name` is called with a first argument for which `when` holds."""
    real = getattr(owner, name)

    def called(self: Any, first: Any, *rest: Any) -> Any:
        if when(first):
            die()
        return real(self, first, *rest)

    setattr(owner, name, called)


def after(owner: type, name: str, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Die when such a call has come back, before anybody hears of its answer."""
    real = getattr(owner, name)

    def called(self: Any, first: Any, *rest: Any) -> Any:
        answer = real(self, first, *rest)
        if when(first):
            die()
        return answer

    setattr(owner, name, called)


def opens(message: SendOrders) -> bool:
    return any(map(opening, message.committed))


def follows(message: SendOrders) -> bool:
    return any(one.intent.purpose is Purpose.COMPLETE for one in message.committed)


def opening(one: CommittedIntent) -> bool:
    return one.intent.purpose is Purpose.OPEN


POINTS: dict[str, Callable[[], None]] = {
    "never": lambda: None,
    "opening committed, not sent": lambda: before(OrderLanes, "_send", opens),
    "opening sent, not heard": lambda: after(SimulatedOrders, "place_order", opening),
    "one leg filled, other committed": lambda: before(OrderLanes, "_send", follows),
    "other leg sent, not heard": lambda: after(SimulatedOrders, "place_order", lambda one: not opening(one)),
    "about to merge": lambda: before(SimulatedOrders, "merge"),
    "merged, not heard": lambda: after(SimulatedOrders, "merge"),
}


if __name__ == "__main__":
    patient = replace(SimulatedOrders.capabilities, visibility_horizon_s=1.0)
    SimulatedOrders.capabilities = SimulatedVenue.capabilities = patient
    POINTS[sys.argv[1]]()
    raise SystemExit(main(["run", "--live", "--no-console", "--config", "config.yaml", *sys.argv[2:]]))
