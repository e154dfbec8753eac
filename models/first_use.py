"""Types are made ready to be read while they are imported, which is one thread's work.

msgspec (0.22) works out how to read a struct or dataclass at its first use and keeps the result in the class while it
is only half done. A second thread that reads the same type in that moment follows a null pointer: the process is gone,
without a word in any log. Two lanes with the first two answers after a start were enough: `make crash` met it once in
600 lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


def make_ready(*kinds: Any) -> None:
    """Call at module level with every type that `decode(..., type=...)` or `convert` is given."""
    for kind in kinds:
        msgspec.json.Decoder(kind)


def make_structs_ready(names: Mapping[str, Any]) -> None:
    """The same for every struct of a module: call it with `globals()` below the last of them."""
    for kind in tuple(names.values()):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and not getattr(kind, "__parameters__", ()):
            make_ready(kind)
