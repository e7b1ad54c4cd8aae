"""Check `signature_schemes`: the schemes that the server signs its key exchange with in TLS 1.2.

Older protocols have only one scheme. TLS 1.3 encrypts the signature.
"""

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Outcome, not_applicable, unknown
from exporter.judging.items import today
from exporter.judging.listing import Had, NamesDemand, asks_names, judge_names, to_keep
from exporter.judging.names import SchemeName
from exporter.judging.suites import may_lack
from exporter.model import Protocol, Remedy
from exporter.remedies.parameters import SOUND_SCHEMES, schemes_change
from exporter.remedies.servers import nothing_known, remedies
from exporter.tls.suites import BY_NAME


class SignatureSchemesDemand(NamesDemand[SchemeName]):
    """Signature schemes, by their names at IANA."""


def _judge(case: Case, demand: SignatureSchemesDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted or facts.protocols.get(Protocol.TLS1_2) is None:
        return unknown("the signature schemes are not known")
    if not facts.protocols[Protocol.TLS1_2]:
        return not_applicable("only TLSv1.2 shows signature schemes, and it is not accepted")
    listing = facts.signature_schemes
    if listing is None:
        suites = [BY_NAME.get(name) for name in facts.cipher_suites.get(Protocol.TLS1_2, ())]
        if may_lack(facts, Protocol.TLS1_2) or any(suite is None or suite.signed for suite in suites):
            return unknown("no signature was seen in TLSv1.2")
        return not_applicable("no key exchange in TLSv1.2 is signed")
    gap = "the list of signature schemes may not be complete"
    return judge_names(Had(listing.names, () if listing.complete else None, gap), demand, today(case))


def _remedy(case: Case, demand: SignatureSchemesDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The schemes that are accepted and permitted, in their order, and the required ones."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return nothing_known()
    accepted = facts.signature_schemes.names if facts.signature_schemes else ()
    return remedies(case, schemes_change(to_keep(accepted, demand, today(case), SOUND_SCHEMES)))


CHECK = Check(
    name="signature_schemes",
    why=(
        "The signature proves that the key exchange comes from the server. Collisions of MD5 and SHA-1 can be "
        "computed (SLOTH, CVE-2015-7575; RFC 9155)."
    ),
    demand=SignatureSchemesDemand,
    verdict=_judge,
    asks=asks_names,
    remedy=_remedy,
)
