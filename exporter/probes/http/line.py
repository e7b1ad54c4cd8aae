"""What HTTP/1.1 and HTTP/2 share: a connection for questions, and its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import h2.exceptions
import h11

from exporter.errors import ProbeError
from exporter.facts.http import HttpResponse
from exporter.model import Reason
from exporter.net.connection import PeerFloodError, PeerResetError, PeerSilentError
from exporter.probes.http.question import Question

MAX_HEAD_BYTES = 65536
MAX_BODY_BYTES = 65536
"""Maximum bytes of a body that is read so that the connection can be used again. A longer body costs a new connection.
"""


class Stream(Protocol):
    """Bytes in both directions: a TLS session, or a plain connection."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""

    async def write(self, data: bytes) -> None:
        """Send all of the data."""


class Line(Protocol):
    """An HTTP connection on which one question is asked after the other."""

    async def ask(self, question: Question) -> HttpResponse:
        """Ask, and read the head of the answer.

        Raises:
            ProbeError: `http_timeout` or `http_error` when there is none.
        """

    async def ready(self) -> bool:
        """Whether another question may be asked. Reads the rest of the last answer. Raises nothing."""


@contextmanager
def told_apart() -> Iterator[None]:
    """Turn every error that ends a line into a `ProbeError`."""
    try:
        yield
    except (h11.RemoteProtocolError, h2.exceptions.ProtocolError) as error:
        raise ProbeError(Reason.HTTP_ERROR, f"not an HTTP response: {str(error) or type(error).__name__}") from error
    except PeerSilentError as error:
        raise ProbeError(Reason.HTTP_TIMEOUT, "no response to the request") from error
    except (PeerResetError, PeerFloodError) as error:
        raise ProbeError(Reason.HTTP_ERROR, "the connection broke before the response was complete") from error


def unanswered() -> ProbeError:
    """The error for a peer that closed the connection."""
    return ProbeError(Reason.HTTP_ERROR, "the server closed the connection without a response")
