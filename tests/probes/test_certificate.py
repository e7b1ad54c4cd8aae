"""Certificate facts from real handshakes: they are the certificate's own, and stay when verification fails."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.base import Session
from exporter.probes.certificate import PROBE, CertificateFacts, read_chain
from exporter.probes.trust import TrustFailure
from fuzz.certificates import CHAINS
from fuzz.probes import chain, tls
from tests.support.plain import plain_server
from tests.support.scripted import certificate_message, message, read_hello, record, server_hello_message
from tests.support.targets import NOW, make_environment, make_target

DAY = timedelta(days=1)
HOST = "www.test.example"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Issued:
    certificate: x509.Certificate
    key: Key

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def issue(
    subject: str,
    by: Issued | None = None,
    *,
    names: tuple[x509.GeneralName, ...] = (),
    ca: bool = False,
    valid: tuple[datetime, datetime] = (NOW - DAY, NOW + 30 * DAY),
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
    key: Key | None = None,
) -> Issued:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Issued(builder.sign(by.key if by else key, hashes.SHA256()), key)


def dns(*names: str) -> tuple[x509.GeneralName, ...]:
    return tuple(x509.DNSName(name) for name in names)


ROOT = issue("root", ca=True, valid=(NOW - 100 * DAY, NOW + 1000 * DAY))
MIDDLE = issue("middle", ROOT, ca=True, valid=(NOW - 50 * DAY, NOW + 20 * DAY))
STRANGER = issue("stranger", ca=True)


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    path = tmp_path / "roots.pem"
    path.write_bytes(ROOT.pem())
    return str(path)


def probe(tmp_path: Path, chain: list[Issued], ca_file: str | None, **changes: object) -> CertificateFacts:
    """The facts of a server that serves this chain."""
    pem = tmp_path / "served.pem"
    pem.write_bytes(b"".join(link.pem() for link in chain) + chain[0].key_pem())

    async def run() -> CertificateFacts:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context)
        target = make_target(server.sockets[0].getsockname()[1], ca_file=ca_file, **changes)
        try:
            return await PROBE.run(Session(target, Dialer(target, HostGate()), make_environment().resolver, NOW))
        finally:
            server.close()

    return asyncio.run(run())


def test_tells_identity_and_validity(tmp_path: Path, bundle: str) -> None:
    leaf = issue(HOST, MIDDLE, names=dns(HOST, "*.test.example"))
    facts = probe(tmp_path, [leaf, MIDDLE], bundle)
    assert facts.subject == f"CN={HOST}"
    assert facts.issuer == "CN=middle"
    assert facts.serial == f"{leaf.certificate.serial_number:x}"
    assert facts.fingerprint_sha256 == leaf.certificate.fingerprint(hashes.SHA256()).hex()
    assert (facts.key_algorithm, facts.key_size_bits) == ("EC", 256)
    assert facts.signature_algorithm == "ecdsa-with-SHA256"
    assert facts.not_before == NOW - DAY
    assert facts.not_after == NOW + 30 * DAY
    assert facts.chain_not_after == NOW + 20 * DAY
    assert facts.chain_length == 2
    assert facts.subject_alternative_names == (f"DNS:{HOST}", "DNS:*.test.example")
    assert facts.trusted is True
    assert facts.hostname_match is True
    assert facts.failures == ()


def test_tells_an_rsa_key(tmp_path: Path, bundle: str) -> None:
    leaf = issue(HOST, ROOT, names=dns(HOST), key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    facts = probe(tmp_path, [leaf], bundle)
    assert (facts.key_algorithm, facts.key_size_bits) == ("RSA", 2048)


FAILURES: list[tuple[str, list[Issued], TrustFailure]] = [
    ("expired", [issue(HOST, ROOT, names=dns(HOST), valid=(NOW - 9 * DAY, NOW - DAY))], TrustFailure.EXPIRED),
    (
        "not yet valid",
        [issue(HOST, ROOT, names=dns(HOST), valid=(NOW + DAY, NOW + 9 * DAY))],
        TrustFailure.NOT_YET_VALID,
    ),
    ("self-signed", [issue(HOST, names=dns(HOST))], TrustFailure.SELF_SIGNED),
    ("unknown issuer", [issue(HOST, STRANGER, names=dns(HOST))], TrustFailure.UNKNOWN_ISSUER),
    ("unknown root in the chain", [issue(HOST, STRANGER, names=dns(HOST)), STRANGER], TrustFailure.UNKNOWN_ISSUER),
    ("missing intermediate", [issue(HOST, MIDDLE, names=dns(HOST))], TrustFailure.UNKNOWN_ISSUER),
    (
        "not for servers",
        [issue(HOST, ROOT, names=dns(HOST), usage=ExtendedKeyUsageOID.CLIENT_AUTH)],
        TrustFailure.PROFILE,
    ),
]


@pytest.mark.parametrize(("chain", "failure"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES])
def test_facts_stay_when_verification_fails(
    tmp_path: Path, bundle: str, chain: list[Issued], failure: TrustFailure
) -> None:
    facts = probe(tmp_path, chain, bundle)
    assert facts.trusted is False
    assert facts.failures == (failure,)
    assert facts.hostname_match is True
    assert facts.not_after == chain[0].certificate.not_valid_after_utc


def test_a_certificate_without_key_usage_is_judged_as_openssl_does(tmp_path: Path, bundle: str) -> None:
    """Private authorities often leave extensions out; `openssl verify` takes them."""
    facts = probe(tmp_path, [issue(HOST, ROOT, names=dns(HOST), usage=None)], bundle)
    assert facts.trusted is True


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
    assert "trust store" in facts.trust_detail
    assert "tls_posture_certificate_trusted" not in {sample.family.name for sample in PROBE.samples(facts)}


MATCHES: list[tuple[tuple[x509.GeneralName, ...], str, bool]] = [
    (dns(HOST), HOST, True),
    (dns("WWW.TEST.EXAMPLE"), HOST, True),
    (dns("*.test.example"), HOST, True),
    (dns("*.example"), HOST, False),
    (dns("other.example"), HOST, False),
    ((), HOST, False),
    ((x509.IPAddress(ip_address("127.0.0.1")),), "127.0.0.1", True),
    ((x509.IPAddress(ip_address("::1")),), "::1", True),
    (dns("127.0.0.1"), "127.0.0.1", False),
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


def test_facts_are_kept_when_the_server_wants_a_client_certificate(tmp_path: Path, bundle: str) -> None:
    leaf = issue(HOST, ROOT, names=dns(HOST))
    pem = tmp_path / "served.pem"
    pem.write_bytes(leaf.pem() + leaf.key_pem())

    async def run(highest: ssl.TLSVersion) -> CertificateFacts:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = highest
        context.load_cert_chain(pem)
        context.load_verify_locations(bundle)
        context.verify_mode = ssl.CERT_REQUIRED
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context)
        target = make_target(server.sockets[0].getsockname()[1], ca_file=bundle)
        try:
            return await PROBE.run(Session(target, Dialer(target, HostGate()), make_environment().resolver, NOW))
        finally:
            server.close()

    for highest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert asyncio.run(run(highest)).subject == f"CN={HOST}"


def test_a_leaf_with_a_repeated_extension_is_told_as_unreadable(tmp_path: Path, bundle: str) -> None:
    """Cryptography refuses to build such a leaf, so one is made by changing an object identifier in the bytes."""
    leaf = issue(HOST, ROOT, names=dns(HOST))
    der = leaf.certificate.public_bytes(serialization.Encoding.DER)
    usage, names = bytes.fromhex("0603551d25"), bytes.fromhex("0603551d11")
    assert der.count(usage) == 1
    broken = x509.load_der_x509_certificate(der.replace(usage, names))
    with pytest.raises(ValueError, match=r"[Dd]uplicate"):
        read_chain((broken,), HOST, bundle, NOW)


@pytest.mark.parametrize("place", [0, 1])
def test_a_certificate_of_an_unknown_version_is_told_as_unreadable(place: int) -> None:
    """OpenSSL reads it and cryptography does not."""
    served = [leaf.certificate.public_bytes(serialization.Encoding.DER) for leaf in (issue(HOST, MIDDLE), MIDDLE)]
    third = b"\xa0\x03\x02\x01\x02"  # RFC 5280, 4.1.2.1
    assert served[place].count(third) == 1
    served[place] = served[place].replace(third, b"\xa0\x03\x02\x01\x12")
    flight = server_hello_message(0x0303, 0xC02B) + certificate_message(served) + message(14)

    async def run() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_hello(reader)
            writer.write(record(22, flight))
            await reader.read()

        async with plain_server(handler) as port:
            target = make_target(port)
            await PROBE.run(Session(target, Dialer(target, HostGate()), make_environment().resolver, NOW))

    with pytest.raises(ProbeError, match="the chain cannot be parsed: 18 is not a valid X509 version") as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.HANDSHAKE_ERROR


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
            writer.close()

        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        target = make_target(server.sockets[0].getsockname()[1])
        try:
            await PROBE.run(Session(target, Dialer(target, HostGate()), make_environment().resolver, datetime.now(UTC)))
        finally:
            server.close()

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.HANDSHAKE_ERROR
