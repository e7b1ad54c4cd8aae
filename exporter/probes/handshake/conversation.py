"""What is said to one server in one reading: hellos, their answers, and what is learnt of its manners on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.model import Protocol
from exporter.net.dial import Dialer
from exporter.probes.handshake.exchange import Silence, Unanswered, exchange_again
from exporter.probes.handshake.flight import Alert, Answer, ServerHello, SSL2ServerHello
from exporter.probes.handshake.hello import NO_COMPRESSION, Offer, client_hello, ssl2_client_hello
from exporter.probes.handshake.registry import VERSION_CODES, suite_name

PROTOCOL_VERSION = 70
REFUSALS = frozenset({40, PROTOCOL_VERSION, 71})
"""handshake_failure, protocol_version, insufficient_security (RFC 8446, 6.2): nothing acceptable was offered.

Others (47 illegal_parameter, 50 decode_error, 80 internal_error, 112 unrecognized_name, ...) complain of the hello, and
by themselves say nothing about what it offered.
"""


@dataclass(slots=True)
class Sweep:
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


class Conversation:
    """All that is said to one server.

    Attributes:
        notes: what stood in the way, for a person.
        silences: every way in which it did not answer.
        answered: it has spoken TLS (or SSL 2) at least once.
        compresses: protocols in which it took compression.
        needs_key_shares: it may not know HelloRetryRequest, so TLS 1.3 hellos carry key shares.
        hangs_up: closing the connection seems to be how it refuses.
    """

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._reached = False
        self.notes: list[str] = []
        self.silences: set[Silence] = set()
        self.answered = False
        self.compresses: set[Protocol] = set()
        self.needs_key_shares = False
        self.hangs_up = False

    def note(self, text: str) -> None:
        """Keep the sentence, once."""
        if text not in self.notes:
            self.notes.append(text)

    async def ask(self, protocol: Protocol, suites: Sequence[int]) -> Answer | Unanswered:
        """The answer to a hello that offers these suites; with none, to SSL 2's, which offers all it has."""
        if protocol is Protocol.SSL2:
            return await self._send(protocol, ssl2_client_hello())
        offer = Offer(
            VERSION_CODES[protocol], tuple(suites), self._dialer.target.server_name, key_shares=self.needs_key_shares
        )
        return await self._send(protocol, client_hello(offer))

    async def _send(self, protocol: Protocol, hello: bytes) -> Answer | Unanswered:
        # Where closing seems to be how this server refuses, it need not be seen twice each time: the end asks again.
        answer = await exchange_again(self._dialer, hello, reached=self._reached, retry_closed=not self.hangs_up)
        self._reached = True
        if isinstance(answer, Unanswered):
            self.silences.add(answer.silence)
            self.note(f"{protocol}: the server {answer}")
        else:
            self.answered = True
        return answer

    async def sweep(self, protocol: Protocol, suites: Sequence[int]) -> Sweep:
        """Offer the suites until the server refuses those left, or something else ends it."""
        sweep = Sweep(left=tuple(suites))
        while sweep.left:
            answer = await self.ask(protocol, sweep.left)
            match answer:
                case ServerHello() if answer.version < VERSION_CODES[protocol]:
                    sweep.wrong_version = True  # an answer in an older version refuses what only this one could take
                    return sweep
                case ServerHello() if answer.version == VERSION_CODES[protocol] and answer.suite in sweep.left:
                    sweep.found.append(answer.suite)
                    sweep.left = tuple(code for code in sweep.left if code != answer.suite)
                    if answer.compression != NO_COMPRESSION and not answer.retry_request:
                        self.compresses.add(protocol)
                case ServerHello():
                    what = f"0x{answer.version:04X}" if answer.version != VERSION_CODES[protocol] else ""
                    sweep.open = f"chose {what or suite_name(answer.suite)}, which was not offered"
                    self.note(f"{protocol}: protocol violation: the server {sweep.open}")
                    return sweep
                case Alert(description=description) if description in REFUSALS:
                    sweep.wrong_version = description == PROTOCOL_VERSION and not sweep.found
                    return sweep
                case Alert(description=description):
                    sweep.open, sweep.turned_away = f"alert {description}", True
                    self.note(f"{protocol}: the server sent alert {description}")
                    return sweep
                case SSL2ServerHello():
                    sweep.open = "an SSL 2 greeting"
                    return sweep
                case Unanswered():
                    sweep.open, sweep.unanswered = str(answer), True
                    sweep.turned_away = answer.silence is Silence.CLOSED
                    return sweep
        return sweep
