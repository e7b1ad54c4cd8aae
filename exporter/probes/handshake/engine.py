"""Finds out what a server accepts, in few connections: offer everything, strike out what was chosen, ask again.

What counts as a refusal:

- An alert that means one, or an answer in another version.
- An orderly close without an alert, or an alert that complains of something else, only together with a proof, given at
  the end and with no other connection open: asked again and again, the server turns these hellos away each time, and
  answers those before, between and behind them that offer what it is known to accept. (asyncio's servers say no by
  closing, tlslite-ng by illegal_parameter. A front that limits connections closes what it likes, and fails this.)
- Silence and resets never; they may be anybody's. What they leave open is unknown.

What makes a list whole: the server refused all that is left of it, and read it to the end, which is proved once by
putting an accepted suite behind those it refused; a server that fails this is asked again in short lists. And it
refused the ECDSA suites and the others each by themselves, since some servers (HAProxy) choose the certificate first
and then see only the suites that fit it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.errors import ProbeError
from exporter.model import CipherOrder, Protocol, Reason
from exporter.net.dial import Dialer
from exporter.probes.handshake.conversation import Conversation, Sweep
from exporter.probes.handshake.doubts import SSL2_REFUSALS, Question, prove
from exporter.probes.handshake.exchange import Silence, Unanswered
from exporter.probes.handshake.facts import HandshakeFacts
from exporter.probes.handshake.flight import Alert, ServerHello, SSL2ServerHello
from exporter.probes.handshake.order import cipher_order
from exporter.probes.handshake.registry import (
    CLASSIC_SUITES,
    SSL2_KINDS,
    TLS13_SUITES,
    for_ecdsa,
    suite_name,
)

SHORT_LIST = 63
"""Suites of one short list. Some servers do not read past the 64th, and the renegotiation signal takes one place."""


@dataclass(slots=True)
class _Reading:
    """What is known of one protocol, if the `doubts` turn out to be refusals."""

    accepted: bool | None = None
    suites: list[int] = field(default_factory=list)
    complete: bool = True
    order: CipherOrder | None = None
    doubts: list[Question] = field(default_factory=list)


def _by_authentication(suites: Sequence[int], length: int) -> list[tuple[int, ...]]:
    """The suites in lists of at most `length`, those for ECDSA certificates apart from the others."""
    others = [code for code in suites if not for_ecdsa(code)]
    groups = [group for group in (others, [code for code in suites if for_ecdsa(code)]) if group]
    return [tuple(group[start : start + length]) for group in groups for start in range(0, len(group), length)]


class Engine:
    """One reading of one server."""

    def __init__(self, dialer: Dialer) -> None:
        self._talk = Conversation(dialer)
        self._reads_long_lists = False
        self._two_certificates = False

    async def read(self) -> HandshakeFacts:
        """All facts that hellos tell.

        TLS 1.2 goes first and alone: it tells whether anybody is there, and how long a list the server reads.

        Raises:
            ProbeError: the server was not reached, or no protocol was accepted, with the reason.
        """
        readings = {Protocol.TLS1_2: await self._read_classic(Protocol.TLS1_2)}
        if Silence.NOT_TLS in self._talk.silences and not self._talk.answered:
            raise self._failure()  # no other version will make TLS of it
        rest = (Protocol.TLS1_3, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3, Protocol.SSL2)
        async with asyncio.TaskGroup() as group:
            tasks = {protocol: group.create_task(self._read_protocol(protocol)) for protocol in rest}
        readings |= {protocol: task.result() for protocol, task in tasks.items()}
        if not any(reading.accepted for reading in readings.values()):
            raise self._failure()
        await self._settle(readings)
        return self._facts(readings)

    async def _read_protocol(self, protocol: Protocol) -> _Reading:
        match protocol:
            case Protocol.SSL2:
                return await self._read_ssl2()
            case Protocol.TLS1_3:
                return await self._read_tls13()
            case _:
                return await self._read_classic(protocol)

    # --- SSL 3 to TLS 1.2 ---------------------------------------------------------------------------------------------

    async def _read_classic(self, protocol: Protocol) -> _Reading:
        if self._reads_long_lists and (protocol is Protocol.SSL3 or not self._two_certificates):
            # One list for all would only show the order between the two kinds, of which there is one.
            return await self._read_lists(protocol, [], _by_authentication(CLASSIC_SUITES, len(CLASSIC_SUITES)))
        long = await self._talk.sweep(protocol, CLASSIC_SUITES)
        if long.wrong_version and not long.found:
            return _Reading(accepted=False)
        self._talk.hangs_up |= long.turned_away
        ended = long.open is None or long.turned_away
        whole = ended and (self._reads_long_lists or await self._reads_to_the_end(protocol, long))
        lists = _by_authentication(long.left, len(long.left) if whole else SHORT_LIST)
        return await self._read_lists(protocol, long.found, lists)

    async def _reads_to_the_end(self, protocol: Protocol, sweep: Sweep) -> bool:
        """Whether the server reads the longest list; what one protocol proves holds for all."""
        if sweep.found:
            self._reads_long_lists = await self._finds_behind(protocol, sweep.left, sweep.found[-1])
        return self._reads_long_lists

    async def _finds_behind(self, protocol: Protocol, refused: tuple[int, ...], known: int) -> bool:
        """Whether the server finds an accepted suite behind those it just refused: so it read them all."""
        answer = await self._talk.ask(protocol, (*refused, known))
        return isinstance(answer, ServerHello) and answer.suite == known

    async def _read_lists(self, protocol: Protocol, known: list[int], lists: list[tuple[int, ...]]) -> _Reading:
        """Ask for what is left, list by list, each of which the server reads whole."""
        found, complete = list(known), True
        sources = 1 if known else 0
        doubts: list[Question] = []
        for suites in lists:
            part = await self._talk.sweep(protocol, suites)
            if part.wrong_version and not found and not part.found:
                return _Reading(accepted=False)
            found += part.found
            sources += bool(part.found)
            if part.turned_away:
                doubts.append(Question(protocol, part.left))
            elif part.open is not None:
                complete = False
                if part.unanswered or not found:
                    break  # the question stays open: more of the same would not help
        if not found:
            return _Reading(accepted=False if complete else None, doubts=doubts)
        if sources > 1 and len(found) <= SHORT_LIST:
            again = await self._talk.sweep(protocol, found)  # several lists say nothing of the order between them
            found = again.found + [code for code in found if code not in again.found]
        return await self._reading(protocol, found, complete=complete, doubts=doubts)

    async def _reading(
        self, protocol: Protocol, found: list[int], *, complete: bool, doubts: list[Question]
    ) -> _Reading:
        self._two_certificates |= len({for_ecdsa(code) for code in found}) > 1
        order = await cipher_order(self._talk, protocol, found) if len(found) > 1 else None
        return _Reading(accepted=True, suites=found, complete=complete, order=order, doubts=doubts)

    # --- TLS 1.3 and SSL 2 --------------------------------------------------------------------------------------------

    async def _read_tls13(self) -> _Reading:
        sweep = await self._talk.sweep(Protocol.TLS1_3, TLS13_SUITES)
        if sweep.wrong_version and not sweep.found:
            return _Reading(accepted=False)
        if not sweep.found:
            self._talk.needs_key_shares = True  # the server may not know HelloRetryRequest
            sweep = await self._talk.sweep(Protocol.TLS1_3, TLS13_SUITES)
        doubts = [Question(Protocol.TLS1_3, sweep.left)] if sweep.turned_away else []
        settled = sweep.open is None or sweep.turned_away
        if not sweep.found:
            return _Reading(accepted=False if settled else None, doubts=doubts)
        return await self._reading(Protocol.TLS1_3, sweep.found, complete=settled, doubts=doubts)

    async def _read_ssl2(self) -> _Reading:
        answer = await self._talk.ask(Protocol.SSL2, ())
        match answer:
            case SSL2ServerHello(kinds=kinds):
                offered = [kind for kind in dict.fromkeys(kinds) if kind in SSL2_KINDS]
                if len(offered) != len(kinds):
                    self._talk.note("SSLv2: protocol violation: the server names cipher kinds that were not offered")
                return _Reading(accepted=True, suites=offered, complete=len(offered) == len(kinds))
            case Alert() | ServerHello():
                return _Reading(accepted=False)
            case Unanswered(silence=silence) if silence in SSL2_REFUSALS:
                return _Reading(accepted=False, doubts=[Question(Protocol.SSL2)])
            case Unanswered():
                return _Reading()

    # --- doubts -------------------------------------------------------------------------------------------------------

    async def _settle(self, readings: dict[Protocol, _Reading]) -> None:
        """What was turned away and is not proved to be refused becomes unknown."""
        doubts = [doubt for reading in readings.values() for doubt in reading.doubts]
        refused = await prove(self._talk, doubts, self._control(readings)) if doubts else frozenset()
        for protocol, reading in readings.items():
            if not refused.issuperset(reading.doubts):
                self._talk.note(f"{protocol}: the server ends connections at times; what it refuses cannot be told")
                reading.complete = False
                reading.accepted = reading.accepted or None

    def _control(self, readings: dict[Protocol, _Reading]) -> Question | None:
        """A hello that the server should answer, as like as may be to those in doubt."""
        for protocol in (Protocol.TLS1_2, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3, Protocol.TLS1_3):
            suites = readings[protocol].suites
            if suites and protocol is not Protocol.TLS1_3 and self._reads_long_lists:
                others = tuple(code for code in CLASSIC_SUITES if code not in suites)
                return Question(protocol, (*others, suites[0]))
            if suites:
                return Question(protocol, (suites[0],))
        return None

    # --- the sum ------------------------------------------------------------------------------------------------------

    def _failure(self) -> ProbeError:
        """Why no protocol is known to be accepted."""
        detail = "; ".join(self._talk.notes[:3]) or "every protocol was refused"
        if self._talk.answered:
            return ProbeError(Reason.HANDSHAKE_ERROR, detail)
        if Silence.NOT_TLS in self._talk.silences:
            return ProbeError(Reason.NOT_TLS, detail)
        if self._talk.silences == {Silence.TIMEOUT}:
            return ProbeError(Reason.HANDSHAKE_TIMEOUT, detail)
        return ProbeError(Reason.HANDSHAKE_ERROR, detail)

    def _facts(self, readings: dict[Protocol, _Reading]) -> HandshakeFacts:
        accepted = [protocol for protocol in Protocol if readings[protocol].accepted]
        names = {
            protocol: tuple(
                SSL2_KINDS.get(code, f"0x{code:06X}") if protocol is Protocol.SSL2 else suite_name(code)
                for code in readings[protocol].suites
            )
            for protocol in accepted
        }
        return HandshakeFacts(
            protocols={protocol: readings[protocol].accepted for protocol in Protocol},
            cipher_suites=names,
            incomplete=frozenset(protocol for protocol in accepted if not readings[protocol].complete),
            cipher_order={protocol: readings[protocol].order for protocol in accepted},
            compression=self._compression_verdict(readings),
            notes=tuple(self._talk.notes),
        )

    def _compression_verdict(self, readings: dict[Protocol, _Reading]) -> bool | None:
        """True as soon as one protocol accepts it; False when no protocol that could have it is unknown.

        TLS 1.3 has no compression (RFC 8446, 4.1.2), SSL 2 never had it.
        """
        if self._talk.compresses:
            return True
        classic = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)
        return None if any(readings[protocol].accepted is None for protocol in classic) else False
