"""The plaintext dialogues that lead to TLS. Each either returns with the next byte being TLS, or says why not.

A reply is read to its end and not a byte further: what a peer (or somebody between) adds after its consent would
otherwise be taken for part of the TLS session (CVE-2011-0411), so it is refused.
"""

from collections.abc import Awaitable, Callable

from exporter.net.dial import Connection, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.starttls import binary, lines, replies, xmpp
from exporter.net.starttls.wire import Wire, broken, silent
from exporter.services import STARTTLS

__all__ = ["DIALOGUES", "start_tls"]

_FAMILIES = (replies, lines, binary, xmpp)


def _dialogue(service: str) -> Callable[[Wire], Awaitable[None]]:
    """The function that has the name of the service."""
    name = service.replace("-", "_")
    found: Callable[[Wire], Awaitable[None]] = next(vars(family)[name] for family in _FAMILIES if name in vars(family))
    return found


DIALOGUES = {service: _dialogue(service) for service in STARTTLS}
"""By the values that `starttls:` takes."""


async def start_tls(connection: Connection, dialogue: str, name: str, ehlo_name: str | None = None) -> str | None:
    """Bring the connection to where TLS begins; `name` is the host to ask for, where the dialogue names one.

    `ehlo_name` is what we call ourselves where that is asked for; None leaves it to `own_name`.

    Gives what the server said of itself before it was asked anything, as `Wire.greeting`.

    Raises:
        ProbeError: `starttls_refused` when the server declines, `starttls_timeout` when it does not answer in time,
            `starttls_error` for everything else.
    """
    wire = Wire(connection, name, ehlo_name)
    try:
        await DIALOGUES[dialogue](wire)
    except PeerSilentError as error:
        raise silent(wire.waits_for) from error
    except PeerResetError as error:
        raise broken("the connection was reset before TLS") from error
    except PeerFloodError as error:
        raise broken("the server's reply is too long") from error
    wire.finish()
    return wire.greeting
