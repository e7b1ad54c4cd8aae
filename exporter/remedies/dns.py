"""Remedies for what stands in the DNS: lines of zone files."""

from collections.abc import Iterator

from exporter.case import Case
from exporter.checks.mta_sts import MtaStsDemand
from exporter.checks.mta_sts_policy import MtaStsPolicyDemand
from exporter.derived.caa import NAMELESS, CaaIssuer, CaaState
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.facts.dns import DnsFacts, MtaStsFacts, StsPolicyFacts, TlsaFacts
from exporter.judging.check import Demand, Outcome
from exporter.model import Remedy
from exporter.pki.authorities import Authority, authority_of, table
from exporter.pki.caa import issuance
from exporter.remedies.servers import everywhere, listed, quoted

_NOBODY_ELSE = "Every CA that is to issue for the name needs a line."
_LOOK_UP = (
    "of which it is not known how CAA records call it; its certification practice statement says so (section 4.2.1)"
)
_POLICY_SECONDS = 604800
"""A week (RFC 8461, 10.2: weeks or more)."""
_SIGNED = "The zone must be signed by DNSSEC, or nobody goes by the records."


def _authorities(case: Case) -> tuple[list[Authority], list[str]]:
    """The CAs that issued the certificates as served, and the issuers (RFC 4514) that are not known or not verified."""
    facts = case.facts.get(CertificateFacts)
    known: dict[str, Authority] = {}
    others: dict[str, None] = {}
    for one in facts.deployments if facts else ():
        authority = _authority(one)
        if authority:
            known[authority.name] = authority
        else:
            others[one.leaf.issuer] = None
    return list(known.values()), list(others)


def _authority(deployment: Deployment) -> Authority | None:
    """As `exporter.derived.caa` has it: a name that was not verified is nobody's."""
    if deployment.trusted is None or NAMELESS & set(deployment.failures):
        return None
    return authority_of(deployment.leaf.issuer)


def caa(case: Case, _demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """Records for the CAs of the certificates that are served."""
    facts = case.facts.get(DnsFacts)
    owner = (facts.caa_domain if facts else None) or case.target.host
    known, others = _authorities(case)
    lines = tuple(f'{owner}. CAA 0 issue "{authority.domains[0]}"' for authority in known)
    notes = [f"Publish which CAs may issue for {owner}."]
    if others or not known:
        whose = (
            f"The certificate here is of {listed(list(map(quoted, others)))}"
            if others
            else "The certificate was not seen: of its CA"
        )
        notes.append(
            f"{whose}, {_LOOK_UP}."
            if others
            else f"{whose} the certification practice statement says how it is called."
        )
    notes.append(
        f"{_NOBODY_ELSE} Where {owner} is an alias (CNAME), they go to what it is an alias of, or one label up."
    )
    return everywhere(" ".join(notes), *lines)


def caa_issuer(case: Case, _demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """Records for the CAs that are not allowed, where the records stand that do not allow them."""
    facts, verdicts = case.facts.get(DnsFacts), case.facts.get(CaaIssuer)
    if facts is None or verdicts is None:
        return everywhere("Allow the CA of the certificate in the CAA records, or get one of a CA that they allow.")
    lines = dict.fromkeys(_grants(facts, verdicts))
    critical = dict.fromkeys(tag for one in (False, True) for tag in issuance(facts.caa, wildcard=one).critical)
    notes = ["Allow the CA beside those that are there, or get a certificate of a CA that the records allow."]
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
        wild = wildcard and any(record.tag == "issuewild" for record in records)
        yield f'{domain}. CAA 0 {"issuewild" if wild else "issue"} "{known[one.issuer].domains[0]}"'


def _by_name(verdicts: CaaIssuer) -> Iterator[Authority]:
    names = {one.issuer for one in verdicts.verdicts}
    yield from (authority for authority in table().authorities if authority.name in names)


def dnssec(case: Case, _demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """What is to be done is done by whoever runs the zone."""
    host = case.target.host
    return everywhere(
        f"Sign the zone of {host} and give its DS record to the registry by way of the registrar; where {host} is an "
        "alias (CNAME), the zone that it leads to must be signed as well."
    )


def dane(case: Case, _demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The records that fit the certificates as served: DANE-EE, by the key (RFC 7671, 5.1)."""
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


def mta_sts(case: Case, demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The TXT records that are missing."""
    domain = case.target.mail_domain
    if domain is None:
        return everywhere("Say which mail domain the server is of (mail_domain).")
    facts = case.facts.get(MtaStsFacts)
    wanted = demand.records if isinstance(demand, MtaStsDemand) else ["mta_sts", "tls_rpt"]
    lines, notes = [], ["At each name there must be exactly one record of its kind: a broken one is to be replaced."]
    if "mta_sts" in wanted and (facts is None or facts.mta_sts is None):
        lines.append(f'_mta-sts.{domain}. TXT "v=STSv1; id={case.now:%Y%m%d}"')
        notes.append(f"The policy lies at https://mta-sts.{domain}/.well-known/mta-sts.txt; the id changes with it.")
    if "tls_rpt" in wanted and (facts is None or facts.tls_rpt is None):
        lines.append(f'_smtp._tls.{domain}. TXT "v=TLSRPTv1; rua=mailto:tls-reports@{domain}"')
        notes.append(f"Reports go to tls-reports@{domain}, or whatever address is written there.")
    return everywhere(" ".join(notes), *lines)


def mta_sts_policy(case: Case, demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The file that the web server of the mail domain has to have, of what was seen of it and this server."""
    domain, facts = case.target.mail_domain, case.facts.get(StsPolicyFacts)
    policy = facts.policy if facts else None
    modes = demand.modes if isinstance(demand, MtaStsPolicyDemand) else ["enforce"]
    covered = policy.mx if policy else ()
    names = covered if policy and policy.covers(case.target.host) else (*covered, case.target.host)
    seconds = policy.max_age_seconds if policy else _POLICY_SECONDS
    mode = policy.mode if policy and policy.mode in modes else modes[0]
    lines = ("version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in names), f"max_age: {seconds}")
    note = (
        f"{outcome.summary}. The file is https://mta-sts.{domain}/.well-known/mta-sts.txt, as text/plain, with a "
        f"certificate for that name; the id in the TXT record of _mta-sts.{domain} changes with it."
    )
    return everywhere(note, *lines)
