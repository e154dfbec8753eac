"""Parameters from the file, secrets from the environment and .env, and never the one from the other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.settings import SECRET_NAMES, Secrets, load_config, load_secrets, variable
from adapters.simulated.catalog import DEFAULT_MARKETS, market_list
from models.config import Config
from models.config_render import SET_EXAMPLE
from models.config_text import ConfigErrors
from models.market import BookModel

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-7f3d91"


def env_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def secrets(environ: dict[str, str], path: Path | None = None) -> Secrets:
    loaded = load_secrets(environ, path)
    assert isinstance(loaded, Secrets), str(loaded)
    return loaded


def complaints(environ: dict[str, str], path: Path | None = None) -> str:
    errors = load_secrets(environ, path)
    assert isinstance(errors, ConfigErrors)
    return str(errors)


def revealed(loaded: Secrets, venue: str, name: str) -> str | None:
    value = loaded.get(venue, name)
    return None if value is None else value.get_secret_value()


def test_secrets_come_from_the_file(tmp_path: Path) -> None:
    loaded = secrets(
        {}, env_file(tmp_path, f"# c\nexport DUTCHBOOK_KALSHI_KEY_ID='{CANARY}'\nDUTCHBOOK_SIMULATED_API_KEY=\n")
    )

    assert revealed(loaded, "kalshi", "KEY_ID") == CANARY
    assert loaded.get("simulated", "API_KEY") is None
    assert loaded.missing("kalshi", ("KEY_ID", "PRIVATE_KEY_PATH")) == ("DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH",)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = env_file(tmp_path, "DUTCHBOOK_KALSHI_KEY_ID=file\n")

    assert revealed(secrets({"DUTCHBOOK_KALSHI_KEY_ID": "environment"}, path), "kalshi", "KEY_ID") == "environment"


def test_a_missing_file_means_no_secrets(tmp_path: Path) -> None:
    assert repr(secrets({}, tmp_path / ".env")) == "Secrets()"


def test_values_are_taken_as_they_stand(tmp_path: Path) -> None:
    path = env_file(tmp_path, "HOME_X=1\nDUTCHBOOK_KALSHI_KEY_ID=${HOME_X}$PATH\n")

    assert revealed(secrets({}, path), "kalshi", "KEY_ID") == "${HOME_X}$PATH"


def test_the_mode_cannot_be_set_by_a_variable(tmp_path: Path) -> None:
    said = complaints(
        {"DUTCHBOOK_MODE": "live"}, env_file(tmp_path, "A=1\nDUTCHBOOK_MODE=live\nDUTCHBOOK_MIN_EDGE=0\n")
    )

    there = "hint: parameters, the mode above all, are read from config.yaml only"
    assert f"DUTCHBOOK_MODE (environment): is not a variable of this program; {there}" in said
    assert f".env:3:1: DUTCHBOOK_MIN_EDGE: is not a variable of this program; {there}" in said


def test_a_misspelt_variable_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = env_file(tmp_path, f"\nDUTCHBOOK_POLYMARKET_PRIVAT_KEY={CANARY}\n")

    said = complaints({}, path)

    assert said.endswith(".env:2:1: DUTCHBOOK_POLYMARKET_PRIVAT_KEY: is not a variable of this program; "
                         "hint: did you mean DUTCHBOOK_POLYMARKET_PRIVATE_KEY?")  # fmt: skip
    assert CANARY not in said


def test_other_tools_variables_are_left_alone(tmp_path: Path) -> None:
    assert secrets({"PATH": "x", "AWS_SECRET": CANARY}, env_file(tmp_path, f"OTHER={CANARY}\n")).texts() == ()


def test_double_and_unreadable_lines_are_said_without_their_values(tmp_path: Path) -> None:
    key = "DUTCHBOOK_KALSHI_KEY_ID"
    path = env_file(tmp_path, f"{key}={CANARY}\n\n{key}={CANARY}2\n={CANARY}\n{key[:-2]}PATH\n{key}\n")

    said = complaints({}, path)

    assert f".env:3:1: {key}: is given twice (first on line 1)" in said
    assert ".env:4:1: cannot be read" in said
    assert ".env:5:1: DUTCHBOOK_KALSHI_KEY_PATH: has no =" in said
    assert CANARY not in said


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620, 0o601])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = env_file(tmp_path, f"DUTCHBOOK_KALSHI_KEY_ID={CANARY}\n", mode)

    said = complaints({}, path)

    assert f"can be read by others (mode {mode:04o}); hint: chmod 600 {path}" in said
    assert CANARY not in said


def test_a_read_only_file_is_fine(tmp_path: Path) -> None:
    assert (
        revealed(secrets({}, env_file(tmp_path, "DUTCHBOOK_KALSHI_KEY_ID=key-1\n", 0o400)), "kalshi", "KEY_ID")
        == "key-1"
    )


def test_a_symbolic_link_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    real = env_file(tmp_path, "DUTCHBOOK_KALSHI_KEY_ID=x\n")
    (tmp_path / "link").symlink_to(real)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir()

    assert "is a symbolic link" in complaints({}, tmp_path / "link")
    assert "is not a plain file" in complaints({}, tmp_path / "pipe")
    assert "is not a plain file" in complaints({}, tmp_path / "folder")


def test_a_huge_or_binary_file_is_refused(tmp_path: Path) -> None:
    big = env_file(tmp_path, "# " + "x" * 70_000)
    assert "is larger than 64 KiB" in complaints({}, big)

    big.write_bytes(b"DUTCHBOOK_KALSHI_KEY_ID=\xff\xfe\n")
    assert "is not UTF-8 text" in complaints({}, big)


def test_secrets_are_never_shown() -> None:
    loaded = secrets({"DUTCHBOOK_POLYMARKET_PRIVATE_KEY": CANARY})

    assert CANARY not in f"{loaded} {loaded!r} {loaded.get('polymarket', 'PRIVATE_KEY')!r}"
    assert CANARY not in str(vars(loaded))
    assert loaded.texts() == (CANARY,)
    assert repr(loaded) == "Secrets(DUTCHBOOK_POLYMARKET_PRIVATE_KEY)"


def test_a_secret_too_short_to_be_kept_out_of_the_log_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("DUTCHBOOK_KALSHI_KEY_ID=abc\nDUTCHBOOK_KALSHI_PRIVATE_KEY_PATH=k.p\n")
    path.chmod(0o600)

    found = load_secrets({"DUTCHBOOK_SIMULATED_API_KEY": "x"}, path)

    assert isinstance(found, ConfigErrors)
    lines = found.lines()
    assert len(lines) == 2
    assert lines[0].endswith(
        "DUTCHBOOK_SIMULATED_API_KEY (environment): has fewer than 4 characters; hint: copy the whole of it"
    )
    assert ":1:1: DUTCHBOOK_KALSHI_KEY_ID: has fewer than 4 characters" in lines[1]


def test_where_a_key_lies_is_no_secret() -> None:
    path = {"DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH": "/home/me/kalshi/exchange.pem", "DUTCHBOOK_KALSHI_KEY_ID": CANARY}

    assert secrets(path).texts() == (CANARY,)


def test_a_venue_of_the_registry_that_lists_no_names_takes_any() -> None:
    loaded = load_secrets({"DUTCHBOOK_THIRD_TOKEN": CANARY}, None, venues=("third",))

    assert isinstance(loaded, Secrets)
    assert revealed(loaded, "third", "TOKEN") == CANARY


def test_the_example_names_every_secret_and_holds_none(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert lines == [f"{variable(venue, name)}=" for venue, names in SECRET_NAMES.items() for name in names]
    assert secrets({}, env_file(tmp_path, text)).texts() == ()


@given(st.text(max_size=60))
def test_any_text_gives_secrets_or_lines(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = env_file(tmp_path_factory.mktemp("env"), "".join(c for c in text if not 0xD800 <= ord(c) <= 0xDFFF))

    loaded = load_secrets({}, path)

    assert isinstance(loaded, Secrets) or loaded.lines()


def test_a_configuration_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("venue: simulated\nmarkets: [0x00ab, no]\n", encoding="utf-8")

    config = load_config(path)

    assert isinstance(config, Config)
    assert config.markets == ("0x00ab", "no")


def test_the_environment_changes_no_parameter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("venue: simulated\nmarkets: [m1]\n", encoding="utf-8")
    for name in ("MODE", "mode", "DUTCHBOOK_MODE", "DUTCHBOOK_STRATEGY__MIN_EDGE", "STRATEGY"):
        monkeypatch.setenv(name, "live")

    assert load_config(path) == Config(venue="simulated", markets=("m1",))


def test_a_file_that_cannot_be_read_is_one_line_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    missing = load_config(path)
    assert str(missing).startswith(f"{path}: cannot be read: No such file or directory; hint: write one with")

    assert "cannot be read: Is a directory" in str(load_config(tmp_path))

    path.write_bytes(b"venue: simulated\nmarkets: [\xff]\n")
    assert str(load_config(path)) == f"{path}:2:11: is not UTF-8 text; hint: save the file as UTF-8"

    path.write_bytes(b"#" * (2 << 20))
    assert str(load_config(path)) == f"{path}: is larger than 1 MiB; hint: a configuration is a few hundred lines"


def test_the_example_runs_on_the_embedded_venue_as_it_is() -> None:
    config = load_config(ROOT / "config.example.yaml")

    assert isinstance(config, Config)
    listed = {market.market_id for market in market_list(DEFAULT_MARKETS, BookModel.SEPARATE, start_ns=0)}
    assert config.venue == "simulated"
    assert set(config.markets) <= listed
    assert {leg.market for leg in SET_EXAMPLE.legs} <= listed
