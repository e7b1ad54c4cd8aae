"""The name of this machine in EHLO, unless the configuration has one (`ehlo_name`)."""

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
"""Top-level domains without public names: IANA's Special-Use Domain Names; RFC 6762, appendix G; what distributions
use. Servers that look up the name (Postfix: reject_unknown_helo_hostname) refuse such names."""


def own_name(hostname: str, local_address: str) -> str:
    """The machine's name if it is a public one, otherwise the source address of the connection as a literal.

    RFC 5321, 4.1.1.1 asks for these two. No rule of Postfix about names refuses a literal.
    """
    name = hostname.lower().removesuffix(".")
    match = _QUALIFIED.fullmatch(name)
    if match is not None and len(name) < 254 and match[1] not in _UNKNOWN_TO_THE_WORLD:
        return name
    return address_literal(local_address)
