"""Unreadable parts of certificates: facts that depend on them are unknown, and the others are known."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from exporter.checks.certificate_signature import CHECK as SIGNATURE
from exporter.checks.certificate_signature import CertificateSignatureDemand
from exporter.checks.certificate_valid import CHECK as VALID
from exporter.checks.certificate_valid import CertificateValidDemand
from exporter.facts.certificate import CertificateFacts
from exporter.model import TrustFailure, Verdict
from exporter.pki.der import MOST_ELEMENTS, Rewriter, elements
from exporter.pki.keys import key_kind
from exporter.pki.parsed import Certificate, parse
from exporter.probes.certificate.reading import read_certificate, read_chain
from tests.support.certificates import HOST, Issued, dns, issue, p256, pem_file, rsa_key
from tests.support.facts import case
from tests.support.odd_certificates import (
    AUTHORITY_KEY,
    BASIC,
    IA5,
    OID,
    POLICIES,
    PRINTABLE,
    PURPOSES,
    SAN,
    SEQUENCE,
    SET,
    TRUE,
    USAGE,
    UTF8,
    Body,
    extension,
    name,
    names,
    odd,
    tlv,
)
from tests.support.targets import NOW

KEY = p256()
ROOT = issue("Root", ca=True, key=KEY)
LEAF = issue(HOST, ROOT, names=dns(HOST))
SERVER_AUTH = bytes.fromhex("06082b06010505070301")
LONG_OID = tlv(OID, b"\x2a" + b"\x81" * 70 + b"\x01")
"""OpenSSL takes it; for cryptography it is too long."""
FEATURE = bytes.fromhex("06082b06010505070118")
ODD_SUBJECT = name((b"\x06\x03\x55\x04\x0a", PRINTABLE, b"\xe4"))


@pytest.fixture
def roots(tmp_path: Path) -> str:
    return str(pem_file(tmp_path / "roots.pem", ROOT))


def made(*extensions: tuple[bytes, bytes], **fields: bytes) -> Certificate:
    """The leaf with these extensions (identifier, value) and fields."""

    def change(body: Body) -> None:
        for oid, value in extensions:
            body.replace(oid, extension(oid, value))
        for field, value in fields.items():
            setattr(body, field, value)

    return parse(odd(LEAF.der(), change, KEY))


def accepts(certificate: Certificate, roots: str, host: str = HOST) -> bool:
    """Whether OpenSSL does, for a server of this name."""
    at = ("-attime", str(int(NOW.timestamp())), "-purpose", "sslserver", "-verify_hostname", host)
    shown = subprocess.run(
        ("openssl", "verify", *at, "-CAfile", roots),
        input=pem(certificate),
        capture_output=True,
        check=False,
        timeout=60,
    ).stdout
    return b": OK" in shown


def pem(certificate: Certificate) -> bytes:
    shown = subprocess.run(
        ("openssl", "x509", "-inform", "der"), input=certificate.der, capture_output=True, check=True, timeout=60
    )
    return shown.stdout


# --- TLS features -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "must_staple"),
    [("3003020105", True), ("3003020117", False), ("3006020105020117", True), ("30060201170201ff", False)],
)
def test_tls_features_that_are_not_known_take_nothing_away(roots: str, features: str, must_staple: bool) -> None:
    certificate = made((FEATURE, bytes.fromhex(features)))
    facts = read_chain((certificate,), HOST, roots, NOW)
    assert (facts.trusted, facts.hostname_match, facts.first.must_staple) == (True, True, must_staple)
    assert not facts.first.leaf.unreadable


@pytest.mark.parametrize("features", ["30030201170500", "3004020200053003", "0403020117", "3003040105"])
def test_tls_features_that_are_no_list_are_not_known(roots: str, features: str) -> None:
    facts = read_chain((made((FEATURE, bytes.fromhex(features))),), HOST, roots, NOW)
    assert (facts.trusted, facts.first.must_staple) == (True, None)


# --- parts of which nothing is known ----------------------------------------------------------------------------------


def judged(facts: CertificateFacts, **asked: Any) -> Verdict:  # noqa: ANN401 - fields of the demand
    whole = CertificateFacts(facts.deployments, True)
    demand = CertificateSignatureDemand.model_validate({"severity": "warning", "source": "test"} | asked)
    return SIGNATURE.judge(case(whole), demand).verdict


def test_a_signature_algorithm_that_cannot_be_read_is_not_known(roots: str) -> None:
    facts = read_chain((made(algorithm=tlv(SEQUENCE, LONG_OID)),), HOST, roots, NOW)
    leaf = facts.first.leaf
    assert (leaf.signature_algorithm, leaf.signature_hash) == ("unknown", None)
    assert judged(facts, allowed=["sha256"]) is Verdict.UNKNOWN
    assert judged(facts, forbidden=["sha1"]) is Verdict.UNKNOWN
    assert judged(facts, allowed_algorithms=["ecdsa-with-SHA256"]) is Verdict.UNKNOWN


def test_names_that_cannot_be_read_are_not_known() -> None:
    nobody = tlv(SEQUENCE, tlv(SET, tlv(SEQUENCE, LONG_OID, tlv(UTF8, b"x"))))
    known = read_certificate(made(subject=nobody, issuer=nobody))
    assert (known.subject, known.issuer) == ("unknown", "unknown")
    assert read_certificate(made(subject=name())).subject == ""


def test_a_key_that_cannot_be_read_is_not_known() -> None:
    certificate = made(key=tlv(SEQUENCE, tlv(SEQUENCE, LONG_OID), tlv(3, b"\0abc")))
    known = read_certificate(certificate)
    assert (known.key_algorithm, known.key_size_bits, known.curve) == ("unknown", None, None)
    assert key_kind(certificate.der) is None


# --- what a certificate may be used for -------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(
    "odd_extension",
    [(USAGE, bytes.fromhex("230403020780")), (PURPOSES, tlv(SEQUENCE, SERVER_AUTH, LONG_OID))],
    ids=["usage in pieces", "long purpose"],
)
def test_usages_that_openssl_alone_reads_are_not_known(roots: str, odd_extension: tuple[bytes, bytes]) -> None:
    certificate = made(odd_extension)
    assert accepts(certificate, roots)
    facts = read_chain((certificate,), HOST, roots, NOW)
    assert (facts.trusted, facts.failures, facts.first.path) == (None, (), (0,))
    demand = CertificateValidDemand.model_validate({"severity": "warning", "source": "test"})
    outcome = VALID.judge(case(CertificateFacts(facts.deployments, True)), demand)
    summary = "whether the certificate is valid is not known: what a certificate may be used for cannot be read"
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, summary)


def test_what_one_extension_forbids_another_does_not_allow(roots: str) -> None:
    """The key is for signing certificates alone."""
    purposes = (PURPOSES, tlv(SEQUENCE, SERVER_AUTH, LONG_OID))
    facts = read_chain((made((USAGE, bytes.fromhex("03020204")), purposes),), HOST, roots, NOW)
    assert (facts.trusted, facts.failures) == (False, (TrustFailure.PROFILE,))


# --- names in pieces --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "host", "match"),
    [
        ([(0x22, tlv(IA5, HOST.encode()))], HOST, None),
        ([(0x27, tlv(4, b"\x7f\0\0\1"))], "127.0.0.1", None),
        ([(0x22, tlv(IA5, b"other.example")), (2, HOST.encode())], HOST, True),
        ([(0x22, tlv(IA5, b"other.example")), (2, b"b\xe4cker.example")], HOST, None),
        ([(2, b"b\xe4cker.example"), (7, b"\x7f\0\0\0\1")], HOST, False),
    ],
)
def test_names_in_pieces_neither_match_nor_fail(
    roots: str, entries: list[tuple[int, bytes]], host: str, match: bool | None
) -> None:
    def change(body: Body) -> None:
        body.replace(SAN, names(*entries))

    facts = read_chain((parse(odd(LEAF.der(), change, KEY)),), host, roots, NOW)
    assert facts.hostname_match is match
    assert (TrustFailure.NAME_MISMATCH in facts.failures) is (match is False)


# --- SHA-1 ------------------------------------------------------------------------------------------------------------


def old_root(key: Any) -> Issued:  # noqa: ANN401 - private key
    root = issue("Old root", ca=True, key=key)
    return root.with_hash("sha1", root)


@pytest.mark.parametrize("key", [p256(), rsa_key(2048)], ids=["EC", "RSA"])
def test_a_root_signed_with_sha1_is_self_signed(tmp_path: Path, key: Any) -> None:  # noqa: ANN401 - private key
    root = old_root(key)
    leaf = issue(HOST, root, names=dns(HOST))
    store = str(pem_file(tmp_path / "old.pem", root))
    facts = read_chain((leaf.parsed, root.parsed), HOST, store, NOW)
    assert (facts.trusted, facts.first.root_served) == (True, True)
    assert [one.self_signed for one in facts.first.chain] == [False, True]
    assert facts.first.chain[1].signature_hash == "sha1"
    assert judged(facts, forbidden=["sha1"]) is Verdict.PASS


def test_a_signature_with_sha1_is_checked() -> None:
    root, other = old_root(p256()), old_root(p256())
    assert not root.parsed.is_signed_by(other.parsed)
    assert root.parsed.is_signed_by(root.parsed)


def test_a_key_identifier_that_cannot_be_read_says_nothing_of_the_issuer() -> None:
    odd_identifier = tlv(SEQUENCE, tlv(0xA1, tlv(0x86, b"http://\xe4")))

    def change(body: Body) -> None:
        body.replace(AUTHORITY_KEY, extension(AUTHORITY_KEY, odd_identifier))

    assert read_certificate(parse(odd(ROOT.der(), change, KEY))).self_signed


# --- hostile ones -----------------------------------------------------------------------------------------------------


def nested(depth: int, inside: bytes) -> bytes:
    """Elements without lengths in each other."""
    return b"\x30\x80" * depth + inside + b"\0\0" * depth


@contextmanager
def calls_counted() -> Iterator[list[int]]:
    """How many functions are called; time would depend on the machine."""
    count = [0]

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        count[0] += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield count
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("depth", [0, 1, 22])
def test_many_elements_in_each_other_take_no_time(depth: int) -> None:
    bomb = nested(depth, b"\x05\x00" * 45_000)
    der = odd(LEAF.der(), lambda body: body.replace(POLICIES, extension(POLICIES, bomb)), KEY)
    with calls_counted() as count:
        assert key_kind(der) == "ECDSA P-256"
    assert count[0] < 25 * MOST_ELEMENTS
    assert "certificatePolicies" in parse(der).unreadable
    with pytest.raises(ValueError, match="too many"):
        Rewriter().rewrite(bomb)


def test_many_extensions_have_one_bound_together() -> None:
    bomb = nested(22, b"\x05\x00" * 4_000)

    def change(body: Body) -> None:
        for last in (14, 15, 17, 19, 30, 31, 32, 35, 37):
            oid = b"\x06\x03\x55\x1d" + bytes([last])
            body.replace(oid, extension(oid, bomb))

    der = odd(LEAF.der(), change, KEY)
    with calls_counted() as count:
        parse(der)
    assert count[0] < 25 * MOST_ELEMENTS


def test_elements_without_lengths_are_found_in_one_pass() -> None:
    with calls_counted() as count:
        assert [one.tag for one in elements(nested(20, b"\x05\x00" * 4_000) + b"\x05\x00")] == [0x30, 5]
    assert count[0] < 5 * MOST_ELEMENTS
    with pytest.raises(ValueError, match="too many"):
        list(elements(nested(200, b"")))


def test_elements_without_lengths_are_written_with_them() -> None:
    assert Rewriter().rewrite(nested(3, b"\x05\x00\x01\x01\x00")) == bytes.fromhex("3006300430020500")
    assert Rewriter().rewrite(tlv(SEQUENCE, nested(1, b"\x02\x81\x01\x05"))) == bytes.fromhex("30053003020105")


@pytest.mark.parametrize("broken", ["3080", "30800500", "3003308000", "30020501", "0480", "30043080050000", "1f0100"])
def test_elements_that_are_cut_off_are_none(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Rewriter().rewrite(bytes.fromhex(broken))


def test_a_certificate_with_a_thousand_names_is_read_in_whole(roots: str) -> None:
    several = [(2, f"{number}.test.example".encode()) for number in range(1_000)]
    several = [(2, b""), *several, (2, HOST.encode())]

    def change(body: Body) -> None:
        body.subject = ODD_SUBJECT
        body.replace(SAN, names(*several, (1, b"b\xe4cker@example")))
        body.replace(BASIC, extension(BASIC, tlv(SEQUENCE), TRUE))

    facts = read_chain((parse(odd(LEAF.der(), change, KEY)),), HOST, roots, NOW)
    assert (facts.trusted, facts.hostname_match) == (True, True)
    assert [text.partition(":")[0] for text in facts.first.leaf.unreadable] == ["subjectAltName"]
    assert len(facts.first.subject_alternative_names) == 1_002
