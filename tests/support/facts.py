"""Facts, cases and reports built by hand, and arbitrary ones for hypothesis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, Deployment, ServedCertificate
from exporter.facts.dns import DnsFacts
from exporter.facts.handshake import HandshakeFacts, Listing, Prime, ServedChain
from exporter.facts.http import Asked, HttpFacts, HttpResponse, PlainAnswer, make_response
from exporter.facts.vulnerabilities import Tried, VulnerabilityFacts
from exporter.model import (
    CipherOrder,
    ClientAuthentication,
    Facts,
    Failure,
    HttpOptions,
    Protocol,
    Report,
    ScanResult,
    Target,
)
from exporter.moments import Now
from exporter.pki.caa import CaaRecord
from exporter.policies import load_policy
from tests.support.judging import report_after
from tests.support.targets import NOW, make_target

KOPANO = load_policy("kopano-checklist")

GCM = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
GCM_128 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
CBC_RSA = "TLS_RSA_WITH_AES_128_CBC_SHA"
RC4 = "TLS_RSA_WITH_RC4_128_SHA"
TLS13_AES = "TLS_AES_256_GCM_SHA384"
TLS13_CHACHA = "TLS_CHACHA20_POLY1305_SHA256"

GOOD_SUITES: Mapping[Protocol, tuple[str, ...]] = {
    Protocol.TLS1_2: (GCM, GCM_128),
    Protocol.TLS1_3: (TLS13_AES, TLS13_CHACHA),
}


BESIDE: dict[str, Any] = {
    "groups": {Protocol.TLS1_3: Listing(("X25519MLKEM768", "x25519", "secp256r1"), complete=True)},
    "group_order": {Protocol.TLS1_3: CipherOrder.SERVER},
    "extensions": {
        "secure_renegotiation": True,
        "extended_master_secret": True,
        "heartbeat": False,
        "fallback_scsv": None,
    },
    "heartbeat": {Protocol.TLS1_2: False},
    "alpn": Listing(("h2", "http/1.1"), complete=True),
    "signature_schemes": Listing(("rsa_pss_rsae_sha256",), complete=False),
    "dh_primes": (Prime(2048, "ffdhe2048"), Prime(4096)),
    "plain_chains": (ServedChain("RSA", (Protocol.TLS1_2,), (b"leaf", b"issuer")),),
    "ignores_supported_groups": False,
    "contradictions": (),
}
"""Facts in addition to protocols and suites."""


def handshake(
    suites: Mapping[Protocol, Sequence[str]] = GOOD_SUITES,
    *,
    open_protocols: Iterable[Protocol] = (),
    incomplete: Iterable[Protocol] = (),
    order: Mapping[Protocol, CipherOrder | None] | None = None,
    compression: bool | None = False,
    notes: tuple[str, ...] = (),
    **beside: Any,  # noqa: ANN401 - other fields of HandshakeFacts
) -> HandshakeFacts:
    """The protocols of `suites` are accepted, `open_protocols` not known, the others refused.

    By default the server's order decides.
    """
    protocols: dict[Protocol, bool | None] = {protocol: protocol in suites for protocol in Protocol}
    protocols |= dict.fromkeys(open_protocols)
    return HandshakeFacts(
        protocols=protocols,
        cipher_suites={protocol: tuple(names) for protocol, names in suites.items()},
        cipher_suites_incomplete=frozenset(incomplete),
        cipher_order=dict.fromkeys(suites, CipherOrder.SERVER) | dict(order or {}),
        compression=compression,
        notes=notes,
        **(BESIDE | beside),
    )


def served(**changes: Any) -> ServedCertificate:  # noqa: ANN401 - any field of ServedCertificate
    """The leaf of the test target."""
    fields: dict[str, Any] = {
        "subject": "CN=www.test.example",
        "issuer": "CN=Test CA,O=Test",
        "serial": "1f",
        "fingerprint_sha256": "ab" * 32,
        "spki_sha256": "cd" * 32,
        "key_algorithm": "EC",
        "key_size_bits": 256,
        "curve": "P-256",
        "signature_algorithm": "ecdsa-with-SHA256",
        "signature_hash": "sha256",
        "not_before": datetime(2026, 10, 1, tzinfo=UTC),
        "not_after": datetime(2026, 12, 30, 23, 59, 59, tzinfo=UTC),
        "is_ca": False,
        "self_signed": False,
    }
    return ServedCertificate(**(fields | changes))


def issuer(**changes: Any) -> ServedCertificate:  # noqa: ANN401 - any field of ServedCertificate
    """The certificate of its issuer."""
    names = {"subject": "CN=Test CA,O=Test", "issuer": "CN=Test Root,O=Test", "fingerprint_sha256": "ef" * 32}
    end = datetime(2026, 12, 1, tzinfo=UTC)
    return served(**(names | {"is_ca": True, "spki_sha256": "12" * 32, "not_after": end} | changes))


LEAF_FIELDS = frozenset(ServedCertificate.__dataclass_fields__)


def deployment(*issuers: ServedCertificate, **changes: Any) -> Deployment:  # noqa: ANN401 - as below
    """A trusted chain for the test target: fields of its leaf and of Deployment."""
    leaf = served(**{name: value for name, value in changes.items() if name in LEAF_FIELDS})
    chain = (leaf, *(issuers or (issuer(),)))
    fields: dict[str, Any] = {
        "chain": chain,
        "subject_alternative_names": ("DNS:www.test.example",),
        "must_staple": False,
        "names_ocsp": False,
        "sct_count": 2,
        "path": tuple(range(len(chain))),
        "ordered": True,
        "surplus": (),
        "root_served": False,
        "complete": True,
        "valid_from": max(one.not_before for one in chain),
        "valid_until": min(one.not_after for one in chain),
        "hostname_match": True,
        "trusted": True,
        "failures": (),
        "trust_detail": "",
    }
    return Deployment(**(fields | {name: value for name, value in changes.items() if name not in LEAF_FIELDS}))


def certificate(**changes: Any) -> CertificateFacts:  # noqa: ANN401 - any field of ServedCertificate or Deployment
    """The facts of a server with one chain only."""
    return certificates(deployment(**changes))


def certificates(*deployments: Deployment, complete: bool = True) -> CertificateFacts:
    """All chains of a server that does not request client certificates."""
    return CertificateFacts(deployments, complete, ClientAuthentication.NONE)


def response(
    *fields: str, status: int = 200, request: Asked = Asked.ROOT, others: Mapping[str, str] = MappingProxyType({})
) -> HttpResponse:
    """A response with these Strict-Transport-Security fields, and others."""
    received = [*(("strict-transport-security", field) for field in fields), *others.items()]
    return make_response(request, status, [(name.encode(), value.encode("latin-1")) for name, value in received])


def http(*fields: str, status: int = 200) -> HttpFacts:
    """A first response with these Strict-Transport-Security fields, and no other."""
    return HttpFacts((response(*fields, status=status),))


REDIRECTS = PlainAnswer(80, redirects_to_https=True, status=301, location="https://www.test.example/")


def http_everywhere(
    *fields: str, on_errors: Sequence[str] | None = None, plain: PlainAnswer | None = REDIRECTS
) -> HttpFacts:
    """A server that sends these Strict-Transport-Security fields with every response, or others on errors."""
    errors = fields if on_errors is None else on_errors
    not_found = response(*errors, status=404, request=Asked.NOT_FOUND)
    malformed = response(*errors, status=400, request=Asked.MALFORMED)
    return HttpFacts((response(*fields), not_found, malformed), plain)


def showing(seen: HttpFacts, *fields: tuple[str, str]) -> HttpFacts:
    """The facts with these header fields added to the first response."""
    first = replace(seen.first, fields=(*seen.first.fields, *fields))
    return replace(seen, responses=(first, *seen.responses[1:]))


def caa(*records: tuple[str, str], flags: int = 0, domain: str = "test.example") -> DnsFacts:
    """The relevant record set, from pairs of tag and value; without any, there is no record set."""
    found = tuple(CaaRecord(flags, tag, value) for tag, value in records)
    return DnsFacts(found, domain if found else None)


GOOD_HTTP = showing(http_everywhere("max-age=31536000"), ("server", "nginx/1.30.4"))
GOOD_CAA = caa(("issue", "ca.test.example"))


def facts(*parts: object, at: datetime = NOW) -> Facts:
    """Facts of these parts, all seen at the same time."""
    together = Facts()
    for part in parts:
        together = together.with_part(part, at)
    return together


NONE_WORKS = {"ccs_injection": False, "client_renegotiation": False}
"""The results of the attack tests on a good server."""


def tried(outcomes: Mapping[str, bool | None] = NONE_WORKS, at: datetime = NOW) -> VulnerabilityFacts:
    """The results of the attack tests."""
    return VulnerabilityFacts({name: Tried(one, "", at) for name, one in outcomes.items()})


def good_facts(at: datetime = NOW) -> Facts:
    """The demands of the checklist. The certificates are as old as those of `deployment` are at `NOW`."""
    leaf, other = deployment().chain
    since = at - NOW
    above = issuer(not_before=other.not_before + since, not_after=other.not_after + since)
    chain = deployment(above, not_before=leaf.not_before + since, not_after=leaf.not_after + since)
    return facts(handshake(), certificates(chain), GOOD_HTTP, GOOD_CAA, tried(at=at), at=at)


def watched(**changes: Any) -> Target:  # noqa: ANN401 - any field of Target
    """A target with attack tests once a day and a check of port 80."""
    usual: dict[str, Any] = {"vulnerability_interval": timedelta(days=1), "http": HttpOptions(port=80)}
    return make_target(**(usual | changes))


def case(*parts: object, **target: Any) -> Case:  # noqa: ANN401 - any field of Target
    """A verdict on these facts of the test target, now."""
    return Case(watched(**target), facts(*parts), Now(NOW))


def result(
    seen: Facts | None = None,
    *,
    target: Target | None = None,
    ended_at: datetime = NOW,
    probes: Mapping[str, bool] | None = None,
    failures: tuple[Failure, ...] = (),
    success: bool = True,
) -> ScanResult:
    """A scan of one and a half seconds; by default with good facts."""
    return ScanResult(
        target=target or watched(),
        started_at=ended_at - timedelta(seconds=1.5),
        ended_at=ended_at,
        facts=good_facts(ended_at) if seen is None else seen,
        probes=probes or {"handshake": success},
        failures=failures,
        success=success,
        connections=27,
        bytes_sent=9000,
        bytes_received=40000,
    )


def report(seen: Facts | None = None, **changes: Any) -> Report:  # noqa: ANN401 - any argument of `result`
    """The report after such a scan under the shipped checklist, judged as it ended."""
    scanned = result(seen, **changes)
    return report_after(scanned, (KOPANO,), scanned.ended_at)


steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Settings of every property: a slow machine is not a failure."""

_SUITES = st.sampled_from([GCM, GCM_128, CBC_RSA, RC4, TLS13_AES, TLS13_CHACHA])
_TRISTATE = st.sampled_from([True, False, None])
_LISTINGS = st.builds(
    Listing, st.lists(st.sampled_from(["x25519", "MLKEM768"]), unique=True).map(tuple), complete=st.booleans()
)
_SOME_PROTOCOLS = st.frozensets(st.sampled_from(Protocol))


@st.composite
def handshake_facts(draw: st.DrawFn) -> HandshakeFacts:
    """Any values that fit the type, including contradictions and gaps."""
    lists = st.lists(_SUITES, unique=True, max_size=4).map(tuple)
    return HandshakeFacts(
        protocols=draw(st.dictionaries(st.sampled_from(Protocol), _TRISTATE)),
        cipher_suites=draw(st.dictionaries(st.sampled_from(Protocol), lists)),
        cipher_suites_incomplete=draw(_SOME_PROTOCOLS),
        cipher_order=draw(
            st.dictionaries(st.sampled_from(Protocol), st.sampled_from([*CipherOrder, None])),
        ),
        compression=draw(_TRISTATE),
        groups=draw(st.dictionaries(st.sampled_from(Protocol), _LISTINGS)),
        group_order=draw(st.dictionaries(st.sampled_from(Protocol), st.sampled_from([*CipherOrder, None]))),
        extensions=draw(st.dictionaries(st.sampled_from(["heartbeat", "session_tickets"]), _TRISTATE)),
        alpn=draw(st.none() | _LISTINGS),
        signature_schemes=draw(st.none() | _LISTINGS),
        dh_primes=draw(st.sampled_from([(), (Prime(512),), (Prime(2048, "ffdhe2048"), Prime(4096))])),
        ignores_supported_groups=draw(_TRISTATE),
        contradictions=draw(st.sampled_from([(), ("TLSv1.2: certificate",)])),
    )


@st.composite
def consistent_handshake_facts(draw: st.DrawFn) -> HandshakeFacts:
    """Facts as the engine can return them: every protocol has a state, every accepted one a list."""
    accepted = draw(st.lists(st.sampled_from(Protocol), unique=True, min_size=1))
    suites = {protocol: draw(st.lists(_SUITES, unique=True, min_size=1, max_size=4)) for protocol in accepted}
    others = [protocol for protocol in Protocol if protocol not in accepted]
    order = {protocol: draw(st.sampled_from([*CipherOrder, None])) for protocol in accepted}
    return handshake(
        suites,
        open_protocols=[protocol for protocol in others if draw(st.booleans())],
        incomplete=[protocol for protocol in accepted if draw(st.booleans())],
        order=order,
        compression=draw(_TRISTATE),
    )
