"""Finds out what a server accepts in few connections: offers everything, removes what was chosen, asks again.

What counts as a refusal:

- An alert that means one, or an answer in another version.
- The end of the connection without an alert, orderly or by a reset, or another fatal alert: only with a proof
  (`refusal_proof`), given at the end and with no other connection open. Asked again, the server must end these hellos
  each time. And it must answer the hellos before, between and after them, which offer what it is known to accept.
  asyncio's servers close, Schannel and many load balancers reset, tlslite-ng sends illegal_parameter. A front that
  limits connections ends any of them, and so fails this proof.
- Silence never: it can have any cause. What it leaves open is unknown.

An alert counts only if it comes twice. The end of a list of suites and old protocols that were refused are asked for
again: some servers send alerts at random, and machines that take turns behind one address do not refuse the same.

When a list is complete: the server refused all that remains of it and read it to the end. The latter is proved once, by
accepted suites that are offered after those it refused; a server that fails this is asked in short lists. In addition
it chose suites for ECDSA and others from one list, or refused each kind by itself. Some servers (HAProxy) choose the
certificate first, and then look only at the suites that fit it.

Groups, signature schemes and application protocols are found on the way (`observations`). The rest of them is asked for
at the end of a protocol (`enumeration`).
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from types import MappingProxyType

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol
from exporter.net.dial import Dialer
from exporter.probes.handshake.conclusion import conclude, conclude_early, failure
from exporter.probes.handshake.confirmation import Confirmation
from exporter.probes.handshake.consistency import REPEATS
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import NoAnswer, Unanswered
from exporter.probes.handshake.fallback import refuses_fallback
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.refusal_proof import prove_refusals
from exporter.probes.handshake.server_hello import Alert, ServerHello, SSL2ServerHello
from exporter.probes.handshake.ssl2 import read_ssl2
from exporter.probes.handshake.summary import summary
from exporter.probes.handshake.sweep import offer_once
from exporter.probes.handshake.tls12 import TLS12Reader
from exporter.probes.handshake.tls13 import read_tls13
from exporter.probes.handshake.tolerance import find_tolerated_hello
from exporter.tls.suites import BY_NAME, CLASSIC_SUITES, TLS13_SUITES, VERSION_CODES

_SLOW = 0.25
"""Share of the time there is. A server whose TLS 1.2 is not read by then is slow; others take a tenth of it at most."""


class ChangedError(Exception):
    """An answer is not the one that a confirmation expects."""


class Engine:
    """One scan of one server.

    Attributes:
        timed_out: the time was over before all was asked.
    """

    def __init__(
        self,
        dialer: Dialer,
        previous: HandshakeFacts | None = None,
        *,
        samples: Random | None = None,
        spent: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Create it: `previous` is what the scan before found, where that still holds.

        With `samples`, which chooses at random, the accepted protocols of the scan before are only confirmed. `spent`
        are connections by purpose that were opened before, to be counted too.
        """
        self._conversation = Conversation(dialer, previous)
        self._conversation.connections_by_purpose.update(spent)
        self._tls12 = TLS12Reader(self._conversation)
        self._confirmation: Confirmation | None = None
        self._expected: frozenset[Protocol] = frozenset()
        if samples is not None and previous is not None:
            self._confirmation = Confirmation(self._conversation, self._tls12, previous, samples)
            self._expected = frozenset(previous.accepted) - {Protocol.SSL2}
        self._changed = False
        self.timed_out = False
        self._results: dict[Protocol, ProtocolResult] = {}
        self._early: dict[Protocol, ProtocolResult] = {}
        self._confirmed: set[Protocol] = set()

    @property
    def hellos(self) -> Counter[str]:
        """Connections by purpose so far."""
        return self._conversation.connections_by_purpose

    def confirmable(self, facts: HandshakeFacts) -> bool:
        """Whether these facts of the scan are complete, and so clear that a few answers can confirm them."""
        names = [name for p in facts.accepted if p is not Protocol.SSL2 for name in facts.cipher_suites.get(p, ())]
        short = any(one.usual_only for result in self._results.values() for one in result.enumerations)
        return (
            not (
                self.timed_out or short or facts.contradictions or facts.cipher_suites_incomplete or facts.asked_without
            )
            and None not in facts.protocols.values()
            and all(name in BY_NAME for name in names)
            and (self._conversation.quirks.reads_long_lists or facts.accepted == (Protocol.TLS1_3,))
        )

    async def read(self, until: float | None = None) -> HandshakeFacts:
        """All facts that hellos show.

        `until` is a time of the running loop, in seconds. What is not finished then is unknown.

        Raises:
            ChangedError: an answer is not the one that the confirmation expects.
            ProbeError: the server was not reached, or no protocol was accepted, with the reason.
        """
        conversation, results = self._conversation, self._results
        fallback: bool | None = None
        proved: frozenset[HelloQuery] = frozenset()
        try:
            async with asyncio.timeout_at(until):
                await self._read_all(until)
                fallback = await refuses_fallback(conversation, results)
                proved = await prove_refusals(conversation, results)
        except TimeoutError:
            self.timed_out = True
            conclude_early(conversation, results, self._early, self._confirmed)
        conclude(conversation, results, proved)
        facts = summary(conversation, results, fallback)
        if not self.timed_out:
            return facts
        # A server that has not ignored the groups so far may do so in an answer to a hello that was not sent.
        return replace(facts, ignores_supported_groups=facts.ignores_supported_groups or None)

    async def _read_all(self, until: float | None) -> None:
        """TLS 1.2 comes first and alone: it shows whether the server answers, and how long a list it reads.

        The older ones follow one after the other, so that of machines that take turns each answers some of them.
        """
        results = self._results
        early = asyncio.create_task(self._ask_early(until))
        try:
            results[Protocol.TLS1_2] = await self._read_first()
        finally:
            early.cancel()
            await asyncio.gather(early, return_exceptions=True)  # an error of it would occur again in what follows
        if NoAnswer.NOT_TLS in self._conversation.no_answers and not self._conversation.answered:
            raise failure(self._conversation)  # what is not TLS in one version is not TLS in another
        for protocol in (Protocol.TLS1_1, Protocol.TLS1_0):
            results[protocol] = await self._read_protocol(protocol)
            self._require_no_change()
        await self._ask_again((Protocol.TLS1_1, Protocol.TLS1_0), least=REPEATS)

        async def read(protocol: Protocol) -> None:
            results[protocol] = await self._read_protocol(protocol)

        async with asyncio.TaskGroup() as group:
            for protocol in (Protocol.TLS1_3, Protocol.SSL3, Protocol.SSL2):
                group.create_task(read(protocol))
        self._require_no_change()
        for protocols in ((Protocol.TLS1_1, Protocol.TLS1_0), (Protocol.TLS1_2,), (Protocol.TLS1_3,)):
            await self._ask_again(protocols, least=REPEATS)
        for protocol in (Protocol.SSL3, Protocol.SSL2):
            await self._ask_again((protocol,), least=0)

    async def _ask_early(self, until: float | None) -> None:
        """Find out whether a slow server accepts the other protocols, before all the suites of one are known."""
        if until is None:
            return
        await asyncio.sleep((until - asyncio.get_running_loop().time()) * _SLOW)
        await self._conversation.heard.wait()
        for protocol in (Protocol.TLS1_3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.SSL3):
            suites = TLS13_SUITES if protocol is Protocol.TLS1_3 else CLASSIC_SUITES
            answers = [await offer_once(self._conversation, protocol, suites) for _ in range(1 + REPEATS)]
            if all(answer.wrong_version for answer in answers):
                self._early[protocol] = ProtocolResult(accepted=False)

    async def _read_first(self) -> ProtocolResult:
        """TLS 1.2, once more with plainer hellos if the server did not answer the usual ones."""
        conversation = self._conversation
        result = await self._read_protocol(Protocol.TLS1_2)
        self._require_no_change()
        refused = result.accepted is False and not result.unproved
        if conversation.accepted_any or refused or NoAnswer.NOT_TLS in conversation.no_answers:
            return result
        if await find_tolerated_hello(conversation):
            return await self._tls12.read(Protocol.TLS1_2)
        return result

    def _require_no_change(self) -> None:
        if self._changed:
            raise ChangedError

    async def _read_protocol(self, protocol: Protocol) -> ProtocolResult:
        if self._confirmation is not None and protocol in self._expected:
            result = await self._confirmation.read(protocol)
            self._changed |= result is None
            return result or ProtocolResult()
        match protocol:
            case Protocol.SSL2:
                return await read_ssl2(self._conversation)
            case Protocol.TLS1_3:
                return await read_tls13(self._conversation)
            case _:
                return await self._tls12.read(protocol)

    async def _ask_again(self, protocols: Sequence[Protocol], *, least: int) -> None:
        """Ask again for the protocols that were refused.

        `least` is how often, if there is no reason to doubt the refusals. Then only the newest is asked for: a server
        with an older one answers in that. If there is a reason, each is asked for, because some servers do not.
        """
        conversation, consistency = self._conversation, self._conversation.consistency
        refused = [protocol for protocol in protocols if self._is_to_be_confirmed(protocol)]
        if not refused or not conversation.accepted_any:
            return
        suspicious = any(map(consistency.newly_refused, refused))
        for protocol in refused:
            repeats = consistency.repeats(least, suspicious=suspicious)
            await self._repeat(protocol, refused, repeats)
            if repeats <= least:
                break
        self._confirmed |= set(refused)

    async def _repeat(self, asked: Protocol, refused: Sequence[Protocol], repeats: int) -> None:
        """Ask for this protocol so many times, or until an answer goes against the refusals."""
        conversation, consistency = self._conversation, self._conversation.consistency
        suites = {Protocol.SSL2: (), Protocol.TLS1_3: TLS13_SUITES}.get(asked, CLASSIC_SUITES)
        for _ in range(repeats):
            answer = await conversation.ask(asked, suites)
            for protocol in refused:
                if (
                    isinstance(answer, ServerHello)
                    and answer.version == VERSION_CODES[protocol] <= VERSION_CODES[asked]
                ):
                    consistency.downgrades.setdefault(protocol, answer.suite)
                elif isinstance(answer, SSL2ServerHello | Unanswered):
                    self._results[protocol].accepted = None
            if isinstance(answer, SSL2ServerHello):
                consistency.contradict(Protocol.SSL2, "protocol version")
            if not isinstance(answer, Alert) and not _is_older(answer, refused):
                break

    def _is_to_be_confirmed(self, protocol: Protocol) -> bool:
        result = self._results[protocol]
        return result.accepted is False and not result.unproved and protocol not in self._confirmed


def _is_older(answer: object, protocols: Sequence[Protocol]) -> bool:
    """Whether the server chose a version that is older than all of these protocols, which refuses them."""
    return isinstance(answer, ServerHello) and all(answer.version < VERSION_CODES[protocol] for protocol in protocols)
