"""Which ledger a verb means when it is not told: the configuration's, else the newest in the state directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CONFIG_DEFAULT: Final = Path("config.yaml")
DIRECTORY_DEFAULT: Final = Path("data")


def default_ledger(config: Path | None = None) -> Path | None:
    """The ledger of `config` (or config.yaml) if that file names one which exists, else the newest, else None."""
    named = _named(CONFIG_DEFAULT if config is None else config)
    if named is not None and named.exists():
        return named
    directories = {DIRECTORY_DEFAULT} | ({named.parent} if named is not None else set())
    found = [path for directory in directories for path in directory.glob("*.sqlite")]
    return max(found, key=_changed, default=named)


def _changed(path: Path) -> float:
    wal = path.with_name(path.name + "-wal")
    return max(p.stat().st_mtime for p in (path, wal) if p.exists())


def _named(config: Path) -> Path | None:
    """`data.sqlite_path` of a configuration file, unchecked: a broken file must not keep the report from working."""
    try:
        content = config.read_bytes()
    except OSError:
        return None
    from models.config_text import MAX_BYTES, read_yaml

    data = read_yaml(content[:MAX_BYTES].decode("utf-8", "replace")).tree.get("data")
    named = data.get("sqlite_path") if isinstance(data, dict) else None
    return Path(named) if isinstance(named, str) and named else None
