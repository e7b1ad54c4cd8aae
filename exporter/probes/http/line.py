"""What HTTP/1.1 and HTTP/2 have in common: a line to a server, and what may go wrong on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import h2.exceptions
import h11

from exporter.errors import ProbeError
from exporter.facts.http import HttpResponse
from exporter.model import Reason
from exporter.net.dial import PeerFloodError, PeerResetError, PeerSilentError
from exporter.probes.http.question import Question

MAX_HEAD_BYTES = 65536
MAX_BODY_BYTES = 65536
"""Of one body that is read to the end for the sake of the connection; a longer one costs a new connection instead."""


class Stream(Protocol):
    """Bytes both ways: a TLS session, or a plain connection."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""

    async def write(self, data: bytes) -> None:
        """Send it all."""


class Line(Protocol):
    """An HTTP connection on which one question is asked after the other."""

    async def ask(self, question: Question) -> HttpResponse:
        """Ask, and read the head of the answer.

        Raises:
            ProbeError: `http_timeout` or `http_error` when there is none.
        """

    async def ready(self) -> bool:
        """Whether another question may be asked; reads what is left of the last answer. Raises nothing."""


@contextmanager
def told_apart() -> Iterator[None]:
    """Whatever ends a line as a `ProbeError`."""
    try:
        yield
    except (h11.RemoteProtocolError, h2.exceptions.ProtocolError) as error:
        raise ProbeError(Reason.HTTP_ERROR, f"not an HTTP response: {str(error) or type(error).__name__}") from error
    except PeerSilentError as error:
        raise ProbeError(Reason.HTTP_TIMEOUT, "no response to the request") from error
    except (PeerResetError, PeerFloodError) as error:
        raise ProbeError(Reason.HTTP_ERROR, "the connection broke before the response was complete") from error


def unanswered() -> ProbeError:
    """The peer closed."""
    return ProbeError(Reason.HTTP_ERROR, "the server closed the connection without a response")
