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
from exporter.probes.handshake.exchange import Silence, Unanswered, exchange_again
from exporter.probes.handshake.facts import HandshakeFacts
from exporter.probes.handshake.flight import Alert, Answer, ServerHello, SSL2ServerHello
from exporter.probes.handshake.hello import NO_COMPRESSION, Offer, client_hello, ssl2_client_hello
from exporter.probes.handshake.registry import (
    CLASSIC_SUITES,
    SSL2_KINDS,
    TLS13_SUITES,
    VERSION_CODES,
    suite_name,
)

_SSL2_REFUSALS = frozenset({Silence.RESET, Silence.CLOSED})
"""A TLS stack has no way to say no in a format that it does not know and may drop the hello unread, which the network
shows as a reset; an SSL 2 server answers this hello, as it offers all its cipher kinds, with its greeting."""

SHORT_LIST = 63
"""Suites of one short list. Some servers do not read past the 64th, and the renegotiation signal takes one place."""

PROTOCOL_VERSION = 70
REFUSALS = frozenset({40, PROTOCOL_VERSION, 71})
"""handshake_failure, protocol_version, insufficient_security (RFC 8446, 6.2): nothing acceptable was offered.

Others (47 illegal_parameter, 50 decode_error, 80 internal_error, 112 unrecognized_name, ...) complain of the hello, and
by themselves say nothing about what it offered.
"""


@dataclass(slots=True)
class _Sweep:
    """Suites found by one list, in the order chosen, and how it ended.

    Attributes:
        left: suites that were not chosen.
        open: what stood in the way; None when `left` was refused.
        wrong_version: it was refused with the whole version.
        unanswered: nothing came back at all.
        turned_away: the server ended it without a proper refusal.
    """

    found: list[int] = field(default_factory=list)
    left: tuple[int, ...] = ()
    open: str | None = None
    wrong_version: bool = False
    unanswered: bool = False
    turned_away: bool = False


@dataclass(slots=True)
class _Question:
    """A hello that was turned away, which may have been a refusal."""

    protocol: Protocol
    suites: tuple[int, ...]


@dataclass(slots=True)
class _Reading:
    """What is known of one protocol, if the `doubts` turn out to be refusals."""

    accepted: bool | None = None
    suites: list[int] = field(default_factory=list)
    complete: bool = True
    order: CipherOrder | None = None
    doubts: list[_Question] = field(default_factory=list)


def _for_ecdsa(code: int) -> bool:
    return "_ECDSA_" in suite_name(code)


def _by_authentication(suites: Sequence[int], length: int) -> list[tuple[int, ...]]:
    """The suites in lists of at most `length`, those for ECDSA certificates apart from the others."""
    others = [code for code in suites if not _for_ecdsa(code)]
    groups = [group for group in (others, [code for code in suites if _for_ecdsa(code)]) if group]
    return [tuple(group[start : start + length]) for group in groups for start in range(0, len(group), length)]


class Engine:
    """One reading of one server.

    Attributes:
        notes: what stood in the way.
    """

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._reached = False
        self._answered = False
        self._reads_long_lists = False
        self._hangs_up = False
        self._two_certificates = False
        self._needs_key_shares = False
        self._compression: dict[Protocol, bool] = {}
        self._silences: set[Silence] = set()
        self.notes: list[str] = []

    async def read(self) -> HandshakeFacts:
        """All facts that hellos tell.

        TLS 1.2 goes first and alone: it tells whether anybody is there, and how long a list the server reads.

        Raises:
            ProbeError: the server was not reached, or no protocol was accepted, with the reason.
        """
        readings = {Protocol.TLS1_2: await self._read_classic(Protocol.TLS1_2)}
        if Silence.NOT_TLS in self._silences and not self._answered:
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

    # --- one question -------------------------------------------------------------------------------------------------

    async def _ask(self, protocol: Protocol, suites: Sequence[int]) -> Answer | Unanswered:
        offer = Offer(
            VERSION_CODES[protocol], tuple(suites), self._dialer.target.server_name, key_shares=self._needs_key_shares
        )
        return await self._send(protocol, client_hello(offer))

    async def _send(self, protocol: Protocol, hello: bytes) -> Answer | Unanswered:
        # Where closing seems to be how this server refuses, it need not be seen twice each time: the end asks again.
        answer = await exchange_again(self._dialer, hello, reached=self._reached, retry_closed=not self._hangs_up)
        self._reached = True
        if isinstance(answer, Unanswered):
            self._silences.add(answer.silence)
            self._note(f"{protocol}: the server {answer}")
        else:
            self._answered = True
        return answer

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    async def _sweep(self, protocol: Protocol, suites: Sequence[int]) -> _Sweep:
        """Offer the suites until the server refuses those left, or something else ends it."""
        sweep = _Sweep(left=tuple(suites))
        while sweep.left:
            answer = await self._ask(protocol, sweep.left)
            match answer:
                case ServerHello() if answer.version < VERSION_CODES[protocol]:
                    sweep.wrong_version = True  # an answer in an older version refuses what only this one could take
                    return sweep
                case ServerHello() if answer.version == VERSION_CODES[protocol] and answer.suite in sweep.left:
                    sweep.found.append(answer.suite)
                    sweep.left = tuple(code for code in sweep.left if code != answer.suite)
                    if not answer.retry_request:
                        self._compression[protocol] = self._compression.get(protocol, False) or (
                            answer.compression != NO_COMPRESSION
                        )
                case ServerHello():
                    what = f"0x{answer.version:04X}" if answer.version != VERSION_CODES[protocol] else ""
                    sweep.open = f"chose {what or suite_name(answer.suite)}, which was not offered"
                    self._note(f"{protocol}: protocol violation: the server {sweep.open}")
                    return sweep
                case Alert(description=description) if description in REFUSALS:
                    sweep.wrong_version = description == PROTOCOL_VERSION and not sweep.found
                    return sweep
                case Alert(description=description):
                    sweep.open, sweep.turned_away = f"alert {description}", True
                    self._note(f"{protocol}: the server sent alert {description}")
                    return sweep
                case SSL2ServerHello():
                    sweep.open = "an SSL 2 greeting"
                    return sweep
                case Unanswered():
                    sweep.open, sweep.unanswered = str(answer), True
                    sweep.turned_away = answer.silence is Silence.CLOSED
                    return sweep
        return sweep

    # --- SSL 3 to TLS 1.2 ---------------------------------------------------------------------------------------------

    async def _read_classic(self, protocol: Protocol) -> _Reading:
        if self._reads_long_lists and (protocol is Protocol.SSL3 or not self._two_certificates):
            # One list for all would only show the order between the two kinds, of which there is one.
            return await self._read_lists(protocol, [], _by_authentication(CLASSIC_SUITES, len(CLASSIC_SUITES)))
        long = await self._sweep(protocol, CLASSIC_SUITES)
        if long.wrong_version and not long.found:
            return _Reading(accepted=False)
        self._hangs_up |= long.turned_away
        ended = long.open is None or long.turned_away
        whole = ended and (self._reads_long_lists or await self._reads_to_the_end(protocol, long))
        lists = _by_authentication(long.left, len(long.left) if whole else SHORT_LIST)
        return await self._read_lists(protocol, long.found, lists)

    async def _reads_to_the_end(self, protocol: Protocol, sweep: _Sweep) -> bool:
        """Whether the server reads the longest list; what one protocol proves holds for all."""
        if sweep.found:
            self._reads_long_lists = await self._finds_behind(protocol, sweep.left, sweep.found[-1])
        return self._reads_long_lists

    async def _finds_behind(self, protocol: Protocol, refused: tuple[int, ...], known: int) -> bool:
        """Whether the server finds an accepted suite behind those it just refused: so it read them all."""
        answer = await self._ask(protocol, (*refused, known))
        return isinstance(answer, ServerHello) and answer.suite == known

    async def _read_lists(self, protocol: Protocol, known: list[int], lists: list[tuple[int, ...]]) -> _Reading:
        """Ask for what is left, list by list, each of which the server reads whole."""
        found, complete = list(known), True
        sources = 1 if known else 0
        doubts: list[_Question] = []
        for suites in lists:
            part = await self._sweep(protocol, suites)
            if part.wrong_version and not found and not part.found:
                return _Reading(accepted=False)
            found += part.found
            sources += bool(part.found)
            if part.turned_away:
                doubts.append(_Question(protocol, part.left))
            elif part.open is not None:
                complete = False
                if part.unanswered or not found:
                    break  # the question stays open: more of the same would not help
        if not found:
            return _Reading(accepted=False if complete else None, doubts=doubts)
        if sources > 1 and len(found) <= SHORT_LIST:
            again = await self._sweep(protocol, found)  # several lists say nothing of the order between them
            found = again.found + [code for code in found if code not in again.found]
        return await self._reading(protocol, found, complete=complete, doubts=doubts)

    async def _reading(
        self, protocol: Protocol, found: list[int], *, complete: bool, doubts: list[_Question]
    ) -> _Reading:
        self._two_certificates |= len({_for_ecdsa(code) for code in found}) > 1
        order = await self._order(protocol, found) if len(found) > 1 else None
        return _Reading(accepted=True, suites=found, complete=complete, order=order, doubts=doubts)

    async def _order(self, protocol: Protocol, found: list[int]) -> CipherOrder | None:
        """Whose order decides. `found` is in the order of the server's choices.

        The list is turned round: a server that goes by its own order still takes its first. Where a ChaCha20 suite is
        known it is put in front, since some servers let the client have its way there alone (OpenSSL's
        PrioritizeChaCha, Go); one that takes it is asked again with those suites at the end. Suites for one kind of
        certificate are enough, and not confused by a server that chooses the certificate first.
        """
        alike = [code for code in found if _for_ecdsa(code) == _for_ecdsa(found[0])]
        found = alike if len(alike) > 1 else found
        if len(found) > SHORT_LIST:
            found = [*found[: SHORT_LIST // 2], *found[-(SHORT_LIST // 2) :]]
        first, turned = found[0], found[::-1]
        chacha = [code for code in turned if "CHACHA20" in suite_name(code)]
        if not chacha or first in chacha:
            return await self._pick_order(protocol, turned, first)
        others = [code for code in turned if code not in chacha]
        order = await self._pick_order(protocol, chacha + others, first)
        if order is not CipherOrder.CLIENT or len(others) == 1:
            return order
        again = await self._pick_order(protocol, others + chacha, first)
        return CipherOrder.MIXED if again is CipherOrder.SERVER else again

    async def _pick_order(self, protocol: Protocol, offered: list[int], first: int) -> CipherOrder | None:
        """What the answer to one list says, where `first` is the server's favourite and not in front."""
        answer = await self._ask(protocol, offered)
        if not isinstance(answer, ServerHello) or answer.suite not in offered:
            return None
        if answer.suite == first:
            return CipherOrder.SERVER
        return CipherOrder.CLIENT if answer.suite == offered[0] else CipherOrder.MIXED

    # --- TLS 1.3 and SSL 2 --------------------------------------------------------------------------------------------

    async def _read_tls13(self) -> _Reading:
        sweep = await self._sweep(Protocol.TLS1_3, TLS13_SUITES)
        if sweep.wrong_version and not sweep.found:
            return _Reading(accepted=False)
        if not sweep.found:
            self._needs_key_shares = True  # the server may not know HelloRetryRequest
            sweep = await self._sweep(Protocol.TLS1_3, TLS13_SUITES)
        doubts = [_Question(Protocol.TLS1_3, sweep.left)] if sweep.turned_away else []
        settled = sweep.open is None or sweep.turned_away
        if not sweep.found:
            return _Reading(accepted=False if settled else None, doubts=doubts)
        return await self._reading(Protocol.TLS1_3, sweep.found, complete=settled, doubts=doubts)

    async def _read_ssl2(self) -> _Reading:
        answer = await self._send(Protocol.SSL2, ssl2_client_hello())
        match answer:
            case SSL2ServerHello(kinds=kinds):
                offered = [kind for kind in dict.fromkeys(kinds) if kind in SSL2_KINDS]
                if len(offered) != len(kinds):
                    self._note("SSLv2: protocol violation: the server names cipher kinds that were not offered")
                return _Reading(accepted=True, suites=offered, complete=len(offered) == len(kinds))
            case Alert() | ServerHello():
                return _Reading(accepted=False)
            case Unanswered(silence=silence) if silence in _SSL2_REFUSALS:
                return _Reading(accepted=False, doubts=[_Question(Protocol.SSL2, ())])
            case Unanswered():
                return _Reading()

    # --- doubts -------------------------------------------------------------------------------------------------------

    async def _settle(self, readings: dict[Protocol, _Reading]) -> None:
        """Find out whether what was turned away was refused; what is not proved becomes unknown.

        All doubts are asked once more, one after the other, then in the opposite order, with a hello that the server
        should answer before, between and behind. No limit on connections turns away just the doubts each time.
        """
        questions = [question for reading in readings.values() for question in reading.doubts]
        control = self._control(readings)
        if not questions:
            return
        proved = await self._answers(control)
        for round_ in (questions, questions[::-1]):
            for question in round_ if proved else ():
                if not await self._still_turned_away(question):
                    questions = [other for other in questions if other is not question]
            proved = proved and await self._answers(control)
        for protocol, reading in readings.items():
            if reading.doubts and not (proved and all(question in questions for question in reading.doubts)):
                self._note(f"{protocol}: the server ends connections at times, so that what it refuses cannot be told")
                reading.complete = False
                reading.accepted = reading.accepted or None

    def _control(self, readings: dict[Protocol, _Reading]) -> _Question | None:
        """A hello that the server should answer, as like as may be to those in doubt."""
        for protocol in (Protocol.TLS1_2, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3, Protocol.TLS1_3):
            suites = readings[protocol].suites
            if suites and protocol is not Protocol.TLS1_3 and self._reads_long_lists:
                others = tuple(code for code in CLASSIC_SUITES if code not in suites)
                return _Question(protocol, (*others, suites[0]))
            if suites:
                return _Question(protocol, (suites[0],))
        return None

    async def _answers(self, control: _Question | None) -> bool:
        if control is None:
            return False
        answer = await self._ask(control.protocol, control.suites)
        return isinstance(answer, ServerHello) and answer.suite == control.suites[-1]

    async def _still_turned_away(self, question: _Question) -> bool:
        if question.protocol is Protocol.SSL2:
            answer = await self._send(question.protocol, ssl2_client_hello())
            return isinstance(answer, Unanswered) and answer.silence in _SSL2_REFUSALS
        answer = await self._ask(question.protocol, question.suites)
        return isinstance(answer, Alert) or (isinstance(answer, Unanswered) and answer.silence is Silence.CLOSED)

    # --- the sum ------------------------------------------------------------------------------------------------------

    def _failure(self) -> ProbeError:
        """Why no protocol is known to be accepted."""
        detail = "; ".join(self.notes[:3]) or "every protocol was refused"
        if self._answered:
            return ProbeError(Reason.HANDSHAKE_ERROR, detail)
        if Silence.NOT_TLS in self._silences:
            return ProbeError(Reason.NOT_TLS, detail)
        if self._silences == {Silence.TIMEOUT}:
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
            notes=tuple(self.notes),
        )

    def _compression_verdict(self, readings: dict[Protocol, _Reading]) -> bool | None:
        """True as soon as one protocol accepts it; False when no protocol that could have it is unknown.

        TLS 1.3 has no compression (RFC 8446, 4.1.2), SSL 2 never had it.
        """
        if any(self._compression.values()):
            return True
        classic = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)
        return None if any(readings[protocol].accepted is None for protocol in classic) else False
