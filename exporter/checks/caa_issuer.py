"""Check `caa_issuer`: the CAA records allow the CA that issued the certificate (RFC 8659)."""

from typing import Literal, assert_never

from exporter.case import Case
from exporter.derived.caa import CaaIssuer, CaaState
from exporter.facts.certificate import CertificateFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown

CHANGED = (
    "that is no proof of misissuance, since records are looked at when a certificate is issued and may have changed"
)


class CaaIssuerDemand(Demand):
    """The issuer must be one that the records allow."""

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


CHECK = Check(
    name="caa_issuer",
    demand=CaaIssuerDemand,
    verdict=_judge,
    asks=lambda _demand: "an issuer that the CAA records allow",
)
