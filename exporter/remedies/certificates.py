"""Remedies for certificates: what to order, to renew, or to put into the file that is served."""

from collections.abc import Iterator
from datetime import date

from exporter.case import Case
from exporter.checks.certificate_key import CertificateKeyDemand
from exporter.checks.certificate_lifetime import CertificateLifetimeDemand
from exporter.facts.certificate import CertificateFacts, Deployment, ServedCertificate
from exporter.judging.check import Demand, Outcome
from exporter.judging.items import names_in_force, today
from exporter.model import Remedy, TrustFailure
from exporter.pki import keys
from exporter.pki.keys import ALGORITHMS
from exporter.remedies.servers import Change, Server, everywhere, listed, quoted, remedies

_RSA_SIZES = (2048, 3072, 4096, 8192, 16384)
_CURVE_BITS = {
    "P-256": 256,
    "P-384": 384,
    "P-521": 521,
    **{f"brainpoolP{bits}r1": bits for bits in (256, 384, 512)},
}
"""Sizes that CAs and clients take, the smallest first."""
_FILES = {
    Server.NGINX: "nginx serves what stands in the file of ssl_certificate.",
    Server.APACHE: "Apache serves what stands in the file of SSLCertificateFile.",
    Server.HAPROXY: "HAProxy serves what stands in the file of crt, beside the key.",
    Server.POSTFIX: "Postfix serves what stands in the files of smtpd_tls_chain_files, or of smtpd_tls_cert_file.",
    Server.DOVECOT: "Dovecot serves what stands in the file of ssl_cert (2.4: ssl_server_cert_file).",
}
"""Which file holds the leaf and then its issuers."""


def _failing(case: Case, outcome: Outcome) -> list[Deployment]:
    """The chains that the evidence names by their titles; all where it names none."""
    facts = case.facts.get(CertificateFacts)
    everyone = list(facts.deployments) if facts else []
    return [one for one in everyone if one.title in outcome.evidence] or everyone


def _told(case: Case, notes: list[str], *, files: bool = False) -> tuple[Remedy, ...]:
    """What to do, and where several certificates are to stand in one file, which one that is on each server."""
    whole = everywhere(
        " ".join(filter(None, dict.fromkeys(notes))) or "Replace the certificate by one that is as the policy asks."
    )
    return (*whole, *(one for one in remedies(case, Change("", notes=_FILES)) if one.note)) if files else whole


def valid(case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """What each reason asks for."""
    failing = _failing(case, outcome)
    reasons = dict.fromkeys(text for texts in outcome.evidence.values() for text in texts)
    notes = [note for one in failing for note in _invalid(case, one, list(reasons))]
    return _told(case, notes, files=TrustFailure.INCOMPLETE_CHAIN in reasons)


def _invalid(case: Case, one: Deployment, reasons: list[str]) -> Iterator[str]:
    name, issuer = case.target.verified_name, quoted(one.linked[-1].issuer if one.path else one.leaf.issuer)
    names = listed([quoted(other) for other in one.subject_alternative_names[:8]]) or "no name at all"
    texts = {
        TrustFailure.EXPIRED: f"Renew the certificate {one.title}: it, or an issuer of it, ended on "
        f"{one.valid_until:%Y-%m-%d}. Let renewal be automatic (ACME), and the server load the new one.",
        TrustFailure.NOT_YET_VALID: f"The certificate {one.title} counts from {one.valid_from:%Y-%m-%d}: until then "
        "serve the one before it.",
        TrustFailure.SELF_SIGNED: f"Get a certificate for {name} from a CA that clients trust, or let clients (and "
        "here ca_file) trust this one.",
        TrustFailure.UNKNOWN_ISSUER: f"Clients do not know {issuer}: get a certificate for {name} from a CA that they "
        "trust, or let them (and here ca_file) trust that one.",
        TrustFailure.INCOMPLETE_CHAIN: _missing(one),
        TrustFailure.NAME_MISMATCH: f"Get a certificate with {name} among its names; {one.title} has {names}.",
        TrustFailure.PROFILE: "Get a certificate whose key, signature and extensions are fit for a TLS server "
        f"({one.trust_detail or 'OpenSSL gives no reason'}).",
        TrustFailure.REVOKED: "Get a certificate with a new key: this one is revoked, maybe as its key is not safe.",
        TrustFailure.OTHER: f"Mend what verification says: {one.trust_detail or 'it gives no reason'}.",
    }
    yield from (text for failure, text in texts.items() if failure in reasons)


def _missing(one: Deployment) -> str:
    last = one.linked[-1] if one.path else one.leaf
    return f"Serve the certificate of {quoted(last.issuer)} as well, behind that of {quoted(last.subject)}."


def expiry(case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """When each certificate ends that the evidence names."""
    notes = []
    for one in _failing(case, outcome):
        first = min(one.linked or one.chain, key=lambda certificate: certificate.not_after)
        what = f"certificate {one.title}" if first is one.leaf else f"certificate of the issuer {quoted(first.subject)}"
        late = "ended" if first.not_after < case.now else "ends"
        notes.append(f"Renew now: the {what} {late} on {first.not_after:%Y-%m-%d}.")
    renewal = "Let renewal be automatic (ACME) and begin with a third of the lifetime left; the server has to load it."
    return _told(case, [*notes, renewal])


def key(case: Case, demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """A key that the demand allows, and how to make one."""
    notes = []
    for one in _failing(case, outcome):
        weak = listed(outcome.evidence.get(one.title, ()))
        notes.append(f"Replace {one.title}{f' ({weak})' if weak else ''} by a certificate with a key as asked for.")
    if isinstance(demand, CertificateKeyDemand):
        notes.append(_new_key(demand, today(case)))
    return _told(case, notes)


def _new_key(demand: CertificateKeyDemand, day: date) -> str:
    """How to make a key of each kind that is allowed."""
    allowed = ALGORITHMS if demand.allowed is None else names_in_force(demand.allowed, day)
    ways = [
        way for kind in (keys.EC, keys.RSA, "Ed25519", "Ed448") if kind in allowed and (way := _way(kind, demand, day))
    ]
    return f"Make one by {', or '.join(ways)}." if ways else ""


def _way(kind: str, demand: CertificateKeyDemand, day: date) -> str:
    """The command for a key of this kind, as small as is allowed; empty where none is known."""
    sizes = {keys.EC: _curve(demand, day), keys.RSA: _rsa_bits(demand)}
    if kind not in sizes:
        return f"openssl genpkey -algorithm {kind}"
    option = {keys.EC: "ec_paramgen_curve", keys.RSA: "rsa_keygen_bits"}[kind]
    return f"openssl genpkey -algorithm {kind} -pkeyopt {option}:{sizes[kind]}" if sizes[kind] else ""


def _rsa_bits(demand: CertificateKeyDemand) -> str:
    return str(next((size for size in _RSA_SIZES if size >= (demand.min_rsa_bits or 0)), ""))


def _curve(demand: CertificateKeyDemand, day: date) -> str:
    names = None if demand.curves is None else names_in_force(demand.curves, day)
    sizes = {name: bits for name, bits in _CURVE_BITS.items() if names is None or name in names}
    return next((name for name, bits in sizes.items() if bits >= (demand.min_ec_bits or 0)), "")


def signature(case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """Whose signatures are to be replaced."""
    notes = []
    for one in _failing(case, outcome):
        signed = listed(list(dict.fromkeys(_signed(own) for own in one.linked if not own.self_signed)))
        now = f"; now: {signed}" if signed else ""
        notes.append(f"Have {one.title} and what is above it issued anew with an allowed signature{now}.")
    return _told(case, [*notes, "CAs sign with SHA-256 or better on demand; an old chain may be one of several."])


def _signed(certificate: ServedCertificate) -> str:
    return f"{certificate.signature_algorithm} for {quoted(certificate.subject)}"


def lifetime(case: Case, demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """A shorter validity period."""
    most = f"for {demand.max_days:g} days at most" if isinstance(demand, CertificateLifetimeDemand) else "for less"
    notes = [
        f"Replace {one.title}, which is valid for {one.leaf.lifetime_seconds / 86400:.0f} days, by one {most}."
        for one in _failing(case, outcome)
    ]
    return _told(case, [*notes, "With automatic renewal (ACME) the shortest period that the CA offers costs nothing."])


def chain(case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """Which certificates the file is to hold, in which order."""
    notes = []
    for one in _failing(case, outcome):
        wanted = [
            quoted(certificate.subject)
            for certificate in one.linked
            if certificate is one.leaf or not certificate.self_signed
        ]
        notes.append(f"For {one.title} serve, in this order: {'; '.join(wanted) or quoted(one.leaf.subject)}.")
        if one.complete is False:
            notes.append(_missing(one))
        surplus = [quoted(one.chain[place].subject) for place in one.surplus if 0 <= place < len(one.chain)]
        if surplus:
            notes.append(f"Take out {listed(list(dict.fromkeys(surplus)))}.")
    return _told(case, [*notes, "The root need not be served."], files=True)
