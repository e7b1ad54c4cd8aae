"""Every parser that reads bytes of a server.

Each takes the bytes whole. What the parser raises on purpose is caught there; whatever leaves it is a finding: another
exception, or an assertion of what holds for all bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.net.proxy import DIALOGUES as PROXY_DIALOGUES
from exporter.net.starttls import DIALOGUES
from fuzz.dialogues import proxy, starttls
from fuzz.handshake import flight, key
from fuzz.probes import chain, dns_response, head, hsts, http, http2, tls
from fuzz.software import fields, greeting


@dataclass(frozen=True, slots=True)
class Parser:
    """One of them.

    Attributes:
        parse: takes the bytes.
        share: how many of all inputs are its, beside the others' shares. Our own code has most; where libraries do the
            work and take their time, it is few.
    """

    parse: Callable[[bytes], None]
    share: int


_SLOW_DIALOGUES = {"xmpp", "xmpp-server"}

PARSERS: Mapping[str, Parser] = {
    "flight": Parser(flight, 80),
    "key": Parser(key, 100),
    "chain": Parser(chain, 15),
    "tls": Parser(tls, 2),
    "http": Parser(http, 10),
    "head": Parser(head, 40),
    "http2": Parser(http2, 4),
    "hsts": Parser(hsts, 100),
    "fields": Parser(fields, 8),
    "greeting": Parser(greeting, 8),
    "dns": Parser(dns_response, 4),
    **{f"starttls-{name}": Parser(starttls(name), 20 if name in _SLOW_DIALOGUES else 44) for name in DIALOGUES},
    **{f"proxy-{scheme}": Parser(proxy(scheme), {"http": 8, "socks5": 30}[scheme]) for scheme in PROXY_DIALOGUES},
}
