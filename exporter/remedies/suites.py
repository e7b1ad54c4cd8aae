"""Configuration lines for the cipher suites of a server, in OpenSSL's names, which all five servers accept."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol, Remedy
from exporter.remedies.protocols import protocol_change, to_keep
from exporter.remedies.servers import Change, Server, listed, remedies
from exporter.tls.suites import BY_NAME, SUITES, CipherSuite

Permitted = Callable[[Protocol, str], bool]
"""Protocol and IANA name -> whether the suite may be accepted there."""

_MOST_NAMED = 4
"""Maximum number of suites that a sentence names; above it the sentence gives their number."""
_OPENSSL_TLS13 = frozenset(
    {
        *("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"),
        *("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"),
    }
)
"""All suites of TLS 1.3 with encryption in OpenSSL.

OpenSSL refuses a complete list if one name in it is another one.
"""
_USUAL = {"AES", "CHACHA20"}
_KEYS = {"RSA", "ECDSA", ""}
"""Kinds of keys of certificates; suites of TLS 1.3 do not depend on them."""


@dataclass(frozen=True, slots=True)
class Suites:
    """Which suites to keep and to remove, as IANA names; None leaves a list as it is.

    Attributes:
        classic: suites to keep, for all protocols up to TLS 1.2.
        dropped: suites to remove, of the same protocols.
        tls13: suites to keep, for TLS 1.3.
    """

    classic: tuple[str, ...] | None
    dropped: tuple[str, ...]
    tls13: tuple[str, ...] | None


def openssl_names(names: Sequence[str]) -> list[str]:
    """The names that OpenSSL uses, without suites that OpenSSL never had."""
    found = [BY_NAME[name].openssl_name for name in names if name in BY_NAME]
    return list(dict.fromkeys(name for name in found if name))


def accepted_suites(facts: HandshakeFacts, *, tls13: bool) -> dict[str, None]:
    """The accepted suites, each once, in the order of the newest protocol that has them."""
    protocols = [protocol for protocol in reversed(facts.accepted) if protocol is not Protocol.SSL2]
    of_interest = [protocol for protocol in protocols if (protocol is Protocol.TLS1_3) is tls13]
    return dict.fromkeys(name for protocol in of_interest for name in facts.cipher_suites.get(protocol, ()))


def choose(
    facts: HandshakeFacts,
    permitted: Permitted,
    required: Sequence[str] = (),
    rank: Callable[[str], int] = lambda _name: 0,
) -> Suites:
    """The suites to keep: accepted and permitted ones, by rank (low ones first), else in the server's order.

    Required suites come after them. Where nothing would be left, the best permitted suites are used. A list that needs
    no removal, no addition and no other order stays as it is.
    """
    classic = _chosen(facts, permitted, required, rank, tls13=False)
    now = accepted_suites(facts, tls13=False)
    dropped = tuple(name for name in now if not permitted(Protocol.TLS1_2, name))
    return Suites(classic, dropped, _chosen(facts, permitted, required, rank, tls13=True))


def _chosen(
    facts: HandshakeFacts, permitted: Permitted, required: Sequence[str], rank: Callable[[str], int], *, tls13: bool
) -> tuple[str, ...] | None:
    protocol = Protocol.TLS1_3 if tls13 else Protocol.TLS1_2
    now = tuple(accepted_suites(facts, tls13=tls13))
    if not now:
        return None  # no such version is accepted, or nothing is known about them
    missing = [name for name in required if _is_tls13(name) is tls13 and name not in now]
    kept = (*(name for name in now if permitted(protocol, name)), *missing)
    kept = tuple(sorted(kept, key=rank))
    if kept == now:
        return None
    return kept if _writable(kept, tls13=tls13) else usual(partial(permitted, protocol), tls13=tls13)


def usual(wanted: Callable[[str], bool], *, tls13: bool) -> tuple[str, ...]:
    """Of the wanted suites, the best that OpenSSL and clients commonly have.

    Suites with forward secrecy and AEAD if there are any, else with one of the two, else with neither.
    """
    sound = [suite for suite in SUITES if suite.tls13 is tls13 and _is_usual(suite) and wanted(suite.name)]
    for kind in (lambda s: s.aead and s.agreement in {"ECDHE", ""}, lambda s: s.forward_secrecy, lambda _s: True):
        names = tuple(suite.name for suite in sorted(filter(kind, sound), key=lambda suite: not suite.aead))
        if names:
            return names
    return ()


def _is_usual(suite: CipherSuite) -> bool:
    of_openssl = _writable((suite.name,), tls13=suite.tls13)
    return (
        bool(of_openssl) and suite.encryption in _USUAL and suite.authentication in _KEYS and "_CCM" not in suite.name
    )


def _is_tls13(name: str) -> bool:
    return name in BY_NAME and BY_NAME[name].tls13


def _writable(names: Sequence[str], *, tls13: bool) -> list[str]:
    """OpenSSL's names of the suites that its lists can contain."""
    return [name for name in names if name in _OPENSSL_TLS13] if tls13 else openssl_names(names)


def suites_remedies(case: Case, facts: HandshakeFacts, chosen: Suites, evidence: Collection[str]) -> tuple[Remedy, ...]:
    """The remedies that set the lists, and turn off protocols for which no suite is left.

    SSL 2 has suites of its own, and all are removed.
    """
    changes = [suites_change(chosen, old=speaks_old(facts))]
    if chosen.classic == ():
        changes.append(protocol_change(facts, to_keep(facts, lambda protocol: protocol is Protocol.TLS1_3)))
    elif Protocol.SSL2 in evidence:
        changes.append(protocol_change(facts, to_keep(facts, lambda _protocol: True)))
    return remedies(case, *changes)


def suites_change(suites: Suites, *, old: bool) -> Change:
    """The change that makes the server accept exactly these suites.

    `old`: TLS 1.0 or 1.1 is accepted and stays.
    """
    classic = _writable(suites.classic or (), tls13=False)
    tls13 = _writable(suites.tls13 or (), tls13=True)
    dropped = openssl_names(suites.dropped)
    lines = _lines(classic, dropped, tls13)
    return Change(_what(suites, classic, tls13), lines, _notes(classic, dropped, tls13, old=old))


def speaks_old(facts: HandshakeFacts) -> bool:
    """Whether TLS 1.0 or 1.1 is accepted."""
    return bool(facts.protocols.get(Protocol.TLS1_0) or facts.protocols.get(Protocol.TLS1_1))


def _what(suites: Suites, classic: Sequence[str], tls13: Sequence[str]) -> str:
    said = []
    if classic:
        names = listed(classic) if len(classic) <= _MOST_NAMED else f"{len(classic)} suites"
        goes = f"; {len(suites.dropped)} of those that it accepts now go" if suites.dropped else ""
        said.append(f"Up to TLSv1.2 accept {names} only{goes}.")
    elif suites.classic is not None:
        said.append("No suite up to TLSv1.2 that OpenSSL has is permitted.")
    if tls13:
        said.append(f"In TLSv1.3 accept {listed(tls13)} only.")
    elif suites.tls13 is not None:
        said.append("No suite of TLSv1.3 that OpenSSL has is permitted.")
    both = "If another finding gives a list too, use the entries that are in both."
    return " ".join([*said, both] if classic or tls13 else said)


def _lines(classic: Sequence[str], dropped: Sequence[str], tls13: Sequence[str]) -> Mapping[Server, tuple[str, ...]]:
    old, new = ":".join(classic), ":".join(tls13)
    templates = {
        Server.NGINX: ("ssl_ciphers {};", "ssl_conf_command Ciphersuites {};"),
        Server.APACHE: ("SSLCipherSuite {}", "SSLCipherSuite TLSv1.3 {}"),
        Server.HAPROXY: ("ssl-default-bind-ciphers {}", "ssl-default-bind-ciphersuites {}"),
        Server.DOVECOT: ("ssl_cipher_list = {}", "ssl_cipher_suites = {}"),
        Server.ANY: ("CipherString = {}", "Ciphersuites = {}"),
    }
    lines = {
        server: (*([first.format(old)] if old else []), *([second.format(new)] if new else []))
        for server, (first, second) in templates.items()
    }
    # Postfix's documentation says not to change tls_high_cipherlist; what to leave out has settings of its own.
    excluded = (f"smtpd_tls_exclude_ciphers = {', '.join(dropped)}",) if classic and dropped else ()
    return {**lines, Server.POSTFIX: excluded}


def _notes(classic: Sequence[str], dropped: Sequence[str], tls13: Sequence[str], *, old: bool) -> Mapping[Server, str]:
    level = (
        "With OpenSSL 3 it ends TLSv1.0 and TLSv1.1, unless the list ends in :@SECLEVEL=0." if classic and old else ""
    )
    notes = dict.fromkeys((Server.NGINX, Server.APACHE, Server.HAPROXY, Server.DOVECOT, Server.ANY), level)
    if tls13:
        notes[Server.NGINX] = f"{level} ssl_conf_command needs nginx 1.19.4.".strip()
        notes[Server.POSTFIX] = (
            f"For TLSv1.3 Postfix uses OpenSSL's configuration: Ciphersuites = {':'.join(tls13)} (tls_config_file)."
        )
    if classic and not dropped:
        notes[Server.POSTFIX] = (
            f"Postfix accepts what smtpd_tls_ciphers allows, and no other order: {notes.get(Server.POSTFIX, '')}"
        ).strip(": ")
    return notes
