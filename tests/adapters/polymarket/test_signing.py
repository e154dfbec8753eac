"""Every signature, digest and HMAC that the venue's documents and clients publish, and what must not verify."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polymarket import auth
from adapters.polymarket.auth import SecretFormatError, api_key, decoded_secret, l2_headers, l2_signature
from adapters.polymarket.eip712 import (
    KeyFormatError,
    SignatureError,
    SigningKey,
    checksummed,
    is_address,
    recover,
    struct_hash,
    text_hash,
    typed_digest,
    word,
)
from adapters.polymarket.signing import (
    NEG_RISK,
    ORDER_TYPE,
    PROTOCOL_2,
    STANDARD,
    domain_for,
    order_id,
    salt_of,
    sign_order,
    signer_of,
)
from tests.adapters.polymarket.vectors import (
    ADDRESS,
    AMOY,
    BODY,
    BODY_SHA256,
    KEY,
    L1_AMOY,
    L1_POLYGON,
    L2_SECRET,
    LEGACY_DIGEST,
    LEGACY_DOMAIN,
    LEGACY_FIELDS,
    LEGACY_SIGNATURE,
    LEGACY_TYPE,
    ORDERS,
    OWNER,
    TOKEN,
    WRAPPED_INNER,
    WRAPPED_ORDER,
    SignedOrder,
)

HARDHAT = SigningKey(KEY)


# -- orders


@pytest.mark.parametrize("vector", ORDERS.values(), ids=list(ORDERS))
def test_a_published_order_gives_its_published_digest_and_signature(vector: SignedOrder) -> None:
    assert sign_order(HARDHAT, vector.domain, vector.order) == (vector.digest, vector.signature)
    assert order_id(vector.order.digest(vector.domain)) == vector.digest
    if vector.struct is not None:
        assert vector.order.hash().hex() == vector.struct
    if vector.separator is not None:
        assert vector.domain.separator.hex() == vector.separator


@pytest.mark.parametrize("vector", ORDERS.values(), ids=list(ORDERS))
def test_the_signer_is_found_again_and_only_for_the_very_order(vector: SignedOrder) -> None:
    signature = bytes.fromhex(vector.signature[2:])
    assert signer_of(vector.domain, vector.order, signature) == ADDRESS
    dearer = replace(vector.order, maker_amount=vector.order.maker_amount + 1)
    assert signer_of(vector.domain, dearer, signature) != ADDRESS
    assert signer_of(LEGACY_DOMAIN, vector.order, signature) != ADDRESS


def test_the_order_type_has_its_published_hash_and_length() -> None:
    assert text_hash(ORDER_TYPE).hex() == "bb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589"
    assert len(ORDER_TYPE) == 186


def test_a_deposit_wallet_gets_its_signature_wrapped_as_published() -> None:
    own_id, signature = sign_order(HARDHAT, AMOY, WRAPPED_ORDER)
    assert len(signature) == 636
    assert signature[:132] == WRAPPED_INNER
    contents = AMOY.separator.hex() + WRAPPED_ORDER.hash().hex()
    assert signature[132:] == contents + ORDER_TYPE.encode().hex() + "00ba"
    assert own_id == order_id(WRAPPED_ORDER.digest(AMOY)), "the id is the plain order's digest"
    assert signer_of(AMOY, WRAPPED_ORDER, bytes.fromhex(signature[2:])) == ADDRESS


@pytest.mark.parametrize("at", [0, 40, 65, 80, 100, 140, 315])
def test_a_wrapped_signature_with_one_changed_byte_is_not_the_owners(at: int) -> None:
    spoilt = bytearray.fromhex(sign_order(HARDHAT, AMOY, WRAPPED_ORDER)[1][2:])
    spoilt[at] ^= 1
    try:
        assert signer_of(AMOY, WRAPPED_ORDER, bytes(spoilt)) != ADDRESS
    except SignatureError:
        pass


def test_a_legacy_order_is_recognised_by_digest_and_signature() -> None:
    digest = typed_digest(LEGACY_DOMAIN.separator, struct_hash(LEGACY_TYPE, LEGACY_FIELDS))
    assert digest.hex() == LEGACY_DIGEST
    assert HARDHAT.sign(digest).hex() == LEGACY_SIGNATURE
    assert recover(digest, bytes.fromhex(LEGACY_SIGNATURE)) == ADDRESS


def test_the_contract_follows_the_market() -> None:
    assert domain_for(TOKEN, neg_risk=False) is STANDARD
    assert domain_for(TOKEN, neg_risk=True) is NEG_RISK
    position = (2 << 248) | (0xABCDEF << 104) | 1
    assert domain_for(position, neg_risk=True) is PROTOCOL_2
    assert domain_for(position, neg_risk=False) is PROTOCOL_2


def test_preparing_an_order_again_gives_the_same_salt_and_another_order_another() -> None:
    assert salt_of("a") == salt_of("a") != salt_of("b")


@given(st.text(max_size=40))
@settings(max_examples=100)
def test_a_salt_survives_a_json_number(client_order_id: str) -> None:
    assert 0 < salt_of(client_order_id) < 1 << 53


# -- keys and addresses


@pytest.mark.parametrize("text", ["", "0x", "0x12", "g" * 64, "0" * 64, "f" * 64, "0x" + "1" * 63, "é" * 64])
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(KeyFormatError) as refused:
        SigningKey(text)
    assert text not in str(refused.value) or len(text) < 3
    assert refused.value.__cause__ is None


def test_a_key_shows_its_address_only_and_does_not_travel() -> None:
    assert HARDHAT.address == ADDRESS
    assert repr(HARDHAT) == f"SigningKey({ADDRESS})"
    assert SigningKey(f" {KEY[2:]}\n").address == ADDRESS
    with pytest.raises(TypeError):
        pickle.dumps(HARDHAT)


def test_addresses_are_checked_with_their_case() -> None:
    assert checksummed(bytes.fromhex(ADDRESS[2:])) == ADDRESS
    assert is_address(ADDRESS)
    assert is_address(ADDRESS.lower())
    assert not is_address(ADDRESS.replace("F", "f", 1))
    assert not is_address(ADDRESS[2:])
    assert not is_address("0x" + "zz" * 20)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(65), b"\xff" * 64 + b"\x1b", bytes(64) + b"\x1b"])
def test_what_no_key_can_have_made_is_no_signature(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        recover(bytes(range(32)), signature)


@pytest.mark.parametrize("value", [-1, 1 << 256, b"short", "0x12", "nothing"])
def test_a_field_that_does_not_fit_its_word_is_refused(value: int | bytes | str) -> None:
    with pytest.raises(ValueError):
        word(value)


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_every_signature_leads_back_to_its_key_and_is_made_the_same_again(digest: bytes) -> None:
    signature = HARDHAT.sign(digest)
    assert recover(digest, signature) == ADDRESS
    assert signature == HARDHAT.sign(digest)
    assert signature[64] in (27, 28)


# -- L1 and L2


def test_the_log_in_signature_is_the_published_one() -> None:
    amoy = auth.l1_headers(HARDHAT, 10_000_000, nonce=23, chain_id=80002)
    assert amoy == {
        "POLY_ADDRESS": ADDRESS,
        "POLY_SIGNATURE": L1_AMOY,
        "POLY_TIMESTAMP": "10000000",
        "POLY_NONCE": "23",
    }
    assert auth.l1_headers(HARDHAT, 10_000_000, nonce=23)["POLY_SIGNATURE"] == L1_POLYGON


@pytest.mark.parametrize(
    ("timestamp_s", "method", "path", "body", "expected"),
    [
        (1_000_000, "test-sign", "/orders", b'{"hash": "0x123"}', "ZwAdJKvoYRlEKDkNMwd5BuwNNtg93kNaR_oU2HrfVvc="),
        (1_700_000_000, "DELETE", "/order", b'{"orderID":"0xabc"}', "ebd_Mp184tE7Z6KPR1h4np8gSxcgEPZ7MeKtDjVwf2g="),
        (1_700_000_000, "GET", "/data/orders", b"", "m6lGS9WyES7JjpAYNd7zIdW5bfHxAAI_pIa1St9vLO4="),
        (1_713_398_400, "POST", "/order", BODY, "C1OIYiEqiAVpv5cYIx2X9wzX7J8gVxWxn32tCi7zNys="),
    ],
)
def test_the_hmac_of_a_request_is_the_published_one(
    timestamp_s: int, method: str, path: str, body: bytes, expected: str
) -> None:
    assert l2_signature(decoded_secret(L2_SECRET), timestamp_s, method, path, body) == expected


def test_private_calls_carry_the_five_headers_and_the_padding_of_a_secret_may_be_missing() -> None:
    credentials = api_key(OWNER, L2_SECRET.rstrip("="), "pass")
    assert l2_headers(ADDRESS, credentials, 1_700_000_000, "GET", "/data/orders") == {
        "POLY_ADDRESS": ADDRESS,
        "POLY_SIGNATURE": "m6lGS9WyES7JjpAYNd7zIdW5bfHxAAI_pIa1St9vLO4=",
        "POLY_TIMESTAMP": "1700000000",
        "POLY_API_KEY": OWNER,
        "POLY_PASSPHRASE": "pass",
    }
    assert repr(credentials) == "ApiKey()"


def test_a_secret_that_is_not_base64_is_refused_without_being_shown() -> None:
    with pytest.raises(SecretFormatError) as refused:
        decoded_secret("not*base64*at*all")
    assert "not*base64" not in str(refused.value)


def test_the_published_request_is_the_one_that_its_checksum_names() -> None:
    import hashlib

    assert len(BODY) == 741
    assert hashlib.sha256(BODY).hexdigest() == BODY_SHA256
