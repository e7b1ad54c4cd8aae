"""The dialogues with a proxy, up to where the connection is one with the target.

They do no input or output, so hostile bytes can be tried on them by themselves. What a proxy says is never quoted: it
may be what it was told, and that is the password.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address

from exporter.model import Proxy, Reason, is_ip
from exporter.net.proxy.base import Dialogue, ProxyError
from exporter.net.proxy.connect import http_connect
from exporter.net.proxy.socks import socks5

__all__ = ["DIALOGUES", "Dialogue", "ProxyError", "dialogue"]

DIALOGUES: Mapping[str, Callable[[Proxy, str, int], Dialogue]] = {"http": http_connect, "socks5": socks5}
"""By `Proxy.scheme`."""


def dialogue(proxy: Proxy, host: str, port: int) -> Dialogue:
    """What is to be said to the proxy so that it connects to the host, a name or an IP literal.

    Raises:
        ProxyError: the host has an IPv6 zone, which means something on one machine only (RFC 4007, 11.2).
    """
    if is_ip(host) and isinstance(address := ip_address(host), IPv6Address) and address.scope_id:
        raise ProxyError(Reason.CONNECT_ERROR, f"cannot be told of {host}: the zone means nothing to it")
    return DIALOGUES[proxy.scheme](proxy, host, port)
