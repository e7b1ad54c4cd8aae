"""Check `extensions`: which extensions of TLS and SSL a server has, and which it does not have.

The extensions belong to protocols before TLS 1.3. TLS 1.3 has the best of them built in and drops the others. Only
`ocsp_stapling` also exists in TLS 1.3, where it is encrypted.
"""

from collections.abc import Callable
from enum import Enum, auto

from pydantic import model_validator

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.judging.items import Item, in_force, listed, names_in_force, naming, sources, today
from exporter.judging.names import ExtensionName
from exporter.judging.suites import may_lack
from exporter.model import Protocol, Remedy
from exporter.remedies.parameters import extensions_change
from exporter.remedies.servers import remedies
from exporter.tls.extensions import ENCRYPT_THEN_MAC, FLAGS, HEARTBEAT, OCSP_STAPLING
from exporter.tls.suites import BY_NAME

_CLASSIC = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)


class ExtensionsDemand(Demand):
    """What each accepted protocol up to TLS 1.2 must have, and what no protocol may have."""

    required: tuple[Item[ExtensionName], ...] = ()
    forbidden: tuple[Item[ExtensionName], ...] = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> "ExtensionsDemand":
        if not self.required and not self.forbidden:
            raise ValueError("asks for nothing; give it required or forbidden")
        return self


class _State(Enum):
    """What is known of one extension."""

    HAS = auto()
    LACKS = auto()
    DARK = auto()
    NONE = auto()
    """The question does not apply."""


def _judge(case: Case, demand: ExtensionsDemand) -> Outcome:
    day = today(case)
    required, forbidden = names_in_force(demand.required, day), names_in_force(demand.forbidden, day)
    if not required and not forbidden:
        return not_applicable("nothing of it is in force today")
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the extensions are not known")
    everywhere = {name: _everywhere(facts, name) for name in required}
    if OCSP_STAPLING in everywhere:
        everywhere[OCSP_STAPLING] = _stapling(everywhere[OCSP_STAPLING], case.facts.get(CertificateFacts))
    anywhere = {name: _anywhere(facts, name) for name in forbidden}
    missing = tuple(name for name, state in everywhere.items() if state is _State.LACKS)
    excess = tuple(name for name, state in anywhere.items() if state is _State.HAS)
    if missing or excess:
        said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(excess)}"] * bool(excess)
        evidence = {key: names for key, names in (("missing", missing), ("accepted", excess)) if names}
        broken = (*naming(in_force(demand.required, day), missing), *naming(in_force(demand.forbidden, day), excess))
        return failed(" and ".join(said), evidence, sources(broken))
    states = everywhere | anywhere
    dark = tuple(name for name, state in states.items() if state is _State.DARK)
    if dark:
        return unknown(f"not known of {', '.join(dark)}", {"unknown": dark})
    if set(states.values()) == {_State.NONE}:
        return not_applicable(f"{', '.join(states)}: nothing on this server uses them")
    has = [name for name, state in everywhere.items() if state is _State.HAS]
    lacks = [name for name, state in anywhere.items() if state is _State.LACKS]
    return passed(" and ".join([f"has {', '.join(has)}"] * bool(has) + [f"lacks {', '.join(lacks)}"] * bool(lacks)))


def _everywhere(facts: HandshakeFacts, name: str) -> _State:
    """Whether the server has the extension in all protocols that it belongs to."""
    match facts.extensions.get(name):
        case False:
            return _State.LACKS
        case None:
            return _State.NONE if _pointless(facts, name) else _State.DARK
        case True:
            return _State.DARK if name in FLAGS and _open(facts) else _State.HAS


def _stapling(state: _State, certificates: CertificateFacts | None) -> _State:
    """The state of stapling, given the certificates.

    A certificate that names no OCSP server has no response to staple. With several certificates, that certificate may
    be the one without a stapled response.
    """
    if state is _State.HAS:
        return state
    named = {one.names_ocsp for one in certificates.deployments} if certificates else {None}
    if named == {True}:
        return state
    return _State.NONE if named == {False} and certificates and certificates.deployments_complete else _State.DARK


def _anywhere(facts: HandshakeFacts, name: str) -> _State:
    """Whether any protocol has the extension.

    A "no" in the facts means "not in every protocol". It means "in no protocol" only where there is a single protocol.
    """
    if facts.extensions.get(name) or (name == HEARTBEAT and True in facts.heartbeat.values()):
        return _State.HAS
    if _pointless(facts, name):
        return _State.NONE
    accepted = [protocol for protocol in _CLASSIC if facts.protocols.get(protocol)]
    if _open(facts) or (name == OCSP_STAPLING and facts.protocols.get(Protocol.TLS1_3) is not False):
        return _State.DARK
    if name == HEARTBEAT and all(protocol in facts.heartbeat for protocol in accepted):
        return _State.LACKS
    of_one = len(accepted) == 1 or name not in FLAGS
    return _State.LACKS if of_one and facts.extensions.get(name) is False else _State.DARK


def _open(facts: HandshakeFacts) -> bool:
    """Whether a protocol may be accepted that was not examined."""
    return any(facts.protocols.get(protocol) is None for protocol in _CLASSIC)


def _pointless(facts: HandshakeFacts, name: str) -> bool:
    """Whether nothing that the server accepts uses the extension."""
    if any(facts.protocols.get(protocol) is None for protocol in (*_CLASSIC, Protocol.TLS1_3)):
        return False
    accepted = [protocol for protocol in _CLASSIC if facts.protocols[protocol]]
    if name == OCSP_STAPLING:
        return False
    if not accepted:
        return True
    return _NEEDS[name](facts, accepted) if name in _NEEDS else False


def _no_cbc(facts: HandshakeFacts, accepted: list[Protocol]) -> bool:
    suites = [BY_NAME.get(name) for protocol in accepted for name in facts.cipher_suites.get(protocol, ())]
    return not any(may_lack(facts, protocol) for protocol in accepted) and not any(s is None or s.cbc for s in suites)


def _one_protocol(facts: HandshakeFacts, accepted: list[Protocol]) -> bool:
    return len(accepted) + bool(facts.protocols[Protocol.TLS1_3]) == 1


_NEEDS: dict[str, Callable[[HandshakeFacts, list[Protocol]], bool]] = {
    ENCRYPT_THEN_MAC: _no_cbc,
    "fallback_scsv": _one_protocol,
    "downgrade_marks": _one_protocol,
}
"""When an extension does not apply though TLS 1.2 or older is accepted (RFC 7366; RFC 7507; RFC 8446, 4.1.3)."""


def _asks(demand: ExtensionsDemand) -> str:
    required = [f"{listed(demand.required)} required"] * bool(demand.required)
    return "; ".join([*required, *[f"no {listed(demand.forbidden)}"] * bool(demand.forbidden)])


def _remedy(case: Case, _demand: ExtensionsDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The change that turns each extension on or off that is not as demanded."""
    missing = dict.fromkeys(outcome.evidence.get("missing", ()), True)
    surplus = dict.fromkeys(outcome.evidence.get("accepted", ()), False)
    return remedies(case, *extensions_change({**missing, **surplus}))


CHECK = Check(
    name="extensions",
    why=(
        "Some extensions close holes of the protocols before TLS 1.3, such as secure renegotiation (RFC 5746) "
        "and the extended master secret (RFC 7627). Others, such as heartbeat, are hardly used and have had "
        "holes themselves."
    ),
    demand=ExtensionsDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)
