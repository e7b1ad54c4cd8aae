"""The numeric tables, on both sides of each limit."""

from dataclasses import replace

import pytest

from exporter.derived.material import cipher_bits
from exporter.grade.letters import Letter
from exporter.grade.material import Sizes
from exporter.grade.scores import CIPHER_SCORES, KEY_SCORES, Range, by_bits, ec_as_rsa, letter_of, score
from exporter.model import Protocol
from exporter.tls.suites import BY_NAME, SSL2_KINDS
from tests.grade.test_rules import GOOD


@pytest.mark.parametrize(
    ("total", "letter"),
    [
        (100, "A+"),
        (80, "A+"),
        (79.99, "B"),
        (65, "B"),
        (64.99, "C"),
        (50, "C"),
        (49.99, "D"),
        (35, "D"),
        (34.99, "E"),
        (20, "E"),
        (19.99, "F"),
        (0, "F"),
    ],
)
def test_a_score_has_its_letter(total: float, letter: str) -> None:
    assert letter_of(total) == letter


@pytest.mark.parametrize(
    ("bits", "points"),
    [
        (0, 20),
        (511, 20),
        (512, 40),
        (1023, 40),
        (1024, 80),
        (2047, 80),
        (2048, 90),
        (4095, 90),
        (4096, 100),
        (8192, 100),
    ],
)
def test_a_key_has_its_score(bits: int, points: int) -> None:
    assert by_bits(KEY_SCORES, bits) == points


@pytest.mark.parametrize(
    ("bits", "points"), [(0, 0), (1, 20), (40, 20), (112, 20), (127, 20), (128, 80), (255, 80), (256, 100)]
)
def test_a_cipher_has_its_score(bits: int, points: int) -> None:
    assert by_bits(CIPHER_SCORES, bits) == points


@pytest.mark.parametrize(
    ("bits", "equal"),
    [
        *((111, 256), (112, 512), (159, 512), (160, 1024), (223, 1024), (224, 2048), (255, 2048)),
        *((256, 3072), (383, 3072), (384, 7680), (511, 7680), (512, 15360), (521, 15360)),
    ],
)
def test_a_curve_is_as_strong_as_an_rsa_key(bits: int, equal: int) -> None:
    assert ec_as_rsa(bits) == equal


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("TLS_RSA_WITH_NULL_SHA", 0),
        ("TLS_SHA256_SHA256", 0),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", 40),
        ("TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA", 40),
        ("SSL_CK_RC4_128_EXPORT40_WITH_MD5", 40),
        ("TLS_RSA_EXPORT1024_WITH_RC4_56_SHA", 56),
        ("TLS_RSA_WITH_DES_CBC_SHA", 56),
        ("SSL_CK_DES_64_CBC_WITH_MD5", 56),
        ("SSL_CK_RC4_64_WITH_MD5", 64),
        ("TLS_FORTEZZA_KEA_WITH_FORTEZZA_CBC_SHA", 80),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 112),
        ("SSL_CK_DES_192_EDE3_CBC_WITH_MD5", 112),
        ("TLS_RSA_WITH_RC4_128_SHA", 128),
        ("TLS_RSA_WITH_IDEA_CBC_SHA", 128),
        ("TLS_RSA_WITH_SEED_CBC_SHA", 128),
        ("TLS_SM4_GCM_SM3", 128),
        ("TLS_AEGIS_128L_SHA256", 128),
        ("TLS_RSA_WITH_AES_128_CBC_SHA256", 128),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 128),
        ("TLS_AES_256_GCM_SHA384", 256),
        ("TLS_CHACHA20_POLY1305_SHA256", 256),
        ("TLS_GOSTR341112_256_WITH_NULL_GOSTR3411", 0),
        ("TLS_GOSTR341112_256_WITH_KUZNYECHIK_CTR_OMAC", 256),
        ("TLS_GOSTR341001_WITH_28147_CNT_IMIT", 256),
        ("0xFEED", None),
    ],
)
def test_the_name_of_a_suite_tells_the_strength_of_its_cipher(name: str, bits: int | None) -> None:
    assert cipher_bits(name) == bits


def test_every_registered_suite_has_a_strength() -> None:
    assert not [name for name in (*BY_NAME, *SSL2_KINDS.values()) if cipher_bits(name) is None]


def test_a_zero_in_one_category_is_zero_in_all() -> None:
    assert score(replace(GOOD, anonymous=True)).total == Range(0, 0)
    assert score(replace(GOOD, ciphers=Sizes((0,), whole=True))).total == Range(0, 0)
    assert score(replace(GOOD, protocols={one: one is Protocol.SSL2 for one in Protocol})).total == Range(0, 0)


def test_what_is_not_known_makes_a_range() -> None:
    unknown = score(
        replace(
            GOOD,
            protocols=dict(GOOD.protocols) | {Protocol.SSL3: None},
            keys=Sizes((2048,), whole=False),
            ciphers=Sizes((128,), whole=False),
        )
    )
    assert unknown.protocols == Range(90, 100)
    assert unknown.key_exchange == Range(20, 90)
    assert unknown.ciphers == Range(40, 90)
    assert unknown.total == Range(27 + 6 + 16, 30 + 27 + 36)
    assert unknown.total.exact is None


def test_a_rank_is_as_the_contract_has_it() -> None:
    assert {letter.value: letter.rank for letter in Letter} == {
        "A+": 7,
        "A": 6,
        "A-": 5,
        "B": 4,
        "C": 3,
        "D": 2,
        "E": 1,
        "F": 0,
        "T": 0,
        "M": 0,
    }
