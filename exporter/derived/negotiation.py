"""Which suite a browser would get, from what a server accepts and whose order decides. No connection is made."""

from collections.abc import Iterator, Sequence

from exporter.derived.attacks import CLASSIC
from exporter.derived.verdicts import Trait
from exporter.facts.handshake import HandshakeFacts
from exporter.model import CipherOrder, Protocol
from exporter.ternary import any_of
from exporter.tls.suites import BY_NAME, for_ecdsa

_GCM = ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384")
_CHACHA = "CHACHA20_POLY1305_SHA256"
_CBC = ("AES_128_CBC_SHA", "AES_256_CBC_SHA")
_CBC_SHA2 = ("AES_256_CBC_SHA384", "AES_128_CBC_SHA256")
_ECDHE = ("ECDHE_ECDSA", "ECDHE_RSA")


def _suites(exchanges: Sequence[str], ciphers: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"TLS_{exchange}_WITH_{cipher}" for cipher in ciphers for exchange in exchanges)


BROWSERS: tuple[tuple[str, ...], ...] = (
    (
        *_suites(_ECDHE, (*_GCM, _CHACHA, *_CBC)),
        *_suites(("RSA",), (*_GCM, *_CBC)),
    ),
    (
        *_suites(_ECDHE, (*reversed(_GCM), *_CBC_SHA2, *reversed(_CBC))),
        *_suites(("DHE_RSA",), (*reversed(_GCM), *reversed(_CBC))),
        *_suites(("RSA",), (*reversed(_GCM), *_CBC_SHA2[1:], *reversed(_CBC))),
        *_suites((*_ECDHE, "RSA"), ("3DES_EDE_CBC_SHA", "RC4_128_SHA")),
        "TLS_RSA_WITH_RC4_128_MD5",
    ),
)
"""Suites that browsers offer up to TLS 1.2, in their order: one of today, and one of about ten years ago.

They are not exactly any browser's. The first has what Chrome and Firefox have in common. The second has what Internet
Explorer 11 and Safari 9 had. It includes DHE, 3DES and RC4, which may be the only ones that a server has. Neither
offers 3DES or RC4 before anything else.
"""


def browsers_get(facts: HandshakeFacts, protocols: Sequence[Protocol], wanted: Trait) -> bool | None:
    """Whether browsers get a wanted suite in one of these accepted protocols (up to TLS 1.2).

    A browser without a common suite with the server is left out. If none has one, all suites must give the same answer.

    Returns:
        None when it is not known: for example, a list may lack suites, or several may be chosen.
    """
    return any_of(verdict for protocol in protocols for verdict in _in(facts, protocol, wanted))


def _in(facts: HandshakeFacts, protocol: Protocol, wanted: Trait) -> Iterator[bool | None]:
    """Whether each browser gets a wanted suite in this protocol."""
    accepted = facts.protocols.get(protocol)
    if accepted is False:
        return
    names = facts.cipher_suites.get(protocol, ())
    if accepted is None or protocol in facts.cipher_suites_incomplete or not names:
        yield None
        return
    chosen = [choice for browser in BROWSERS if (choice := _choices(names, browser, facts.cipher_order.get(protocol)))]
    for choice in chosen or [frozenset(names)]:
        verdicts = {wanted(name) for name in choice}
        yield verdicts.pop() if len(verdicts) == 1 else None


def _choices(names: Sequence[str], browser: Sequence[str], order: CipherOrder | None) -> frozenset[str]:
    """The suites of which one is chosen; none without a common suite.

    In the client's order a server may still choose the certificate first (HAProxy). Where it is not known whose order
    decides, the candidates are the suites that no other suite precedes in both orders. This also covers servers that
    follow the client among suites of equal preference (BoringSSL), or when the client prefers ChaCha20.
    """
    common = [name for name in browser if name in names]
    match order:
        case CipherOrder.SERVER:
            return frozenset([name for name in names if name in browser][:1])
        case CipherOrder.CLIENT:
            ecdsa = [name for name in common if for_ecdsa(BY_NAME[name].code)]
            return frozenset([*ecdsa[:1], *[name for name in common if name not in ecdsa][:1]])
        case _:
            places = [names.index(name) for name in common]
            return frozenset(name for at, name in enumerate(common) if places[at] == min(places[: at + 1]))


def browsers_lack(facts: HandshakeFacts, lacking: Trait) -> bool | None:
    """Whether some browser gets a suite that lacks something which every suite of TLS 1.3 has.

    Older browsers have TLS 1.2 at most, so TLS 1.2 is checked even where TLS 1.3 is accepted. Older protocols are
    checked only where neither is accepted.
    """
    if facts.protocols.get(Protocol.TLS1_2) is not False:
        return browsers_get(facts, (Protocol.TLS1_2,), lacking)
    if facts.protocols.get(Protocol.TLS1_3) is not False:
        return False if facts.protocols.get(Protocol.TLS1_3) else None
    older = next((one for one in reversed(CLASSIC) if facts.protocols.get(one) is not False), None)
    return True if older is None else browsers_get(facts, (older,), lacking)
