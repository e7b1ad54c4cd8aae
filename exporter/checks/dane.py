"""Check `dane`: signed TLSA records match the certificates of the service (RFC 6698; RFC 7671)."""

from typing import Literal

from exporter.case import Case
from exporter.derived.dane import bound, usable
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import TlsaFacts, TlsaRecord
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import DnsQuestion, Remedy
from exporter.remedies.servers import everywhere

_SIGNED = "The zone must be signed by DNSSEC, or clients ignore the records."


class DaneDemand(Demand):
    """Such records must exist, and each certificate must match them."""

    required: Literal[True]


def _judge(case: Case, _demand: DaneDemand) -> Outcome:
    if case.target.host_is_ip:
        return not_applicable("TLSA records are for domain names")
    facts = case.facts.get(TlsaFacts)
    if facts is None:
        return unknown("the TLSA records could not be looked up")
    if not facts.records:
        return failed(f"there are no TLSA records at {facts.name}")
    evidence = {facts.name: tuple(map(str, facts.records))}
    if facts.dnssec is None:
        return unknown("no resolver is configured that is said to validate (resolver: validating)", evidence)
    if not facts.dnssec:
        return failed("the TLSA records are not signed by DNSSEC, so clients ignore them", evidence)
    records = usable(facts.records, case.target.protocol)
    return _match(case, facts, records) if records else failed("clients can use none of the TLSA records", evidence)


def _match(case: Case, facts: TlsaFacts, records: tuple[TlsaRecord, ...]) -> Outcome:
    certificates = case.facts.get(CertificateFacts)
    if certificates is None:
        return unknown("the certificate is not known")
    evidence, asked = {facts.name: tuple(map(str, records))}, facts.name.partition("._tcp.")[2]
    if asked != case.target.server_name:  # a client sends the name whose records it uses (RFC 7671, 7)
        return unknown(f"clients ask for the certificate of {asked}, which was not looked at", evidence)
    protocol = case.target.protocol
    verdicts = {one.title: bound(records, one, case.now, protocol) for one in certificates.deployments}
    wrong = [title for title, fits in verdicts.items() if fits is False]
    if wrong:
        return failed(f"the TLSA records do not fit the certificates of {', '.join(wrong)}", evidence)
    if None in verdicts.values():
        return unknown("it is not known whether the TLSA records fit", evidence)
    if not certificates.deployments_complete:
        return unknown("the TLSA records fit what was seen, and there may be other certificates", evidence)
    return passed(f"the TLSA records at {facts.name} fit")


def _remedy(case: Case, _demand: DaneDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The records that match the served certificates: DANE-EE, by the key (RFC 7671, 5.1)."""
    target, facts, certificates = case.target, case.facts.get(TlsaFacts), case.facts.get(CertificateFacts)
    owner = (facts.name if facts else "") or f"_{target.port}._tcp.{target.host}"
    leaves = [one.leaf for one in certificates.deployments] if certificates else []
    lines = [
        f"{owner}. TLSA 3 1 1 {leaf.spki_sha256}"
        if leaf.spki_sha256
        else f"{owner}. TLSA 3 0 1 {leaf.fingerprint_sha256}"
        for leaf in leaves
    ]
    notes = [_SIGNED]
    if lines:
        notes = [f"Publish the records of all certificates that the server has. {_SIGNED}"]
    if facts and facts.records:
        notes.append("Take out records that fit none of them, once the new ones are everywhere.")
    notes.append("Before a key changes its record has to be there for as long as the old ones are kept (their TTL).")
    if certificates and not certificates.deployments_complete:
        notes.append("There may be other certificates than those that were seen.")
    return everywhere(" ".join(notes), *dict.fromkeys(lines))


CHECK = Check(
    name="dane",
    why=(
        "Mail servers that support DANE verify certificates by TLSA records (RFC 7672). They do not deliver "
        "mail where no record matches."
    ),
    demand=DaneDemand,
    verdict=_judge,
    asks=lambda _demand: "signed TLSA records that fit the certificates",
    remedy=_remedy,
    questions=frozenset({DnsQuestion.TLSA}),
)
