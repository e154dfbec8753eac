"""What every test shares: bounded, repeatable property tests. Sockets beyond loopback are closed by setup.cfg."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests import canaries

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


def pytest_configure(config: pytest.Config) -> None:
    """No secret in anything that the run leaves: searched for at its end."""
    config.pluginmanager.register(canaries, "canaries")
