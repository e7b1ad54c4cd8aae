"""Certificates that OpenSSL accepts and stricter parsers refuse: all readable facts are known."""

import base64
import re
import subprocess
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from exporter.facts.certificate import CertificateFacts, ServedCertificate
from exporter.model import TrustFailure
from exporter.pki.keys import key_kind
from exporter.pki.parsed import parse
from exporter.probes.certificate.reading import read_chain
from tests.support.certificates import HOST, dns, issue, p256, pem_file, probe_served, server_context
from tests.support.odd_certificates import ODD, PRINTABLE, Body, lengths_in_ber, name, odd
from tests.support.targets import NOW

YEARS = (NOW - timedelta(days=1), NOW + timedelta(days=3000))
KEY = p256()
ROOT = issue("Root", ca=True, valid=YEARS, key=KEY)
LEAF = issue(HOST, ROOT, names=dns(HOST))
CERTIFICATES = {what: odd(LEAF.der(), change, KEY) for what, change in ODD.items()} | {
    "ber": lengths_in_ber(LEAF.der())
}
UNREADABLE = {
    "bad policies": "certificatePolicies",
    "policies no sequence": "certificatePolicies",
    "bad authority key": "authorityKeyIdentifier",
    "bad aia": "authorityInfoAccess",
    "trailing in aia": "authorityInfoAccess",
    "bad scts": "signedCertificateTimestampList",
    "bad feature": "tlsfeature",
    "bad crl": "cRLDistributionPoints",
    "bad key usage": "keyUsage",
    "bad purposes": "extKeyUsage",
    "san twice": "subjectAltName",
    "bad ip": "subjectAltName",
    "empty ip": "subjectAltName",
    "latin1 dns": "subjectAltName",
    "latin1 uri": "subjectAltName",
    "latin1 email": "subjectAltName",
    "x400": "subjectAltName",
    "bad san": "subjectAltName",
}
"""What is not read of them. Of the others all is."""
NO_NAMES = {"san twice", "bad san"}
REFUSED = {"bad utf8", "odd bmp", "integer in name", "padded serial"}
"""By all of OpenSSL, so no server has them."""
NO_DATES = "no time"

COMMON_NAME_ALONE = {"no extensions", "empty san", "x400", *NO_NAMES}
"""OpenSSL uses the common name there, which RFC 9525 does not allow."""
READ = sorted(CERTIFICATES.keys() - REFUSED - {NO_DATES})

pytestmark = [
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attribute's length"),
]


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def openssl(*arguments: str) -> str:
    return subprocess.run(("openssl", *arguments), capture_output=True, text=True, check=False, timeout=60).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, and their root."""
    made = tmp_path_factory.mktemp("odd")
    for place, what in enumerate(READ):
        (made / f"{place}.pem").write_bytes(pem(CERTIFICATES[what]))
    pem_file(made / "roots.pem", ROOT)
    return made


@pytest.fixture(scope="module")
def accepted(folder: Path) -> set[str]:
    """What `openssl verify` accepts for a server."""
    store = ("-CAfile", str(folder / "roots.pem"))
    at = ("-attime", str(int(NOW.timestamp())), "-purpose", "sslserver")
    files = [str(folder / f"{place}.pem") for place in range(len(READ))]
    shown = openssl("verify", *at, *store, *files).splitlines()
    return {what for what, file in zip(READ, files, strict=True) if f"{file}: OK" in shown}


REFUSED_SINCE_OPENSSL_3_5 = {"utc without seconds"}
"""OpenSSL reads nothing of them any more."""


def read(what: str, folder: Path) -> CertificateFacts:
    return read_chain((parse(CERTIFICATES[what]),), HOST, str(folder / "roots.pem"), NOW)


@pytest.mark.real
@pytest.mark.parametrize("what", READ)
def test_it_is_known_as_openssl_has_it(folder: Path, accepted: set[str], what: str) -> None:
    facts, file = read(what, folder), folder / f"{READ.index(what)}.pem"
    assert (facts.trusted is True) is (what in accepted)
    wanted = ("-enddate", "-fingerprint", "-sha256", "-pubkey", "-checkhost", HOST)
    shown = openssl("x509", "-noout", *wanted, "-in", str(file))
    if what in REFUSED_SINCE_OPENSSL_3_5 and not shown:
        return
    assert_alike(facts.first.leaf, shown)
    if what not in COMMON_NAME_ALONE:
        assert facts.hostname_match is ("does match" in shown)


def assert_alike(leaf: ServedCertificate, shown: str) -> None:
    ends = re.search(r"notAfter=(.+?)(?:\.\d+)?( \d{4}) GMT", shown)
    assert ends is not None
    assert leaf.not_after == datetime.strptime(ends[1] + ends[2], "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    digest = re.search(r"Fingerprint=([0-9A-F:]+)", shown)
    assert digest is not None
    assert leaf.fingerprint_sha256 == digest[1].replace(":", "").lower()
    key = re.search(r"-----BEGIN PUBLIC KEY-----(.+?)-----END", shown, re.DOTALL)
    assert key is not None
    assert leaf.spki_sha256 == sha256(base64.b64decode(key[1])).hexdigest()
    assert (leaf.key_algorithm, leaf.curve) == ("EC", "P-256")


@pytest.mark.parametrize("what", READ)
def test_what_cannot_be_read_has_a_reason_of_its_own(folder: Path, what: str) -> None:
    leaf = read(what, folder).first.leaf
    assert [text.partition(": ")[0] for text in leaf.unreadable] == ([UNREADABLE[what]] if what in UNREADABLE else [])
    assert all(text.partition(": ")[2] for text in leaf.unreadable)


@pytest.mark.real
def test_most_of_them_are_accepted(accepted: set[str]) -> None:
    """Or the tests above would show little."""
    assert len(accepted) > 40


@pytest.mark.parametrize("what", sorted(NO_NAMES))
def test_names_that_cannot_be_read_neither_match_nor_fail(folder: Path, what: str) -> None:
    facts = read(what, folder)
    assert facts.hostname_match is None
    assert TrustFailure.NAME_MISMATCH not in facts.failures


def test_without_dates_it_is_none() -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(CERTIFICATES[NO_DATES])


@pytest.mark.parametrize("what", ["latin1 printable", "t61"])
def test_strings_are_read_as_what_they_were_meant_to_be(folder: Path, what: str) -> None:
    assert "O=Bäcker" in read(what, folder).first.leaf.subject


# --- authorities ------------------------------------------------------------------------------------------------------


def odd_authority() -> tuple[bytes, bytes]:
    """A root whose name has an umlaut in a PrintableString, and a leaf below it."""
    body = Body.of(ROOT.der())
    body.subject = body.issuer = name((b"\x06\x03\x55\x04\x0a", PRINTABLE, "Bäcker".encode("latin-1")))
    root = body.signed(KEY)
    leaf = Body.of(LEAF.der())
    leaf.issuer = body.subject
    return root, leaf.signed(KEY)


def test_an_authority_with_an_odd_name_is_an_authority(tmp_path: Path) -> None:
    root, leaf = map(parse, odd_authority())
    store = tmp_path / "roots.pem"
    store.write_bytes(pem(root.der))
    trusted = read_chain((leaf, root), HOST, str(store), NOW)
    assert (trusted.trusted, trusted.first.path, trusted.first.root_served) == (True, (0, 1), True)
    strange = read_chain((leaf, root), HOST, None, NOW)
    assert (strange.failures, strange.first.path) == ((TrustFailure.UNKNOWN_ISSUER,), (0, 1))
    assert read_chain((leaf,), HOST, str(store), NOW).trusted is True


def test_a_broken_root_in_a_bundle_takes_no_other_away(tmp_path: Path) -> None:
    store = tmp_path / "roots.pem"
    store.write_bytes(pem(CERTIFICATES["bad utf8"]) + pem(CERTIFICATES["odd bmp"]) + ROOT.pem())
    assert read_chain((LEAF.parsed,), HOST, str(store), NOW).trusted is True


def test_a_signature_by_an_odd_authority_is_checked() -> None:
    root, leaf = map(parse, odd_authority())
    assert leaf.is_signed_by(root)
    assert not parse(odd_authority()[1].replace(HOST.encode(), b"x" * len(HOST), 1)).is_signed_by(root)


def test_the_kind_of_an_odd_key_is_seen_in_hellos() -> None:
    assert key_kind(CERTIFICATES["latin1 printable"]) == "ECDSA P-256"


@pytest.mark.parametrize("what", ["latin1 printable", "critical false", "bad policies", "bad ip", "version 4"])
def test_a_server_with_it_is_known_by_a_real_handshake(tmp_path: Path, what: str) -> None:
    file = tmp_path / "served.pem"
    file.write_bytes(pem(CERTIFICATES[what]) + LEAF.key_pem())
    facts, _ = probe_served(server_context(file), ca_file=str(pem_file(tmp_path / "roots.pem", ROOT)), host=HOST)
    assert (facts.trusted, facts.hostname_match) == (True, True)
    assert facts.first.leaf.fingerprint_sha256 == sha256(CERTIFICATES[what]).hexdigest()
