"""Where a bot keeps its state, as another shell finds it: from the configuration, without needing all of it to be
right.

A broken configuration must not keep `halt` from working, so only `data.directory` is read here, and nothing is checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.ledger.places import CONFIG_DEFAULT, DIRECTORY_DEFAULT
from models.config_text import MAX_BYTES, read_yaml

DOTENV: Final = Path(".env")
SOCKET_NAME: Final = "control.sock"
LOCK_NAME: Final = "lock"
HISTORY_NAME: Final = "console_history"


def demo_directory(directory: Path) -> Path:
    """State of the demo: its own permit, lock and socket, so that it can run beside the real bot."""
    return directory / "demo"


def state_directory(config: Path | None) -> tuple[Path, str]:
    """`data.directory` of the configuration (the default one where None), and a warning where it had to be guessed."""
    path = CONFIG_DEFAULT if config is None else config
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        missing = "" if config is None else f"{path} is missing, using {DIRECTORY_DEFAULT}/"
        return DIRECTORY_DEFAULT, missing
    except OSError as error:
        return DIRECTORY_DEFAULT, f"{path} cannot be read ({error.strerror}), using {DIRECTORY_DEFAULT}/"
    reading = read_yaml(content.decode("utf-8", "replace"))
    data = reading.tree.get("data")
    directory = data.get("directory") if isinstance(data, dict) else None
    if isinstance(directory, str) and directory:
        return Path(directory), ""
    if reading.broken:
        return DIRECTORY_DEFAULT, f"{path} cannot be read as YAML, using {DIRECTORY_DEFAULT}/"
    return DIRECTORY_DEFAULT, ""
