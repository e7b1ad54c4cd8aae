"""Check `cipher_suites`: which suites are accepted in each accepted protocol, and in which order."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby

from pydantic import model_validator

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.judging.items import SuiteItem, listed, sources, today
from exporter.judging.suites import (
    Findings,
    Rules,
    asked_for,
    excess,
    may_lack,
    misplaced,
    missing,
    ordered,
    rules_of,
)
from exporter.model import POLICY_LABEL, PROTOCOL_LABEL, Facts, Family, Label, Protocol, Remedy, Sample, Unit
from exporter.moments import AnyDay
from exporter.remedies.servers import nothing_known
from exporter.remedies.suites import choose, suites_remedies, usual
from exporter.ternary import all_of
from exporter.tls.suites import BY_NAME

_MOST_NAMED = 6
"""Maximum number of suites that a sentence names; above it the sentence gives their number."""


class CipherSuitesDemand(Demand):
    """Cipher suites by IANA or OpenSSL name, or by their properties.

    Attributes:
        allowed: for SSLv2 to TLSv1.2; None for all of them.
        tls13_allowed: for TLSv1.3; None for all of them. A policy that gives `allowed` must give it too, because a
            forgotten list would allow every suite of TLSv1.3.
        forbidden: in any protocol.
        required: each must be accepted where a protocol is accepted that the suite belongs to.
        prefer: two or more entries; where the server's order decides, suites of an earlier entry come before those of a
            later one.
    """

    allowed: tuple[SuiteItem, ...] | None = None
    tls13_allowed: tuple[SuiteItem, ...] | None = None
    forbidden: tuple[SuiteItem, ...] = ()
    required: tuple[SuiteItem, ...] = ()
    prefer: tuple[SuiteItem, ...] = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> "CipherSuitesDemand":
        if self.allowed is None and self.tls13_allowed is None and not (self.forbidden or self.required or self.prefer):
            raise ValueError("asks for nothing; give it allowed, tls13_allowed, forbidden, required or prefer")
        if self.allowed is not None and "tls13_allowed" not in self.model_fields_set:
            raise ValueError("needs tls13_allowed in addition to allowed; null allows all suites of TLSv1.3")
        if len(self.prefer) == 1:
            raise ValueError("prefer needs two entries at least, to put one before the other")
        for entries, tls13, right in ((self.allowed, True, "tls13_allowed"), (self.tls13_allowed, False, "allowed")):
            for name in (name for entry in entries or () for name in entry.names):
                if (name in BY_NAME and BY_NAME[name].tls13) is tls13:
                    raise ValueError(f"{name} belongs into {right}")
        return self

    def rules(self, day: AnyDay) -> Rules:
        """The rules that the demand makes on this day."""
        return rules_of(self.allowed, self.tls13_allowed, (self.forbidden, self.required, self.prefer), day)


def _judge(case: Case, demand: CipherSuitesDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the cipher suites are not known")
    rules = demand.rules(today(case))
    too_many, too_few, misordered = parts = excess(facts, rules), missing(facts, rules), misplaced(facts, rules)
    if any(part.wrong for part in parts):
        said = (*_too_many(too_many), *_too_few(too_few), *_misordered(misordered))
        evidence = {key: suites for part in parts for key, suites in part.wrong.items()}
        return failed("; ".join(said), evidence, sources(entry for part in parts for entry in part.entries))
    return _unknown(parts) or _good(facts, rules)


def _too_many(found: Findings) -> Iterator[str]:
    count = len({suite for suites in found.wrong.values() for suite in suites})
    if count:
        where = ", ".join(found.wrong)
        yield f"accepts {count} cipher suite{'s' if count > 1 else ''} that the policy does not allow ({where})"


def _too_few(found: Findings) -> Iterator[str]:
    for suites in found.wrong.values():
        yield f"does not accept {', '.join(suites)}"


def _misordered(found: Findings) -> Iterator[str]:
    if found.wrong:
        yield f"does not prefer what the policy prefers ({', '.join(found.wrong)})"


def _unknown(parts: Sequence[Findings]) -> Outcome | None:
    """What the check needs to know and does not; None when nothing is missing."""
    lists = {protocol for part in parts for protocol in part.open_lists}
    if lists:
        names = tuple(protocol.value for protocol in Protocol if protocol in lists)
        return unknown(f"the list of {', '.join(names)} may not be complete", {"unknown": names})
    orders = tuple(protocol.value for protocol in Protocol if any(protocol in part.open_orders for part in parts))
    if orders:
        return unknown(f"it is not known whose order decides in {', '.join(orders)}", {"unknown": orders})
    suites = tuple(sorted({suite for part in parts for suite in part.open_suites}))
    if suites:
        return unknown(f"it is not known what {', '.join(suites)} is", {"unknown": suites})
    return None


def _good(facts: HandshakeFacts, rules: Rules) -> Outcome:
    said = []
    if rules.limits:
        said.append("accepts only cipher suites that the policy allows")
    if rules.required and asked_for(facts, rules):
        said.append("accepts those that it requires")
    if rules.prefer and ordered(facts):
        said.append("prefers those that it prefers")
    if said:
        return passed("; ".join(said))
    return not_applicable("nothing of it is in force today, or for what the server accepts")


def _asks(demand: CipherSuitesDemand) -> str:
    return "; ".join(_asked(demand))


def _asked(demand: CipherSuitesDemand) -> Iterator[str]:
    if demand.allowed is not None:
        yield f"{_shown(demand.allowed)} only"
    if demand.tls13_allowed is not None:
        yield f"in TLSv1.3 {_shown(demand.tls13_allowed)} only"
    if demand.forbidden:
        yield f"no {_shown(demand.forbidden)}"
    if demand.required:
        yield f"{_shown(demand.required)} required"
    if demand.prefer:
        yield f"in falling order: {_shown(demand.prefer)}"


def _shown(entries: Sequence[SuiteItem]) -> str:
    """The entries for a person; where there are many names, the number of names with the same days."""
    if sum(len(entry.names) or 1 for entry in entries) <= _MOST_NAMED:
        return listed(entries) or "none"
    said: list[str] = []
    for (by_name, days), several in groupby(entries, lambda entry: (entry.where is None, entry.days)):
        of_one_kind = list(several)
        count = sum(len(entry.names) for entry in of_one_kind)
        said.append(f"{count} cipher suites{days}" if by_name and count > 1 else listed(of_one_kind))
    return ", ".join(said)


NONCOMPLIANT = Family(
    "tls_posture_cipher_suites_noncompliant",
    "Number of accepted cipher suites that the policy does not allow (as of the last scan)",
    Unit.COUNT,
    "for a protocol that is refused, when it is not known of each suite, and without a policy that limits suites",
    labels=(PROTOCOL_LABEL, POLICY_LABEL),
    example=3,
)
SUITE_INFO = Family(
    "tls_posture_cipher_suite_info",
    "1 for each accepted cipher suite; compliant is empty where it cannot be told (as of the last scan)",
    Unit.ONE,
    "for a suite that is refused or not known, and without a policy that limits suites",
    labels=(
        PROTOCOL_LABEL,
        Label("cipher_suite", "IANA name of the suite", example="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        Label("compliant", "whether the policy allows it; empty when that is not known", ("true", "false", "")),
        POLICY_LABEL,
    ),
)


def suite_rules(demands: Iterable[Demand], day: AnyDay) -> list[Rules]:
    """The rules in force on this day of those demands that limit suites. A suite is compliant when each allows it."""
    ours = (demand for demand in demands if isinstance(demand, CipherSuitesDemand) and demand.counts(day))
    return [rules for demand in ours if (rules := demand.rules(day)).limits]


def _samples(facts: Facts, demands: Sequence[CipherSuitesDemand], policy: str, day: AnyDay) -> Iterator[Sample]:
    """Samples of all demands together."""
    handshake = facts.get(HandshakeFacts)
    rules = suite_rules(demands, day)
    if handshake is None or not rules:
        return
    for protocol in handshake.accepted:
        suites = handshake.cipher_suites.get(protocol, ())
        verdicts = {suite: all_of(one.allows(protocol, suite) for one in rules) for suite in suites}
        if not may_lack(handshake, protocol) and None not in verdicts.values():
            count = sum(verdict is False for verdict in verdicts.values())
            yield Sample(NONCOMPLIANT, count, {"protocol": protocol, "policy": policy})
        for suite, verdict in verdicts.items():
            compliant = "" if verdict is None else str(verdict).lower()
            labels = {"protocol": protocol, "cipher_suite": suite, "compliant": compliant, "policy": policy}
            yield Sample(SUITE_INFO, 1, labels)


def _remedy(case: Case, demand: CipherSuitesDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The lists to set: suites that are accepted and permitted, and the required ones.

    They keep the server's order unless the policy prefers another.
    """
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return nothing_known()
    rules = demand.rules(today(case))
    chosen = choose(facts, rules.permits, list(_required(facts, rules)), rules.rank)
    return suites_remedies(case, facts, chosen, outcome.evidence)


def _required(facts: HandshakeFacts, rules: Rules) -> Iterator[str]:
    """The required suites that are not accepted. Of an entry by properties, the usual suites."""
    accepted = {name for protocol in facts.accepted for name in facts.cipher_suites.get(protocol, ())}
    for entry in rules.required:
        if entry.where is None:
            yield from entry.names
        elif not any(entry.matches(name) for name in accepted):
            for tls13, protocol in ((False, Protocol.TLS1_2), (True, Protocol.TLS1_3)):
                yield from usual(partial(_both, entry, rules, protocol), tls13=tls13)


def _both(entry: SuiteItem, rules: Rules, protocol: Protocol, name: str) -> bool:
    return bool(entry.matches(name)) and rules.permits(protocol, name)


CHECK = Check(
    name="cipher_suites",
    why=(
        "The suite decides how traffic is encrypted. A client that is old or badly configured gets a weak "
        "suite if the server accepts one."
    ),
    demand=CipherSuitesDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
    families=(NONCOMPLIANT, SUITE_INFO),
    full=frozenset({SUITE_INFO}),
    samples=_samples,
)
