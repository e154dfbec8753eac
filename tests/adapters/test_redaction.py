"""No secret in finished text: raw, encoded, in pieces, in headers."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.redaction import MARK, PIECE, Redactor

PEM = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7canary0001ab
q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjcanary02
-----END PRIVATE KEY-----
"""
CANARIES = [
    "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
    "canary-api-key-5f0c1b7e9d",
    "c2VjcmV0LWNhbmFyeS1ieXRlcy1mb3ItaG1hYy1rZXk=",
    "c2VjcmV0-Y2FuYXJ5_Ynl0ZXMtZm9yLWhtYWMta2V5",
    "pa$$word & \"quotes\" 'and' <tags>%20+x",
    "ключ-канарейка-секрет",
    "tiny1",
]
ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "basic auth": lambda secret: base64.b64encode(f"user:{secret}:tail".encode()).decode(),
    "hex": lambda secret: secret.encode().hex(),
    "HEX": lambda secret: secret.encode().hex().upper(),
    "url": lambda secret: quote(secret, safe=""),
    "url path": quote,
    "form": quote_plus,
    "lower-case url": lambda secret: quote(secret, safe="").lower() if secret.islower() else quote(secret),
    "url, everything escaped": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "json": json.dumps,
    "json of json": lambda secret: json.dumps(json.dumps({"key": secret})),
    "repr": repr,
    "bytes repr": lambda secret: repr(secret.encode()),
    "html": html.escape,
}


def pieces(text: str) -> set[str]:
    return {text[at : at + PIECE] for at in range(len(text) - PIECE + 1)}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", CANARIES, ids=lambda secret: secret[:12])
def test_a_secret_is_found_in_every_dress(secret: str, encoding: str) -> None:
    text = f"before {ENCODINGS[encoding](secret)} after"

    redacted = Redactor(CANARIES).redact(text)

    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert MARK in redacted
    assert secret not in redacted
    assert not pieces(secret) & pieces(redacted)
    if encoding in {"base64", "hex"}:
        assert not pieces(ENCODINGS[encoding](secret)) & pieces(redacted)


def test_the_bytes_behind_a_hex_or_base64_secret_are_secret_too() -> None:
    key = bytes(range(100, 132))
    dresses = [key.hex(), "0x" + key.hex(), base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()]

    for secret in dresses:
        redacted = Redactor([secret]).redact(" ".join(dresses))
        assert not any(pieces(dress.removeprefix("0x")) & pieces(redacted) for dress in dresses)


def test_each_line_of_a_pem_key_is_secret_and_its_frame_is_not() -> None:
    redactor = Redactor([PEM])

    redacted = redactor.redact(f"{PEM}\n{json.dumps(PEM)} loading PRIVATE KEY from key.pem")

    assert "canary" not in redacted
    assert "BEGIN PRIVATE KEY" in redacted
    assert redacted.endswith("loading PRIVATE KEY from key.pem")


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=12, max_size=60),
    start=st.integers(0, 50),
    size=st.integers(PIECE, 60),
    around=st.text(max_size=20),
)
def test_no_piece_of_eight_characters_survives(secret: str, start: int, size: int, around: str) -> None:
    cut = secret[start : start + size]
    redacted = Redactor([secret]).redact(around + cut + around)

    if "\n" not in secret:
        assert not pieces(secret) & pieces(redacted.replace(MARK, "\x00" * PIECE))


@given(text=st.text(max_size=300))
def test_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Redactor(["canary-api-key-5f0c1b7e9d"]).redact(text) == text or "=" in text or ":" in text


HEADERS = [
    ("Authorization: Bearer abc.def-ghi", "abc.def"),
    ("authorization: Basic dXNlcjpwYXNz\r\nHost: x", "dXNlcjpwYXNz"),
    ("{'Authorization': 'Token abc def'}", "abc def"),
    ("{'POLY_API_KEY': 'k-1', 'POLY_PASSPHRASE': 'p w', 'POLY_SIGNATURE': b'sig=='}", "k-1"),
    ("{'POLY_API_KEY': 'k-1', 'POLY_PASSPHRASE': 'p w', 'POLY_SIGNATURE': b'sig=='}", "p w"),
    ("{'POLY_API_KEY': 'k-1', 'POLY_PASSPHRASE': 'p w', 'POLY_SIGNATURE': b'sig=='}", "sig=="),
    ('"{\\"KALSHI-ACCESS-SIGNATURE\\": \\"c2ln\\"}"', "c2ln"),
    ("KALSHI-ACCESS-KEY=abcd-ef", "abcd-ef"),
    ("Cookie: a=b; session=xyz\r\nHost: h", "xyz"),
    ("set-cookie: a=b; Path=/", "a=b"),
    ("https://venue/ws?api_key=abc123&x=1", "abc123"),
    ('{"passphrase": "hunter two", "ok": 1}', "hunter two"),
    ("Client(api_secret='s3', timeout=1)", "s3"),
]


@pytest.mark.parametrize(("text", "value"), HEADERS)
def test_values_of_authentication_headers_go_without_being_known(text: str, value: str) -> None:
    redacted = Redactor().redact(text)

    assert value not in redacted
    assert MARK in redacted


@pytest.mark.parametrize(
    "text",
    [
        "secrets.POLY_API_KEY is missing",
        "api_key: field required",
        "signature mismatch on order o-k3f9x2ma-00001",
        "the passphrase: see README",
        '{"event": "order signed", "market": "KXBTC15M"}',
        "x" * 100_000,
    ],
)
def test_ordinary_sentences_about_keys_stay_readable(text: str) -> None:
    assert Redactor(["canary-api-key-5f0c1b7e9d"]).redact(text) == text


def test_a_secret_too_short_to_be_told_from_text_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 4"):
        Redactor(["abc"])
