"""The one source of chance of a live process: for backoff and retries, never for a decision."""

from __future__ import annotations

import os
import random

Rng = random.Random


def fresh_rng() -> Rng:
    """Seeded from the system, different in every process."""
    return random.Random(os.urandom(16))
