"""One lookup for one scan, and a target that goes by what was found."""

from dataclasses import replace
from datetime import timedelta

from exporter.errors import ProbeError
from exporter.model import IpProtocol, Reason, Target
from exporter.net.resolve import Lookup
from exporter.probing.question import unavailable
from exporter.shortage import ShortageError

MOST_PERMITTED = 64
"""Most addresses of one name. All of them are checked with each request, and a name server can send thousands."""


async def look_up_once(target: Target, lookup: Lookup) -> tuple[tuple[str, ...], ProbeError | None]:
    """The addresses of the host, or why they are not known. They are asked for once.

    A lookup cannot be cancelled, and other scans need its thread too. So the scan keeps its place until the lookup has
    ended, even if nobody waits for it any more.

    Raises:
        UnansweredError: this machine has not enough of something.
    """
    try:
        addresses = await lookup(target.host, target.port, target.ip_protocol)
    except ProbeError as error:
        return (), error
    except ShortageError as error:
        raise unavailable("the exporter is short of resources; ask again") from error
    if len(addresses) > MOST_PERMITTED:
        many = f"{target.host}: {len(addresses)} addresses are more than the {MOST_PERMITTED} that /probe checks"
        return (), ProbeError(Reason.DNS_ERROR, many)
    return addresses, None


def narrowed(target: Target, addresses: tuple[str, ...], seconds: float) -> Target:
    """The target for a scan of this length. A proxy gets a checked address: it would resolve the name again."""
    hurried = replace(target, scan_timeout=timedelta(seconds=seconds), mail_domain=None)
    if target.proxy is None:
        return hurried
    return replace(hurried, connect_address=addresses[0]) if addresses else replace(hurried, proxy=None)


def only(host: str, addresses: tuple[str, ...], failure: ProbeError | None = None) -> Lookup:
    """A lookup that knows these addresses of this host, or why there are none, and nothing else."""

    async def lookup(asked: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        if failure is not None:
            raise failure
        if asked in addresses:
            return (asked,)
        if asked != host:
            raise ProbeError(Reason.DNS_ERROR, f"{asked}: is not a part of this scan")
        return addresses

    return lookup
