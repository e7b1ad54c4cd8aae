"""Whether the answers of one server agree with each other and with those of the scan before."""

from collections.abc import Iterator

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol
from exporter.probes.handshake.answers import PROTOCOL_VERSION, REFUSALS
from exporter.probes.handshake.exchange import Unanswered
from exporter.probes.handshake.observations import Observations
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.server_hello import Alert, Answer, ServerHello
from exporter.tls.suites import VERSION_CODES

PROTOCOLS_BY_CODE = {code: protocol for protocol, code in VERSION_CODES.items()}
REPEATS, REPEATS_ON_SUSPICION = 1, 16
"""How often a refusal is asked for again, without and with a reason to doubt it.

There is a reason where the scan before found accepted what is refused now, or found contradictions. With 16, one of
three machines that answer at random is missed in two scans of a thousand."""


class Consistency:
    """What one server said once, and then contradicted.

    Attributes:
        previous: what the scan before found.
        refused_suites: suites that it refused, of protocols that it accepts; taking one later is a contradiction.
        withdrawn_versions: protocols whose version it refused after it had accepted them. This is a contradiction,
            unless a proof shows that the server refuses everything by protocol_version.
        downgrades: protocols it answered in although the hello asked for a newer one -> a suite it took.
    """

    def __init__(self, observations: Observations, previous: HandshakeFacts | None) -> None:
        self._observations = observations
        self._contradictions: list[str] = []
        self.previous = previous
        self.refused_suites: dict[Protocol, set[int]] = {}
        self.withdrawn_versions: set[Protocol] = set()
        self.downgrades: dict[Protocol, int] = {}

    def contradict(self, protocol: Protocol, what: str) -> None:
        """Add a contradiction, once."""
        text = f"{protocol}: {what}"
        if text not in self._contradictions:
            self._contradictions.append(text)

    def contradictions(self) -> Iterator[str]:
        """All contradictions, those within the observations last; one may come twice."""
        yield from self._contradictions
        yield from self._observations.contradictions()

    def check(self, query: HelloQuery, answer: Answer | Unanswered, *, reads_all_suites: bool) -> None:
        """Compare an answer with what was answered before.

        `reads_all_suites` is whether the server is known to read a list of suites as long as that of the query.
        """
        protocol = query.protocol
        if isinstance(answer, Alert):
            self._check_refusal(query, answer, reads_all_suites=reads_all_suites)
        if not isinstance(answer, ServerHello) or answer.suite not in query.suites:
            return
        if answer.version == VERSION_CODES[protocol]:
            if answer.suite in self.refused_suites.get(protocol, ()):
                self.contradict(protocol, "cipher suites")
        elif (older := PROTOCOLS_BY_CODE.get(answer.version)) and answer.version < VERSION_CODES[protocol]:
            self.downgrades.setdefault(older, answer.suite)

    def _check_refusal(self, query: HelloQuery, alert: Alert, *, reads_all_suites: bool) -> None:
        accepted = self._observations.of(query.protocol).suites
        if alert.description == PROTOCOL_VERSION and accepted:
            self.withdrawn_versions.add(query.protocol)
        conclusive = alert.description in REFUSALS and reads_all_suites and query.unrestricted
        if conclusive and set(query.suites) <= set(accepted):
            self.contradict(query.protocol, "cipher suites")

    def repeats(self, least: int = REPEATS, *, suspicious: bool = False) -> int:
        """How often to ask again for what was refused: `least`, more often where the refusal is `suspicious`.

        None at all once the answers of this scan contradict each other: then no refusal counts, so none is checked.
        """
        if any(True for _ in self.contradictions()):
            return 0
        suspicious = suspicious or (self.previous is not None and bool(self.previous.contradictions))
        return REPEATS_ON_SUSPICION if suspicious else least

    def newly_refused(self, protocol: Protocol) -> bool:
        """Whether the scan before found this protocol accepted, and no answer of this scan was in it."""
        previous = self.previous
        return (
            previous is not None
            and bool(previous.protocols.get(protocol))
            and not self._observations.of(protocol).suites
        )
