"""Check `certificate_key`: the keys of all certificates that clients use are of a good kind and long enough."""

from collections.abc import Iterator

from pydantic import Field, model_validator

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, ServedCertificate
from exporter.judging.certificates import Meaning, Word, judge_linked
from exporter.judging.check import Check, Demand, Outcome, unknown
from exporter.judging.items import Filled, Item, listed, names_in_force, naming, today
from exporter.judging.names import CurveName, KeyName
from exporter.model import Remedy
from exporter.moments import AnyDay
from exporter.pki import keys
from exporter.remedies.certificates import WantedKey, failing, new_key, replacement
from exporter.remedies.servers import listed as in_words


class CertificateKeyDemand(Demand):
    """Kinds of keys, their minimum sizes, and curves. A part that is left out allows anything.

    Attributes:
        leaf_only: judges the leaf only, not its issuers.
    """

    allowed: Filled[Item[KeyName]] | None = None
    min_rsa_bits: int | None = Field(default=None, ge=1, strict=True)
    min_ec_bits: int | None = Field(default=None, ge=1, strict=True)
    curves: Filled[Item[CurveName]] | None = None
    leaf_only: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _asks_for_something(self) -> "CertificateKeyDemand":
        if (self.allowed, self.min_rsa_bits, self.min_ec_bits, self.curves) == (None, None, None, None):
            raise ValueError("asks for nothing; give it allowed, min_rsa_bits, min_ec_bits or curves")
        return self


def _judge(case: Case, demand: CertificateKeyDemand) -> Outcome:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return unknown("the certificate could not be looked at")
    day = today(case)
    return judge_linked(facts, lambda certificate: _words(certificate, demand, day), _shown, leaf_only=demand.leaf_only)


def _shown(certificate: ServedCertificate) -> str:
    """The key for a person: `EC P-256`, `RSA 2048`, `Ed25519`."""
    sized = certificate.curve or certificate.key_size_bits
    return certificate.key_algorithm if sized is None else f"{certificate.key_algorithm} {sized}"


def _words(certificate: ServedCertificate, demand: CertificateKeyDemand, day: AnyDay) -> Iterator[Word]:
    kind, bits = certificate.key_algorithm, certificate.key_size_bits
    least = {keys.RSA: demand.min_rsa_bits, keys.EC: demand.min_ec_bits}.get(kind)
    if kind == keys.UNKNOWN:
        yield Meaning.DARK, "key of a kind that cannot be read", ()
    elif demand.allowed is not None and kind not in names_in_force(demand.allowed, day):
        yield Meaning.WRONG, f"{kind} key", naming(demand.allowed, [kind])
    elif least is not None and bits is None:
        yield Meaning.DARK, f"{kind} key of unknown size", ()
    elif least is not None and bits is not None and bits < least:
        yield Meaning.WRONG, f"{kind} key of {bits} bits", ()
    elif kind == keys.EC and demand.curves is not None and certificate.curve is None:
        yield Meaning.DARK, "EC key on an unknown curve", ()
    elif kind == keys.EC and demand.curves is not None and certificate.curve not in names_in_force(demand.curves, day):
        yield Meaning.WRONG, f"EC key on {certificate.curve}", naming(demand.curves, [str(certificate.curve)])


def _asks(demand: CertificateKeyDemand) -> str:
    parts = (
        (demand.allowed, f"keys of {listed(demand.allowed or ())} only"),
        (demand.min_rsa_bits, f"RSA of {demand.min_rsa_bits} bits or more"),
        (demand.min_ec_bits, f"EC of {demand.min_ec_bits} bits or more"),
        (demand.curves, f"on {listed(demand.curves or ())} only"),
    )
    said = ", ".join(text for asked, text in parts if asked is not None)
    return f"{said}, of the server's own certificate" if demand.leaf_only else said


def _remedy(case: Case, demand: CertificateKeyDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """A key that the demand allows, and how to create one."""
    notes = []
    for one in failing(case, outcome.evidence):
        weak = in_words(outcome.evidence.get(one.title, ()))
        notes.append(f"Replace {one.title}{f' ({weak})' if weak else ''} by a certificate with a key as asked for.")
    return replacement(case, [*notes, new_key(_wanted(demand, today(case)))])


def _wanted(demand: CertificateKeyDemand, day: AnyDay) -> WantedKey:
    return WantedKey(
        keys.ALGORITHMS if demand.allowed is None else names_in_force(demand.allowed, day),
        demand.min_rsa_bits or 0,
        demand.min_ec_bits or 0,
        None if demand.curves is None else names_in_force(demand.curves, day),
    )


CHECK = Check(
    name="certificate_key",
    why=(
        "The public key is in the certificate. A private key can be computed from a public key that is too "
        "short: RSA with 829 bits was factored in 2020."
    ),
    demand=CertificateKeyDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)
