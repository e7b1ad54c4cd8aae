"""What the port without TLS does: the first answer to a request for `/` there, and where it leads."""

from urllib.parse import urlsplit

from exporter.errors import ProbeError, TargetError
from exporter.model import Reason, Target
from exporter.net.dial import Dialer
from exporter.probes.http.facts import MAX_FIELD_CHARACTERS, HttpResponse, PlainAnswer
from exporter.probes.http.http1 import Http1
from exporter.probes.http.question import host_name, plain_question
from exporter.services import normal_host

REDIRECTS = {301, 302, 303, 307, 308}
"""RFC 9110, 15.4: those that a browser goes along with."""

_MAX_BYTES = 131072


async def ask_plain(dialer: Dialer, port: int) -> PlainAnswer:
    """Ask at this port of the address that the scan is about. What fails is told in the answer; it raises nothing."""
    target = dialer.target
    try:
        async with dialer.connect(max_bytes=_MAX_BYTES, port=port) as connection:
            connection.limit(2 * connection.timeout_seconds)
            response = await Http1(connection).ask(plain_question(target, port))
    except ProbeError as error:
        return PlainAnswer(port, reason=error.reason, detail=error.detail)
    return _read(response, target, port)


def _read(response: HttpResponse, target: Target, port: int) -> PlainAnswer:
    locations = response.values("location")
    location = locations[0][:MAX_FIELD_CHARACTERS] if locations else None
    home = len(locations) == 1 and leads_home(locations[0], target)
    return PlainAnswer(port, response.status in REDIRECTS and home, response.status, location)


def leads_home(location: str, target: Target) -> bool:
    """Whether this Location leads to the target itself: https, the host that was asked for, the target's port.

    A relative one stays without TLS (RFC 9110, 10.2.2). What browsers and parsers of URLs read differently, such as
    backslashes, or leads there with a user's name, leads nowhere.
    """
    if not location.isascii() or not location.isprintable() or "\\" in location or " " in location:
        return False
    try:
        url = urlsplit(location)
        host, port = normal_host(url.hostname or ""), url.port
    except (ValueError, TargetError):
        return False
    same = host == host_name(target) and (443 if port is None else port) == target.port
    return url.scheme == "https" and "@" not in url.netloc and same


def not_looked(port: int) -> PlainAnswer:
    """There was no time for it."""
    return PlainAnswer(port, reason=Reason.DEADLINE_EXCEEDED, detail="no time was left in the scan")
