"""Published signatures, hashes and amounts of the venue, as facts to be reproduced.

Keys are the well-known public development keys: never fund them. Orders 1 to 3 are asserted in the tests of
nautilus_trader's Polymarket adapter (made there with the official Python client), 4 was recomputed independently.
`WRAPPED`, `LEGACY` and `L1_AMOY` are asserted in the tests of the official Python clients (py-clob-client-v2 1.2.1,
python-order-utils 0.3.2), MIT License, (c) Polymarket: see polymarket-clients-MIT.txt beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.polymarket.eip712 import Domain
from adapters.polymarket.signing import BUY, DOMAIN_NAME, NEG_RISK, PROTOCOL_2, SELL, STANDARD, OrderStruct

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
TOKEN = 71321045679252212594626385532706912750332728571942532289631379312455583992563
NOBODY = "0x0000000000000000000000000000000000000000"


def an_order(
    *,
    salt: int = 123456789,
    maker_amount: int = 100_000_000,
    taker_amount: int = 50_000_000,
    side: int = BUY,
    timestamp_ms: int = 1713398400000,
    builder: bytes = bytes(32),
) -> OrderStruct:
    return OrderStruct(
        salt=salt,
        maker=ADDRESS,
        signer=ADDRESS,
        token_id=TOKEN,
        maker_amount=maker_amount,
        taker_amount=taker_amount,
        side=side,
        signature_type=0,
        timestamp_ms=timestamp_ms,
        builder=builder,
    )


@dataclass(frozen=True)
class SignedOrder:
    domain: Domain
    order: OrderStruct
    digest: str
    signature: str
    struct: str | None = None
    separator: str | None = None


ORDERS = {
    "buy, standard": SignedOrder(
        STANDARD,
        an_order(),
        "0x32961c48ddac87ed3582f8e02097cd0eff4fcf80460306bd44b3710438dfa64c",
        "0x89f178136333c8ebb32a19146cb891233e3202d474be6ef730c24dbc06ae4d2a0c99948a86d9b57de0f2c0bb8ec6964aa244ecf17cfa3a95b86878d0b64ad78a1b",
        "b90cd5fd7127bafc0ad257103b8ef1cf3fd285bdd74ad9e2d6ddc7c9c1bf152a",
        "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2",
    ),
    "sell, neg-risk": SignedOrder(
        NEG_RISK,
        an_order(salt=987654321, maker_amount=50_000_000, taker_amount=100_000_000, side=SELL),
        "0x8b878404bd92dea2bfea9975c9fcd816ec70a57ae431cb20d67bb773744aaef3",
        "0xf7d60d64364e2615b08d9f69f3ea9afd3b4f83ecfbf05ddd3ca83f4916277fb97d2d080758d17c8e91c928aceb8ff252477ebaec051b672832500f63b4d36b061c",
        "461f43a288c801e50b1a5cd93354ccdbdfa36d14e1e1e66e4052e07fb59cddd9",
        "9b858f53327b0bd13af8ec14cfb35234fb9eb7b0504d1a4e61f433840d30e81a",
    ),
    "buy, with a builder": SignedOrder(
        STANDARD,
        an_order(salt=1, timestamp_ms=1713398500000, builder=(1).to_bytes(32, "big")),
        "0x3df0b6f6ddfca837bc36964cae968b34ad35640b5d98f557c104da97e804e36a",
        "0xf4d2b34659e8bc07a9572d40ee5a1639a1157409613b4c21566b1f33fd8fe11a364b3f306668cae7248ca7cdf72378f9266bc5628585aa939644400030671e081c",
        "713a494d6eb73468c4099fbcc56d82a43c913497dd7524cce1b04ae485cd9dfe",
    ),
    "buy, second protocol generation": SignedOrder(
        PROTOCOL_2,
        an_order(),
        "0xebbc5881e0995ce4d28b2725b16c901917e02c9288525024b4cf64d23d1c5ec0",
        "0x342b617601b5766f2fe6ef71c534f4f85ccdf4f1efc55c8cd18179381542f8605b30ac945b462d32265f06a26b47c8a2e15e5f907db303d464daec69a3d049681c",
        None,
        "466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b",
    ),
}

AMOY = Domain(name=DOMAIN_NAME, version="2", chain_id=80002, contract="0xE111180000d2663C0091e4f400237545B87B996B")
WRAPPED_ORDER = OrderStruct(
    salt=479249096354,
    maker="0x1111111111111111111111111111111111111111",
    signer="0x1111111111111111111111111111111111111111",
    token_id=1234,
    maker_amount=100_000_000,
    taker_amount=50_000_000,
    side=BUY,
    signature_type=3,
    timestamp_ms=1710000000000,
)
WRAPPED_INNER = (
    "0xa3a093c83b6c20c83355c16ce94c92e6e9fcbdeb840618cc74f6c57a42ad145b"
    "2b98db73d2c73cbf1f2b6af288566ae81960ddbc3a13921027358a8bff3be6ff1c"
)

LEGACY_TYPE = (
    "Order(uint256 salt,address maker,address signer,address taker,uint256 tokenId,uint256 makerAmount,"
    "uint256 takerAmount,uint256 expiration,uint256 nonce,uint256 feeRateBps,uint8 side,uint8 signatureType)"
)
LEGACY_DOMAIN = Domain(
    name=DOMAIN_NAME, version="1", chain_id=80002, contract="0xdFE02Eb6733538f8Ea35D585af8DE5958AD99E40"
)
LEGACY_FIELDS = (479249096354, ADDRESS, ADDRESS, NOBODY, 1234, 100_000_000, 50_000_000, 0, 0, 100, 0, 0)
LEGACY_DIGEST = "02ca1d1aa31103804173ad1acd70066cb6c1258a4be6dada055111f9a7ea4e55"
LEGACY_SIGNATURE = (
    "302cd9abd0b5fcaa202a344437ec0b6660da984e24ae9ad915a592a90facf5a5"
    "1bb8a873cd8d270f070217fea1986531d5eec66f1162a81f66e026db653bf7ce1c"
)

L1_AMOY = (
    "0xf62319a987514da40e57e2f4d7529f7bac38f0355bd88bb5adbb3768d80de6c1"
    "682518e0af677d5260366425f4361e7b70c25ae232aff0ab2331e2b164a1aedc1b"
)
L1_POLYGON = (
    "0x1a7118db6100dfd8efd102be36f472b59475dcac56eb4c9a2a94748d3655ba7c"
    "3c89deb8c19ee79eceb0a531122fbfbe88ed118034f9d8212e2b725e7b296b9d1c"
)

L2_SECRET = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
OWNER = "00000000-0000-0000-0000-000000000001"

BODY = (
    b'{"deferExec":false,"order":{"builder":"0x0000000000000000000000000000000000000000000000000000000000000000",'
    b'"expiration":"0","maker":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266","makerAmount":"100000000",'
    b'"metadata":"0x0000000000000000000000000000000000000000000000000000000000000000","salt":123456789,"side":"BUY",'
    b'"signature":"0x89f178136333c8ebb32a19146cb891233e3202d474be6ef730c24dbc06ae4d2a0c99948a86d9b57de0f2c0bb8ec6964aa'
    b'244ecf17cfa3a95b86878d0b64ad78a1b","signatureType":0,"signer":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",'
    b'"takerAmount":"50000000","timestamp":"1713398400000",'
    b'"tokenId":"71321045679252212594626385532706912750332728571942532289631379312455583992563"},'
    b'"orderType":"FAK","owner":"00000000-0000-0000-0000-000000000001"}'
)
BODY_SHA256 = "36acb4e89f8d5b5a912b67a12b8113689ed7a5c2bb4c698e222e279d7e822c45"
"""Of the whole request of polymarket.md 8.4; the order in it is "buy, standard"."""
