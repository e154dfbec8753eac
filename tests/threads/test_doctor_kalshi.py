"""`doctor` as a child process against Kalshi's dialect: one clear sentence and a remedy for each thing that can be
wrong, the exit code that says whose turn it is, and no secret.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from adapters.kalshi.dialect.face import KalshiFace
from adapters.kalshi.dialect.members import READ_ONLY, ed25519_key, rsa_key, write_key
from models.clock import SECOND
from tests.adapters.kalshi.stage import KalshiStage, entropy, kalshi_stage
from tests.children import RUN

CHECKS: Final = ("keys", "signing", "clock", "exchange", "API key", "account", "funds")

LIMITS: Final = """\
strategy: {min_edge: 0.005, cost_buffer: 0.002}
execution: {order_size: 10, max_unwind_loss: 0.05}
risk:
  max_daily_notional: 100
  max_open_positions: 5
  max_orders_per_minute: 60
  price_collar: 0.02
  halt_on_partial_fill: true
  kill_switch_conditions: {partials: {count: 2, minutes: 60}}
"""


@dataclass
class Office:
    """A venue, a member with a key on it, and a directory with a configuration and that key."""

    stage: KalshiStage
    path: Path

    @property
    def face(self) -> KalshiFace:
        face = self.stage.server.face
        assert isinstance(face, KalshiFace)
        return face

    def configure(self, *, mode: str = "live", port: int | None = None) -> None:
        options = self.stage.options
        text = (
            f"mode: {mode}\nvenue: kalshi\nmarkets: [{', '.join(self.stage.tickers[:3])}]\n{LIMITS}"
            f"venues:\n  kalshi: {{rest_url: '{options.rest_url}', ws_url: '{options.ws_url}'}}\n"
        )
        config = text if port is None else text.replace(f":{self.stage.server.port}/", f":{port}/")
        (self.path / "config.yaml").write_text(config)

    def keys(self, **changes: str) -> None:
        secrets = self.stage.secrets | changes
        dotenv = self.path / ".env"
        dotenv.touch(mode=0o600)
        dotenv.write_text("".join(f"DUTCHBOOK_KALSHI_{name}={value}\n" for name, value in secrets.items() if value))

    def doctor(self, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
        """(exit code, the checks by name)."""
        told = self.run("doctor", "--json", *arguments)
        checks = {check["name"]: check for check in json.loads(told.stdout)["checks"]}
        return told.returncode, checks

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Whatever is printed holds no part of a key and no traceback."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DUTCHBOOK_")}
        told = subprocess.run(
            [*RUN, *words], cwd=self.path, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in told.stdout + told.stderr
        for pem in self.path.glob("*.pem"):
            for piece in _pieces(pem.read_text(errors="replace")):
                assert piece not in told.stdout + told.stderr
        return told


def _pieces(pem: str) -> list[str]:
    """Every line of a key, and the key's own bytes as hex and as other text."""
    lines = [line for line in pem.splitlines() if line and not line.startswith("-----")]
    raw = base64.b64decode("".join(lines))
    return [*lines, raw[-32:].hex(), base64.b64encode(raw[-32:]).decode(), base64.urlsafe_b64encode(raw[-32:]).decode()]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with kalshi_stage(tmp_path, rate=0, scripted=False) as stage:
        office = Office(stage, tmp_path)
        office.configure()
        office.keys()
        yield office


def the_only_trouble(checks: dict[str, dict[str, str]]) -> dict[str, str]:
    (bad,) = [check for check in checks.values() if check["grade"] in ("wrong", "unreachable")]
    assert bad["text"]
    assert bad["remedy"]
    assert "\n" not in bad["text"] + bad["remedy"]
    return bad


def test_a_healthy_account_is_fine_everywhere_and_nothing_was_written(office: Office) -> None:
    code, checks = office.doctor()

    assert code == 0, checks
    assert {check["grade"] for check in checks.values()} == {"fine"}
    assert set(checks) == {"configuration", "secrets", "ledger", "markets", *CHECKS}
    assert "on shard 2" in checks["funds"]["text"]
    assert not office.stage.exchange.orders
    assert not office.stage.exchange.groups.all


def test_a_person_reads_one_line_a_check_and_the_remedy_below_it(office: Office) -> None:
    office.keys(KEY_ID="00000000-0000-4000-8000-000000000000")

    told = office.run("doctor")

    lines = told.stdout.splitlines()
    (wrong,) = [number for number, line in enumerate(lines) if line.startswith("✗")]
    assert told.returncode == 78
    assert "the venue does not know the key id" in lines[wrong]
    assert "-> check DUTCHBOOK_KALSHI_KEY_ID" in lines[wrong + 1]
    assert lines[-1] == "1 to put right"


def test_an_rsa_key_is_as_good(office: Office) -> None:
    office.stage.member.keys.insert(0, rsa_key(entropy(9)))
    office.keys()

    code, checks = office.doctor()

    assert code == 0
    assert "RSA key of 2048 bits" in checks["keys"]["text"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no key at all\n", "no private key in PEM form"), (None, "cannot be opened")],
)
def test_a_file_that_is_no_key_is_named(office: Office, content: bytes | None, words: str) -> None:
    path = office.path / "other.key"
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    office.keys(PRIVATE_KEY_PATH=str(path))

    code, checks = office.doctor()

    trouble = the_only_trouble(checks)
    assert (code, trouble["name"]) == (78, "keys")
    assert words in trouble["text"]
    assert "0600" in trouble["remedy"]
    assert {checks[name]["grade"] for name in CHECKS[1:]} == {"skipped"}


def test_a_key_file_that_others_can_read_is_refused(office: Office) -> None:
    Path(office.stage.secrets["PRIVATE_KEY_PATH"]).chmod(0o644)
    office.path.joinpath(".env").chmod(0o600)

    code, checks = office.doctor()

    assert (code, the_only_trouble(checks)["name"]) == (78, "keys")
    assert "chmod 600" in checks["keys"]["text"]


def test_missing_keys_are_named(office: Office) -> None:
    office.keys(KEY_ID="", PRIVATE_KEY_PATH="")

    code, checks = office.doctor()

    assert (code, the_only_trouble(checks)["name"]) == (78, "keys")
    assert "DUTCHBOOK_KALSHI_KEY_ID and DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH" in checks["keys"]["text"]


def test_a_key_of_somebody_else_does_not_fit_its_id(office: Office) -> None:
    other = write_key(ed25519_key(entropy(77)), office.path)
    office.keys(PRIVATE_KEY_PATH=str(other))

    code, checks = office.doctor()

    assert code == 78
    assert "does not belong to the key id" in checks["API key"]["text"]
    assert "DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH" in checks["API key"]["remedy"]
    assert the_only_trouble(checks)["name"] == "API key"


def test_an_unknown_key_id_is_told_from_a_wrong_file(office: Office) -> None:
    office.keys(KEY_ID="00000000-0000-4000-8000-000000000000")

    code, checks = office.doctor()

    assert (code, the_only_trouble(checks)["name"]) == (78, "API key")
    assert "demo against production" in checks["API key"]["remedy"]


def test_a_key_that_may_only_read_cannot_trade(office: Office) -> None:
    office.stage.member.keys.insert(0, ed25519_key(entropy(9), READ_ONLY))
    office.keys()

    code, checks = office.doctor()

    trouble = the_only_trouble(checks)
    assert (code, trouble["name"]) == (78, "API key")
    assert "(its scopes: read)" in trouble["text"]
    assert "write::trade" in trouble["remedy"]


def test_a_place_that_has_to_be_attested_anew_is_named(office: Office) -> None:
    office.stage.member.region_expires_s = office.stage.exchange.now // SECOND - 60

    code, checks = office.doctor()

    trouble = the_only_trouble(checks)
    assert (code, trouble["name"]) == (78, "API key")
    assert "place" in trouble["text"]
    assert "from where you really are" in trouble["remedy"]


@pytest.mark.parametrize(("ahead_s", "word"), [(60, "behind"), (-60, "ahead of")])
def test_a_skewed_clock_is_measured_and_named(office: Office, ahead_s: int, word: str) -> None:
    office.face.clock_ahead_s = ahead_s

    code, checks = office.doctor()

    trouble = the_only_trouble(checks)
    assert (code, trouble["name"]) == (78, "clock")
    assert word in trouble["text"]
    assert "NTP" in trouble["remedy"]


def test_an_exchange_that_is_paused_is_not_the_operators_mistake(office: Office) -> None:
    office.stage.exchange.engine.post_only_until = office.stage.exchange.now + 600 * SECOND

    code, checks = office.doctor()

    trouble = the_only_trouble(checks)
    assert (code, trouble["name"], trouble["grade"]) == (69, "exchange", "unreachable")
    assert "Thursdays" in trouble["remedy"]


def test_an_exchange_that_restarts_is_not_the_operators_mistake(office: Office) -> None:
    office.stage.exchange.engine.unavailable_until = office.stage.exchange.now + 600 * SECOND

    code, checks = office.doctor()

    assert code == 69
    assert {check["grade"] for check in checks.values()} == {"fine", "unreachable", "skipped"}


def test_collateral_return_is_refused_with_what_to_do(office: Office) -> None:
    office.stage.member.collateral_return = True

    code, checks = office.doctor()

    trouble = the_only_trouble(checks)
    assert (code, trouble["name"]) == (78, "account")
    assert "switch it off" in trouble["remedy"]


def test_an_empty_account_is_named(office: Office) -> None:
    for shard in office.stage.exchange.listings.shards:
        office.stage.exchange.engine.accounts[office.stage.member.account(shard)].cash = 0

    code, checks = office.doctor()

    assert (code, the_only_trouble(checks)["name"]) == (78, "funds")
    assert "shards" in checks["funds"]["remedy"]


def test_a_venue_out_of_reach_is_not_the_operators_mistake(office: Office) -> None:
    office.configure(port=1)

    code, checks = office.doctor()

    assert code == 69
    assert {check["grade"] for check in checks.values()} == {"fine", "unreachable", "skipped"}


def test_offline_asks_nobody_and_still_signs(office: Office) -> None:
    office.configure(port=1)

    code, checks = office.doctor("--offline")

    assert code == 0
    assert checks["signing"]["grade"] == "fine"
    assert {checks[name]["grade"] for name in ("clock", "exchange", "API key", "funds", "markets")} == {"skipped"}


def test_on_paper_too_this_venue_wants_a_key(office: Office) -> None:
    office.configure(mode="paper")
    office.keys(KEY_ID="", PRIVATE_KEY_PATH="")

    code, checks = office.doctor()

    assert (code, the_only_trouble(checks)["name"]) == (78, "keys")
