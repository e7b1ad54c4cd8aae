"""Check `caa_issuer`: the CAA records allow the CA that issued the certificate (RFC 8659)."""

from collections.abc import Iterator
from typing import Literal, assert_never

from exporter.case import Case
from exporter.derived.caa import CaaIssuer, CaaState
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import DnsFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import Remedy
from exporter.pki.authorities import KnownAuthority, table
from exporter.pki.caa import ISSUE, ISSUE_WILD, issuance
from exporter.remedies.servers import everywhere, listed

CHANGED = (
    "that is no proof of misissuance, since records are looked at when a certificate is issued and may have changed"
)


class CaaIssuerDemand(Demand):
    """The CAA records must allow the issuer."""

    required: Literal[True]


def _judge(case: Case, _demand: CaaIssuerDemand) -> Outcome:
    if case.target.host_is_ip:
        return not_applicable("CAA is for domain names")
    facts, certificates = case.facts.get(CaaIssuer), case.facts.get(CertificateFacts)
    if facts is None or certificates is None:
        return unknown(
            "no certificate here carries the host's name" if certificates else "the certificate is not known"
        )
    why = facts.worst.why
    evidence = {f"{one.certificate} {one.name}": (one.why,) for one in facts.verdicts}
    match facts.worst.state:
        case CaaState.AUTHORISED if not certificates.deployments_complete:
            return unknown(
                "the CAA records allow the CAs that were seen, and there may be other certificates", evidence
            )
        case CaaState.AUTHORISED:
            return passed(why)
        case CaaState.NO_CAA:
            return not_applicable(why)
        case CaaState.NOT_AUTHORISED:
            return failed(f"{why}; {CHANGED}", evidence)
        case CaaState.LOOKUP_FAILED | CaaState.UNKNOWN_ISSUER:
            return unknown(why, evidence)
        case _:
            assert_never(facts.worst.state)


def _remedy(case: Case, _demand: CaaIssuerDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """CAA records for the CAs that are not allowed, at the name whose records do not allow them."""
    facts, verdicts = case.facts.get(DnsFacts), case.facts.get(CaaIssuer)
    if facts is None or verdicts is None:
        return everywhere("Allow the CA of the certificate in the CAA records, or get one of a CA that they allow.")
    lines = dict.fromkeys(_grants(facts, verdicts))
    critical = dict.fromkeys(tag for one in (False, True) for tag in issuance(facts.caa, wildcard=one).critical)
    notes = ["Allow the CA in addition to those in the records, or get a certificate of a CA that they allow."]
    if critical:
        notes.append(
            f"As long as {listed(list(critical))} is marked as critical and not known, no CA may issue at all."
        )
    return everywhere(" ".join(notes), *lines)


def _grants(facts: DnsFacts, verdicts: CaaIssuer) -> Iterator[str]:
    known = {authority.name: authority for authority in _by_name(verdicts)}
    for one in verdicts.verdicts:
        if one.state is not CaaState.NOT_AUTHORISED or one.issuer not in known:
            continue
        wildcard = one.name.startswith("*.")
        found = facts.wildcard if wildcard and facts.wildcard else None
        records, domain = (found.records, found.domain) if found else (facts.caa, facts.caa_domain)
        wild = wildcard and any(record.tag == ISSUE_WILD for record in records)
        yield f'{domain}. CAA 0 {ISSUE_WILD if wild else ISSUE} "{known[one.issuer].domains[0]}"'


def _by_name(verdicts: CaaIssuer) -> Iterator[KnownAuthority]:
    names = {one.issuer for one in verdicts.verdicts}
    yield from (authority for authority in table().authorities if authority.name in names)


CHECK = Check(
    name="caa_issuer",
    why="If the records do not allow the CA that you use, it has to refuse the next renewal.",
    demand=CaaIssuerDemand,
    verdict=_judge,
    asks=lambda _demand: "an issuer that the CAA records allow",
    remedy=_remedy,
)
