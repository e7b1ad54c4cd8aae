"""One target as people see it: everything that its templates show. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from exporter.derived.caa import CaaIssuer
from exporter.derived.clients import ClientConnections
from exporter.derived.software import Software
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import DnsFacts, MtaStsFacts, StsPolicyFacts, TlsaFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import HttpFacts
from exporter.grade import Grade, Letter
from exporter.html.target.ages import FactAge, fact_ages, first_failure, headline
from exporter.html.target.attacks import AttackRow, attack_rows
from exporter.html.target.certificates import ShownChain, shown_chains
from exporter.html.target.findings import ACCEPTED, ShownPolicy, Since, shown_policies, worst
from exporter.html.target.history import ShownHistory
from exporter.html.target.outcomes import ShownClients, ShownGrade, shown_clients, shown_grade
from exporter.html.target.protocols import ProtocolGrid, protocol_grid
from exporter.model import Disagreement, Failure, Report, Target
from exporter.policies import Policy
from exporter.ternary import all_of

_BEST_FIRST = tuple(Letter)
NO_SINCE: Since = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AddressView:
    """What is known of one address of a target. Parts of which nothing is known are None.

    Attributes:
        prefix: of the ids of its elements; empty for the first address.
        headline: what happened in the last scan if it was not a success; else empty.
        failure: why the server could not be asked in the last scan.
        reachable: something is known of the server.
        ages: probe -> its facts, or why there are none.
    """

    report: Report
    prefix: str
    headline: str
    failure: Failure | None
    reachable: bool
    policies: tuple[ShownPolicy, ...]
    grid: ProtocolGrid | None
    attacks: tuple[AttackRow, ...] | None
    certificate: CertificateFacts | None
    chains: tuple[ShownChain, ...]
    http: HttpFacts | None
    caa: DnsFacts | None
    caa_issuer: CaaIssuer | None
    tlsa: TlsaFacts | None
    mta_sts: MtaStsFacts | None
    mta_sts_policy: StsPolicyFacts | None
    software: Software | None
    clients: ShownClients | None
    grade: ShownGrade | None
    ages: Mapping[str, FactAge]

    @property
    def address(self) -> str | None:
        """The address, where the target is scanned at several."""
        return self.report.address

    @property
    def mark(self) -> str:
        """The worst mark of all policies."""
        return worst(policy.mark for policy in self.policies)


@dataclass(frozen=True, slots=True)
class TargetView:
    """One target.

    Attributes:
        policies: name -> mark at all addresses together; `unknown` before the first scan.
        addresses: those that were scanned, the worst first; empty before the first scan.
        disagreements: between the addresses; None if no two could be compared.
        next_scan_at: None where that is not known.
        history: None where it is not known.
        now: the time of this view.
    """

    target: Target
    policies: Mapping[str, str]
    addresses: tuple[AddressView, ...]
    disagreements: tuple[Disagreement, ...] | None
    now: datetime
    next_scan_at: datetime | None = None
    history: ShownHistory | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def grade(self) -> Letter | None:
        """The worst of all addresses; None where the grade of one is not known."""
        letters = [one.grade.grade.letter if one.grade else None for one in self.addresses]
        known = [letter for letter in letters if letter is not None]
        return max(known, key=_BEST_FIRST.index) if known and len(known) == len(letters) else None

    @property
    def scanned_at(self) -> datetime | None:
        """End of the last scan; None before the first one."""
        return max((one.report.result.ended_at for one in self.addresses), default=None)

    @property
    def last_success_at(self) -> datetime | None:
        """End of the last successful scan of any address."""
        times = [one.report.last_success_at for one in self.addresses]
        return max((at for at in times if at is not None), default=None)

    @property
    def success(self) -> bool | None:
        """Whether the last scan was successful at every address; None before the first one."""
        return all(one.report.result.success for one in self.addresses) if self.addresses else None


def address_view(
    report: Report, policies: Sequence[Policy], place: int, now: datetime, since: Since = NO_SINCE
) -> AddressView:
    """The view of one address. It takes some milliseconds.

    Args:
        report: of the address.
        policies: of the target, in its order.
        place: of the address on the page, from 0.
        now: the time of the view.
        since: since when verdicts are as they are, where that is known.
    """
    prefix = f"address-{place + 1}-" if place else ""
    facts, failure = report.facts, first_failure(report)
    handshake, certificate = facts.get(HandshakeFacts), facts.get(CertificateFacts)
    connections, grade = facts.get(ClientConnections), facts.get(Grade)
    ages = {one.probe: one for one in fact_ages(report)}
    return AddressView(
        report=report,
        prefix=prefix,
        headline="" if report.result.success else headline(failure),
        failure=failure,
        reachable=handshake is not None or certificate is not None,
        policies=shown_policies(report, prefix, since),
        grid=protocol_grid(handshake, policies, report.judged_on) if handshake else None,
        attacks=attack_rows(facts),
        certificate=certificate,
        chains=shown_chains(certificate, now) if certificate else (),
        http=facts.get(HttpFacts),
        caa=facts.get(DnsFacts),
        caa_issuer=facts.get(CaaIssuer),
        tlsa=facts.get(TlsaFacts),
        mta_sts=facts.get(MtaStsFacts),
        mta_sts_policy=facts.get(StsPolicyFacts),
        software=facts.get(Software),
        clients=shown_clients(connections) if connections else None,
        grade=shown_grade(grade) if grade else None,
        ages=ages,
    )


def target_view(  # noqa: PLR0913 - each is a part of the page
    target: Target,
    policies: Sequence[Policy],
    addresses: Sequence[AddressView],
    *,
    now: datetime,
    next_scan_at: datetime | None = None,
    history: ShownHistory | None = None,
) -> TargetView:
    """The view of a target from those of its addresses, in the order in which they are shown."""
    marks = {policy.name: _together(policy.name, addresses) for policy in policies}
    disagreements = addresses[0].report.disagreements if addresses else None
    return TargetView(target, marks, tuple(addresses), disagreements, now, next_scan_at, history, dict(target.labels))


def worst_first(reports: Sequence[Report]) -> list[Report]:
    """The reports of the addresses of a target in the order in which they are shown."""

    def rank(report: Report) -> tuple[int, int]:
        met = report.compliant
        return (False, None, True).index(met), -sum(one.verdict == "fail" for one in report.findings)

    return sorted(reports, key=rank)


def _together(policy: str, addresses: Sequence[AddressView]) -> str:
    """The mark of a policy at all addresses. It passes only where it is met at each of them."""
    found = [one for address in addresses for one in address.policies if one.name == policy]
    mark = worst(one.mark for one in found)
    if mark in {"fail", ACCEPTED}:
        return mark
    return "pass" if found and all_of(one.met for one in found) else "unknown"
