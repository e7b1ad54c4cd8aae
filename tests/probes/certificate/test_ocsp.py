"""Stapled OCSP responses: valid if an authorized signer signed them, and only for the served certificate."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.facts.certificate import OcspStatus
from exporter.facts.shapes.certificate import samples
from exporter.model import TrustFailure
from exporter.probes.certificate.ocsp import CLOCK_SKEW, read_stapled
from tests.support.certificates import DAY, HOST, Issued, dns, issue, pem_file, rsa_key, run_probe, signing_hash
from tests.support.processes import find_program, free_port, running
from tests.support.targets import NOW, make_target

ROOT = issue("root", ca=True, key=rsa_key(2048))
MIDDLE = issue("middle", ROOT, ca=True)
LEAF = issue(HOST, ROOT, names=dns(HOST))
OTHER = issue("other.example", ROOT)
STRANGER = issue("root", ca=True)
SIGNER = partial(issue, "responder", usage=ExtendedKeyUsageOID.OCSP_SIGNING)
S, C = OcspStatus, ocsp.OCSPCertStatus
SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")


def respond(
    status: ocsp.OCSPCertStatus = C.GOOD,
    *,
    leaf: Issued = LEAF,
    issuer: Issued = ROOT,
    responder: Issued = ROOT,
    enclosed: tuple[Issued, ...] = (),
    since: timedelta = -timedelta(hours=1),
    until: timedelta | None = timedelta(hours=1),
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    revoked = status is C.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf.certificate,
        issuer=issuer.certificate,
        algorithm=algorithm or hashes.SHA1(),  # noqa: S303 - what responders use
        cert_status=status,
        this_update=NOW + since,
        next_update=None if until is None else NOW + until,
        revocation_time=NOW - DAY if revoked else None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    if enclosed:
        builder = builder.certificates([one.certificate for one in enclosed])
    return builder.sign(responder.key, signing_hash(responder.key)).public_bytes(serialization.Encoding.DER)


def delegated(responder: Issued) -> bytes:
    return respond(responder=responder, enclosed=(responder,))


TRY_LATER = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
RESPONSES: dict[str, tuple[bytes, OcspStatus]] = {
    "good": (respond(), S.GOOD),
    "revoked": (respond(C.REVOKED), S.REVOKED),
    "unknown": (respond(C.UNKNOWN), S.UNKNOWN),
    "with SHA-256": (respond(algorithm=hashes.SHA256()), S.GOOD),
    "without an end": (respond(until=None), S.GOOD),
    "at its end": (respond(until=timedelta(0)), S.GOOD),
    "past its end": (respond(until=-timedelta(seconds=1)), S.EXPIRED),
    "revoked, past its end": (respond(C.REVOKED, until=-timedelta(seconds=1)), S.EXPIRED),
    "from a clock that is ahead": (respond(since=CLOCK_SKEW), S.GOOD),
    "from the future": (respond(since=CLOCK_SKEW + timedelta(seconds=1)), S.NOT_YET_VALID),
    "by a delegate": (delegated(SIGNER(by=ROOT)), S.GOOD),
    "by a delegate with Ed25519": (delegated(SIGNER(by=ROOT, key=ed25519.Ed25519PrivateKey.generate())), S.GOOD),
    "by a delegate with Ed25519 that is not empowered": (
        delegated(issue("responder", ROOT, key=ed25519.Ed25519PrivateKey.generate())),
        S.INVALID,
    ),
    "by a delegate that is not empowered": (delegated(issue("responder", ROOT)), S.INVALID),
    "by a delegate for servers": (delegated(issue("r", ROOT, usage=ExtendedKeyUsageOID.SERVER_AUTH)), S.INVALID),
    "by a delegate of somebody else": (delegated(SIGNER(by=STRANGER)), S.INVALID),
    "by a delegate of an intermediate": (delegated(SIGNER(by=MIDDLE)), S.INVALID),
    "by an expired delegate": (delegated(SIGNER(by=ROOT, valid=(NOW - 9 * DAY, NOW - DAY))), S.INVALID),
    "by a delegate that is not enclosed": (respond(responder=SIGNER(by=ROOT)), S.INVALID),
    "by the server itself": (respond(responder=LEAF, enclosed=(LEAF,)), S.INVALID),
    "by somebody of the same name": (respond(issuer=ROOT, responder=STRANGER), S.INVALID),
    "for another certificate": (respond(leaf=OTHER), S.INVALID),
    "for another issuer's certificate": (respond(issuer=STRANGER), S.INVALID),
    "none yet": (TRY_LATER.public_bytes(serialization.Encoding.DER), S.INVALID),
    "empty": (b"", S.INVALID),
    "something else": (LEAF.der(), S.INVALID),
    "more behind it": (respond() + b"\0", S.INVALID),
    "cut": (respond()[:-1], S.INVALID),
}


@pytest.mark.parametrize(("response", "status"), RESPONSES.values(), ids=RESPONSES)
def test_each_response_is_worth_what_it_proves(response: bytes, status: OcspStatus) -> None:
    assert read_stapled(response, LEAF.parsed, ROOT.parsed, NOW) is status


def test_a_signature_that_cannot_be_checked_proves_nothing_either_way() -> None:
    unknown = respond().replace(SHA256_WITH_RSA, SHA256_WITH_RSA[:-1] + b"\x7f")
    assert read_stapled(unknown, LEAF.parsed, ROOT.parsed, NOW) is None


def test_an_issuer_with_a_key_of_another_kind_proves_nothing_either_way() -> None:
    authority = issue("authority", ca=True, key=mldsa.MLDSA44PrivateKey.generate())  # type: ignore[arg-type]
    leaf = issue(HOST, authority)
    response = respond(leaf=leaf, issuer=authority, responder=authority)
    assert read_stapled(response, leaf.parsed, authority.parsed, NOW) is None


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # a negative serial number
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([response for response, _ in RESPONSES.values()]),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=3)), min_size=1, max_size=3),
)
def test_no_change_to_a_response_makes_it_say_something_else(response: bytes, changes: list[tuple[int, bytes]]) -> None:
    """The signed part cannot be changed. Outside of it there are only certificates and the status of the response."""
    original = read_stapled(response, LEAF.parsed, ROOT.parsed, NOW)
    for at, change in changes:
        place = at % max(1, len(response))
        response = response[:place] + change + response[place + len(change) :]
    assert read_stapled(response, LEAF.parsed, ROOT.parsed, NOW) in {original, S.INVALID, None}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_none_are_invalid(response: bytes) -> None:
    assert read_stapled(response, LEAF.parsed, ROOT.parsed, NOW) is S.INVALID


# --- on the wire ------------------------------------------------------------------------------------------------------


@contextmanager
def stapling(folder: Path, response: bytes | None, *chain: Issued, version: str = "-tls1_3") -> Iterator[int]:
    """`openssl s_server` that staples this."""
    port = free_port()
    command = [find_program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-naccept", "20", "-quiet", version]
    command += ["-cert", str(pem_file(folder / "leaf.pem", chain[0], key=chain[0]))]
    if len(chain) > 1:
        command += ["-cert_chain", str(pem_file(folder / "chain.pem", *chain[1:]))]
    if response is not None:
        (folder / "response.der").write_bytes(response)
        command += ["-status_file", str(folder / "response.der")]
    with running(command, folder / "log", port=port):
        yield port


def root_file(folder: Path) -> str:
    return str(pem_file(folder / "root.pem", ROOT))


@pytest.mark.real
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("response", "status", "failures"),
    [
        (None, None, ()),
        (respond(), S.GOOD, ()),
        (respond(C.REVOKED), S.REVOKED, (TrustFailure.REVOKED,)),
        (respond(until=-timedelta(seconds=1)), S.EXPIRED, ()),
        (respond(C.REVOKED, responder=LEAF), S.INVALID, ()),
    ],
    ids=["nothing", "good", "revoked", "expired", "forged"],
)
def test_what_a_server_staples_is_told(
    tmp_path: Path, version: str, response: bytes | None, status: OcspStatus | None, failures: tuple[TrustFailure, ...]
) -> None:
    """The issuer is the root here, which is in the trust store and not in the chain."""
    with stapling(tmp_path, response, LEAF, version=version) as port:
        facts, connections = run_probe(make_target(port, ca_file=root_file(tmp_path)))
    assert facts.first.ocsp_stapled is status
    assert facts.failures == failures
    assert facts.trusted is (not failures)
    assert connections == 1
    shown = [dict(sample.labels) for sample in samples(facts) if "ocsp" in sample.family.name]
    assert shown == ([] if status is None else [{"status": status}])


@pytest.mark.real
def test_without_the_issuer_nothing_is_believed(tmp_path: Path) -> None:
    """Neither that it is good, nor that it is revoked, nor that the response is wrong."""
    with stapling(tmp_path, respond(C.REVOKED), LEAF) as port:
        facts, _ = run_probe(make_target(port, ca_file=str(pem_file(tmp_path / "other.pem", STRANGER))))
    assert facts.first.ocsp_stapled is None
    assert facts.failures == (TrustFailure.UNKNOWN_ISSUER,)


@pytest.mark.real
def test_an_issuer_in_the_chain_will_do(tmp_path: Path) -> None:
    leaf = issue(HOST, MIDDLE, names=dns(HOST))
    response = respond(C.REVOKED, leaf=leaf, issuer=MIDDLE, responder=MIDDLE)
    with stapling(tmp_path, response, leaf, MIDDLE) as port:
        facts, _ = run_probe(make_target(port, ca_file=str(pem_file(tmp_path / "other.pem", STRANGER))))
    assert facts.first.ocsp_stapled is S.REVOKED
    assert facts.failures == (TrustFailure.UNKNOWN_ISSUER, TrustFailure.REVOKED)


@pytest.mark.real
def test_the_responses_of_openssl_are_read(tmp_path: Path) -> None:
    """Made by `openssl ocsp`, which signs with a delegate and encloses it."""
    signer = SIGNER(by=ROOT)
    for name, one in {"leaf": LEAF, "root": ROOT, "signer": signer}.items():
        pem_file(tmp_path / f"{name}.pem", one, key=one)
    (tmp_path / "index").write_text(
        f"V\t{LEAF.certificate.not_valid_after_utc:%y%m%d%H%M%SZ}\t\t{LEAF.certificate.serial_number:040X}\tunknown\t/CN=x\n"
    )
    command = [find_program("openssl"), "ocsp", "-index", "index", "-CA", "root.pem", "-rsigner", "signer.pem"]
    request = [
        "-issuer",
        "root.pem",
        "-cert",
        "leaf.pem",
        "-no_nonce",
        "-respout",
        "out.der",
        "-ndays",
        "1",
        "-noverify",
    ]
    subprocess.run([*command, *request], cwd=tmp_path, check=True, capture_output=True, timeout=20)
    made = (tmp_path / "out.der").read_bytes()
    at = ocsp.load_der_ocsp_response(made).this_update_utc
    assert read_stapled(made, LEAF.parsed, ROOT.parsed, at) is S.GOOD


def test_an_odd_certificate_in_a_response_does_not_take_it_away() -> None:
    """It is of X.509 version 4, which cryptography refuses; the issuer itself has signed the response."""
    third = b"\xa0\x03\x02\x01\x02"
    response = respond(enclosed=(OTHER,))
    assert response.count(third) == 1
    read = read_stapled(response.replace(third, b"\xa0\x03\x02\x01\x03"), LEAF.parsed, ROOT.parsed, NOW)
    assert read is S.GOOD
