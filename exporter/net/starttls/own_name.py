"""What this machine calls itself before mail servers, unless the configuration says it (`ehlo_name`)."""

import re

from exporter.services import address_literal

_QUALIFIED = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)")
"""A domain of at least two labels (RFC 5321, 4.1.2)."""
_UNKNOWN_TO_THE_WORLD = frozenset(
    {
        *("alt", "arpa", "example", "invalid", "local", "localhost", "onion", "test"),
        *("corp", "home", "internal", "intranet", "lan", "private"),
        "localdomain",
    }
)
"""Top-level domains of no public name: IANA's Special-Use Domain Names; RFC 6762, appendix G; what distributions use.
Servers that look the name up (Postfix: reject_unknown_helo_hostname) refuse such names."""


def own_name(hostname: str, local_address: str) -> str:
    """The machine's name where it is a public one, else the address that the connection comes from, as a literal.

    Both are what RFC 5321, 4.1.1.1 asks for. A literal is refused by no rule about names that Postfix has.
    """
    name = hostname.lower().removesuffix(".")
    match = _QUALIFIED.fullmatch(name)
    if match is not None and len(name) < 254 and match[1] not in _UNKNOWN_TO_THE_WORLD:
        return name
    return address_literal(local_address)
