"""One hello, one answer, one connection. Without an answer, how the server failed to give one."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from exporter.errors import ProbeError
from exporter.net.connection import PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.dial import Dialer
from exporter.net.service import open_for_tls
from exporter.probes.handshake.server_flight import FlightReader
from exporter.probes.handshake.server_hello import Answer, CloseNotifyError, MalformedError, NotTLSError

MAX_ANSWER_BYTES = 131072
"""A ServerHello comes first and is small; a certificate chain has some thousand bytes."""


class NoAnswer(Enum):
    """How a server can fail to answer. None of these is a refusal."""

    TIMEOUT = "did not answer in time"
    RESET = "reset the connection"
    CLOSED = "closed the connection without an alert"
    NO_CONNECTION = "did not accept the connection"
    NOT_TLS = "answered with something that is not TLS"
    MALFORMED = "answered with broken TLS"


SILENCE = frozenset({NoAnswer.TIMEOUT, NoAnswer.NO_CONNECTION})
"""Nothing was heard from the server."""
CONNECTION_ENDED = frozenset({NoAnswer.CLOSED, NoAnswer.RESET})
"""How servers refuse that send no alert. Each can have another cause, so it needs a proof (`refusal_proof`)."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer; `detail` says more where more is known."""

    cause: NoAnswer
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.cause.value}{f' ({self.detail})' if self.detail else ''}"


async def exchange(dialer: Dialer, hello: bytes, *, read_rest: bool = True) -> Answer | Unanswered:
    """Send the hello on a connection of its own and read the answer.

    With `read_rest`, the messages after the ServerHello are read as well.

    Raises:
        ProbeError: the connection could not be opened, or the dialogue before TLS failed.
    """
    flight = FlightReader()
    unanswered = Unanswered(NoAnswer.CLOSED)
    connection = await open_for_tls(dialer, max_bytes=MAX_ANSWER_BYTES)
    try:
        await connection.write(hello)
        await connection.feed(flight.feeds_all if read_rest else flight.feeds_answer)
    except PeerSilentError:
        unanswered = Unanswered(NoAnswer.TIMEOUT)
    except PeerResetError:
        unanswered = Unanswered(NoAnswer.RESET)
    except PeerFloodError:
        unanswered = Unanswered(NoAnswer.MALFORMED, f"more than {MAX_ANSWER_BYTES} bytes")
    except CloseNotifyError:
        unanswered = Unanswered(NoAnswer.CLOSED)
    except NotTLSError:
        unanswered = Unanswered(NoAnswer.NOT_TLS)
    except MalformedError as error:
        unanswered = Unanswered(NoAnswer.MALFORMED, str(error))
    finally:
        connection.close()
    return unanswered if flight.answer is None else flight.answer


async def exchange_again(  # noqa: PLR0913 - all that decides about a second try
    dialer: Dialer,
    hello: bytes,
    *,
    reached: bool,
    retry_silence: bool = True,
    retry_ended: bool = True,
    read_rest: bool = True,
    count: Callable[[], None] = lambda: None,
) -> Answer | Unanswered:
    """As `exchange`, with a second try when nothing was answered: one lost packet must not decide anything.

    Once the server has been reached, a connection that fails is one more way of not answering. `count` is called for
    each try. Without `retry_ended`, there is no second try after the server ended the connection; without
    `retry_silence`, there is none after silence.

    Raises:
        ProbeError: the server has not been reached before, and this connection failed.
    """
    outcome: Answer | Unanswered = Unanswered(NoAnswer.TIMEOUT)
    for _ in range(2):
        count()
        try:
            outcome = await exchange(dialer, hello, read_rest=read_rest)
        except ProbeError as error:
            if not reached:
                raise
            outcome = Unanswered(NoAnswer.NO_CONNECTION, error.detail)
        if not isinstance(outcome, Unanswered):
            break
        if outcome.cause in {NoAnswer.NOT_TLS, NoAnswer.MALFORMED}:
            break  # it did answer, and would answer in the same way again
        if outcome.cause in CONNECTION_ENDED and not retry_ended:
            break
        if outcome.cause is NoAnswer.TIMEOUT and not retry_silence:
            break
    return outcome
