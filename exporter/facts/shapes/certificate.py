"""How certificate facts are shown: metric families, samples, JSON."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime

from exporter.facts.certificate import CertificateFacts, Deployment, ServedCertificate
from exporter.facts.shape import Shape
from exporter.model import Family, Sample
from exporter.ternary import any_of

NOT_BEFORE = Family(
    "tls_posture_certificate_not_before_timestamp_seconds",
    "Start of validity of the leaf certificate; of several with keys of one kind, the one that ends first "
    "(as of the last scan)",
)
NOT_AFTER = Family(
    "tls_posture_certificate_not_after_timestamp_seconds",
    "End of validity of the leaf certificate; of several with keys of one kind, the one that ends first "
    "(as of the last scan)",
)
CHAIN_NOT_AFTER = Family(
    "tls_posture_certificate_chain_not_after_timestamp_seconds",
    "Earliest end of validity in the served chains (as of the last scan)",
)
PATH_NOT_AFTER = Family(
    "tls_posture_certificate_path_not_after_timestamp_seconds",
    "Earliest end of validity on the verified paths, their roots included; absent when no chain verifies "
    "(as of the last scan)",
)
LIFETIME = Family(
    "tls_posture_certificate_lifetime_seconds",
    "From start to end of validity of the leaf certificate whose end is shown (as of the last scan)",
)
TRUSTED = Family(
    "tls_posture_certificate_trusted",
    "Whether each served chain verifies against the configured trust store (as of the last scan)",
)
HOSTNAME_MATCH = Family(
    "tls_posture_certificate_hostname_match",
    "Whether each leaf certificate carries the server name (as of the last scan)",
)
VERIFICATION_FAILURE = Family(
    "tls_posture_certificate_verification_failure", "1 for each reason why verification fails (as of the last scan)"
)
CHAIN_ORDERED = Family(
    "tls_posture_certificate_chain_ordered",
    "Whether in each served chain a certificate stands behind the one that it issued (as of the last scan)",
)
OCSP_STAPLED = Family(
    "tls_posture_certificate_ocsp_stapled_status",
    "1 for what the stapled OCSP response is worth; absent when nothing was stapled (as of the last scan)",
)
MUST_STAPLE = Family(
    "tls_posture_certificate_must_staple",
    "Whether a leaf certificate asks for OCSP stapling, RFC 7633 (as of the last scan)",
)
SCTS = Family(
    "tls_posture_certificate_scts",
    "Fewest signed certificate timestamps embedded in a leaf certificate; other ways are not looked at "
    "(as of the last scan)",
)
CLIENT_AUTH = Family(
    "tls_posture_certificate_client_auth",
    "1 for what the server does about client certificates: none, requested or required (as of the last scan)",
)
INFO = Family("tls_posture_certificate_info", "Identity of the leaf certificate (as of the last scan)")

MAX_LABEL_CHARACTERS = 500
"""Of what a server wrote, 100 kB if it likes; the report has it all. Mimir takes 2048 bytes (its
`max_label_value_length`), and a character can be four."""

FULL = (LIFETIME, CHAIN_ORDERED, OCSP_STAPLED, MUST_STAPLE, SCTS, CLIENT_AUTH)
"""Families of the full detail."""
FAMILIES = (
    *(NOT_BEFORE, NOT_AFTER, CHAIN_NOT_AFTER, PATH_NOT_AFTER),
    *(TRUSTED, HOSTNAME_MATCH, VERIFICATION_FAILURE, INFO, *FULL),
)


def samples(facts: CertificateFacts) -> Iterator[Sample]:
    """Samples of what is known; what is not known is absent."""
    for leaf in _first_to_end(facts):
        kind = {"key_algorithm": leaf.key_algorithm}
        yield Sample(NOT_BEFORE, leaf.not_before.timestamp(), kind)
        yield Sample(NOT_AFTER, leaf.not_after.timestamp(), kind)
        yield Sample(LIFETIME, leaf.lifetime_seconds, kind)
    yield Sample(CHAIN_NOT_AFTER, facts.chain_not_after.timestamp())
    if facts.path_not_after is not None:
        yield Sample(PATH_NOT_AFTER, facts.path_not_after.timestamp())
    if facts.trusted is not None:
        yield Sample(TRUSTED, facts.trusted)
    if facts.hostname_match is not None:
        yield Sample(HOSTNAME_MATCH, facts.hostname_match)
    for failure in facts.failures:
        yield Sample(VERIFICATION_FAILURE, 1, {"reason": failure})
    yield Sample(CHAIN_ORDERED, all(deployment.ordered for deployment in facts.deployments))
    statuses = (deployment.ocsp_stapled for deployment in facts.deployments)
    for status in dict.fromkeys(status for status in statuses if status is not None):
        yield Sample(OCSP_STAPLED, 1, {"status": status})
    if facts.client_authentication is not None:
        yield Sample(CLIENT_AUTH, 1, {"mode": facts.client_authentication})
    yield from _rare(facts)
    for leaf in {deployment.leaf.fingerprint_sha256: deployment.leaf for deployment in facts.deployments}.values():
        yield Sample(INFO, 1, _identity(leaf))


def _first_to_end(facts: CertificateFacts) -> Iterator[ServedCertificate]:
    """One leaf a kind of key: two would be the same series."""
    leaves: dict[str, ServedCertificate] = {}
    for deployment in facts.deployments:
        leaf = deployment.leaf
        known = leaves.setdefault(leaf.key_algorithm, leaf)
        if leaf.not_after < known.not_after:
            leaves[leaf.key_algorithm] = leaf
    yield from leaves.values()


def _rare(facts: CertificateFacts) -> Iterator[Sample]:
    must_staple = any_of(deployment.must_staple for deployment in facts.deployments)
    if must_staple is not None:
        yield Sample(MUST_STAPLE, must_staple)
    counts = [deployment.sct_count for deployment in facts.deployments]
    if None not in counts:
        yield Sample(SCTS, min(count for count in counts if count is not None))


def _identity(leaf: ServedCertificate) -> dict[str, str]:
    return {
        "key_algorithm": leaf.key_algorithm,
        "subject": leaf.subject[:MAX_LABEL_CHARACTERS],
        "issuer": leaf.issuer[:MAX_LABEL_CHARACTERS],
        "serial": leaf.serial[:MAX_LABEL_CHARACTERS],
        "fingerprint_sha256": leaf.fingerprint_sha256,
        "key_size": "" if leaf.key_size_bits is None else str(leaf.key_size_bits),
        "signature_algorithm": leaf.signature_algorithm,
    }


def document(facts: CertificateFacts) -> dict[str, object]:
    """Keys of the report's `facts` that this probe fills. At the top stands the leaf that a modern client gets."""
    first, leaf = facts.first, facts.first.leaf
    details = (deployment.trust_detail for deployment in facts.deployments)
    return {
        "certificate": {
            "subject": leaf.subject,
            "issuer": leaf.issuer,
            "serial": leaf.serial,
            "fingerprint_sha256": leaf.fingerprint_sha256,
            "key_algorithm": leaf.key_algorithm,
            "key_size_bits": leaf.key_size_bits,
            "signature_algorithm": leaf.signature_algorithm,
            "not_before": leaf.not_before.isoformat(),
            "not_after": leaf.not_after.isoformat(),
            "chain_not_after": facts.chain_not_after.isoformat(),
            "path_not_after": facts.path_not_after.isoformat() if facts.path_not_after else None,
            "chain_length": len(first.chain),
            "subject_alternative_names": list(first.subject_alternative_names),
            "hostname_match": facts.hostname_match,
            "trusted": facts.trusted,
            "failures": list(facts.failures),
            "trust_detail": next((detail for detail in details if detail), ""),
            "client_authentication": facts.client_authentication,
            "deployments": [_deployment(deployment) for deployment in facts.deployments],
            "deployments_complete": facts.deployments_complete,
        }
    }


def _deployment(deployment: Deployment) -> dict[str, object]:
    plain = {field.name: getattr(deployment, field.name) for field in fields(deployment)}
    plain |= {"chain": [_certificate(one, place in deployment.path) for place, one in enumerate(deployment.chain)]}
    del plain["path"]
    return {name: _plain(value) for name, value in plain.items()}


def _certificate(certificate: ServedCertificate, on_path: bool) -> dict[str, object]:
    plain = {field.name: _plain(getattr(certificate, field.name)) for field in fields(certificate)}
    return plain | {"lifetime_seconds": certificate.lifetime_seconds, "on_path": on_path}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


SHAPE = Shape(CertificateFacts, document, FAMILIES, FULL, samples)
