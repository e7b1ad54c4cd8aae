"""One hello, one answer, one connection. What is no answer is told apart by how it failed to be one."""

from dataclasses import dataclass
from enum import Enum

from exporter.errors import ProbeError
from exporter.net.dial import Dialer, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.starttls import start_tls
from exporter.probes.handshake.flight import Answer, Flight, MalformedError, NotTLSError

MAX_ANSWER_BYTES = 131072
"""A ServerHello comes first and is small; a record before it may bring at most 16 KiB."""


class Silence(Enum):
    """The ways in which a server does not answer. None of them is a refusal."""

    TIMEOUT = "did not answer in time"
    RESET = "reset the connection"
    CLOSED = "closed the connection without an alert"
    NO_CONNECTION = "did not accept the connection"
    NOT_TLS = "answered with something that is not TLS"
    MALFORMED = "answered with broken TLS"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer; `detail` says more where there is more to say."""

    silence: Silence
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.silence.value}{f' ({self.detail})' if self.detail else ''}"


async def exchange(dialer: Dialer, hello: bytes) -> Answer | Unanswered:
    """Send the hello on a connection of its own and read up to the answer.

    Raises:
        ProbeError: the connection, or the dialogue before TLS, did not come to be.
    """
    flight = Flight()
    async with dialer.connect(max_bytes=MAX_ANSWER_BYTES) as connection:
        connection.limit(2 * connection.timeout_seconds)
        if dialer.target.starttls:
            await start_tls(connection, dialer.target.starttls, dialer.target.verified_name)
            connection.limit(connection.timeout_seconds)
        try:
            await connection.write(hello)
            while True:
                data = await connection.read()
                if not data:
                    return Unanswered(Silence.CLOSED)
                answer = flight.feed(data)
                if answer is not None:
                    return answer
        except PeerSilentError:
            return Unanswered(Silence.TIMEOUT)
        except PeerResetError:
            return Unanswered(Silence.RESET)
        except PeerFloodError:
            return Unanswered(Silence.MALFORMED, f"more than {MAX_ANSWER_BYTES} bytes")
        except NotTLSError:
            return Unanswered(Silence.NOT_TLS)
        except MalformedError as error:
            return Unanswered(Silence.MALFORMED, str(error))


async def exchange_again(
    dialer: Dialer, hello: bytes, *, reached: bool, retry_closed: bool = True
) -> Answer | Unanswered:
    """As `exchange`, with one more try when nothing was answered: a lost packet is not a finding.

    Once the server has been reached, a connection that fails is one more way of not answering.

    Raises:
        ProbeError: the server has not been reached before, and this connection failed.
    """
    outcome: Answer | Unanswered = Unanswered(Silence.TIMEOUT)
    for _ in range(2):
        try:
            outcome = await exchange(dialer, hello)
        except ProbeError as error:
            if not reached:
                raise
            outcome = Unanswered(Silence.NO_CONNECTION, error.detail)
        if not isinstance(outcome, Unanswered):
            break
        if outcome.silence in {Silence.NOT_TLS, Silence.MALFORMED}:
            break  # it did answer, and would do so again
        if outcome.silence is Silence.CLOSED and not retry_closed:
            break
    return outcome
