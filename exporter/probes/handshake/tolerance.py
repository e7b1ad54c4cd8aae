"""Finds a hello that the server answers, if it does not answer the usual ones.

Some servers drop hellos with many suites, with application protocols or extensions that they do not know, or with a
server name.
"""

from dataclasses import dataclass

from exporter.model import Protocol
from exporter.probes.handshake.answers import REFUSALS, UNRECOGNIZED_NAME
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.life import SHORT_LIST
from exporter.probes.handshake.server_hello import Alert, ServerHello
from exporter.tls.suites import CLASSIC_SUITES


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """What a plainer hello leaves out, and what a note says of that. Extensions include ALPN."""

    alpn: bool = False
    extensions: bool = False
    server_name: bool = False
    note: str = ""


_PLAINER = (
    _LeftOut(),
    _LeftOut(alpn=True, note="application protocols that it may not know"),
    _LeftOut(extensions=True, note="extensions that it may not know"),
    _LeftOut(extensions=True, server_name=True, note="a server name"),
)


async def find_tolerated_hello(conversation: Conversation) -> bool:
    """Whether the server answers plainer hellos, with what they leave out kept in its quirks; they have few suites.

    A refusal is an answer too: these hellos offer the first suites only, and the server may accept others. ALPN is left
    out first, because a hello without extensions lacks extended_master_secret, which some servers (Botan) require.
    """
    quirks = conversation.quirks
    for left_out in _PLAINER:
        if left_out.server_name and not conversation.target_name:
            continue
        quirks.drops_alpn = left_out.alpn
        quirks.drops_optional_extensions, quirks.drops_server_name = left_out.extensions, left_out.server_name
        answer = await conversation.ask(Protocol.TLS1_2, CLASSIC_SUITES[:SHORT_LIST])
        if isinstance(answer, ServerHello) or (isinstance(answer, Alert) and answer.description in REFUSALS):
            if left_out.note:
                conversation.note(f"the server does not answer hellos with {left_out.note}; it was asked without")
            return True
        if isinstance(answer, Alert) and answer.description == UNRECOGNIZED_NAME:
            break  # without the name it would show another service
    quirks.drops_alpn = quirks.drops_optional_extensions = quirks.drops_server_name = False
    return False
