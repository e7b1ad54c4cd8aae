"""What is said to one server in one reading: hellos, their answers, and what is learnt of its manners on the way."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.facts.handshake import APPLICATIONS, EXTENSIONS, RETRY_REQUEST, SERVER_NAME, HandshakeFacts
from exporter.model import Protocol
from exporter.net.dial import Dialer
from exporter.probes.handshake.exchange import TURNED_AWAY, Silence, Unanswered, exchange_again
from exporter.probes.handshake.hello import SHARED_GROUPS, Offer, client_hello, ssl2_client_hello
from exporter.probes.handshake.observed import Observed
from exporter.probes.handshake.question import Question
from exporter.probes.handshake.reduced_hello import (
    lean_question,
    reachable_groups,
    reachable_schemes,
    turned_back,
    untouched,
)
from exporter.probes.handshake.server_hello import Alert, Answer, ServerHello, SSL2ServerHello
from exporter.tls.parameters import APPLICATION_PROTOCOLS
from exporter.tls.suites import BY_NAME, VERSION_CODES, suite_name

PROTOCOLS_BY_CODE = {code: protocol for protocol, code in VERSION_CODES.items()}
SHORT_LIST = 63
"""Suites of one short list. Some servers do not read past the 64th, and the renegotiation signal takes one place."""

PROTOCOL_VERSION = 70
UNRECOGNIZED_NAME = 112
NO_APPLICATION_PROTOCOL = 120
REFUSALS = frozenset({40, PROTOCOL_VERSION, 71})
"""handshake_failure, protocol_version, insufficient_security (RFC 8446, 6.2): nothing acceptable was offered.

Others (47 illegal_parameter, 50 decode_error, 80 internal_error, 112 unrecognized_name, ...) complain of the hello, and
by themselves say nothing about what it offered.
"""
ASKED_AGAIN, ASKED_AGAIN_ON_SUSPICION = 1, 16
"""How often a refusal is asked for again, and how often where it was none in the scan before, or that scan was
contradictory. With 16, one of three machines that answer at random is missed in two scans of a thousand."""
_PATIENCE = 2
"""After so many answers that broke off behind the ServerHello, nothing behind it is waited for any more."""


@dataclass(slots=True)
class Sweep:
    """Suites found by one list, in the order chosen, and how it ended.

    Attributes:
        left: suites that were not chosen.
        open: what stood in the way; None when `left` was refused.
        wrong_version: it was refused with the whole version.
        silent: nothing came back, not even an end of the connection.
        turned_away: the server ended it without a proper refusal.
        failed: suites that the server chose and then could not go on with.
    """

    found: list[int] = field(default_factory=list)
    left: tuple[int, ...] = ()
    open: str | None = None
    wrong_version: bool = False
    silent: bool = False
    turned_away: bool = False
    failed: list[int] = field(default_factory=list)


class Conversation:
    """All that is said to one server.

    Attributes:
        observed: what the answers told beside the suite.
        notes: what stood in the way, for a person.
        contradictions: what the server said one thing of, and then another.
        spent: connections by what they were opened for.
        silences: every way in which it did not answer.
        answered: it has spoken TLS (or SSL 2) at least once.
        agreed: it has answered a hello with its own.
        changed_version: protocols that it refused after it had accepted them.
        refused: suites that it refused, of protocols that it accepts; taking one later is a contradiction.
        older_answers: protocols that it answered in although the hello asked for a newer one -> a suite it took.
        reads_long_lists: it reads the longest list of suites to its end.
        before: what the scan before found.
        server_name: SNI to send; some servers drop hellos that have one.
        leans: leaner hellos do no harm.
        extras: ask also for what the server may or may not have; some servers drop hellos with much in them.
        names_applications: offer ALPN; a server that has none of those we know may end every handshake for it.
        needs_key_shares: it may not know HelloRetryRequest, so TLS 1.3 hellos carry key shares.
        hangs_up: ending the connection seems to be how it refuses.
    """

    def __init__(self, dialer: Dialer, before: HandshakeFacts | None = None) -> None:
        self._dialer = dialer
        self.before = before
        self._reached = False
        self._broke_off = 0
        self._not_offered: dict[Protocol, set[int]] = {}
        self.spent: Counter[str] = Counter()
        self.observed = Observed()
        self.notes: list[str] = []
        self.contradictions: list[str] = []
        self.silences: set[Silence] = set()
        self.answered = False
        self.agreed = False
        self.changed_version: set[Protocol] = set()
        self.refused: dict[Protocol, set[int]] = {}
        self.older_answers: dict[Protocol, int] = {}
        self.reads_long_lists = False
        self.server_name = dialer.target.server_name
        self.extras = True
        self.names_applications = True
        self.leans = True
        self.needs_key_shares = False
        self.hangs_up = False

    @property
    def asked_without(self) -> tuple[str, ...]:
        """What hellos had to leave out for the server to answer them; see `HandshakeFacts`."""
        left_out = {
            EXTENSIONS: not self.extras,
            SERVER_NAME: self.server_name is None and self._dialer.target.server_name is not None,
            APPLICATIONS: not self.names_applications,
            RETRY_REQUEST: self.needs_key_shares and bool(self.observed.of(Protocol.TLS1_3).suites),
        }
        return tuple(name for name, left in left_out.items() if left)

    def note(self, text: str) -> None:
        """Keep the sentence, once."""
        if text not in self.notes:
            self.notes.append(text)

    def contradict(self, protocol: Protocol, what: str) -> None:
        """Keep what the server contradicts itself on, once."""
        text = f"{protocol}: {what}"
        if text not in self.contradictions:
            self.contradictions.append(text)

    async def ask(self, protocol: Protocol, suites: Sequence[int]) -> Answer | Unanswered:
        """The answer to a hello that offers these suites; with none, to SSL 2's, which offers all it has."""
        return await self.put(Question(protocol, tuple(suites)))

    async def put(self, question: Question) -> Answer | Unanswered:
        """The answer to a question.

        What the question leaves open is offered whole, with what the server has chosen before behind what is usual: one
        that goes by the client's order shows more of what it has, and one that goes by its own shows that it does.
        """
        protocol = question.protocol
        if protocol is Protocol.SSL2:
            return await self._send(question, ssl2_client_hello())
        seen = self.observed.of(protocol)
        groups, schemes = reachable_groups(protocol, seen), reachable_schemes(seen)
        if question.far or self.observed.reads("groups", protocol, len(groups) - len(seen.groups)):
            groups = turned_back(groups, seen.groups)
        if question.far or self.observed.reads("schemes", protocol, len(schemes) - len(seen.schemes)):
            schemes = turned_back(schemes, seen.schemes)
        offer = Offer(
            VERSION_CODES[protocol],
            question.suites,
            self.server_name,
            groups=groups if question.groups is None else question.groups,
            schemes=schemes if question.schemes is None else question.schemes,
            applications=self._applications() if question.applications is None else question.applications,
            extras=self.extras,
            fallback=question.fallback,
            shares=SHARED_GROUPS if self.needs_key_shares else () if question.share is None else (question.share,),
        )
        answer = await self._send(question, client_hello(offer))
        refuses_names = isinstance(answer, Alert) and answer.description == NO_APPLICATION_PROTOCOL
        if refuses_names and question.applications is None and offer.names_applications:
            self.names_applications = False  # it has others than those we know, and insists
            return await self.put(question)
        if isinstance(answer, ServerHello) and answer.version == offer.version and answer.suite in offer.suites:
            self.agreed = True
            self.observed.learn(protocol, offer, answer)
        self._look_for_contradictions(question, answer)
        return answer

    def _look_for_contradictions(self, question: Question, answer: Answer | Unanswered) -> None:
        """Whether the answer goes with what this server said before."""
        protocol, suites = question.protocol, set(question.suites)
        if isinstance(answer, Alert) and answer.description == PROTOCOL_VERSION and self.observed.of(protocol).suites:
            self.changed_version.add(
                protocol
            )  # a contradiction, unless that is how it refuses everything: see `doubts`
        if isinstance(answer, Alert) and answer.description in REFUSALS:
            readable = self.reads_long_lists or len(suites) < SHORT_LIST
            if question.leaves_nothing_out and readable and suites <= set(self.observed.of(protocol).suites):
                self.contradict(protocol, "cipher suites")
        if not isinstance(answer, ServerHello) or answer.suite not in suites:
            return
        if answer.version == VERSION_CODES[protocol]:
            if answer.suite in self.refused.get(protocol, ()):
                self.contradict(protocol, "cipher suites")
        elif (older := PROTOCOLS_BY_CODE.get(answer.version)) and answer.version < VERSION_CODES[protocol]:
            self.older_answers.setdefault(older, answer.suite)

    def _applications(self) -> tuple[str, ...]:
        return turned_back(APPLICATION_PROTOCOLS, self.observed.applications) if self.names_applications else ()

    async def _send(self, question: Question, hello: bytes) -> Answer | Unanswered:
        protocol = question.protocol
        # Where this is how the server seems to refuse, it need not be seen twice each time: the end asks again.
        answer = await exchange_again(
            self._dialer,
            hello,
            reached=self._reached,
            retry_turned_away=not self.hangs_up,
            whole=self._broke_off < _PATIENCE,
            count=lambda: self.spent.update([question.about]),
        )
        self._reached = True
        if isinstance(answer, Unanswered):
            self.silences.add(answer.silence)
            self.note(f"{protocol}: the server {answer}")
        else:
            self.answered = True
        if isinstance(answer, ServerHello) and answer.version < VERSION_CODES[Protocol.TLS1_3]:
            self._broke_off += not answer.rest.whole and answer.rest.alert is None
        return answer

    async def sweep(self, protocol: Protocol, suites: Sequence[int], *, lean: bool = True) -> Sweep:
        """Offer the suites until the server refuses those left, or something else ends it.

        Unless `lean` is false, some of what was seen beside them is left out on the way, so that more of it is seen.
        """
        sweep, seen = Sweep(left=tuple(suites)), self.observed.of(protocol)
        while sweep.left:
            question = lean_question(protocol, sweep.left, seen) if lean and self.leans else None
            before = len(seen.schemes) + len(seen.groups)
            answer = await self.put(question or Question(protocol, sweep.left))
            grown = len(seen.schemes) + len(seen.groups) > before
            if question is not None and not grown and not untouched(question, answer, seen):
                self.leans &= not isinstance(answer, Unanswered)  # some servers drop what they cannot agree on
                return await self._sweep_plainly(protocol, suites, sweep)
            if not self._take(sweep, protocol, answer) and not await self._goes_on(sweep, protocol):
                break
        if sweep.failed:
            self.note(f"{protocol}: the server chose {', '.join(map(suite_name, sweep.failed))} and then failed")
        return sweep

    async def _goes_on(self, sweep: Sweep, protocol: Protocol) -> bool:
        """Ask again for what an alert refused; whether the server takes some of it now.

        Then it sends alerts at random or several machines answer, and its refusals prove nothing. Where it accepts
        nothing of this protocol, the protocol is asked for again, not the list.
        """
        if sweep.open is not None or sweep.wrong_version or not self.observed.of(protocol).suites:
            return False
        for _ in range(self.asks_again()):
            answer = await self.ask(protocol, sweep.left)
            if isinstance(answer, ServerHello) and self._take(sweep, protocol, answer):
                if answer.rest.alert is None:
                    self.contradict(protocol, "cipher suites")
                return True
            if not isinstance(answer, Alert):
                sweep.open = "was refused, and not answered when it was asked for again"
                break
        return False

    def asks_again(self, least: int = ASKED_AGAIN, *, lost: bool = False) -> int:
        """How often to ask again for what was refused: often where the scan before found it accepted (`lost`).

        Once the answers of this scan contradict each other no refusal counts, so none needs a proof.
        """
        if self.contradictions or any(self.observed.contradictions()):
            return 0
        suspicious = lost or (self.before is not None and bool(self.before.contradictions))
        return ASKED_AGAIN_ON_SUSPICION if suspicious else least

    def lost(self, protocol: Protocol) -> bool:
        """Whether the scan before found this protocol accepted, which refuses everything now."""
        before = self.before
        return before is not None and bool(before.protocols.get(protocol)) and not self.observed.of(protocol).suites

    async def look_for_lost(self, protocol: Protocol, found: Sequence[int]) -> list[int] | None:
        """Suites that the scan before found and this one did not, as far as the server takes them after all.

        None when it does not answer.
        """
        names = () if self.before is None else self.before.cipher_suites.get(protocol, ())
        left = tuple(BY_NAME[name].code for name in names if name in BY_NAME and BY_NAME[name].code not in found)
        for _ in range(self.asks_again(0, lost=True) if left else 0):
            answer = await self.ask(protocol, left)
            if isinstance(answer, ServerHello) and answer.suite in left and answer.rest.alert is None:
                self.contradict(protocol, "cipher suites")
                return [answer.suite]
            if not isinstance(answer, Alert):
                return None
        return []

    async def _sweep_plainly(self, protocol: Protocol, suites: Sequence[int], lean: Sweep) -> Sweep:
        """Go on with everything, once a leaner hello showed nothing new: what was left out may be why.

        If there is more, it may have been hidden before too, and the order is only to be had from the start.
        """
        rest = await self.first(protocol, lean.left)
        if rest.found or (not rest.failed and await self._goes_on(rest, protocol)):
            return await self.sweep(protocol, suites, lean=False)
        rest.found, rest.failed = lean.found, lean.failed + rest.failed
        return rest

    async def first(self, protocol: Protocol, suites: Sequence[int]) -> Sweep:
        """What one hello with these suites brings."""
        sweep = Sweep(left=tuple(suites))
        self._take(sweep, protocol, await self.ask(protocol, suites))
        return sweep

    def _take(self, sweep: Sweep, protocol: Protocol, answer: Answer | Unanswered) -> bool:
        """Enter one answer into the sweep; whether it goes on."""
        version = VERSION_CODES[protocol]
        match answer:
            case ServerHello() if answer.version < version:
                self._take_wrong_version(sweep, protocol)
            case ServerHello() if answer.version == version and answer.suite in sweep.left:
                (sweep.found if answer.rest.alert is None else sweep.failed).append(answer.suite)
                at = sweep.left.index(answer.suite)
                sweep.left = sweep.left[:at] + sweep.left[at + 1 :]
                return True
            case ServerHello():
                what = f"0x{answer.version:04X}" if answer.version != version else suite_name(answer.suite)
                sweep.turned_away = answer.version == version and self._refuses_by(protocol, answer.suite)
                sweep.open = f"chose {what}, which was not offered"
                self.note(f"{protocol}: protocol violation: the server {sweep.open}")
            case Alert(description=description) if description == PROTOCOL_VERSION:
                self._take_wrong_version(sweep, protocol)
            case Alert(description=description) if description in REFUSALS:
                pass
            case Alert(description=description):
                sweep.open, sweep.turned_away = f"alert {description}", True
                self.note(f"{protocol}: the server sent alert {description}")
            case SSL2ServerHello():
                sweep.open = "an SSL 2 greeting"
            case Unanswered():
                sweep.open = str(answer)
                sweep.turned_away = answer.silence in TURNED_AWAY
                sweep.silent = answer.silence in {Silence.TIMEOUT, Silence.NO_CONNECTION}
        return False

    def _refuses_by(self, protocol: Protocol, suite: int) -> bool:
        """Whether answering with this suite, which was not offered, may be how the server refuses (yaSSL).

        It is always the same then, and the server has shown that it reads lists by choosing several from them.
        """
        self._not_offered.setdefault(protocol, set()).add(suite)
        return len(self._not_offered[protocol]) == 1 and len(self.observed.of(protocol).suites) > 1

    def _take_wrong_version(self, sweep: Sweep, protocol: Protocol) -> None:
        """The version is refused, and with it all suites; unless the server has it, and then that takes a proof."""
        if self.observed.of(protocol).suites:
            self.changed_version.add(protocol)
            sweep.open, sweep.turned_away = "the protocol version was refused, which it had accepted", True
        else:
            sweep.wrong_version = True
