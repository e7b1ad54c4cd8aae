"""The certificate probe against servers: its cost for them, and its behaviour against hostile ones."""

import asyncio
import os
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.facts.certificate import CertificateFacts
from exporter.facts.shapes.certificate import MAX_LABEL_CHARACTERS
from exporter.model import Reason, TrustFailure
from exporter.pki.parsed import parse
from exporter.probes.certificate import PROBE
from exporter.probes.certificate.reading import read_chain
from fuzz.certificates import CHAINS
from fuzz.probes import chain, tls
from tests.support.certificates import (
    DAY,
    HOST,
    Issued,
    dns,
    issue,
    pem_file,
    probe_served,
    rsa_key,
    server_context,
)
from tests.support.plain import plain_server
from tests.support.scripted import certificate_message, message, read_hello, record, server_hello_message
from tests.support.targets import NOW, make_session, make_target

ROOT = issue("root", ca=True, valid=(NOW - 100 * DAY, NOW + 1000 * DAY))
MIDDLE = issue("middle", ROOT, ca=True, valid=(NOW - 50 * DAY, NOW + 20 * DAY))


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    return str(pem_file(tmp_path / "roots.pem", ROOT))


def probe(tmp_path: Path, chain: list[Issued], ca_file: str | None, **changes: Any) -> CertificateFacts:  # noqa: ANN401 - any field of Target
    """The facts of a server that serves this chain."""
    context = server_context(pem_file(tmp_path / "served.pem", *chain, key=chain[0]))
    return probe_served(context, ca_file=ca_file, **changes)[0]


def test_tells_identity_and_validity(tmp_path: Path, bundle: str) -> None:
    leaf = issue(HOST, MIDDLE, names=dns(HOST, "*.test.example"))
    facts = probe(tmp_path, [leaf, MIDDLE], bundle)
    told = facts.first.leaf
    assert told.subject == f"CN={HOST}"
    assert told.issuer == "CN=middle"
    assert told.serial == f"{leaf.certificate.serial_number:x}"
    assert told.fingerprint_sha256 == leaf.certificate.fingerprint(hashes.SHA256()).hex()
    assert (told.key_algorithm, told.key_size_bits) == ("EC", 256)
    assert told.signature_algorithm == "ecdsa-with-SHA256"
    assert told.not_before == NOW - DAY
    assert told.not_after == NOW + 30 * DAY
    assert facts.chain_not_after == facts.first.valid_until == NOW + 20 * DAY
    assert [(one.subject, one.is_ca) for one in facts.first.chain] == [(f"CN={HOST}", False), ("CN=middle", True)]
    assert facts.first.subject_alternative_names == (f"DNS:{HOST}", "DNS:*.test.example")
    assert facts.trusted is True
    assert facts.hostname_match is True
    assert facts.failures == ()


def test_certificates_with_the_same_key_have_the_same_hash_of_it(tmp_path: Path, bundle: str) -> None:
    key = rsa_key(2048)
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    told = {
        probe(tmp_path, [issue(name, ROOT, names=dns(HOST), key=key)], bundle).first.leaf.spki_sha256
        for name in ("one", "two")
    }
    assert told == {digest.finalize().hex()}


def test_the_systems_store_does_not_know_a_private_authority(tmp_path: Path) -> None:
    facts = probe(tmp_path, [issue(HOST, ROOT, names=dns(HOST))], None)
    assert facts.trusted is False
    assert facts.failures == (TrustFailure.UNKNOWN_ISSUER,)


@pytest.mark.parametrize("content", [None, b"nothing of use"])
def test_without_a_trust_store_trust_is_unknown(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "store.pem"
    if content is not None:
        path.write_bytes(content)
    facts = probe(tmp_path, [issue(HOST, ROOT, names=dns(HOST))], str(path))
    assert facts.trusted is None
    assert facts.first.complete is None
    assert "trust store" in facts.first.trust_detail
    assert "tls_posture_certificate_trusted" not in {sample.family.name for sample in PROBE.shape.samples(facts)}


def test_a_bundle_is_read_again_when_it_is_replaced_by_one_of_the_same_time(tmp_path: Path) -> None:
    leaf, path = issue(HOST, ROOT, names=dns(HOST)), tmp_path / "roots.pem"
    told = []
    for root in (ROOT, issue("other", ca=True)):
        new = pem_file(tmp_path / "new.pem", root)
        os.utime(new, (1, 1))
        new.replace(path)
        told.append(read_chain((leaf.parsed,), HOST, str(path), NOW).trusted)
    assert told == [True, False]


def test_a_key_that_cannot_be_read_is_still_of_its_kind() -> None:
    """Here the point is not on its curve. The same applies to an unknown curve."""
    leaf = issue(HOST, ROOT, names=dns(HOST))
    form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    point = leaf.key.public_key().public_bytes(*form)
    broken = parse(leaf.der().replace(point, point[:-1] + bytes([point[-1] ^ 1])))
    told = read_chain((broken,), HOST, None, NOW).first.leaf
    assert (told.key_algorithm, told.key_size_bits, told.curve) == ("EC", None, None)


def test_labels_have_an_end_and_the_document_has_it_all() -> None:
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "u" * 60)] * 100
    facts = read_chain((issue(HOST, ROOT).parsed,), HOST, None, NOW)
    long = replace(facts.first.leaf, subject=x509.Name(units).rfc4514_string(), issuer="i" * 9999, serial="5" * 9999)
    facts = replace(facts, deployments=(replace(facts.first, chain=(long,)),))
    labels = [value for sample in PROBE.shape.samples(facts) for value in sample.labels.values()]
    assert max(map(len, labels)) == MAX_LABEL_CHARACTERS
    told: Any = PROBE.shape.document(facts)["certificate"]
    assert (told["subject"], told["issuer"], told["serial"]) == (long.subject, long.issuer, long.serial)


MATCHES: list[tuple[tuple[x509.GeneralName, ...], str, bool]] = [
    (dns(HOST), HOST, True),
    (dns("WWW.TEST.EXAMPLE"), HOST, True),
    (dns("*.test.example"), HOST, True),
    (dns("*.example"), HOST, False),
    (dns("other.example"), HOST, False),
    ((), HOST, False),
    ((x509.IPAddress(ip_address("127.0.0.1")),), "127.0.0.1", True),
    ((x509.IPAddress(ip_address("::1")),), "::1", True),
    ((x509.IPAddress(ip_address("fe80::1")),), "fe80::1%eth0", True),
    ((x509.IPAddress(ip_address("fe80::2")),), "fe80::1%eth0", False),
    (dns("127.0.0.1"), "127.0.0.1", False),
    *((dns(blank), HOST, False) for blank in (f" {HOST}", f"{HOST} ", f"{HOST}\n", "*.test.example ")),
    *(((*dns(odd), *dns(HOST)), HOST, True) for odd in ("10.0.0.1", "*", "*.com", "*.*.example", "a.*.test.example")),
    *((dns(odd), HOST, False) for odd in ("10.0.0.1", "*", "*.*.example", "w*.test.example")),
    ((x509.IPAddress(ip_address("127.0.0.2")),), "127.0.0.1", False),
]


@pytest.mark.parametrize(("names", "host", "match"), MATCHES)
def test_matches_names_by_rfc_9525(
    tmp_path: Path, bundle: str, names: tuple[x509.GeneralName, ...], host: str, *, match: bool
) -> None:
    """The common name, which is the host each time, does not count."""
    server_name = host if host == HOST else None
    facts = probe(tmp_path, [issue(host, ROOT, names=names)], bundle, host=host, server_name=server_name)
    assert facts.hostname_match is match
    assert facts.failures == (() if match else (TrustFailure.NAME_MISMATCH,))
    assert facts.trusted is True


def test_a_leaf_with_a_repeated_extension_is_known_but_for_that(bundle: str) -> None:
    """Cryptography refuses to build such a leaf, so one is made by changing an object identifier in the bytes."""
    leaf = issue(HOST, ROOT, names=dns(HOST))
    der = leaf.certificate.public_bytes(serialization.Encoding.DER)
    usage, names = bytes.fromhex("0603551d25"), bytes.fromhex("0603551d11")
    assert der.count(usage) == 1
    facts = read_chain((parse(der.replace(usage, names)),), HOST, bundle, NOW)
    assert facts.first.leaf.unreadable == ("subjectAltName: there is more than one",)
    assert (facts.trusted, facts.hostname_match) == (False, None)
    assert TrustFailure.NAME_MISMATCH not in facts.failures
    assert facts.first.leaf.not_after == leaf.certificate.not_valid_after_utc


@pytest.mark.parametrize("place", [0, 1])
def test_a_certificate_of_an_unknown_version_is_read(place: int) -> None:
    """OpenSSL reads it and cryptography does not."""
    served = [leaf.certificate.public_bytes(serialization.Encoding.DER) for leaf in (issue(HOST, MIDDLE), MIDDLE)]
    third = b"\xa0\x03\x02\x01\x02"  # RFC 5280, 4.1.2.1
    assert served[place].count(third) == 1
    served[place] = served[place].replace(third, b"\xa0\x03\x02\x01\x12")
    flight = server_hello_message(0x0303, 0xC02B) + certificate_message(served) + message(14)

    async def run() -> CertificateFacts:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_hello(reader)
            writer.write(record(22, flight))
            await reader.read()

        async with plain_server(handler) as port:
            return await PROBE.run(make_session(make_target(port)))

    facts = asyncio.run(run())
    digests = [one.fingerprint_sha256 for one in facts.first.chain]
    assert digests == [sha256(der).hexdigest() for der in served]


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(
    st.sampled_from(CHAINS),
    st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=3)), max_size=4),
)
def test_no_chain_leads_to_anything_but_facts_or_an_error_of_its_own(
    served: tuple[bytes, ...], changes: list[tuple[int, bytes]]
) -> None:
    leaf, *others = served
    for at, change in changes:
        leaf = leaf[: at % len(leaf)] + change + leaf[at % len(leaf) + len(change) :]
    chain(b"".join((leaf, *others)))
    flight = server_hello_message(0x0303, 0xC02B) + certificate_message((leaf, *others)) + message(14)
    tls(record(22, flight))


def test_a_server_without_tls_has_no_certificate() -> None:
    async def run() -> None:
        async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()

        async with plain_server(handler) as port:
            await PROBE.run(make_session(make_target(port)))

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.HANDSHAKE_ERROR


def test_the_verified_path_ends_with_its_root(tmp_path: Path) -> None:
    """Though the root is not served, and ends before all that is."""
    root = issue("short", ca=True, valid=(NOW - DAY, NOW + 3 * DAY))
    store = str(pem_file(tmp_path / "short.pem", root))
    facts = read_chain((issue(HOST, root, names=dns(HOST)).parsed,), HOST, store, NOW)
    assert facts.path_not_after == NOW + 3 * DAY
    assert read_chain((issue(HOST, issue("stranger", ca=True)).parsed,), HOST, store, NOW).path_not_after is None
