"""Finds out what a server accepts, in few connections: offer everything, strike out what was chosen, ask again.

What counts as a refusal:

- An alert that means one, or an answer in another version.
- The end of the connection without an alert, orderly or by a reset, and an alert that complains of something else: only
  together with a proof, given at the end and with no other connection open. Asked again and again, the server turns
  these hellos away each time, and answers those before, between and behind them that offer what it is known to accept.
  (asyncio's servers close, Schannel and many load balancers reset, tlslite-ng sends illegal_parameter. A front that
  limits connections ends what it likes, and fails this.)
- Silence never; it may be anybody's. What it leaves open is unknown.

An alert is believed twice: the end of a list of suites and old protocols that were refused are asked for again, since
some servers send alerts at random, and machines that take turns behind one address do not refuse the same.

What makes a list whole: the server refused all that is left of it, and read it to the end, which is proved once by
putting accepted suites behind those it refused; a server that fails this is asked again in short lists. And it
chose suites for ECDSA and others from one list, or refused each kind by itself, since some servers (HAProxy) choose the
certificate first and then see only the suites that fit it.

Groups, signature schemes and application protocols are found on the way (`observed`), and the rest of them at the end
of a protocol (`strike`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol, Reason
from exporter.net.dial import Dialer
from exporter.probes.handshake.conversation import ASKED_AGAIN, REFUSALS, SHORT_LIST, UNRECOGNIZED_NAME, Conversation
from exporter.probes.handshake.exchange import TURNED_AWAY, Silence, Unanswered
from exporter.probes.handshake.exhaust import agreed
from exporter.probes.handshake.protocol_result import Reading
from exporter.probes.handshake.question import FALLBACK, Question
from exporter.probes.handshake.refusal_proof import control_for, prove
from exporter.probes.handshake.server_hello import Alert, ServerHello, SSL2ServerHello
from exporter.probes.handshake.summary import summary
from exporter.probes.handshake.tls12 import ClassicReader
from exporter.probes.handshake.tls13 import read_tls13
from exporter.tls.suites import CLASSIC_SUITES, SSL2_KINDS, TLS13_SUITES, VERSION_CODES

INAPPROPRIATE_FALLBACK = 86
"""RFC 7507, 3."""
_SLOW = 0.25
"""Of the time there is: a server whose TLS 1.2 is not read by then is slow. Others take a tenth of it at most."""
_NEWEST_FIRST = (Protocol.TLS1_2, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3)


class Engine:
    """One reading of one server; `before` is what the scan before found, where that still holds."""

    def __init__(self, dialer: Dialer, before: HandshakeFacts | None = None) -> None:
        self._talk = Conversation(dialer, before)
        self._classic = ClassicReader(self._talk)
        self._readings: dict[Protocol, Reading] = {}
        self._surveyed: dict[Protocol, Reading] = {}
        self._confirmed: set[Protocol] = set()

    async def read(self, until: float | None = None) -> HandshakeFacts:
        """All facts that hellos tell.

        `until` is a time of the running loop. What is not finished then is unknown.

        Raises:
            ProbeError: the server was not reached, or no protocol was accepted, with the reason.
        """
        readings = self._readings
        fallback: bool | None = None
        cut = False
        refused: frozenset[Question] = frozenset()
        try:
            async with asyncio.timeout_at(until):
                await self._read_all(until)
                fallback = await self._refuses_fallback(readings)
                refused = await self._prove(readings)
        except TimeoutError:
            cut = True
            self._take_what_is_there()
        self._settle(readings, refused)
        self._take_other_answers(readings)
        self._doubt_tls13(readings)
        if not any(reading.accepted for reading in readings.values()):
            raise self._failure()
        facts = summary(self._talk, readings, fallback)
        # What it has not done so far, it may do to a hello that was not sent.
        return replace(facts, ignores_supported_groups=facts.ignores_supported_groups or None) if cut else facts

    async def _read_all(self, until: float | None) -> None:
        """TLS 1.2 goes first and alone: it tells whether anybody is there, and how long a list the server reads.

        The older ones follow one after the other. Machines that take turns behind one address answer each of them then.
        """
        readings = self._readings
        survey = asyncio.create_task(self._survey(until))
        try:
            readings[Protocol.TLS1_2] = await self._read_first()
        finally:
            survey.cancel()
            await asyncio.gather(survey, return_exceptions=True)  # what it found wrong, the reading finds wrong too
        if Silence.NOT_TLS in self._talk.silences and not self._talk.answered:
            raise self._failure()  # no other version will make TLS of it
        for protocol in (Protocol.TLS1_1, Protocol.TLS1_0):
            readings[protocol] = await self._read_protocol(protocol)
        await self._ask_again((Protocol.TLS1_1, Protocol.TLS1_0), least=ASKED_AGAIN)

        async def read(protocol: Protocol) -> None:
            readings[protocol] = await self._read_protocol(protocol)

        async with asyncio.TaskGroup() as group:
            for protocol in (Protocol.TLS1_3, Protocol.SSL3, Protocol.SSL2):
                group.create_task(read(protocol))
        for protocols in ((Protocol.TLS1_1, Protocol.TLS1_0), (Protocol.TLS1_2,), (Protocol.TLS1_3,)):
            await self._ask_again(protocols, least=ASKED_AGAIN)
        for protocol in (Protocol.SSL3, Protocol.SSL2):
            await self._ask_again((protocol,), least=0)

    async def _survey(self, until: float | None) -> None:
        """Of a slow server, whether it accepts the other protocols, before all the suites of one are known."""
        if until is None:
            return
        await asyncio.sleep((until - asyncio.get_running_loop().time()) * _SLOW)
        for protocol in (Protocol.TLS1_3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.SSL3):
            suites = TLS13_SUITES if protocol is Protocol.TLS1_3 else CLASSIC_SUITES
            sweeps = [await self._talk.first(protocol, suites) for _ in range(1 + ASKED_AGAIN)]
            if all(sweep.wrong_version for sweep in sweeps):
                self._surveyed[protocol] = Reading(accepted=False)

    async def _ask_again(self, protocols: Sequence[Protocol], *, least: int) -> None:
        """Ask again for the newest of the protocols that were refused; a server that has an older one takes that.

        `least` is how often where nothing speaks against what was said.
        """
        readings, talk = self._readings, self._talk
        refused = [
            p
            for p in protocols
            if readings[p].accepted is False and not readings[p].doubts and p not in self._confirmed
        ]
        if not refused or not talk.agreed:
            return
        suites = {Protocol.SSL2: (), Protocol.TLS1_3: TLS13_SUITES}.get(refused[0], CLASSIC_SUITES)
        for _ in range(talk.asks_again(least, lost=any(map(talk.lost, refused)))):
            answer = await talk.ask(refused[0], suites)
            for protocol in refused:
                if isinstance(answer, ServerHello) and answer.version == VERSION_CODES[protocol]:
                    talk.older_answers.setdefault(protocol, answer.suite)
                elif isinstance(answer, SSL2ServerHello | Unanswered):
                    readings[protocol].accepted = None
            if isinstance(answer, SSL2ServerHello):
                talk.contradict(Protocol.SSL2, "protocol version")
            if not isinstance(answer, Alert):
                break
        self._confirmed |= set(refused)

    def _take_other_answers(self, readings: dict[Protocol, Reading]) -> None:
        """A protocol that the server answered in is accepted, whatever it says when it is asked for it alone."""
        proved = {p: seen[0] for p in Protocol if (seen := self._talk.observed.of(p).suites)}
        for protocol, suite in (self._talk.older_answers | proved).items():
            if not readings[protocol].accepted and protocol is not Protocol.SSL2:
                readings[protocol] = Reading(accepted=True, suites=[suite], complete=False)
                self._talk.contradict(protocol, "protocol version")

    def _take_what_is_there(self) -> None:
        """The time ran out: what was accepted so far, and of all else that it is unknown.

        Raises:
            ProbeError: nothing was accepted so far.
        """
        for protocol in Protocol:
            suites = list(self._talk.observed.of(protocol).suites)
            reading = self._readings.setdefault(protocol, Reading())
            if reading.accepted is False and protocol not in self._confirmed:
                reading.accepted = None  # one alert is not enough, see above
            if suites and not reading.accepted:
                self._readings[protocol] = Reading(accepted=True, suites=suites, complete=False)
            elif reading.accepted is None:
                self._readings[protocol] = self._surveyed.get(protocol, reading)
        if not any(reading.accepted for reading in self._readings.values()):
            raise ProbeError(Reason.DEADLINE_EXCEEDED, "no protocol was found to be accepted in the time for it")
        self._talk.note("the time for the scan ran out; not all was asked")

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
                # Without a cipher kind in common OpenSSL went on all the same (CVE-2015-3197).
                return Reading(accepted=True, suites=offered, complete=0 < len(offered) == len(kinds))
            case Alert() | ServerHello():
                return Reading(accepted=False)
            case Unanswered(silence=silence) if silence in TURNED_AWAY:
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

    async def _prove(self, readings: dict[Protocol, Reading]) -> frozenset[Question]:
        """The hellos in doubt that were refused."""
        doubts = [doubt for reading in readings.values() for doubt in reading.all_doubts()]
        return await prove(self._talk, doubts, self._controls(readings, doubts)) if doubts else frozenset()

    def _settle(self, readings: dict[Protocol, Reading], refused: frozenset[Question]) -> None:
        """What was turned away and is not proved to be refused becomes unknown."""
        for protocol, reading in readings.items():
            if not reading.settle(refused):
                self._talk.note(f"{protocol}: the server turns hellos away at times; what it refuses cannot be told")
                if protocol in self._talk.changed_version:
                    self._talk.contradict(protocol, "protocol version")

    def _controls(self, readings: dict[Protocol, Reading], doubts: Sequence[Question]) -> list[Question]:
        """Hellos that the server should answer, one like each kind of those in doubt."""
        controls: dict[tuple[bool, bool], Question] = {}
        for doubt in doubts:
            seen = self._talk.observed.of(doubt.protocol)
            control = control_for(doubt, seen.suites, seen.groups, seen.schemes) if seen.suites else None
            if control and readings[doubt.protocol].accepted:
                controls.setdefault((doubt.groups is None, doubt.schemes is None), control)
        return list(controls.values()) or self._whole_controls(readings)

    def _whole_controls(self, readings: dict[Protocol, Reading]) -> list[Question]:
        """For doubts about protocols alone: a hello with all that is refused, and at its end one suite that is not."""
        for protocol in (*_NEWEST_FIRST, Protocol.TLS1_3):
            suites = readings[protocol].suites
            if suites and protocol is not Protocol.TLS1_3 and self._talk.reads_long_lists:
                others = tuple(code for code in CLASSIC_SUITES if code not in suites)
                return [Question(protocol, (*others, suites[0]))]
            if suites:
                return [Question(protocol, (suites[0],))]
        return []

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
