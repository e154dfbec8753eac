"""What every test shares: bounded, repeatable property tests. Sockets beyond loopback are closed by setup.cfg."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    max_examples=60,
    deadline=None,  # two cores, several jobs: a slow example is not a wrong one
    derandomize=True,  # the same commit gives the same answer
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("long", parent=settings.get_profile("suite"), max_examples=5_000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
