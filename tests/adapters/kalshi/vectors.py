"""Keys and signatures that were made for tests: used nowhere else, and worth nothing.

The Ed25519 key is test key 1 of RFC 8032; the RSA key and its signatures were made for this check (kalshi.md 3).
"""

from __future__ import annotations

from typing import Final

ED25519_PEM: Final = b"""\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""

ED25519_SIGNATURES: Final = (
    (
        "1703123456789GET/trade-api/v2/portfolio/balance",
        "caolQIFa1fF7caKRpD82JbF1w9tsbGMzaRudHdnCIwVEkhfFIlzIy4HeCQTeFteU9o8UTOmEvwbutRb9MEJbAA==",
    ),
    (
        "1703123456789GET/trade-api/ws/v2",
        "UxSfhWWEyZ1QqfOB6kwZsQObor0jGMZVIh+hDqydvkYD4gYeWXPuOB2+jmtHhWtK00AKZNNunN+JcxddbXtNDA==",
    ),
    (
        "1703123456789POST/trade-api/v2/portfolio/events/orders",
        "0QpWibMOICW7GcsR2QVXSLi+4s2EwyYdYP2ypIV/6vEqQPr5hKsX+kHaxO6SOVuIR60F5Lms8Ds0mnn63IMMBA==",
    ),
)
"""(message, signature)"""

RSA_PEM: Final = b"""\
-----BEGIN RSA PRIVATE KEY-----
MIIEogIBAAKCAQEAyxJK6fg6CSqVSzrJZ7+yBdGiwZBj2xP4vogfskokVLbrkEDd
naIbr+8IuHG/bPXLmmR5Gd53RqCOl/gLSZwkD3LJJfe+d6qrmRVkzrcVmxAha78h
Xn+2fgshsBMbpOmZaLeZr+1iJbV/EBUN6JBnmGarTZ3VQFhDNP2f9iU1X9lO4zVw
cDnzxsYV7x23sOxKQkwvllCwCXRwZK8aNbmbtuykcFhNyHnaXbgZx3nXxMjugOvF
cNLdXm6SoU+5HQYBAxqhU62zO9W+mX/FEea48/rsSMtMQFRgunNJUXG3ATyNMMMO
HgKf7kSlj1e10Uct5iqeQD4mSni9EOqYu1BTGwIDAQABAoIBAEy1WD8RWTrlLwf/
6Nyb+O9hxQ1BMbcr0CaI3RBIGXk2r70KA6zr83F95dlmflz2bDaiBWzUMFIpjDOz
qu/fX2/GeF0zPGuPuMpW3oGHf03XxgghZsV/kLwEEHGmhibBZwW7dP6TuSNtb9Xv
XhWflsJm5ganvEpWDO0TcT1VyNevXmty1Pa5ovCVkUTO/Y4juN4lhG2mkHsWtZxV
tRSE156pm3D0BJGgtVGwsHCCoxJsFBqE0DFCSPodabrAvVVWwQ2Ic59b7kAzG0VK
GXSCH+nSRqqqt+W4oUYcg86WBFAoy7OR8QDAqjF4njIMmLcX3IuOrvw10Zf3Tvl3
KlVR0IECgYEA5zHq4BgAeEvUxG9+NqyLqaEKzOQt/wmg0xtcfmJ5HeWlpAXVVUf5
BkClU6ulbSYCSzqAMGcSTFlWHYucc5l++VrsXQTIN4N6YgP4h9AL/r4IZ6U6UQjH
m9IayvQ1gKkUobMUkOYCayxq58+fj5766/HUPjV6qwURUDaO6qD7bRECgYEA4Nvs
n2KJ4E1QMAK+S6VvPTathma9aTdYV+NTq2Vz57a1i4l/pVgJTF/a3pVoQTRF7d5M
XawJrKWP4EGk9XQZD3jDKgtQD5gUQ06IszMXhxXzVyEMrHS4qp0A/VGX2CL9+oCP
YLD4791UDqD1DKMMpNxv6WGJTjUjhFbsae4x7WsCgYAjBP2l2hzgG+RrqNO+Zl51
YE5pgLqy4ft5XrCg+DuOWsW/VZ7d3xwKZWplhR92rAY27PKT4lj0NagEq6wUGpEQ
JkSdRmcpeYHlLOLNd6cJfDF7uZxev+y0XpvuWBVumq3kXGLmG+EL6Nt8p4ds0tEB
Qk066xDcrNTViJ4XTjEncQKBgGWVFS3gD1ektdAqvRthjoKB/ByWt4Ub+q4hxb/N
onIQya1THbZtsi2ttCwQJTwnyFuwrKE4wlobpYbzQPmeTF//93M8DxwsYSMTDJCg
SUW+teMrzBTw2ihBq5vFS6raDBEqGRved2etfnbpYismUeT8rRYq+SO6v+PefQlS
EX4nAoGAUBDCvStqhfHogPqVN1+++nymcljEHLZjbLefX7DylP5gh0HRMsK44ozB
8pkGv2zDffRu1dbpHTZt99c/O02d0Z7MvE1SYb5yVQ04n3KBxodf/vRIxYF+oDhg
LfrflNBIt3gsFtgjvJksy8+nfQjFyf/35RUn2kZRFJeqbHoobrc=
-----END RSA PRIVATE KEY-----
"""

RSA_SIGNATURES: Final = (
    (
        1763800000123,
        "GET",
        "/trade-api/v2/portfolio/balance",
        "1763800000123GET/trade-api/v2/portfolio/balance",
        (
            "Jdpr9YisVx1SorMVtRS3iT7qrm2SHZLNd7xeWGWYmyhyT4ur0SZAwA8m/pflJDcomTkvnyh/AS04KTPu/VgRDyvPSdcA9RveVIHj"
            "OCI6ds8vjTVeKiU90U/7Lt3s+lNb/E+eBS2ulN9T3mpZJGsopm9HK4ipv491/2yspaK0TNoeSfoKbUxROga6R14wyVbXXDZomq+r"
            "oP0dxLGmYalNW3IT2Q+qmFQ2B/YwIHB43Dw7VFPrfUbNwuVN7q4HowZZziW6koEdA3LxIcvAyUHPLUX19tMErI6iKMRfILzilTFT"
            "EhoyKSbh74v3jub8wBYb8sD6SJCE+Ty8RxKSXT/QKw=="
        ),
        True,
        "plain",
    ),
    (
        1763800000123,
        "GET",
        "/trade-api/v2/portfolio/orders?limit=5",
        "1763800000123GET/trade-api/v2/portfolio/orders",
        (
            "TzCvf06uSFCLLV2a1WLWReQf5iwwWgOzd9kznD8SEO9izRS0RZTWTr7BnSDK8QMSDwGw3Bjb9hdmvxh4KV7BkL0FmL5dhbM1Nhvr"
            "RboBgPaPXu/C9wNl3iErdXAOUqXiFlLhHMMrS7osRrkLu+IdBFEiIKshOFOihUZ20fh21to4bqQiQj3vjOLsC5V9v7r83x3ezIup"
            "ASP26tCqBW5Dt+Y1+95lWJ8smZRN1eJcgBsx/9lnDJHRb3SFqa+76p2SCf+FTkSVlpPdUkWpImyK79bwEgPyIezPvaiA3OuT2IJG"
            "WbDOnSs40woylHzDlTjHQ/ggTbaYtpLr/ef9YRngLg=="
        ),
        True,
        "query string is not signed",
    ),
    (
        1763800000123,
        "GET",
        "/trade-api/ws/v2",
        "1763800000123GET/trade-api/ws/v2",
        (
            "F7FlM/lPT/pCIfpQiIhNa255rITr3qy4uhB6iM4iTBt5P+aNdurkhbcFEW/4zpEAqzySiXOQHuyjgYQGUGFjIDox4Jw25uy+A0FF"
            "R2DtLOuoC7JiuQ38/RA/3N/WYaMHfjIf5VGEn9m8GKAvNyv+08QK5dNUd0u7/XiUutBGr/v6Aob7BJ4ABIoOYmbo0ZBKXUt9+ftT"
            "c/sLbMggVQNMVDs5TZyLlVvKhLoKbVIKMOkjz4/hnUD7w7kLIatMjMWLbngPlJIlGV/iR80TbnLSisU8FzCrKFfT8EF4qSYtDCZt"
            "gH5L9ndeyxmzaZRKgiMVkAWHxlh5pBhZQAJYKD0Wpg=="
        ),
        True,
        "websocket handshake",
    ),
    (
        1763800000123,
        "GET",
        "/trade-api/v2/portfolio/orders?limit=5",
        "1763800000123GET/trade-api/v2/portfolio/orders",
        (
            "E2yC0Iu9cFkmMdJk/2YfAdRgP9eFdWPOpdIoKbb9+Kt6tm0XBRLtnSoTiXcY/x5nhRMd62tDr8+flfwVTIOXt2DuIG9ZJGCTnY5K"
            "7bsrX7SZ/vlIKRjN57fE7OXIClVUOX9cbHbE+zKC1cXHRMN5FPS5IlbtWDg5Lc/xAM3klB2Ox4lZScjT+SvNgNGB02fJv+K7JLgK"
            "CFKAq8lBDfOtxWvZeZYpzlDadTtSP/voLUYW7H9AziepZ/IX4mpVePlUhO5GQJR4wuH2B1Qkuz5r731cUAWSOFWQMhWGSFffWoIj"
            "ADirBPSJzC/Fk4ztrsW6nPh4rv8DkqPggVBP0a/7lg=="
        ),
        False,
        "query string wrongly signed",
    ),
    (
        1763800000123,
        "POST",
        "/trade-api/v2/portfolio/orders",
        "1763800000123POST/trade-api/v2/portfolio/orders",
        (
            "vyq3qwg0z4KAZEQmvBtxssWYdGBt7PmfbcL3zm3AmtE7KTFnvfUfBhZN2OQWIe75hy9ek2xgoTU8yAtJgpbYHZVZzs5Jyl58nED4"
            "fHVpwvvnuBTuAfyycay8k+ZeURDKsHiUxI2OgI0DsSbgVy0txeoU3J3I+T7pH7vWok6wBtnK3c3Fsm1ZUMQSPPpA4ssO7W28iyzF"
            "nQfhZ3oRQEsu2BnDxABfFOfpthZduu3UEX7KsfHVUFfEUeSu9AzNs9uqcBXQpST5zGUSWJ9XqFMD34r3JbLEMR6vDuOTIs8nHleK"
            "5qnk586dYSJVQHK21ypch8LeXanMYYaObaEuygwj4g=="
        ),
        False,
        "timestamp in seconds",
    ),
)
"""(timestamp in ms, method, path as sent, message, signature, whether it is good, why)"""
