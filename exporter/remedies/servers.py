"""Whose configuration a remedy is written for, and how what is to change becomes a remedy for each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from exporter.case import Case
from exporter.derived.software import Software
from exporter.model import Remedy
from exporter.services import SERVICES


class Server(StrEnum):
    """Values of `Remedy.server`. `any` is every other one: its lines are of OpenSSL's configuration, or of the DNS."""

    NGINX = "nginx"
    APACHE = "Apache"
    HAPROXY = "HAProxy"
    POSTFIX = "Postfix"
    DOVECOT = "Dovecot"
    ANY = "any"


BY_PRODUCT = {
    "nginx": Server.NGINX,
    "openresty": Server.NGINX,
    "apache-http-server": Server.APACHE,
    "haproxy": Server.HAPROXY,
    "postfix": Server.POSTFIX,
    "dovecot": Server.DOVECOT,
}
"""Products as they are called in the facts."""


PLACES: Mapping[Server, str] = {
    Server.NGINX: "In the http block, or in the default server of the port.",
    Server.APACHE: "In the virtual host, and in the first one of the port.",
    Server.HAPROXY: "In the global section; the bind line's own options win.",
    Server.POSTFIX: "In main.cf; -o options in master.cf win.",
    Server.DOVECOT: "Beside the other ssl settings (conf.d/10-ssl.conf).",
    Server.ANY: "In openssl.cnf, for programs that go by it.",
}
"""Where settings of TLS go. Of several nginx or Apache servers at one port it is the first that answers for protocols,
since the name that the client asks for comes later."""


_LONGEST_QUOTED = 200
"""Characters of a name in a certificate."""
_MOST_SEEN = 12
"""Entries of the evidence in a sentence."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change.

    Attributes:
        what: a sentence or two that hold for every server.
        lines: by server; a server that is not there has none.
        notes: what to mind on one kind of server, likewise.
        tls: the lines go where settings of TLS go.
    """

    what: str
    lines: Mapping[Server, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    notes: Mapping[Server, str] = field(default_factory=lambda: MappingProxyType({}))
    tls: bool = True


def servers(case: Case) -> tuple[Server, ...]:
    """The server that is shown; all that usually speak the target's protocol where none is."""
    product = _shown(case)
    if product is not None:
        return (BY_PRODUCT.get(product, Server.ANY),)
    return tuple(map(Server, SERVICES[case.target.protocol].remedies_for)) or (Server.ANY,)


def _shown(case: Case) -> str | None:
    software = case.facts.get(Software)
    return software.server.product if software and software.server else None


def remedies(case: Case, *changes: Change) -> tuple[Remedy, ...]:
    """These changes, together, on each server that the target may be."""
    return tuple(_remedy(case, server, changes) for server in servers(case)) if changes else ()


def _remedy(case: Case, server: Server, changes: Sequence[Change]) -> Remedy:
    foreign = server is Server.ANY and _shown(case) is not None  # it may have no OpenSSL at all
    mine = () if foreign else changes
    lines = _joined(line for change in mine for line in change.lines.get(server, ()))
    place = PLACES[server] if any(change.tls and change.lines.get(server) for change in mine) else ""
    notes = [*(change.what for change in changes), place, *(change.notes.get(server, "") for change in mine)]
    return Remedy(server, lines, " ".join(filter(None, dict.fromkeys(notes))))


_LISTS = ("tls_ssl_options = ", "Options = ")
"""Settings of which the last line counts alone, so that several values have to stand in one."""


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
    """A remedy that hangs on no server's configuration."""
    return (Remedy(Server.ANY, lines, note),)


def nothing_known() -> tuple[Remedy, ...]:
    """The remedy where there are no handshake facts any more."""
    return everywhere("What the server accepts is not known any more: set it to what is asked for.")


def evidence_text(evidence: Mapping[str, tuple[str, ...]]) -> str:
    """What was seen, in a sentence: `TLSv1.0: grade capped to B`; empty without evidence."""
    texts = [f"{key}: {', '.join(values)}" if values else key for key, values in evidence.items()]
    return "; ".join(texts[:_MOST_SEEN])


def quoted(text: str) -> str:
    """What somebody else wrote, so that nobody takes it for our words."""
    return repr(text if len(text) <= _LONGEST_QUOTED else f"{text[:_LONGEST_QUOTED]}...")


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
