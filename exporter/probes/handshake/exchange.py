"""One hello, one answer, one connection. What is no answer is told apart by how it failed to be one."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from exporter.errors import ProbeError
from exporter.net.dial import Dialer, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.service import ready_for_tls
from exporter.probes.handshake.server_hello import Answer, CloseNotifyError, Flight, MalformedError, NotTLSError

MAX_ANSWER_BYTES = 131072
"""A ServerHello comes first and is small, a chain of certificates has some thousand bytes."""


class Silence(Enum):
    """The ways in which a server does not answer. None of them is a refusal."""

    TIMEOUT = "did not answer in time"
    RESET = "reset the connection"
    CLOSED = "closed the connection without an alert"
    NO_CONNECTION = "did not accept the connection"
    NOT_TLS = "answered with something that is not TLS"
    MALFORMED = "answered with broken TLS"


TURNED_AWAY = frozenset({Silence.CLOSED, Silence.RESET})
"""How servers refuse that send no alert. Each may be somebody's fault too, so it takes a proof (`doubts`)."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer; `detail` says more where there is more to say."""

    silence: Silence
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.silence.value}{f' ({self.detail})' if self.detail else ''}"


async def exchange(dialer: Dialer, hello: bytes, *, whole: bool = True) -> Answer | Unanswered:
    """Send the hello on a connection of its own and read the answer; unless `whole` is false, with what comes behind.

    Raises:
        ProbeError: the connection, or the dialogue before TLS, did not come to be.
    """
    flight = Flight()
    unanswered = Unanswered(Silence.CLOSED)
    async with ready_for_tls(dialer, max_bytes=MAX_ANSWER_BYTES) as connection:
        try:
            await connection.write(hello)
            while data := await connection.read():
                flight.feed(data)
                if flight.complete or (flight.answer is not None and not whole):
                    break
        except PeerSilentError:
            unanswered = Unanswered(Silence.TIMEOUT)
        except PeerResetError:
            unanswered = Unanswered(Silence.RESET)
        except PeerFloodError:
            unanswered = Unanswered(Silence.MALFORMED, f"more than {MAX_ANSWER_BYTES} bytes")
        except CloseNotifyError:
            unanswered = Unanswered(Silence.CLOSED)
        except NotTLSError:
            unanswered = Unanswered(Silence.NOT_TLS)
        except MalformedError as error:
            unanswered = Unanswered(Silence.MALFORMED, str(error))
    return unanswered if flight.answer is None else flight.answer


async def exchange_again(  # noqa: PLR0913 - one place for all that a try hangs on
    dialer: Dialer,
    hello: bytes,
    *,
    reached: bool,
    retry_turned_away: bool = True,
    whole: bool = True,
    count: Callable[[], None] = lambda: None,
) -> Answer | Unanswered:
    """As `exchange`, with one more try when nothing was answered: a lost packet is not a finding.

    Once the server has been reached, a connection that fails is one more way of not answering. Each try is counted.

    Raises:
        ProbeError: the server has not been reached before, and this connection failed.
    """
    outcome: Answer | Unanswered = Unanswered(Silence.TIMEOUT)
    for _ in range(2):
        count()
        try:
            outcome = await exchange(dialer, hello, whole=whole)
        except ProbeError as error:
            if not reached:
                raise
            outcome = Unanswered(Silence.NO_CONNECTION, error.detail)
        if not isinstance(outcome, Unanswered):
            break
        if outcome.silence in {Silence.NOT_TLS, Silence.MALFORMED}:
            break  # it did answer, and would do so again
        if outcome.silence in TURNED_AWAY and not retry_turned_away:
            break
    return outcome
