"""Addresses that are special to this machine or its network, also inside of other addresses. Pure.

docs/decisions/probe.md has the reasons.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from exporter.model import plain_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA = tuple(
    ip_network(address)
    for address in (
        *("169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.42.42", "169.254.0.23"),
        *("100.100.100.200", "192.0.0.192", "168.63.129.16"),
        *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42"),
    )
)
"""Where machines of a cloud ask for their credentials: AWS, Google, Azure and most others, ECS, EKS, Scaleway, Tencent;
Alibaba, Oracle, Azure; AWS, EKS, Google and Scaleway over IPv6."""
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))
SPECIAL = (
    *METADATA,
    *LOOPBACK,
    *map(ip_network, ("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4")),
    *map(ip_network, ("::", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "fe80::/10", "fec0::/10", "ff00::/8")),
    *map(ip_network, ("100::/8", "200::/7", "400::/6", "800::/5", "1000::/4")),
    *map(ip_network, ("4000::/3", "6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6")),
    ip_network("fe00::/9"),
)
"""In this order: metadata, loopback; this host, link-local, protocol assignments, multicast, reserved (RFC 6890);
unspecified, forms that embed IPv4 (RFC 4291, 2.5.5.1; RFC 2765, 2.1; RFC 8215), link-local, site-local, multicast;
networks that nobody has (RFC 4291, 2.4)."""

_NAT64, _NAT64_LOCAL = IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48")
_COMPATIBLE, _TRANSLATED = IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96")
_6TO4, _TEREDO = IPv6Network("2002::/16"), IPv6Network("2001::/32")
_ISATAP, _ISATAP_MASK = 0x00005EFE, 0xFDFFFFFF
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"})


def forms(literal: str) -> tuple[Address, ...]:
    """The address, without its zone, and the IPv4 addresses inside of it: a gateway may connect to these.

    An IPv4-mapped address is IPv4 only, as in connections.
    """
    address = ip_address(plain_address(literal.partition("%")[0]))
    return (address,) if isinstance(address, IPv4Address) else (address, *_embedded(address))


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    value = int(address)
    if value <= 1:  # unspecified and loopback, which are no IPv4-compatible addresses
        return
    last = value & 0xFFFFFFFF
    if any(address in network for network in (_NAT64, _NAT64_LOCAL, _COMPATIBLE, _TRANSLATED)):
        yield IPv4Address(last)
    if (value >> 32) & _ISATAP_MASK == _ISATAP:  # RFC 5214, 6.1
        yield IPv4Address(last)
    if address in _NAT64_LOCAL and (high := (value >> 64) & 0xFFFF):  # RFC 6052, 2.2, of a prefix of 48 bits
        yield IPv4Address(high << 16 | (value >> 40) & 0xFFFF)
    if address in _6TO4:  # RFC 3056, 2
        yield IPv4Address((value >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:  # RFC 4380, 4: the server, and the client with each bit turned
        yield IPv4Address((value >> 64) & 0xFFFFFFFF)
        yield IPv4Address(last ^ 0xFFFFFFFF)


def special_networks(address: Address) -> list[Network]:
    """All special networks that the address is in; empty for an ordinary address."""
    return [network for network in SPECIAL if address in network]


def is_local_name(host: str) -> bool:
    """Whether the name is for this machine, independent of what it resolves to (RFC 6761, 6.3)."""
    return host in _LOCAL_NAMES or host.endswith(".localhost")


def is_inside(network: Network, others: tuple[Network, ...] | list[Network]) -> bool:
    """Whether the network is a part of each of the others, which are of the same version."""
    return all(network.subnet_of(other) for other in others)  # type: ignore[arg-type]
