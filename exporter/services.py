"""Names of services, their usual ports, and the text form of a target: `host[:port]` or a URL."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote_to_bytes

import idna

from exporter.errors import TargetError
from exporter.model import Proxy, is_ip, plain_address

PROTOCOLS = {
    "https": 443,
    "smtps": 465,
    "imaps": 993,
    "pop3s": 995,
    "ldaps": 636,
    "ftps": 990,
    "nntps": 563,
    "ircs": 6697,
    "tls": None,
}
"""Services that are TLS from the first byte, with their registered ports; `tls` assumes nothing of what is inside."""

STARTTLS = {
    "smtp": 25,
    "lmtp": 24,
    "imap": 143,
    "pop3": 110,
    "sieve": 4190,
    "ftp": 21,
    "ldap": 389,
    "xmpp": 5222,
    "xmpp-server": 5269,
    "nntp": 119,
    "irc": 6667,
    "postgres": 5432,
    "mysql": 3306,
    "rdp": 3389,
}
"""Services with a dialogue before TLS, with their usual ports."""

MAIL = frozenset({"smtp", "lmtp", "imap", "pop3", "sieve", "smtps", "imaps", "pop3s"})
"""Services whose servers count a client's connections and turn it away, or lock it out, over a number or a rate."""

BY_PORT = {port: protocol for protocol, port in PROTOCOLS.items() if port}

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,15}")
"""Names and numbers of interfaces; Linux allows 15 characters (IFNAMSIZ)."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.+)")
_HOST_PORT = re.compile(r"(?:\[(?P<ip6>[^\]]+)\]|(?P<host>[^:/?#\s\[\]]+))(?::(?P<port>[0-9]*))?/?")


_PROXY_SCHEMES = {"http": "http", "socks5": "socks5", "socks5h": "socks5"}
"""The proxy resolves names either way, as with Prometheus, for which the last two are the same as well."""
_AUTHORITY = re.compile(
    r"(?:(?P<user>[^@:]*)(?::(?P<password>[^@]*))?@)?(?P<host>\[[^\[\]@]*\]|[^:@\[\]]*)(?::(?P<port>[^@:\[\]]*))?"
)
_USER_INFO = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986, 3.2.1."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a target's text says; None where it leaves it open."""

    host: str
    port: int | None
    protocol: str | None
    starttls: str | None


def normal_host(text: str) -> str:
    """The host as it is looked up: an IP literal, or a DNS name in lower-case A-labels without a final dot.

    Raises:
        TargetError: it is neither.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") and ":" in text else text
    if is_ip(bare):
        return _normal_address(bare)
    try:
        name = bare if bare.isascii() else idna.encode(bare, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise TargetError(f"{text!r} is not a host name: {error}") from error
    name = name.removesuffix(".").lower()
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise TargetError(f"{text!r} is neither a host name nor an IP address")
    return name


_LITERAL = re.compile(r"\[(IPv6:)?([^\[\]]+)\]", re.IGNORECASE)


def parse_ehlo_name(text: str) -> str:
    """What a client may call itself in EHLO and LHLO: a host name, or an address literal (RFC 5321, 4.1.1.1).

    Raises:
        TargetError: it is neither.
    """
    literal = _LITERAL.fullmatch(text)
    bare = literal[2] if literal else text
    if not is_ip(bare):
        if literal:
            raise TargetError(f"{text!r} is not an address literal; write [192.0.2.1] or [IPv6:2001:db8::1]")
        return normal_host(text)
    usual = address_literal(bare)
    tagged = literal is not None and literal[1] is not None
    if literal is None or tagged is not (":" in bare) or "%" in bare:
        raise TargetError(f"{text!r} is not a host name; mail has this address as {usual} (RFC 5321, 4.1.3)")
    return usual


def address_literal(address: str) -> str:
    """An IP address as it stands in mail (RFC 5321, 4.1.3); without a zone, which means nothing elsewhere."""
    plain = plain_address(address.partition("%")[0])
    return f"[IPv6:{plain}]" if ":" in plain else f"[{plain}]"


def _normal_address(text: str) -> str:
    """The one usual spelling (RFC 5952), so that two spellings do not pass for two targets."""
    address = ip_address(text)
    zone = address.scope_id if isinstance(address, IPv6Address) else None
    if zone is not None and not _ZONE.fullmatch(zone):  # the standard library takes anything, line ends too
        raise TargetError(f"{text!r} is neither a host name nor an IP address")
    return str(address)


def parse_service(text: str) -> Service:
    """Read `host`, `host:port`, `[2001:db8::1]:port`, `imaps://host` or `smtp+starttls://host:587`.

    Raises:
        TargetError: saying what is wrong.
    """
    url = _URL.fullmatch(text)
    scheme, rest = (url["scheme"].lower(), url["rest"]) if url else (None, text)
    protocol: str | None = None
    starttls: str | None = None
    if scheme is not None:
        name, plus, way = scheme.partition("+")
        if plus and way == "starttls" and name in STARTTLS:
            protocol = starttls = name
        elif not plus and name in PROTOCOLS:
            protocol = name
        else:
            known = ", ".join([*PROTOCOLS, *(f"{name}+starttls" for name in STARTTLS)])
            raise TargetError(f"unknown scheme {scheme!r} in {text!r}; known are {known}")
    match = _HOST_PORT.fullmatch(f"[{rest}]" if is_ip(rest) and ":" in rest else rest)
    if match is None:
        raise TargetError(
            f"{text!r} is not a target; write host, host:port or a URL without a path such as imaps://host"
        )
    port: int | None = None
    if match["port"] is not None:
        port = int(match["port"]) if match["port"] and len(match["port"]) < 6 else 0
        if not 1 <= port <= 65535:
            raise TargetError(f"{match['port']!r} is not a port (1 to 65535) in {text!r}")
    host = normal_host(match["host"] or f"[{match['ip6']}]")
    return Service(host, port, protocol, starttls)


def parse_proxy(text: str) -> Proxy:
    """Read `http://proxy:3128`, `socks5://user:password@[2001:db8::1]:1080`; user and password percent-encoded.

    Raises:
        TargetError: saying what is wrong without a word of the text, any part of which can be meant as a password.
    """
    url = _URL.fullmatch(text)
    scheme = _PROXY_SCHEMES.get(url["scheme"].lower()) if url else None
    if url is None or scheme is None:
        raise TargetError("is not a proxy; write http://proxy.example.com:3128 or socks5://proxy.example.com:1080")
    authority = url["rest"].removesuffix("/")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or re.search(r"[/?#]", authority):
        raise TargetError(
            "is not scheme://host:port or scheme://user:password@host:port; other characters in user and password "
            "are percent-encoded (RFC 3986, 2.1)"
        )
    try:
        host = normal_host(match["host"])
    except TargetError:
        raise TargetError("has a host that is neither a host name nor an IP address") from None
    port = match["port"]
    if port is None or not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise TargetError("has no port (1 to 65535)")
    if match["user"] is None:
        return Proxy(scheme, host, int(port))
    user, password = (_user_info(part or "") for part in (match["user"], match["password"]))
    if not user:
        raise TargetError("has no user before the @")
    if scheme == "http" and ":" in user:
        raise TargetError("has a colon in the user, for which HTTP has no way (RFC 7617, 2)")
    if scheme == "socks5" and not (len(user.encode()) < 256 and 0 < len(password.encode()) < 256):
        raise TargetError("has a user or a password that is not 1 to 255 bytes long (RFC 1929, 2)")
    return Proxy(scheme, host, int(port), user, password)


def _user_info(text: str) -> str:
    """User or password without its percent-encoding; control characters can stand in neither (RFC 7617, 2)."""
    if not _USER_INFO.fullmatch(text):
        raise TargetError("has characters in user or password that must be percent-encoded (RFC 3986, 3.2.1)")
    try:
        plain = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise TargetError("has a user or a password that is not UTF-8") from None
    if re.search(r"[\x00-\x1f\x7f-\x9f]", plain):
        raise TargetError("has a control character in user or password")
    return plain


def default_name(host: str, port: int) -> str:
    """`host:port`, an IPv6 literal in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
