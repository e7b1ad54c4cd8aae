"""The table of services, and the text form of a target: `host[:port]` or a URL."""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote_to_bytes

import idna

from exporter.errors import TargetError
from exporter.model import Proxy, is_ip, plain_address
from exporter.nearest import nearest, suggestion
from exporter.quoting import quoted, redacted


@dataclass(frozen=True, slots=True)
class Pace:
    """What servers of a service accept from one client, whatever the global settings are.

    Attributes:
        connections: most at once.
        gap: least time from the start of one to the start of the next.
    """

    connections: int
    gap: timedelta


_MAIL_PACE = Pace(1, timedelta(milliseconds=100))
"""Mail servers count a client's connections, and reject or block it above a number or a rate. Every limit allows one
connection at a time (Exim's smtp_accept_max_per_host, Postfix' smtpd_client_connection_count_limit). The gap limits the
rate to 600 a minute, and makes a scan some seconds longer."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service, with everything that the program has to know about it.

    Attributes:
        name: value of `protocol`, or of `starttls` if a dialogue comes before TLS.
        port: its usual port; None if nothing is assumed.
        starttls: it starts with the dialogue of this name in `exporter.net.starttls`, not with TLS.
        greeting: the dialogue in which its servers speak first, before TLS or inside it; None if they wait.
        says_ehlo: its dialogue starts with the client's name.
        pace: None if only the settings count.
        remedies_for: kinds of servers for which remedies are written if the server is unknown: values of
            `Remedy.server`.
    """

    name: str
    port: int | None
    starttls: bool = False
    greeting: str | None = None
    says_ehlo: bool = False
    pace: Pace | None = None
    remedies_for: tuple[str, ...] = ()


_WEB, _MAIL, _BOXES = ("nginx", "Apache", "HAProxy"), ("Postfix",), ("Dovecot",)

SERVICES = {
    service.name: service
    for service in (
        Service("https", 443, remedies_for=_WEB),
        Service("smtps", 465, greeting="smtp", pace=_MAIL_PACE, remedies_for=_MAIL),
        Service("imaps", 993, greeting="imap", pace=_MAIL_PACE, remedies_for=_BOXES),
        Service("pop3s", 995, greeting="pop3", pace=_MAIL_PACE, remedies_for=_BOXES),
        Service("ldaps", 636),
        Service("ftps", 990, greeting="ftp"),
        Service("nntps", 563, greeting="nntp"),
        Service("ircs", 6697),
        Service("tls", None),
        Service("smtp", 25, starttls=True, greeting="smtp", says_ehlo=True, pace=_MAIL_PACE, remedies_for=_MAIL),
        Service("lmtp", 24, starttls=True, greeting="lmtp", says_ehlo=True, pace=_MAIL_PACE, remedies_for=_BOXES),
        Service("imap", 143, starttls=True, greeting="imap", pace=_MAIL_PACE, remedies_for=_BOXES),
        Service("pop3", 110, starttls=True, greeting="pop3", pace=_MAIL_PACE, remedies_for=_BOXES),
        Service("sieve", 4190, starttls=True, greeting="sieve", pace=_MAIL_PACE, remedies_for=_BOXES),
        Service("ftp", 21, starttls=True, greeting="ftp"),
        Service("ldap", 389, starttls=True),
        Service("xmpp", 5222, starttls=True),
        Service("xmpp-server", 5269, starttls=True),
        Service("nntp", 119, starttls=True, greeting="nntp"),
        Service("irc", 6667, starttls=True),
        Service("postgres", 5432, starttls=True),
        Service("mysql", 3306, starttls=True, greeting="mysql"),
        Service("rdp", 3389, starttls=True),
    )
}
"""By name. A new service is added here, with its dialogue in `exporter.net.starttls` if it has one."""

PROTOCOLS = {service.name: service.port for service in SERVICES.values() if not service.starttls}
"""Values of `protocol`, with their usual ports: services with TLS from the first byte."""
STARTTLS = {service.name: service.port for service in SERVICES.values() if service.starttls}
"""Values of `starttls`, with their usual ports: services with a dialogue before TLS."""
BY_PORT = {port: protocol for protocol, port in PROTOCOLS.items() if port}


def greeting_inside_tls(protocol: str) -> str | None:
    """The dialogue of the greeting that servers send first inside TLS; None if they send none there."""
    service = SERVICES.get(protocol)
    return None if service is None or service.starttls else service.greeting


_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that the system's resolver takes for a part of an IPv4 address (inet_aton(3)); names never end so."""
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,15}")
"""Names and indexes of interfaces; Linux allows 15 characters (IFNAMSIZ)."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.+)")
_HOST_PORT = re.compile(r"(?:\[(?P<ip6>[^\]]+)\]|(?P<host>[^:/?#@\s\[\]]+))(?::(?P<port>[0-9]*))?/?")


_SIMILAR = 0.8
"""How alike two schemes are, at least, if one may be meant by the other (0 to 1, `difflib`)."""
_PROXY_SCHEMES = {"http": "http", "socks5": "socks5", "socks5h": "socks5"}
"""The proxy resolves names with all of them, as in Prometheus, which treats the last two as the same too."""
_AUTHORITY = re.compile(
    r"(?:(?P<user>[^@:]*)(?::(?P<password>[^@]*))?@)?(?P<host>\[[^\[\]@]*\]|[^:@\[\]]*)(?::(?P<port>[^@:\[\]]*))?"
)
_USER_INFO = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986, 3.2.1."""


@dataclass(frozen=True, slots=True)
class TargetText:
    """What the text form of a target says; None for what it does not say."""

    host: str
    port: int | None
    protocol: str | None
    starttls: str | None


def normal_host(text: str) -> str:
    """The host in the form for lookups: an IP literal, or a DNS name in lower-case A-labels without a final dot.

    Raises:
        TargetError: it is neither.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") and ":" in text else text
    if is_ip(bare):
        return _normal_address(bare)
    try:
        name = bare if bare.isascii() else idna.encode(bare, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        # The library quotes the text.
        why = f": {error}" if redacted(text) == text else ""
        raise TargetError(f"{quoted(text)} is not a host name{why}") from None
    name = name.removesuffix(".").lower()
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        raise TargetError(f"{quoted(text)} is neither a host name nor an IP address")
    return name


_LITERAL = re.compile(r"\[(IPv6:)?([^\[\]]+)\]", re.IGNORECASE)


def parse_ehlo_name(text: str) -> str:
    """Parse a client's name for EHLO and LHLO: a host name, or an address literal (RFC 5321, 4.1.1.1).

    Raises:
        TargetError: it is neither.
    """
    literal = _LITERAL.fullmatch(text)
    bare = literal[2] if literal else text
    if not is_ip(bare):
        if literal:
            raise TargetError(f"{quoted(text)} is not an address literal; write [192.0.2.1] or [IPv6:2001:db8::1]")
        return normal_host(text)
    usual = address_literal(bare)
    tagged = literal is not None and literal[1] is not None
    if literal is None or tagged is not (":" in bare) or "%" in bare:
        raise TargetError(
            f"{quoted(text)} is not a host name; in mail, write this address as {usual} (RFC 5321, 4.1.3)"
        )
    return usual


def address_literal(address: str) -> str:
    """An IP address in mail (RFC 5321, 4.1.3); without a zone, which has no meaning elsewhere."""
    plain = plain_address(address.partition("%")[0])
    return f"[IPv6:{plain}]" if ":" in plain else f"[{plain}]"


def _normal_address(text: str) -> str:
    """The usual spelling (RFC 5952), so that two spellings are not two targets."""
    if ":" not in text:
        return text
    address = ip_address(text)
    zone = address.scope_id if isinstance(address, IPv6Address) else None
    if zone is not None and not _ZONE.fullmatch(zone):  # the standard library accepts anything, also line ends
        raise TargetError(f"{quoted(text)} is neither a host name nor an IP address")
    return str(address)


def _scheme_meant(name: str, dialogue: str) -> str:
    """The suggestion for a scheme that is unknown; empty if none is near."""
    if dialogue:
        near = nearest(name, STARTTLS)
        return f"; did you mean {near}+starttls?" if near and dialogue == "starttls" else ""
    return suggestion(name, PROTOCOLS)


def parse_service(text: str) -> TargetText:
    """Parse `host`, `host:port`, `[2001:db8::1]:port`, `imaps://host` or `smtp+starttls://host:587`.

    Raises:
        TargetError: says what is wrong.
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
            raise TargetError(_about_scheme(scheme, text, rest))
    match = _HOST_PORT.fullmatch(f"[{rest}]" if is_ip(rest) and ":" in rest else rest)
    if match is None:
        if (alone := _without_path(rest)) and (scheme or not is_ip(alone)):  # 192.0.2.0/24 is a network
            usable = f"{scheme}://{alone}" if scheme else alone
            raise TargetError(f"{quoted(text)} is not a target, which has no path; write {usable}")
        raise TargetError(
            f"{quoted(text)} is not a target; write host, host:port or a URL without a path such as imaps://host"
        )
    port: int | None = None
    if match["port"] is not None:
        port = int(match["port"]) if match["port"] and len(match["port"]) < 6 else 0
        if not 1 <= port <= 65535:
            raise TargetError(f"{quoted(match['port'])} is not a port (1 to 65535) in {quoted(text)}")
    host = normal_host(match["host"] or f"[{match['ip6']}]")
    return TargetText(host, port, protocol, starttls)


def _without_path(rest: str) -> str:
    """Host and port of what follows the scheme; empty if it has no path, or a user, or is wrong in other ways."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest or "//" in rest or authority == rest or not _HOST_PORT.fullmatch(authority):
        return ""
    return authority


def _about_scheme(scheme: str, text: str, rest: str) -> str:
    """That the scheme is not known, and what to write instead."""
    wrong = f"unknown scheme {quoted(scheme)} in {quoted(text)}"
    host = _without_path(f"{rest}/")
    if host and scheme == "http":
        return f"{wrong}, which has no TLS; write https://{host.removesuffix(':80')}"
    if host and scheme in STARTTLS:
        others = f", or {scheme}s://{host} if TLS starts with the first byte" if f"{scheme}s" in PROTOCOLS else ""
        return f"{wrong}; write {scheme}+starttls://{host}{others}"
    name, _, way = scheme.partition("+")
    known = ", ".join([*PROTOCOLS, *(f"{one}+starttls" for one in STARTTLS)])
    return f"{wrong}{_scheme_meant(name, way) or f'; known are {known}'}"


def parse_proxy(text: str) -> Proxy:
    """Parse `http://proxy:3128`, `socks5://user:password@[2001:db8::1]:1080`; user and password percent-encoded.

    Raises:
        TargetError: says what is wrong without quoting the text, any part of which may be a password.
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
        raise TargetError("has a colon in the user, which HTTP does not allow (RFC 7617, 2)")
    if scheme == "socks5" and not (len(user.encode()) < 256 and 0 < len(password.encode()) < 256):
        raise TargetError("has a user or a password that is not 1 to 255 bytes long (RFC 1929, 2)")
    return Proxy(scheme, host, int(port), user, password)


def _user_info(text: str) -> str:
    """User or password without percent-encoding; neither may have control characters (RFC 7617, 2)."""
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
    """`host:port`, with an IPv6 literal in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
