"""The one table of the operator's commands, in the order in which `help` lists them."""

from __future__ import annotations

from typing import Final

from adapters.operator import verbs_control, verbs_ledger, verbs_markets, verbs_status, verbs_words
from adapters.operator.command import Commands


def _table() -> Commands:
    commands = Commands()
    for verbs in (verbs_status, verbs_markets, verbs_control, verbs_ledger, verbs_words):
        verbs.register(commands)
    return commands


COMMANDS: Final = _table()
