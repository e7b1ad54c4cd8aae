"""Check `certificate_key`: keys and signatures of all certificates that clients go by are strong enough."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from exporter.case import Case
from exporter.checks.base import Check, Demand, Outcome, failed, passed, unknown
from exporter.probes import keys
from exporter.probes.certificate import CertificateFacts, ServedCertificate

KeyAlgorithm = Literal["RSA", "EC", "DSA", "Ed25519", "Ed448"]
HashName = Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]


class CertificateKeyDemand(Demand):
    """Kinds of keys, their least sizes, and hashes that no signature may be made with, a root's own aside."""

    allowed: frozenset[KeyAlgorithm] = Field(min_length=1)
    min_rsa_bits: int = Field(ge=1)
    min_ec_bits: int = Field(ge=1)
    forbidden_signature_hashes: frozenset[HashName]


def _judge(case: Case, demand: CertificateKeyDemand) -> Outcome:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return unknown("the certificate could not be looked at")
    evidence: dict[str, tuple[str, ...]] = {}
    open_ones: dict[str, tuple[str, ...]] = {}
    for deployment in facts.deployments:
        for certificate in deployment.linked:
            whose = "" if certificate is deployment.leaf else f" of the issuer {certificate.fingerprint_sha256[:8]}"
            for found, said in ((evidence, _weak(certificate, demand)), (open_ones, _unclear(certificate, demand))):
                for text in said:
                    before = found.get(deployment.title, ())
                    found[deployment.title] = tuple(dict.fromkeys((*before, f"{text}{whose}")))
    if evidence:
        return failed(_summary(evidence), evidence)
    if open_ones:
        return unknown(_summary(open_ones), open_ones)
    leaves = dict.fromkeys(_shown(deployment.leaf) for deployment in facts.deployments)
    if not facts.deployments_complete:
        return unknown(f"{' and '.join(leaves)}, but there may be other certificates")
    return passed(" and ".join(leaves))


def _summary(evidence: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(dict.fromkeys(text for texts in evidence.values() for text in texts))


def _shown(certificate: ServedCertificate) -> str:
    """`EC P-256`, `RSA 2048`, `Ed25519`."""
    sized = certificate.curve or certificate.key_size_bits
    return certificate.key_algorithm if sized is None else f"{certificate.key_algorithm} {sized}"


def _weak(certificate: ServedCertificate, demand: CertificateKeyDemand) -> Iterator[str]:
    least = _least(certificate, demand)
    if certificate.key_algorithm not in demand.allowed:
        yield f"{certificate.key_algorithm} key"
    elif least is not None and certificate.key_size_bits is not None and certificate.key_size_bits < least:
        yield f"{certificate.key_algorithm} key of {certificate.key_size_bits} bits"
    # Nobody goes by what a root says of itself, so its signature need not be strong.
    if not certificate.self_signed and certificate.signature_hash in demand.forbidden_signature_hashes:
        yield f"{certificate.signature_hash} signature"


def _unclear(certificate: ServedCertificate, demand: CertificateKeyDemand) -> Iterator[str]:
    if _least(certificate, demand) is not None and certificate.key_size_bits is None:
        yield f"{certificate.key_algorithm} key of unknown size"
    if not certificate.self_signed and certificate.signature_hash is None:
        yield "signature with an unknown hash"


def _least(certificate: ServedCertificate, demand: CertificateKeyDemand) -> int | None:
    return {keys.RSA: demand.min_rsa_bits, keys.EC: demand.min_ec_bits}.get(certificate.key_algorithm)


CHECK = Check(name="certificate_key", demand=CertificateKeyDemand, judge=_judge)
