"""`run.py doctor` as a child process against the Polymarket dialect: one clear sentence and a remedy for each thing
that can be wrong with an account, 78 or 69, and no secret shown. Where the doctor says no, live trading does not start.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.adapters.polymarket.dialect_stage import DialectStage, dialect, secrets_of
from tests.children import RUN

FOREIGN_KEY = "0x" + "12" * 32
FOREIGN_WALLET = "0x1111111111111111111111111111111111111111"

CONFIG = """\
mode: live
venue: polymarket
markets: ["{market}"]
strategy: {{min_edge: 0.005, cost_buffer: 0.002}}
execution: {{order_size: 10, max_unwind_loss: 0.05}}
risk:
  max_daily_notional: 100
  max_open_positions: 5
  max_orders_per_minute: 60
  price_collar: 0.02
  halt_on_partial_fill: true
  kill_switch_conditions: {{partials: {{count: 2, minutes: 60}}}}
venues:
  polymarket:
    rest_url: "{rest}"
    ws_url: "{ws}"
    user_ws_url: "{user}"
    wallet_type: {wallet_type}
"""


@dataclass
class Patient:
    stage: DialectStage
    home: Path
    wallet_type: str = "eoa"
    rest_url: str | None = None

    def visit(self, *words: str, **changes: str) -> tuple[int, list[str]]:
        """(exit code, the lines of what was shown), with some of the secrets changed. Nothing secret is in it."""
        server = self.stage.server
        text = CONFIG.format(
            market=self.stage.exchange.listed.all[0].condition_id,
            rest=self.rest_url or server.rest_url,
            ws=server.ws_url,
            user=server.user_ws_url,
            wallet_type=self.wallet_type,
        )
        (self.home / "config.yaml").write_text(text)
        secrets = secrets_of(self.stage.wallet()) | changes
        dotenv = self.home / ".env"
        dotenv.touch(mode=0o600)
        dotenv.write_text("".join(f"DUTCHBOOK_POLYMARKET_{name}={value}\n" for name, value in secrets.items() if value))
        answer = subprocess.run(
            [*RUN, *(words or ("doctor",))],
            cwd=self.home,
            env={name: value for name, value in os.environ.items() if not name.startswith("DUTCHBOOK_")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        shown = answer.stdout + answer.stderr
        assert "Traceback" not in shown, shown
        for name in ("PRIVATE_KEY", "API_SECRET", "API_PASSPHRASE"):
            secret = secrets[name].removeprefix("0x")
            pieces = (secret, secret[:12], secret[-12:]) if len(secret) > 12 else ()
            assert not any(piece in shown for piece in pieces), f"{name} is shown"
        return answer.returncode, shown.splitlines()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    with dialect() as stage:
        yield Patient(stage, tmp_path)


def the_only_trouble(lines: list[str]) -> tuple[str, str]:
    """(the sentence behind the only ✗, the remedy in the line below it)"""
    (at,) = [number for number, line in enumerate(lines) if "✗" in line]
    return lines[at], lines[at + 1]


def test_a_healthy_account_is_fine_and_nothing_was_traded(patient: Patient) -> None:
    code, lines = patient.visit()
    assert code == 0, lines
    assert not any("✗" in line for line in lines)
    assert "bob" not in {account for account, _ in patient.stage.exchange.engine.orders}


@pytest.mark.parametrize(
    ("changes", "sentence", "remedy"),
    [
        ({"PRIVATE_KEY": "0x1234567890123456"}, "PRIVATE_KEY: a private key is 64 hex digits", "put it right in .env"),
        ({"PRIVATE_KEY": FOREIGN_KEY}, "does not accept the API key", "make the API key anew with this private key"),
        ({"API_SECRET": "A" * 43 + "="}, "does not accept the API key", "make the API key anew"),
    ],
    ids=["no key", "another account's key", "another secret"],
)
def test_a_wrong_key_is_named(patient: Patient, changes: dict[str, str], sentence: str, remedy: str) -> None:
    code, lines = patient.visit(**changes)
    trouble = the_only_trouble(lines)
    assert code == 78
    assert sentence in trouble[0]
    assert remedy in trouble[1]


@pytest.mark.parametrize(
    ("wallet_type", "funder", "sentence", "remedy"),
    [
        ("safe", "", "wallet_type safe pays from a wallet of its own", "put it right in .env"),
        ("eoa", FOREIGN_WALLET, "names another: leave it empty", "put it right in .env"),
        ("proxy", FOREIGN_WALLET, "0.00 pUSD in the wallet that wallet_type and FUNDER name", "state the wallet_type"),
    ],
    ids=["no funder", "a funder of an eoa", "another form than the account has"],
)
def test_a_wrong_wallet_type_is_named(
    patient: Patient, wallet_type: str, funder: str, sentence: str, remedy: str
) -> None:
    patient.wallet_type = wallet_type
    code, lines = patient.visit(FUNDER=funder)
    assert code == 78
    trouble = the_only_trouble(lines)
    assert sentence in trouble[0]
    assert remedy in trouble[1]


@pytest.mark.parametrize(("ahead_s", "word"), [(20, "behind"), (-20, "ahead of")])
def test_a_skewed_clock_is_measured(patient: Patient, ahead_s: int, word: str) -> None:
    patient.stage.face.clock_ahead_s = ahead_s
    code, lines = patient.visit()
    trouble = the_only_trouble(lines)
    assert code == 78
    assert f"s {word} the venue's" in trouble[0]
    assert "NTP" in trouble[1]


def test_a_blocked_region_is_named_and_live_trading_does_not_start_from_it(patient: Patient) -> None:
    patient.stage.face.blocked = "US"
    code, lines = patient.visit()
    trouble = the_only_trouble(lines)
    assert code == 78
    assert "does not take orders from this place (US)" in trouble[0]
    assert "there is no switch for this" in trouble[1]

    code, lines = patient.visit("run", "--live", "--no-console", "--confirm-live", "polymarket", "--for", "5s")
    assert code == 78
    assert any("not live" in line and "does not take orders from this place (US)" in line for line in lines)


def test_a_missing_allowance_is_named(patient: Patient) -> None:
    patient.stage.wallet().allowance = 0
    code, lines = patient.visit()
    trouble = the_only_trouble(lines)
    assert code == 78
    assert "has not approved pUSD for the exchange of standard markets and of neg-risk markets" in trouble[0]
    assert "approve it once" in trouble[1]


def test_shares_that_could_not_be_sold_back_are_named_and_live_trading_does_not_start(patient: Patient) -> None:
    patient.stage.wallet().shares_approved = False
    code, lines = patient.visit()
    trouble = the_only_trouble(lines)
    assert code == 78
    assert "has not approved its shares for the exchange of standard markets and of neg-risk markets" in trouble[0]
    assert "setApprovalForAll()" in trouble[1]

    code, lines = patient.visit("run", "--live", "--no-console", "--confirm-live", "polymarket", "--for", "5s")
    assert code == 78
    assert any("not live" in line and "has not approved its shares" in line for line in lines)


def test_an_account_that_may_only_close_is_named(patient: Patient) -> None:
    patient.stage.wallet().closed_only = True
    code, lines = patient.visit()
    trouble = the_only_trouble(lines)
    assert (code, "close positions only" in trouble[0], "--paper" in trouble[1]) == (78, True, True)


def test_a_venue_out_of_reach_is_69(patient: Patient) -> None:
    patient.rest_url = "http://127.0.0.1:1"
    code, lines = patient.visit()
    assert code == 69
    assert "a venue is out of reach" in lines[-1]
    assert all("look at the network" in lines[number + 1] for number, line in enumerate(lines) if "✗" in line)
