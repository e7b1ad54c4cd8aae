"""What the answer to one hello means."""

from exporter.probes.handshake.exchange import Unanswered
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.server_hello import Alert, Answer, ServerHello
from exporter.tls.suites import VERSION_CODES

PROTOCOL_VERSION = 70
INAPPROPRIATE_FALLBACK = 86
"""RFC 7507, 3."""
UNRECOGNIZED_NAME = 112
NO_APPLICATION_PROTOCOL = 120
REFUSALS = frozenset({40, PROTOCOL_VERSION, 71})
"""handshake_failure, protocol_version, insufficient_security (RFC 8446, 6.2): nothing acceptable was offered.

Other alerts (47 illegal_parameter, 50 decode_error, 80 internal_error, 112 unrecognized_name, ...) object to the hello.
By themselves they say nothing about what it offered.
"""


def accepts(answer: Answer | Unanswered, query: HelloQuery) -> bool:
    """Whether the server took one of the suites of this query and could continue with it."""
    return (
        isinstance(answer, ServerHello)
        and answer.version == VERSION_CODES[query.protocol]
        and answer.suite in query.suites
        and answer.rest.alert is None
    )


def refuses(answer: Answer | Unanswered) -> bool:
    """Whether the answer is an alert that refuses what was offered, also one after a ServerHello.

    Go sends its ServerHello before it looks for a signature scheme. A refusal of the version does not count, since the
    server is known to have the version.
    """
    description = answer.rest.alert if isinstance(answer, ServerHello) else getattr(answer, "description", None)
    return description in REFUSALS - {PROTOCOL_VERSION}


def refuses_alpn(answer: Answer | Unanswered) -> bool:
    """Whether the server ends the handshake since it shares no application protocol (RFC 7301, 3.2)."""
    return isinstance(answer, Alert) and answer.description == NO_APPLICATION_PROTOCOL
