"""With which code a verb ends (design section 8)."""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
EXIT_UNEXPECTED: Final = 1
"""A fault of ours, or a ledger, a tape or a kill condition that is not as it should be."""
EXIT_USAGE: Final = 2
EXIT_LEFT_OPEN: Final = 3
EXIT_HALTED: Final = 4
EXIT_UNREACHABLE: Final = 69
"""A venue, a running bot, or a port that somebody else has."""
EXIT_HUNG: Final = 70
"""Ended by the watchdog."""
EXIT_INSTANCE: Final = 75
EXIT_CONFIG: Final = 78
