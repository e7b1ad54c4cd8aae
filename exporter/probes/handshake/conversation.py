"""The exchanges with one server in one scan: sends hellos, counts them, and keeps what the answers show."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol, Reason
from exporter.net.dial import Dialer
from exporter.probes.handshake.answers import refuses_alpn
from exporter.probes.handshake.consistency import Consistency
from exporter.probes.handshake.exchange import SILENCE, NoAnswer, Unanswered, exchange_again
from exporter.probes.handshake.hello import KEY_SHARE_GROUPS, Offer, client_hello, ssl2_client_hello
from exporter.probes.handshake.life import SHORT_LIST, shows_life
from exporter.probes.handshake.observations import Observations
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.quirks import ServerQuirks
from exporter.probes.handshake.reduced_hello import groups_usual_first, schemes_usual_first, seen_last
from exporter.probes.handshake.server_hello import Answer, ServerHello
from exporter.tls.parameters import APPLICATION_PROTOCOLS
from exporter.tls.suites import VERSION_CODES

_MOST_BROKEN_FLIGHTS = 2
"""After so many flights that ended before ServerHelloDone, no message after a ServerHello is waited for."""


class Conversation:
    """All exchanges with one server.

    Attributes:
        target_name: the server name of the target; None where it has none.
        observations: what the answers showed besides the suite.
        quirks: peculiarities of the server.
        consistency: contradictions between its answers.
        notes: what went wrong, for a person to read.
        connections_by_purpose: purpose -> connections opened for it.
        no_answers: all ways in which the server did not answer.
        heard: set once something was heard from the server, be it the end of a connection.
        answered: it has spoken TLS (or SSL 2) at least once.
        accepted_any: it has accepted a hello at least once.
    """

    def __init__(self, dialer: Dialer, previous: HandshakeFacts | None = None) -> None:
        self._dialer = dialer
        self._reached = False
        self.target_name = dialer.target.server_name
        self.observations = Observations()
        self.quirks = ServerQuirks()
        self.consistency = Consistency(self.observations, previous)
        self.notes: list[str] = []
        self.connections_by_purpose: Counter[str] = Counter()
        self.no_answers: set[NoAnswer] = set()
        self.heard = asyncio.Event()
        self.answered = False
        self.accepted_any = False

    @property
    def server_name(self) -> str | None:
        """The server name that hellos carry."""
        return None if self.quirks.drops_server_name else self.target_name

    @property
    def leaves_out_alpn(self) -> bool:
        """Whether hellos carry no application protocols."""
        return self.quirks.drops_alpn or self.quirks.requires_known_alpn

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    async def ask(self, protocol: Protocol, suites: Sequence[int]) -> Answer | Unanswered:
        """The answer to a hello that offers these suites and all else; the hello of SSL 2 offers all suites anyway."""
        return await self.put(HelloQuery(protocol, tuple(suites)))

    async def put(self, query: HelloQuery) -> Answer | Unanswered:
        """The answer to the hello of a query.

        Raises:
            ProbeError: the server has not been reached before, and this connection failed.
        """
        protocol = query.protocol
        if protocol is Protocol.SSL2:
            return await self._send(query, ssl2_client_hello())
        offer = self._offer(query)
        answer = await self._send(query, client_hello(offer))
        if refuses_alpn(answer) and query.alpn is None and offer.offers_alpn:
            self.quirks.requires_known_alpn = True
            return await self.put(query)
        if isinstance(answer, ServerHello) and answer.version == offer.version and answer.suite in offer.suites:
            self.accepted_any = True
            self.observations.add(protocol, offer, answer)
        reads_all_suites = self.quirks.reads_long_lists or len(set(query.suites)) < SHORT_LIST
        self.consistency.check(query, answer, reads_all_suites=reads_all_suites)
        return answer

    def _offer(self, query: HelloQuery) -> Offer:
        """What the hello of a query offers.

        A list that the query does not restrict is offered completely. What the server has chosen before comes after
        what is usual. A server that follows the client's order then chooses something new, and one that follows its
        own order shows that it does.
        """
        protocol, quirks = query.protocol, self.quirks
        key_shares = () if query.key_share is None else (query.key_share,)
        return Offer(
            VERSION_CODES[protocol],
            query.suites,
            self.server_name,
            groups=self._all_groups(query) if query.groups is None else query.groups,
            schemes=self._all_schemes(query) if query.schemes is None else query.schemes,
            alpn=self._all_alpn() if query.alpn is None else query.alpn,
            optional_extensions=not quirks.drops_optional_extensions,
            fallback=query.fallback,
            key_shares=KEY_SHARE_GROUPS if quirks.needs_key_shares else key_shares,
        )

    def _all_groups(self, query: HelloQuery) -> tuple[int, ...]:
        seen = self.observations.of(query.protocol)
        groups = groups_usual_first(query.protocol, seen)
        reads = self.observations.reads_at_least("groups", query.protocol, len(groups) - len(seen.groups))
        return seen_last(groups, seen.groups) if query.chosen_last or reads else groups

    def _all_schemes(self, query: HelloQuery) -> tuple[int, ...]:
        seen = self.observations.of(query.protocol)
        schemes = schemes_usual_first(seen)
        reads = self.observations.reads_at_least("schemes", query.protocol, len(schemes) - len(seen.schemes))
        return seen_last(schemes, seen.schemes) if query.chosen_last or reads else schemes

    def _all_alpn(self) -> tuple[str, ...]:
        return () if self.leaves_out_alpn else seen_last(APPLICATION_PROTOCOLS, self.observations.alpn)

    async def _send(self, query: HelloQuery, hello: bytes) -> Answer | Unanswered:
        first = not self._reached
        answer = await self._exchange(query, hello, retry_silence=not first)
        self._reached = True
        if first and isinstance(answer, Unanswered) and answer.cause is NoAnswer.TIMEOUT:
            await self._require_life(query)
            answer = await self._exchange(query, hello, retry_silence=True)
        self._keep(query, answer)
        return answer

    async def _require_life(self, query: HelloQuery) -> None:
        """Find out whether the server answers any hello, after silence from the beginning.

        Raises:
            ProbeError: it does not.
        """
        if not await shows_life(self._dialer, self.target_name, lambda: self._count(query)):
            asked = self.connections_by_purpose.total()
            raise ProbeError(
                Reason.HANDSHAKE_TIMEOUT,
                f"the server did not answer in time: silent to {asked} hellos of all protocols",
            )
        self._hear()

    def _hear(self) -> None:
        self.heard.set()
        self._dialer.patience.answered()

    def _count(self, query: HelloQuery) -> None:
        self.connections_by_purpose.update([query.purpose])

    async def _exchange(self, query: HelloQuery, hello: bytes, *, retry_silence: bool) -> Answer | Unanswered:
        return await exchange_again(
            self._dialer,
            hello,
            reached=self._reached,
            retry_silence=retry_silence,
            # Where this seems to be how the server refuses, one try is enough: the proof at the end repeats it.
            retry_ended=not self.quirks.refuses_by_closing,
            read_rest=self.quirks.broken_flights < _MOST_BROKEN_FLIGHTS,
            count=lambda: self._count(query),
        )

    def _keep(self, query: HelloQuery, answer: Answer | Unanswered) -> None:
        """Remember how the server answered."""
        if not isinstance(answer, Unanswered) or answer.cause not in SILENCE:
            self._hear()
        if isinstance(answer, Unanswered):
            self.no_answers.add(answer.cause)
            self.note(f"{query.protocol}: the server {answer}")
        else:
            self.answered = True
        if isinstance(answer, ServerHello) and answer.version < VERSION_CODES[Protocol.TLS1_3]:
            self.quirks.broken_flights += not answer.rest.complete and answer.rest.alert is None
