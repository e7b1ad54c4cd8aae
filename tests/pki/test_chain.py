"""Chains that no server should send: long, circular, made to exhaust the client."""

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mldsa

from exporter.pki import parsed
from exporter.pki.chain import MOST_LINKED, read_shape
from tests.support.certificates import DAY, Issued, issue, p256, rsa_key
from tests.support.targets import NOW

KEY = p256()
ROOT = issue("root", ca=True, key=KEY)


def shape(*chain: Issued) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
    read = read_shape([one.parsed for one in chain])
    return read.path, read.ordered, read.surplus


def test_two_that_issued_each_other_end_somewhere() -> None:
    one_key, other_key = p256(), p256()
    one_root, other_root = issue("one", ca=True, key=one_key), issue("other", ca=True, key=other_key)
    one, other = issue("one", other_root, ca=True, key=one_key), issue("other", one_root, ca=True, key=other_key)
    assert shape(issue("leaf", one), one, other) == ((0, 1, 2), True, ())


def test_a_name_alone_makes_no_issuer() -> None:
    assert shape(issue("leaf", ROOT), issue("root", ca=True)) == ((0,), True, (1,))


def test_a_key_identifier_that_does_not_fit_makes_no_issuer() -> None:
    """OpenSSL uses it before it checks the signature."""
    identifier = x509.SubjectKeyIdentifier(b"own")
    issuer = issue("issuer", ROOT, ca=True, key=KEY, more=[identifier])
    fits, other = (x509.AuthorityKeyIdentifier(name, None, None) for name in (b"own", b"another"))
    assert shape(issue("leaf", issuer, more=[fits]), issuer) == ((0, 1), True, ())
    assert shape(issue("leaf", issuer, more=[other]), issuer) == ((0,), True, (1,))


def test_of_two_ways_the_order_of_the_chain_decides_and_neither_is_surplus() -> None:
    old_root, new_root = issue("old", ca=True), issue("new", ca=True)
    old, new = (issue("middle", root, ca=True, key=KEY) for root in (old_root, new_root))
    assert shape(issue("leaf", old), new, old, new_root) == ((0, 1, 3), True, ())


def test_a_very_long_chain_takes_no_time() -> None:
    key = rsa_key(2048)
    alike = [issue("alike", ca=True, key=key) for _ in range(2)]
    many = [alike[number % 2].parsed for number in range(500)]
    others = [issue(f"other {number}", ca=True, key=KEY).parsed for number in range(200)]
    started = time.thread_time()
    read = read_shape([issue("leaf", alike[0]).parsed, *many, *others])
    assert time.thread_time() - started < 2
    assert len(read.path) <= MOST_LINKED
    assert len(read.surplus) == 698


@pytest.mark.parametrize("checked_by", ["cryptography", "OpenSSL"])
@pytest.mark.parametrize("kind", [mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey])
def test_who_signs_with_ml_dsa_is_known_by_any_cryptography(
    monkeypatch: pytest.MonkeyPatch, kind: type[mldsa.MLDSA44PrivateKey], checked_by: str
) -> None:
    """Before 48, cryptography does not read these keys."""
    if checked_by == "OpenSSL":
        monkeypatch.setattr(parsed, "_is_directly_issued", lambda _child, _issuer: False)
    past = (NOW - 9 * DAY, NOW - 8 * DAY)
    root, other = (issue("root", ca=True, key=kind.generate()) for _ in range(2))  # type: ignore[arg-type]
    middle = issue("middle", root, ca=True, key=kind.generate(), valid=past)  # type: ignore[arg-type]
    leaf, alone = issue("leaf", middle), issue("alone", key=kind.generate())  # type: ignore[arg-type]
    assert shape(leaf, middle, root) == ((0, 1, 2), True, ())
    assert shape(leaf, middle, other) == ((0, 1), True, (2,))
    assert shape(leaf, root, middle) == ((0, 2, 1), False, ())
    assert read_shape([alone.parsed]).closed
    assert not read_shape([middle.parsed]).closed
