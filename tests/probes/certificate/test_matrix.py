"""Certificates of every kind on a real server: facts and reasons are exact, and `openssl verify` agrees."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ObjectIdentifier

from exporter.model import TrustFailure
from tests.support.certificates import (
    AIA,
    DAY,
    HOST,
    Issued,
    dns,
    issue,
    p256,
    pem_file,
    probe_served,
    rsa_key,
    server_context,
)
from tests.support.processes import find_program
from tests.support.targets import NOW

ROOT = issue("root", ca=True, valid=(NOW - 100 * DAY, NOW + 1000 * DAY), organisation="Test Trust")
MIDDLE = issue("middle", ROOT, ca=True, valid=(NOW - 50 * DAY, NOW + 200 * DAY), organisation="Test Trust")
LOWER = issue("lower", MIDDLE, ca=True, valid=(NOW - 50 * DAY, NOW + 100 * DAY), organisation="Another")
STRANGER = issue("stranger", ca=True, organisation="Nobody")
STRANGERS_MIDDLE = issue("stranger's middle", STRANGER, ca=True, organisation="Nobody")
OLD_MIDDLE = issue("old middle", ROOT, ca=True, valid=(NOW - 50 * DAY, NOW - DAY))
FOR_CLIENTS = issue("for clients", ROOT, ca=True, more=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])])
NO_AUTHORITY = issue("no authority", ROOT)
CROSS = issue("root", STRANGER, ca=True, key=ROOT.key, organisation="Test Trust")
ED_ROOT = ROOT
NAMED_MIDDLE = issue("named middle", ROOT, ca=True)
NAMES_ITS_ROOT = x509.AuthorityKeyIdentifier(
    None, [x509.DirectoryName(ROOT.certificate.subject)], NAMED_MIDDLE.certificate.serial_number
)
F = TrustFailure


def leaf(by: Issued | None = ROOT, **changes: Any) -> Issued:  # noqa: ANN401 - arguments of `issue`
    return issue(HOST, by, **({"names": dns(HOST)} | changes))


def usage(*, signs: bool = False, enciphers: bool = False) -> x509.KeyUsage:
    others = dict.fromkeys(("data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"), False)
    others |= dict.fromkeys(("encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=signs, key_encipherment=enciphers, content_commitment=True, **others)


@dataclass
class Case:
    """A chain as served, and the expected facts.

    Attributes:
        facts: fields of Deployment, or of its leaf.
        trusted: expected trust; `openssl verify` must agree.
    """

    chain: Sequence[Issued]
    failures: tuple[TrustFailure, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    host: str = HOST

    @property
    def trusted(self) -> bool:
        return not set(self.failures) - {F.NAME_MISMATCH}


SELF_SIGNED = leaf(None)
MATRIX = {
    "good": Case([leaf(MIDDLE), MIDDLE], facts={"ordered": True, "complete": True, "surplus": (), "path": (0, 1)}),
    "expired": Case([leaf(valid=(NOW - 9 * DAY, NOW - DAY))], (F.EXPIRED,)),
    "not yet valid": Case([leaf(valid=(NOW + DAY, NOW + 9 * DAY))], (F.NOT_YET_VALID,)),
    "expired intermediate": Case([leaf(OLD_MIDDLE), OLD_MIDDLE], (F.EXPIRED,), {"complete": True}),
    "wrong host": Case([leaf(names=dns("other.example"))], (F.NAME_MISMATCH,), {"hostname_match": False}),
    "self-signed": Case([SELF_SIGNED], (F.SELF_SIGNED,), {"self_signed": True, "root_served": False, "complete": True}),
    "unknown CA": Case([leaf(STRANGER)], (F.UNKNOWN_ISSUER,), {"complete": False}),
    "unknown CA, its root served": Case(
        [leaf(STRANGER), STRANGER], (F.UNKNOWN_ISSUER,), {"complete": True, "root_served": True}
    ),
    "unknown CA, its intermediate served": Case(
        [leaf(STRANGERS_MIDDLE), STRANGERS_MIDDLE], (F.UNKNOWN_ISSUER,), {"complete": False, "path": (0, 1)}
    ),
    "missing intermediate of a root's organisation": Case(
        [leaf(MIDDLE)], (F.INCOMPLETE_CHAIN,), {"complete": False, "path": (0,)}
    ),
    "missing intermediate that the leaf says where to get": Case(
        [leaf(STRANGERS_MIDDLE, more=[AIA])], (F.INCOMPLETE_CHAIN,), {"complete": False}
    ),
    "missing intermediate whose issuer the leaf names": Case(
        [leaf(NAMED_MIDDLE, more=[NAMES_ITS_ROOT])], (F.INCOMPLETE_CHAIN,), {"complete": False}
    ),
    "missing upper intermediate": Case(
        [leaf(LOWER, more=[AIA]), LOWER], (F.INCOMPLETE_CHAIN,), {"complete": False, "path": (0, 1)}
    ),
    "missing lower intermediate": Case(
        [leaf(LOWER, more=[AIA]), MIDDLE], (F.INCOMPLETE_CHAIN,), {"path": (0,), "surplus": (1,)}
    ),
    "unknown CA whose intermediate is served, with a place to get more": Case(
        [leaf(STRANGERS_MIDDLE, more=[AIA]), STRANGERS_MIDDLE], (F.UNKNOWN_ISSUER,), {"complete": False}
    ),
    "reversed chain": Case(
        [leaf(LOWER), MIDDLE, LOWER], facts={"ordered": False, "path": (0, 2, 1), "surplus": (), "complete": True}
    ),
    "surplus stranger": Case([leaf(MIDDLE), MIDDLE, STRANGER], facts={"ordered": True, "surplus": (2,)}),
    "surplus stranger in between": Case([leaf(MIDDLE), STRANGER, MIDDLE], facts={"ordered": True, "surplus": (1,)}),
    "leaf twice": Case([(TWICE := leaf()), TWICE], facts={"ordered": True, "surplus": (1,), "path": (0,)}),
    "root served": Case([leaf(MIDDLE), MIDDLE, ROOT], facts={"root_served": True, "surplus": ()}),
    "cross-signed root served": Case(
        [leaf(MIDDLE), MIDDLE, CROSS], facts={"root_served": False, "surplus": (), "complete": True}
    ),
    "several things at once": Case(
        [leaf(STRANGER, names=dns("other.example"), valid=(NOW - 9 * DAY, NOW - DAY))],
        (F.NAME_MISMATCH, F.EXPIRED, F.UNKNOWN_ISSUER),
    ),
    "self-signed and expired": Case([leaf(None, valid=(NOW - 9 * DAY, NOW - DAY))], (F.EXPIRED, F.SELF_SIGNED)),
    "expired, below what is not yet valid": Case(
        [
            leaf(
                EARLY := issue("early", ROOT, ca=True, valid=(NOW + DAY, NOW + 9 * DAY)),
                valid=(NOW - 9 * DAY, NOW - DAY),
            ),
            EARLY,
        ],
        (F.EXPIRED, F.NOT_YET_VALID),
    ),
    "an expired surplus certificate": Case([leaf(MIDDLE), MIDDLE, OLD_MIDDLE], facts={"surplus": (2,)}),
    "not for servers": Case([leaf(usage=ExtendedKeyUsageOID.CLIENT_AUTH)], (F.PROFILE,), {"complete": True}),
    "for any use": Case([leaf(usage=ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)], (F.PROFILE,)),
    "server gated cryptography": Case([leaf(usage=ObjectIdentifier("2.16.840.1.113730.4.1"))]),
    "a key for other things": Case([leaf(more=[usage()])], (F.PROFILE,)),
    "a key to sign with": Case([leaf(more=[usage(signs=True)])]),
    "a key to encrypt to": Case([leaf(key=rsa_key(2048), more=[usage(enciphers=True)])]),
    "not for servers, by a stranger": Case(
        [leaf(STRANGER, usage=ExtendedKeyUsageOID.CLIENT_AUTH)], (F.UNKNOWN_ISSUER, F.PROFILE)
    ),
    "an intermediate for clients": Case([leaf(FOR_CLIENTS), FOR_CLIENTS], (F.PROFILE,)),
    "an intermediate that is no authority": Case([leaf(NO_AUTHORITY), NO_AUTHORITY], (F.PROFILE,)),
    "SHA-1": Case([leaf(MIDDLE).with_hash("sha1", MIDDLE), MIDDLE], facts={"signature_hash": "sha1"}),
    "RSA 1024": Case([leaf(key=rsa_key(1024))], facts={"key_algorithm": "RSA", "key_size_bits": 1024, "curve": None}),
    "RSA 2048": Case([leaf(key=rsa_key(2048))], facts={"key_algorithm": "RSA", "key_size_bits": 2048}),
    "P-256": Case(
        [leaf(key=p256())],
        facts={
            "key_algorithm": "EC",
            "key_size_bits": 256,
            "curve": "P-256",
            "signature_algorithm": "ecdsa-with-SHA256",
            "signature_hash": "sha256",
        },
    ),
    "P-384": Case([leaf(key=ec.generate_private_key(ec.SECP384R1()))], facts={"key_size_bits": 384, "curve": "P-384"}),
    "Ed25519": Case(
        [leaf(key=ed25519.Ed25519PrivateKey.generate())],
        facts={"key_algorithm": "Ed25519", "key_kind": "Ed25519", "key_size_bits": None, "curve": None},
    ),
    "Ed448, self-signed": Case(
        [leaf(None, key=ed448.Ed448PrivateKey.generate())],
        (F.SELF_SIGNED,),
        {"key_algorithm": "Ed448", "signature_hash": "intrinsic", "signature_algorithm": "ED448"},
    ),
    "6-day": Case([leaf(valid=(NOW - DAY, NOW + 5 * DAY))], facts={"lifetime_seconds": 6 * 86400.0}),
    "must-staple": Case(
        [leaf(more=[x509.TLSFeature([x509.TLSFeatureType.status_request])])],
        facts={"must_staple": True, "sct_count": 0, "ocsp_stapled": None},
    ),
    "an OCSP server": Case(
        [
            leaf(
                more=[
                    x509.AuthorityInformationAccess(
                        [
                            x509.AccessDescription(
                                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://o.example/")
                            )
                        ]
                    )
                ]
            )
        ],
        facts={"names_ocsp": True},
    ),
    "no OCSP server": Case([leaf(more=[AIA])], facts={"names_ocsp": False}),
    "no access information": Case([leaf()], facts={"names_ocsp": False}),
    "another TLS feature": Case(
        [leaf(more=[x509.TLSFeature([x509.TLSFeatureType.status_request_v2])])], facts={"must_staple": False}
    ),
    "100 SANs": Case(
        [leaf(names=dns(*(f"host{number}.test.example" for number in range(99)), HOST))],
        facts={
            "subject_alternative_names": (
                *(f"DNS:host{number}.test.example" for number in range(99)),
                f"DNS:{HOST}",
            )
        },
    ),
    "IP SAN": Case(
        [leaf(names=[x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("2001:db8::1"))])],
        facts={"subject_alternative_names": ("IP:127.0.0.1", "IP:2001:db8::1"), "hostname_match": True},
        host="127.0.0.1",
    ),
    "wildcard": Case([leaf(names=dns("*.test.example"))], facts={"hostname_match": True}),
    "IDN": Case(
        [leaf(names=dns("xn--bcher-kva.test.example"))],
        facts={"subject_alternative_names": ("DNS:xn--bcher-kva.test.example",), "hostname_match": True},
        host="xn--bcher-kva.test.example",
    ),
    "IDN wildcard": Case([leaf(names=dns("*.test.example"))], host="xn--bcher-kva.test.example"),
}
each_case = pytest.mark.parametrize("case", MATRIX.values(), ids=MATRIX)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pem_file(tmp_path_factory.mktemp("roots") / "roots.pem", ROOT)


@each_case
def test_facts_and_reasons_are_exact(tmp_path: Path, bundle: Path, case: Case) -> None:
    context = server_context(pem_file(tmp_path / "served.pem", *case.chain, key=case.chain[0]))
    name = None if case.host == "127.0.0.1" else case.host
    facts, connections = probe_served(context, ca_file=str(bundle), host=case.host, server_name=name)
    (deployment,) = facts.deployments
    assert deployment.failures == facts.failures == case.failures
    assert deployment.trusted is facts.trusted is case.trusted
    assert bool(deployment.trust_detail) is not case.trusted
    assert len(deployment.chain) == len(case.chain)
    for fact, expected in case.facts.items():
        assert getattr(deployment if hasattr(deployment, fact) else deployment.leaf, fact) == expected, fact
    assert connections == 1


@pytest.mark.real
@each_case
def test_openssl_verify_says_the_same(tmp_path: Path, bundle: Path, case: Case) -> None:
    file = pem_file(tmp_path / "leaf.pem", case.chain[0])
    others = pem_file(tmp_path / "others.pem", *case.chain[1:])
    command = [find_program("openssl"), "verify", "-no-CApath", "-no-CAstore", "-CAfile", str(bundle)]
    command += ["-purpose", "sslserver", "-attime", str(int(NOW.timestamp()))]
    command += ["-untrusted", str(others)] if case.chain[1:] else []
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode == 0) is case.trusted, done.stderr


def test_the_path_that_counts_is_the_one_that_verification_went(tmp_path: Path, bundle: Path) -> None:
    """An old cross-signed root in the chain takes nothing away from clients that have the new one."""
    cross = issue("root", STRANGER, ca=True, key=ROOT.key, organisation="Test Trust", valid=(NOW - 9 * DAY, NOW - DAY))
    chain = [leaf(MIDDLE), MIDDLE, cross]
    facts, _ = probe_served(server_context(pem_file(tmp_path / "pem", *chain, key=chain[0])), ca_file=str(bundle))
    assert facts.trusted is True
    assert facts.first.path == (0, 1)
    assert facts.first.valid_until == NOW + 30 * DAY
    assert facts.chain_not_after == NOW - DAY


def test_an_anchor_that_ends_ends_the_validity(tmp_path: Path) -> None:
    root = issue("short", ca=True, valid=(NOW - DAY, NOW + timedelta(hours=1)))
    short = leaf(root)
    context = server_context(pem_file(tmp_path / "pem", short, key=short))
    facts, _ = probe_served(context, ca_file=str(pem_file(tmp_path / "root.pem", root)))
    assert facts.trusted is True
    assert facts.first.valid_until == NOW + timedelta(hours=1)
