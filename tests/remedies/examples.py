"""Failures of checks on built facts, each with a remedy that has configuration lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.case import Case
from exporter.checks.registry import CHECKS
from exporter.derived.registry import DERIVATIONS
from exporter.facts.handshake import Listing, Prime
from exporter.facts.http import PlainAnswer
from exporter.judging.check import Demand, Outcome
from exporter.model import CipherOrder, Facts, Protocol, Remedy, Verdict
from exporter.moments import Now
from exporter.remedies.servers import Server
from tests.support.facts import (
    CBC_RSA,
    GCM,
    GCM_128,
    RC4,
    TLS13_AES,
    TLS13_CHACHA,
    certificate,
    facts,
    handshake,
    http_everywhere,
    watched,
)
from tests.support.targets import NOW

BY_NAME = {check.name: check for check in CHECKS}
SPOKEN = {Server.POSTFIX: "smtp", Server.DOVECOT: "imap", Server.DOVECOT_2_4: "imap", Server.ANY: "ldaps"}
"""A protocol that the server typically serves; https for the others."""
DECLARED = {Server.DOVECOT_2_4: "debian 13"}
"""A distribution that has this version of the server."""


def demand(check: str, **fields: Any) -> Demand:  # noqa: ANN401 - fields of any demand
    """What a policy might ask of this check."""
    made: Demand = BY_NAME[check].demand.model_validate({"severity": "info", "source": "test", **fields})
    return made


def derived(case: Case) -> Case:
    """The case with what follows from its facts, as checks get it."""
    for derivation in DERIVATIONS:
        part = derivation.derive(case)
        if part is not None:
            case = replace(case, facts=case.facts.with_part(part, NOW))
    return case


def failure(check: str, case: Case, asked: Demand) -> Outcome:
    """What the check says, which must be that it fails."""
    outcome = BY_NAME[check].judge(case, asked)
    assert outcome.verdict is Verdict.FAIL, outcome
    return outcome


def remedies_of(check: str, asked: Mapping[str, Any], *parts: object, **target: Any) -> tuple[Remedy, ...]:  # noqa: ANN401 - fields of Target
    """The remedies for these facts of the test target."""
    case = derived(Case(watched(**target), facts(*parts), Now(NOW)))
    wanted = demand(check, **asked)
    return BY_NAME[check].advise(case, wanted, failure(check, case, wanted))


@dataclass(frozen=True)
class Example:
    """One failure: a check, what it asks, and the facts that fail it."""

    title: str
    check: str
    asked: Mapping[str, Any]
    facts: Facts = field(compare=False)

    @property
    def web_alone(self) -> bool:
        """Whether the check is for https and no other protocol."""
        return self.check.startswith(("hsts", "http_"))


def lines_of(example: Example, server: Server) -> tuple[str, ...]:
    """The lines for this server; none where the check is not for what it speaks."""
    if example.web_alone and server in SPOKEN:
        return ()
    case = derived(
        Case(watched(protocol=SPOKEN.get(server, "https"), distribution=DECLARED.get(server)), example.facts, Now(NOW))
    )
    asked = demand(example.check, **example.asked)
    made = BY_NAME[example.check].advise(case, asked, failure(example.check, case, asked))
    return next((one.lines for one in made if one.server == server), ())


P = Protocol
SUITES = {P.TLS1_0: (CBC_RSA, RC4), P.TLS1_2: (GCM, GCM_128, CBC_RSA), P.TLS1_3: (TLS13_AES, TLS13_CHACHA)}
OLD = handshake({P.TLS1_0: (CBC_RSA,)})
WEAK = handshake(
    SUITES,
    compression=True,
    groups={P.TLS1_3: Listing(("x25519", "secp256r1", "secp521r1", "ffdhe2048"), complete=True)},
    dh_primes=(Prime(1024, "1024 bits of Apache 2.1.5"),),
    signature_schemes=Listing(("rsa_pss_rsae_sha256", "rsa_pkcs1_sha1"), complete=True),
    extensions={"session_tickets": True, "encrypt_then_mac": False, "ocsp_stapling": False, "heartbeat": True},
    order={P.TLS1_2: CipherOrder.CLIENT, P.TLS1_3: CipherOrder.MIXED},
)
_PLAIN = PlainAnswer(80, redirects_to_https=False, status=200)


def _weak(title: str, check: str, **asked: Any) -> Example:  # noqa: ANN401 - as above
    return Example(title, check, asked, facts(WEAK))


EXAMPLES = (
    _weak("newer protocols", "protocols", allowed=["TLSv1.2", "TLSv1.3"]),
    _weak("one protocol", "protocols", allowed=["TLSv1.2"]),
    _weak("a gap", "protocols", required=["TLSv1.1"], forbidden=["TLSv1.2"]),
    Example("nothing is left", "protocols", {"allowed": ["TLSv1.2", "TLSv1.3"]}, facts(OLD)),
    _weak("suites", "cipher_suites", allowed=[GCM, CBC_RSA], tls13_allowed=None),
    _weak("suites of TLS 1.3", "cipher_suites", allowed=[{"where": "aead"}], tls13_allowed=[TLS13_AES]),
    _weak("a required suite", "cipher_suites", required=["ECDHE-RSA-CHACHA20-POLY1305"]),
    _weak("no classic suite", "cipher_suites", allowed=[], tls13_allowed=None),
    Example("no suite is left", "cipher_suites", {"allowed": [{"where": "aead"}], "tls13_allowed": None}, facts(OLD)),
    _weak("forward secrecy", "forward_secrecy", required=True),
    _weak("the server's order", "cipher_order", required="server"),
    _weak("the client's order", "cipher_order", required="client"),
    _weak("groups", "key_exchange_groups", allowed=["x25519", "secp256r1", "secp384r1"]),
    _weak("groups with finite fields", "key_exchange_groups", forbidden=["secp521r1"]),
    _weak("primes", "dh_parameters", min_bits=2048),
    _weak("large primes", "dh_parameters", min_bits=3000),
    _weak("schemes", "signature_schemes", forbidden=["rsa_pkcs1_sha1"]),
    _weak("compression", "compression", allowed=False),
    _weak("tickets", "extensions", forbidden=["session_tickets"]),
    _weak("encrypt-then-mac", "extensions", required=["encrypt_then_mac"]),
    Example("stapling", "extensions", {"required": ["ocsp_stapling"]}, facts(WEAK, certificate(names_ocsp=True))),
    _weak("attacks", "vulnerabilities", forbidden=["beast", "rc4", "crime", "logjam"]),
    Example("HSTS", "hsts", {"min_max_age_seconds": 31536000}, facts(http_everywhere("max-age=300"))),
    Example(
        "HSTS on errors",
        "hsts_on_errors",
        {"min_max_age_seconds": 31536000},
        facts(http_everywhere("max-age=63072000; includeSubDomains", on_errors=())),
    ),
    Example("the redirect", "http_redirect", {"required": True}, facts(http_everywhere("max-age=1", plain=_PLAIN))),
    Example("the preload list", "hsts_preload", {}, facts(http_everywhere("max-age=1", plain=_PLAIN), certificate())),
)
