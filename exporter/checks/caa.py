"""Check `caa`: CAA records say who may issue certificates for the host (RFC 8659)."""

from typing import Literal

from exporter.case import Case
from exporter.derived.caa import NAMELESS
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.facts.dns import DnsFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import Remedy
from exporter.pki.authorities import KnownAuthority, authority_of
from exporter.pki.caa import ISSUE, issuance
from exporter.remedies.servers import everywhere, listed, quoted

_NOBODY_ELSE = "Every CA that is to issue for the name needs a line."
_LOOK_UP = "whose domain in CAA records is not known; its certification practice statement has it (section 4.2.1)"


class CaaDemand(Demand):
    """CAA records that restrict issuance must exist."""

    required: Literal[True]


def _judge(case: Case, _demand: CaaDemand) -> Outcome:
    if case.target.host_is_ip:
        return not_applicable("CAA is for domain names")
    facts = case.facts.get(DnsFacts)
    if facts is None:
        return unknown("the CAA records could not be looked up")
    if not facts.caa:
        return failed("there are no CAA records")
    evidence = {str(facts.caa_domain): tuple(map(str, facts.caa))}
    if not issuance(facts.caa).restricted:
        return failed("the CAA records restrict no certification authority for this name", evidence)
    return passed(f"{len(facts.caa)} CAA record{'s' if len(facts.caa) > 1 else ''} at {facts.caa_domain}")


def _remedy(case: Case, _demand: CaaDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """CAA records for the CAs of the served certificates."""
    facts = case.facts.get(DnsFacts)
    owner = (facts.caa_domain if facts else None) or case.target.host
    known, others = _authorities(case)
    lines = tuple(f'{owner}. CAA 0 {ISSUE} "{authority.domains[0]}"' for authority in known)
    notes = [f"Publish which CAs may issue for {owner}."]
    if others:
        notes.append(f"The certificate here is of {listed(list(map(quoted, others)))}, {_LOOK_UP}.")
    elif not known:
        notes.append(
            "The certificate was not seen: the certification practice statement of its CA has the domain to use."
        )
    notes.append(
        f"{_NOBODY_ELSE} Where {owner} is an alias (CNAME), they go to what it is an alias of, or one label up."
    )
    return everywhere(" ".join(notes), *lines)


def _authorities(case: Case) -> tuple[list[KnownAuthority], list[str]]:
    """The CAs that issued the served certificates, and the issuers (RFC 4514) that are unknown or not verified."""
    facts = case.facts.get(CertificateFacts)
    known: dict[str, KnownAuthority] = {}
    others: dict[str, None] = {}
    for one in facts.deployments if facts else ():
        authority = _authority(one)
        if authority:
            known[authority.name] = authority
        else:
            others[one.leaf.issuer] = None
    return list(known.values()), list(others)


def _authority(deployment: Deployment) -> KnownAuthority | None:
    """The known CA of the issuer, as in `exporter.derived.caa`: a name that was not verified belongs to no CA."""
    if deployment.trusted is None or NAMELESS & set(deployment.failures):
        return None
    return authority_of(deployment.leaf.issuer)


CHECK = Check(
    name="caa",
    why=(
        "Without CAA records, every CA that clients trust may issue a certificate for the name. With them, "
        "only those that you name."
    ),
    demand=CaaDemand,
    verdict=_judge,
    asks=lambda _demand: "CAA records that restrict who may issue",
    remedy=_remedy,
)
