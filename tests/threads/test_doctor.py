"""`doctor` against a venue on this machine: one clear sentence and a remedy for each thing that can be wrong."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.operator import doctor_verb
from adapters.polymarket.dialect import make_exchange
from adapters.polymarket.dialect.exchange import PolymarketExchange
from adapters.polymarket.dialect.face import PolymarketFace
from adapters.polymarket.dialect.wallets import Wallet, Wallets, make_wallet
from adapters.simulated.server import SimulatedServer
from models.config_machine import WalletType

OTHER_KEY = "0x" + "12" * 32


@dataclass
class Office:
    """A venue, a wallet on it, and a directory with a configuration and keys."""

    exchange: PolymarketExchange
    face: PolymarketFace
    wallet: Wallet
    server: SimulatedServer
    path: Path

    def configure(self, *, mode: str = "live", wallet_type: str = "eoa", rest_url: str | None = None) -> None:
        markets = "\n".join(f'  - "{one.condition_id}"' for one in self.exchange.listed.all[:2])
        url = rest_url or self.server.rest_url
        ws = url.replace("http", "ws")
        limits = (
            "strategy: {min_edge: 0.005, cost_buffer: 0.002}\n"
            "execution: {order_size: 10, max_unwind_loss: 0.05}\n"
            "risk:\n  max_daily_notional: 100\n  max_open_positions: 5\n  max_orders_per_minute: 60\n"
            "  price_collar: 0.02\n  halt_on_partial_fill: true\n"
            "  kill_switch_conditions: {partials: {count: 2, minutes: 60}}\n"
        )
        venue = (
            f"venues:\n  polymarket:\n    rest_url: {url}\n    ws_url: {ws}/ws/market\n    wallet_type: {wallet_type}\n"
        )
        (self.path / "config.yaml").write_text(f"mode: {mode}\nvenue: polymarket\nmarkets:\n{markets}\n{limits}{venue}")

    def keys(self, **changes: str) -> None:
        secrets = {
            "PRIVATE_KEY": self.wallet.private_key,
            "API_KEY": self.wallet.api_key,
            "API_SECRET": self.wallet.api_secret,
            "API_PASSPHRASE": self.wallet.passphrase,
        } | changes
        lines = [f"DUTCHBOOK_POLYMARKET_{name}={value}" for name, value in secrets.items() if value]
        dotenv = self.path / ".env"
        dotenv.write_text("\n".join(lines) + "\n")
        dotenv.chmod(0o600)

    def doctor(
        self, capsys: pytest.CaptureFixture[str], *, offline: bool = False
    ) -> tuple[int, dict[str, dict[str, str]], str]:
        """(exit code, the checks by name, everything that was printed)."""
        config = self.path / "config.yaml"
        code = doctor_verb.run(argparse.Namespace(config=config, offline=offline, json=True))
        shown = capsys.readouterr()
        checks = {check["name"]: check for check in json.loads(shown.out)["checks"]}
        again = doctor_verb.run(argparse.Namespace(config=config, offline=offline, json=False))
        plain = capsys.readouterr()
        assert again == code
        everything = shown.out + shown.err + plain.out + plain.err
        for secret in (self.wallet.private_key, self.wallet.api_secret, self.wallet.passphrase, OTHER_KEY):
            for piece in (secret, secret.removeprefix("0x"), secret[10:30]):
                assert piece not in everything
        return code, checks, plain.out


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    for name in [name for name in os.environ if name.startswith("DUTCHBOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    wallet = make_wallet("bob", WalletType.EOA, os.urandom)
    exchange = make_exchange(Wallets([wallet]), start=time.time_ns(), rate=0, scripted=False)
    face = PolymarketFace()
    server = SimulatedServer(exchange, face=face)
    server.start()
    try:
        office = Office(exchange, face, wallet, server, tmp_path)
        office.configure()
        office.keys()
        yield office
    finally:
        server.stop()


def the_only_trouble(checks: dict[str, dict[str, str]]) -> dict[str, str]:
    (bad,) = [check for check in checks.values() if check["grade"] in ("wrong", "unreachable")]
    assert bad["text"]
    assert bad["remedy"]
    assert "\n" not in bad["text"] + bad["remedy"]
    return bad


def test_a_healthy_account_is_fine_everywhere_and_nothing_was_traded(office: Office, capsys) -> None:
    code, checks, shown = office.doctor(capsys)
    assert code == 0, shown
    assert {check["grade"] for check in checks.values()} == {"fine"}
    assert set(checks) == {
        "configuration", "secrets", "ledger", "markets",
        "keys", "signing", "clock", "place", "API key", "account", "funds", "approvals",
    }  # fmt: skip
    assert "bob" not in {account for account, _ in office.exchange.engine.orders}
    assert "✓" in shown
    assert "✗" not in shown


def test_a_wrong_key_is_told_from_a_wrong_api_key(office: Office, capsys) -> None:
    office.keys(PRIVATE_KEY="0x1234")
    code, checks, _ = office.doctor(capsys)
    assert (code, the_only_trouble(checks)["name"]) == (78, "keys")
    assert "PRIVATE_KEY" in checks["keys"]["text"]
    assert checks["API key"]["grade"] == "skipped"


@pytest.mark.parametrize(
    "changes",
    [{"PRIVATE_KEY": OTHER_KEY}, {"API_SECRET": "AAAA"}, {"API_PASSPHRASE": "nothing"}, {"API_KEY": "nobody"}],
)
def test_a_key_that_belongs_to_another_account_is_not_accepted(office: Office, capsys, changes: dict[str, str]) -> None:
    office.keys(**changes)
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    assert the_only_trouble(checks)["name"] == "API key"
    assert "API key anew" in checks["API key"]["remedy"]
    assert checks["clock"]["grade"] == "fine"


def test_missing_keys_are_named(office: Office, capsys) -> None:
    office.keys(API_SECRET="", API_PASSPHRASE="")
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    assert "DUTCHBOOK_POLYMARKET_API_SECRET, DUTCHBOOK_POLYMARKET_API_PASSPHRASE" in checks["keys"]["text"]


@pytest.mark.parametrize(
    ("wallet_type", "funder", "words"),
    [
        ("safe", "", "FUNDER"),
        ("eoa", "0x1111111111111111111111111111111111111111", "leave it empty"),
        ("proxy", "0x12", "no address"),
    ],
)
def test_a_wallet_type_that_does_not_fit_says_what_to_change(
    office: Office, capsys, wallet_type: str, funder: str, words: str
) -> None:
    office.configure(wallet_type=wallet_type)
    office.keys(FUNDER=funder)
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    assert words in the_only_trouble(checks)["text"]


def test_a_wallet_that_holds_nothing_may_be_the_wrong_one(office: Office, capsys) -> None:
    account = office.exchange.engine.accounts["bob"]
    account.cash = 0
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    trouble = the_only_trouble(checks)
    assert trouble["name"] == "funds"
    assert "wallet_type" in trouble["remedy"]


@pytest.mark.parametrize(("ahead_s", "word"), [(20, "behind"), (-20, "ahead")])
def test_a_skewed_clock_is_measured_and_named(office: Office, capsys, ahead_s: int, word: str) -> None:
    office.face.clock_ahead_s = ahead_s
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    trouble = the_only_trouble(checks)
    assert (trouble["name"], word in trouble["text"]) == ("clock", True)
    assert "NTP" in trouble["remedy"]


def test_a_blocked_place_is_named_and_no_way_around_is_offered(office: Office, capsys) -> None:
    office.face.blocked = "US"
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    trouble = the_only_trouble(checks)
    assert (trouble["name"], "(US)" in trouble["text"]) == ("place", True)
    assert "no switch" in trouble["remedy"]


def test_an_account_in_closed_only_mode_is_named(office: Office, capsys) -> None:
    office.wallet.closed_only = True
    code, checks, _ = office.doctor(capsys)
    assert (code, the_only_trouble(checks)["name"]) == (78, "account")


def test_a_missing_approval_is_named_with_what_to_do(office: Office, capsys) -> None:
    office.wallet.allowance = 0
    code, checks, _ = office.doctor(capsys)
    trouble = the_only_trouble(checks)
    assert (code, trouble["name"]) == (78, "approvals")
    assert "approve" in trouble["remedy"]


def test_shares_that_cannot_be_sold_back_are_named(office: Office, capsys) -> None:
    office.wallet.shares_approved = False
    code, checks, _ = office.doctor(capsys)
    trouble = the_only_trouble(checks)
    assert (code, trouble["name"]) == (78, "approvals")
    assert "setApprovalForAll" in trouble["remedy"]


def test_a_venue_out_of_reach_is_not_the_operators_mistake(office: Office, capsys) -> None:
    office.configure(rest_url="http://127.0.0.1:1")
    code, checks, _ = office.doctor(capsys)
    assert code == 69
    assert {check["grade"] for check in checks.values()} == {"fine", "unreachable", "skipped"}


def test_offline_asks_nobody_and_still_signs(office: Office, capsys) -> None:
    office.configure(rest_url="http://127.0.0.1:1")
    code, checks, _ = office.doctor(capsys, offline=True)
    assert code == 0
    assert checks["signing"]["grade"] == "fine"
    assert {checks[name]["grade"] for name in ("clock", "place", "funds", "approvals", "markets")} == {"skipped"}


def test_secrets_that_others_can_read_are_refused(office: Office, capsys) -> None:
    (office.path / ".env").chmod(0o644)
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    assert "chmod 600" in checks["secrets"]["remedy"]


def test_on_paper_without_keys_there_is_nothing_to_look_at(office: Office, capsys) -> None:
    office.configure(mode="paper")
    (office.path / ".env").unlink()
    code, checks, _ = office.doctor(capsys)
    assert code == 0
    assert checks["account"]["grade"] == "skipped"


def test_a_wrong_configuration_ends_the_visit_early(office: Office, capsys) -> None:
    (office.path / "config.yaml").write_text("venue: polymarket\nmarkets: []\nspeed: 5\n")
    code, checks, _ = office.doctor(capsys)
    assert code == 78
    assert set(checks) == {"configuration", "secrets"}


def test_a_ledger_with_a_flipped_bit_is_found(office: Office, capsys) -> None:
    (office.path / "data").mkdir()
    (office.path / "data" / "ledger.sqlite").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    code, checks, _ = office.doctor(capsys)
    assert (code, the_only_trouble(checks)["name"]) == (78, "ledger")
