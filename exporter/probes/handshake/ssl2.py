"""SSL 2: one hello, whose answer names all cipher kinds and the certificate."""

from exporter.model import Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import CONNECTION_ENDED, Unanswered
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.server_hello import Alert, ServerHello, SSL2ServerHello
from exporter.tls.suites import SSL2_KINDS


async def read_ssl2(conversation: Conversation) -> ProtocolResult:
    """Everything of SSL 2."""
    answer = await conversation.ask(Protocol.SSL2, ())
    match answer:
        case SSL2ServerHello(kinds=kinds, certificate=certificate):
            conversation.observations.ssl2_certificate = certificate or None
            offered = [kind for kind in dict.fromkeys(kinds) if kind in SSL2_KINDS]
            if len(offered) != len(kinds):
                conversation.note("SSLv2: protocol violation: the server names cipher kinds that were not offered")
            # Without a cipher kind in common OpenSSL continued all the same (CVE-2015-3197).
            return ProtocolResult(accepted=True, suites=offered, complete=0 < len(offered) == len(kinds))
        case Alert() | ServerHello():
            return ProtocolResult(accepted=False)
        case Unanswered(cause=cause) if cause in CONNECTION_ENDED:
            return ProtocolResult(accepted=False, unproved=[HelloQuery(Protocol.SSL2)])
        case Unanswered():
            return ProtocolResult()
