"""The plaintext dialogues before TLS. After a dialogue the next byte is TLS, or it raises an error that says why not.

A reply is read to its end and not a byte further. Bytes that a peer, or an attacker on the path, adds after consent
would be taken for part of the TLS session (CVE-2011-0411). So they are an error.
"""

from collections.abc import Awaitable, Callable

from exporter.net.connection import Connection, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.starttls import binary, lines, replies, xmpp
from exporter.net.starttls.wire import Wire, broken, silent
from exporter.services import STARTTLS

__all__ = ["DIALOGUES", "start_tls"]

_FAMILIES = (replies, lines, binary, xmpp)


def _dialogue(service: str) -> Callable[[Wire], Awaitable[None]]:
    """The function with the name of the service."""
    name = service.replace("-", "_")
    found: Callable[[Wire], Awaitable[None]] = next(vars(family)[name] for family in _FAMILIES if name in vars(family))
    return found


DIALOGUES = {service: _dialogue(service) for service in STARTTLS}
"""By the values of the option `starttls`."""


async def start_tls(connection: Connection, dialogue: str, name: str, ehlo_name: str | None = None) -> str | None:
    """Run the dialogue before TLS; returns the server's greeting, as `Wire.greeting`.

    Args:
        connection: positioned before the server's first byte.
        dialogue: a key of `DIALOGUES`.
        name: the host to ask for, if the dialogue names one.
        ehlo_name: our own name, if the dialogue has one; None means `own_name`.

    Raises:
        ProbeError: `starttls_refused` if the server declines, `starttls_timeout` if it does not answer in time,
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
