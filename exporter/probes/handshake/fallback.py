"""The fallback signal (RFC 7507): whether a server ends a handshake in an older version that carries it."""

from collections.abc import Mapping

from exporter.model import Protocol
from exporter.probes.handshake.answers import INAPPROPRIATE_FALLBACK, accepts
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.life import SHORT_LIST
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import FALLBACK, HelloQuery
from exporter.probes.handshake.server_hello import Alert

_WITH_SIGNAL = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)


async def refuses_fallback(conversation: Conversation, results: Mapping[Protocol, ProtocolResult]) -> bool | None:
    """Whether the server refuses the fallback; None where it has no older version, or the answer does not show it."""
    accepted = [protocol for protocol in reversed(Protocol) if results[protocol].accepted]
    older = [protocol for protocol in accepted[1:] if protocol in _WITH_SIGNAL]
    if not older:
        return None
    suites = tuple(results[older[0]].suites[: SHORT_LIST - 2])
    query = HelloQuery(older[0], suites, fallback=True, purpose=FALLBACK)
    answer = await conversation.put(query)
    if isinstance(answer, Alert) and answer.description == INAPPROPRIATE_FALLBACK:
        return True
    return False if accepts(answer, query) else None
