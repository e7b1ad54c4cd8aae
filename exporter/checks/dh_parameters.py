"""Check `dh_parameters`: primes of finite-field key exchanges up to TLS 1.2 are large enough, or well-known."""

from pydantic import Field, model_validator

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.judging.names import NAMED_PRIMES
from exporter.judging.suites import may_lack
from exporter.model import Protocol, Remedy
from exporter.remedies.parameters import SOUND_PRIME_BITS, dh_change
from exporter.remedies.servers import remedies
from exporter.tls.suites import BY_NAME

_FINITE = {"DH", "DHE", "ADH"}


class DhParametersDemand(Demand):
    """Minimum size of primes.

    Attributes:
        min_bits: None for any size.
        named_only: only the primes of RFC 7919.
    """

    min_bits: int | None = Field(default=None, ge=1, strict=True)
    named_only: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _asks_for_something(self) -> "DhParametersDemand":
        if self.min_bits is None and not self.named_only:
            raise ValueError("asks for nothing; give it min_bits, or named_only: true")
        return self


def _judge(case: Case, demand: DhParametersDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the key exchanges are not known")
    wrong = tuple(dict.fromkeys(_shown(prime) for prime in facts.dh_primes if not _good(prime, demand)))
    if wrong:
        return failed(f"uses {', '.join(wrong)}", {"primes": wrong})
    dark = tuple(p.value for p in Protocol if p not in {Protocol.SSL2, Protocol.TLS1_3} and may_lack(facts, p))
    if dark:
        return unknown(f"the list of {', '.join(dark)} may not be complete", {"unknown": dark})
    classic = [p for p in facts.accepted if p not in {Protocol.SSL2, Protocol.TLS1_3}]
    finite = [(p, name) for p in classic for name in facts.cipher_suites.get(p, ()) if _may_be_finite(name)]
    unread = tuple(dict.fromkeys(name for p, name in finite if not facts.dh_primes or facts.hides_prime(p, name)))
    if unread:
        return unknown(f"the prime of {', '.join(unread)} was not seen", {"unknown": unread})
    if not facts.dh_primes:
        return not_applicable("no finite-field key exchange is accepted")
    return passed(f"uses {', '.join(dict.fromkeys(map(_shown, facts.dh_primes)))}")


def _good(prime: Prime, demand: DhParametersDemand) -> bool:
    large = demand.min_bits is None or prime.bits >= demand.min_bits
    return large and (not demand.named_only or prime.name in NAMED_PRIMES)


def _may_be_finite(name: str) -> bool:
    return name not in BY_NAME or BY_NAME[name].agreement in _FINITE


def _shown(prime: Prime) -> str:
    """The prime for a person: `ffdhe2048`, or `a prime of 1024 bits`."""
    return prime.name if prime.name in NAMED_PRIMES else f"a prime of {prime.bits} bits"


def _asks(demand: DhParametersDemand) -> str:
    size = "" if demand.min_bits is None else f" of {demand.min_bits} bits or more"
    return f"primes{size}{', of RFC 7919 only' if demand.named_only else ''}"


def _remedy(case: Case, demand: DhParametersDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """A known prime of the demanded size."""
    return remedies(case, dh_change(demand.min_bits or SOUND_PRIME_BITS))


CHECK = Check(
    name="dh_parameters",
    why=(
        "Primes of 1024 bits and less can be broken, and the work for one prime serves against all servers "
        "that use it (Logjam, CVE-2015-4000)."
    ),
    demand=DhParametersDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)
