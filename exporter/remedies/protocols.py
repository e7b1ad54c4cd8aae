"""Configuration lines for the protocol versions of a server."""

from collections.abc import Callable, Collection, Mapping, Sequence

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol
from exporter.remedies.servers import Change, Server, listed

VERSIONS = tuple(protocol for protocol in Protocol if protocol is not Protocol.SSL2)
"""Versions that lines can turn on. None of the servers has SSL 2 any more, and no line here enables it."""
_MODERN = (Protocol.TLS1_2, Protocol.TLS1_3)
_SHORT = {protocol: "TLSv1" if protocol is Protocol.TLS1_0 else protocol.value for protocol in Protocol}
"""Spelling of the versions in all servers except HAProxy."""
_HAPROXY_OFF = {
    Protocol.SSL3: "no-sslv3",
    Protocol.TLS1_0: "no-tlsv10",
    Protocol.TLS1_1: "no-tlsv11",
    Protocol.TLS1_2: "no-tlsv12",
    Protocol.TLS1_3: "no-tlsv13",
}


def to_keep(
    facts: HandshakeFacts, permitted: Callable[[Protocol], bool], required: Collection[Protocol] = ()
) -> tuple[Protocol, ...]:
    """The versions to keep: accepted ones that are permitted, and required ones; nothing else is turned on.

    TLS 1.2 and 1.3 also stay where it is not known whether they are accepted. Where nothing would be left, those two
    are added if they are permitted.
    """
    now = {protocol: facts.protocols.get(protocol) for protocol in VERSIONS}
    stays = {protocol for protocol, state in now.items() if state or (state is None and protocol in _MODERN)}
    left = {protocol for protocol in stays if permitted(protocol)} | set(required)
    if not any(now[protocol] or protocol in required for protocol in left if protocol in now):
        left |= {protocol for protocol in _MODERN if permitted(protocol)}
    return tuple(protocol for protocol in VERSIONS if protocol in left)


def protocol_change(facts: HandshakeFacts, keep: Sequence[Protocol]) -> Change:
    """The change that makes the server accept exactly these versions, oldest first."""
    if not keep:
        return Change("The policy permits no version that servers can be set to, so the policy must be changed.")
    newer = VERSIONS[VERSIONS.index(keep[-1]) + 1 :]
    capped = any(facts.protocols.get(protocol) is not False for protocol in newer)
    missing = [protocol for protocol in keep if facts.protocols.get(protocol) is False]
    what = f"Accept {listed([str(protocol) for protocol in keep])} only."
    if missing:
        what += f" {listed([str(protocol) for protocol in missing])} is new to it."
    if Protocol.TLS1_3 in missing:
        what += " TLSv1.3 takes OpenSSL 1.1.1 or newer."
    lines = _lines(keep, capped=capped)
    return Change(what, lines, _notes(keep, capped=capped))


def _lines(keep: Sequence[Protocol], *, capped: bool) -> Mapping[Server, tuple[str, ...]]:
    names = [_SHORT[protocol] for protocol in keep]
    run = _top_run(keep)
    postfix = _postfix(keep, capped=capped)
    newest = (f"MaxProtocol = {_SHORT[run[-1]]}",) if capped else ()
    return {
        Server.NGINX: (f"ssl_protocols {' '.join(names)};",),
        Server.APACHE: (f"SSLProtocol -all {' '.join(f'+{name}' for name in names)}",),
        Server.HAPROXY: (f"ssl-default-bind-options {_haproxy(keep, capped=capped)}",),
        Server.POSTFIX: (f"smtpd_tls_protocols = {postfix}", f"smtpd_tls_mandatory_protocols = {postfix}"),
        Server.DOVECOT: (f"ssl_min_protocol = {_SHORT[run[0]]}",),
        Server.ANY: (f"MinProtocol = {_SHORT[run[0]]}", *newest),
    }


def _top_run(keep: Sequence[Protocol]) -> Sequence[Protocol]:
    """The newest consecutive versions among these.

    A minimum and a maximum version cannot express more.
    """
    first = len(keep) - 1
    while first and VERSIONS.index(keep[first]) == VERSIONS.index(keep[first - 1]) + 1:
        first -= 1
    return keep[first:]


def _haproxy(keep: Sequence[Protocol], *, capped: bool) -> str:
    if len(_top_run(keep)) < len(keep):
        return " ".join(option for protocol, option in _HAPROXY_OFF.items() if protocol not in keep)
    return f"ssl-min-ver {keep[0]}" + (f" ssl-max-ver {keep[-1]}" if capped else "")


def _postfix(keep: Sequence[Protocol], *, capped: bool) -> str:
    if len(_top_run(keep)) < len(keep):
        return ", ".join(f"!{_SHORT[protocol]}" for protocol in Protocol if protocol not in keep)
    return f">={_SHORT[keep[0]]}" + (f", <={_SHORT[keep[-1]]}" if capped else "")


def _notes(keep: Sequence[Protocol], *, capped: bool) -> Mapping[Server, str]:
    off = ", ".join(f"!{_SHORT[protocol]}" for protocol in Protocol if protocol not in keep)
    run = _top_run(keep)
    notes = {}
    if len(run) == len(keep):
        notes[Server.POSTFIX] = f"Before Postfix 3.6 the value is: {off}."
    if capped:
        notes[Server.DOVECOT] = (
            "Dovecot has no setting for the newest version: one is in OpenSSL's configuration, "
            f"MaxProtocol = {_SHORT[run[-1]]}."
        )
    return notes
