"""Every signature of the sheet, both kinds of key, and every way in which a key's file can be wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from adapters.kalshi.adapter import make_signer
from adapters.kalshi.signing import (
    KeyFileError,
    PrivateKey,
    RequestSigner,
    load_key,
    message,
    parse_key,
    signature,
    verified,
)
from adapters.venue import MissingKeysError
from tests.adapters.kalshi.vectors import ED25519_PEM, ED25519_SIGNATURES, RSA_PEM, RSA_SIGNATURES

PEM, PKCS8 = Encoding.PEM, PrivateFormat.PKCS8


@pytest.mark.parametrize(("text", "expected"), ED25519_SIGNATURES)
def test_ed25519_gives_exactly_the_sheets_signatures(text: str, expected: str) -> None:
    key = parse_key(ED25519_PEM)

    assert signature(key, text.encode()) == expected
    assert verified(key.public_key(), text.encode(), expected)


@pytest.mark.parametrize(("at_ms", "method", "path", "text", "signed", "good", "why"), RSA_SIGNATURES)
def test_rsa_signatures_are_told_apart(
    at_ms: int, method: str, path: str, text: str, signed: str, good: bool, why: str
) -> None:
    assert message(at_ms, method, path) == text.encode()
    assert verified(parse_key(RSA_PEM).public_key(), text.encode(), signed) is good, why


@pytest.mark.parametrize("pem", [ED25519_PEM, RSA_PEM], ids=["ed25519", "rsa"])
def test_our_own_signatures_verify_and_no_others_do(pem: bytes) -> None:
    key = parse_key(pem)
    headers = RequestSigner("a-key-id", key).headers(1_763_800_000_123, "post", "/trade-api/v2/x?limit=5")
    signed = headers["KALSHI-ACCESS-SIGNATURE"]

    assert headers["KALSHI-ACCESS-KEY"] == "a-key-id"
    assert headers["KALSHI-ACCESS-TIMESTAMP"] == "1763800000123"
    assert verified(key.public_key(), b"1763800000123POST/trade-api/v2/x", signed)
    assert not verified(key.public_key(), b"1763800000123POST/trade-api/v2/y", signed)
    assert not verified(key.public_key(), b"1763800000123POST/trade-api/v2/x", "no base64!")
    assert not verified(key.public_key(), b"1763800000123POST/trade-api/v2/x", "")


def test_the_url_s_host_and_query_are_not_signed() -> None:
    signer = RequestSigner("id", parse_key(ED25519_PEM))

    assert signer.headers_for(1, "GET", "https://example.com/trade-api/v2/portfolio/orders?limit=5") == signer.headers(
        1, "GET", "/trade-api/v2/portfolio/orders"
    )


def test_a_signer_does_not_show_its_key() -> None:
    assert "a-key-id" not in repr(RequestSigner("a-key-id", parse_key(ED25519_PEM)))


# -- the file


def key_file(tmp_path: Path, content: bytes = ED25519_PEM, mode: int = 0o600) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_private_file_is_read(tmp_path: Path) -> None:
    assert isinstance(load_key(key_file(tmp_path)), ed25519.Ed25519PrivateKey)
    assert isinstance(load_key(key_file(tmp_path, RSA_PEM)), rsa.RSAPrivateKey)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key(key_file(tmp_path, mode=mode))


def test_a_link_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    link = tmp_path / "link.pem"
    link.symlink_to(key_file(tmp_path))

    for path in (link, tmp_path, tmp_path / "none.pem"):
        with pytest.raises(KeyFileError):
            load_key(path)


def _pem(key: PrivateKey | ec.EllipticCurvePrivateKey, secret: bytes | None = None) -> bytes:
    encryption = NoEncryption() if secret is None else BestAvailableEncryption(secret)
    return key.private_bytes(PEM, PKCS8, encryption)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no private key"),
        (b"not a key", "no private key"),
        (ED25519_PEM.replace(b"MC4", b"MC5"), "no private key"),
        (_pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), "encrypted"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519"),
        (_pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (b"x" * 20_000, "too large"),
    ],
    ids=["empty", "text", "damaged", "encrypted", "curve", "short", "large"],
)
def test_a_file_without_a_usable_key_says_why_and_shows_nothing_of_it(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(KeyFileError, match=why) as caught:
        load_key(key_file(tmp_path, content))

    assert "MC4" not in str(caught.value)


def test_a_missing_key_names_the_variables(tmp_path: Path) -> None:
    good = {"KEY_ID": "id", "PRIVATE_KEY_PATH": str(key_file(tmp_path))}

    assert make_signer(good).headers(1, "GET", "/x")["KALSHI-ACCESS-KEY"] == "id"
    for name in good:
        with pytest.raises(MissingKeysError, match="DUTCHBOOK_KALSHI_KEY_ID and DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH"):
            make_signer({**good, name: ""})
    with pytest.raises(MissingKeysError, match="the file of DUTCHBOOK_KALSHI_PRIVATE_KEY_PATH cannot be opened"):
        make_signer({**good, "PRIVATE_KEY_PATH": os.fspath(tmp_path / "none.pem")})
