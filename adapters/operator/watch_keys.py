"""The keys of the full screen: which key does what in which mode. What they do is `watch`'s."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Protocol

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


class Mode(enum.Enum):
    BROWSE = enum.auto()
    FILTER = enum.auto()
    """A filter is being typed; it takes effect while it is."""
    HALT = enum.auto()
    """h was pressed: the chosen market, everything, or nothing?"""
    RESUME = enum.auto()
    WORD = enum.auto()
    """The word that makes a resume happen is being typed."""


class Finish(Protocol):
    def __call__(self, *, kept: bool) -> None: ...


def bindings(
    *,
    mode: Callable[[], Mode],
    before: Callable[[], None],
    browse: Mapping[str, Callable[[], None]],
    type_sign: Callable[[str | None], None],
    finish: Finish,
    decide: Callable[[str], None],
    halt_all: Callable[[], None],
    leave: Callable[[], None],
) -> KeyBindings:
    """`before` runs ahead of every key of `browse`; F9 and Ctrl-C work in every mode."""
    keys = KeyBindings()
    browsing = Condition(lambda: mode() is Mode.BROWSE)
    typing = Condition(lambda: mode() in {Mode.FILTER, Mode.WORD})
    choosing = Condition(lambda: mode() in {Mode.HALT, Mode.RESUME})

    def on(key: str, act: Callable[[], None]) -> None:
        @keys.add(key, filter=browsing)
        def pressed(_event: KeyPressEvent) -> None:
            before()
            act()

    on("<any>", lambda: None)
    for key, act in browse.items():
        on(key, act)

    @keys.add("f9")
    def _f9(_event: KeyPressEvent) -> None:
        halt_all()

    @keys.add("c-c")
    def _interrupt(_event: KeyPressEvent) -> None:
        leave()

    @keys.add("<any>", filter=typing)
    def _sign(event: KeyPressEvent) -> None:
        if event.data.isprintable():
            type_sign(event.data)

    @keys.add("backspace", filter=typing)
    def _erase(_event: KeyPressEvent) -> None:
        type_sign(None)

    @keys.add("escape", filter=typing)
    def _drop(_event: KeyPressEvent) -> None:
        finish(kept=False)

    @keys.add("enter", filter=typing)
    def _enter(_event: KeyPressEvent) -> None:
        finish(kept=True)

    @keys.add("<any>", filter=choosing)
    def _choice(event: KeyPressEvent) -> None:
        decide(event.data)

    return keys
