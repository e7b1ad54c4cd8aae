"""Finds out what a server accepts, in few connections: offer everything, strike out what was chosen, ask again.

What counts as a refusal:

- An alert that means one, or an answer in another version.
- An orderly close without an alert, or an alert that complains of something else, only together with a proof, given at
  the end and with no other connection open: asked again and again, the server turns these hellos away each time, and
  answers those before, between and behind them that offer what it is known to accept. (asyncio's servers say no by
  closing, tlslite-ng by illegal_parameter. A front that limits connections closes what it likes, and fails this.)
- Silence and resets never; they may be anybody's. What they leave open is unknown.

What makes a list whole: the server refused all that is left of it, and read it to the end, which is proved once by
putting accepted suites behind those it refused; a server that fails this is asked again in short lists. And it
chose suites for ECDSA and others from one list, or refused each kind by itself, since some servers (HAProxy) choose the
certificate first and then see only the suites that fit it.

Groups, signature schemes and application protocols are found on the way (`observed`), and the rest of them at the end
of a protocol (`strike`).
"""

import asyncio

from exporter.errors import ProbeError
from exporter.model import Protocol, Reason
from exporter.net.dial import Dialer
from exporter.probes.handshake.classic import SHORT_LIST, ClassicReader
from exporter.probes.handshake.conversation import REFUSALS, UNRECOGNIZED_NAME, Conversation
from exporter.probes.handshake.doubts import SSL2_REFUSALS, prove
from exporter.probes.handshake.exchange import Silence, Unanswered
from exporter.probes.handshake.facts import HandshakeFacts
from exporter.probes.handshake.flight import Alert, ServerHello, SSL2ServerHello
from exporter.probes.handshake.question import FALLBACK, Question
from exporter.probes.handshake.reading import Reading
from exporter.probes.handshake.registry import CLASSIC_SUITES, SSL2_KINDS
from exporter.probes.handshake.strike import agreed
from exporter.probes.handshake.summary import summary
from exporter.probes.handshake.tls13 import read_tls13

INAPPROPRIATE_FALLBACK = 86
"""RFC 7507, 3."""
_NEWEST_FIRST = (Protocol.TLS1_2, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3)


class Engine:
    """One reading of one server."""

    def __init__(self, dialer: Dialer) -> None:
        self._talk = Conversation(dialer)
        self._classic = ClassicReader(self._talk)

    async def read(self) -> HandshakeFacts:
        """All facts that hellos tell.

        TLS 1.2 goes first and alone: it tells whether anybody is there, and how long a list the server reads.

        Raises:
            ProbeError: the server was not reached, or no protocol was accepted, with the reason.
        """
        readings = {Protocol.TLS1_2: await self._read_first()}
        if Silence.NOT_TLS in self._talk.silences and not self._talk.answered:
            raise self._failure()  # no other version will make TLS of it
        rest = (Protocol.TLS1_3, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3, Protocol.SSL2)
        async with asyncio.TaskGroup() as group:
            tasks = {protocol: group.create_task(self._read_protocol(protocol)) for protocol in rest}
        readings |= {protocol: task.result() for protocol, task in tasks.items()}
        if not any(reading.accepted for reading in readings.values()):
            raise self._failure()
        self._doubt_tls13(readings)
        fallback = await self._refuses_fallback(readings)
        await self._settle(readings)
        return summary(self._talk, readings, fallback)

    async def _read_protocol(self, protocol: Protocol) -> Reading:
        match protocol:
            case Protocol.SSL2:
                return await self._read_ssl2()
            case Protocol.TLS1_3:
                return await read_tls13(self._talk)
            case _:
                return await self._classic.read(protocol)

    async def _read_first(self) -> Reading:
        """TLS 1.2, once more in a plainer manner if the server could not stand the hellos.

        Some servers drop hellos with many suites, with extensions that they do not know, or with a server name.
        """
        reading = await self._classic.read(Protocol.TLS1_2)
        talk = self._talk
        refused = reading.accepted is False and not reading.doubts
        if talk.agreed or refused or Silence.NOT_TLS in talk.silences:
            return reading
        name = talk.server_name
        plainer = [(True, name, ""), (False, name, "extensions that it may not know"), (False, None, "a server name")]
        for extras, server_name, without in plainer[: 3 if name else 2]:
            talk.extras, talk.server_name = extras, server_name
            answer = await talk.ask(Protocol.TLS1_2, CLASSIC_SUITES[:SHORT_LIST])
            if isinstance(answer, ServerHello) or (isinstance(answer, Alert) and answer.description in REFUSALS):
                if without:
                    talk.note(f"the server does not answer hellos with {without}; it was asked without")
                return await self._classic.read(Protocol.TLS1_2)
            if isinstance(answer, Alert) and answer.description == UNRECOGNIZED_NAME:
                break  # without the name it would show another service
        talk.extras, talk.server_name = True, name
        return reading

    async def _read_ssl2(self) -> Reading:
        answer = await self._talk.ask(Protocol.SSL2, ())
        match answer:
            case SSL2ServerHello(kinds=kinds, certificate=certificate):
                self._talk.observed.ssl2_certificate = certificate or None
                offered = [kind for kind in dict.fromkeys(kinds) if kind in SSL2_KINDS]
                if len(offered) != len(kinds):
                    self._talk.note("SSLv2: protocol violation: the server names cipher kinds that were not offered")
                return Reading(accepted=True, suites=offered, complete=len(offered) == len(kinds))
            case Alert() | ServerHello():
                return Reading(accepted=False)
            case Unanswered(silence=silence) if silence in SSL2_REFUSALS:
                return Reading(accepted=False, doubts=[Question(Protocol.SSL2)])
            case Unanswered():
                return Reading()

    def _doubt_tls13(self, readings: dict[Protocol, Reading]) -> None:
        """A server that marks its answers in TLS 1.2 has TLS 1.3, whatever it says to our hellos (pre-shared keys)."""
        marks = self._talk.observed.of(Protocol.TLS1_2).marks
        if readings[Protocol.TLS1_3].accepted is False and marks == {Protocol.TLS1_2}:
            readings[Protocol.TLS1_3].accepted = None
            self._talk.note("TLSv1.3: refused, while answers in TLSv1.2 are marked as those of a server that has it")

    async def _refuses_fallback(self, readings: dict[Protocol, Reading]) -> bool | None:
        """Whether the server ends a handshake in an older version that says it should not be (RFC 7507).

        None where it has no older version, or does not tell.
        """
        accepted = [protocol for protocol in reversed(Protocol) if readings[protocol].accepted]
        older = [protocol for protocol in accepted[1:] if protocol in _NEWEST_FIRST]
        if not older:
            return None
        question = Question(older[0], tuple(readings[older[0]].suites[: SHORT_LIST - 2]), fallback=True, about=FALLBACK)
        answer = await self._talk.put(question)
        if isinstance(answer, Alert) and answer.description == INAPPROPRIATE_FALLBACK:
            return True
        return False if agreed(answer, question) else None

    # --- doubts -------------------------------------------------------------------------------------------------------

    async def _settle(self, readings: dict[Protocol, Reading]) -> None:
        """What was turned away and is not proved to be refused becomes unknown."""
        doubts = [doubt for reading in readings.values() for doubt in reading.all_doubts()]
        refused = await prove(self._talk, doubts, self._control(readings)) if doubts else frozenset()
        for protocol, reading in readings.items():
            if not reading.settle(refused):
                self._talk.note(f"{protocol}: the server turns hellos away at times; what it refuses cannot be told")
                if protocol in self._talk.changed_version:
                    self._talk.contradict(protocol, "protocol version")

    def _control(self, readings: dict[Protocol, Reading]) -> Question | None:
        """A hello that the server should answer, as like as may be to those in doubt."""
        for protocol in (*_NEWEST_FIRST, Protocol.TLS1_3):
            suites = readings[protocol].suites
            if suites and protocol is not Protocol.TLS1_3 and self._classic.reads_long_lists:
                others = tuple(code for code in CLASSIC_SUITES if code not in suites)
                return Question(protocol, (*others, suites[0]))
            if suites:
                return Question(protocol, (suites[0],))
        return None

    def _failure(self) -> ProbeError:
        """Why no protocol is known to be accepted."""
        talk = self._talk
        detail = "; ".join(talk.notes[:3]) or "every protocol was refused"
        if any(f"alert {UNRECOGNIZED_NAME}" in note for note in talk.notes):
            wants = f"does not know the name {talk.server_name}" if talk.server_name else "wants a server_name"
            detail = f"the server {wants} (alert {UNRECOGNIZED_NAME}, unrecognized_name)"
        if talk.answered:
            return ProbeError(Reason.HANDSHAKE_ERROR, detail)
        if Silence.NOT_TLS in talk.silences:
            return ProbeError(Reason.NOT_TLS, detail)
        if talk.silences == {Silence.TIMEOUT}:
            return ProbeError(Reason.HANDSHAKE_TIMEOUT, detail)
        return ProbeError(Reason.HANDSHAKE_ERROR, detail)
