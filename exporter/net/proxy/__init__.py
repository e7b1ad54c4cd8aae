"""The dialogues with a proxy, up to the point where the connection is one with the target.

They do no I/O, so hostile bytes can be tested on them directly. A message of the proxy is never quoted, because it may
repeat our password.
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
    """The dialogue that lets the proxy connect to the host, a name or an IP literal.

    Raises:
        ProxyError: the host has an IPv6 zone, which is valid on one machine only (RFC 4007, 11.2).
    """
    if is_ip(host) and isinstance(address := ip_address(host), IPv6Address) and address.scope_id:
        raise ProxyError(Reason.CONNECT_ERROR, f"cannot connect to {host}: an IPv6 zone is valid on this machine only")
    return DIALOGUES[proxy.scheme](proxy, host, port)
