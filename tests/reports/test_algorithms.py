"""The strength of algorithms, by the tables that the module names."""

import pytest

from exporter.judging.names import SIGNATURE_ALGORITHMS
from exporter.reports.algorithms import Algorithm, Primitive, of_group, of_key, of_prime, of_signature, of_suite
from exporter.tls.parameters import GROUP_NAMES, POST_QUANTUM_GROUPS, SCHEME_NAMES
from exporter.tls.suites import BY_ANY_NAME, SUITES


def parts(name: str) -> dict[str, Algorithm]:
    return {one.name: one for one in of_suite(BY_ANY_NAME[name])}


@pytest.mark.parametrize(
    ("suite", "names"),
    [
        ("TLS_AES_128_GCM_SHA256", ["AES-128-GCM", "SHA-256"]),
        ("TLS_CHACHA20_POLY1305_SHA256", ["ChaCha20-Poly1305", "SHA-256"]),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", ["ECDH", "RSA", "AES-256-GCM", "SHA-384"]),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", ["ECDH", "ECDSA", "AES-128-CCM-8", "SHA-256"]),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", ["RSA key transport", "AES-128-CBC", "HMAC-SHA-1"]),
        ("TLS_RSA_WITH_RC4_128_MD5", ["RSA key transport", "RC4-128", "HMAC-MD5"]),
        ("TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA", ["DH", "DSA", "3DES-112-CBC", "HMAC-SHA-1"]),
        ("TLS_DH_anon_WITH_AES_128_CBC_SHA", ["DH", "AES-128-CBC", "HMAC-SHA-1"]),
        ("TLS_RSA_WITH_NULL_SHA256", ["RSA key transport", "HMAC-SHA-256"]),
        ("TLS_NULL_WITH_NULL_NULL", []),
        ("TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384", ["ECDH", "ECDSA", "CAMELLIA-256-CBC", "HMAC-SHA-384"]),
    ],
)
def test_a_suite_consists_of_what_its_name_says(suite: str, names: list[str]) -> None:
    assert list(parts(suite)) == names


@pytest.mark.parametrize(
    ("suite", "cipher", "bits", "category"),
    [
        ("TLS_AES_128_GCM_SHA256", "AES-128-GCM", 128, 1),
        ("TLS_AES_256_GCM_SHA384", "AES-256-GCM", 256, 5),
        ("TLS_RSA_WITH_RC4_128_MD5", "RC4-128", 128, 0),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "3DES-112-CBC", 112, 0),
    ],
)
def test_strength_of_ciphers(suite: str, cipher: str, bits: int, category: int) -> None:
    assert (parts(suite)[cipher].bits, parts(suite)[cipher].category) == (bits, category)


def test_every_registered_suite_can_be_taken_apart() -> None:
    for suite in SUITES:
        made = list(of_suite(suite))
        ciphers = {Primitive.AE, Primitive.BLOCK_CIPHER, Primitive.STREAM_CIPHER}
        assert any(one.primitive in ciphers for one in made) is not suite.null_encryption, suite.name
        assert any(one.primitive is Primitive.SIGNATURE for one in made) is suite.signed, suite.name


@pytest.mark.parametrize(
    ("group", "primitive", "bits", "category"),
    [
        ("x25519", Primitive.KEY_AGREE, 128, 0),
        ("secp384r1", Primitive.KEY_AGREE, 192, 0),
        ("secp521r1", Primitive.KEY_AGREE, 256, 0),
        ("ffdhe2048", Primitive.KEY_AGREE, 112, 0),
        ("X25519MLKEM768", Primitive.COMBINER, None, 3),
        ("SecP384r1MLKEM1024", Primitive.COMBINER, None, 5),
        ("MLKEM512", Primitive.KEM, None, 1),
        ("X25519Kyber768Draft00", Primitive.OTHER, None, None),
        ("0x1234", Primitive.OTHER, None, None),
    ],
)
def test_groups(group: str, primitive: Primitive, bits: int | None, category: int | None) -> None:
    found = of_group(group)
    assert (found.primitive, found.bits, found.category) == (primitive, bits, category)


def test_exactly_the_post_quantum_groups_have_a_category() -> None:
    strong = {name for name in GROUP_NAMES.values() if (of_group(name).category or 0) > 0}
    assert strong == POST_QUANTUM_GROUPS


@pytest.mark.parametrize(
    ("key", "name", "bits", "category"),
    [
        (("RSA", 2048, None), "RSA-2048", 112, 0),
        (("RSA", 4096, None), "RSA-4096", 128, 0),
        (("RSA", 512, None), "RSA-512", 0, 0),
        (("RSA", None, None), "RSA", None, 0),
        (("EC", 256, "P-256"), "ECDSA P-256", 128, 0),
        (("EC", 521, "P-521"), "ECDSA P-521", 256, 0),
        (("Ed25519", None, None), "Ed25519", 128, 0),
        (("2.16.840.1.101.3.4.3.18", None, None), "ML-DSA-65", None, 3),
        (("1.2.3.4", None, None), "1.2.3.4", None, None),
        (("unknown", None, None), "unknown", None, None),
    ],
)
def test_keys(key: tuple[str, int | None, str | None], name: str, bits: int | None, category: int | None) -> None:
    found = of_key(*key)
    assert (found.name, found.bits, found.category) == (name, bits, category)


def test_signatures_that_a_quantum_computer_breaks() -> None:
    names = {*SIGNATURE_ALGORITHMS, *SCHEME_NAMES.values()}
    strong = {name for name in names if of_signature(name).category != 0}
    assert all(name.lower().startswith(("ml-dsa", "mldsa", "slhdsa")) for name in strong)
    assert len(strong) == 18
    assert of_signature("2.16.840.1.101.3.4.3.17").category == 2
    assert of_signature("1.2.3").category is None


def test_finite_fields() -> None:
    assert (of_prime(1024).bits, of_prime(768).bits) == (80, 0)
