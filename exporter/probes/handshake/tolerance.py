"""Finds a hello that a server answers which does not answer the usual ones.

Some servers drop hellos with many suites, with extensions that they do not know, or with a server name.
"""

from exporter.model import Protocol
from exporter.probes.handshake.answers import REFUSALS, UNRECOGNIZED_NAME
from exporter.probes.handshake.conversation import SHORT_LIST, Conversation
from exporter.probes.handshake.server_hello import Alert, ServerHello
from exporter.tls.suites import CLASSIC_SUITES

_PLAINER = ((False, False, ""), (True, False, "extensions that it may not know"), (True, True, "a server name"))
"""Whether optional extensions and the server name are left out, and what a note says of that."""


async def find_tolerated_hello(conversation: Conversation) -> bool:
    """Whether the server answers plainer hellos, with what they leave out kept in its quirks; they have few suites."""
    quirks = conversation.quirks
    for without_extensions, without_name, without in _PLAINER:
        if without_name and not conversation.target_name:
            continue
        quirks.drops_optional_extensions, quirks.drops_server_name = without_extensions, without_name
        answer = await conversation.ask(Protocol.TLS1_2, CLASSIC_SUITES[:SHORT_LIST])
        if isinstance(answer, ServerHello) or (isinstance(answer, Alert) and answer.description in REFUSALS):
            if without:
                conversation.note(f"the server does not answer hellos with {without}; it was asked without")
            return True
        if isinstance(answer, Alert) and answer.description == UNRECOGNIZED_NAME:
            break  # without the name it would show another service
    quirks.drops_optional_extensions = quirks.drops_server_name = False
    return False
