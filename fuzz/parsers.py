"""Every parser that reads bytes of a server.

Each gets all bytes of an input. It catches the exceptions that the parser raises on purpose. Any other exception, or a
failed assertion about a property of all inputs, is a finding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.net.proxy import DIALOGUES as PROXY_DIALOGUES
from exporter.net.starttls import DIALOGUES
from fuzz.dialogues import proxy, starttls
from fuzz.handshake import flight, key, prime
from fuzz.lists import target_lists
from fuzz.probes import chain, dns_response, head, hsts, http, http2, tls
from fuzz.software import fields, greeting


@dataclass(frozen=True, slots=True)
class Parser:
    """One parser.

    Attributes:
        parse: takes the bytes.
        share: its part of all inputs, relative to the shares of the others. Our own code gets most inputs. Slow
            parsers, where libraries do the work, get few.
    """

    parse: Callable[[bytes], None]
    share: int


_SLOW_DIALOGUES = {"xmpp", "xmpp-server"}

PARSERS: Mapping[str, Parser] = {
    "flight": Parser(flight, 80),
    "prime": Parser(prime, 80),
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
    "lists": Parser(target_lists, 8),
    **{f"starttls-{name}": Parser(starttls(name), 20 if name in _SLOW_DIALOGUES else 44) for name in DIALOGUES},
    **{f"proxy-{scheme}": Parser(proxy(scheme), {"http": 8, "socks5": 30}[scheme]) for scheme in PROXY_DIALOGUES},
}
