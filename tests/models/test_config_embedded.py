"""Without a file the bot watches every market that the embedded venue lists, and every set that they make."""

from __future__ import annotations

from models.config_embedded import embedded_config
from models.config_trading import Mode
from models.sets import SetKind

IDS = ("cup-a", "cup-b", "rain")


def test_every_market_is_a_set_and_those_that_exclude_one_another_are_a_basket() -> None:
    config = embedded_config(IDS, demo=False)

    assert config.mode is Mode.PAPER
    assert config.markets == IDS
    assert [entry.id for entry in config.sets] == [*IDS, "cup-no-basket"]
    assert config.sets[-1].kind is SetKind.NO_BASKET
    assert [leg.market for leg in config.sets[-1].legs] == ["cup-a", "cup-b"]
    assert len(embedded_config(("cup-a", "rain"), demo=False).sets) == 2, "one market excludes nothing"


def test_only_the_demo_goes_on_after_a_partial_fill() -> None:
    assert embedded_config(IDS, demo=False).risk.halt_on_partial_fill
    assert not embedded_config(IDS, demo=True).risk.halt_on_partial_fill
