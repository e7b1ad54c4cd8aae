"""Check `certificate_chain`: the server sends just the certificates that clients need to reach the root, in order."""

from collections.abc import Iterator

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Remedy
from exporter.remedies.certificates import failing, missing_issuer, replacement
from exporter.remedies.servers import listed, quoted


class CertificateChainDemand(Demand):
    """What a chain must be, and what it may contain in addition to the certificates that clients need."""

    complete: bool
    ordered: bool
    allow_surplus: bool
    allow_root: bool


def _judge(case: Case, demand: CertificateChainDemand) -> Outcome:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return unknown("the certificate could not be looked at")
    evidence: dict[str, tuple[str, ...]] = {}
    for deployment in facts.deployments:
        wrong = dict.fromkeys((*evidence.get(deployment.title, ()), *_wrong(deployment, demand)))
        if wrong:
            evidence[deployment.title] = tuple(wrong)
    if evidence:
        return failed("; ".join(dict.fromkeys(text for texts in evidence.values() for text in texts)), evidence)
    if demand.complete and any(deployment.complete is None for deployment in facts.deployments):
        return unknown("without the trust store it is not known whether an intermediate is missing")
    if not facts.deployments_complete:
        return unknown("what was seen is as it should be, but there may be other certificates")
    lengths = dict.fromkeys(str(len(deployment.chain)) for deployment in facts.deployments)
    return passed(f"{' and '.join(lengths)} certificate{'' if list(lengths) == ['1'] else 's'}, as it should be")


def _wrong(deployment: Deployment, demand: CertificateChainDemand) -> Iterator[str]:
    if demand.complete and deployment.complete is False:
        yield "an issuer is missing"
    if demand.ordered and not deployment.ordered:
        yield "not in order"
    if not demand.allow_surplus and deployment.surplus:
        yield f"{len(deployment.surplus)} surplus"
    if not demand.allow_root and deployment.root_served:
        yield "the root is sent as well"


def _asks(demand: CertificateChainDemand) -> str:
    """What the demand asks of the chain; "any chain" where it asks nothing."""
    rules = {
        "no issuer missing": demand.complete,
        "in order": demand.ordered,
        "no surplus certificates": not demand.allow_surplus,
        "no root": not demand.allow_root,
    }
    return ", ".join(rule for rule, asked in rules.items() if asked) or "any chain"


def _remedy(case: Case, _demand: CertificateChainDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """Which certificates the file must contain, and in which order."""
    notes = [note for one in failing(case, outcome.evidence) for note in _advice(one)]
    return replacement(case, [*notes, "The root need not be served."], files=True)


def _advice(one: Deployment) -> Iterator[str]:
    wanted = [quoted(own.subject) for own in one.linked if own is one.leaf or not own.self_signed]
    yield f"For {one.title} serve, in this order: {'; '.join(wanted) or quoted(one.leaf.subject)}."
    if one.complete is False:
        yield missing_issuer(one)
    surplus = [quoted(one.chain[place].subject) for place in one.surplus if 0 <= place < len(one.chain)]
    if surplus:
        yield f"Take out {listed(list(dict.fromkeys(surplus)))}."


CHECK = Check(
    name="certificate_chain",
    why=(
        "Some browsers find a missing intermediate certificate themselves. Most programs do not, and fail. "
        "Certificates that nobody needs make each handshake longer."
    ),
    demand=CertificateChainDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)
