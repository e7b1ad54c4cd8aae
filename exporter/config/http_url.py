"""URLs of HTTP servers that the exporter asks for its own purposes, such as lists of targets."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.errors import TargetError
from exporter.quoting import redacted
from exporter.services import default_name, normal_host

_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"[!-~]*")
"""RFC 9112, 3.2.1: nothing else may be in a request line."""
MAX_CHARACTERS = 8000
"""RFC 9110, 4.1: what every recipient should accept."""


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """A URL in parts. As text it is without its query, which may have a secret.

    Attributes:
        host: DNS name (A-label form) or IP literal without brackets.
        path: with the query, without the fragment.
    """

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return redacted(self.origin + self.path)

    @property
    def authority(self) -> str:
        """For the Host field: the port is left out if it is the usual one."""
        usual = self.port == _PORTS[self.scheme]
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        return bracketed if usual else default_name(self.host, self.port)

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454, 4). Credentials are sent to one origin only."""
        return f"{self.scheme}://{self.authority}"


def parse_http_url(text: str) -> HttpUrl:
    """The parts of an absolute URL. Messages do not quote it.

    Raises:
        ValueError: it is not one, or has a user or a password.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"is longer than {MAX_CHARACTERS} characters")
    if not text.isprintable():
        raise ValueError("has characters that must be percent-encoded (RFC 3986, 2.1)")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("has a host or a port that is not valid") from None
    if parts.scheme not in _PORTS:
        raise ValueError("is not a URL that starts with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("has a user or a password; use basic_auth with password_file")
    if not host or port == 0:
        raise ValueError("has no host" if not host else "has a host or a port that is not valid")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _PATH.fullmatch(path):
        raise ValueError("has characters that must be percent-encoded (RFC 3986, 2.1)")
    try:
        return HttpUrl(parts.scheme, normal_host(host), port or _PORTS[parts.scheme], path)
    except TargetError:
        raise ValueError("has a host that is neither a host name nor an IP address") from None
