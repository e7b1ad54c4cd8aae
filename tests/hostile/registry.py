"""All behaviours of the farm. A new one is a function in its file, and an entry in the tuple there."""

from tests.hostile.behaviour import Behaviour
from tests.hostile.certificates import CERTIFICATES
from tests.hostile.hellos import HELLOS
from tests.hostile.http import HTTP
from tests.hostile.http2 import HTTP2
from tests.hostile.keyexchange import KEY_EXCHANGES
from tests.hostile.names import NAMES
from tests.hostile.sessions import SESSIONS
from tests.hostile.starttls import DIALOGUES
from tests.hostile.tcp import TCP

BEHAVIOURS: tuple[Behaviour, ...] = (
    *TCP,
    *HELLOS,
    *KEY_EXCHANGES,
    *SESSIONS,
    *CERTIFICATES,
    *HTTP,
    *HTTP2,
    *DIALOGUES,
    *NAMES,
)
"""By kind: TCP, TLS, certificates, HTTP, STARTTLS, DNS. Names are unique."""

ORDINARY: tuple[Behaviour, ...] = (*CERTIFICATES, *HTTP, *HTTP2, *NAMES)
"""Servers that answer all hellos as others do: a scan of one costs as much as ten of most others."""
SHORT: tuple[Behaviour, ...] = (
    *(one for one in BEHAVIOURS if one not in ORDINARY and not one.name.startswith("huge-prime-")),
    *ORDINARY[::2],
)
"""Those of the short form: half of the ordinary servers, and no prime that keeps OpenSSL busy for seconds."""
