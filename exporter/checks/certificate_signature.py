"""Check `certificate_signature`: all certificates that clients use are signed with good algorithms.

Clients do not verify the signature of a root, so that signature is not judged.
"""

from collections.abc import Iterator

from pydantic import model_validator

from exporter.case import Case
from exporter.facts.certificate import INTRINSIC, CertificateFacts, ServedCertificate
from exporter.judging.certificates import Meaning, Word, judge_linked
from exporter.judging.check import Check, Demand, Outcome, not_applicable, unknown
from exporter.judging.items import Filled, Item, in_force, listed, names_in_force, naming, today
from exporter.judging.names import SIGNATURE_ALGORITHMS, HashName, SignatureName
from exporter.model import Remedy
from exporter.moments import AnyDay
from exporter.remedies.certificates import failing, replacement
from exporter.remedies.servers import listed as in_words
from exporter.remedies.servers import quoted


class CertificateSignatureDemand(Demand):
    """Hashes and algorithms of signatures.

    Attributes:
        allowed: hashes; all of them where it is left out. Algorithms with a hash of their own (Ed25519, ML-DSA) are not
            judged by it.
        forbidden: hashes.
        allowed_algorithms: by OpenSSL's names.
    """

    allowed: Filled[Item[HashName]] | None = None
    forbidden: tuple[Item[HashName], ...] = ()
    allowed_algorithms: Filled[Item[SignatureName]] | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> "CertificateSignatureDemand":
        if self.allowed is None and not self.forbidden and self.allowed_algorithms is None:
            raise ValueError("asks for nothing; give it allowed, forbidden or allowed_algorithms")
        return self


def _judge(case: Case, demand: CertificateSignatureDemand) -> Outcome:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return unknown("the certificate could not be looked at")
    day = today(case)
    if not (demand.allowed or demand.allowed_algorithms or in_force(demand.forbidden, day)):
        return not_applicable("nothing of it is in force today")
    return judge_linked(facts, lambda certificate: _words(certificate, demand, day), _shown)


def _shown(certificate: ServedCertificate) -> str:
    return "self-signed" if certificate.self_signed else certificate.signature_algorithm


def _words(certificate: ServedCertificate, demand: CertificateSignatureDemand, day: AnyDay) -> Iterator[Word]:
    if certificate.self_signed:
        return
    hashed, algorithm = certificate.signature_hash, certificate.signature_algorithm
    allowed = None if demand.allowed is None else names_in_force(demand.allowed, day)
    if hashed is None:
        if allowed is not None or in_force(demand.forbidden, day):
            yield Meaning.DARK, "signature with an unknown hash", ()
    elif hashed in names_in_force(demand.forbidden, day):
        yield Meaning.WRONG, f"{hashed} signature", naming(in_force(demand.forbidden, day), [hashed])
    elif allowed is not None and hashed != INTRINSIC and hashed not in allowed:
        yield Meaning.WRONG, f"{hashed} signature", naming(demand.allowed or (), [hashed])
    if demand.allowed_algorithms is None or algorithm in names_in_force(demand.allowed_algorithms, day):
        return
    if algorithm in SIGNATURE_ALGORITHMS:
        yield Meaning.WRONG, f"signature by {algorithm}", naming(demand.allowed_algorithms, [algorithm])
    else:  # an object identifier, or the name that another version of OpenSSL uses
        yield Meaning.DARK, f"signature by {algorithm}", ()


def _asks(demand: CertificateSignatureDemand) -> str:
    parts = (
        (demand.allowed, f"signatures with {listed(demand.allowed or ())} only"),
        (demand.forbidden or None, f"no signatures with {listed(demand.forbidden)}"),
        (demand.allowed_algorithms, f"signatures by {listed(demand.allowed_algorithms or ())} only"),
    )
    return "; ".join(text for asked, text in parts if asked is not None)


def _remedy(case: Case, _demand: CertificateSignatureDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """Which certificates to replace because of their signatures."""
    notes = []
    for one in failing(case, outcome.evidence):
        signed = in_words(list(dict.fromkeys(_signed(own) for own in one.linked if not own.self_signed)))
        now = f"; now: {signed}" if signed else ""
        notes.append(f"Have {one.title} and its issuers reissued with an allowed signature{now}.")
    advice = "CAs sign with SHA-256 or better on demand; an old chain may be one of several."
    return replacement(case, [*notes, advice])


def _signed(certificate: ServedCertificate) -> str:
    return f"{certificate.signature_algorithm} for {quoted(certificate.subject)}"


CHECK = Check(
    name="certificate_signature",
    why=(
        "With a collision of the hash, a certificate can be forged. That was done with MD5 in 2008, and a "
        "collision of SHA-1 with chosen prefixes was computed in 2020."
    ),
    demand=CertificateSignatureDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)
