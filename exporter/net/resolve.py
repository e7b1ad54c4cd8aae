"""Name to addresses, by the system's resolver: what clients on this machine would connect to (hosts file included)."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

from exporter.errors import ProbeError
from exporter.model import IpProtocol, Reason, is_ip, plain_address
from exporter.net.resolvconf import ResolvConf

Lookup = Callable[[str, int, IpProtocol], Awaitable[tuple[str, ...]]]
"""As `resolve_all`, which is the one that is used outside of tests."""

_FAMILIES = {
    IpProtocol.ANY: socket.AF_UNSPEC,
    IpProtocol.IP4: socket.AF_INET,
    IpProtocol.IP6: socket.AF_INET6,
}
_MISSING = frozenset(
    getattr(socket, name, socket.EAI_NONAME) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
)
"""No such name; no address; none of the family asked for. The last two are glibc's."""


async def resolve(host: str, port: int) -> str:
    """One address for the host, in the system's order of preference (RFC 6724).

    Raises:
        ProbeError: see `resolve_all`.
    """
    return (await resolve_all(host, port, IpProtocol.ANY))[0]


async def resolve_all(host: str, port: int, protocol: IpProtocol) -> tuple[str, ...]:
    """Every address of the host that `protocol` takes, each once, in the system's order of preference (RFC 6724).

    Gives at least one. A link-local address has its interface with it (`fe80::1%eth0`, RFC 4007).

    getaddrinfo cannot be cancelled, and the loop's thread pool is waited for when the program ends; so it runs in a
    daemon thread of its own, which a stop does not wait for.

    Raises:
        ProbeError: `dns_nxdomain` when the name does not exist or has no such address, `dns_error` for every other
            answer.
    """
    if is_ip(host):
        return _taken([plain_address(host)], host, protocol)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str], error: OSError | UnicodeError | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(addresses)
        else:
            answer.set_exception(error)

    def look_up() -> None:
        addresses, error = [], None
        try:
            found = socket.getaddrinfo(host, port, family=_FAMILIES[protocol], type=socket.SOCK_STREAM)
            addresses = [_literal(place) for *_, place in found]
        except (OSError, UnicodeError) as caught:
            error = caught
        try:
            loop.call_soon_threadsafe(settle, addresses, error)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            return

    threading.Thread(target=look_up, name=f"resolve-{host}", daemon=True).start()
    try:
        return _taken(await answer, host, protocol)
    except socket.gaierror as error:
        reason = Reason.DNS_NXDOMAIN if error.errno in _MISSING else Reason.DNS_ERROR
        raise ProbeError(reason, f"{host}: {error.strerror}") from error
    except (OSError, UnicodeError) as error:
        raise ProbeError(Reason.DNS_ERROR, f"{host}: {error}") from error


async def searched_name(host: str, port: int, protocol: IpProtocol, conf: ResolvConf) -> str | None:
    """The full name in the DNS whose addresses `resolve_all` gives for this host.

    With a search list that can be another name than the host: `shop` stands for shop.corp.example, and with `ndots` so
    can a name with dots. The names are tried as the system's resolver tries them (resolv.conf(5)), but each as it is.
    A hosts file goes before the DNS, so a name has to have an address of the host, too. Only a host with dots that is
    looked up as it is needs none: a hosts file has it under the same name.
    None when it is none of them: a hosts file, or some other source of names.

    Raises:
        ProbeError: with `dns_error`; some could not be looked up, so it is open which one it is.
    """
    dotted = "." in host
    if dotted and not conf.search:
        return host
    below = [f"{host}.{domain}" if domain else host for domain in conf.search]
    names = [host, *below] if host.count(".") >= conf.dots else [*below, host]
    failure: ProbeError | None = None
    elsewhere = False
    for name in dict.fromkeys(names):
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
        elsewhere = True  # the system's resolver asks the DNS for none of the names behind one that exists
    if failure is not None:
        raise failure
    return host if dotted and not elsewhere else None


def _taken(addresses: list[str], host: str, protocol: IpProtocol) -> tuple[str, ...]:
    taken = tuple(dict.fromkeys(address for address in addresses if protocol.takes(address)))
    if not taken:
        raise ProbeError(Reason.DNS_NXDOMAIN, f"{host}: no address for ip_protocol {protocol}")
    return taken


def _literal(place: tuple[str | int, ...] | tuple[int, bytes]) -> str:
    """The address of a socket's address (host and port; for IPv6 flow and scope too) as a literal."""
    address, scope = str(place[0]), place[3] if len(place) > 3 else 0
    if scope and "%" not in address:
        try:
            address = (
                f"{address}%{socket.if_indextoname(int(scope))}"  # stays the same when interfaces are numbered anew
            )
        except OSError:
            address = f"{address}%{scope}"
    return plain_address(address)
