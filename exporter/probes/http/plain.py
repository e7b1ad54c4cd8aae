"""The answer of the port without TLS to a request for `/`, and its redirect."""

import re

from exporter.errors import ProbeError, TargetError
from exporter.facts.http import MAX_FIELD_CHARACTERS, REDIRECTS, HttpResponse, PlainAnswer
from exporter.model import Reason, Target
from exporter.net.dial import Dialer
from exporter.probes.http.http1 import Http1
from exporter.probes.http.question import host_name, plain_question
from exporter.services import normal_host

_MAX_BYTES = 131072

_BLANKS = re.compile(r"[\x00-\x20]")
_HTTPS = re.compile(
    r"https://(?P<user>[A-Za-z0-9._~!$&'()*+,;=:%-]*@)?(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{0,5}))?(?:[/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
"""The URI up to the path, where all clients parse it in the same way (RFC 3986, 3.2)."""
_OPEN = "clients read its Location in different ways"


async def ask_plain(dialer: Dialer, port: int) -> PlainAnswer:
    """Ask this port of the scanned address. The answer contains the reason of a failure of the server.

    Raises:
        ShortageError: this machine could not ask.
    """
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
    if response.status not in REDIRECTS or location is None:
        return PlainAnswer(port, redirects_to_https=False, status=response.status, location=location)
    led = {leads_home(one, target) for one in locations}
    if len(led) > 1 or None in led:
        return PlainAnswer(port, None, response.status, location, Reason.HTTP_ERROR, _OPEN)
    return PlainAnswer(port, led == {True}, response.status, location)


def leads_home(location: str, target: Target) -> bool | None:
    """Whether this Location is the target itself: https, the host that was asked for, the target's port.

    A relative Location stays without TLS (RFC 9110, 10.2.2). None where it depends on the client: browsers repair what
    other clients refuse (blanks, backslashes, missing slashes, names that are not ASCII). None also where it contains a
    user's name.
    """
    url = _HTTPS.fullmatch(location)
    if url is None:
        return None if _BLANKS.sub("", location).lower().startswith("https:") else False
    try:
        host, port = normal_host(url["host"]), int(url["port"] or 443)
    except TargetError:
        return None
    home = host == host_name(target) and port == target.port
    return None if home and url["user"] is not None else home


def not_looked(port: int) -> PlainAnswer:
    """The answer when there was no time to ask."""
    return PlainAnswer(port, reason=Reason.DEADLINE_EXCEEDED, detail="no time was left in the scan")
