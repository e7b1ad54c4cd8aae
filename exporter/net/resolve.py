"""Names to addresses by the system's resolver, with the hosts file: what clients on this machine connect to."""

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from exporter.errors import ProbeError
from exporter.model import IpProtocol, Reason, is_ip, plain_address
from exporter.net.patience import waiting_for_us
from exporter.net.resolvconf import ResolvConf
from exporter.shortage import raise_shortage, shortage_of
from exporter.threads import NAMES

Lookup = Callable[[str, int, IpProtocol], Awaitable[tuple[str, ...]]]
"""A function like `resolve_all`; tests replace it."""

_FAMILIES = {
    IpProtocol.ANY: socket.AF_UNSPEC,
    IpProtocol.IP4: socket.AF_INET,
    IpProtocol.IP6: socket.AF_INET6,
}
_MISSING = frozenset(
    getattr(socket, name, socket.EAI_NONAME) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
)
"""No such name; no address; no address of the requested family. The last two are specific to glibc."""


async def resolve(host: str, port: int) -> str:
    """One address for the host, in the system's order of preference (RFC 6724).

    Raises:
        ProbeError: see `resolve_all`.
    """
    return (await resolve_all(host, port, IpProtocol.ANY))[0]


async def resolve_all(host: str, port: int, protocol: IpProtocol) -> tuple[str, ...]:
    """All addresses of the host that `protocol` allows, in the system's order of preference (RFC 6724).

    The result has at least one address, and none twice. A link-local address includes its interface (`fe80::1%eth0`,
    RFC 4007).

    getaddrinfo cannot be cancelled. It runs in a thread, one for each host at a time.

    Raises:
        ProbeError: `dns_nxdomain` if the name does not exist or has no such address, `dns_error` for every other
            failure.
        ShortageError: this machine has no descriptor, memory or thread for it.
    """
    if is_ip(host):
        return _taken([plain_address(host)], host, protocol)
    try:
        found = await NAMES.run(partial(_look_up, host, port, protocol), host, waiting_for_us)
        return _taken([_literal(place) for *_, place in found], host, protocol)
    except socket.gaierror as error:
        raise_shortage(error, f"{host}: cannot resolve")
        reason = Reason.DNS_NXDOMAIN if error.errno in _MISSING else Reason.DNS_ERROR
        raise ProbeError(reason, f"{host}: {error.strerror}") from error
    except (OSError, UnicodeError) as error:
        raise_shortage(error, f"{host}: cannot resolve")
        raise ProbeError(Reason.DNS_ERROR, f"{host}: {error}") from error
    except RuntimeError as error:
        raise_shortage(error, "cannot resolve a name")
        raise


def _look_up(host: str, port: int, protocol: IpProtocol) -> list[tuple[Any, ...]]:
    """What getaddrinfo says, or the error that is ours."""
    try:
        return socket.getaddrinfo(host, port, family=_FAMILIES[protocol], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        ours = _shortage()
        if ours is not None:
            raise ours from error
        raise


def _shortage() -> OSError | None:
    """The error of opening a socket now, if it is ours.

    getaddrinfo needs descriptors for the hosts file and for its questions. Without them it says EAI_AGAIN, or what the
    part that still worked says.
    """
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as error:
        return error if shortage_of(error) else None
    return None


async def searched_name(host: str, port: int, protocol: IpProtocol, conf: ResolvConf) -> str | None:
    """The full DNS name whose addresses `resolve_all` returns for this host; None if no name fits.

    With a search list, that name can differ from the host: `shop` may mean shop.corp.example. With `ndots` that is also
    true of names with dots. The names are tried in the order of the system's resolver (resolv.conf(5)), each as an
    absolute name.

    The hosts file has precedence over the DNS. So a name fits only if it shares an address with the host. There is one
    exception: a host with dots that is looked up as it is, because a hosts file would list it under the same name. If
    no name fits, the addresses come from a hosts file or another source of names.

    Raises:
        ProbeError: `dns_error` if some names could not be looked up, so that it is unknown which name it is.
    """
    dotted = "." in host
    if dotted and not conf.search:
        return host
    failure: ProbeError | None = None
    elsewhere = False
    for name in conf.names(host):
        if elsewhere and not (dotted and name == host):
            continue
        try:
            found = await resolve_all(f"{name}.", port, protocol)
        except ProbeError as error:
            failure = failure if error.reason is Reason.DNS_NXDOMAIN else error
            continue
        as_it_is = dotted and name == host and failure is None and not elsewhere
        if as_it_is or set(found) & set(await resolve_all(host, port, protocol)):
            return name
        # The system's resolver stops at the first name that exists, so it does not ask the DNS for the names after it.
        elsewhere = True
    if failure is not None:
        raise failure
    return host if dotted and not elsewhere else None


def _taken(addresses: list[str], host: str, protocol: IpProtocol) -> tuple[str, ...]:
    taken = tuple(dict.fromkeys(address for address in addresses if protocol.takes(address)))
    if not taken:
        raise ProbeError(Reason.DNS_NXDOMAIN, f"{host}: no address for ip_protocol {protocol}")
    return taken


def _literal(place: tuple[str | int, ...] | tuple[int, bytes]) -> str:
    """The IP literal of a socket address (host and port; for IPv6 also flow and scope)."""
    address, scope = str(place[0]), place[3] if len(place) > 3 else 0
    if scope and "%" not in address:
        try:
            address = f"{address}%{socket.if_indextoname(int(scope))}"  # stable, unlike the index
        except OSError:
            address = f"{address}%{scope}"
    return plain_address(address)
