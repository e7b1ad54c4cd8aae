"""Chains made to keep a thread busy are not verified; ordinary ones cost almost nothing."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

from exporter.pki.chain import MOST_LINKED
from exporter.pki.effort import MOST_SECONDS, effort_seconds
from exporter.pki.parsed import Certificate
from exporter.probes.certificate.reading import read_deployment
from tests.support.certificates import HOST, Issued, issue, p256, rsa_key, with_rsa
from tests.support.targets import NOW

SLOWEST = (3072, 3071)
"""Bits of modulus and exponent of an RSA key. OpenSSL limits the exponent for longer moduli (rsa.h)."""


def alike(key: Issued) -> tuple[Certificate, ...]:
    """As many as are linked, each of which may have issued each other."""
    return tuple(issue("alike", key, key=key.key).parsed for _ in range(MOST_LINKED))


def ordinary() -> list[Certificate]:
    key = rsa_key(2048)
    root = issue("root", ca=True, key=key)
    upper = issue("upper", root, ca=True, key=key)
    lower = issue("lower", upper, ca=True, key=key)
    return [one.parsed for one in (issue(HOST, lower), lower, upper, root)]


def test_an_ordinary_chain_costs_next_to_nothing() -> None:
    assert effort_seconds(ordinary()) < MOST_SECONDS / 100


@pytest.mark.parametrize("key", [p256(), rsa_key(2048)], ids=["P-256", "RSA"])
def test_ordinary_keys_may_all_have_one_name(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    chain = alike(issue("alike", ca=True, key=key))
    assert 0 < effort_seconds(chain) < MOST_SECONDS
    assert read_deployment(chain, HOST, None, NOW).trusted is False


@pytest.mark.parametrize(("bits", "exponent_bits"), [SLOWEST, (16384, 64), (16384, 17)])
def test_slow_keys_of_one_name_are_not_verified(bits: int, exponent_bits: int) -> None:
    chain = tuple(with_rsa(bits, exponent_bits, serial) for serial in range(1, MOST_LINKED + 1))
    assert effort_seconds(chain) > 2 * MOST_SECONDS
    with pytest.raises(ValueError, match=r"it would take .* s to verify the signatures"):
        read_deployment(chain, HOST, None, NOW)


@pytest.mark.parametrize(("bits", "exponent_bits"), [SLOWEST, (16384, 17)])
def test_one_slow_key_is_no_reason(bits: int, exponent_bits: int) -> None:
    """Some people have such certificates, self-signed."""
    assert effort_seconds([with_rsa(bits, exponent_bits)]) < MOST_SECONDS
    others = [with_rsa(bits, exponent_bits, subject=str(number)) for number in range(3)]
    assert effort_seconds(others) < MOST_SECONDS


def test_self_signed_certificates_count_wherever_they_are() -> None:
    """Whether a certificate is self-signed is read of each of them, linked or not."""
    many = [with_rsa(*SLOWEST, serial, str(serial)) for serial in range(1, 70)]
    assert effort_seconds(many) > MOST_SECONDS


def test_the_same_certificate_many_times_is_linked_once() -> None:
    one = with_rsa(2048, 17)
    assert effort_seconds([one] * 50) == pytest.approx(51 * effort_seconds([one]) / 2)


def test_ml_dsa_costs_little() -> None:
    key = mldsa.MLDSA87PrivateKey.generate()
    root = issue("root", ca=True, key=key)  # type: ignore[arg-type]
    assert 0 < effort_seconds([issue(HOST, root).parsed, root.parsed]) < MOST_SECONDS / 10
