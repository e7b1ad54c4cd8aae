"""How certificate facts are shown: metric families, samples, JSON."""

from collections.abc import Iterator
from typing import Annotated

from typing_extensions import TypedDict

from exporter.facts.certificate import CertificateFacts, Deployment, OcspStatus, ServedCertificate
from exporter.facts.form import DateTime, Key
from exporter.facts.shape import Shape
from exporter.model import ClientAuthentication, Family, Label, Sample, TrustFailure, Unit
from exporter.ternary import any_of

KEY_ALGORITHM = Label(
    "key_algorithm", "RSA, EC, DSA, Ed25519, Ed448, `unknown`, or the object identifier of another one", example="EC"
)
NO_CERTIFICATE = "when no certificate was read"

NOT_BEFORE = Family(
    "tls_posture_certificate_not_before_timestamp_seconds",
    "Start of validity of the leaf certificate; of several with keys of one kind, the one that ends first "
    "(as of the last scan)",
    Unit.TIME,
    NO_CERTIFICATE,
    labels=(KEY_ALGORITHM,),
    example=1796083200,
)
NOT_AFTER = Family(
    "tls_posture_certificate_not_after_timestamp_seconds",
    "End of validity of the leaf certificate; of several with keys of one kind, the one that ends first "
    "(as of the last scan)",
    Unit.TIME,
    NO_CERTIFICATE,
    labels=(KEY_ALGORITHM,),
    example=1803859199,
)
CHAIN_NOT_AFTER = Family(
    "tls_posture_certificate_chain_not_after_timestamp_seconds",
    "Earliest end of validity in the served chains (as of the last scan)",
    Unit.TIME,
    NO_CERTIFICATE,
    example=1803859199,
)
PATH_NOT_AFTER = Family(
    "tls_posture_certificate_path_not_after_timestamp_seconds",
    "Earliest end of validity on the verified paths, their roots included; absent when no chain verifies "
    "(as of the last scan)",
    Unit.TIME,
    "when no chain verifies",
    example=1803859199,
)
LIFETIME = Family(
    "tls_posture_certificate_lifetime_seconds",
    "From start to end of validity of the leaf certificate whose end is shown (as of the last scan)",
    Unit.SECONDS,
    NO_CERTIFICATE,
    labels=(KEY_ALGORITHM,),
    example=7775999,
)
TRUSTED = Family(
    "tls_posture_certificate_trusted",
    "Whether each served chain verifies against the configured trust store (as of the last scan)",
    Unit.FLAG,
    "when no chain fails, and one could not be verified",
)
HOSTNAME_MATCH = Family(
    "tls_posture_certificate_hostname_match",
    "Whether each leaf certificate carries the server name (as of the last scan)",
    Unit.FLAG,
    "when no leaf lacks the name, and the names of one cannot be read",
)
VERIFICATION_FAILURE = Family(
    "tls_posture_certificate_verification_failure",
    "1 for each reason why verification fails (as of the last scan)",
    Unit.ONE,
    "for a reason for which no chain fails",
    labels=(Label("reason", "why a chain is not to be trusted", tuple(TrustFailure)),),
)
CHAIN_ORDERED = Family(
    "tls_posture_certificate_chain_ordered",
    "Whether in each served chain a certificate stands behind the one that it issued (as of the last scan)",
    Unit.FLAG,
    NO_CERTIFICATE,
)
OCSP_STAPLED = Family(
    "tls_posture_certificate_ocsp_stapled_status",
    "1 for what the stapled OCSP response is worth; absent when nothing was stapled (as of the last scan)",
    Unit.ONE,
    "when nothing was stapled, or there is nothing to check it with",
    labels=(Label("status", "what the response is worth", tuple(OcspStatus)),),
)
MUST_STAPLE = Family(
    "tls_posture_certificate_must_staple",
    "Whether a leaf certificate asks for OCSP stapling, RFC 7633 (as of the last scan)",
    Unit.FLAG,
    "when no leaf is known to ask for it, and of one it cannot be read",
    example=0,
)
SCTS = Family(
    "tls_posture_certificate_scts",
    "Fewest signed certificate timestamps embedded in a leaf certificate; other ways are not looked at "
    "(as of the last scan)",
    Unit.COUNT,
    "when they cannot be read",
    example=2,
)
CLIENT_AUTH = Family(
    "tls_posture_certificate_client_auth",
    "1 for what the server does about client certificates: none, requested or required (as of the last scan)",
    Unit.ONE,
    "when it is not known",
    labels=(Label("mode", "what the server does about client certificates", tuple(ClientAuthentication)),),
)
INFO = Family(
    "tls_posture_certificate_info",
    "Identity of the leaf certificate (as of the last scan)",
    Unit.ONE,
    NO_CERTIFICATE,
    labels=(
        KEY_ALGORITHM,
        Label("subject", "distinguished name (RFC 4514), cut to 500 characters", example="CN=www.example.com"),
        Label("issuer", "distinguished name, cut to 500 characters", example="CN=Example CA,O=Example"),
        Label("serial", "serial number, hexadecimal, cut to 500 characters", example="1f"),
        Label("fingerprint_sha256", "of the certificate, hexadecimal", example="ab" * 32),
        Label("key_size", "bits; empty where the algorithm has no size of its own", example="256"),
        Label("signature_algorithm", "OpenSSL's name, or an object identifier", example="ecdsa-with-SHA256"),
    ),
)

MAX_LABEL_CHARACTERS = 500
"""Maximum characters of a label with a text that a server wrote.

A server can write 100 kB; the report has all of it. Mimir takes 2048 bytes (its `max_label_value_length`), and a
character can have four bytes.
"""

FULL = (LIFETIME, CHAIN_ORDERED, OCSP_STAPLED, MUST_STAPLE, SCTS, CLIENT_AUTH)
"""Families of the full detail."""
FAMILIES = (
    *(NOT_BEFORE, NOT_AFTER, CHAIN_NOT_AFTER, PATH_NOT_AFTER),
    *(TRUSTED, HOSTNAME_MATCH, VERIFICATION_FAILURE, INFO, *FULL),
)


def samples(facts: CertificateFacts) -> Iterator[Sample]:
    """Samples of what is known; what is unknown is absent."""
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
    """One leaf for each kind of key, because two would be the same series."""
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


class ServedCertificateForm(TypedDict):
    """One certificate of a chain as served. Bytes are hexadecimal."""

    subject: Annotated[str, Key("distinguished name (RFC 4514); `unknown` where the certificate cannot be read")]
    issuer: Annotated[str, Key("distinguished name")]
    serial: Annotated[str, Key("serial number")]
    fingerprint_sha256: Annotated[str, Key("of the certificate")]
    spki_sha256: Annotated[str | None, Key("of its public key; null where that cannot be read")]
    key_algorithm: Annotated[str, Key("RSA, EC, DSA, Ed25519, Ed448, `unknown`, or an object identifier")]
    key_size_bits: Annotated[int | None, Key("null where the algorithm has no size of its own, or it cannot be read")]
    curve: Annotated[str | None, Key("of an EC key: `P-256`, ...")]
    signature_algorithm: Annotated[str, Key("OpenSSL's name, or an object identifier where it has none")]
    signature_hash: Annotated[
        str | None, Key("`sha256`, ..., or `intrinsic` where the algorithm has its own; null when it is not known")
    ]
    not_before: Annotated[DateTime, Key("start of validity")]
    not_after: Annotated[DateTime, Key("end of validity")]
    is_ca: Annotated[bool | None, Key("by its basic constraints; null when they cannot be read")]
    self_signed: Annotated[bool, Key("signed with its own key")]
    fingerprint_sha512: Annotated[str | None, Key("of the certificate")]
    spki_sha512: Annotated[str | None, Key("of its public key; null where that cannot be read")]
    key_kind: Annotated[str | None, Key("kind of the key, finer than its algorithm: `RSA-PSS`, `ECDSA P-256`, ...")]
    unreadable: Annotated[
        list[str],
        Key("parts that cannot be read, or not completely, each with the reason; what they say is not known"),
    ]
    lifetime_seconds: Annotated[float, Key("from start to end of validity")]
    on_path: Annotated[bool, Key("it is on the path that clients verify")]


class DeploymentForm(TypedDict):
    """One certificate chain of a server, and the result of its verification."""

    chain: Annotated[list[ServedCertificateForm], Key("as served, the leaf first")]
    subject_alternative_names: Annotated[list[str], Key("of the leaf, `DNS:...` and `IP:...`")]
    must_staple: Annotated[
        bool | None, Key("the leaf asks for OCSP stapling (RFC 7633); null when that cannot be read")
    ]
    sct_count: Annotated[
        int | None, Key("signed certificate timestamps in the leaf itself; null when that cannot be read")
    ]
    ordered: Annotated[bool, Key("each certificate comes after the one that it issued")]
    surplus: Annotated[list[int], Key("places in the chain, from 0, of certificates that no path needs")]
    root_served: Annotated[bool, Key("the chain contains its root")]
    complete: Annotated[bool | None, Key("no issuer is missing; null when the trust store could not be read")]
    valid_from: Annotated[DateTime, Key("when the last certificate of the path becomes valid")]
    valid_until: Annotated[DateTime, Key("when the first certificate of the path ends")]
    hostname_match: Annotated[
        bool | None, Key("the leaf carries the name of the service; null where its names cannot be read")
    ]
    trusted: Annotated[bool | None, Key("null when it could not be verified")]
    failures: Annotated[list[TrustFailure], Key("why it is not to be trusted, all that is known")]
    trust_detail: Annotated[str, Key("OpenSSL's sentence about it, or what is wrong with the trust store")]
    ocsp_stapled: Annotated[
        OcspStatus | None,
        Key("what the stapled OCSP response is worth; null when nothing was stapled, or it could not be checked"),
    ]
    names_ocsp: Annotated[bool | None, Key("the leaf names an OCSP server; null when that cannot be read")]
    ocsp_until: Annotated[
        DateTime | None, Key("up to when that holds of the response; null when time alone changes nothing")
    ]


class CertificateForm(TypedDict):
    """The certificates of the service.

    At the top is the leaf that a modern client gets, then what is true of all chains.
    """

    subject: Annotated[str, Key("distinguished name (RFC 4514)")]
    issuer: Annotated[str, Key("distinguished name")]
    serial: Annotated[str, Key("serial number, hexadecimal")]
    fingerprint_sha256: Annotated[str, Key("of the certificate, hexadecimal")]
    key_algorithm: Annotated[str, Key("RSA, EC, DSA, Ed25519, Ed448, `unknown`, or an object identifier")]
    key_size_bits: Annotated[int | None, Key("null where the algorithm has no size of its own, or it cannot be read")]
    signature_algorithm: Annotated[str, Key("OpenSSL's name, or an object identifier where it has none")]
    not_before: Annotated[DateTime, Key("start of validity")]
    not_after: Annotated[DateTime, Key("end of validity")]
    # The next four depend on every chain of an address.
    chain_not_after: Annotated[
        DateTime, Key("earliest end of all certificates served", complete="deployments_complete")
    ]
    path_not_after: Annotated[
        DateTime | None,
        Key("earliest end on all verified paths; null when no chain verifies", complete="deployments_complete"),
    ]
    chain_length: Annotated[int, Key("certificates in the chain that a modern client gets")]
    subject_alternative_names: Annotated[list[str], Key("of the leaf, `DNS:...` and `IP:...`")]
    hostname_match: Annotated[
        bool | None,
        Key("each leaf carries the name of the service; null when not known", complete="deployments_complete"),
    ]
    trusted: Annotated[bool | None, Key("all chains verify; null when not known", complete="deployments_complete")]
    # They give the reasons for the two above, and are incomplete when one of these is not known.
    failures: Annotated[list[TrustFailure], Key("what any chain fails for", compared=False)]
    trust_detail: Annotated[str, Key("a sentence about the first that fails", compared=False)]
    client_authentication: Annotated[
        ClientAuthentication | None, Key("what the server does about client certificates; null when not known")
    ]
    # The keys above compare the first chain. Others are seen in passing, and machines staple at different times.
    deployments: Annotated[list[DeploymentForm], Key("all distinct chains that were seen", compared=False)]
    deployments_complete: Annotated[bool, Key("there are no others, as far as kinds of keys go", compared=False)]


class CertificateKeys(TypedDict):
    """What is known from certificates."""

    certificate: Annotated[CertificateForm, Key("certificates as served, and what they are worth")]


def document(facts: CertificateFacts) -> CertificateKeys:
    """The keys of the report's `facts` that this probe fills. At the top is the leaf that a modern client gets."""
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


def _deployment(deployment: Deployment) -> DeploymentForm:
    return {
        "chain": [_certificate(one, place in deployment.path) for place, one in enumerate(deployment.chain)],
        "subject_alternative_names": list(deployment.subject_alternative_names),
        "must_staple": deployment.must_staple,
        "sct_count": deployment.sct_count,
        "ordered": deployment.ordered,
        "surplus": list(deployment.surplus),
        "root_served": deployment.root_served,
        "complete": deployment.complete,
        "valid_from": deployment.valid_from.isoformat(),
        "valid_until": deployment.valid_until.isoformat(),
        "hostname_match": deployment.hostname_match,
        "trusted": deployment.trusted,
        "failures": list(deployment.failures),
        "trust_detail": deployment.trust_detail,
        "ocsp_stapled": deployment.ocsp_stapled,
        "names_ocsp": deployment.names_ocsp,
        "ocsp_until": deployment.ocsp_until.isoformat() if deployment.ocsp_until else None,
    }


def _certificate(certificate: ServedCertificate, on_path: bool) -> ServedCertificateForm:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "fingerprint_sha256": certificate.fingerprint_sha256,
        "spki_sha256": certificate.spki_sha256,
        "key_algorithm": certificate.key_algorithm,
        "key_size_bits": certificate.key_size_bits,
        "curve": certificate.curve,
        "signature_algorithm": certificate.signature_algorithm,
        "signature_hash": certificate.signature_hash,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "is_ca": certificate.is_ca,
        "self_signed": certificate.self_signed,
        "fingerprint_sha512": certificate.fingerprint_sha512,
        "spki_sha512": certificate.spki_sha512,
        "key_kind": certificate.key_kind,
        "unreadable": list(certificate.unreadable),
        "lifetime_seconds": certificate.lifetime_seconds,
        "on_path": on_path,
    }


SHAPE = Shape(CertificateFacts, CertificateKeys, document, FAMILIES, FULL, samples, "Certificates")
