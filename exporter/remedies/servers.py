"""Which server software a remedy is written for, and how a change becomes a remedy for each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from exporter.case import Case
from exporter.derived.software import Software
from exporter.model import Remedy
from exporter.services import SERVICES
from exporter.software.declared import CONFIGURATION, parse_distribution
from exporter.software.packages import DEBIAN, UBUNTU
from exporter.software.shown import Shown
from exporter.software.versions import Age, age


class Server(StrEnum):
    """Values of `Remedy.server`.

    `any` is every other server: its lines are for OpenSSL's configuration, or for the DNS.
    """

    NGINX = "nginx"
    APACHE = "Apache"
    HAPROXY = "HAProxy"
    POSTFIX = "Postfix"
    DOVECOT = "Dovecot"
    DOVECOT_2_4 = "Dovecot 2.4"
    ANY = "any"


BY_PRODUCT = {
    "nginx": Server.NGINX,
    "openresty": Server.NGINX,
    "apache-http-server": Server.APACHE,
    "haproxy": Server.HAPROXY,
    "postfix": Server.POSTFIX,
    "dovecot": Server.DOVECOT,
}
"""Names of the products in the facts."""


PLACES: Mapping[Server, str] = {
    Server.NGINX: "In the http block, or in the default server of the port.",
    Server.APACHE: "In the virtual host, and in the first one of the port.",
    Server.HAPROXY: "In the global section; the bind line's own options win.",
    Server.POSTFIX: "In main.cf; -o options in master.cf win.",
    **dict.fromkeys((Server.DOVECOT, Server.DOVECOT_2_4), "Next to the other ssl settings (conf.d/10-ssl.conf)."),
    Server.ANY: "In openssl.cnf, for programs that use it.",
}
"""Where settings of TLS belong.

If several nginx or Apache servers share a port, the first one decides on protocols, because the name that the client
asks for comes later.
"""


_LONGEST_QUOTED = 200
"""Maximum characters of a name in a certificate."""
_MOST_SEEN = 12
"""Maximum entries of the evidence in a sentence."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a server's configuration.

    Attributes:
        what: one or two sentences that apply to every server.
        lines: lines by server; a server that is missing has none. Dovecot 2.4 has those of Dovecot, unless it has its
            own.
        notes: notes by server, also optional.
        tls: the lines belong where settings of TLS are.
    """

    what: str
    lines: Mapping[Server, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    notes: Mapping[Server, str] = field(default_factory=lambda: MappingProxyType({}))
    tls: bool = True


_DOVECOT_2_4_SINCE = {DEBIAN: "13", UBUNTU: "26.04"}
"""Releases of distributions whose Dovecot is 2.4, where settings have other names (Dovecot, "Upgrading from 2.3")."""


def servers(case: Case) -> tuple[Server, ...]:
    """The server software that is shown; where none is, all that commonly serve the target's protocol."""
    shown = _shown(case)
    if shown is not None:
        found: tuple[Server, ...] = (BY_PRODUCT.get(shown.product, Server.ANY),)
    else:
        found = tuple(map(Server, SERVICES[case.target.protocol].remedies_for)) or (Server.ANY,)
    if found == (Server.DOVECOT,) and _is_dovecot_2_4(case, shown):
        return (Server.DOVECOT_2_4,)
    return found


def _shown(case: Case) -> Shown | None:
    """The server software that the server names. The operator's `distribution` names no server."""
    software = case.facts.get(Software)
    server = software.server if software else None
    return None if server is None or server.source == CONFIGURATION else server


def _is_dovecot_2_4(case: Case, shown: Shown | None) -> bool:
    """Whether the greeting or the operator says that it is Dovecot 2.4. Without either it may be older."""
    if shown is not None and shown.version is not None:
        return _reaches(shown.version, "2.4")
    declared = parse_distribution(case.target.distribution) if case.target.distribution else None
    packages = [package for package in (shown.package if shown else None, declared) if package is not None]
    return any(
        package.release is not None and since is not None and _reaches(package.release, since)
        for package in packages
        for since in (_DOVECOT_2_4_SINCE.get(package.distribution),)
    )


def _reaches(version: str, least: str) -> bool:
    return age(version, least) in {Age.SAME, Age.NEWER}


def remedies(case: Case, *changes: Change) -> tuple[Remedy, ...]:
    """These changes together, for each server software that the target may run."""
    return tuple(_remedy(case, server, changes) for server in servers(case)) if changes else ()


def _remedy(case: Case, server: Server, changes: Sequence[Change]) -> Remedy:
    foreign = server is Server.ANY and _shown(case) is not None  # it may not use OpenSSL at all
    mine = () if foreign else changes
    lines = _joined(line for change in mine for line in _of(server, change.lines, ()))
    place = PLACES[server] if any(change.tls and _of(server, change.lines, ()) for change in mine) else ""
    notes = [*(change.what for change in changes), place, *(_of(server, change.notes, "") for change in mine)]
    return Remedy(server, lines, " ".join(filter(None, dict.fromkeys(notes))))


T = TypeVar("T")


def _of(server: Server, parts: Mapping[Server, T], default: T) -> T:
    """The part for this server. Dovecot 2.4 has the part of Dovecot unless it has its own."""
    if server is Server.DOVECOT_2_4 and server not in parts:
        server = Server.DOVECOT
    return parts.get(server, default)


_LISTS = ("tls_ssl_options = ", "smtpd_tls_exclude_ciphers = ", "Options = ")
"""Settings of which only the last line counts, so that several values have to be in one line."""


def _joined(lines: Iterable[str]) -> tuple[str, ...]:
    joined: list[str] = []
    for line in lines:
        name = next((name for name in _LISTS if line.startswith(name)), None)
        place = next((place for place, before in enumerate(joined) if name and before.startswith(name)), None)
        if name is None or place is None:
            joined.append(line)
        else:
            joined[place] += f", {line.removeprefix(name)}"
    return tuple(joined)


def everywhere(note: str, *lines: str) -> tuple[Remedy, ...]:
    """A remedy that does not depend on the server software."""
    return (Remedy(Server.ANY, lines, note),)


def nothing_known() -> tuple[Remedy, ...]:
    """The remedy when handshake facts have expired."""
    return everywhere("What the server accepts is not known any more: set it to what is asked for.")


def evidence_text(evidence: Mapping[str, tuple[str, ...]]) -> str:
    """The evidence in a sentence: `TLSv1.0: grade capped to B`; empty without evidence."""
    texts = [f"{key}: {', '.join(values)}" if values else key for key, values in evidence.items()]
    return "; ".join(texts[:_MOST_SEEN])


def quoted(text: str) -> str:
    """Text of somebody else, in quotes, so that nobody takes it for the exporter's words."""
    return repr(text if len(text) <= _LONGEST_QUOTED else f"{text[:_LONGEST_QUOTED]}...")


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
